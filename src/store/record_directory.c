#include "base/error.h"
#include "store/directory_priv.h"

/* --- keys --- */

char directory_letter(enum directory_kind kind)
{
    static const char letters[] = {
        [DIRECTORY_ACCOUNT] = 'a', [DIRECTORY_GROUP] = 'g', [DIRECTORY_ALIAS] = 't'};
    return letters[kind];
}

static int kind_of(char letter, enum directory_kind *kind)
{
    for (enum directory_kind k = DIRECTORY_ACCOUNT; k <= DIRECTORY_ALIAS; k++) {
        if (directory_letter(k) == letter) {
            *kind = k;
            return 0;
        }
    }
    return ERROR_CORRUPT;
}

static void append(struct directory_key *key, struct slice bytes)
{
    bytes = slice_sub(bytes, 0, sizeof(key->bytes) - key->size);
    if (bytes.size)
        memcpy(key->bytes + key->size, bytes.data, bytes.size);
    key->size += bytes.size;
}

static void append_id(struct directory_key *key, struct account_id id)
{
    char text[ACCOUNT_ID_TEXT + 1];
    account_id_format(id, text);
    append(key, slice_make(text, ACCOUNT_ID_TEXT));
}

static struct slice begin(struct directory_key *key, char letter)
{
    key->bytes[0] = letter;
    key->size = 1;
    return slice_make(key->bytes, key->size);
}

static struct slice finished(const struct directory_key *key)
{
    return slice_make(key->bytes, key->size);
}

struct slice directory_key_entry(struct directory_key *key, struct directory_name name)
{
    begin(key, directory_letter(name.kind));
    append_id(key, name.id);
    return finished(key);
}

struct slice directory_key_name(struct directory_key *key, struct slice address)
{
    begin(key, 'n');
    append(key, address);
    return finished(key);
}

struct slice directory_key_domain(struct directory_key *key, struct slice domain)
{
    begin(key, 'd');
    append(key, domain);
    return finished(key);
}

struct slice directory_key_edges(struct directory_key *key, enum directory_side side,
                                 struct account_id from, enum directory_kind kind)
{
    begin(key, (char)side);
    append_id(key, from);
    char letter = kind ? directory_letter(kind) : '\0';
    append(key, slice_make(&letter, kind ? 1 : 0));
    return finished(key);
}

struct slice directory_key_edge(struct directory_key *key, enum directory_side side,
                                struct account_id from, struct directory_name to)
{
    directory_key_edges(key, side, from, to.kind);
    append_id(key, to.id);
    return finished(key);
}

static const char subject_letters[] = {
    [ACL_ACCOUNT] = 'a', [ACL_GROUP] = 'g', [ACL_ANYONE] = 'e', [ACL_ANONYMOUS] = 'n'};

struct slice directory_key_sharers(struct directory_key *key, struct acl_subject subject)
{
    begin(key, 's');
    append(key, slice_make(&subject_letters[subject.kind], 1));
    append_id(key, subject.id);
    return finished(key);
}

struct slice directory_key_shared(struct directory_key *key, struct acl_subject subject,
                                  struct account_id owner)
{
    directory_key_sharers(key, subject);
    append_id(key, owner);
    return finished(key);
}

int directory_key_shared_read(struct slice key, struct acl_subject *subject,
                              struct account_id *owner)
{
    struct acl_subject read = {.kind = ACL_ACCOUNT};
    char letter = key.size > 1 ? key.data[1] : '\0';
    while (read.kind <= ACL_ANONYMOUS && subject_letters[read.kind] != letter)
        read.kind++;
    if (read.kind > ACL_ANONYMOUS ||
        account_id_parse(slice_sub(key, 2, ACCOUNT_ID_TEXT), &read.id) ||
        account_id_parse(slice_sub(key, 2 + ACCOUNT_ID_TEXT, SIZE_MAX), owner))
        return ERROR_CORRUPT;
    *subject = read;
    return 0;
}

struct slice directory_key_script(struct directory_key *key, char letter,
                                  const struct site_script *script)
{
    const char place = (char)script->place;
    begin(key, letter);
    append(key, slice_make(&place, 1));
    append(key, script->domain);
    append(key, SLICE("/"));
    append(key, script->name);
    return finished(key);
}

