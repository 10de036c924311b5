/*
 * Surrogates of messages with headers in UTF-8, for who has enabled neither UTF8=ACCEPT nor
 * IMAP4rev2 (RFC 9755 sections 8 and 9): the simplified downgrading of RFC 6858. The surrogate is
 * made as a whole when an item would show such a header; sections and structures are then those of
 * the surrogate. Its size is not told (RFC 6858 section 3), and the tagged response names it
 * (DOWNGRADED).
 */
#include "base/error.h"
#include "format/downgrade.h"
#include "format/surrogate.h"
#include "session/imap/fetch_priv.h"

int fetch_read(struct fetch_slice *slice, uint64_t offset, size_t size, struct buffer *bytes)
{
    const struct fetch_surrogate *surrogate = &slice->work->surrogate;
    if (surrogate->active)
        return buffer_append(bytes, slice_sub(surrogate->bytes, (size_t)offset, size));
    return mailbox_message(slice->snapshot, &slice->work->entry, offset, size, bytes);
}

void fetch_surrogate_release(struct fetch_work *work)
{
    if (!work->surrogate.active)
        return;
    spool_release(&work->surrogate.spool);
    buffer_release(&work->surrogate.summary);
    work->surrogate.active = false;
}

/* --- making it --- */

static int read_message(void *arg, uint64_t offset, size_t size, struct buffer *bytes)
{
    const struct fetch_slice *slice = arg;
    return mailbox_message(slice->snapshot, &slice->work->entry, offset, size, bytes);
}

static struct surrogate_source source_of(struct fetch_slice *slice)
{
    return (struct surrogate_source){&slice->summary, read_message, slice};
}

static int spool_all(struct fetch_slice *slice)
{
    struct fetch_work *work = slice->work;
    const struct surrogate_source source = source_of(slice);
    struct surrogate surrogate;
    struct buffer piece;
    int error;
    surrogate_init(&surrogate, slice->session->stream->spool_directory, SESSION_APPEND_MEMORY);
    buffer_init(&piece, SESSION_PIECE);
    do {
        buffer_clear(&piece);
        error = surrogate_next(&surrogate, &source, SESSION_PIECE, &piece);
        if (!error)
            error = spool_append(&work->surrogate.spool, buffer_slice(&piece));
    } while (!error && piece.size);
    buffer_release(&piece);
    surrogate_release(&surrogate);
    return error;
}

static int summarise(struct fetch_surrogate *surrogate)
{
    struct arena scratch;
    arena_init(&scratch, SUMMARY_MEMORY_MAXIMUM);
    int error = spool_view(&surrogate->spool, &surrogate->bytes);
    if (!error)
        error = summary_build(surrogate->bytes, &scratch, &surrogate->summary);
    arena_release(&scratch);
    return error;
}

static int make(struct fetch_slice *slice)
{
    struct fetch_work *work = slice->work;
    const struct stream *stream = slice->session->stream;
    work->surrogate = (struct fetch_surrogate){0};
    spool_init(&work->surrogate.spool, stream->spool_directory, SESSION_APPEND_MEMORY,
               2 * slice->summary.size + SURROGATE_DOWNGRADED_MAXIMUM);
    buffer_init(&work->surrogate.summary, SUMMARY_SIZE_MAXIMUM);
    int error = spool_all(slice);
    if (!error)
        error = summarise(&work->surrogate);
    if (!error)
        error = range_set_add(&work->downgraded, work->entry.uid, work->entry.uid);
    work->surrogate.active = true;
    if (error) {
        fetch_surrogate_release(work);
        return error;
    }
    slice->has_summary = false;
    return fetch_load_summary(slice);
}

int fetch_surrogate_for_range(struct fetch_slice *slice, uint64_t offset, uint64_t size)
{
    const struct surrogate_source source = source_of(slice);
    bool needed;
    if (session_takes_utf8(slice->session) || slice->work->surrogate.active)
        return 0;
    int error = surrogate_is_needed(&source, offset, size, &needed);
    return error || !needed ? error : make(slice);
}

int fetch_surrogate_for_text(struct fetch_slice *slice, struct slice text)
{
    if (session_takes_utf8(slice->session) || slice->work->surrogate.active ||
        downgrade_is_ascii(text))
        return 0;
    return make(slice);
}
