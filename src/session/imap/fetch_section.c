/*
 * BODY[section]<partial> (RFC 9051 sections 6.4.5.1 and 7.5.2): which bytes of the message a
 * section is, from the summary's offsets; only these are read.
 */
#include "base/error.h"
#include "format/downgrade.h"
#include "format/surrogate.h"
#include "session/imap/fetch_priv.h"

/* The part whose header and body a section's HEADER and TEXT mean: the message itself, or the one
 * inside a message/rfc822 part. */
static int find_message(const struct summary *summary, const struct imap_fetch_item *item,
                        struct summary_part *part)
{
    size_t index;
    int error = summary_part_find(summary, item->numbers, item->number_count, &index);
    if (!error)
        error = summary_part_at(summary, index, part);
    if (error || item->number_count == 0)
        return error;
    if (part->kind != SUMMARY_PART_MESSAGE)
        return ERROR_NOT_FOUND;
    /* In document order the child follows; a message that was too deep to be parsed has none. */
    struct summary_part child;
    error = summary_part_at(summary, index + 1, &child);
    if (!error && child.parent != index)
        error = ERROR_NOT_FOUND;
    if (!error)
        *part = child;
    return error;
}

static int find_part(const struct summary *summary, const struct imap_fetch_item *item,
                     struct summary_part *part)
{
    size_t index;
    int error = summary_part_find(summary, item->numbers, item->number_count, &index);
    return error ? error : summary_part_at(summary, index, part);
}

int section_locate(const struct summary *summary, const struct imap_fetch_item *item,
                   uint64_t *offset, uint64_t *size)
{
    struct summary_part part;
    bool whole_part = item->text == IMAP_SECTION_ALL || item->text == IMAP_SECTION_MIME;
    if (item->text == IMAP_SECTION_ALL && item->number_count == 0) {
        *offset = 0;
        *size = summary->size;
        return 0;
    }
    int error = whole_part ? find_part(summary, item, &part) : find_message(summary, item, &part);
    if (error)
        return error;
    bool body = item->text == IMAP_SECTION_ALL || item->text == IMAP_SECTION_TEXT;
    *offset = body ? part.body_offset : part.header_offset;
    *size = body ? part.body_size : part.header_size;
    return 0;
}

static bool is_listed(const struct imap_fetch_item *item, struct slice name)
{
    for (size_t i = 0; i < item->field_count; i++)
        if (slice_equal_nocase(item->fields[i], name))
            return true;
    return false;
}

void section_filter_header(struct slice header, const struct imap_fetch_item *item,
                           struct buffer *filtered)
{
    bool wanted = item->text == IMAP_SECTION_HEADER_FIELDS;
    struct header_field field;
    while (header_field_next(&header, &field))
        if (is_listed(item, field.name) == wanted && field.name.size)
            buffer_append(filtered, field.whole);
    buffer_append(filtered, SLICE("\r\n"));
}

void section_apply_partial(const struct imap_fetch_item *item, uint64_t *offset, uint64_t *size)
{
    if (!item->partial)
        return;
    uint64_t skipped = item->partial_offset < *size ? item->partial_offset : *size;
    *offset += skipped;
    *size -= skipped;
    if (*size > item->partial_size)
        *size = item->partial_size;
}

void section_write_label(struct buffer *out, const struct imap_fetch_item *item)
{
    buffer_append(out, item->label);
    if (item->partial) {
        buffer_append_byte(out, '<');
        buffer_append_number(out, item->partial_offset);
        buffer_append_byte(out, '>');
    }
    buffer_append_byte(out, ' ');
}

void section_write_nil(struct fetch_slice *slice, int error)
{
    buffer_append(slice->session->out, SLICE("NIL"));
    if (error != ERROR_NOT_FOUND)
        slice->work->failed = error;
}

static void write_filtered(struct fetch_slice *slice, const struct imap_fetch_item *item)
{
    uint64_t from = 0, size = slice->filtered.size;
    section_apply_partial(item, &from, &size);
    imap_write_literal_head(slice->session->out, size);
    buffer_append(slice->session->out,
                  slice_sub(buffer_slice(&slice->filtered), (size_t)from, (size_t)size));
}

static void write_fields(struct fetch_slice *slice, const struct imap_fetch_item *item,
                         uint64_t offset, uint64_t size)
{
    buffer_clear(&slice->header);
    buffer_clear(&slice->filtered);
    if (size > SESSION_HEADER_MAXIMUM)
        size = SESSION_HEADER_MAXIMUM;
    int error = fetch_read(slice, offset, (size_t)size, &slice->header);
    if (!error) {
        section_filter_header(buffer_slice(&slice->header), item, &slice->filtered);
        error = buffer_error(&slice->filtered);
    }
    if (error)
        section_write_nil(slice, error == ERROR_NOT_FOUND ? ERROR_CORRUPT : error);
    else
        write_filtered(slice, item);
}

