#include "blob/blob.h"
#include "base/error.h"
#include "blob/engine_priv.h"

#include <endian.h>
#include <sodium.h>

void blob_id_encode(struct blob_id id, char bytes[BLOB_ID_ENCODED])
{
    uint64_t numbers[] = {htobe64(id.pack), htobe64(id.offset), htobe64(id.size)};
    memcpy(bytes, numbers, BLOB_ID_ENCODED);
}

int blob_id_decode(struct slice bytes, struct blob_id *id)
{
    uint64_t numbers[3];
    if (bytes.size != BLOB_ID_ENCODED)
        return ERROR_CORRUPT;
    memcpy(numbers, bytes.data, BLOB_ID_ENCODED);
    if (numbers[0] == 0)
        return ERROR_CORRUPT;
    *id = (struct blob_id){be64toh(numbers[0]), be64toh(numbers[1]), be64toh(numbers[2])};
    return 0;
}

uint64_t blob_new_number(void)
{
    uint64_t number = 0;
    while (number == 0)
        randombytes_buf(&number, sizeof(number));
    return number;
}

/* As a kv space's name: a relative path of non-empty parts of [a-z0-9-]. */
static bool account_is_valid(const char *account)
{
    size_t size = account ? strnlen(account, BLOB_ACCOUNT_MAXIMUM + 1) : 0;
    if (size == 0 || size > BLOB_ACCOUNT_MAXIMUM || account[size - 1] == '/')
        return false;
    for (size_t i = 0; i < size; i++) {
        char c = account[i];
        if (c == '/' ? i == 0 || account[i - 1] == '/'
                     : !((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
            return false;
    }
    return true;
}

void blob_engine_free(struct blob_engine **engine)
{
    if (*engine)
        (*engine)->operations->engine_free(*engine);
    *engine = NULL;
}

int blob_put(struct blob_engine *engine, const char *account, struct slice body, struct blob_id *id)
{
    if (!account_is_valid(account))
        return ERROR_INVALID;
    return engine->operations->put(engine, account, body, id);
}

int blob_get(struct blob_engine *engine, const char *account, struct blob_id id, uint64_t offset,
             size_t size, struct buffer *bytes)
{
    if (!account_is_valid(account) || id.pack == 0)
        return ERROR_INVALID;
    return engine->operations->get(engine, account, id, offset, size, bytes);
}

int blob_drop(struct blob_engine *engine, const char *account, struct blob_id id)
{
    if (!account_is_valid(account) || id.pack == 0)
        return ERROR_INVALID;
    return engine->operations->drop(engine, account, id);
}

int blob_verify(struct blob_engine *engine, const char *account, struct blob_id id)
{
    if (!account_is_valid(account) || id.pack == 0)
        return ERROR_INVALID;
    return engine->operations->verify(engine, account, id);
}

int blob_each(struct blob_engine *engine, const char *account,
              int (*fn)(struct blob_id id, void *arg), void *arg)
{
    if (!account_is_valid(account))
        return ERROR_INVALID;
    return engine->operations->each(engine, account, fn, arg);
}

int blob_destroy(struct blob_engine *engine, const char *account)
{
    if (!account_is_valid(account))
        return ERROR_INVALID;
    return engine->operations->destroy(engine, account);
}
