#include "store/dump.h"
#include "base/error.h"
#include "format/text.h"
#include "store/acl.h"
#include "store/mailbox_priv.h"
#include "store/outgoing_priv.h"
#include "store/snooze_priv.h"

#include <time.h>

enum { BYTES_SHOWN = 64 };

struct dump {
    int (*line)(const char *text, void *arg);
    void *arg;
    struct buffer text;
};

/* --- words --- */

static void say(struct dump *dump, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct dump *dump, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    buffer_append_formatv(&dump->text, format, arguments);
    va_end(arguments);
}

static void say_number(struct dump *dump, const char *name, uint64_t number)
{
    say(dump, " %s=%llu", name, (unsigned long long)number);
}

/* Bytes in quotes: what is neither printable nor UTF-8 as \xNN. */
static void say_bytes(struct dump *dump, struct slice bytes)
{
    unsigned char last = text_is_utf8(bytes) ? 0xff : 0x7e;
    buffer_append_byte(&dump->text, '"');
    for (size_t i = 0; i < bytes.size && i < BYTES_SHOWN; i++) {
        unsigned char byte = (unsigned char)bytes.data[i];
        bool plain = byte >= ' ' && byte <= last && byte != 0x7f && byte != '"' && byte != '\\';
        say(dump, plain ? "%c" : "\\x%02x", byte);
    }
    buffer_append_string(&dump->text, bytes.size > BYTES_SHOWN ? "\"..." : "\"");
}

static void say_date(struct dump *dump, const char *name, int64_t date)
{
    struct tm parts;
    time_t seconds = (time_t)date;
    char text[32];
    if (gmtime_r(&seconds, &parts) && strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts))
        say(dump, " %s=%s", name, text);
    else
        say(dump, " %s=%lld", name, (long long)date);
}

static int end_line(struct dump *dump)
{
    char text[DUMP_LINE_MAXIMUM + 1];
    bool cut = buffer_error(&dump->text) != 0 || dump->text.size > DUMP_LINE_MAXIMUM;
    snprintf(text, sizeof(text), "%.*s%s", (int)(cut ? DUMP_LINE_MAXIMUM - 3 : dump->text.size),
             dump->text.data ? dump->text.data : "", cut ? "..." : "");
    buffer_clear(&dump->text);
    return dump->line(text, dump->arg);
}

/* --- records: each says what its value holds --- */

static int say_account(struct dump *dump, struct slice value)
{
    struct account_record record;
    int error = account_record_read(value, &record);
    if (error)
        return error;
    say_number(dump, "modseq", record.modseq);
    say_date(dump, "created", record.created);
    say_number(dump, "next_message", record.next_message);
    say_number(dump, "next_collection", record.next_collection);
    say_number(dump, "collections", record.collections);
    say_number(dump, "uid_validity", record.uid_validity);
    say_number(dump, "entries", record.entries);
    say_number(dump, "entry_bytes", record.entry_bytes);
    say_number(dump, "annotation_bytes", record.annotation_bytes);
    for (int i = 0; i < QUOTA_RESOURCES; i++)
        say(dump, i ? "/%llu" : " limits=%llu", (unsigned long long)record.limits[i]);
    say_number(dump, "destroyed_modseq", record.destroyed_modseq);
    if (record.retained_since)
        say_date(dump, "retained_since", record.retained_since);
    say_number(dump, "retained", record.retained);
    say_number(dump, "retained_bytes", record.retained_bytes);
    say_number(dump, "restored_modseq", record.restored_modseq);
    say_number(dump, "marked_day", record.marked_day);
    say_number(dump, "summary_version", record.summary_version);
    say_number(dump, "flags", record.flags);
    return 0;
}

static void say_header(struct dump *dump, const struct page_header *header)
{
    say(dump, " [base=%u uids=%u:%u count=%u unseen=%u deleted=%u modseq=%llu]", header->base,
        header->first, header->last, header->count, header->unseen, header->deleted,
        (unsigned long long)header->modseq);
}

