/*
 * The whole IMAP session: the bytes are what a client sends after login. Two other sessions on the
 * same account are told of the changes: in IDLE, and by NOTIFY. What begins with an A comes from an
 * administrator.
 */
#include "session/imap/sort_priv.h"

#include "session.h"

enum { SESSIONS = 3 };

static void begin(struct stream sessions[SESSIONS], struct store *store, struct account_id account)
{
    static const char *const first[SESSIONS] = {
        "",
        "s SELECT INBOX\r\ns IDLE\r\n",
        "s SELECT INBOX\r\ns NOTIFY SET (selected (MessageNew (UID BODYSTRUCTURE) "
        "MessageExpunge FlagChange)) (personal (MessageNew MessageExpunge FlagChange "
        "MailboxName SubscriptionChange MailboxMetadataChange ServerMetadataChange))"
        "\r\n",
    };
    sort_memory_forget_all(); /* it is of another store */
    for (size_t i = 0; i < SESSIONS; i++) {
        open_stream(&sessions[i], &imap_protocol, "L", store, account);
        run(&sessions[i], SLICE(""));
        if (first[i][0])
            run(&sessions[i], slice_from_string(first[i]));
    }
}

static void converse(struct store *store, struct account_id account, struct slice input)
{
    struct stream sessions[SESSIONS];
    struct account_id bob;
    begin(sessions, store, account);
    sessions[0].administrator = slice_starts_with(input, SLICE("A"));
    if (sessions[0].administrator)
        require(store_account_create(store, WHO_SYSTEM, SLICE("bob@example.test"), &bob) == 0);
    /* In lines, so that the other sessions see the steps. */
    while (input.size) {
        size_t end = slice_find(input, '\n') + 1;
        sessions[0].noticed = true;
        if (run(&sessions[0], slice_sub(input, 0, end)) == STREAM_NEED_CLOSE)
            break;
        input = slice_sub(input, end, input.size);
        for (size_t i = 1; i < SESSIONS; i++) {
            sessions[i].noticed = true;
            run(&sessions[i], SLICE(""));
        }
    }
    for (size_t i = 0; i < SESSIONS; i++)
        close_stream(&sessions[i]);
}
