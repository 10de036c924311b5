#include "base/error.h"
#include "kv/kv.h"
#include "store/record_priv.h"

/* --- bytes --- */

struct slice record_read_bytes(struct record_reader *reader, size_t size)
{
    if (reader->error || reader->rest.size < size) {
        reader->error = ERROR_CORRUPT;
        return (struct slice){NULL, 0};
    }
    struct slice bytes = slice_sub(reader->rest, 0, size);
    reader->rest = slice_sub(reader->rest, size, SIZE_MAX);
    return bytes;
}

uint64_t record_read_number(struct record_reader *reader, size_t size)
{
    struct slice bytes = record_read_bytes(reader, size);
    uint64_t number = 0;
    for (size_t i = bytes.size; i > 0; i--)
        number = number << 8 | (uint8_t)bytes.data[i - 1];
    return number;
}

struct record_reader record_reader_make(struct slice value, uint8_t version)
{
    struct record_reader reader = {.rest = value};
    if (record_read_number(&reader, 1) != version)
        reader.error = ERROR_CORRUPT;
    return reader;
}

int record_reader_finish(const struct record_reader *reader)
{
    return reader->error ? reader->error : reader->rest.size ? ERROR_CORRUPT : 0;
}

void record_write_begin(struct buffer *value, uint8_t version)
{
    buffer_clear(value);
    buffer_append_byte(value, (char)version);
}

void record_write_number(struct buffer *value, size_t size, uint64_t number)
{
    number = htole64(number);
    buffer_append(value, slice_make(&number, size));
}

/* --- the account --- */

/* The first version has no flags. */
enum { ACCOUNT_VERSION = 2, ACCOUNT_VERSION_FIRST = 1 };

int account_record_read(struct slice value, struct account_record *record)
{
    bool first = value.size && value.data[0] == ACCOUNT_VERSION_FIRST;
    struct record_reader reader =
        record_reader_make(value, first ? ACCOUNT_VERSION_FIRST : ACCOUNT_VERSION);
    struct account_record read = {0};
    read.modseq = record_read_number(&reader, 8);
    read.created = (int64_t)record_read_number(&reader, 8);
    read.next_message = record_read_number(&reader, 8);
    read.next_collection = (uint32_t)record_read_number(&reader, 4);
    read.collections = (uint32_t)record_read_number(&reader, 4);
    read.uid_validity = (uint32_t)record_read_number(&reader, 4);
    read.entries = record_read_number(&reader, 8);
    read.entry_bytes = record_read_number(&reader, 8);
    read.annotation_bytes = record_read_number(&reader, 8);
    for (size_t i = 0; i < QUOTA_RESOURCES; i++)
        read.limits[i] = record_read_number(&reader, 8);
    read.destroyed_modseq = record_read_number(&reader, 8);
    read.retained_since = (int64_t)record_read_number(&reader, 8);
    read.retained = record_read_number(&reader, 8);
    read.retained_bytes = record_read_number(&reader, 8);
    read.restored_modseq = record_read_number(&reader, 8);
    read.marked_day = (uint32_t)record_read_number(&reader, 4);
    read.summary_version = (uint8_t)record_read_number(&reader, 1);
    read.flags = first ? 0 : (uint8_t)record_read_number(&reader, 1);
    int error = record_reader_finish(&reader);
    if (!error)
        *record = read;
    return error;
}

void account_record_write(const struct account_record *record, struct buffer *value)
{
    record_write_begin(value, ACCOUNT_VERSION);
    record_write_number(value, 8, record->modseq);
    record_write_number(value, 8, (uint64_t)record->created);
    record_write_number(value, 8, record->next_message);
    record_write_number(value, 4, record->next_collection);
    record_write_number(value, 4, record->collections);
    record_write_number(value, 4, record->uid_validity);
    record_write_number(value, 8, record->entries);
    record_write_number(value, 8, record->entry_bytes);
    record_write_number(value, 8, record->annotation_bytes);
    for (size_t i = 0; i < QUOTA_RESOURCES; i++)
        record_write_number(value, 8, record->limits[i]);
    record_write_number(value, 8, record->destroyed_modseq);
    record_write_number(value, 8, (uint64_t)record->retained_since);
    record_write_number(value, 8, record->retained);
    record_write_number(value, 8, record->retained_bytes);
    record_write_number(value, 8, record->restored_modseq);
    record_write_number(value, 4, record->marked_day);
    record_write_number(value, 1, record->summary_version);
    record_write_number(value, 1, record->flags);
}

