#include "base/error.h"
#include "store/snapshot_priv.h"

#include <stdlib.h>

static int open_in(struct store_view *view, struct mailbox_snapshot *snapshot, collection_id id)
{
    uint32_t rights;
    int error = view_require(view, snapshot->transaction, id, RIGHT_READ);
    if (!error)
        error = rights_of(view, snapshot->transaction, id, &rights);
    if (!error)
        error = mailbox_open(snapshot->transaction, id, &snapshot->mailbox);
    if (error)
        return error;
    collection_from_record(view, id, &snapshot->mailbox.record, rights, &snapshot->collection);
    error = seen_load_view(view, snapshot->transaction, id, &snapshot->seen, &snapshot->own_seen);
    if (snapshot->own_seen)
        snapshot->collection.unseen = snapshot->collection.messages - snapshot->seen.seen;
    if (!error)
        error = mailbox_load_names(&snapshot->mailbox);
    if (error)
        mailbox_release(&snapshot->mailbox);
    return error;
}

int mailbox_snapshot_open(struct store_view *view, collection_id mailbox,
                          struct mailbox_snapshot **opened)
{
    struct mailbox_snapshot *snapshot = calloc(1, sizeof(*snapshot));
    if (!snapshot)
        return ERROR_MEMORY;
    snapshot->view = view;
    buffer_init(&snapshot->record, KV_VALUE_MAXIMUM);
    buffer_init(&snapshot->block, BODY_BLOCK);
    seen_init(&snapshot->seen);
    int error = view_read(view, &snapshot->transaction);
    if (!error) {
        error = open_in(view, snapshot, mailbox);
        if (error)
            view_read_end(snapshot->view, &snapshot->transaction);
    }
    if (error) {
        seen_release(&snapshot->seen);
        free(snapshot);
    } else {
        *opened = snapshot;
    }
    return error;
}

void mailbox_snapshot_close(struct mailbox_snapshot **closed)
{
    struct mailbox_snapshot *snapshot = *closed;
    if (!snapshot)
        return;
    messages_stop_ahead(&snapshot->summaries);
    messages_stop_ahead(&snapshot->records);
    buffer_release(&snapshot->record);
    blob_let_go(&snapshot->kept);
    buffer_release(&snapshot->block);
    mailbox_release(&snapshot->mailbox);
    seen_release(&snapshot->seen);
    view_read_end(snapshot->view, &snapshot->transaction);
    free(snapshot);
    *closed = NULL;
}

const struct collection *mailbox_snapshot_collection(const struct mailbox_snapshot *snapshot)
{
    return &snapshot->collection;
}

const struct keyword_names *mailbox_snapshot_keywords(const struct mailbox_snapshot *snapshot)
{
    return &snapshot->mailbox.names;
}

/* --- questions the directory answers, alone or nearly --- */

static int add_uids_of_page(const struct buffer *page, size_t count, struct range_set *uids)
{
    int error = 0;
    for (size_t i = 0; i < count && !error;) {
        uint32_t first = entry_read_uid(page_entry(page, i)), last = first;
        while (++i < count && entry_read_uid(page_entry(page, i)) == last + 1)
            last++;
        error = range_set_add(uids, first, last);
    }
    return error;
}

int mailbox_uids(struct mailbox_snapshot *snapshot, struct range_set *uids)
{
    struct mailbox *mailbox = &snapshot->mailbox;
    struct buffer page;
    range_set_clear(uids);
    buffer_init(&page, PAGE_VALUE_MAXIMUM);
    int error = mailbox_load_pages(mailbox);
    for (size_t i = 0; i < mailbox_page_count(mailbox) && !error; i++) {
        const struct page_header *header = mailbox_page(mailbox, i);
        if (header->last - header->first + 1 == header->count) {
            error = range_set_add(uids, header->first, header->last);
            continue;
        }
        error = mailbox_read_page(mailbox, header, &page);
        if (!error)
            error = add_uids_of_page(&page, header->count, uids);
    }
    buffer_release(&page);
    return error == ERROR_INVALID ? ERROR_CORRUPT : error;
}

/* 0: all of the page are seen. */
static int first_unseen_of_page(struct mailbox_snapshot *snapshot, const struct page_header *header,
                                struct buffer *page, uint32_t *uid)
{
    int error = mailbox_read_page(&snapshot->mailbox, header, page);
    *uid = 0;
    for (size_t i = 0; !error && !*uid && i < header->count; i++) {
        struct entry entry;
        entry_read(page_entry(page, i), &entry);
        if (snapshot->own_seen)
            seen_apply(&snapshot->seen, &entry);
        if (!(entry.flags & ENTRY_SEEN))
            *uid = entry.uid;
    }
    return error;
}

int mailbox_first_unseen(struct mailbox_snapshot *snapshot, uint32_t *uid)
{
    struct mailbox *mailbox = &snapshot->mailbox;
    struct buffer page;
    uint32_t found = 0;
    int error = snapshot->collection.unseen ? mailbox_load_pages(mailbox) : 0;
    if (error)
        return error;
    size_t count = snapshot->collection.unseen ? mailbox_page_count(mailbox) : 0;
    buffer_init(&page, PAGE_VALUE_MAXIMUM);
    for (size_t i = 0; i < count && !found && !error; i++) {
        const struct page_header *header = mailbox_page(mailbox, i);
        if (!page_is_seen(snapshot, header))
            error = first_unseen_of_page(snapshot, header, &page, &found);
    }
    buffer_release(&page);
    if (!error)
        *uid = found;
    return error;
}

int mailbox_vanished(struct mailbox_snapshot *snapshot, uint64_t since, struct range_set *uids)
{
    struct mailbox *mailbox = &snapshot->mailbox;
    if (since < mailbox->record.vanished_modseq)
        return ERROR_CANNOT_CALCULATE;
    range_set_clear(uids);
    if (since >= mailbox->record.highest_modseq)
        return 0;
    struct key prefix, after;
    struct kv_cursor *cursor;
    /* Behind every record of `since`: the next modseq's begin with this and go on. */
    struct slice start = key_numbers(&after, KEY_VANISHED, 2, (uint64_t[]){mailbox->id, since + 1});
    int error =
        kv_cursor_open(snapshot->transaction, key_of_collection(&prefix, KEY_VANISHED, mailbox->id),
                       start, &cursor);
    if (error)
        return error;
    struct slice key, value;
    while (!(error = kv_cursor_next(cursor, &key, &value))) {
        error = vanished_record_read(value, uids);
        if (error)
            break;
    }
    kv_cursor_close(&cursor);
    return error == ERROR_NOT_FOUND ? 0 : error;
}
