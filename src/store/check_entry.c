/*
 * Collections and their entries. The pages are the truth: headers, page directory and counters are
 * computed from them. Where the pages themselves are not as they must be (an entry out of order, a
 * page that cannot be read, too many pages that are nearly empty), all of the collection's are
 * written anew.
 */
#include "base/clock.h"
#include "base/error.h"
#include "store/check_priv.h"

#include <stdlib.h>

/* --- the tree --- */

static int compare_ids(const void *a, const void *b)
{
    collection_id left = ((const struct tree_node *)a)->id;
    collection_id right = ((const struct tree_node *)b)->id;
    return (left > right) - (left < right);
}

struct tree_node *check_find(struct check *check, uint64_t id)
{
    struct tree_node wanted = {.id = (collection_id)id};
    if (id > UINT32_MAX || !check->tree.count)
        return NULL;
    return bsearch(&wanted, check->tree.nodes, check->tree.count, sizeof(wanted), compare_ids);
}

const char *check_path(struct check *check, collection_id id)
{
    struct buffer path, whole;
    buffer_init(&path, COLLECTION_PATH_MAXIMUM);
    buffer_init(&whole, COLLECTION_PATH_MAXIMUM);
    const struct tree_node *node = check_find(check, id);
    for (size_t depth = 0; node && depth < COLLECTION_DEPTH_MAXIMUM; depth++) {
        buffer_clear(&whole);
        buffer_append(&whole, node->record.name);
        if (path.size)
            buffer_append_format(&whole, "/%.*s", (int)path.size, path.data);
        buffer_clear(&path);
        buffer_append(&path, buffer_slice(&whole));
        node = node->record.parent ? check_find(check, node->record.parent) : NULL;
    }
    if (!path.size)
        buffer_append_format(&path, "#%u", id);
    const char *text = arena_string(&check->arena, buffer_slice(&path));
    buffer_release(&path);
    buffer_release(&whole);
    return text ? text : "?";
}

/* Ids ascend as they are read; one that is rebuilt is put in its place. */
struct tree_node *check_add_collection(struct check *check, collection_id id,
                                       const struct collection_record *record)
{
    struct tree *tree = &check->tree;
    if (tree->count == check->tree_capacity) {
        size_t more = check->tree_capacity ? 2 * check->tree_capacity : 64;
        struct tree_node *nodes = arena_alloc_array(&check->arena, more, sizeof(*nodes));
        if (!nodes)
            return NULL;
        if (tree->count)
            memcpy(nodes, tree->nodes, tree->count * sizeof(*nodes));
        tree->nodes = nodes;
        check->tree_capacity = more;
    }
    struct tree_node *node = &tree->nodes[tree->count++];
    *node = (struct tree_node){.id = id, .record = *record};
    node->record.name = arena_copy(&check->arena, record->name);
    for (; node > tree->nodes && node[-1].id > node->id; node--) {
        struct tree_node other = node[-1];
        node[-1] = *node;
        *node = other;
    }
    return arena_failed(&check->arena) ? NULL : node;
}

static int load_collection(struct check *check, struct slice key, const uint64_t *numbers,
                           struct slice value)
{
    struct collection_record record;
    (void)key;
    if (!numbers || numbers[0] > UINT32_MAX || collection_record_read(value, &record))
        return 0;
    return check_add_collection(check, (collection_id)numbers[0], &record) ? 0 : ERROR_LIMIT;
}

int check_load_collections(struct check *check)
{
    return check_each(check, KEY_COLLECTION, 1, load_collection);
}

/* --- the pages of one collection --- */

struct pages {
    struct check *check;
    struct tree_node *node;
    struct deleted_record *deleted; /* where the record is of a deleted one; else NULL */
    struct collection_record right; /* what the record must be */
    struct buffer headers;          /* struct page_header, computed */
    struct buffer entries;          /* the entries that are good, as they are stored */
    uint32_t last;                  /* UID */
    unsigned keywords;              /* how many have a name */
    bool rewrite;
};

static const struct page_header *header_at(const struct pages *pages, size_t index)
{
    return (const struct page_header *)(const void *)pages->headers.data + index;
}

static size_t header_count(const struct pages *pages)
{
    return pages->headers.size / sizeof(struct page_header);
}

/* Takes away flags and keywords that there are none of. False when there are such. */
static bool has_known_bits(const struct pages *pages, struct entry *entry)
{
    struct entry known = *entry;
    known.flags &= ENTRY_FLAGS;
    for (unsigned i = pages->keywords; i < KEYWORDS_MAXIMUM; i++)
        known.keywords.bits[i / 64] &= ~(UINT64_C(1) << (i % 64));
    bool same = known.flags == entry->flags &&
                memcmp(&known.keywords, &entry->keywords, sizeof(known.keywords)) == 0;
    *entry = known;
    return same;
}

