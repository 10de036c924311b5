/*
 * UIDBATCHES (RFC 10022): ranges of UIDs with so many messages each, from the highest UID down, by
 * which a client goes through a mailbox in pieces without any message number.
 *
 * They are of the messages that the client knows of: the set of their UIDs finds each end by its
 * position, and no entry is read. A batch is never larger than was asked for, nor than one command
 * may be about (RFC 9738).
 */
#include "base/error.h"
#include "session/imap/session_priv.h"

_Static_assert(SESSION_BATCH_MINIMUM == 500, "cmd_uidbatches says so to people");

struct batches_work {
    uint32_t next; /* the batch to write; 0: nothing is written */
};

/* ",99695:20351" */
static void write_batch(struct imap_session *session, uint32_t size, uint32_t number, bool first)
{
    struct range_set *uids = &session->mailbox.uids;
    uint32_t highest =
        number == 1 ? range_set_last(uids) : set_batch_lowest(uids, size, number - 1) - 1;
    char text[2 * NUMBER_MAXIMUM + 2] = {first ? ' ' : ','}, *end = number_put(text + 1, highest);
    *end++ = ':';
    end = number_put(end, set_batch_lowest(uids, size, number));
    buffer_append(session->out, slice_make(text, (size_t)(end - text)));
}

/* Whether all is written. */
static bool write_batches(struct imap_session *session, struct batches_work *work)
{
    const struct imap_batches *asked = &session->command->batches;
    uint32_t limit = limit_messages(session), size = asked->size < limit ? asked->size : limit;
    uint32_t last = set_batch_count(&session->mailbox.uids, size);
    last = asked->last < last ? asked->last : last;
    for (; work->next <= last && !session_slice_over(session); work->next++)
        write_batch(session, size, work->next, work->next == asked->first);
    return work->next > last;
}

enum progress cmd_uidbatches(struct imap_session *session)
{
    const struct imap_batches *asked = &session->command->batches;
    if (asked->first > asked->last)
        return session_reply(session, "BAD", "CLIENTBUG", "The first batch comes first");
    if (asked->size < SESSION_BATCH_MINIMUM)
        return session_reply(session, "NO", "TOOFEW", "Minimum batch size is 500");
    struct batches_work *work = session_work(session, sizeof(*work));
    if (!work)
        return session_fail(session, ERROR_LIMIT);
    if (!work->next) {
        buffer_append_format(session->out, "* UIDBATCHES (TAG \"%s\")", session->tag);
        work->next = asked->first;
    }
    if (!write_batches(session, work))
        return PROGRESS_AGAIN;
    buffer_append(session->out, SLICE("\r\n"));
    return session_ok(session, "Uidbatches completed");
}
