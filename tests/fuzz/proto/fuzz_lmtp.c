/*
 * A session with a caller that answers what the engine asks, whole and byte by byte. The first
 * byte chooses limits and how delivery ends.
 */
#include "../../unit/proto/lmtp_caller.h"

#include <stdlib.h>

static void run(uint8_t options, struct slice input, size_t piece, struct lmtp_caller *caller)
{
    static const int errors[] = {0, ERROR_SPACE, ERROR_BUSY, ERROR_DENIED};
    lmtp_caller_init(caller, options & 1 ? 40 : 100000, options & 2 ? 1 : 20);
    caller->delivery_error = errors[options / 4 % 4];
    caller->lmtp.permissions = options / 16 % 4;
    if (options & 64)
        (void)lmtp_resume(&caller->lmtp, options & 128 ? SLICE("AUTH a") : SLICE("LHLO a"),
                          &caller->output);
    else
        lmtp_greet(&caller->lmtp, &caller->output);
    lmtp_caller_run(caller, input, piece);
    if (buffer_error(&caller->output) || buffer_error(&caller->log) ||
        buffer_error(&caller->messages))
        abort();
}

static bool has_word(struct slice input, const char *word)
{
    size_t size = strlen(word);
    for (size_t i = 0; i + size <= input.size; i++)
        if (slice_equal_nocase(slice_sub(input, i, size), slice_from_string(word)))
            return true;
    return false;
}

/* Stored messages have no bare LF, also where one chunk ends with CR and the next begins with LF.
 */
static void check_messages(struct slice messages)
{
    for (size_t i = 0; i < messages.size; i++)
        if (messages.data[i] == '\n' && (i == 0 || messages.data[i - 1] != '\r'))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    /* What marks messages in the log does not occur in the input. */
    for (size_t i = 1; i < size; i++)
        if (data[i] == '{' || data[i] == '}')
            return 0;
    struct slice input = slice_make(data + 1, size - 1);
    struct lmtp_caller whole, bytes;
    run(data[0], input, SIZE_MAX, &whole);
    run(data[0], input, 1, &bytes);
    /* BODY=BINARYMIME leaves bytes as they are. */
    if (!has_word(input, "BINARYMIME"))
        check_messages(buffer_slice(&whole.messages));
    /* A message that is too big is given up at another byte. */
    bool too_big =
        whole.lmtp.data_too_big || memmem(whole.log.data, whole.log.size, "552 5.3.4", 9);
    if (!too_big && !slice_equal(buffer_slice(&whole.log), buffer_slice(&bytes.log)))
        abort();
    lmtp_caller_release(&whole);
    lmtp_caller_release(&bytes);
    return 0;
}
