#include "store/check.h"
#include "base/error.h"
#include "store/mailbox_priv.h"

#include <stdlib.h>

enum { MESSAGES_CHECKED_MAXIMUM = 256 * 1024 * 1024 };

struct check {
    struct kv_transaction *transaction;
    void (*report)(const char *problem, void *arg);
    void *arg;
    size_t problems;
    struct account_record account;
    struct arena arena;
    struct tree tree;
    /* By message number: the sum of place_hash of its entries, and how many of its places name one
     * of them. */
    struct found {
        uint64_t hash;
        uint32_t named;
    } * found;
    uint64_t entries, entry_bytes;
    struct buffer value;
    struct buffer message;
};

static void problem(struct check *check, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void problem(struct check *check, const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    check->problems++;
    check->report(text, check->arg);
}

/* Calls fn for each key that begins with the family's letter; its numbers are read. */
static int each_key(struct check *check, enum key_family family, size_t numbers,
                    void (*fn)(struct check *check, const uint64_t *numbers, struct slice value))
{
    char letter = (char)family;
    struct kv_cursor *cursor;
    struct slice key, value;
    int error = kv_cursor_open(check->transaction, slice_make(&letter, 1), SLICE(""), &cursor);
    if (error)
        return error;
    while (!(error = kv_cursor_next(cursor, &key, &value))) {
        uint64_t read[3] = {0};
        struct slice rest = slice_sub(key, 1, SIZE_MAX);
        int wrong = 0;
        for (size_t i = 0; i < numbers && !wrong; i++)
            wrong = key_read_number(&rest, &read[i]);
        if (wrong)
            problem(check, "a key of family %c cannot be read", letter);
        else
            fn(check, read, value);
    }
    kv_cursor_close(&cursor);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

static const struct tree_node *find_node(const struct check *check, uint64_t id)
{
    for (size_t i = 0; i < check->tree.count; i++)
        if (check->tree.nodes[i].id == id)
            return &check->tree.nodes[i];
    return NULL;
}

/* Sums of these, once for each entry, are equal when the places are, but for one case in 2^64. */
static uint64_t place_hash(collection_id collection)
{
    uint64_t mixed = (collection ^ UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ mixed >> 31;
}

/* --- mailboxes --- */

/* Whether the message's place in this mailbox names this entry. */
static bool is_named(struct check *check, const struct mailbox *mailbox, const struct entry *entry)
{
    struct key key;
    struct message_record record;
    if (value_get(check->transaction, key_of_message(&key, KEY_MESSAGE, entry->message),
                  &check->message) ||
        message_record_read(buffer_slice(&check->message), &record))
        return false;
    size_t index = message_place_find(&record, mailbox->id);
    return index < message_places(&record) &&
           message_place_at(&record, index).collection == mailbox->id &&
           message_place_at(&record, index).uid == entry->uid;
}

static void check_entry(struct check *check, const struct mailbox *mailbox,
                        const struct entry *entry)
{
    check->entries++;
    check->entry_bytes += entry->size;
    if (entry->message == 0 || entry->message >= check->account.next_message) {
        problem(check, "mailbox %u: UID %u has no message", mailbox->id, entry->uid);
    } else {
        check->found[entry->message].hash += place_hash(mailbox->id);
        check->found[entry->message].named += is_named(check, mailbox, entry);
    }
    if (entry->modseq > mailbox->record.highest_modseq || entry->created_modseq > entry->modseq)
        problem(check, "mailbox %u: UID %u has a wrong modseq", mailbox->id, entry->uid);
    if (entry->flags & ~(uint32_t)ENTRY_FLAGS)
        problem(check, "mailbox %u: UID %u has unknown flags", mailbox->id, entry->uid);
    for (unsigned i = mailbox->names.count; i < KEYWORDS_MAXIMUM; i++)
        if (keyword_set_has(&entry->keywords, i))
            problem(check, "mailbox %u: UID %u has an unknown keyword", mailbox->id, entry->uid);
}

static struct page_header check_entries(struct check *check, const struct mailbox *mailbox,
                                        uint32_t base, size_t count, uint32_t *last, uint64_t *size)
{
    struct page_header counted = {.base = base};
    for (size_t i = 0; i < count; i++) {
        struct entry entry;
        entry_read(page_entry(&check->value, i), &entry);
        check_entry(check, mailbox, &entry);
        if (entry.uid <= *last || entry.uid < base)
            problem(check, "mailbox %u: UID %u is out of order", mailbox->id, entry.uid);
        *last = entry.uid;
        *size += entry.size;
        counted.first = counted.first ? counted.first : entry.uid;
        counted.last = entry.uid;
        counted.count++;
        counted.unseen += !(entry.flags & ENTRY_SEEN);
        counted.deleted += (entry.flags & ENTRY_DELETED) != 0;
        counted.modseq = entry.modseq > counted.modseq ? entry.modseq : counted.modseq;
    }
    return counted;
}

static bool headers_equal(const struct page_header *a, const struct page_header *b)
{
    return a->base == b->base && a->first == b->first && a->last == b->last &&
           a->count == b->count && a->unseen == b->unseen && a->deleted == b->deleted &&
           a->modseq == b->modseq;
}

static int check_pages(struct check *check, struct mailbox *mailbox)
{
    const struct collection_record *record = &mailbox->record;
    struct collection_record counted = {0};
    uint32_t last = 0, previous = PAGE_ENTRIES;
    for (size_t i = 0; i < mailbox_page_count(mailbox); i++) {
        const struct page_header *header = mailbox_page(mailbox, i);
        int error = mailbox_read_page(mailbox, header, &check->value);
        if (error == ERROR_CORRUPT) {
            problem(check, "mailbox %u: page %u cannot be read", mailbox->id, header->base);
            continue;
        }
        if (error)
            return error;
        struct page_header found =
            check_entries(check, mailbox, header->base, header->count, &last, &counted.size);
        if (!headers_equal(header, &found))
            problem(check, "mailbox %u: page %u has a wrong header", mailbox->id, header->base);
        if (header->count == 0 || previous + header->count <= PAGE_MERGED)
            problem(check, "mailbox %u: page %u is too empty", mailbox->id, header->base);
        previous = header->count;
        counted.messages += found.count;
        counted.unseen += found.unseen;
        counted.deleted += found.deleted;
    }
    if (counted.messages != record->messages || counted.unseen != record->unseen ||
        counted.deleted != record->deleted || counted.size != record->size)
        problem(check, "mailbox %u: counters are wrong", mailbox->id);
    if (last >= record->uid_next)
        problem(check, "mailbox %u: UIDNEXT is too small", mailbox->id);
    return 0;
}

static int check_mailbox(struct check *check, const struct tree_node *node)
{
    struct mailbox mailbox;
    const struct collection_record *record = &node->record;
    collection_id named = 0;
    int error =
        collection_child(check->transaction, record->type, record->parent, record->name, &named);
    if (error || named != node->id)
        problem(check, "collection %u is not found by its name", node->id);
    if (record->parent && !find_node(check, record->parent))
        problem(check, "collection %u has no parent", node->id);
    if (record->highest_modseq > check->account.modseq)
        problem(check, "collection %u has a wrong modseq", node->id);
    error = mailbox_open(check->transaction, node->id, &mailbox);
    if (error)
        return error == ERROR_NOT_FOUND ? 0 : error;
    error = mailbox_load_names(&mailbox);
    if (!error)
        error = mailbox_load_pages(&mailbox);
    if (!error)
        error = check_pages(check, &mailbox);
    if (error == ERROR_CORRUPT)
        problem(check, "mailbox %u: page directory or keywords cannot be read", node->id);
    mailbox_release(&mailbox);
    return error == ERROR_CORRUPT ? 0 : error;
}

/* --- what belongs to something --- */

static void check_name(struct check *check, const uint64_t *numbers, struct slice value)
{
    uint64_t id;
    (void)numbers;
    if (number_record_read(value, &id) || !find_node(check, id))
        problem(check, "a name has no collection");
}

static void check_of_collection(struct check *check, const uint64_t *numbers, struct slice value)
{
    (void)value;
    if (!find_node(check, numbers[0]))
        problem(check, "a record of collection %llu is left", (unsigned long long)numbers[0]);
}

static bool has_page(struct mailbox *mailbox, uint64_t base)
{
    for (size_t i = 0; i < mailbox_page_count(mailbox); i++)
        if (mailbox_page(mailbox, i)->base == base)
            return true;
    return false;
}

static void check_page(struct check *check, const uint64_t *numbers, struct slice value)
{
    struct mailbox mailbox;
    (void)value;
    if (mailbox_open(check->transaction, (collection_id)numbers[0], &mailbox)) {
        problem(check, "a page of mailbox %llu is left", (unsigned long long)numbers[0]);
        return;
    }
    if (!mailbox_load_pages(&mailbox) && !has_page(&mailbox, numbers[1]))
        problem(check, "mailbox %u: page %llu is left", mailbox.id, (unsigned long long)numbers[1]);
    mailbox_release(&mailbox);
}

static bool is_there(struct check *check, enum key_family family, uint64_t message)
{
    struct key key;
    return !value_get(check->transaction, key_of_message(&key, family, message), &check->value);
}

static void check_message(struct check *check, const uint64_t *numbers, struct slice value)
{
    unsigned long long number = numbers[0];
    struct message_record record;
    if (message_record_read(value, &record)) {
        problem(check, "message %llu: its record cannot be read", number);
        return;
    }
    struct found places = {0};
    for (size_t i = 0; i < message_places(&record); i++) {
        struct place place = message_place_at(&record, i);
        places.hash += place.entries * place_hash(place.collection);
        places.named += place.uid != 0;
    }
    if (number >= check->account.next_message || places.hash != check->found[number].hash ||
        places.named != check->found[number].named ||
        (!message_places(&record) && !record.retained))
        problem(check, "message %llu is in other places than its record says", number);
    if (number < check->account.next_message)
        check->found[number] = (struct found){0};
    if (!is_there(check, KEY_SUMMARY, number))
        problem(check, "message %llu has no summary", number);
    if (is_there(check, KEY_BODY, number) != (record.body == MESSAGE_INLINE))
        problem(check, "message %llu: its body is not where it should be", number);
    else if (record.body == MESSAGE_INLINE && check->value.size != record.size)
        problem(check, "message %llu has a wrong size", number);
}

static void check_of_message(struct check *check, const uint64_t *numbers, struct slice value)
{
    (void)value;
    if (!is_there(check, KEY_MESSAGE, numbers[0]))
        problem(check, "a record of message %llu is left", (unsigned long long)numbers[0]);
}

static void check_hash(struct check *check, const uint64_t *numbers, struct slice value)
{
    uint64_t number;
    (void)numbers;
    if (number_record_read(value, &number) || !is_there(check, KEY_MESSAGE, number))
        problem(check, "a hash has no message");
}

static int check_belongings(struct check *check)
{
    static const struct {
        enum key_family family;
        size_t numbers;
        void (*fn)(struct check *check, const uint64_t *numbers, struct slice value);
    } families[] = {
        {KEY_NAME, 2, check_name},
        {KEY_DIRECTORY, 1, check_of_collection},
        {KEY_KEYWORDS, 1, check_of_collection},
        {KEY_VANISHED, 3, check_of_collection},
        {KEY_PAGE, 2, check_page},
        {KEY_MESSAGE, 1, check_message},
        {KEY_SUMMARY, 1, check_of_message},
        {KEY_BODY, 1, check_of_message},
        {KEY_HASH, 0, check_hash},
    };
    int error = 0;
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]) && !error; i++)
        error = each_key(check, families[i].family, families[i].numbers, families[i].fn);
    for (uint64_t i = 0; i < check->account.next_message && !error; i++)
        if (check->found[i].hash)
            problem(check, "message %llu is missing", (unsigned long long)i);
    return error;
}

