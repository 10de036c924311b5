/*
 * What an MTA may ask, whole and byte by byte: the answers are the same.
 */
#include "base/error.h"
#include "proto/mta/engine.h"

#include <stdlib.h>

static int decide(const struct mta *mta)
{
    static const int errors[] = {0, ERROR_NOT_FOUND, ERROR_QUOTA, ERROR_BUSY, ERROR_LIMIT};
    size_t sum = mta->size % 5;
    for (size_t i = 0; i < mta->key.size; i++)
        sum += (unsigned char)mta->key.data[i];
    return errors[sum % 5];
}

/* False when the engine closes. */
static bool feed(struct mta *mta, struct slice input, struct buffer *output, struct buffer *log)
{
    enum mta_action action;
    do {
        action = mta_consume(mta, &input, output);
        if (action == MTA_ASKING)
            mta_answer(mta, decide(mta), output);
        if (buffer_error(output))
            abort();
        buffer_append(log, buffer_slice(output));
        buffer_clear(output);
    } while (action == MTA_ASKING || (action == MTA_MORE && input.size));
    return action != MTA_CLOSE;
}

static void run(struct slice input, size_t piece, struct buffer *log)
{
    struct mta mta;
    struct buffer output;
    mta_init(&mta);
    buffer_init(&output, 2 * MTA_REPLY_MAXIMUM);
    buffer_init(log, 64 * 1024 * 1024);
    while (input.size) {
        struct slice part = slice_sub(input, 0, piece);
        input = slice_sub(input, part.size, SIZE_MAX);
        if (!feed(&mta, part, &output, log))
            break;
    }
    buffer_release(&output);
    mta_release(&mta);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer whole, bytes;
    run(slice_make(data, size), SIZE_MAX, &whole);
    run(slice_make(data, size), 1, &bytes);
    if (!slice_equal(buffer_slice(&whole), buffer_slice(&bytes)))
        abort();
    buffer_release(&whole);
    buffer_release(&bytes);
    return 0;
}