int directory_key_script_read(struct slice key, struct site_script *script)
{
    size_t end = slice_find(key, '/');
    char place = key.size > 1 ? key.data[1] : 0;
    struct slice name = slice_sub(key, end + 1, SIZE_MAX);
    if (!place ||
        !memchr((const char[]){SITE_BEFORE, SITE_AFTER, SITE_INCLUDED, SITE_EVENT}, place, 4) ||
        end >= key.size || (place == SITE_INCLUDED) != script_name_is_valid(name) ||
        (place != SITE_INCLUDED && name.size))
        return ERROR_CORRUPT;
    script->place = (enum site_place)place;
    script->domain = slice_sub(key, 2, end - 2);
    script->name = name;
    return 0;
}

struct slice directory_key_intent(struct directory_key *key, const struct account_id *id)
{
    begin(key, 'j');
    if (id)
        append_id(key, *id);
    return finished(key);
}

struct slice directory_key_due(struct directory_key *key, enum due_kind kind,
                               const struct account_id *id)
{
    begin(key, (char)kind);
    if (id)
        append_id(key, *id);
    return finished(key);
}

struct slice directory_key_annotation(struct directory_key *key, struct slice name)
{
    begin(key, 'v');
    append(key, SLICE("s"));
    append(key, name);
    return finished(key);
}

int directory_key_entry_read(struct slice key, struct directory_name *name)
{
    struct directory_name read;
    if (!key.size || kind_of(key.data[0], &read.kind) ||
        account_id_parse(slice_sub(key, 1, SIZE_MAX), &read.id))
        return ERROR_CORRUPT;
    *name = read;
    return 0;
}

int directory_key_edge_read(struct slice key, struct account_id *from, struct directory_name *to)
{
    struct account_id read;
    if (account_id_parse(slice_sub(key, 1, ACCOUNT_ID_TEXT), &read) ||
        directory_key_entry_read(slice_sub(key, 1 + ACCOUNT_ID_TEXT, SIZE_MAX), to))
        return ERROR_CORRUPT;
    *from = read;
    return 0;
}

/* --- records --- */

enum {
    ENTRY_VERSION = 1,
    ACCOUNT_ENTRY_VERSION = 2,
    NAME_VERSION = 1,
    DOMAIN_VERSION = 1,
    EDGE_VERSION = 1,
    SCRIPT_VERSION = 1
};

/* An account's second version has flags. */
enum { ENTRY_FLAG_SHARED = 1 };

int directory_entry_read(struct slice key, struct slice value, struct directory_entry *entry)
{
    struct directory_name name;
    if (directory_key_entry_read(key, &name))
        return ERROR_CORRUPT;
    bool later =
        name.kind == DIRECTORY_ACCOUNT && value.size && value.data[0] == ACCOUNT_ENTRY_VERSION;
    struct record_reader reader =
        record_reader_make(value, later ? ACCOUNT_ENTRY_VERSION : ENTRY_VERSION);
    struct directory_entry read = {.kind = name.kind, .id = name.id};
    read.created = (int64_t)record_read_number(&reader, 8);
    if (name.kind != DIRECTORY_ACCOUNT)
        read.members = (size_t)record_read_number(&reader, 4);
    uint64_t flags = later ? record_read_number(&reader, 1) : 0;
    read.shared = flags & ENTRY_FLAG_SHARED;
    read.address = record_read_bytes(&reader, (size_t)record_read_number(&reader, 2));
    int error = record_reader_finish(&reader);
    if (!error && (read.address.size == 0 || read.address.size > ADDRESS_MAXIMUM ||
                   flags > ENTRY_FLAG_SHARED))
        error = ERROR_CORRUPT;
    if (!error)
        *entry = read;
    return error;
}

void directory_entry_write(const struct directory_entry *entry, struct buffer *value)
{
    bool account = entry->kind == DIRECTORY_ACCOUNT;
    record_write_begin(value, account ? ACCOUNT_ENTRY_VERSION : ENTRY_VERSION);
    record_write_number(value, 8, (uint64_t)entry->created);
    if (account)
        record_write_number(value, 1, entry->shared ? ENTRY_FLAG_SHARED : 0);
    else
        record_write_number(value, 4, entry->members);
    record_write_number(value, 2, entry->address.size);
    buffer_append(value, entry->address);
}

int directory_name_read(struct slice value, struct directory_name *name)
{
    struct record_reader reader = record_reader_make(value, NAME_VERSION);
    uint64_t kind = record_read_number(&reader, 1);
    struct slice bytes = record_read_bytes(&reader, sizeof(name->id.bytes));
    int error = record_reader_finish(&reader);
    if (!error && (kind < DIRECTORY_ACCOUNT || kind > DIRECTORY_ALIAS))
        error = ERROR_CORRUPT;
    if (error)
        return error;
    name->kind = (enum directory_kind)kind;
    memcpy(name->id.bytes, bytes.data, sizeof(name->id.bytes));
    return 0;
}

