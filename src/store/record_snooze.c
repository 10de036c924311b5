/*
 * Key S, little-endian: version (1; 1), when it wakes (8), role of the mailbox it goes to (1),
 * flags (1: 1 the mailbox is made), flags set (2), flags taken away (2), size of a MAILBOXID (1),
 * it, size of the path (2), path, number of keywords set (1), then each: size (1), name; the same
 * of those taken away.
 */
#include "base/error.h"
#include "store/snooze_priv.h"

enum { SNOOZE_VERSION = 1, CREATE = 1 };

static struct slice read_sized(struct record_reader *reader, size_t size)
{
    return record_read_bytes(reader, (size_t)record_read_number(reader, size));
}

static void write_sized(struct buffer *value, size_t size, struct slice bytes)
{
    record_write_number(value, size, bytes.size);
    buffer_append(value, bytes);
}

static bool read_keywords(struct record_reader *reader, struct slice *keywords, size_t *count)
{
    *count = (size_t)record_read_number(reader, 1);
    if (*count > SNOOZE_KEYWORDS_MAXIMUM)
        return false;
    for (size_t i = 0; i < *count; i++)
        keywords[i] = read_sized(reader, 1);
    return true;
}

static void write_keywords(struct buffer *value, const struct slice *keywords, size_t count)
{
    record_write_number(value, 1, count);
    for (size_t i = 0; i < count; i++)
        write_sized(value, 1, keywords[i]);
}

int snooze_record_read(struct slice value, struct snooze_record *record)
{
    struct record_reader reader = record_reader_make(value, SNOOZE_VERSION);
    struct snooze *snooze = &record->snooze;
    snooze->until = (int64_t)record_read_number(&reader, 8);
    snooze->role = (enum collection_role)record_read_number(&reader, 1);
    snooze->create = record_read_number(&reader, 1) & CREATE;
    snooze->add = (uint32_t)record_read_number(&reader, 2);
    snooze->remove = (uint32_t)record_read_number(&reader, 2);
    snooze->mailbox_id = read_sized(&reader, 1);
    snooze->mailbox = read_sized(&reader, 2);
    snooze->add_keywords = record->add;
    snooze->remove_keywords = record->remove;
    bool right = read_keywords(&reader, record->add, &snooze->add_count) &&
                 read_keywords(&reader, record->remove, &snooze->remove_count);
    int error = record_reader_finish(&reader);
    return !error && !right ? ERROR_CORRUPT : error;
}

void snooze_record_write(const struct snooze *snooze, struct buffer *value)
{
    record_write_begin(value, SNOOZE_VERSION);
    record_write_number(value, 8, (uint64_t)snooze->until);
    record_write_number(value, 1, snooze->role);
    record_write_number(value, 1, snooze->create ? CREATE : 0);
    record_write_number(value, 2, snooze->add);
    record_write_number(value, 2, snooze->remove);
    write_sized(value, 1, snooze->mailbox_id);
    write_sized(value, 2, snooze->mailbox);
    write_keywords(value, snooze->add_keywords, snooze->add_count);
    write_keywords(value, snooze->remove_keywords, snooze->remove_count);
}
