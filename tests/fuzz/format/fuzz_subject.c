/*
 * Base subjects, what threads compare, and message ids.
 */
#include "format/subject.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_make(data, size);
    struct buffer base, again, id;
    buffer_init(&base, 4 << 20);
    buffer_init(&again, 4 << 20);
    buffer_init(&id, MESSAGE_ID_MAXIMUM);
    /* Nothing is left to be removed. */
    if (subject_base(text, &base, NULL) || base.size > size ||
        subject_base(buffer_slice(&base), &again, NULL) ||
        !slice_equal(buffer_slice(&base), buffer_slice(&again)))
        abort();
    buffer_clear(&base);
    if (subject_thread_key(text, &base) == 0 && base.size && base.data[0] == ' ')
        abort();
    while (message_id_next(&text, &id))
        if (!id.size || buffer_error(&id))
            abort();
    buffer_release(&base);
    buffer_release(&again);
    buffer_release(&id);
    return 0;
}