/* --- the account --- */

static int check_all(struct check *check)
{
    struct key key;
    int error = value_get(check->transaction, key_account(&key), &check->value);
    if (!error)
        error = account_record_read(buffer_slice(&check->value), &check->account);
    if (!error)
        error = tree_load(check->transaction, &check->arena, &check->tree);
    if (error == ERROR_CORRUPT) {
        problem(check, "the account's record or a collection's cannot be read");
        return 0;
    }
    if (!error && check->account.next_message > MESSAGES_CHECKED_MAXIMUM)
        error = ERROR_LIMIT;
    if (error)
        return error;
    check->found = calloc(check->account.next_message + 1, sizeof(*check->found));
    if (!check->found)
        return ERROR_MEMORY;
    for (size_t i = 0; i < check->tree.count && !error; i++)
        error = check_mailbox(check, &check->tree.nodes[i]);
    if (!error && check->tree.count != check->account.collections)
        problem(check, "the account counts its collections wrongly");
    if (!error && (check->entries != check->account.entries ||
                   check->entry_bytes != check->account.entry_bytes))
        problem(check, "the account counts its messages wrongly");
    if (!error)
        error = check_belongings(check);
    free(check->found);
    return error;
}

int store_check_account(struct store *store, struct who who, struct account_id account,
                        void (*report)(const char *problem, void *arg), void *arg, size_t *problems)
{
    struct store_view *view;
    struct check check = {.report = report, .arg = arg};
    if (who.kind != WHO_KIND_SYSTEM)
        return ERROR_DENIED;
    int error = store_view_open(store, who, account, &view);
    if (error)
        return error;
    arena_init(&check.arena, 64 * 1024 * 1024);
    buffer_init(&check.value, KV_VALUE_MAXIMUM);
    buffer_init(&check.message, KV_VALUE_MAXIMUM);
    error = view_read(view, &check.transaction);
    if (!error) {
        error = check_all(&check);
        view_read_end(view, &check.transaction);
    }
    buffer_release(&check.value);
    buffer_release(&check.message);
    arena_release(&check.arena);
    store_view_close(&view);
    if (!error)
        *problems = check.problems;
    return error;
}