/* The message's own fields, when the summary has them as they stand: the message is not read then.
 * They are ASCII, so its surrogate would have the same. False: it has not. */
static bool write_known_fields(struct fetch_slice *slice, const struct imap_fetch_item *item)
{
    enum summary_header wanted[SUMMARY_HEADER_COUNT];
    if (item->text != IMAP_SECTION_HEADER_FIELDS || item->number_count ||
        item->field_count > SUMMARY_HEADER_COUNT)
        return false;
    for (size_t i = 0; i < item->field_count; i++) {
        int header = summary_header_find(item->fields[i]);
        if (header < 0)
            return false;
        wanted[i] = (enum summary_header)header;
    }
    buffer_clear(&slice->filtered);
    if (summary_fields(&slice->summary, wanted, item->field_count, &slice->filtered) ||
        buffer_append(&slice->filtered, SLICE("\r\n")))
        return false;
    write_filtered(slice, item);
    return true;
}

int section_continue(struct fetch_slice *slice)
{
    struct fetch_work *work = slice->work;
    struct buffer *out = slice->session->out;
    size_t piece = work->left < SESSION_PIECE ? (size_t)work->left : SESSION_PIECE;
    size_t before = out->size;
    int error = piece ? fetch_read(slice, work->offset, piece, out) : 0;
    if (!error && out->size - before != piece)
        error = ERROR_CORRUPT; /* the message is shorter than its summary says */
    if (error)
        return error;
    work->offset += piece;
    work->left -= piece;
    work->in_literal = work->left != 0;
    return 0;
}

/* The first piece is read before anything of the literal is kept, so that a message that cannot be
 * read costs NIL, not the session. */
static void write_range(struct fetch_slice *slice, uint64_t offset, uint64_t size)
{
    struct fetch_work *work = slice->work;
    struct buffer *out = slice->session->out;
    size_t before = out->size;
    imap_write_literal_head(out, size);
    work->offset = offset;
    work->left = size;
    int error = section_continue(slice);
    if (!error)
        return;
    buffer_truncate(out, before);
    section_write_nil(slice, error == ERROR_NOT_FOUND ? ERROR_CORRUPT : error);
    work->left = 0;
    work->in_literal = false;
}

/* In what the client is shown. */
static int locate_shown(struct fetch_slice *slice, const struct imap_fetch_item *item,
                        uint64_t *offset, uint64_t *size)
{
    int error = section_locate(&slice->summary, item, offset, size);
    if (!error)
        error = fetch_surrogate_for_range(slice, *offset, *size);
    return error ? error : section_locate(&slice->summary, item, offset, size);
}

static int read_written(void *arg, uint64_t offset, size_t size, struct buffer *bytes)
{
    return buffer_append(bytes, slice_sub(*(struct slice *)arg, (size_t)offset, size));
}

/* Whether the client may be shown the message, of which these are all bytes, as it is. What is
 * ASCII needs no look at what of it is a header. */
static bool is_shown_as_it_is(struct fetch_slice *slice, struct slice message)
{
    const struct surrogate_source source = {&slice->summary, read_written, &message};
    bool needed = false;
    if (session_takes_utf8(slice->session) || downgrade_is_ascii(message))
        return true;
    return !fetch_load_summary(slice) && !surrogate_is_needed(&source, 0, message.size, &needed) &&
           !needed;
}

/* A small message as a whole goes where it is sent from, without its summary. False: nothing is
 * written, as it needs a surrogate, or cannot be read. */
static bool write_message(struct fetch_slice *slice, const struct imap_fetch_item *item)
{
    const struct entry *entry = &slice->work->entry;
    struct buffer *out = slice->session->out;
    size_t before = out->size;
    if (item->text != IMAP_SECTION_ALL || item->number_count || item->partial ||
        entry->size > SESSION_PIECE || slice->work->surrogate.active)
        return false;
    imap_write_literal_head(out, entry->size);
    size_t begin = out->size;
    int error = mailbox_message(slice->snapshot, entry, 0, (size_t)entry->size, out);
    if (!error && out->size - begin == entry->size &&
        is_shown_as_it_is(slice, slice_make(out->data + begin, out->size - begin)))
        return true;
    buffer_truncate(out, before);
    return false;
}

void section_write(struct fetch_slice *slice, const struct imap_fetch_item *item)
{
    uint64_t offset, size;
    section_write_label(slice->session->out, item);
    if (write_message(slice, item))
        return;
    int error = fetch_load_summary(slice);
    if (!error && write_known_fields(slice, item))
        return;
    if (!error)
        error = locate_shown(slice, item, &offset, &size);
    if (error) {
        section_write_nil(slice, error);
        return;
    }
    if (item->text == IMAP_SECTION_HEADER_FIELDS || item->text == IMAP_SECTION_HEADER_FIELDS_NOT) {
        write_fields(slice, item, offset, size);
        return;
    }
    section_apply_partial(item, &offset, &size);
    write_range(slice, offset, size);
}
