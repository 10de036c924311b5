/*
 * The check of the directory. Names and entries, and the two sides of a membership, say the same
 * twice: what one has lost is written anew from the other.
 *
 * Each part walks the keys of one letter and collects what is to be written; that is written when
 * the walk has ended. Parts see what those before them have mended.
 */
#include "base/clock.h"
#include "base/error.h"
#include "store/annotation_priv.h"
#include "store/check.h"
#include "store/directory_priv.h"

#include <stdarg.h>
#include <stdio.h>

enum {
    PENDING_MAXIMUM = 256 * 1024 * 1024, /* bytes that a repair's part may have to write */
    TOLD_MAXIMUM = 64 * 1024 * 1024,     /* bytes of what a repair has to tell */
    TEXT_MAXIMUM = ADDRESS_MAXIMUM + 128,
};

struct directory_check {
    struct store *store;
    const struct check_options *options;
    struct check_result result;
    struct kv_transaction *transaction;
    struct buffer told;    /* enum check_finding, text, NUL */
    struct buffer pending; /* struct write, key, value */
    struct buffer doomed;  /* struct directory_name: aliases that lead nowhere */
    struct buffer named;   /* addresses whose names an entry brings back, each with a NUL */
    struct buffer value, record;
    char domain[ADDRESS_MAXIMUM + 1]; /* the last one that was missing */
};

/* --- telling --- */

static void tell(struct directory_check *check, enum check_finding finding, const char *format,
                 va_list arguments) __attribute__((format(printf, 3, 0)));

static void tell(struct directory_check *check, enum check_finding finding, const char *format,
                 va_list arguments)
{
    char text[TEXT_MAXIMUM];
    size_t *counts[] = {[CHECK_WRONG] = &check->result.wrong,
                        [CHECK_REPAIRED] = &check->result.repaired,
                        [CHECK_LOST] = &check->result.lost};
    vsnprintf(text, sizeof(text), format, arguments);
    ++*counts[finding];
    buffer_append_byte(&check->told, (char)finding);
    buffer_append(&check->told, slice_make(text, strlen(text) + 1));
}