/* --- pages --- */

enum { PAGE_VERSION = 1, PAGE_DIRECTORY_VERSION = 1 };

void page_header_read(const char bytes[PAGE_HEADER_SIZE], struct page_header *header)
{
    uint32_t counts = load_u32(bytes + 12);
    *header = (struct page_header){
        .base = load_u32(bytes),
        .first = load_u32(bytes + 4),
        .last = load_u32(bytes + 8),
        .count = (uint16_t)counts,
        .unseen = (uint16_t)(counts >> 16),
        .deleted = (uint16_t)load_u32(bytes + 16),
        .modseq = load_u64(bytes + 24),
    };
}

void page_header_write(const struct page_header *header, char bytes[PAGE_HEADER_SIZE])
{
    store_u32(bytes, header->base);
    store_u32(bytes + 4, header->first);
    store_u32(bytes + 8, header->last);
    store_u32(bytes + 12, header->count | (uint32_t)header->unseen << 16);
    store_u32(bytes + 16, header->deleted);
    store_u32(bytes + 20, 0);
    store_u64(bytes + 24, header->modseq);
}

int page_directory_read(struct slice value, size_t pages, const char **headers)
{
    if (value.size != PAGE_DIRECTORY_HEADER + pages * PAGE_HEADER_SIZE ||
        value.data[0] != PAGE_DIRECTORY_VERSION)
        return ERROR_CORRUPT;
    *headers = value.data + PAGE_DIRECTORY_HEADER;
    return 0;
}

void page_directory_begin(struct buffer *value)
{
    record_write_begin(value, PAGE_DIRECTORY_VERSION);
    record_write_number(value, PAGE_DIRECTORY_HEADER - 1, 0);
}

/* version, entry size, count, and room that is zero. */
int page_value_read(struct slice value, size_t count)
{
    if (value.size != PAGE_VALUE_HEADER + count * ENTRY_SIZE || value.data[0] != PAGE_VERSION ||
        (uint8_t)value.data[1] != ENTRY_SIZE || (uint8_t)value.data[2] != count)
        return ERROR_CORRUPT;
    return 0;
}

void page_value_begin(char head[PAGE_VALUE_HEADER], size_t count)
{
    memset(head, 0, PAGE_VALUE_HEADER);
    head[0] = PAGE_VERSION;
    head[1] = ENTRY_SIZE;
    head[2] = (char)count;
}

static void store_bytes(char *bytes, size_t size, uint64_t number)
{
    number = htole64(number);
    memcpy(bytes, &number, size);
}

enum { DATE_BITS = 40, NUMBER_BITS = 48 };

static void store_date(char *bytes, int64_t date)
{
    const int64_t latest = (INT64_C(1) << (DATE_BITS - 1)) - 1;
    date = date > latest ? latest : date < -latest ? -latest : date;
    store_bytes(bytes, DATE_BITS / 8, (uint64_t)date);
}

/* Each field by a load of 8 bytes that also takes what lies beside it, shifted out again: a copy of
 * 6 bytes and then a load of 8 would wait for one another. */
void entry_read(const char bytes[ENTRY_SIZE], struct entry *entry)
{
    const uint64_t number = (UINT64_C(1) << NUMBER_BITS) - 1;
    *entry = (struct entry){
        .uid = load_u32(bytes),
        .flags = entry_read_flags(bytes),
        .size = load_u64(bytes + 6) & number,
        .keywords = {{load_u64(bytes + 12), load_u64(bytes + 20)}},
        .message = load_u64(bytes + 28) & number,
        .modseq = load_u64(bytes + 34) & number,
        .created_modseq = load_u64(bytes + 40) & number,
        .internal_date = (int64_t)(load_u64(bytes + 46) << (64 - DATE_BITS)) >> (64 - DATE_BITS),
        .save_date = (int64_t)load_u64(bytes + 48) >> (64 - DATE_BITS),
        .internationalized = load_u32(bytes + 4) & ENTRY_INTERNATIONALIZED,
    };
}

