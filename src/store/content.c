#include "base/error.h"
#include "blob/blob.h"
#include "store/snapshot_priv.h"

/* How far apart the numbers of two messages may be for what is kept of the ones between to be read
 * and passed over: a step is much cheaper than a search. */
enum {
    MESSAGE_GAP = 16,
    BODY_MAXIMUM = 1024 * 1024 * 1024, /* the configuration's largest message_size */
};

void entry_email_id(const struct entry *entry, char text[OBJECT_ID_MAXIMUM])
{
    snprintf(text, OBJECT_ID_MAXIMUM, "M%llx", (unsigned long long)entry->message);
}

/* --- what is kept of each message, in order --- */

void messages_stop_ahead(struct messages_ahead *ahead)
{
    if (ahead->cursor)
        kv_cursor_close(&ahead->cursor);
    ahead->cursor = NULL;
}

/* Goes on with the cursor up to the wanted one. */
static int read_ahead(struct messages_ahead *ahead, struct slice wanted, struct buffer *found)
{
    struct slice key, value;
    for (;;) {
        int error = kv_cursor_next(ahead->cursor, &key, &value);
        int order = error ? 0 : slice_compare(key, wanted);
        if (error || order > 0) {
            messages_stop_ahead(ahead);
            return error ? error : ERROR_NOT_FOUND;
        }
        if (order == 0)
            return buffer_append(found, value);
    }
}

static int start_ahead(const struct mailbox_snapshot *snapshot, struct messages_ahead *ahead,
                       enum key_family family, uint64_t number)
{
    struct key after;
    char prefix = (char)family;
    int error = kv_cursor_open(snapshot->transaction, slice_make(&prefix, 1),
                               key_of_message(&after, family, number - 1), &ahead->cursor);
    if (error)
        ahead->cursor = NULL;
    return error;
}

/* The value of this family. */
static int get_of_message(const struct mailbox_snapshot *snapshot, struct messages_ahead *ahead,
                          enum key_family family, uint64_t number, struct buffer *found)
{
    struct key key;
    struct slice wanted = key_of_message(&key, family, number);
    uint64_t last = ahead->last;
    bool near = last && number > last && number - last <= MESSAGE_GAP;
    int error = 0;
    ahead->last = number;
    buffer_clear(found);
    if (!near)
        messages_stop_ahead(ahead);
    else if (!ahead->cursor)
        error = start_ahead(snapshot, ahead, family, number);
    if (error)
        return error;
    return ahead->cursor ? read_ahead(ahead, wanted, found)
                         : kv_get(snapshot->transaction, wanted, found);
}

/* --- summaries --- */

/* Of another version: who reads cannot store, so somebody else has to. */
static int make_anew(struct mailbox_snapshot *snapshot, uint64_t number, struct buffer *encoded)
{
    struct buffer body;
    buffer_init(&body, SIZE_MAX - 1);
    int error = message_make_summary(snapshot->view, snapshot->transaction, number, &body, encoded);
    buffer_release(&body);
    account_mark_due(snapshot->view->account, ACCOUNT_OLD_SUMMARIES);
    return error;
}

int mailbox_summary(struct mailbox_snapshot *snapshot, const struct entry *entry,
                    struct buffer *encoded, struct summary *summary)
{
    int error =
        get_of_message(snapshot, &snapshot->summaries, KEY_SUMMARY, entry->message, encoded);
    if (!error && !summary_is_current(buffer_slice(encoded)))
        error = make_anew(snapshot, entry->message, encoded);
    if (!error)
        error = summary_parse(buffer_slice(encoded), summary);
    return error == ERROR_NOT_FOUND ? ERROR_CORRUPT : error;
}

/* --- bodies --- */

int message_read_body(const struct store_view *view, struct kv_transaction *transaction,
                      uint64_t number, const struct message_record *record, struct buffer *body)
{
    struct key key;
    buffer_clear(body);
    if (record->body == MESSAGE_INLINE)
        return kv_get(transaction, key_of_message(&key, KEY_BODY, number), body);
    if (record->size > BODY_MAXIMUM)
        return ERROR_CORRUPT;
    return blob_get(view->store->blob, view->account->space, record->blob, 0, (size_t)record->size,
                    body);
}

int message_make_summary(const struct store_view *view, struct kv_transaction *transaction,
                         uint64_t number, struct buffer *body, struct buffer *summary)
{
    struct key key;
    struct buffer value;
    struct arena scratch;
    struct message_record record;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    arena_init(&scratch, SUMMARY_MEMORY_MAXIMUM);
    buffer_clear(body);
    buffer_clear(summary);
    int error = kv_get(transaction, key_of_message(&key, KEY_MESSAGE, number), &value);
    if (!error)
        error = message_record_read(buffer_slice(&value), &record);
    if (!error)
        error = message_read_body(view, transaction, number, &record, body);
    if (!error)
        error = summary_build(buffer_slice(body), &scratch, summary);
    arena_release(&scratch);
    buffer_release(&value);
    return error;
}