static void say_collection_record(struct dump *dump, struct collection_record record)
{
    say(dump, " name=");
    say_bytes(dump, record.name);
    say_number(dump, "type", record.type);
    say_number(dump, "role", record.role);
    say_number(dump, "flags", record.flags);
    say_number(dump, "parent", record.parent);
    say_number(dump, "uid_validity", record.uid_validity);
    say_number(dump, "uid_next", record.uid_next);
    say_number(dump, "highest_modseq", record.highest_modseq);
    say_number(dump, "created_modseq", record.created_modseq);
    say_number(dump, "changed_modseq", record.changed_modseq);
    say_number(dump, "vanished_modseq", record.vanished_modseq);
    say_number(dump, "annotation_modseq", record.annotation_modseq);
    say_number(dump, "annotation_bytes", record.annotation_bytes);
    say_number(dump, "messages", record.messages);
    say_number(dump, "unseen", record.unseen);
    say_number(dump, "deleted", record.deleted);
    say_number(dump, "size", record.size);
    say_number(dump, "pages", record.pages);
    say_header(dump, &record.tail);
}

static int say_collection(struct dump *dump, struct slice value)
{
    struct collection_record record;
    int error = collection_record_read(value, &record);
    if (!error)
        say_collection_record(dump, record);
    return error;
}

static int say_deleted(struct dump *dump, struct slice value)
{
    struct deleted_record record;
    int error = deleted_record_read(value, &record);
    if (error)
        return error;
    say(dump, " path=");
    say_bytes(dump, record.path);
    say_date(dump, "deleted", record.when);
    say_number(dump, "deleted_modseq", record.modseq);
    say_number(dump, "purging", record.flags & DELETED_PURGING);
    say_collection_record(dump, record.record);
    return 0;
}

static int say_directory(struct dump *dump, struct slice value)
{
    const char *headers;
    struct page_header header;
    size_t size = value.size > PAGE_DIRECTORY_HEADER ? value.size - PAGE_DIRECTORY_HEADER : 0;
    size_t count = size / PAGE_HEADER_SIZE;
    int error = page_directory_read(value, count, &headers);
    for (size_t i = 0; i < count && !error; i++) {
        page_header_read(headers + i * PAGE_HEADER_SIZE, &header);
        error = end_line(dump);
        say(dump, "   ");
        say_header(dump, &header);
    }
    return error;
}

static void say_entry(struct dump *dump, const struct entry *entry)
{
    say(dump, "    uid=%u flags=%u keywords=%llx/%llx message=%llu modseq=%llu created_modseq=%llu",
        entry->uid, entry->flags, (unsigned long long)entry->keywords.bits[0],
        (unsigned long long)entry->keywords.bits[1], (unsigned long long)entry->message,
        (unsigned long long)entry->modseq, (unsigned long long)entry->created_modseq);
    say_date(dump, "internal_date", entry->internal_date);
    say_date(dump, "save_date", entry->save_date);
    say_number(dump, "size", entry->size);
    if (entry->internationalized)
        say(dump, " internationalized");
}

static int say_page(struct dump *dump, struct slice value)
{
    size_t size = value.size > PAGE_VALUE_HEADER ? value.size - PAGE_VALUE_HEADER : 0;
    size_t count = size / ENTRY_SIZE;
    int error = page_value_read(value, count);
    for (size_t i = 0; i < count && !error; i++) {
        struct entry entry;
        entry_read(value.data + PAGE_VALUE_HEADER + i * ENTRY_SIZE, &entry);
        error = end_line(dump);
        say_entry(dump, &entry);
    }
    return error;
}

static int say_expunged(struct dump *dump, struct slice value)
{
    struct expunged_record record;
    int error = expunged_record_read(value, &record);
    if (error)
        return error;
    say_date(dump, "expunged", record.when);
    for (size_t i = 0; i < record.entries.size && !error; i += ENTRY_SIZE) {
        struct entry entry;
        entry_read(record.entries.data + i, &entry);
        error = end_line(dump);
        say_entry(dump, &entry);
    }
    return error;
}

static int say_message(struct dump *dump, struct slice value)
{
    struct message_record record;
    int error = message_record_read(value, &record);
    if (error)
        return error;
    say_number(dump, "size", record.size);
    say_number(dump, "thread", record.thread);
    say_number(dump, "created_modseq", record.created_modseq);
    say_number(dump, "retained", record.retained);
    if (record.body == MESSAGE_IN_BLOB)
        say(dump, " blob=%llx/%llu/%llu", (unsigned long long)record.blob.pack,
            (unsigned long long)record.blob.offset, (unsigned long long)record.blob.size);
    else
        say(dump, " body=inline");
    say(dump, " sha256=");
    for (size_t i = 0; i < sizeof(record.sha256); i++)
        say(dump, "%02x", record.sha256[i]);
    for (size_t i = 0; i < message_places(&record); i++) {
        struct place place = message_place_at(&record, i);
        say(dump, " place=%u/%ux/%u", place.collection, place.entries, place.uid);
    }
    return 0;
}

