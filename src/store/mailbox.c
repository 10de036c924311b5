#include "base/error.h"
#include "store/mailbox_priv.h"

#include <stdlib.h>

/* --- opening --- */

void mailbox_init(struct kv_transaction *transaction, collection_id id, struct mailbox *mailbox)
{
    *mailbox = (struct mailbox){.transaction = transaction, .id = id};
    buffer_init(&mailbox->record_bytes, KV_VALUE_MAXIMUM);
    buffer_init(&mailbox->name_bytes, KV_VALUE_MAXIMUM);
    buffer_init(&mailbox->tail, PAGE_VALUE_MAXIMUM);
}

int mailbox_open(struct kv_transaction *transaction, collection_id id, struct mailbox *mailbox)
{
    mailbox_init(transaction, id, mailbox);
    int error = collection_read(transaction, id, &mailbox->record_bytes, &mailbox->record);
    if (error)
        mailbox_release(mailbox);
    return error;
}

void mailbox_release(struct mailbox *mailbox)
{
    buffer_release(&mailbox->record_bytes);
    buffer_release(&mailbox->name_bytes);
    buffer_release(&mailbox->tail);
    free(mailbox->pages);
    mailbox->pages = NULL;
}

/* --- the page directory --- */

static int reserve_pages(struct mailbox *mailbox, size_t count)
{
    if (count <= mailbox->capacity)
        return 0;
    struct page_header *pages = reallocarray(mailbox->pages, count, sizeof(*pages));
    if (!pages)
        return ERROR_MEMORY;
    mailbox->pages = pages;
    mailbox->capacity = count;
    return 0;
}

static int decode_pages(struct mailbox *mailbox, struct slice value)
{
    const char *headers;
    size_t count = mailbox->record.pages;
    int error = page_directory_read(value, count, &headers);
    if (!error)
        error = reserve_pages(mailbox, count + 1);
    for (size_t i = 0; i < count && !error; i++)
        page_header_read(headers + i * PAGE_HEADER_SIZE, &mailbox->pages[i]);
    return error;
}

int mailbox_load_pages(struct mailbox *mailbox)
{
    int error = 0;
    if (!mailbox->pages_loaded && mailbox->record.pages) {
        struct key key;
        struct buffer value;
        buffer_init(&value, KV_VALUE_MAXIMUM);
        error = kv_get(mailbox->transaction, key_of_collection(&key, KEY_DIRECTORY, mailbox->id),
                       &value);
        error = error == ERROR_NOT_FOUND ? ERROR_CORRUPT : error;
        if (!error)
            error = decode_pages(mailbox, buffer_slice(&value));
        buffer_release(&value);
    }
    mailbox->pages_loaded = mailbox->pages_loaded || !error;
    return error;
}

static int write_directory(struct change *change, struct mailbox *mailbox)
{
    struct key key;
    struct slice name = key_of_collection(&key, KEY_DIRECTORY, mailbox->id);
    struct buffer *value = &change->value;
    if (!mailbox->record.pages)
        return change_delete(change, name);
    page_directory_begin(value);
    char *headers = buffer_reserve(value, mailbox->record.pages * (size_t)PAGE_HEADER_SIZE);
    if (headers) {
        for (size_t i = 0; i < mailbox->record.pages; i++)
            page_header_write(&mailbox->pages[i], headers + i * PAGE_HEADER_SIZE);
        buffer_commit(value, mailbox->record.pages * (size_t)PAGE_HEADER_SIZE);
    }
    return change_put(change, name, value);
}

