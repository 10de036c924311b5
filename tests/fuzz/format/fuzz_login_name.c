#include "format/login_name.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A normal form is printable ASCII within the lengths, and its own normal form. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer normal, again;
    buffer_init(&normal, ADDRESS_LOCAL_MAXIMUM + 1 + ADDRESS_DOMAIN_MAXIMUM);
    buffer_init(&again, ADDRESS_LOCAL_MAXIMUM + 1 + ADDRESS_DOMAIN_MAXIMUM);
    if (address_normalise(slice_make(data, size), "example.test", &normal) == 0) {
        for (size_t i = 0; i < normal.size; i++)
            if (normal.data[i] <= ' ' || normal.data[i] > '~')
                abort();
        if (address_normalise(buffer_slice(&normal), NULL, &again) ||
            !slice_equal(buffer_slice(&normal), buffer_slice(&again)))
            abort();
    } else if (normal.size) {
        abort();
    }
    buffer_release(&normal);
    buffer_release(&again);
    return 0;
}