void entry_write(const struct entry *entry, char bytes[ENTRY_SIZE])
{
    store_u32(bytes, entry->uid);
    store_bytes(bytes + 4, 2,
                entry->flags | (entry->internationalized ? ENTRY_INTERNATIONALIZED : 0));
    store_bytes(bytes + 6, 6, entry->size);
    store_u64(bytes + 12, entry->keywords.bits[0]);
    store_u64(bytes + 20, entry->keywords.bits[1]);
    store_bytes(bytes + 28, 6, entry->message);
    store_bytes(bytes + 34, 6, entry->modseq);
    store_bytes(bytes + 40, 6, entry->created_modseq);
    store_date(bytes + 46, entry->internal_date);
    store_date(bytes + 51, entry->save_date);
}

/* --- collections --- */

enum { COLLECTION_VERSION = 1, NUMBER_VERSION = 1, KEYWORDS_VERSION = 1 };

static struct page_header read_page_header(struct record_reader *reader)
{
    struct page_header header = {0};
    struct slice bytes = record_read_bytes(reader, PAGE_HEADER_SIZE);
    if (bytes.size)
        page_header_read(bytes.data, &header);
    return header;
}

int collection_record_read(struct slice value, struct collection_record *record)
{
    struct record_reader reader = record_reader_make(value, COLLECTION_VERSION);
    struct collection_record read = {0};
    read.type = (uint8_t)record_read_number(&reader, 1);
    read.role = (uint8_t)record_read_number(&reader, 1);
    read.flags = (uint8_t)record_read_number(&reader, 1);
    read.parent = (collection_id)record_read_number(&reader, 4);
    read.uid_validity = (uint32_t)record_read_number(&reader, 4);
    read.uid_next = (uint32_t)record_read_number(&reader, 4);
    read.highest_modseq = record_read_number(&reader, 8);
    read.created_modseq = record_read_number(&reader, 8);
    read.changed_modseq = record_read_number(&reader, 8);
    read.vanished_modseq = record_read_number(&reader, 8);
    read.annotation_modseq = record_read_number(&reader, 8);
    read.annotation_bytes = record_read_number(&reader, 8);
    read.messages = (uint32_t)record_read_number(&reader, 4);
    read.unseen = (uint32_t)record_read_number(&reader, 4);
    read.deleted = (uint32_t)record_read_number(&reader, 4);
    read.pages = (uint32_t)record_read_number(&reader, 4);
    read.size = record_read_number(&reader, 8);
    read.tail = read_page_header(&reader);
    read.name = record_read_bytes(&reader, (size_t)record_read_number(&reader, 2));
    int error = record_reader_finish(&reader);
    if (!error && (read.pages > MAILBOX_PAGES_MAXIMUM || read.tail.count > PAGE_ENTRIES ||
                   read.name.size > COLLECTION_NAME_MAXIMUM))
        error = ERROR_CORRUPT;
    if (!error)
        *record = read;
    return error;
}

void collection_record_write(const struct collection_record *record, struct buffer *value)
{
    char tail[PAGE_HEADER_SIZE];
    page_header_write(&record->tail, tail);
    record_write_begin(value, COLLECTION_VERSION);
    record_write_number(value, 1, record->type);
    record_write_number(value, 1, record->role);
    record_write_number(value, 1, record->flags);
    record_write_number(value, 4, record->parent);
    record_write_number(value, 4, record->uid_validity);
    record_write_number(value, 4, record->uid_next);
    record_write_number(value, 8, record->highest_modseq);
    record_write_number(value, 8, record->created_modseq);
    record_write_number(value, 8, record->changed_modseq);
    record_write_number(value, 8, record->vanished_modseq);
    record_write_number(value, 8, record->annotation_modseq);
    record_write_number(value, 8, record->annotation_bytes);
    record_write_number(value, 4, record->messages);
    record_write_number(value, 4, record->unseen);
    record_write_number(value, 4, record->deleted);
    record_write_number(value, 4, record->pages);
    record_write_number(value, 8, record->size);
    buffer_append(value, slice_make(tail, sizeof(tail)));
    record_write_number(value, 2, record->name.size);
    buffer_append(value, record->name);
}

