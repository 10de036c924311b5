#include "session/pop3/pop3_priv.h"

#include "base/error.h"

/* A message in a snapshot, as what surrogates are made of. */
struct source {
    struct mailbox_snapshot *snapshot;
    const struct entry *entry;
    struct buffer encoded;
    struct summary summary;
    struct surrogate_source of;
};

static int read_message(void *arg, uint64_t offset, size_t size, struct buffer *bytes)
{
    const struct source *source = arg;
    return mailbox_message(source->snapshot, source->entry, offset, size, bytes);
}

static int source_open(struct source *source, struct mailbox_snapshot *snapshot,
                       const struct entry *entry)
{
    *source = (struct source){.snapshot = snapshot, .entry = entry};
    source->of = (struct surrogate_source){&source->summary, read_message, source};
    buffer_init(&source->encoded, SUMMARY_SIZE_MAXIMUM);
    return mailbox_summary(snapshot, entry, &source->encoded, &source->summary);
}

static bool has_surrogate(const struct pop3_session *session, const struct entry *entry)
{
    return entry->internationalized && !session->utf8;
}

uint64_t pop3_size(const struct pop3_session *session, struct mailbox_snapshot *snapshot,
                   const struct entry *entry)
{
    struct source source;
    uint64_t size = entry->size;
    if (!has_surrogate(session, entry))
        return size;
    int error = source_open(&source, snapshot, entry);
    if (!error)
        (void)surrogate_size(&source.of, &size);
    buffer_release(&source.encoded);
    return size;
}

/* --- sending --- */

void pop3_sending_begin(struct pop3_session *session)
{
    const struct stream *stream = session->turns.stream;
    session->offset = 0;
    surrogate_init(&session->surrogate, stream->spool_directory, POP3_SURROGATE_MEMORY);
    pop3_message_begin(&session->message, !session->utf8);
}

void pop3_sending_end(struct pop3_session *session)
{
    surrogate_release(&session->surrogate);
}

/* The next piece of the message; nothing: that was all. */
static int read_piece(struct pop3_session *session, struct source *source, struct buffer *piece)
{
    const struct entry *entry = &session->entry;
    if (has_surrogate(session, entry))
        return surrogate_next(&session->surrogate, &source->of, POP3_PIECE, piece);
    if (session->offset >= entry->size)
        return 0;
    int error = mailbox_message(source->snapshot, entry, session->offset, POP3_PIECE, piece);
    session->offset += piece->size;
    return error || piece->size ? error : ERROR_CORRUPT;
}

static int send_pieces(struct pop3_session *session, struct source *source, bool *done)
{
    struct buffer piece;
    int error = 0;
    buffer_init(&piece, POP3_PIECE);
    while (!error && !*done && !turns_slice_over(&session->turns)) {
        buffer_clear(&piece);
        error = read_piece(session, source, &piece);
        pop3_message_add(&session->message, buffer_slice(&piece), &session->turns.stream->output);
        *done = !piece.size || session->message.done;
    }
    buffer_release(&piece);
    return error;
}

int pop3_sending_go_on(struct pop3_session *session, struct mailbox_snapshot *snapshot, bool *done)
{
    struct source source = {.snapshot = snapshot};
    int error = has_surrogate(session, &session->entry)
                    ? source_open(&source, snapshot, &session->entry)
                    : 0;
    *done = false;
    if (!error)
        error = send_pieces(session, &source, done);
    buffer_release(&source.encoded);
    return error;
}
