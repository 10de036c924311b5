#include "base/error.h"
#include "store/snapshot_priv.h"

void entry_cursor_init(struct entry_cursor *cursor, struct mailbox_snapshot *snapshot,
                       uint32_t from, uint64_t since)
{
    *cursor = (struct entry_cursor){.snapshot = snapshot,
                                    .next_uid = from ? from : 1,
                                    .since = since,
                                    .page = SIZE_MAX,
                                    .ahead_page = SIZE_MAX};
    buffer_init(&cursor->loaded, PAGE_VALUE_MAXIMUM);
}

void entry_cursor_pass(struct entry_cursor *cursor, uint32_t with, uint32_t without)
{
    cursor->with = with;
    cursor->without = without;
}

static void stop_ahead(struct entry_cursor *cursor)
{
    if (cursor->ahead)
        kv_cursor_close(&cursor->ahead);
    cursor->ahead = NULL;
}

void entry_cursor_release(struct entry_cursor *cursor)
{
    stop_ahead(cursor);
    buffer_release(&cursor->loaded);
}

void entry_cursor_skip_to(struct entry_cursor *cursor, uint32_t uid)
{
    if (uid > cursor->next_uid)
        cursor->next_uid = uid;
}

/* The index of the first entry of the page with a UID >= uid. */
static size_t find_entry(const struct buffer *page, size_t count, uint32_t uid)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (entry_read_uid(page_entry(page, middle)) < uid)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The page behind the one that was read last, by one step instead of a search. */
static int read_ahead(struct entry_cursor *cursor, const struct page_header *header)
{
    struct key key;
    struct slice found, value;
    int error = kv_cursor_next(cursor->ahead, &found, &value);
    if (error || !slice_equal(found, key_page(&key, cursor->snapshot->mailbox.id, header->base)))
        return error ? error : ERROR_CORRUPT;
    buffer_clear(&cursor->loaded);
    error = buffer_append(&cursor->loaded, value);
    if (!error)
        error = page_value_read(buffer_slice(&cursor->loaded), header->count);
    return error == ERROR_NOT_FOUND || error == ERROR_LIMIT ? ERROR_CORRUPT : error;
}

static int start_ahead(struct entry_cursor *cursor, const struct page_header *last)
{
    struct key prefix, after;
    struct mailbox *mailbox = &cursor->snapshot->mailbox;
    return kv_cursor_open(mailbox->transaction, key_of_collection(&prefix, KEY_PAGE, mailbox->id),
                          key_page(&after, mailbox->id, last->base), &cursor->ahead);
}

/* Pages read one behind the other are read as a range. */
static int read_page(struct entry_cursor *cursor, size_t page)
{
    struct mailbox *mailbox = &cursor->snapshot->mailbox;
    const struct page_header *header = mailbox_page(mailbox, page);
    bool next = cursor->ahead_page != SIZE_MAX && page == cursor->ahead_page + 1;
    int error = 0;
    if (!next)
        stop_ahead(cursor);
    else if (!cursor->ahead)
        error = start_ahead(cursor, mailbox_page(mailbox, page - 1));
    cursor->ahead_page = page;
    if (error)
        return error;
    return cursor->ahead ? read_ahead(cursor, header)
                         : mailbox_read_page(mailbox, header, &cursor->loaded);
}

static bool has_changed(const struct entry_cursor *cursor, const struct page_header *header)
{
    const struct mailbox_snapshot *snapshot = cursor->snapshot;
    return header->modseq > cursor->since ||
           (snapshot->own_seen &&
            seen_changed(&snapshot->seen, header->first, header->last, cursor->since));
}

/* Whether the page may have an entry with the flags and without the others. */
static bool may_have(const struct entry_cursor *cursor, const struct page_header *header)
{
    uint32_t with = cursor->with, without = cursor->without;
    bool has_seen = cursor->snapshot->own_seen || header->unseen < header->count;
    return !(without & ENTRY_SEEN && page_is_seen(cursor->snapshot, header)) &&
           !(with & ENTRY_SEEN && !has_seen) && !(with & ENTRY_DELETED && !header->deleted) &&
           !(without & ENTRY_DELETED && header->deleted == header->count);
}

static bool is_wanted(const struct entry_cursor *cursor, const struct page_header *header)
{
    return has_changed(cursor, header) && may_have(cursor, header);
}

/* Loads the page that has next_uid or what comes behind, past those that are not wanted. */
static int load_page(struct entry_cursor *cursor)
{
    struct mailbox *mailbox = &cursor->snapshot->mailbox;
    int error = mailbox_load_pages(mailbox);
    if (error)
        return error;
    size_t page = mailbox_page_from(mailbox, cursor->next_uid);
    size_t count = mailbox_page_count(mailbox);
    while (page < count && !is_wanted(cursor, mailbox_page(mailbox, page)))
        page++;
    if (page == count)
        return ERROR_NOT_FOUND;
    const struct page_header *header = mailbox_page(mailbox, page);
    cursor->page = SIZE_MAX;
    error = read_page(cursor, page);
    if (error)
        return error;
    cursor->page = page;
    cursor->index = find_entry(&cursor->loaded, header->count, cursor->next_uid);
    return 0;
}

int entry_cursor_next(struct entry_cursor *cursor, struct entry *entry)
{
    struct mailbox *mailbox = &cursor->snapshot->mailbox;
    for (;;) {
        if (cursor->page == SIZE_MAX ||
            cursor->next_uid > mailbox_page(mailbox, cursor->page)->last) {
            int error = load_page(cursor);
            if (error)
                return error;
        }
        size_t count = mailbox_page(mailbox, cursor->page)->count;
        while (cursor->index < count) {
            const char *bytes = page_entry(&cursor->loaded, cursor->index++);
            uint32_t uid = entry_read_uid(bytes);
            if (uid < cursor->next_uid)
                continue;
            entry_read(bytes, entry);
            if (cursor->snapshot->own_seen)
                seen_apply(&cursor->snapshot->seen, entry);
            cursor->next_uid = uid + 1;
            if (entry->modseq > cursor->since)
                return 0;
        }
        uint32_t last = mailbox_page(mailbox, cursor->page)->last;
        if (cursor->next_uid <= last)
            return ERROR_CORRUPT;
    }
}
