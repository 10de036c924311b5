#include "store/check.h"
#include "base/clock.h"
#include "base/error.h"
#include "store/check_priv.h"

enum {
    CHECK_MEMORY_MAXIMUM = 64 * 1024 * 1024, /* names of collections */
    FINDINGS_MAXIMUM = 64 * 1024 * 1024,     /* bytes of what a repair has to tell */
};

/* --- telling --- */

static void tell(struct check *check, enum check_finding finding, const char *format,
                 va_list arguments) __attribute__((format(printf, 3, 0)));

static void tell(struct check *check, enum check_finding finding, const char *format,
                 va_list arguments)
{
    char text[COLLECTION_PATH_MAXIMUM + 256];
    int size = vsnprintf(text, sizeof(text), format, arguments);
    size_t *counts[] = {[CHECK_WRONG] = &check->result.wrong,
                        [CHECK_REPAIRED] = &check->result.repaired,
                        [CHECK_LOST] = &check->result.lost};
    ++*counts[finding];
    if (!check->change) {
        check->options->report(finding, text, check->options->arg);
        return;
    }
    buffer_append_byte(&check->findings, (char)finding);
    buffer_append(&check->findings,
                  slice_make(text, size < (int)sizeof(text) ? (size_t)size : sizeof(text) - 1));
    buffer_append_byte(&check->findings, '\0');
}

/* What a repair has found is told once it is committed: it may be run more than once. */
static void report_findings(struct check *check)
{
    struct slice rest = buffer_slice(&check->findings);
    while (rest.size) {
        enum check_finding finding = (enum check_finding)rest.data[0];
        check->options->report(finding, rest.data + 1, check->options->arg);
        rest = slice_sub(rest, 1 + strlen(rest.data + 1) + 1, SIZE_MAX);
    }
}

bool check_wrong(struct check *check, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    tell(check, check->change ? CHECK_REPAIRED : CHECK_WRONG, format, arguments);
    va_end(arguments);
    return check->change != NULL;
}

void check_lost(struct check *check, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    tell(check, CHECK_LOST, format, arguments);
    va_end(arguments);
}

/* --- walking --- */

int check_each(struct check *check, enum key_family family, size_t count,
               int (*fn)(struct check *check, struct slice key, const uint64_t *numbers,
                         struct slice value))
{
    char letter = (char)family;
    struct kv_cursor *cursor;
    struct slice key, value;
    int error = kv_cursor_open(check->transaction, slice_make(&letter, 1), SLICE(""), &cursor);
    if (error)
        return error;
    while (!(error = kv_cursor_next(cursor, &key, &value))) {
        uint64_t numbers[3] = {0};
        struct slice rest = slice_sub(key, 1, SIZE_MAX);
        int unreadable = 0;
        for (size_t i = 0; i < count && !unreadable; i++)
            unreadable = key_read_number(&rest, &numbers[i]);
        error = fn(check, key, unreadable ? NULL : numbers, value);
        if (error)
            break;
    }
    kv_cursor_close(&cursor);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

/* --- the account's record --- */

static int check_account(struct check *check)
{
    struct account_record *account = check->account;
    struct account_record right = *account;
    const uint64_t *numbers = (const uint64_t *)(const void *)check->messages.data;
    size_t messages = check->messages.size / sizeof(*numbers);
    right.collections = (uint32_t)check->tree.count;
    right.entries = check->entries.size / sizeof(struct checked_entry) - check->entries_deleted;
    right.entry_bytes = check->entry_bytes;
    right.annotation_bytes = check->annotation_bytes;
    right.flags &= (uint8_t)~ACCOUNT_HAS_EVENTS;
    right.flags |= check->events ? ACCOUNT_HAS_EVENTS : 0;
    right.retained = check->retained;
    right.retained_bytes = check->retained_bytes;
    if (right.retained && !right.retained_since)
        right.retained_since = clock_wall();
    if (messages && right.next_message <= numbers[messages - 1])
        right.next_message = numbers[messages - 1] + 1;
    if (check->highest_outgoing && right.next_message <= check->highest_outgoing)
        right.next_message = check->highest_outgoing + 1;
    if (check->tree.count && right.next_collection <= check->tree.nodes[check->tree.count - 1].id)
        right.next_collection = check->tree.nodes[check->tree.count - 1].id + 1;
    const collection_id *deleted = (const collection_id *)(const void *)check->deleted.data;
    size_t deleted_count = check->deleted.size / sizeof(*deleted);
    if (deleted_count && right.next_collection <= deleted[deleted_count - 1])
        right.next_collection = deleted[deleted_count - 1] + 1;
    if (right.modseq < check->highest_modseq)
        right.modseq = check->highest_modseq;
    if (right.uid_validity < check->highest_uid_validity)
        right.uid_validity = check->highest_uid_validity;
    if (memcmp(&right, account, sizeof(right)) == 0)
        return 0;
    if (right.entries != account->entries || right.entry_bytes != account->entry_bytes)
        check_wrong(check, "the account counts its messages wrongly");
    if (right.retained != account->retained || right.retained_bytes != account->retained_bytes ||
        right.retained_since != account->retained_since)
        check_wrong(check, "the account counts what is retained wrongly");
    if (right.annotation_bytes != account->annotation_bytes || right.flags != account->flags)
        check_wrong(check, "the account counts its annotations wrongly");
    if (right.collections != account->collections)
        check_wrong(check, "the account counts its collections wrongly");
    if (right.next_message != account->next_message ||
        right.next_collection != account->next_collection || right.modseq != account->modseq ||
        right.uid_validity != account->uid_validity)
        check_wrong(check, "the account gives numbers out again");
    if (check->change) {
        *account = right;
        check->change->changed = true;
        if (check->change->modseq <= right.modseq)
            check->change->modseq = right.modseq + 1;
    }
    return 0;
}

static int check_all(struct check *check)
{
    static int (*const parts[])(struct check * check) = {
        check_load_messages, check_load_collections, check_load_deleted,
        check_collections,   check_retained,         check_messages,
        check_threads,       check_annotations,      check_scripts,
        check_seen,          check_outgoing,         check_snooze,
        check_rest,          check_shared,           check_account,
        check_strays,
    };
    int error = 0;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && !error; i++)
        error = parts[i](check);
    return error;
}