static int say_annotation(struct dump *dump, struct slice value)
{
    struct slice bytes;
    int error = annotation_record_read(value, &bytes);
    if (error)
        return error;
    say_number(dump, "bytes", bytes.size);
    say(dump, " value=");
    say_bytes(dump, bytes);
    return 0;
}

static int say_annotation_changes(struct dump *dump, struct slice value)
{
    struct slice changes;
    struct annotation_change change;
    int error = annotation_changes_record_read(value, &changes);
    while (!error && !annotation_change_next(&changes, &change)) {
        say_number(dump, "modseq", change.modseq);
        say(dump, " name=");
        say_bytes(dump, change.name);
    }
    return error;
}

static int say_scripts(struct dump *dump, struct slice value)
{
    struct scripts_record record;
    int error = scripts_record_read(value, &record);
    if (error)
        return error;
    say_number(dump, "next", record.next_id);
    say_number(dump, "active", record.active);
    for (size_t i = 0; i < record.count && !error; i++) {
        error = end_line(dump);
        say(dump, "    name=");
        say_bytes(dump, record.list[i].name);
        say_number(dump, "script", record.list[i].id);
        say_number(dump, "bytes", record.list[i].size);
        say_number(dump, "modseq", record.list[i].modseq);
    }
    return error;
}

static int say_script(struct dump *dump, struct slice value)
{
    struct slice text;
    int error = script_record_read(value, &text);
    if (error)
        return error;
    say_number(dump, "bytes", text.size);
    say(dump, " text=");
    say_bytes(dump, text);
    return 0;
}

static int say_thread(struct dump *dump, struct slice value)
{
    struct thread_member member;
    int error = thread_member_read(value, &member);
    if (error)
        return error;
    say_date(dump, "received", member.received);
    for (struct slice ids = member.ids; ids.size; ids = slice_sub(ids, 8, SIZE_MAX))
        say(dump, " id=%016llx", (unsigned long long)load_u64(ids.data));
    return 0;
}

static int say_thread_id(struct dump *dump, struct slice value)
{
    uint64_t thread;
    int error = number_record_read(value, &thread);
    if (!error)
        say_number(dump, "thread", thread);
    return error;
}

static int say_keywords(struct dump *dump, struct slice value)
{
    struct keyword_names names;
    int error = keyword_names_read(value, &names);
    for (unsigned i = 0; i < names.count && !error; i++) {
        say(dump, " %u=", i);
        say_bytes(dump, names.names[i]);
    }
    return error;
}

static int say_number_record(struct dump *dump, struct slice value)
{
    uint64_t number;
    int error = number_record_read(value, &number);
    if (!error)
        say_number(dump, "number", number);
    return error;
}

/* Of a collection one number, of messages many, each with its thread. */
static int say_destroyed(struct dump *dump, struct slice value)
{
    struct slice numbers;
    int error = value.size == 9 ? ERROR_CORRUPT : messages_record_read(value, &numbers);
    if (error)
        return say_number_record(dump, value);
    for (; numbers.size; numbers = slice_sub(numbers, MESSAGE_NUMBERS_SIZE, SIZE_MAX))
        say(dump, " %llu/%llu", (unsigned long long)load_u64(numbers.data),
            (unsigned long long)load_u64(numbers.data + 8));
    return 0;
}

static int say_set(struct dump *dump, struct slice value,
                   int (*read)(struct slice value, struct range_set *set))
{
    struct range_set set;
    range_set_init(&set, VANISHED_RANGES);
    int error = read(value, &set);
    for (size_t i = 0; i < set.count && !error; i++)
        say(dump, " %u:%u", set.ranges[i].first, set.ranges[i].last);
    range_set_release(&set);
    return error;
}

static int say_vanished(struct dump *dump, struct slice value)
{
    return say_set(dump, value, vanished_record_read);
}

static int say_subscriptions(struct dump *dump, struct slice value)
{
    return say_set(dump, value, subscriptions_read);
}

static int say_summary(struct dump *dump, struct slice value)
{
    say_number(dump, "version", value.size ? (uint8_t)value.data[0] : 0);
    say_number(dump, "bytes", value.size);
    return 0;
}

static int say_size(struct dump *dump, struct slice value)
{
    say_number(dump, "bytes", value.size);
    return 0;
}

