#include "blob/blob.h"
#include "base/error.h"
#include "blob/engine_priv.h"

#include <endian.h>
#include <sodium.h>
#include <stdlib.h>
#include <unistd.h>

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
    if (body.size > BLOB_SIZE_MAXIMUM)
        return ERROR_LIMIT;
    return engine->operations->put(engine, account, body, id);
}

int blob_get(struct blob_engine *engine, const char *account, struct blob_id id, uint64_t offset,
             size_t size, struct buffer *bytes)
{
    return blob_get_next(engine, account, NULL, id, offset, size, bytes);
}

int blob_get_next(struct blob_engine *engine, const char *account, struct blob_kept *kept,
                  struct blob_id id, uint64_t offset, size_t size, struct buffer *bytes)
{
    if (!account_is_valid(account) || id.pack == 0)
        return ERROR_INVALID;
    return engine->operations->get(engine, account, kept, id, offset, size, bytes);
}

void blob_let_go(struct blob_kept *kept)
{
    if (kept->pack)
        close(kept->file);
    kept->pack = 0;
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

/* --- batches --- */

enum { BATCH_IDS_MAXIMUM = 64 * 1024 * 1024 }; /* bytes of ids of a batch put one by one */

struct blob_batch {
    struct blob_engine *engine;
    void *state;       /* the engine's; NULL where it puts one by one */
    struct buffer ids; /* struct blob_id: what was put one by one */
    int error;
    char account[BLOB_ACCOUNT_MAXIMUM + 1];
};

int blob_batch_begin(struct blob_engine *engine, const char *account, struct blob_batch **batch)
{
    if (!account_is_valid(account))
        return ERROR_INVALID;
    struct blob_batch *made = calloc(1, sizeof(*made));
    if (!made)
        return ERROR_MEMORY;
    made->engine = engine;
    buffer_init(&made->ids, BATCH_IDS_MAXIMUM);
    memcpy(made->account, account, strlen(account) + 1);
    int error = engine->operations->batch_begin
                    ? engine->operations->batch_begin(engine, made->account, &made->state)
                    : 0;
    if (error)
        free(made);
    else
        *batch = made;
    return error;
}

static int add_one(struct blob_batch *batch, struct slice body, struct blob_id *id)
{
    const struct blob_operations *operations = batch->engine->operations;
    if (body.size > BLOB_SIZE_MAXIMUM)
        return ERROR_LIMIT;
    if (operations->batch_add)
        return operations->batch_add(batch->state, body, id);
    if (!buffer_reserve(&batch->ids, sizeof(*id)))
        return buffer_error(&batch->ids);
    int error = operations->put(batch->engine, batch->account, body, id);
    return error ? error : buffer_append(&batch->ids, slice_make(id, sizeof(*id)));
}

int blob_batch_add(struct blob_batch *batch, struct slice body, struct blob_id *id)
{
    if (!batch->error)
        batch->error = add_one(batch, body, id);
    return batch->error;
}

/* What cannot be dropped is an orphan. */
static void drop_all(struct blob_batch *batch)
{
    struct slice ids = buffer_slice(&batch->ids);
    for (; ids.size; ids = slice_sub(ids, sizeof(struct blob_id), SIZE_MAX)) {
        struct blob_id id;
        memcpy(&id, ids.data, sizeof(id));
        batch->engine->operations->drop(batch->engine, batch->account, id);
    }
}

static int end_batch(struct blob_batch *batch, bool keep)
{
    int error = batch->error;
    if (batch->engine->operations->batch_end) {
        int ended = batch->engine->operations->batch_end(batch->state, keep && !error);
        error = error ? error : ended;
    } else if (!keep || error) {
        drop_all(batch);
    }
    buffer_release(&batch->ids);
    free(batch);
    return error;
}

int blob_batch_finish(struct blob_batch **batch)
{
    int error = end_batch(*batch, true);
    *batch = NULL;
    return error;
}

void blob_batch_cancel(struct blob_batch **batch)
{
    if (*batch)
        end_batch(*batch, false);
    *batch = NULL;
}

int blob_reclaim(struct blob_engine *engine, const char *account, const struct blob_reclaim *what)
{
    if (!account_is_valid(account))
        return ERROR_INVALID;
    return engine->operations->reclaim ? engine->operations->reclaim(engine, account, what) : 0;
}