/* True: it is to be mended now. */
static bool wrong(struct directory_check *check, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool wrong(struct directory_check *check, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    tell(check, check->options->repair ? CHECK_REPAIRED : CHECK_WRONG, format, arguments);
    va_end(arguments);
    return check->options->repair;
}

static bool lost(struct directory_check *check, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool lost(struct directory_check *check, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    tell(check, CHECK_LOST, format, arguments);
    va_end(arguments);
    return check->options->repair;
}

/* After the commit: a transaction may be run more than once. */
static void report_all(const struct directory_check *check)
{
    struct slice rest = buffer_slice(&check->told);
    while (rest.size) {
        enum check_finding finding = (enum check_finding)rest.data[0];
        check->options->report(finding, rest.data + 1, check->options->arg);
        rest = slice_sub(rest, 1 + strlen(rest.data + 1) + 1, SIZE_MAX);
    }
}

/* --- writing --- */

struct write {
    bool deletes;
    size_t key, value; /* bytes */
};

static int write_later(struct directory_check *check, struct slice key, struct slice value,
                       bool deletes)
{
    const struct write write = {deletes, key.size, value.size};
    buffer_append(&check->pending, slice_make(&write, sizeof(write)));
    buffer_append(&check->pending, key);
    return buffer_append(&check->pending, value);
}

static int put_later(struct directory_check *check, struct slice key)
{
    return buffer_error(&check->record)
               ? buffer_error(&check->record)
               : write_later(check, key, buffer_slice(&check->record), false);
}

static int delete_later(struct directory_check *check, struct slice key)
{
    return write_later(check, key, SLICE(""), true);
}

static int write_now(struct directory_check *check)
{
    struct slice rest = buffer_slice(&check->pending);
    int error = 0;
    while (rest.size && !error) {
        struct write write;
        memcpy(&write, rest.data, sizeof(write));
        struct slice key = slice_sub(rest, sizeof(write), write.key);
        struct slice value = slice_sub(rest, sizeof(write) + write.key, write.value);
        error = write.deletes ? kv_delete(check->transaction, key)
                              : kv_put(check->transaction, key, value);
        rest = slice_sub(rest, sizeof(write) + write.key + write.value, SIZE_MAX);
    }
    buffer_clear(&check->pending);
    return error;
}

static int put_name_later(struct directory_check *check, struct slice address,
                          struct directory_name name)
{
    struct directory_key key;
    directory_name_write(name, &check->record);
    return put_later(check, directory_key_name(&key, address));
}

static int put_entry_later(struct directory_check *check, const struct directory_entry *entry)
{
    struct directory_key key;
    directory_entry_write(entry, &check->record);
    return put_later(check,
                     directory_key_entry(&key, (struct directory_name){entry->kind, entry->id}));
}

static int put_edge_later(struct directory_check *check, struct slice key)
{
    directory_edge_write(&check->record);
    return put_later(check, key);
}

/* --- walking --- */

typedef int check_key_fn(struct directory_check *check, struct slice key, struct slice value);

static int each(struct directory_check *check, struct slice prefix, check_key_fn *fn)
{
    struct kv_cursor *cursor;
    struct slice key, value;
    int error = kv_cursor_open(check->transaction, prefix, SLICE(""), &cursor);
    if (error)
        return error;
    while (!(error = kv_cursor_next(cursor, &key, &value))) {
        error = fn(check, key, value);
        if (error)
            break;
    }
    kv_cursor_close(&cursor);
    return error == ERROR_NOT_FOUND ? write_now(check) : error;
}

static bool is_damage(int error)
{
    return error == ERROR_NOT_FOUND || error == ERROR_CORRUPT;
}

static int count_members(struct directory_check *check, struct account_id id, size_t *count)
{
    struct buffer names;
    buffer_init(&names, PENDING_MAXIMUM);
    int error = directory_edges(check->transaction, DIRECTORY_MEMBERS, id, 0, &names);
    *count = directory_names_count(&names);
    buffer_release(&names);
    return error == ERROR_CORRUPT ? 0 : error;
}

/* --- names, and the entries they lead to --- */

static int rebuild_entry(struct directory_check *check, struct slice address,
                         struct directory_name name)
{
    struct directory_entry entry = {
        .kind = name.kind, .id = name.id, .address = address, .created = clock_wall()};
    /* A shared account stays closed to logins all the same: chapar-auth knows it by itself. */
    if (!wrong(check, "%.*s: its record%s", SLICE_FORMAT(address),
               name.kind == DIRECTORY_ACCOUNT ? "; if it was shared, it is no more" : ""))
        return 0;
    int error = count_members(check, name.id, &entry.members);
    return error ? error : put_entry_later(check, &entry);
}

static int check_name(struct directory_check *check, struct slice key, struct slice value)
{
    struct slice address = slice_sub(key, 1, SIZE_MAX);
    struct directory_name name;
    struct directory_entry entry;
    if (directory_name_read(value, &name))
        return 0; /* its entry may bring it back; else check_lost_name tells */
    int error = directory_get(check->transaction, name, &check->value, &entry);
    if (is_damage(error))
        return rebuild_entry(check, address, name);
    if (error || slice_equal(entry.address, address))
        return error;
    return wrong(check, "%.*s: a name of what has another", SLICE_FORMAT(address))
               ? delete_later(check, key)
               : 0;
}

static bool is_brought_back(const struct directory_check *check, struct slice address)
{
    for (struct slice rest = buffer_slice(&check->named); rest.size;) {
        size_t size = strlen(rest.data);
        if (slice_equal(slice_make(rest.data, size), address))
            return true;
        rest = slice_sub(rest, size + 1, SIZE_MAX);
    }
    return false;
}

static int check_lost_name(struct directory_check *check, struct slice key, struct slice value)
{
    struct directory_name name;
    struct slice address = slice_sub(key, 1, SIZE_MAX);
    if (!directory_name_read(value, &name) || is_brought_back(check, address))
        return 0;
    return lost(check, "%.*s: what it stands for", SLICE_FORMAT(address)) ? delete_later(check, key)
                                                                          : 0;
}

/* --- entries, and their names --- */

/* Of two with one address, the one it does not lead to gets its id for a name. */
static int give_name(struct directory_check *check, struct directory_entry *entry)
{
    char address[ADDRESS_MAXIMUM + 1], id[ACCOUNT_ID_TEXT + 1];
    account_id_format(entry->id, id);
    int size = snprintf(address, sizeof(address), "%s@%.*s", id,
                        SLICE_FORMAT(directory_domain_of(entry->address)));
    if (!wrong(check, "%.*s: there are two of it; one is %s", SLICE_FORMAT(entry->address),
               address))
        return 0;
    entry->address = slice_make(address, (size_t)size);
    int error = put_entry_later(check, entry);
    if (!error)
        error =
            put_name_later(check, entry->address, (struct directory_name){entry->kind, entry->id});
    return error;
}

static int check_entry(struct directory_check *check, struct slice key, struct slice value)
{
    struct directory_entry entry;
    struct directory_name found;
    if (directory_entry_read(key, value, &entry))
        return lost(check, "a record that no name leads to") ? delete_later(check, key) : 0;
    const struct directory_name self = {entry.kind, entry.id};
    int error = directory_look_up(check->transaction, entry.address, &found);
    if (!error)
        return directory_name_equal(found, self) ? 0 : give_name(check, &entry);
    if (!is_damage(error))
        return error;
    buffer_append(&check->named, entry.address);
    if (buffer_append_byte(&check->named, '\0'))
        return buffer_error(&check->named);
    return wrong(check, "%.*s: its name", SLICE_FORMAT(entry.address))
               ? put_name_later(check, entry.address, self)
               : 0;
}

static int check_entries(struct directory_check *check)
{
    int error = each(check, SLICE("a"), check_entry);
    if (!error)
        error = each(check, SLICE("g"), check_entry);
    return error ? error : each(check, SLICE("t"), check_entry);
}

/* --- members, from both sides --- */

/* What the id is, 0 for nothing. */
static int find_kind(struct directory_check *check, struct account_id id,
                     struct directory_name *name)
{
    struct directory_entry entry;
    for (enum directory_kind kind = DIRECTORY_ACCOUNT; kind <= DIRECTORY_ALIAS; kind++) {
        *name = (struct directory_name){kind, id};
        int error = directory_get(check->transaction, *name, &check->value, &entry);
        if (!is_damage(error))
            return error;
    }
    *name = (struct directory_name){0};
    return 0;
}

static bool may_have(struct directory_name holder, struct directory_name member)
{
    if (!holder.kind || !member.kind || holder.kind == DIRECTORY_ACCOUNT)
        return false;
    return holder.kind == DIRECTORY_ALIAS || member.kind != DIRECTORY_ALIAS;
}

/* One side of an edge, as the key and the entries at its ends say. */
static int check_edge(struct directory_check *check, struct slice key, struct slice value,
                      enum directory_side side)
{
    struct account_id from;
    struct directory_name self = {0}, to = {0}, there = {0};
    struct directory_key other;
    int error = 0;
    if (!directory_key_edge_read(key, &from, &to)) {
        error = find_kind(check, from, &self);
        if (!error)
            error = find_kind(check, to.id, &there);
    }
    if (error)
        return error;
    struct directory_name holder = side == DIRECTORY_MEMBERS ? self : to;
    struct directory_name member = side == DIRECTORY_MEMBERS ? to : self;
    if (!there.kind || !directory_name_equal(there, to) || !may_have(holder, member))
        return wrong(check, "a membership of what is not there") ? delete_later(check, key) : 0;
    if (directory_edge_read(value) && wrong(check, "the record of a membership"))
        error = put_edge_later(check, key);
    enum directory_side across = side == DIRECTORY_MEMBERS ? DIRECTORY_HOLDERS : DIRECTORY_MEMBERS;
    struct slice other_key = directory_key_edge(&other, across, to.id, self);
    if (!error)
        error = value_get(check->transaction, other_key, &check->value);
    if (error != ERROR_NOT_FOUND)
        return error;
    return wrong(check, "the other side of a membership") ? put_edge_later(check, other_key) : 0;
}

static int check_member(struct directory_check *check, struct slice key, struct slice value)
{
    return check_edge(check, key, value, DIRECTORY_MEMBERS);
}

static int check_holder(struct directory_check *check, struct slice key, struct slice value)
{
    return check_edge(check, key, value, DIRECTORY_HOLDERS);
}

/* --- counts --- */

static int check_count(struct directory_check *check, struct slice key, struct slice value)
{
    struct directory_entry entry;
    size_t count = 0;
    int error = directory_entry_read(key, value, &entry);
    if (error)
        return 0; /* told already */
    error = count_members(check, entry.id, &count);
    if (error)
        return error;
    const struct directory_name self = {entry.kind, entry.id};
    if (entry.kind == DIRECTORY_ALIAS && count == 0)
        return wrong(check, "%.*s: an alias that leads nowhere", SLICE_FORMAT(entry.address))
                   ? buffer_append(&check->doomed, slice_make(&self, sizeof(self)))
                   : 0;
    if (count == entry.members)
        return 0;
    if (!wrong(check, "%.*s: the number of its members", SLICE_FORMAT(entry.address)))
        return 0;
    entry.members = count;
    return put_entry_later(check, &entry);
}

static int check_counts(struct directory_check *check)
{
    int error = each(check, SLICE("g"), check_count);
    if (!error)
        error = each(check, SLICE("t"), check_count);
    for (size_t i = 0; i < directory_names_count(&check->doomed) && !error; i++) {
        error = directory_remove(check->transaction, directory_names_at(&check->doomed, i));
        error = error == ERROR_NOT_FOUND ? 0 : error; /* it went with another */
    }
    return error;
}

/* --- what is shared --- */

/* ERROR_NOT_FOUND: there is no such account or group. */
static int find_subject(struct directory_check *check, struct acl_subject subject)
{
    struct directory_entry entry;
    if (subject.kind != ACL_ACCOUNT && subject.kind != ACL_GROUP)
        return 0;
    enum directory_kind kind = subject.kind == ACL_GROUP ? DIRECTORY_GROUP : DIRECTORY_ACCOUNT;
    return directory_get(check->transaction, (struct directory_name){kind, subject.id},
                         &check->value, &entry);
}

static int check_sharing(struct directory_check *check, struct slice key, struct slice value)
{
    struct acl_subject subject, owner = {.kind = ACL_ACCOUNT};
    int error = directory_key_shared_read(key, &subject, &owner.id);
    if (!error)
        error = directory_edge_read(value);
    if (!error)
        error = find_subject(check, subject);
    if (!error)
        error = find_subject(check, owner);
    if (!is_damage(error))
        return error;
    return wrong(check, "something is shared with nobody, or by nobody") ? delete_later(check, key)
                                                                         : 0;
}

/* --- moves between accounts --- */

/* One that was interrupted is finished by whoever takes the lock next (store/transfer.h). */
static int check_intent(struct directory_check *check, struct slice key, struct slice value)
{
    struct account_id id;
    struct intent intent;
    range_set_init(&intent.uids, INTENT_RANGES_MAXIMUM);
    int error = account_id_parse(slice_sub(key, 1, SIZE_MAX), &id)
                    ? ERROR_CORRUPT
                    : intent_record_read(value, &intent);
    range_set_release(&intent.uids);
    if (!is_damage(error))
        return error;
    return lost(check, "a move between accounts that was interrupted; its messages are in one of "
                       "the two, or in both")
               ? delete_later(check, key)
               : 0;
}

/* --- domains --- */

static int check_domain(struct directory_check *check, struct slice key, struct slice value)
{
    int64_t created;
    struct slice name = slice_sub(key, 1, SIZE_MAX);
    if (!directory_domain_read(value, &created) ||
        !wrong(check, "domain %.*s: its record", SLICE_FORMAT(name)))
        return 0;
    directory_domain_write(clock_wall(), &check->record);
    return put_later(check, key);
}

static int check_domain_of_name(struct directory_check *check, struct slice key, struct slice value)
{
    struct directory_key domain_key;
    (void)value;
    struct slice domain = directory_domain_of(key);
    int error = directory_require_domain(check->store, check->transaction, key);
    if (error != ERROR_NOT_FOUND || slice_equal(domain, slice_from_string(check->domain)))
        return error == ERROR_NOT_FOUND ? 0 : error;
    snprintf(check->domain, sizeof(check->domain), "%.*s", SLICE_FORMAT(domain));
    if (!wrong(check, "domain %s: not added, and there are addresses in it", check->domain))
        return 0;
    directory_domain_write(clock_wall(), &check->record);
    return put_later(check, directory_key_domain(&domain_key, domain));
}

/* --- scripts: what is known of one, and its text --- */

static int check_script(struct directory_check *check, struct slice key, struct slice value)
{
    struct site_script script = {0};
    struct directory_key text_key;
    struct slice text;
    if (directory_key_script_read(key, &script) || site_script_record_read(value, &script))
        return lost(check, "the record of a Sieve script") ? delete_later(check, key) : 0;
    if (!script.version)
        return 0;
    int error =
        value_get(check->transaction, directory_key_script(&text_key, 'e', &script), &check->value);
    if (!error)
        error = script_record_read(buffer_slice(&check->value), &text);
    if (!error && text.size == script.size)
        return 0;
    if (error && !is_damage(error))
        return error;
    return lost(check, "the text of a Sieve script of %.*s", SLICE_FORMAT(script.domain))
               ? delete_later(check, key)
               : 0;
}

static int check_script_text(struct directory_check *check, struct slice key, struct slice value)
{
    struct site_script script = {0};
    struct directory_key head_key;
    (void)value;
    int error = directory_key_script_read(key, &script);
    if (!error)
        error = value_get(check->transaction, directory_key_script(&head_key, 'f', &script),
                          &check->value);
    if (!error)
        error = site_script_record_read(buffer_slice(&check->value), &script);
    if (!error && script.version)
        return 0;
    if (error && !is_damage(error))
        return error;
    return wrong(check, "the text of a Sieve script that is not there") ? delete_later(check, key)
                                                                        : 0;
}

/* --- what is due: each account's check knows whether there must be a note --- */

static int check_note(struct directory_check *check, struct slice key, struct slice value)
{
    struct due_note note;
    if (!account_id_parse(slice_sub(key, 1, SIZE_MAX), &note.account) &&
        !due_note_read(value, &note))
        return 0;
    return wrong(check, "a note of what is due cannot be read") ? delete_later(check, key) : 0;
}

/* --- annotations of the server --- */

static int check_annotation(struct directory_check *check, struct slice key, struct slice value)
{
    struct annotation_tail tail;
    struct slice bytes;
    if (!annotation_tail_read(slice_sub(key, 1, SIZE_MAX), &tail) && !tail.owner.size &&
        !annotation_record_read(value, &bytes))
        return 0;
    return lost(check, "an annotation of the server") ? delete_later(check, key) : 0;
}

/* --- all of it --- */

static int check_all(struct kv_transaction *transaction, void *arg)
{
    struct directory_check *check = arg;
    check->transaction = transaction;
    check->result = (struct check_result){0};
    check->domain[0] = '\0';
    buffer_clear(&check->told);
    buffer_clear(&check->pending);
    buffer_clear(&check->doomed);
    buffer_clear(&check->named);
    int error = each(check, SLICE("n"), check_name);
    if (!error)
        error = check_entries(check);
    if (!error)
        error = each(check, SLICE("n"), check_lost_name);
    if (!error)
        error = each(check, SLICE("m"), check_member);
    if (!error)
        error = each(check, SLICE("r"), check_holder);
    if (!error)
        error = check_counts(check);
    if (!error)
        error = each(check, SLICE("s"), check_sharing);
    if (!error)
        error = each(check, SLICE("j"), check_intent);
    if (!error)
        error = each(check, SLICE("o"), check_note);
    if (!error)
        error = each(check, SLICE("w"), check_note);
    if (!error)
        error = each(check, SLICE("v"), check_annotation);
    if (!error)
        error = each(check, SLICE("d"), check_domain);
    if (!error)
        error = each(check, SLICE("n"), check_domain_of_name);
    if (!error)
        error = each(check, SLICE("f"), check_script);
    if (!error)
        error = each(check, SLICE("e"), check_script_text);
    return error ? error : buffer_error(&check->told);
}

int store_check_directory(struct store *store, struct who who, const struct check_options *options,
                          struct check_result *result)
{
    struct directory_check check = {.store = store, .options = options};
    buffer_init(&check.told, TOLD_MAXIMUM);
    buffer_init(&check.pending, PENDING_MAXIMUM);
    buffer_init(&check.doomed, PENDING_MAXIMUM);
    buffer_init(&check.named, PENDING_MAXIMUM);
    buffer_init(&check.value, KV_VALUE_MAXIMUM);
    buffer_init(&check.record, KV_VALUE_MAXIMUM);
    int error = options->repair ? directory_update(store, who, check_all, &check)
                                : directory_read(store, who, check_all, &check);
    if (!error) {
        report_all(&check);
        *result = check.result;
    }
    buffer_release(&check.told);
    buffer_release(&check.pending);
    buffer_release(&check.doomed);
    buffer_release(&check.named);
    buffer_release(&check.value);
    buffer_release(&check.record);
    return error;
}