/* Whether the entry can stay; what is wrong with it alone is put right in it. */
static bool is_good(struct pages *pages, struct entry *entry, uint32_t base)
{
    struct check *check = pages->check;
    collection_id id = pages->node->id;
    if (entry->uid <= pages->last || entry->uid < base || entry->uid == UINT32_MAX) {
        check_wrong(check, "%s: UID %u is out of order", check_path(check, id), entry->uid);
        return false;
    }
    if (!check_has_message(check, entry->message)) {
        check_lost(check, "%s: UID %u: message %llu", check_path(check, id), entry->uid,
                   (unsigned long long)entry->message);
        return false;
    }
    uint32_t uid = entry->uid;
    if (!has_known_bits(pages, entry))
        pages->rewrite |= check_wrong(check, "%s: UID %u has unknown flags or keywords",
                                      check_path(check, id), uid);
    if (entry->created_modseq > entry->modseq) {
        pages->rewrite |=
            check_wrong(check, "%s: UID %u has a wrong modseq", check_path(check, id), uid);
        entry->modseq = entry->created_modseq;
    }
    return true;
}

static int take_entry(struct pages *pages, const struct entry *entry, struct page_header *header)
{
    struct check *check = pages->check;
    struct checked_entry found = {entry->message, pages->node->id, entry->uid};
    char bytes[ENTRY_SIZE];
    entry_write(entry, bytes);
    header->first = header->count ? header->first : entry->uid;
    header->last = pages->last = entry->uid;
    header->count++;
    header->unseen += !(entry->flags & ENTRY_SEEN);
    header->deleted += (entry->flags & ENTRY_DELETED) != 0;
    header->modseq = entry->modseq > header->modseq ? entry->modseq : header->modseq;
    pages->right.size += entry->size;
    pages->right.flags |= entry->internationalized ? COLLECTION_HAS_INTERNATIONALIZED : 0;
    if (pages->deleted) {
        check->entries_deleted++;
        check->retained++;
        check->retained_bytes += entry->size;
    } else {
        check->entry_bytes += entry->size;
    }
    buffer_append(&pages->entries, slice_make(bytes, ENTRY_SIZE));
    return buffer_append(&check->entries, slice_make(&found, sizeof(found)));
}

static int take_page(struct pages *pages, uint32_t base, struct slice value)
{
    struct check *check = pages->check;
    size_t size = value.size > PAGE_VALUE_HEADER ? value.size - PAGE_VALUE_HEADER : 0;
    size_t count = size / ENTRY_SIZE;
    struct page_header header = {.base = base};
    if (!count || count > PAGE_ENTRIES || page_value_read(value, count)) {
        check_lost(check, "%s: the entries of page %u", check_path(check, pages->node->id), base);
        pages->rewrite = true;
        return 0;
    }
    int error = 0;
    for (size_t i = 0; i < count && !error; i++) {
        struct entry entry;
        entry_read(value.data + PAGE_VALUE_HEADER + i * ENTRY_SIZE, &entry);
        if (is_good(pages, &entry, base))
            error = take_entry(pages, &entry, &header);
        else
            pages->rewrite = true;
    }
    if (!error && header.count)
        error = buffer_append(&pages->headers, slice_make(&header, sizeof(header)));
    return error;
}

