#include "credentials/record_priv.h"

#include "base/error.h"

static void put(struct buffer *value, const void *bytes, size_t size)
{
    buffer_append(value, slice_make(bytes, size));
}

int record_encode(const struct credentials_record *record, struct buffer *value)
{
    const struct scram_keys *scram = &record->scram;
    size_t argon2_size = strlen(record->argon2);
    buffer_append_byte(value, record->closed ? RECORD_VERSION_CLOSED : RECORD_VERSION);
    put(value, record->account, sizeof record->account);
    if (record->closed)
        return buffer_error(value);
    buffer_append_byte(value, (char)argon2_size);
    put(value, record->argon2, argon2_size);
    for (int shift = 0; shift < 32; shift += 8)
        buffer_append_byte(value, (char)(scram->iterations >> shift));
    buffer_append_byte(value, (char)scram->salt_size);
    put(value, scram->salt, scram->salt_size);
    put(value, scram->stored_key, sizeof scram->stored_key);
    put(value, scram->server_key, sizeof scram->server_key);
    return buffer_error(value);
}

/* Takes size bytes from the front; a short value empties rest and fails for good. */
struct cursor {
    struct slice rest;
    bool failed;
};

static void take(struct cursor *cursor, void *bytes, size_t size)
{
    if (cursor->failed || size > cursor->rest.size) {
        cursor->failed = true;
        memset(bytes, 0, size);
        return;
    }
    memcpy(bytes, cursor->rest.data, size);
    cursor->rest = slice_sub(cursor->rest, size, cursor->rest.size);
}

static uint8_t take_size(struct cursor *cursor, uint8_t minimum, uint8_t maximum)
{
    uint8_t size;
    take(cursor, &size, 1);
    if (size >= minimum && size <= maximum)
        return size;
    cursor->failed = true;
    return 0;
}

static void take_verifiers(struct cursor *cursor, struct credentials_record *decoded)
{
    struct scram_keys *scram = &decoded->scram;
    uint8_t number[4];
    uint8_t argon2_size = take_size(cursor, 1, RECORD_ARGON2_MAXIMUM);
    take(cursor, decoded->argon2, argon2_size);
    take(cursor, number, sizeof number);
    scram->iterations = number[0] | (uint32_t)number[1] << 8 | (uint32_t)number[2] << 16 |
                        (uint32_t)number[3] << 24;
    scram->salt_size = take_size(cursor, RECORD_SALT_MINIMUM, SCRAM_SALT_MAXIMUM);
    take(cursor, scram->salt, scram->salt_size);
    take(cursor, scram->stored_key, sizeof scram->stored_key);
    take(cursor, scram->server_key, sizeof scram->server_key);
    cursor->failed |=
        strlen(decoded->argon2) != argon2_size || scram->iterations < RECORD_ITERATIONS_MINIMUM;
}

int record_decode(struct slice value, struct credentials_record *record)
{
    struct cursor cursor = {.rest = value};
    struct credentials_record decoded = {0};
    decoded.closed = take_size(&cursor, RECORD_VERSION, RECORD_VERSION_CLOSED) != RECORD_VERSION;
    take(&cursor, decoded.account, sizeof decoded.account);
    if (!decoded.closed)
        take_verifiers(&cursor, &decoded);
    if (cursor.failed || cursor.rest.size)
        return ERROR_CORRUPT;
    *record = decoded;
    return 0;
}