int number_record_read(struct slice value, uint64_t *number)
{
    struct record_reader reader = record_reader_make(value, NUMBER_VERSION);
    uint64_t read = record_read_number(&reader, 8);
    int error = record_reader_finish(&reader);
    if (!error)
        *number = read;
    return error;
}

void number_record_write(uint64_t number, struct buffer *value)
{
    record_write_begin(value, NUMBER_VERSION);
    record_write_number(value, 8, number);
}

int keyword_names_read(struct slice value, struct keyword_names *names)
{
    struct record_reader reader = record_reader_make(value, KEYWORDS_VERSION);
    size_t count = (size_t)record_read_number(&reader, 1);
    if (count > KEYWORDS_MAXIMUM)
        return ERROR_CORRUPT;
    for (size_t i = 0; i < count; i++)
        names->names[i] = record_read_bytes(&reader, (size_t)record_read_number(&reader, 1));
    names->count = (unsigned)count;
    return record_reader_finish(&reader);
}

void keyword_names_write(const struct keyword_names *names, struct buffer *value)
{
    record_write_begin(value, KEYWORDS_VERSION);
    record_write_number(value, 1, names->count);
    for (unsigned i = 0; i < names->count; i++) {
        record_write_number(value, 1, names->names[i].size);
        buffer_append(value, names->names[i]);
    }
}

/* --- messages --- */

enum { MESSAGE_VERSION = 1 };

int message_record_read(struct slice value, struct message_record *record)
{
    struct record_reader reader = record_reader_make(value, MESSAGE_VERSION);
    struct message_record read = {0};
    read.body = (uint8_t)record_read_number(&reader, 1);
    read.retained = (uint32_t)record_read_number(&reader, 4);
    read.size = record_read_number(&reader, 8);
    read.thread = record_read_number(&reader, 8);
    read.created_modseq = record_read_number(&reader, 8);
    struct slice sha256 = record_read_bytes(&reader, sizeof(read.sha256));
    if (sha256.size)
        memcpy(read.sha256, sha256.data, sizeof(read.sha256));
    if (!reader.error && read.body == MESSAGE_IN_BLOB)
        reader.error = blob_id_decode(record_read_bytes(&reader, BLOB_ID_ENCODED), &read.blob);
    size_t places = (size_t)record_read_number(&reader, 2);
    read.places = record_read_bytes(&reader, places * PLACE_SIZE);
    int error = record_reader_finish(&reader);
    if (!error && read.body != MESSAGE_INLINE && read.body != MESSAGE_IN_BLOB)
        error = ERROR_CORRUPT;
    if (!error)
        *record = read;
    return error;
}

void message_record_write(const struct message_record *record, struct buffer *value)
{
    record_write_begin(value, MESSAGE_VERSION);
    record_write_number(value, 1, record->body);
    record_write_number(value, 4, record->retained);
    record_write_number(value, 8, record->size);
    record_write_number(value, 8, record->thread);
    record_write_number(value, 8, record->created_modseq);
    buffer_append(value, slice_make(record->sha256, sizeof(record->sha256)));
    if (record->body == MESSAGE_IN_BLOB) {
        char blob[BLOB_ID_ENCODED];
        blob_id_encode(record->blob, blob);
        buffer_append(value, slice_make(blob, sizeof(blob)));
    }
    record_write_number(value, 2, message_places(record));
    buffer_append(value, record->places);
}

struct place message_place_at(const struct message_record *record, size_t index)
{
    const char *bytes = record->places.data + index * PLACE_SIZE;
    return (struct place){load_u32(bytes), load_u32(bytes + 4), load_u32(bytes + 8)};
}

