/*
 * Key O, little-endian: version (1; 1), kind (1), flags (1: 1 bytes beyond ASCII, 2 in the header,
 * 4 in a blob, 8 with a trace of the time), notify (1), ret (1), mode of the time (1), the time
 * (8), when it came (8), next attempt (8), claimed until (8), attempts (4), size (8), its blob (24;
 * only of one in a blob), size of the sender (2), sender, number of recipients (1), then each:
 * state (1), size of the address (2), address, size of the reply (2), reply.
 */
#include "base/error.h"
#include "store/outgoing_priv.h"

enum { OUTGOING_VERSION = 1 };
enum { EIGHT_BIT = 1, UTF8 = 2, IN_BLOB = 4, BY_TRACE = 8 };

static struct slice read_sized(struct record_reader *reader)
{
    return record_read_bytes(reader, (size_t)record_read_number(reader, 2));
}

static void write_sized(struct buffer *value, struct slice bytes)
{
    record_write_number(value, 2, bytes.size);
    buffer_append(value, bytes);
}

static bool read_envelope(struct record_reader *reader, struct outgoing_record *record)
{
    struct outgoing_envelope *envelope = &record->message.envelope;
    envelope->kind = (enum outgoing_kind)record_read_number(reader, 1);
    unsigned flags = (unsigned)record_read_number(reader, 1);
    envelope->eight_bit = flags & EIGHT_BIT;
    envelope->utf8 = flags & UTF8;
    envelope->by_trace = flags & BY_TRACE;
    record->in_blob = flags & IN_BLOB;
    envelope->notify = (uint8_t)record_read_number(reader, 1);
    envelope->ret = (uint8_t)record_read_number(reader, 1);
    envelope->by_mode = (uint8_t)record_read_number(reader, 1);
    envelope->by_until = (int64_t)record_read_number(reader, 8);
    return envelope->kind >= OUTGOING_REDIRECT && envelope->kind <= OUTGOING_REPORT;
}

static bool read_recipients(struct record_reader *reader, struct outgoing_record *record)
{
    struct outgoing_envelope *envelope = &record->message.envelope;
    envelope->recipients = record->recipients;
    envelope->recipient_count = (size_t)record_read_number(reader, 1);
    if (!envelope->recipient_count || envelope->recipient_count > OUTGOING_RECIPIENTS_MAXIMUM)
        return false;
    for (size_t i = 0; i < envelope->recipient_count; i++) {
        struct outgoing_recipient *recipient = &record->recipients[i];
        recipient->state = (enum outgoing_state)record_read_number(reader, 1);
        recipient->address = read_sized(reader);
        recipient->reply = read_sized(reader);
        if (recipient->state > OUTGOING_REFUSED)
            return false;
    }
    return true;
}

int outgoing_record_read(struct slice value, struct outgoing_record *record)
{
    struct record_reader reader = record_reader_make(value, OUTGOING_VERSION);
    struct outgoing_message *message = &record->message;
    *message = (struct outgoing_message){0};
    bool right = read_envelope(&reader, record);
    message->created = (int64_t)record_read_number(&reader, 8);
    message->next = (int64_t)record_read_number(&reader, 8);
    message->claimed = (int64_t)record_read_number(&reader, 8);
    message->attempts = (uint32_t)record_read_number(&reader, 4);
    message->size = record_read_number(&reader, 8);
    record->blob = (struct blob_id){0};
    if (record->in_blob && !reader.error)
        reader.error = blob_id_decode(record_read_bytes(&reader, BLOB_ID_ENCODED), &record->blob);
    message->envelope.sender = read_sized(&reader);
    right = read_recipients(&reader, record) && right;
    int error = record_reader_finish(&reader);
    return !error && !right ? ERROR_CORRUPT : error;
}

void outgoing_record_write(const struct outgoing_record *record, struct buffer *value)
{
    const struct outgoing_message *message = &record->message;
    const struct outgoing_envelope *envelope = &message->envelope;
    record_write_begin(value, OUTGOING_VERSION);
    record_write_number(value, 1, envelope->kind);
    record_write_number(value, 1,
                        (envelope->eight_bit ? EIGHT_BIT : 0u) | (envelope->utf8 ? UTF8 : 0u) |
                            (record->in_blob ? IN_BLOB : 0u) |
                            (envelope->by_trace ? BY_TRACE : 0u));
    record_write_number(value, 1, envelope->notify);
    record_write_number(value, 1, envelope->ret);
    record_write_number(value, 1, envelope->by_mode);
    record_write_number(value, 8, (uint64_t)envelope->by_until);
    record_write_number(value, 8, (uint64_t)message->created);
    record_write_number(value, 8, (uint64_t)message->next);
    record_write_number(value, 8, (uint64_t)message->claimed);
    record_write_number(value, 4, message->attempts);
    record_write_number(value, 8, message->size);
    if (record->in_blob) {
        char blob[BLOB_ID_ENCODED];
        blob_id_encode(record->blob, blob);
        buffer_append(value, slice_make(blob, sizeof(blob)));
    }
    write_sized(value, envelope->sender);
    record_write_number(value, 1, envelope->recipient_count);
    for (size_t i = 0; i < envelope->recipient_count; i++) {
        record_write_number(value, 1, envelope->recipients[i].state);
        write_sized(value, envelope->recipients[i].address);
        write_sized(value, envelope->recipients[i].reply);
    }
}
