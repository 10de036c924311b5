/*
 * Short keys as numbers. A key has no NUL, so zeros behind it say where it ends, and the order of
 * such numbers is that of memcmp on the keys. 2^63 is taken off since SQLite's numbers have a sign.
 */
#include "kv/sqlite/sqlite_priv.h"

#include <endian.h>
#include <string.h>

static const uint64_t sign = UINT64_C(1) << 63;

static uint64_t first_bytes(struct slice bytes)
{
    uint64_t number = 0;
    size_t size = bytes.size < sizeof(number) ? bytes.size : sizeof(number);
    if (size)
        memcpy(&number, bytes.data, size);
    return be64toh(number);
}

sqlite3_int64 number_of_key(struct slice key)
{
    return (sqlite3_int64)(first_bytes(key) ^ sign);
}

struct slice number_to_key(sqlite3_int64 number, char bytes[SQLITE_NUMBERED_KEY])
{
    uint64_t key = htobe64((uint64_t)number ^ sign);
    memcpy(bytes, &key, sizeof(key));
    return slice_make(bytes, strnlen(bytes, sizeof(key)));
}

/* Whether the bound itself could be a key with a number. Else the number that its first bytes make
 * is that of a key before it. */
static bool is_key(struct slice bound)
{
    return bound.size <= SQLITE_NUMBERED_KEY && (!bound.size || bound.data[bound.size - 1]);
}

bool number_range(struct slice lower, struct slice upper, sqlite3_int64 *first, sqlite3_int64 *last)
{
    uint64_t from = first_bytes(lower), to = first_bytes(upper);
    if (!is_key(lower) && from++ == UINT64_MAX)
        return false;
    if (is_key(upper) && to-- == 0)
        return false;
    *first = (sqlite3_int64)(from ^ sign);
    *last = (sqlite3_int64)(to ^ sign);
    return from <= to;
}
