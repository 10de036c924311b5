#include "session/imap/url_part_priv.h"

#include "base/error.h"
#include "session/imap/fetch_priv.h"

static int find_entry(struct mailbox_snapshot *snapshot, const struct imap_url *url,
                      struct entry *entry)
{
    struct entry_cursor cursor;
    if (url->uid_validity &&
        url->uid_validity != mailbox_snapshot_collection(snapshot)->uid_validity)
        return ERROR_NOT_FOUND;
    entry_cursor_init(&cursor, snapshot, url->uid, 0);
    int error = entry_cursor_next(&cursor, entry);
    entry_cursor_release(&cursor);
    return !error && entry->uid != url->uid ? ERROR_NOT_FOUND : error;
}

/* What the bytes are: the part's MIME header, or of TEXT its message's. */
static int find_header(const struct summary *summary, const struct imap_fetch_item *section,
                       struct url_part *part)
{
    struct imap_fetch_item header = *section;
    struct summary_part found;
    size_t index;
    part->encoding = SUMMARY_ENCODING_IDENTITY;
    part->header_size = 0;
    if (section->text == IMAP_SECTION_TEXT)
        header.text = IMAP_SECTION_HEADER;
    else if (section->text == IMAP_SECTION_ALL && section->number_count)
        header.text = IMAP_SECTION_MIME;
    else
        return 0;
    int error = section_locate(summary, &header, &part->header_offset, &part->header_size);
    if (error || section->text == IMAP_SECTION_TEXT)
        return error;
    error = summary_part_find(summary, section->numbers, section->number_count, &index);
    if (!error)
        error = summary_part_at(summary, index, &found);
    if (!error && found.kind != SUMMARY_PART_MULTIPART && found.kind != SUMMARY_PART_MESSAGE)
        part->encoding = (enum summary_encoding)found.encoding;
    return error;
}

static int find_range(struct mailbox_snapshot *snapshot, const struct imap_url *url,
                      struct url_part *part)
{
    struct buffer encoded;
    struct summary summary;
    buffer_init(&encoded, SUMMARY_SIZE_MAXIMUM);
    int error = mailbox_summary(snapshot, &part->entry, &encoded, &summary);
    if (!error)
        error = section_locate(&summary, &url->section, &part->offset, &part->left);
    if (!error)
        error = find_header(&summary, &url->section, part);
    buffer_release(&encoded);
    return error;
}

/* What HEADER.FIELDS means lies nowhere in one piece. */
static int read_fields(struct mailbox_snapshot *snapshot, const struct imap_url *url,
                       struct arena *arena, struct url_part *part)
{
    struct buffer header, filtered;
    buffer_init(&header, SESSION_HEADER_MAXIMUM);
    buffer_init(&filtered, SESSION_HEADER_MAXIMUM + sizeof("\r\n"));
    size_t size = part->left < SESSION_HEADER_MAXIMUM ? (size_t)part->left : SESSION_HEADER_MAXIMUM;
    int error = mailbox_message(snapshot, &part->entry, part->offset, size, &header);
    if (!error) {
        section_filter_header(buffer_slice(&header), &url->section, &filtered);
        error = buffer_error(&filtered);
    }
    if (!error) {
        part->fields = arena_copy(arena, buffer_slice(&filtered));
        error = part->fields.data ? 0 : ERROR_LIMIT;
    }
    part->is_fields = true;
    part->offset = 0;
    part->left = part->fields.size;
    buffer_release(&header);
    buffer_release(&filtered);
    return error;
}

int url_part_find(struct mailbox_snapshot *snapshot, const struct imap_url *url,
                  struct arena *arena, struct url_part *part)
{
    enum imap_section_text text = url->section.text;
    part->is_fields = false; /* as that of the last URL may have been */
    int error = find_entry(snapshot, url, &part->entry);
    if (!error)
        error = find_range(snapshot, url, part);
    if (!error && (text == IMAP_SECTION_HEADER_FIELDS || text == IMAP_SECTION_HEADER_FIELDS_NOT))
        error = read_fields(snapshot, url, arena, part);
    if (!error)
        section_apply_partial(&url->section, &part->offset, &part->left);
    return error;
}

int url_part_read(struct mailbox_snapshot *snapshot, struct url_part *part, struct buffer *piece)
{
    size_t size = part->left < SESSION_PIECE ? (size_t)part->left : SESSION_PIECE;
    size_t before = piece->size;
    int error = part->is_fields
                    ? buffer_append(piece, slice_sub(part->fields, (size_t)part->offset, size))
                    : mailbox_message(snapshot, &part->entry, part->offset, size, piece);
    if (!error && piece->size - before != size)
        error = ERROR_CORRUPT; /* the message is shorter than its summary says */
    if (error)
        return error;
    part->offset += size;
    part->left -= size;
    return 0;
}
