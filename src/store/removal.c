#include "base/error.h"
#include "store/annotation_priv.h"
#include "store/seen_priv.h"
#include "store/snooze_priv.h"

struct remover {
    struct change *change;
    struct mailbox *mailbox;
    const struct removal *removal;
    struct range_walk walk;
    struct range_set *removed;
    struct buffer page;
    struct buffer other;    /* the second page when two are merged */
    struct buffer retained; /* entries that are not yet in a record */
};

/* --- what is retained --- */

static int write_retained(struct remover *remover)
{
    struct change *change = remover->change;
    struct buffer *entries = &remover->retained;
    struct key key;
    if (!entries->size)
        return buffer_error(entries);
    expunged_record_write(change->now, buffer_slice(entries), &change->value);
    int error = change_put(
        change,
        key_expunged(&key, remover->mailbox->id, change->modseq, entry_read_uid(entries->data)),
        &change->value);
    buffer_clear(entries);
    return error;
}

static int retain(struct remover *remover, const struct entry *entry, const char *bytes)
{
    struct change *change = remover->change;
    struct position from = {remover->mailbox->id, entry->uid};
    int error = message_place(change, entry->message, from, (struct position){0});
    if (!error)
        error = annotations_retain(change, remover->mailbox, entry->uid);
    if (!error)
        error = buffer_append(&remover->retained, slice_make(bytes, ENTRY_SIZE));
    if (!error && remover->retained.size == (size_t)RETAINED_ENTRIES * ENTRY_SIZE)
        error = write_retained(remover);
    account_retain(change, 1, entry->size);
    return error;
}

/* --- entries out of one page --- */

static bool is_meant(struct remover *remover, const struct entry *entry)
{
    return (!remover->removal->only_deleted || entry->flags & ENTRY_DELETED) &&
           range_walk_meets(&remover->walk, entry->uid, entry->uid);
}

static int remove_entry(struct remover *remover, const struct entry *entry, const char *bytes)
{
    struct change *change = remover->change;
    int error = range_set_add(remover->removed, entry->uid, entry->uid);
    remover->mailbox->record.size -= entry->size;
    if (!error && remover->removal->retain)
        return retain(remover, entry, bytes);
    change->account.entries--;
    change->account.entry_bytes -= entry->size;
    return error;
}

static int remove_from_page(struct remover *remover, struct page_header *header)
{
    struct buffer *page = &remover->page;
    struct entry entry;
    size_t kept = 0;
    int error = mailbox_read_page(remover->mailbox, header, page);
    for (size_t i = 0; i < header->count && !error; i++) {
        entry_read(page_entry(page, i), &entry);
        if (is_meant(remover, &entry))
            error = remove_entry(remover, &entry, page_entry(page, i));
        else if (kept++ != i)
            memcpy(page_entry(page, kept - 1), page_entry(page, i), ENTRY_SIZE);
    }
    if (error || kept == header->count)
        return error;
    buffer_truncate(page, PAGE_VALUE_HEADER + kept * ENTRY_SIZE);
    return mailbox_write_page(remover->change, remover->mailbox, header, page);
}

/* --- the directory afterwards --- */

/* Takes headers of empty pages out, and fills the tail's place from the directory. */
static void compact(struct mailbox *mailbox)
{
    struct collection_record *record = &mailbox->record;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < record->pages; i++)
        if (mailbox->pages[i].count)
            mailbox->pages[kept++] = mailbox->pages[i];
    if (!record->tail.count && kept)
        record->tail = mailbox->pages[--kept];
    mailbox->pages_changed = mailbox->pages_changed || kept != record->pages;
    record->pages = kept;
}

static int merge(struct remover *remover, struct page_header *left, struct page_header *right)
{
    struct mailbox *mailbox = remover->mailbox;
    int error = mailbox_read_page(mailbox, left, &remover->page);
    if (!error)
        error = mailbox_read_page(mailbox, right, &remover->other);
    if (error)
        return error;
    buffer_append(&remover->page,
                  slice_sub(buffer_slice(&remover->other), PAGE_VALUE_HEADER, SIZE_MAX));
    buffer_truncate(&remover->other, PAGE_VALUE_HEADER);
    error = buffer_error(&remover->page);
    if (!error)
        error = mailbox_write_page(remover->change, mailbox, right, &remover->other);
    if (!error)
        error = mailbox_write_page(remover->change, mailbox, left, &remover->page);
    return error;
}

static int merge_neighbours(struct remover *remover)
{
    struct mailbox *mailbox = remover->mailbox;
    size_t left = 0;
    int error = 0;
    for (size_t i = 1; i < mailbox_page_count(mailbox) && !error; i++) {
        struct page_header *a = mailbox_page(mailbox, left), *b = mailbox_page(mailbox, i);
        if (a->count + b->count > PAGE_MERGED)
            left = i;
        else
            error = merge(remover, a, b);
    }
    return error;
}

/* --- tombstones --- */

static int note_vanished(struct change *change, const struct mailbox *mailbox,
                         const struct range_set *removed)
{
    int error = 0;
    for (size_t at = 0; at < removed->count && !error; at += VANISHED_RANGES) {
        struct key key;
        size_t count = removed->count - at;
        count = count < VANISHED_RANGES ? count : VANISHED_RANGES;
        vanished_record_write(removed->ranges + at, count, &change->value);
        error = change_put(
            change, key_vanished(&key, mailbox->id, change->modseq, removed->ranges[at].first),
            &change->value);
    }
    return error;
}

static int remove_entries(struct remover *remover)
{
    struct mailbox *mailbox = remover->mailbox;
    int error = mailbox_flush(remover->change, mailbox);
    if (!error)
        error = mailbox_load_pages(mailbox);
    size_t count = mailbox_page_count(mailbox);
    for (size_t i = 0; i < count && !error; i++) {
        struct page_header *header = mailbox_page(mailbox, i);
        if ((!remover->removal->only_deleted || header->deleted) &&
            range_walk_meets(&remover->walk, header->first, header->last))
            error = remove_from_page(remover, header);
    }
    if (!error)
        error = write_retained(remover);
    if (!error && remover->removed->count) {
        compact(mailbox);
        error = merge_neighbours(remover);
        compact(mailbox);
    }
    return error;
}

int mailbox_remove(struct change *change, struct mailbox *mailbox, const struct removal *removal,
                   struct range_set *removed)
{
    struct remover remover = {.change = change,
                              .mailbox = mailbox,
                              .removal = removal,
                              .walk = {removal->uids, 0},
                              .removed = removed};
    buffer_init(&remover.page, PAGE_VALUE_MAXIMUM);
    buffer_init(&remover.other, PAGE_VALUE_MAXIMUM);
    buffer_init(&remover.retained, (size_t)RETAINED_ENTRIES * ENTRY_SIZE);
    int error = remove_entries(&remover);
    buffer_release(&remover.page);
    buffer_release(&remover.other);
    buffer_release(&remover.retained);
    if (!error)
        error = seen_removed(change, mailbox->id, removed);
    if (!error)
        error = snooze_removed(change, mailbox, removed);
    return error ? error : note_vanished(change, mailbox, removed);
}
