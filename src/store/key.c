#include "base/error.h"
#include "kv/kv.h"
#include "store/key_priv.h"

_Static_assert((int)KEY_BODY == (int)KV_APPENDED, "engines lay bodies apart");

static void begin(struct key *key, enum key_family family)
{
    key->bytes[0] = (char)family;
    key->size = 1;
}

static struct slice finished(const struct key *key)
{
    return slice_make(key->bytes, key->size);
}

static void append_number(struct key *key, uint64_t number)
{
    unsigned groups = 1;
    while (groups < 10 && number >> (7 * groups))
        groups++;
    key->bytes[key->size++] = (char)(0x80 + groups);
    while (groups-- > 0)
        key->bytes[key->size++] = (char)(0x80 | (number >> (7 * groups) & 0x7f));
}

static void append_bytes(struct key *key, struct slice bytes)
{
    if (bytes.size > sizeof(key->bytes) - key->size)
        bytes.size = sizeof(key->bytes) - key->size;
    if (bytes.size)
        memcpy(key->bytes + key->size, bytes.data, bytes.size);
    key->size += bytes.size;
}

struct slice key_numbers(struct key *key, enum key_family family, size_t count,
                         const uint64_t *numbers)
{
    begin(key, family);
    for (size_t i = 0; i < count; i++)
        append_number(key, numbers[i]);
    return finished(key);
}

int key_read_number(struct slice *rest, uint64_t *number)
{
    if (rest->size < 2)
        return ERROR_CORRUPT;
    size_t groups = (uint8_t)rest->data[0] - 0x80u;
    if (groups < 1 || groups > 10 || rest->size < 1 + groups)
        return ERROR_CORRUPT;
    uint64_t value = 0;
    for (size_t i = 1; i <= groups; i++)
        value = value << 7 | ((uint8_t)rest->data[i] & 0x7f);
    *rest = slice_sub(*rest, 1 + groups, SIZE_MAX);
    *number = value;
    return 0;
}

/* All 64 bits, so that all keys of the family have the same length. */
static void append_hash(struct key *key, uint64_t bits)
{
    for (int shift = 63; shift >= 0; shift -= 7)
        key->bytes[key->size++] = (char)(0x80 | (bits >> shift & 0x7f));
}

struct slice key_hash(struct key *key, const uint8_t sha256[32])
{
    uint64_t bits = 0;
    for (int i = 0; i < 8; i++)
        bits = bits << 8 | sha256[i];
    begin(key, KEY_HASH);
    append_hash(key, bits);
    return finished(key);
}

struct slice key_thread_id(struct key *key, uint64_t hash)
{
    begin(key, KEY_THREAD_ID);
    append_hash(key, hash);
    return finished(key);
}

struct slice key_delivered(struct key *key, uint64_t delivery)
{
    begin(key, KEY_DELIVERED);
    append_hash(key, delivery);
    return finished(key);
}

struct slice key_remembered(struct key *key, uint64_t what)
{
    begin(key, KEY_REMEMBERED);
    append_hash(key, what);
    return finished(key);
}

int key_read_thread_id(struct slice key, uint64_t *hash)
{
    uint64_t bits = 0;
    if (key.size != 11 || (uint8_t)key.data[1] > 0x81)
        return ERROR_CORRUPT;
    for (size_t i = 1; i < key.size; i++)
        bits = bits << 7 | ((uint8_t)key.data[i] & 0x7f);
    *hash = bits;
    return 0;
}

struct slice key_name(struct key *key, enum collection_type type, collection_id parent,
                      struct slice name)
{
    begin(key, KEY_NAME);
    append_number(key, type);
    append_number(key, parent);
    append_bytes(key, name);
    return finished(key);
}

struct slice key_of_account(struct key *key, enum key_family family, struct account_id id)
{
    char text[ACCOUNT_ID_TEXT + 1];
    account_id_format(id, text);
    begin(key, family);
    append_bytes(key, slice_make(text, ACCOUNT_ID_TEXT));
    return finished(key);
}

struct slice key_seen(struct key *key, collection_id collection, const struct account_id *who)
{
    char text[ACCOUNT_ID_TEXT + 1];
    begin(key, KEY_SEEN);
    append_number(key, collection);
    if (who) {
        account_id_format(*who, text);
        append_bytes(key, slice_make(text, ACCOUNT_ID_TEXT));
    }
    return finished(key);
}

struct slice key_annotations(struct key *key, collection_id collection, uint32_t uid)
{
    begin(key, uid ? KEY_MESSAGE_ANNOTATION : KEY_ANNOTATION);
    append_number(key, collection);
    if (uid)
        append_number(key, uid);
    return finished(key);
}

/* NULL: shared. */
static void append_owner(struct key *key, const struct account_id *owner)
{
    char text[ACCOUNT_ID_TEXT + 1];
    append_bytes(key, owner ? SLICE("p") : SLICE("s"));
    if (owner) {
        account_id_format(*owner, text);
        append_bytes(key, slice_make(text, ACCOUNT_ID_TEXT));
    }
}

struct slice key_annotation(struct key *key, collection_id collection, uint32_t uid,
                            const struct account_id *owner, struct slice name)
{
    key_annotations(key, collection, uid);
    append_owner(key, owner);
    append_bytes(key, name);
    return finished(key);
}

struct slice key_annotations_changes(struct key *key, collection_id collection, uint32_t uid)
{
    begin(key, KEY_ANNOTATION_CHANGES);
    append_number(key, collection);
    append_number(key, uid);
    return finished(key);
}

struct slice key_annotation_changes(struct key *key, collection_id collection, uint32_t uid,
                                    const struct account_id *owner)
{
    key_annotations_changes(key, collection, uid);
    append_owner(key, owner);
    return finished(key);
}

struct slice key_annotation_tail(struct key *key, collection_id collection, uint32_t uid,
                                 struct slice tail)
{
    key_annotations(key, collection, uid);
    append_bytes(key, tail);
    return finished(key);
}
