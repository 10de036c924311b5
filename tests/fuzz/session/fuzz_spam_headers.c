/*
 * What filters in front of the server have written, or somebody who forges it: a number in its
 * range, or nothing.
 */
#include "session/sieve/filter.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int (*ask)(struct slice message, struct buffer *value), struct slice message,
                  int least, int most)
{
    struct buffer value;
    buffer_init(&value, 16);
    if (!ask(message, &value)) {
        buffer_append_byte(&value, '\0');
        int number = (int)strtol(value.data, NULL, 10);
        if (value.size < 2 || number < least || number > most)
            abort();
    }
    buffer_release(&value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check(spam_score_of, slice_make(data, size), 0, 100);
    check(virus_level_of, slice_make(data, size), 1, 5);
    return 0;
}
