/*
 * A surrogate is ASCII, bounded, and its own surrogate, whatever the header was; of ASCII it is the
 * header itself.
 */
#include "format/downgrade.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice header = slice_make(data, size);
    struct buffer surrogate, again;
    buffer_init(&surrogate, 16 * 1024 * 1024);
    buffer_init(&again, 16 * 1024 * 1024);
    if (downgrade_header(header, &surrogate) || downgrade_header(buffer_slice(&surrogate), &again))
        abort();
    if (!downgrade_is_ascii(buffer_slice(&surrogate)) ||
        !slice_equal(buffer_slice(&surrogate), buffer_slice(&again)))
        abort();
    if (downgrade_is_ascii(header) && !slice_equal(buffer_slice(&surrogate), header))
        abort();
    if (surrogate.size > 80 * size + 80)
        abort();
    buffer_release(&surrogate);
    buffer_release(&again);
    return 0;
}
