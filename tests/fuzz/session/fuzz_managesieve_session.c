/*
 * The whole ManageSieve session: the bytes are what a client sends after login. A second one is at
 * work on the same account.
 */
#include "session.h"

static void converse(struct store *store, struct account_id account, struct slice input)
{
    struct stream first, second;
    open_stream(&first, &managesieve_protocol, NULL, store, account);
    open_stream(&second, &managesieve_protocol, NULL, store, account);
    run(&first, SLICE(""));
    run(&second, SLICE("PUTSCRIPT \"a\" \"keep;\"\r\nSETACTIVE \"a\"\r\n"));
    /* In lines, so that the second session runs between them. */
    while (input.size) {
        size_t end = slice_find(input, '\n') + 1;
        if (run(&first, slice_sub(input, 0, end)) == STREAM_NEED_CLOSE)
            break;
        input = slice_sub(input, end, input.size);
        run(&second, SLICE("LISTSCRIPTS\r\nRENAMESCRIPT \"b\" \"c\"\r\nDELETESCRIPT \"c\"\r\n"));
    }
    close_stream(&first);
    close_stream(&second);
}
