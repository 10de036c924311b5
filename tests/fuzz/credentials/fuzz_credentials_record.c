#include "credentials/record_priv.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A record that decodes is written back as the same bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct credentials_record record;
    struct slice value = slice_make(data, size);
    if (record_decode(value, &record))
        return 0;
    struct buffer again;
    buffer_init(&again, RECORD_MAXIMUM);
    if (record_encode(&record, &again) || !slice_equal(value, buffer_slice(&again)))
        abort();
    buffer_release(&again);
    return 0;
}