static int say_list(struct dump *dump, struct slice value)
{
    static const char *const kinds[] = {[ACL_ACCOUNT] = "account",
                                        [ACL_GROUP] = "group",
                                        [ACL_ANYONE] = "anyone",
                                        [ACL_ANONYMOUS] = "anonymous"};
    struct slice items;
    int error = acl_record_read(value, &items);
    for (size_t i = 0; !error && i < items.size / ACL_ITEM_SIZE; i++) {
        struct acl_item item = acl_item_at(items, i);
        char id[ACCOUNT_ID_TEXT + 1], rights[RIGHTS_TEXT + 1];
        account_id_format(item.subject.id, id);
        rights_format(item.rights, rights);
        bool has_id = item.subject.kind == ACL_ACCOUNT || item.subject.kind == ACL_GROUP;
        error = end_line(dump);
        say(dump, "    %s%s%s%s=%s", item.negative ? "-" : "", kinds[item.subject.kind],
            has_id ? " " : "", has_id ? id : "", rights);
    }
    return error;
}

static int say_seen(struct dump *dump, struct slice value)
{
    struct buffer ranges;
    uint32_t seen = 0;
    uint64_t modseq = 0;
    buffer_init(&ranges, KV_VALUE_MAXIMUM);
    int error = seen_record_read(value, &seen, &modseq, &ranges);
    if (!error) {
        say_number(dump, "seen", seen);
        say_number(dump, "modseq", modseq);
    }
    for (size_t at = 0; at < ranges.size && !error; at += sizeof(struct seen_range)) {
        struct seen_range range;
        memcpy(&range, ranges.data + at, sizeof(range));
        error = end_line(dump);
        say(dump, "    %u:%u %s modseq=%llu", range.first, range.last,
            range.seen ? "seen" : "unseen", (unsigned long long)range.modseq);
    }
    buffer_release(&ranges);
    return error;
}

static void say_names(struct dump *dump, const char *name, const struct slice *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        say(dump, " %s=", name);
        say_bytes(dump, list[i]);
    }
}

static int say_snoozed(struct dump *dump, struct slice value)
{
    struct snooze_record record;
    int error = snooze_record_read(value, &record);
    if (error)
        return error;
    const struct snooze *snooze = &record.snooze;
    say_date(dump, "until", snooze->until);
    say_number(dump, "role", snooze->role);
    say_number(dump, "create", snooze->create);
    say_number(dump, "add", snooze->add);
    say_number(dump, "remove", snooze->remove);
    say(dump, " mailbox_id=");
    say_bytes(dump, snooze->mailbox_id);
    say(dump, " mailbox=");
    say_bytes(dump, snooze->mailbox);
    say_names(dump, "keyword", snooze->add_keywords, snooze->add_count);
    say_names(dump, "no_keyword", snooze->remove_keywords, snooze->remove_count);
    return 0;
}

static int say_outgoing(struct dump *dump, struct slice value)
{
    struct outgoing_record record;
    int error = outgoing_record_read(value, &record);
    if (error)
        return error;
    const struct outgoing_message *message = &record.message;
    const struct outgoing_envelope *envelope = &message->envelope;
    say(dump, " kind=%s sender=", outgoing_kind_name(envelope->kind));
    say_bytes(dump, envelope->sender);
    say_number(dump, "size", message->size);
    say(dump, " body=%s", record.in_blob ? "blob" : "inline");
    say_date(dump, "created", message->created);
    say_date(dump, "next", message->next);
    if (message->claimed)
        say_date(dump, "claimed", message->claimed);
    say_number(dump, "attempts", message->attempts);
    for (size_t i = 0; i < envelope->recipient_count && !error; i++) {
        static const char *const states[] = {"waiting", "sent", "refused"};
        const struct outgoing_recipient *recipient = &envelope->recipients[i];
        error = end_line(dump);
        say(dump, "    %s recipient=", states[recipient->state]);
        say_bytes(dump, recipient->address);
        say(dump, " reply=");
        say_bytes(dump, recipient->reply);
    }
    return error;
}

/* --- keys --- */