static int read_pages(struct pages *pages)
{
    struct key key;
    struct kv_cursor *cursor;
    struct slice found, value;
    int error =
        kv_cursor_open(pages->check->transaction,
                       key_of_collection(&key, KEY_PAGE, pages->node->id), SLICE(""), &cursor);
    if (error)
        return error;
    while (!(error = kv_cursor_next(cursor, &found, &value))) {
        uint64_t base;
        struct slice rest = slice_sub(found, key.size, SIZE_MAX);
        if (key_read_number(&rest, &base) || rest.size || base > UINT32_MAX)
            pages->rewrite = true;
        else
            error = take_page(pages, (uint32_t)base, value);
        if (error)
            break;
    }
    kv_cursor_close(&cursor);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

/* --- what the record must say --- */

static void count_pages(struct pages *pages)
{
    struct collection_record *right = &pages->right;
    size_t count = header_count(pages);
    right->messages = right->unseen = right->deleted = 0;
    right->pages = count ? (uint32_t)count - 1 : 0;
    right->tail = count ? *header_at(pages, count - 1) : (struct page_header){0};
    for (size_t i = 0; i < count; i++) {
        const struct page_header *header = header_at(pages, i);
        right->messages += header->count;
        right->unseen += header->unseen;
        right->deleted += header->deleted;
        if (right->highest_modseq < header->modseq)
            right->highest_modseq = header->modseq;
        if (i && header[-1].count + header->count <= PAGE_MERGED)
            pages->rewrite = true;
    }
    if (right->uid_next <= pages->last)
        right->uid_next = pages->last + 1;
}

static bool headers_equal(const struct page_header *a, const struct page_header *b)
{
    if (!a->count && !b->count)
        return true; /* no page; the rest means nothing */
    return a->base == b->base && a->first == b->first && a->last == b->last &&
           a->count == b->count && a->unseen == b->unseen && a->deleted == b->deleted &&
           a->modseq == b->modseq;
}

/* Whether the page directory says what the pages say. */
static int directory_is_right(struct pages *pages, bool *right)
{
    struct key key;
    struct check *check = pages->check;
    size_t count = pages->right.pages;
    const char *headers;
    int error = value_get(check->transaction,
                          key_of_collection(&key, KEY_DIRECTORY, pages->node->id), &check->value);
    *right = error == ERROR_NOT_FOUND && count == 0;
    if (error)
        return error == ERROR_NOT_FOUND ? 0 : error;
    if (!count || page_directory_read(buffer_slice(&check->value), count, &headers))
        return 0;
    *right = true;
    for (size_t i = 0; i < count && *right; i++) {
        struct page_header header;
        page_header_read(headers + i * PAGE_HEADER_SIZE, &header);
        *right = headers_equal(&header, header_at(pages, i));
    }
    return 0;
}

static int compare(struct pages *pages, bool *write)
{
    struct check *check = pages->check;
    const struct collection_record *found = &pages->node->record, *right = &pages->right;
    const char *path = check_path(check, pages->node->id);
    bool directory;
    int error = directory_is_right(pages, &directory);
    if (error)
        return error;
    *write = false;
    if (!directory || found->pages != right->pages || !headers_equal(&found->tail, &right->tail))
        *write |= check_wrong(check, "%s: the page directory is wrong", path);
    if (found->messages != right->messages || found->unseen != right->unseen ||
        found->deleted != right->deleted || found->size != right->size)
        *write |= check_wrong(check, "%s: its counters are wrong", path);
    if (found->uid_next != right->uid_next || found->highest_modseq != right->highest_modseq)
        *write |= check_wrong(check, "%s: UIDNEXT or HIGHESTMODSEQ is too small", path);
    if (found->flags != right->flags)
        *write |= check_wrong(check, "%s: it does not say what kinds of messages it has", path);
    return 0;
}

/* --- writing --- */

/* All entries in full pages. UIDs stay; those that had more pages than needed get fewer. */
static int rewrite_pages(struct pages *pages)
{
    struct key key;
    struct check *check = pages->check;
    struct buffer page;
    int error =
        change_delete_all(check->change, key_of_collection(&key, KEY_PAGE, pages->node->id));
    buffer_clear(&pages->headers);
    buffer_init(&page, PAGE_VALUE_MAXIMUM);
    for (size_t at = 0; at < pages->entries.size && !error; at += PAGE_ENTRIES * ENTRY_SIZE) {
        struct slice entries =
            slice_sub(buffer_slice(&pages->entries), at, PAGE_ENTRIES * ENTRY_SIZE);
        struct page_header header = {.base = entry_read_uid(entries.data)};
        buffer_clear(&page);
        buffer_reserve(&page, PAGE_VALUE_HEADER);
        buffer_commit(&page, PAGE_VALUE_HEADER);
        page_value_begin(page.data, entries.size / ENTRY_SIZE);
        buffer_append(&page, entries);
        header = mailbox_count_page(&page, header.base);
        error = change_put(check->change, key_page(&key, pages->node->id, header.base), &page);
        if (!error)
            error = buffer_append(&pages->headers, slice_make(&header, sizeof(header)));
    }
    buffer_release(&page);
    return error;
}

static int write_directory(struct pages *pages)
{
    struct key key;
    struct check *check = pages->check;
    struct slice name = key_of_collection(&key, KEY_DIRECTORY, pages->node->id);
    if (!pages->right.pages)
        return change_delete(check->change, name);
    page_directory_begin(&check->value);
    for (size_t i = 0; i < pages->right.pages; i++) {
        char bytes[PAGE_HEADER_SIZE];
        page_header_write(header_at(pages, i), bytes);
        buffer_append(&check->value, slice_make(bytes, sizeof(bytes)));
    }
    return change_put(check->change, name, &check->value);
}

static int write_collection(struct pages *pages)
{
    struct key key;
    struct check *check = pages->check;
    int error = pages->rewrite ? rewrite_pages(pages) : 0;
    count_pages(pages);
    if (!error)
        error = write_directory(pages);
    /* Whoever remembers the old state is told to look again. */
    if (pages->right.highest_modseq < check->change->modseq)
        pages->right.highest_modseq = check->change->modseq;
    pages->node->record = pages->right;
    if (pages->deleted && !error) {
        pages->deleted->record = pages->right;
        return deleted_put(check->change, pages->node->id, pages->deleted);
    }
    collection_record_write(&pages->right, &check->value);
    return error
               ? error
               : change_put(check->change, key_of_collection(&key, KEY_COLLECTION, pages->node->id),
                            &check->value);
}

static int count_keywords(struct pages *pages)
{
    struct key key;
    struct check *check = pages->check;
    struct keyword_names names;
    int error = value_get(check->transaction,
                          key_of_collection(&key, KEY_KEYWORDS, pages->node->id), &check->value);
    if (error)
        return error == ERROR_NOT_FOUND ? 0 : error;
    if (!keyword_names_read(buffer_slice(&check->value), &names)) {
        pages->keywords = names.count;
        return 0;
    }
    check_lost(check, "%s: the names of keywords", check_path(check, pages->node->id));
    return check->change ? change_delete(check->change,
                                         key_of_collection(&key, KEY_KEYWORDS, pages->node->id))
                         : 0;
}

static int check_pages(struct pages *pages)
{
    bool write;
    int error = count_keywords(pages);
    if (!error)
        error = read_pages(pages);
    /* Of one that is being purged the record says what there was. */
    if (error || (pages->deleted && pages->deleted->flags & DELETED_PURGING))
        return error;
    count_pages(pages);
    error = compare(pages, &write);
    if (!error && pages->rewrite && !write)
        write = check_wrong(pages->check, "%s: its pages are not as they must be",
                            check_path(pages->check, pages->node->id));
    struct check *check = pages->check;
    if (check->highest_modseq < pages->right.highest_modseq)
        check->highest_modseq = pages->right.highest_modseq;
    if (check->highest_uid_validity < pages->right.uid_validity)
        check->highest_uid_validity = pages->right.uid_validity;
    return !error && write ? write_collection(pages) : error;
}

int check_collection(struct check *check, struct tree_node *node, struct deleted_record *deleted)
{
    struct pages pages = {.check = check, .node = node, .deleted = deleted, .right = node->record};
    pages.right.size = 0;
    buffer_init(&pages.headers, (MAILBOX_PAGES_MAXIMUM + 1) * sizeof(struct page_header));
    buffer_init(&pages.entries, SIZE_MAX - 1);
    int error = check_pages(&pages);
    buffer_release(&pages.headers);
    buffer_release(&pages.entries);
    return error;
}

/* --- collections without a record --- */

/* The first collection behind `id` that has pages. ERROR_NOT_FOUND. */
static int next_with_pages(struct check *check, uint64_t id, uint64_t *next)
{
    struct key prefix, after;
    struct kv_cursor *cursor;
    struct slice key, value;
    struct slice start = key_numbers(&after, KEY_PAGE, 1, (uint64_t[]){id + 1});
    int error = kv_cursor_open(check->transaction, key_numbers(&prefix, KEY_PAGE, 0, NULL),
                               id ? start : SLICE(""), &cursor);
    if (error)
        return error;
    error = kv_cursor_next(cursor, &key, &value);
    if (!error) {
        struct slice rest = slice_sub(key, 1, SIZE_MAX);
        error = key_read_number(&rest, next);
    }
    kv_cursor_close(&cursor);
    return error;
}

static int rebuild_collection(struct check *check, collection_id id)
{
    char name[32];
    struct collection_record record = {
        .type = COLLECTION_MAILBOX,
        .uid_validity = (uint32_t)clock_wall(),
        .uid_next = 1,
        .created_modseq = check->change ? check->change->modseq : 0,
        .changed_modseq = check->change ? check->change->modseq : 0,
    };
    snprintf(name, sizeof(name), "Recovered-%u", id);
    record.name = slice_from_string(name);
    if (check->change && record.uid_validity <= check->account->uid_validity)
        record.uid_validity = check->account->uid_validity + 1;
    check_lost(check, "the name and the properties of collection %u; its messages are in %s", id,
               name);
    return check_add_collection(check, id, &record) ? 0 : ERROR_LIMIT;
}

static int rebuild_collections(struct check *check)
{
    uint64_t id = 0;
    int error = 0;
    while (!(error = next_with_pages(check, id, &id))) {
        if (id > 0 && id < UINT32_MAX && !check_find(check, id) && !check_is_deleted(check, id))
            error = rebuild_collection(check, (collection_id)id);
        if (error)
            break;
    }
    return error == ERROR_NOT_FOUND ? 0 : error;
}

int check_collections(struct check *check)
{
    int error = rebuild_collections(check);
    for (size_t i = 0; i < check->tree.count && !error; i++)
        error = check_collection(check, &check->tree.nodes[i], NULL);
    return error;
}