void directory_name_write(struct directory_name name, struct buffer *value)
{
    record_write_begin(value, NAME_VERSION);
    record_write_number(value, 1, name.kind);
    buffer_append(value, slice_make(name.id.bytes, sizeof(name.id.bytes)));
}

int directory_domain_read(struct slice value, int64_t *created)
{
    struct record_reader reader = record_reader_make(value, DOMAIN_VERSION);
    int64_t read = (int64_t)record_read_number(&reader, 8);
    int error = record_reader_finish(&reader);
    if (!error)
        *created = read;
    return error;
}

void directory_domain_write(int64_t created, struct buffer *value)
{
    record_write_begin(value, DOMAIN_VERSION);
    record_write_number(value, 8, (uint64_t)created);
}

int site_script_record_read(struct slice value, struct site_script *script)
{
    struct record_reader reader = record_reader_make(value, SCRIPT_VERSION);
    uint64_t active = record_read_number(&reader, 1);
    uint64_t size = record_read_number(&reader, 4);
    uint64_t version = record_read_number(&reader, 8);
    int64_t changed = (int64_t)record_read_number(&reader, 8);
    int error = record_reader_finish(&reader);
    if (!error && (active > 1 || size > SCRIPT_TEXT_MAXIMUM))
        error = ERROR_CORRUPT;
    if (error)
        return error;
    script->active = active;
    script->size = (size_t)size;
    script->version = version;
    script->changed = changed;
    return 0;
}

void site_script_record_write(const struct site_script *script, struct buffer *value)
{
    record_write_begin(value, SCRIPT_VERSION);
    record_write_number(value, 1, script->active);
    record_write_number(value, 4, script->size);
    record_write_number(value, 8, script->version);
    record_write_number(value, 8, (uint64_t)script->changed);
}

enum { INTENT_VERSION = 1 };

int intent_record_read(struct slice value, struct intent *intent)
{
    struct record_reader reader = record_reader_make(value, INTENT_VERSION);
    struct slice source = record_read_bytes(&reader, sizeof(intent->source.bytes));
    struct slice target = record_read_bytes(&reader, sizeof(intent->target.bytes));
    collection_id mailbox = (collection_id)record_read_number(&reader, 4);
    int64_t begun = (int64_t)record_read_number(&reader, 8);
    int error = reader.error;
    while (!error && reader.rest.size) {
        uint32_t first = (uint32_t)record_read_number(&reader, 4);
        uint32_t last = (uint32_t)record_read_number(&reader, 4);
        error = reader.error ? reader.error : range_set_add(&intent->uids, first, last);
    }
    if (error)
        return error == ERROR_INVALID ? ERROR_CORRUPT : error;
    memcpy(intent->source.bytes, source.data, source.size);
    memcpy(intent->target.bytes, target.data, target.size);
    intent->mailbox = mailbox;
    intent->begun = begun;
    return 0;
}

void intent_record_write(const struct intent *intent, struct buffer *value)
{
    record_write_begin(value, INTENT_VERSION);
    buffer_append(value, slice_make(intent->source.bytes, sizeof(intent->source.bytes)));
    buffer_append(value, slice_make(intent->target.bytes, sizeof(intent->target.bytes)));
    record_write_number(value, 4, intent->mailbox);
    record_write_number(value, 8, (uint64_t)intent->begun);
    for (size_t i = 0; i < intent->uids.count; i++) {
        record_write_number(value, 4, intent->uids.ranges[i].first);
        record_write_number(value, 4, intent->uids.ranges[i].last);
    }
}

enum { NOTE_VERSION = 1 };

int due_note_read(struct slice value, struct due_note *note)
{
    struct record_reader reader = record_reader_make(value, NOTE_VERSION);
    note->noted = (int64_t)record_read_number(&reader, 8);
    note->due = (int64_t)record_read_number(&reader, 8);
    return record_reader_finish(&reader);
}

void due_note_write(const struct due_note *note, struct buffer *value)
{
    record_write_begin(value, NOTE_VERSION);
    record_write_number(value, 8, (uint64_t)note->noted);
    record_write_number(value, 8, (uint64_t)note->due);
}

int directory_edge_read(struct slice value)
{
    struct record_reader reader = record_reader_make(value, EDGE_VERSION);
    return record_reader_finish(&reader);
}

void directory_edge_write(struct buffer *value)
{
    record_write_begin(value, EDGE_VERSION);
}