static void clear(struct check *check)
{
    arena_clear(&check->arena);
    check->tree = (struct tree){0};
    check->tree_capacity = 0;
    buffer_clear(&check->messages);
    buffer_clear(&check->entries);
    buffer_clear(&check->strays);
    buffer_clear(&check->deleted);
    buffer_clear(&check->expunged);
    buffer_clear(&check->sums);
    check->uids.loaded = false;
    check->annotation_bytes = 0;
    check->events = false;
    check->found_account = (struct account_record){0};
    check->entry_bytes = check->highest_modseq = 0;
    check->entries_deleted = check->retained = check->retained_bytes = 0;
    check->highest_uid_validity = 0;
}

static int look(struct check *check)
{
    struct key key;
    clear(check);
    int error = view_read(check->view, &check->transaction);
    if (error)
        return error;
    error = value_get(check->transaction, key_account(&key), &check->value);
    if (!error)
        error = account_record_read(buffer_slice(&check->value), &check->found_account);
    if (error == ERROR_CORRUPT || error == ERROR_NOT_FOUND) {
        check_wrong(check, "the account's record cannot be read");
        error = 0;
    }
    check->account = &check->found_account;
    if (!error)
        error = check_all(check);
    view_read_end(check->view, &check->transaction);
    return error;
}

/* Without its record, what it counts is counted anew; limits of quota are not known any more. */
static void rebuild_account(struct check *check, struct account_record *account)
{
    check_wrong(check, "the account's record cannot be read");
    check_lost(check, "the account's quota limits");
    *account =
        (struct account_record){.created = clock_wall(), .next_message = 1, .next_collection = 1};
}

static int repair(struct change *change, void *arg)
{
    struct check *check = arg;
    clear(check);
    check->result = (struct check_result){0};
    buffer_clear(&check->findings);
    check->change = change;
    check->transaction = change->transaction;
    check->account = &change->account;
    if (change->account_unreadable)
        rebuild_account(check, &change->account);
    return check_all(check);
}

static int check_open(struct check *check)
{
    int error = check->options->deep ? check_bodies(check) : 0;
    struct check_result bodies = check->result;
    if (error)
        return error;
    error = check->options->repair ? view_repair(check->view, repair, check) : look(check);
    if (check->options->repair && !error) {
        report_findings(check);
        check->result.wrong += bodies.wrong;
        check->result.lost += bodies.lost;
    }
    return error;
}

int store_check_account(struct store *store, struct who who, struct account_id account,
                        const struct check_options *options, struct check_result *result)
{
    struct check check = {.options = options};
    if (who.kind != WHO_KIND_SYSTEM)
        return ERROR_DENIED;
    int error = store_view_open(store, who, account, &check.view);
    if (error)
        return error;
    arena_init(&check.arena, CHECK_MEMORY_MAXIMUM);
    buffer_init(&check.messages, CHECK_ENTRIES_MAXIMUM * sizeof(uint64_t));
    buffer_init(&check.entries, CHECK_ENTRIES_MAXIMUM * sizeof(struct checked_entry));
    buffer_init(&check.deleted, CHECK_ENTRIES_MAXIMUM * sizeof(collection_id));
    buffer_init(&check.expunged, CHECK_ENTRIES_MAXIMUM * sizeof(uint64_t));
    buffer_init(&check.sums, CHECK_ENTRIES_MAXIMUM);
    range_set_init(&check.uids.there, CHECK_ENTRIES_MAXIMUM);
    range_set_init(&check.uids.retained, CHECK_ENTRIES_MAXIMUM);
    buffer_init(&check.strays, CHECK_ENTRIES_MAXIMUM * sizeof(uint64_t));
    buffer_init(&check.remake, CHECK_ENTRIES_MAXIMUM * sizeof(uint64_t));
    buffer_init(&check.value, KV_VALUE_MAXIMUM);
    buffer_init(&check.body, SIZE_MAX - 1);
    buffer_init(&check.findings, FINDINGS_MAXIMUM);
    error = check_open(&check);
    buffer_release(&check.messages);
    buffer_release(&check.entries);
    buffer_release(&check.deleted);
    buffer_release(&check.expunged);
    buffer_release(&check.sums);
    range_set_release(&check.uids.there);
    range_set_release(&check.uids.retained);
    buffer_release(&check.strays);
    buffer_release(&check.remake);
    buffer_release(&check.value);
    buffer_release(&check.body);
    buffer_release(&check.findings);
    arena_release(&check.arena);
    store_view_close(&check.view);
    if (!error)
        *result = check.result;
    return error;
}
