/*
 * The whole IMAP session: the bytes are what a client sends after login. A second session on the
 * same account is told of the changes.
 */
#include "session.h"

static void converse(struct store *store, struct account_id account, struct slice input)
{
    struct stream first, second;
    open_stream(&first, &imap_protocol, "L", store, account);
    open_stream(&second, &imap_protocol, "L", store, account);
    run(&first, SLICE(""));
    run(&second, SLICE("s SELECT INBOX\r\ns IDLE\r\n"));
    /* In lines, so that the second session sees the steps. */
    while (input.size) {
        size_t end = slice_find(input, '\n') + 1;
        if (run(&first, slice_sub(input, 0, end)) == STREAM_NEED_CLOSE)
            break;
        input = slice_sub(input, end, input.size);
        second.noticed = true;
        run(&second, SLICE(""));
    }
    close_stream(&first);
    close_stream(&second);
}
