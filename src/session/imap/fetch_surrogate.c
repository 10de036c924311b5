/*
 * Surrogates of messages with headers in UTF-8, for who has enabled neither UTF8=ACCEPT nor
 * IMAP4rev2 (RFC 9755 sections 8 and 9): the simplified downgrading of RFC 6858. The surrogate is a
 * whole message, made when an item would show such a header; sections and structures are then those
 * of the surrogate. Its size is not told (RFC 6858 section 3), and the tagged response names it
 * (DOWNGRADED).
 */
#include "base/error.h"
#include "format/downgrade.h"
#include "session/imap/fetch_priv.h"

/* Bytes of the surrogate of one header, which may be many times as long. */
enum { SURROGATE_HEADER_MAXIMUM = 32 * 1024 * 1024 };

int fetch_read(struct fetch_slice *slice, uint64_t offset, size_t size, struct buffer *bytes)
{
    const struct fetch_surrogate *surrogate = &slice->work->surrogate;
    if (surrogate->active)
        return buffer_append(bytes, slice_sub(surrogate->bytes, (size_t)offset, size));
    return mailbox_message(slice->snapshot, &slice->work->entry, offset, size, bytes);
}

void surrogate_release(struct fetch_work *work)
{
    if (!work->surrogate.active)
        return;
    spool_release(&work->surrogate.spool);
    buffer_release(&work->surrogate.summary);
    work->surrogate.active = false;
}

/* --- whether there must be one --- */

/* A header beyond the limit is not looked at there, and not in the surrogate. */
static int read_header(struct fetch_slice *slice, const struct summary_part *part)
{
    size_t size = part->header_size < SESSION_HEADER_MAXIMUM ? (size_t)part->header_size
                                                             : SESSION_HEADER_MAXIMUM;
    buffer_clear(&slice->header);
    return mailbox_message(slice->snapshot, &slice->work->entry, part->header_offset, size,
                           &slice->header);
}

/* Whether the range has a header that is not ASCII. */
static int look(struct fetch_slice *slice, uint64_t offset, uint64_t size, bool *found)
{
    struct summary_part part;
    *found = false;
    for (size_t i = 0; i < slice->summary.part_count && !*found; i++) {
        int error = summary_part_at(&slice->summary, i, &part);
        if (error)
            return error;
        if (part.header_offset + part.header_size <= offset || !part.header_size ||
            part.header_offset >= offset + size)
            continue;
        error = read_header(slice, &part);
        if (error)
            return error;
        *found = !downgrade_is_ascii(buffer_slice(&slice->header));
    }
    return 0;
}

/* --- making it --- */

static int copy_range(struct fetch_slice *slice, uint64_t offset, uint64_t end)
{
    struct spool *spool = &slice->work->surrogate.spool;
    int error = 0;
    while (offset < end && !error) {
        size_t piece = end - offset < SESSION_PIECE ? (size_t)(end - offset) : SESSION_PIECE;
        buffer_clear(&slice->header);
        error =
            mailbox_message(slice->snapshot, &slice->work->entry, offset, piece, &slice->header);
        if (!error && slice->header.size != piece)
            error = ERROR_CORRUPT; /* the message is shorter than its summary says */
        if (!error)
            error = spool_append(spool, buffer_slice(&slice->header));
        offset += piece;
    }
    return error;
}

static int add_header(struct fetch_slice *slice, const struct summary_part *part)
{
    struct buffer downgraded;
    buffer_init(&downgraded, SURROGATE_HEADER_MAXIMUM);
    int error = read_header(slice, part);
    if (!error)
        error = downgrade_header(buffer_slice(&slice->header), &downgraded);
    if (!error)
        error = spool_append(&slice->work->surrogate.spool, buffer_slice(&downgraded));
    buffer_release(&downgraded);
    return error;
}

static int add_parts(struct fetch_slice *slice)
{
    struct summary_part part;
    uint64_t at = 0;
    int error = 0;
    for (size_t i = 0; i < slice->summary.part_count && !error; i++) {
        error = summary_part_at(&slice->summary, i, &part);
        if (error || part.header_offset < at || !part.header_size)
            continue;
        error = copy_range(slice, at, part.header_offset);
        if (!error)
            error = add_header(slice, &part);
        at = part.header_offset + part.header_size;
    }
    return error ? error : copy_range(slice, at, slice->summary.size);
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
               2 * slice->summary.size + SURROGATE_HEADER_MAXIMUM);
    buffer_init(&work->surrogate.summary, SUMMARY_SIZE_MAXIMUM);
    int error = add_parts(slice);
    if (!error)
        error = summarise(&work->surrogate);
    if (!error)
        error = range_set_add(&work->downgraded, work->entry.uid, work->entry.uid);
    work->surrogate.active = true;
    if (error) {
        surrogate_release(work);
        return error;
    }
    slice->has_summary = false;
    return fetch_load_summary(slice);
}

int surrogate_for_range(struct fetch_slice *slice, uint64_t offset, uint64_t size)
{
    bool found;
    if (session_takes_utf8(slice->session) || slice->work->surrogate.active)
        return 0;
    int error = look(slice, offset, size, &found);
    return error || !found ? error : make(slice);
}

int surrogate_for_text(struct fetch_slice *slice, struct slice text)
{
    if (session_takes_utf8(slice->session) || slice->work->surrogate.active ||
        downgrade_is_ascii(text))
        return 0;
    return make(slice);
}