size_t message_place_find(const struct message_record *record, collection_id collection)
{
    size_t low = 0, high = message_places(record);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (message_place_at(record, middle).collection < collection)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Where the collection's place is in the buffer, or would be. */
static char *place_in(struct buffer *places, collection_id collection, bool *found)
{
    struct message_record record = {.places = buffer_slice(places)};
    size_t index = message_place_find(&record, collection);
    *found = index < message_places(&record) &&
             message_place_at(&record, index).collection == collection;
    return places->data + index * PLACE_SIZE;
}

int places_add(struct buffer *places, collection_id collection, uint32_t uid)
{
    bool found;
    if (!buffer_reserve(places, PLACE_SIZE))
        return buffer_error(places);
    char *place = place_in(places, collection, &found);
    if (!found) {
        memmove(place + PLACE_SIZE, place, (size_t)(places->data + places->size - place));
        buffer_commit(places, PLACE_SIZE);
        store_u32(place, collection);
        store_u32(place + 4, 0);
    }
    store_u32(place + 4, load_u32(place + 4) + 1);
    store_u32(place + 8, uid);
    return 0;
}

int places_remove(struct buffer *places, collection_id collection, uint32_t uid)
{
    bool found;
    char *place = place_in(places, collection, &found);
    if (!found || load_u32(place + 4) == 0)
        return ERROR_CORRUPT;
    store_u32(place + 4, load_u32(place + 4) - 1);
    if (load_u32(place + 8) == uid)
        store_u32(place + 8, 0);
    if (load_u32(place + 4) == 0) {
        char *end = places->data + places->size;
        memmove(place, place + PLACE_SIZE, (size_t)(end - place - PLACE_SIZE));
        buffer_truncate(places, places->size - PLACE_SIZE);
    }
    return 0;
}

/* --- access control lists --- */

enum { ACL_VERSION = 1 };

struct acl_item acl_item_at(struct slice items, size_t index)
{
    const char *bytes = items.data + index * ACL_ITEM_SIZE;
    uint16_t rights;
    struct acl_item item = {.subject.kind = (enum acl_subject_kind)(uint8_t)bytes[0],
                            .negative = bytes[1] != 0};
    memcpy(&rights, bytes + 2, sizeof(rights));
    item.rights = le16toh(rights);
    memcpy(item.subject.id.bytes, bytes + 4, sizeof(item.subject.id.bytes));
    return item;
}

int acl_record_read(struct slice value, struct slice *items)
{
    struct record_reader reader = record_reader_make(value, ACL_VERSION);
    if (reader.error || reader.rest.size % ACL_ITEM_SIZE)
        return ERROR_CORRUPT;
    for (size_t i = 0; i < reader.rest.size / ACL_ITEM_SIZE; i++) {
        struct acl_item item = acl_item_at(reader.rest, i);
        if (item.subject.kind < ACL_ACCOUNT || item.subject.kind > ACL_ANONYMOUS || !item.rights ||
            item.rights & ~(uint32_t)RIGHT_ALL)
            return ERROR_CORRUPT;
    }
    *items = reader.rest;
    return 0;
}

void acl_item_write(const struct acl_item *item, struct buffer *items)
{
    record_write_number(items, 1, item->subject.kind);
    record_write_number(items, 1, item->negative);
    record_write_number(items, 2, item->rights);
    buffer_append(items, slice_make(item->subject.id.bytes, sizeof(item->subject.id.bytes)));
}

void acl_record_write(struct slice items, struct buffer *value)
{
    record_write_begin(value, ACL_VERSION);
    buffer_append(value, items);
}

/* --- keys that sign URLs --- */

enum { ACCESS_KEY_VERSION = 1 };

int access_key_record_read(struct slice value, uint8_t key[ACCESS_KEY_SIZE])
{
    struct record_reader reader = record_reader_make(value, ACCESS_KEY_VERSION);
    if (reader.error || reader.rest.size != ACCESS_KEY_SIZE)
        return ERROR_CORRUPT;
    memcpy(key, reader.rest.data, ACCESS_KEY_SIZE);
    return 0;
}

void access_key_record_write(const uint8_t key[ACCESS_KEY_SIZE], struct buffer *value)
{
    record_write_begin(value, ACCESS_KEY_VERSION);
    buffer_append(value, slice_make(key, ACCESS_KEY_SIZE));
}

/* --- what others have seen --- */

enum { SEEN_VERSION = 1 };
#define SEEN_BIT (UINT64_C(1) << 63) /* beside the modseq */

int seen_record_read(struct slice value, uint32_t *seen, uint64_t *modseq, struct buffer *ranges)
{
    struct record_reader reader = record_reader_make(value, SEEN_VERSION);
    uint32_t count = (uint32_t)record_read_number(&reader, 4), last = 0;
    uint64_t highest = record_read_number(&reader, 8);
    while (!reader.error && reader.rest.size) {
        struct seen_range range = {.first = (uint32_t)record_read_number(&reader, 4),
                                   .last = (uint32_t)record_read_number(&reader, 4)};
        uint64_t bits = record_read_number(&reader, 8);
        range.seen = bits & SEEN_BIT;
        range.modseq = bits & ~SEEN_BIT;
        if (range.first <= last || range.last < range.first || range.modseq > highest)
            return ERROR_CORRUPT;
        last = range.last;
        buffer_append(ranges, slice_make(&range, sizeof(range)));
    }
    int error = record_reader_finish(&reader);
    if (!error)
        error = buffer_error(ranges);
    if (error)
        return error;
    *seen = count;
    *modseq = highest;
    return 0;
}

void seen_record_write(uint32_t seen, uint64_t modseq, const struct buffer *ranges,
                       struct buffer *value)
{
    record_write_begin(value, SEEN_VERSION);
    record_write_number(value, 4, seen);
    record_write_number(value, 8, modseq);
    for (size_t at = 0; at < ranges->size; at += sizeof(struct seen_range)) {
        struct seen_range range;
        memcpy(&range, ranges->data + at, sizeof(range));
        record_write_number(value, 4, range.first);
        record_write_number(value, 4, range.last);
        record_write_number(value, 8, range.modseq | (range.seen ? SEEN_BIT : 0));
    }
}

/* --- annotations --- */

enum { ANNOTATION_VERSION = 1 };

int annotation_record_read(struct slice value, struct slice *bytes)
{
    struct record_reader reader = record_reader_make(value, ANNOTATION_VERSION);
    if (reader.error)
        return reader.error;
    *bytes = reader.rest;
    return 0;
}

void annotation_record_write(struct slice bytes, struct buffer *value)
{
    record_write_begin(value, ANNOTATION_VERSION);
    buffer_append(value, bytes);
}

/* --- which were changed last --- */

enum { ANNOTATION_CHANGES_VERSION = 1 };

int annotation_changes_record_read(struct slice value, struct slice *changes)
{
    struct annotation_change change;
    struct record_reader reader = record_reader_make(value, ANNOTATION_CHANGES_VERSION);
    int error = reader.error ? reader.error : reader.rest.size ? 0 : ERROR_CORRUPT;
    for (struct slice rest = reader.rest; !error;)
        error = annotation_change_next(&rest, &change);
    if (error != ERROR_NOT_FOUND)
        return error;
    *changes = reader.rest;
    return 0;
}

int annotation_change_next(struct slice *rest, struct annotation_change *change)
{
    if (!rest->size)
        return ERROR_NOT_FOUND;
    struct record_reader reader = {.rest = *rest};
    struct annotation_change read = {.modseq = record_read_number(&reader, 8)};
    read.name = record_read_bytes(&reader, (size_t)record_read_number(&reader, 1));
    if (reader.error || read.name.size < 2)
        return ERROR_CORRUPT;
    *rest = reader.rest;
    *change = read;
    return 0;
}

void annotation_changes_record_begin(struct buffer *value)
{
    record_write_begin(value, ANNOTATION_CHANGES_VERSION);
}

int annotation_change_write(const struct annotation_change *change, struct buffer *value)
{
    record_write_number(value, 8, change->modseq);
    record_write_number(value, 1, change->name.size);
    return buffer_append(value, change->name);
}

/* --- scripts --- */

enum { SCRIPTS_VERSION = 1, SCRIPT_VERSION = 1 };

/* Whether the rows are in order, and their ids have been given once each. */
static bool rows_are_right(const struct scripts_record *record)
{
    bool active = record->active == 0;
    for (size_t i = 0; i < record->count; i++) {
        const struct script_row *row = &record->list[i];
        if (!row->id || row->id >= record->next_id || !script_name_is_valid(row->name) ||
            (i && slice_compare(record->list[i - 1].name, row->name) >= 0))
            return false;
        for (size_t j = 0; j < i; j++)
            if (record->list[j].id == row->id)
                return false;
        active = active || row->id == record->active;
    }
    return active;
}

int scripts_record_read(struct slice value, struct scripts_record *record)
{
    struct record_reader reader = record_reader_make(value, SCRIPTS_VERSION);
    struct scripts_record read = {0};
    read.next_id = (uint32_t)record_read_number(&reader, 4);
    read.active = (uint32_t)record_read_number(&reader, 4);
    read.count = (size_t)record_read_number(&reader, 2);
    if (read.count > SCRIPTS_MAXIMUM)
        return ERROR_CORRUPT;
    for (size_t i = 0; i < read.count; i++) {
        struct script_row *row = &read.list[i];
        row->id = (uint32_t)record_read_number(&reader, 4);
        row->size = (uint32_t)record_read_number(&reader, 4);
        row->modseq = record_read_number(&reader, 8);
        row->name = record_read_bytes(&reader, (size_t)record_read_number(&reader, 2));
    }
    int error = record_reader_finish(&reader);
    if (!error && !rows_are_right(&read))
        error = ERROR_CORRUPT;
    if (!error)
        *record = read;
    return error;
}

void scripts_record_write(const struct scripts_record *record, struct buffer *value)
{
    record_write_begin(value, SCRIPTS_VERSION);
    record_write_number(value, 4, record->next_id);
    record_write_number(value, 4, record->active);
    record_write_number(value, 2, record->count);
    for (size_t i = 0; i < record->count; i++) {
        const struct script_row *row = &record->list[i];
        record_write_number(value, 4, row->id);
        record_write_number(value, 4, row->size);
        record_write_number(value, 8, row->modseq);
        record_write_number(value, 2, row->name.size);
        buffer_append(value, row->name);
    }
}

int script_record_read(struct slice value, struct slice *text)
{
    struct record_reader reader = record_reader_make(value, SCRIPT_VERSION);
    if (reader.error)
        return reader.error;
    *text = reader.rest;
    return 0;
}

void script_record_write(struct slice text, struct buffer *value)
{
    record_write_begin(value, SCRIPT_VERSION);
    buffer_append(value, text);
}

/* --- threads --- */

enum { THREAD_VERSION = 1 };

int thread_member_read(struct slice value, struct thread_member *member)
{
    struct record_reader reader = record_reader_make(value, THREAD_VERSION);
    int64_t received = (int64_t)record_read_number(&reader, 8);
    if (reader.error || reader.rest.size % 8)
        return ERROR_CORRUPT;
    *member = (struct thread_member){received, reader.rest};
    return 0;
}

void thread_member_write(int64_t received, struct slice ids, struct buffer *value)
{
    record_write_begin(value, THREAD_VERSION);
    record_write_number(value, 8, (uint64_t)received);
    buffer_append(value, ids);
}

/* --- what is retained --- */

enum { EXPUNGED_VERSION = 1, DELETED_VERSION = 1 };

int expunged_record_read(struct slice value, struct expunged_record *record)
{
    struct record_reader reader = record_reader_make(value, EXPUNGED_VERSION);
    int64_t when = (int64_t)record_read_number(&reader, 8);
    if (reader.error || !reader.rest.size || reader.rest.size % ENTRY_SIZE)
        return ERROR_CORRUPT;
    *record = (struct expunged_record){when, reader.rest};
    return 0;
}

void expunged_record_write(int64_t when, struct slice entries, struct buffer *value)
{
    record_write_begin(value, EXPUNGED_VERSION);
    record_write_number(value, 8, (uint64_t)when);
    buffer_append(value, entries);
}

int deleted_record_read(struct slice value, struct deleted_record *record)
{
    struct record_reader reader = record_reader_make(value, DELETED_VERSION);
    struct deleted_record read = {0};
    read.flags = (uint8_t)record_read_number(&reader, 1);
    read.when = (int64_t)record_read_number(&reader, 8);
    read.modseq = record_read_number(&reader, 8);
    read.path = record_read_bytes(&reader, (size_t)record_read_number(&reader, 2));
    int error = reader.error ? reader.error : collection_record_read(reader.rest, &read.record);
    if (!error)
        *record = read;
    return error;
}

void deleted_record_write(const struct deleted_record *record, struct buffer *value)
{
    struct buffer collection;
    buffer_init(&collection, KV_VALUE_MAXIMUM);
    collection_record_write(&record->record, &collection);
    record_write_begin(value, DELETED_VERSION);
    record_write_number(value, 1, record->flags);
    record_write_number(value, 8, (uint64_t)record->when);
    record_write_number(value, 8, record->modseq);
    record_write_number(value, 2, record->path.size);
    buffer_append(value, record->path);
    buffer_append(value, buffer_slice(&collection));
    if (buffer_error(&collection))
        value->error = buffer_error(&collection);
    buffer_release(&collection);
}

/* --- lists of numbers --- */

enum { VANISHED_VERSION = 1, SUBSCRIPTIONS_VERSION = 1, MESSAGES_VERSION = 1 };

int messages_record_read(struct slice value, struct slice *numbers)
{
    struct record_reader reader = record_reader_make(value, MESSAGES_VERSION);
    if (reader.error || reader.rest.size % MESSAGE_NUMBERS_SIZE)
        return ERROR_CORRUPT;
    *numbers = reader.rest;
    return 0;
}

int messages_record_append(struct buffer *numbers, uint64_t message, uint64_t thread)
{
    char bytes[MESSAGE_NUMBERS_SIZE];
    store_u64(bytes, message);
    store_u64(bytes + 8, thread);
    return buffer_append(numbers, slice_make(bytes, sizeof(bytes)));
}

void messages_record_write(struct slice numbers, struct buffer *value)
{
    record_write_begin(value, MESSAGES_VERSION);
    buffer_append(value, numbers);
}

int vanished_record_read(struct slice value, struct range_set *uids)
{
    struct record_reader reader = record_reader_make(value, VANISHED_VERSION);
    while (!reader.error && reader.rest.size) {
        uint32_t first = (uint32_t)record_read_number(&reader, 4);
        uint32_t last = (uint32_t)record_read_number(&reader, 4);
        int error = reader.error ? 0 : range_set_add(uids, first, last);
        if (error)
            return error == ERROR_INVALID ? ERROR_CORRUPT : error;
    }
    return reader.error;
}

void vanished_record_write(const struct range *ranges, size_t count, struct buffer *value)
{
    record_write_begin(value, VANISHED_VERSION);
    for (size_t i = 0; i < count; i++) {
        record_write_number(value, 4, ranges[i].first);
        record_write_number(value, 4, ranges[i].last);
    }
}

int subscriptions_read(struct slice value, struct range_set *ids)
{
    struct record_reader reader = record_reader_make(value, SUBSCRIPTIONS_VERSION);
    while (!reader.error && reader.rest.size) {
        uint32_t id = (uint32_t)record_read_number(&reader, 4);
        int error = reader.error ? 0 : range_set_add(ids, id, id);
        if (error)
            return error == ERROR_INVALID ? ERROR_CORRUPT : error;
    }
    return reader.error;
}

void subscriptions_write(const struct range_set *ids, struct buffer *value)
{
    record_write_begin(value, SUBSCRIPTIONS_VERSION);
    for (size_t i = 0; i < ids->count; i++)
        for (uint32_t id = ids->ranges[i].first; id <= ids->ranges[i].last; id++)
            record_write_number(value, 4, id);
}
