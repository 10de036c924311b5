/*
 * The whole POP3 session: the bytes are what a client sends after login. A second one is at work on
 * the same account, which is shown surrogates.
 */
#include "session.h"

static void converse(struct store *store, struct account_id account, struct slice input)
{
    struct stream first, second;
    open_stream(&first, &pop3_protocol, "UTF8", store, account);
    open_stream(&second, &pop3_protocol, "", store, account);
    run(&first, SLICE(""));
    run(&second, SLICE("DELE 1\r\nRETR 2\r\nRETR 6\r\nTOP 6 1\r\n"));
    /* In lines, so that the second session runs between them. */
    while (input.size) {
        size_t end = slice_find(input, '\n') + 1;
        if (run(&first, slice_sub(input, 0, end)) == STREAM_NEED_CLOSE)
            break;
        input = slice_sub(input, end, input.size);
        run(&second, SLICE("STAT\r\nLIST\r\nLIST 6\r\n"));
    }
    close_stream(&first);
    close_stream(&second);
}
