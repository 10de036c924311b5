/*
 * The object's omap. Numbers are big-endian.
 *
 *     "k" and the key      a key of the space, and its value
 *     "k"                  the lock: see lock.c
 *     "m"                  the state, 72 bytes
 *          0  4  version: 1
 *          4  4  0
 *          8  8  birth, random: tells a space from another that had its name
 *         16  8  number of the last commit
 *         24 16  random: tells two commits with one number apart
 *         40  8  number of the oldest record kept
 *         48  8  number of the first record of the generation being filled
 *         56  8  when that was begun, microseconds since 1970
 *         64  8  bytes of its records
 *     "u" and 16 digits    the record of the commit with that number, hexadecimal
 *          0 16  id of the commit, random: who did not hear of its end knows it by that
 *         16     for each key it changed: 2 bytes size of the key, 4 bytes size of the value it
 *                had (0xffffffff: there was none, 0xfffffffe: it is not kept), key, value
 *
 * Records are removed a generation at a time, by one range, so nobody has to list them.
 */
#include "base/clock.h"
#include "base/error.h"
#include "kv/rados/rados_priv.h"

#include <endian.h>
#include <sodium.h>

enum {
    VERSION = 1,
    ENTRY_HEAD = 6,
    CLOCK_JUMP_US = 60 * 1000 * 1000, /* a generation begun so far ahead: clocks differ */
};
static const uint32_t size_absent = UINT32_MAX, size_lost = UINT32_MAX - 1;

static uint64_t get_number(const char *bytes)
{
    uint64_t number;
    memcpy(&number, bytes, sizeof(number));
    return be64toh(number);
}

static void put_number(char *bytes, uint64_t number)
{
    number = htobe64(number);
    memcpy(bytes, &number, sizeof(number));
}

bool state_equal(const struct state *a, const struct state *b)
{
    return memcmp(a->bytes, b->bytes, STATE_SIZE) == 0;
}

int state_read(struct slice bytes, struct state *state)
{
    if (bytes.size != STATE_SIZE || get_number(bytes.data) != (uint64_t)VERSION << 32)
        return ERROR_CORRUPT;
    memcpy(state->bytes, bytes.data, STATE_SIZE);
    state->birth = get_number(bytes.data + 8);
    state->number = get_number(bytes.data + 16);
    state->oldest = get_number(bytes.data + 40);
    state->generation = get_number(bytes.data + 48);
    state->generation_us = (int64_t)get_number(bytes.data + 56);
    state->generation_bytes = get_number(bytes.data + 64);
    return 0;
}

static void state_write(struct state *state)
{
    put_number(state->bytes, (uint64_t)VERSION << 32);
    put_number(state->bytes + 8, state->birth);
    put_number(state->bytes + 16, state->number);
    randombytes_buf(state->bytes + 24, ID_SIZE);
    put_number(state->bytes + 40, state->oldest);
    put_number(state->bytes + 48, state->generation);
    put_number(state->bytes + 56, (uint64_t)state->generation_us);
    put_number(state->bytes + 64, state->generation_bytes);
}

void state_first(struct state *state)
{
    *state = (struct state){.oldest = 1, .generation = 1, .generation_us = clock_wall_us()};
    randombytes_buf(&state->birth, sizeof(state->birth));
    state_write(state);
}

void state_next(const struct state *state, size_t record_bytes, struct state *next, bool *trim)
{
    int64_t now = clock_wall_us();
    int64_t age = now - state->generation_us;
    *next = *state;
    next->number++;
    next->generation_bytes += record_bytes;
    *trim = age > UNDO_US || age < -CLOCK_JUMP_US || state->generation_bytes > UNDO_GENERATION;
    if (*trim) {
        next->oldest = state->generation;
        next->generation = next->number;
        next->generation_us = now;
        next->generation_bytes = record_bytes;
    }
    state_write(next);
}

/* --- records --- */

void undo_key(uint64_t number, char key[UNDO_KEY_SIZE])
{
    snprintf(key, UNDO_KEY_SIZE, "u%016llx", (unsigned long long)number);
}

int undo_number(struct slice key, uint64_t *number)
{
    char text[UNDO_KEY_SIZE], again[UNDO_KEY_SIZE];
    if (key.size != UNDO_KEY_SIZE - 1)
        return ERROR_CORRUPT;
    memcpy(text, key.data, key.size);
    text[key.size] = '\0';
    uint64_t read = strtoull(text + 1, NULL, 16);
    undo_key(read, again);
    if (memcmp(text, again, UNDO_KEY_SIZE) != 0)
        return ERROR_CORRUPT;
    *number = read;
    return 0;
}

int undo_begin(struct buffer *record, const unsigned char id[ID_SIZE])
{
    return buffer_append(record, slice_make(id, ID_SIZE));
}

int undo_add(struct buffer *record, struct slice key, enum view_tag tag, struct slice value)
{
    char head[ENTRY_HEAD];
    bool kept = tag == VIEW_VALUE && record->size + value.size <= UNDO_VALUES;
    uint16_t key_size = htobe16((uint16_t)key.size);
    uint32_t value_size = htobe32(tag == VIEW_ABSENT ? size_absent
                                  : kept             ? (uint32_t)value.size
                                                     : size_lost);
    memcpy(head, &key_size, sizeof(key_size));
    memcpy(head + sizeof(key_size), &value_size, sizeof(value_size));
    buffer_append(record, slice_make(head, ENTRY_HEAD));
    buffer_append(record, key);
    return buffer_append(record, kept ? value : SLICE(""));
}

bool undo_is_of(struct slice record, const unsigned char id[ID_SIZE])
{
    return record.size >= ID_SIZE && memcmp(record.data, id, ID_SIZE) == 0;
}

int undo_each(struct slice record,
              int (*fn)(struct slice key, enum view_tag tag, struct slice value, void *arg),
              void *arg)
{
    int result = record.size >= ID_SIZE ? 0 : ERROR_CORRUPT;
    record = slice_sub(record, ID_SIZE, SIZE_MAX);
    while (!result && record.size) {
        uint16_t key_size;
        uint32_t value_size;
        if (record.size < ENTRY_HEAD)
            return ERROR_CORRUPT;
        memcpy(&key_size, record.data, sizeof(key_size));
        memcpy(&value_size, record.data + sizeof(key_size), sizeof(value_size));
        key_size = be16toh(key_size);
        value_size = be32toh(value_size);
        enum view_tag tag = value_size == size_absent ? VIEW_ABSENT
                            : value_size == size_lost ? VIEW_LOST
                                                      : VIEW_VALUE;
        size_t stored = tag == VIEW_VALUE ? value_size : 0;
        record = slice_sub(record, ENTRY_HEAD, SIZE_MAX);
        if (record.size < key_size || record.size - key_size < stored)
            return ERROR_CORRUPT;
        result = fn(slice_sub(record, 0, key_size), tag, slice_sub(record, key_size, stored), arg);
        record = slice_sub(record, key_size + stored, SIZE_MAX);
    }
    return result;
}
