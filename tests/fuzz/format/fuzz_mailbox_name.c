/*
 * Whatever decodes encodes to the same bytes, and the other way round.
 */
#include "format/mailbox_name.h"
#include "format/text.h"

#include <stdlib.h>

typedef int (*convert_function)(struct slice, struct buffer *);

static void round_trip(struct slice name, convert_function there, convert_function back)
{
    struct buffer converted, again;
    buffer_init(&converted, 1 << 20);
    buffer_init(&again, 1 << 20);
    if (there(name, &converted) == 0 &&
        (back(buffer_slice(&converted), &again) || !slice_equal(buffer_slice(&again), name)))
        abort();
    if (there == mailbox_name_from_utf7 && !text_is_utf8(buffer_slice(&converted)))
        abort();
    buffer_release(&converted);
    buffer_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    round_trip(slice_make(data, size), mailbox_name_from_utf7, mailbox_name_to_utf7);
    round_trip(slice_make(data, size), mailbox_name_to_utf7, mailbox_name_from_utf7);
    return 0;
}