/* How many numbers a key begins with; what is behind them is shown as bytes. */
static const struct family {
    enum key_family letter;
    const char *name;
    unsigned numbers;
    int (*say)(struct dump *dump, struct slice value);
} families[] = {
    {KEY_ACCOUNT, "account", 0, say_account},
    {KEY_BODY, "body", 1, say_size},
    {KEY_COLLECTION, "collection", 1, say_collection},
    {KEY_DIRECTORY, "page-directory", 1, say_directory},
    {KEY_EXPUNGED, "expunged", 3, say_expunged},
    {KEY_DELETED, "deleted", 1, say_deleted},
    {KEY_HASH, "hash", 0, say_number_record},
    {KEY_INTENT, "move", 0, say_number_record},
    {KEY_KEYWORDS, "keywords", 1, say_keywords},
    {KEY_ACL, "acl", 1, say_list},
    {KEY_ACCESS_KEY, "access-key", 1, say_size},
    {KEY_MESSAGE, "message", 1, say_message},
    {KEY_NAME, "name", 2, say_number_record},
    {KEY_PAGE, "page", 2, say_page},
    {KEY_SUMMARY, "summary", 1, say_summary},
    {KEY_ANNOTATION, "annotation", 1, say_annotation},
    {KEY_MESSAGE_ANNOTATION, "message-annotation", 2, say_annotation},
    {KEY_ANNOTATION_CHANGES, "annotation-changes", 2, say_annotation_changes},
    {KEY_SCRIPT, "script", 1, say_script},
    {KEY_SCRIPTS, "scripts", 0, say_scripts},
    {KEY_THREAD, "thread", 2, say_thread},
    {KEY_THREAD_ID, "thread-id", 0, say_thread_id},
    {KEY_SUBSCRIPTIONS, "subscriptions", 0, say_subscriptions},
    {KEY_VANISHED, "vanished", 3, say_vanished},
    {KEY_SEEN, "seen", 1, say_seen},
    {KEY_DESTROYED, "destroyed", 3, say_destroyed},
    {KEY_DAY, "day", 1, say_number_record},
    {KEY_DELIVERED, "delivered", 0, say_number_record},
    {KEY_REMEMBERED, "remembered", 0, say_number_record},
    {KEY_OUTGOING, "outgoing", 1, say_outgoing},
    {KEY_OUTGOING_BODY, "outgoing-body", 1, say_size},
    {KEY_OUTGOING_RATE, "outgoing-rate", 0, say_number_record},
    {KEY_SNOOZED, "snoozed", 2, say_snoozed},
};

static const struct family *find_family(struct slice key)
{
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
        if (key.size && key.data[0] == (char)families[i].letter)
            return &families[i];
    return NULL;
}

static void say_key(struct dump *dump, struct slice key, const struct family *family)
{
    struct slice rest = slice_sub(key, 1, SIZE_MAX);
    say(dump, "%s", family ? family->name : "unknown");
    for (unsigned i = 0; family && i < family->numbers; i++) {
        uint64_t number;
        if (key_read_number(&rest, &number))
            break;
        say(dump, " %llu", (unsigned long long)number);
    }
    if (!family || rest.size) {
        say(dump, " ");
        say_bytes(dump, family ? rest : key);
    }
    say(dump, ":");
}

static int dump_record(struct dump *dump, struct slice key, struct slice value)
{
    const struct family *family = find_family(key);
    say_key(dump, key, family);
    int error = family ? family->say(dump, value) : ERROR_UNSUPPORTED;
    if (error == ERROR_CORRUPT || error == ERROR_UNSUPPORTED) {
        say(dump, " %s: ", error_name(error));
        say_bytes(dump, value);
        error = 0;
    }
    return error ? error : end_line(dump);
}

static int dump_all(struct dump *dump, struct kv_transaction *transaction)
{
    struct kv_cursor *cursor;
    struct slice key, value;
    int error = kv_cursor_open(transaction, SLICE(""), SLICE(""), &cursor);
    if (error)
        return error;
    bool ended = false;
    while (!ended && !error) {
        error = kv_cursor_next(cursor, &key, &value);
        ended = error == ERROR_NOT_FOUND;
        if (!error)
            error = dump_record(dump, key, value);
    }
    kv_cursor_close(&cursor);
    return ended ? 0 : error;
}

int store_dump_account(struct store *store, struct who who, struct account_id account,
                       int (*line)(const char *text, void *arg), void *arg)
{
    struct dump dump = {.line = line, .arg = arg};
    struct store_view *view;
    struct kv_transaction *transaction;
    if (who.kind != WHO_KIND_SYSTEM)
        return ERROR_DENIED;
    int error = store_view_open(store, who, account, &view);
    if (error)
        return error;
    buffer_init(&dump.text, 2 * DUMP_LINE_MAXIMUM);
    error = view_read(view, &transaction);
    if (!error) {
        error = dump_all(&dump, transaction);
        view_read_end(view, &transaction);
    }
    buffer_release(&dump.text);
    store_view_close(&view);
    return error;
}