/* ERROR_NOT_FOUND: it is in none. */
static int read_blob(struct mailbox_snapshot *snapshot, const struct entry *entry, uint64_t offset,
                     size_t size, struct buffer *bytes)
{
    struct buffer *value = &snapshot->record;
    struct message_record record = {0};
    int error = get_of_message(snapshot, &snapshot->records, KEY_MESSAGE, entry->message, value);
    if (!error)
        error = message_record_read(buffer_slice(value), &record);
    snapshot->settled = !error && record.body == MESSAGE_IN_BLOB;
    if (!snapshot->settled)
        return error ? error : ERROR_NOT_FOUND;
    const struct store_view *view = snapshot->view;
    error = blob_get_next(view->store->blob, view->account->space, &snapshot->kept, record.blob,
                          offset, size, bytes);
    return error == ERROR_NOT_FOUND ? ERROR_CORRUPT : error;
}

static int read_inline(struct mailbox_snapshot *snapshot, const struct entry *entry,
                       uint64_t offset, size_t size, struct buffer *bytes)
{
    struct key key;
    struct slice name = key_of_message(&key, KEY_BODY, entry->message);
    if (offset == 0 && size >= entry->size)
        return kv_get(snapshot->transaction, name, bytes);
    struct buffer value;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    int error = kv_get(snapshot->transaction, name, &value);
    if (!error)
        error = buffer_append(bytes, slice_sub(buffer_slice(&value), (size_t)offset, size));
    buffer_release(&value);
    return error;
}

static int read_bytes(struct mailbox_snapshot *snapshot, const struct entry *entry, uint64_t offset,
                      size_t size, struct buffer *bytes)
{
    int error = ERROR_NOT_FOUND;
    bool blob_first = snapshot->settled || entry->size > MESSAGE_INLINE_MAXIMUM;
    if (blob_first)
        error = read_blob(snapshot, entry, offset, size, bytes);
    if (error == ERROR_NOT_FOUND && entry->size <= MESSAGE_INLINE_MAXIMUM)
        error = read_inline(snapshot, entry, offset, size, bytes);
    if (error == ERROR_NOT_FOUND && !blob_first)
        error = read_blob(snapshot, entry, offset, size, bytes);
    return error == ERROR_NOT_FOUND ? ERROR_CORRUPT : error;
}

/* --- pieces of bodies --- */

/* The bytes of a block are compressed together, so that one of them takes as long as all: what is
 * asked for in pieces, such as a header and parts in turn, is read a block at a time. */
static bool is_at_hand(const struct mailbox_snapshot *snapshot, const struct entry *entry,
                       uint64_t start)
{
    return snapshot->block_message == entry->message && snapshot->block_start == start;
}

static int read_block(struct mailbox_snapshot *snapshot, const struct entry *entry, uint64_t start)
{
    if (is_at_hand(snapshot, entry, start))
        return 0;
    snapshot->block_message = 0;
    buffer_clear(&snapshot->block);
    int error = read_bytes(snapshot, entry, start, BODY_BLOCK, &snapshot->block);
    if (error)
        return error;
    snapshot->block_message = entry->message;
    snapshot->block_start = start;
    return 0;
}

/* Appends what the block has of the wanted bytes; *size becomes how many that are. */
static int append_of_block(struct mailbox_snapshot *snapshot, const struct entry *entry,
                           uint64_t offset, size_t *size, struct buffer *bytes)
{
    size_t skipped = offset % BODY_BLOCK;
    if (*size > BODY_BLOCK - skipped)
        *size = BODY_BLOCK - skipped;
    int error = read_block(snapshot, entry, offset - skipped);
    return error ? error
                 : buffer_append(bytes, slice_sub(buffer_slice(&snapshot->block), skipped, *size));
}

/* How many of the wanted bytes are whole blocks that are not at hand, from offset on: they are read
 * to where they are wanted. */
static size_t whole_blocks(const struct mailbox_snapshot *snapshot, const struct entry *entry,
                           uint64_t offset, size_t size)
{
    if (offset % BODY_BLOCK || is_at_hand(snapshot, entry, offset))
        return 0;
    return offset + size == entry->size ? size : size - size % BODY_BLOCK;
}

int mailbox_message(struct mailbox_snapshot *snapshot, const struct entry *entry, uint64_t offset,
                    size_t size, struct buffer *bytes)
{
    size_t before = bytes->size;
    uint64_t left = offset < entry->size ? entry->size - offset : 0;
    int error = 0;
    if (left > size)
        left = size;
    for (size_t piece; left > 0 && !error; offset += piece, left -= piece) {
        size_t whole = whole_blocks(snapshot, entry, offset, (size_t)left);
        piece = whole ? whole : (size_t)left;
        error = whole ? read_bytes(snapshot, entry, offset, whole, bytes)
                      : append_of_block(snapshot, entry, offset, &piece, bytes);
    }
    if (error)
        buffer_truncate(bytes, before);
    return error;
}