size_t mailbox_page_from(struct mailbox *mailbox, uint32_t uid)
{
    size_t low = 0, high = mailbox_page_count(mailbox);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (mailbox_page(mailbox, middle)->last < uid)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* --- pages --- */

int mailbox_read_page(struct mailbox *mailbox, const struct page_header *header,
                      struct buffer *value)
{
    /* Entries that are being added are not in the space yet. */
    if (header == &mailbox->record.tail && mailbox->tail.size) {
        buffer_clear(value);
        return buffer_append(value, buffer_slice(&mailbox->tail));
    }
    struct key key;
    int error = value_get(mailbox->transaction, key_page(&key, mailbox->id, header->base), value);
    if (!error)
        error = page_value_read(buffer_slice(value), header->count);
    return error == ERROR_NOT_FOUND || error == ERROR_LIMIT ? ERROR_CORRUPT : error;
}

struct page_header mailbox_count_page(const struct buffer *value, uint32_t base)
{
    struct page_header header = {.base = base};
    size_t count = (value->size - PAGE_VALUE_HEADER) / ENTRY_SIZE;
    for (size_t i = 0; i < count; i++) {
        const char *entry = page_entry(value, i);
        uint32_t flags = entry_read_flags(entry);
        uint64_t modseq = entry_read_modseq(entry);
        header.unseen += !(flags & ENTRY_SEEN);
        header.deleted += (flags & ENTRY_DELETED) != 0;
        header.modseq = modseq > header.modseq ? modseq : header.modseq;
    }
    header.count = (uint16_t)count;
    if (count) {
        header.first = entry_read_uid(page_entry(value, 0));
        header.last = entry_read_uid(page_entry(value, count - 1));
    }
    return header;
}

int mailbox_write_page(struct change *change, struct mailbox *mailbox, struct page_header *header,
                       struct buffer *value)
{
    struct key key;
    struct slice name = key_page(&key, mailbox->id, header->base);
    struct page_header counted = mailbox_count_page(value, header->base);
    mailbox->record.messages += counted.count - header->count;
    mailbox->record.unseen += counted.unseen - header->unseen;
    mailbox->record.deleted += counted.deleted - header->deleted;
    mailbox->pages_changed = mailbox->pages_changed || header != &mailbox->record.tail;
    *header = counted;
    if (!counted.count)
        return change_delete(change, name);
    page_value_begin(value->data, counted.count);
    return change_put(change, name, value);
}

/* --- keywords --- */

int mailbox_load_names(struct mailbox *mailbox)
{
    int error = 0;
    if (!mailbox->names_loaded) {
        struct key key;
        error = value_get(mailbox->transaction, key_of_collection(&key, KEY_KEYWORDS, mailbox->id),
                          &mailbox->name_bytes);
        if (!error)
            error = keyword_names_read(buffer_slice(&mailbox->name_bytes), &mailbox->names);
        error = error == ERROR_NOT_FOUND ? 0 : error;
    }
    mailbox->names_loaded = mailbox->names_loaded || !error;
    return error;
}

int mailbox_keyword(struct mailbox *mailbox, struct slice name, bool add, unsigned *index)
{
    int error = mailbox_load_names(mailbox);
    if (error)
        return error;
    struct keyword_names *names = &mailbox->names;
    for (unsigned i = 0; i < names->count; i++) {
        if (slice_equal_nocase(names->names[i], name)) {
            *index = i;
            return 0;
        }
    }
    if (!add)
        return ERROR_NOT_FOUND;
    if (!name.size)
        return ERROR_SYNTAX;
    if (names->count == KEYWORDS_MAXIMUM || name.size > KEYWORD_NAME_MAXIMUM)
        return ERROR_LIMIT;
    *index = names->count;
    names->names[names->count++] = name;
    mailbox->names_changed = true;
    return 0;
}

/* --- adding --- */

int mailbox_flush(struct change *change, struct mailbox *mailbox)
{
    if (!mailbox->tail.size)
        return 0;
    struct key key;
    page_value_begin(mailbox->tail.data, mailbox->record.tail.count);
    int error =
        change_put(change, key_page(&key, mailbox->id, mailbox->record.tail.base), &mailbox->tail);
    buffer_clear(&mailbox->tail);
    return error;
}

/* The full last page goes to the directory. */
static int push_tail(struct change *change, struct mailbox *mailbox)
{
    struct collection_record *record = &mailbox->record;
    if (record->pages == MAILBOX_PAGES_MAXIMUM)
        return ERROR_LIMIT;
    int error = mailbox_load_pages(mailbox);
    if (!error)
        error = mailbox_flush(change, mailbox);
    if (!error && record->pages >= mailbox->capacity)
        error = reserve_pages(mailbox, record->pages + record->pages / 2 + 8);
    if (error)
        return error;
    mailbox->pages[record->pages++] = record->tail;
    mailbox->pages_changed = true;
    record->tail = (struct page_header){0};
    return 0;
}

/* Has the last page's value at hand, with room for one more entry. */
static int prepare_tail(struct change *change, struct mailbox *mailbox)
{
    struct page_header *tail = &mailbox->record.tail;
    if (tail->count == PAGE_ENTRIES) {
        int error = push_tail(change, mailbox);
        if (error)
            return error;
    }
    if (mailbox->tail.size)
        return 0;
    if (tail->count)
        return mailbox_read_page(mailbox, tail, &mailbox->tail);
    tail->base = mailbox->record.uid_next;
    tail->first = mailbox->record.uid_next;
    char head[PAGE_VALUE_HEADER] = {0};
    return buffer_append(&mailbox->tail, slice_make(head, sizeof(head)));
}

int mailbox_add(struct change *change, struct mailbox *mailbox, struct entry *entry)
{
    struct collection_record *record = &mailbox->record;
    struct page_header *tail = &record->tail;
    if (record->uid_next >= UINT32_MAX - 1)
        return ERROR_LIMIT;
    int error = prepare_tail(change, mailbox);
    if (error)
        return error;
    entry->uid = record->uid_next++;
    entry->modseq = entry->created_modseq = change->modseq;
    char bytes[ENTRY_SIZE];
    entry_write(entry, bytes);
    error = buffer_append(&mailbox->tail, slice_make(bytes, sizeof(bytes)));
    if (error)
        return error;
    bool unseen = !(entry->flags & ENTRY_SEEN), deleted = entry->flags & ENTRY_DELETED;
    tail->last = entry->uid;
    tail->modseq = change->modseq;
    tail->count++;
    tail->unseen += unseen;
    tail->deleted += deleted;
    record->messages++;
    record->unseen += unseen;
    record->deleted += deleted;
    record->size += entry->size;
    record->flags |= entry->internationalized ? COLLECTION_HAS_INTERNATIONALIZED : 0;
    change->account.entries++;
    change->account.entry_bytes += entry->size;
    return 0;
}

/* --- finishing --- */

static int write_names(struct change *change, struct mailbox *mailbox)
{
    struct key key;
    keyword_names_write(&mailbox->names, &change->value);
    return change_put(change, key_of_collection(&key, KEY_KEYWORDS, mailbox->id), &change->value);
}

int mailbox_finish(struct change *change, struct mailbox *mailbox)
{
    struct key key;
    int error = mailbox_flush(change, mailbox);
    if (!error && mailbox->pages_changed)
        error = write_directory(change, mailbox);
    if (!error && mailbox->names_changed)
        error = write_names(change, mailbox);
    if (error)
        return error;
    mailbox->record.highest_modseq = change->modseq;
    change->view->events |= mailbox_has_events(change, mailbox);
    collection_record_write(&mailbox->record, &change->value);
    return change_put(change, key_of_collection(&key, KEY_COLLECTION, mailbox->id), &change->value);
}
