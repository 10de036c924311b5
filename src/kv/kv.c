#include "kv/kv.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/gate.h"
#include "kv/engine_priv.h"
#include "kv/notice_ring.h"

/* --- arguments --- */

/* A relative path of non-empty parts of [a-z0-9-]. Nothing in it can leave the directory or meet
 * the files an engine lays beside a space, whose names have a dot. */
static bool name_is_valid(const char *name)
{
    size_t size = name ? strnlen(name, KV_NAME_MAXIMUM + 1) : 0;
    if (size == 0 || size > KV_NAME_MAXIMUM || name[size - 1] == '/')
        return false;
    for (size_t i = 0; i < size; i++) {
        char c = name[i];
        bool part_begins = i == 0 || name[i - 1] == '/';
        if (c == '/' ? part_begins
                     : !((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
            return false;
    }
    return true;
}

static bool key_is_valid(struct slice key)
{
    return key.size > 0 && key.size <= KV_KEY_MAXIMUM && !memchr(key.data, 0, key.size);
}

/* --- engines and spaces --- */

void kv_engine_free(struct kv_engine **engine)
{
    if (*engine)
        (*engine)->operations->engine_free(*engine);
    *engine = NULL;
}

void kv_engine_set_notices(struct kv_engine *engine, struct notice_ring *ring)
{
    engine->ring = ring;
}

uint64_t kv_changes(const struct kv_engine *engine, uint64_t space)
{
    if (!engine->ring || engine->operations->has_nodes)
        return 0;
    return notice_ring_count(engine->ring, space);
}

int kv_open(struct kv_engine *engine, const char *name, unsigned flags, struct kv **kv)
{
    if (!name_is_valid(name))
        return ERROR_INVALID;
    struct kv *opened;
    if (flags & KV_CREATE)
        gate_enter();
    int error = engine->operations->open(engine, name, flags, &opened);
    if (flags & KV_CREATE)
        gate_leave();
    if (error)
        return error;
    opened->engine = engine;
    opened->notice = notice_space(slice_from_string(name));
    *kv = opened;
    return 0;
}

/* The last one to close a space may write: SQLite copies its log. */
void kv_close(struct kv **kv)
{
    gate_enter();
    if (*kv)
        (*kv)->engine->operations->close(*kv);
    *kv = NULL;
    gate_leave();
}

int kv_destroy(struct kv_engine *engine, const char *name)
{
    if (!name_is_valid(name))
        return ERROR_INVALID;
    gate_enter();
    int error = engine->operations->destroy(engine, name);
    gate_leave();
    return error;
}

int kv_each_space(struct kv_engine *engine, const char *prefix,
                  int (*fn)(const char *name, void *arg), void *arg)
{
    return engine->operations->each_space(engine, prefix ? prefix : "", fn, arg);
}

/* --- reading --- */

int kv_read_begin(struct kv *kv, struct kv_transaction **transaction)
{
    return kv->engine->operations->read_begin(kv, transaction);
}

void kv_read_end(struct kv_transaction **transaction)
{
    if (*transaction)
        (*transaction)->kv->engine->operations->read_end(*transaction);
    *transaction = NULL;
}

int kv_get(struct kv_transaction *transaction, struct slice key, struct buffer *value)
{
    if (!key_is_valid(key))
        return ERROR_INVALID;
    if (transaction->error)
        return transaction->error;
    return transaction->kv->engine->operations->get(transaction, key, value);
}

/* The least bytes greater than all keys that begin with prefix. Where there are none (the prefix
 * is empty or all 0xff): 0xff repeated once more than a key can be long. */
static struct slice range_end(struct slice prefix, char bytes[KV_BOUND_MAXIMUM])
{
    size_t size = prefix.size;
    while (size > 0 && (unsigned char)prefix.data[size - 1] == 0xff)
        size--;
    if (size == 0) {
        memset(bytes, 0xff, KV_BOUND_MAXIMUM);
        return slice_make(bytes, KV_BOUND_MAXIMUM);
    }
    memcpy(bytes, prefix.data, size);
    bytes[size - 1] = (char)((unsigned char)bytes[size - 1] + 1);
    return slice_make(bytes, size);
}

/* As keys have no NUL, "greater than after" is "not less than after and a NUL". */
static struct slice range_begin(struct slice prefix, struct slice after,
                                char bytes[KV_BOUND_MAXIMUM])
{
    if (after.size == 0 || slice_compare(after, prefix) < 0)
        return prefix;
    memcpy(bytes, after.data, after.size);
    bytes[after.size] = '\0';
    return slice_make(bytes, after.size + 1);
}

int kv_cursor_open(struct kv_transaction *transaction, struct slice prefix, struct slice after,
                   struct kv_cursor **cursor)
{
    if (prefix.size > KV_KEY_MAXIMUM || after.size > KV_KEY_MAXIMUM)
        return ERROR_INVALID;
    if (transaction->error)
        return transaction->error;
    char lower[KV_BOUND_MAXIMUM];
    char upper[KV_BOUND_MAXIMUM];
    return transaction->kv->engine->operations->cursor_open(
        transaction, range_begin(prefix, after, lower), range_end(prefix, upper), cursor);
}

int kv_cursor_next(struct kv_cursor *cursor, struct slice *key, struct slice *value)
{
    return cursor->transaction->kv->engine->operations->cursor_next(cursor, key, value);
}

void kv_cursor_close(struct kv_cursor **cursor)
{
    if (*cursor)
        (*cursor)->transaction->kv->engine->operations->cursor_close(*cursor);
    *cursor = NULL;
}

/* --- changing --- */

/* How long an update waits that is run again, at the longest: doubled so many times. */
enum { AGAIN_FIRST_US = 500, AGAIN_DOUBLED = 6 };

/* Spreads the bits of a clock that many look at at once. */
static uint64_t blur(uint64_t number)
{
    number ^= (uint64_t)getpid() << 32 ^ (uint64_t)gettid();
    number *= 0x9e3779b97f4a7c15u;
    return number ^ number >> 29;
}

/* Of an error it is not known what others may see of it some time. */
static int commit(struct kv_transaction *transaction)
{
    const struct kv *kv = transaction->kv;
    struct notice_ring *ring = kv->engine->ring;
    if (ring)
        notice_ring_begin(ring, kv->notice);
    int error = kv->engine->operations->update_commit(transaction);
    if (ring && (!error || error == KV_AGAIN))
        notice_ring_end(ring, kv->notice);
    if (ring && !error)
        notice_ring_post(ring, kv->notice);
    return error;
}

static int run_update(struct kv *kv, enum kv_durability durability,
                      int (*fn)(struct kv_transaction *transaction, void *arg), void *arg,
                      bool *again)
{
    const struct kv_operations *operations = kv->engine->operations;
    struct kv_transaction *transaction;
    *again = false;
    int error = operations->update_begin(kv, durability, &transaction);
    if (error)
        return error;
    transaction->writable = true;
    error = fn(transaction, arg);
    if (!error)
        error = transaction->error;
    int ended = !error && transaction->changed ? commit(transaction)
                                               : operations->update_abort(transaction);
    *again = ended == KV_AGAIN;
    return ended && !*again ? ended : error;
}

/* Longer each time, and not as long as others do: they would meet again. */
static void wait_before(unsigned attempt)
{
    uint64_t longest = (uint64_t)AGAIN_FIRST_US
                       << (attempt < AGAIN_DOUBLED ? attempt : AGAIN_DOUBLED);
    usleep((useconds_t)(blur(clock_monotonic_us()) % longest));
}

int kv_update_ungated(struct kv *kv, enum kv_durability durability,
                      int (*fn)(struct kv_transaction *transaction, void *arg), void *arg)
{
    uint64_t deadline = clock_monotonic_us() + (uint64_t)kv->engine->busy_timeout_ms * 1000;
    bool again;
    int error = run_update(kv, durability, fn, arg, &again);
    for (unsigned attempt = 0; again; attempt++) {
        if (clock_monotonic_us() >= deadline)
            return ERROR_BUSY;
        wait_before(attempt);
        error = run_update(kv, durability, fn, arg, &again);
    }
    return error;
}

/* Through the gate before any lock is taken: readers are not held up. */
int kv_update(struct kv *kv, enum kv_durability durability,
              int (*fn)(struct kv_transaction *transaction, void *arg), void *arg)
{
    gate_enter();
    int error = kv_update_ungated(kv, durability, fn, arg);
    gate_leave();
    return error;
}

/* A change that failed leaves the transaction's state unknown (SQLite may have rolled it back
 * already): nothing more is done in it, and it is not committed. */
static int changed(struct kv_transaction *transaction, int error, bool change)
{
    if (error)
        transaction->error = error;
    else if (change)
        transaction->changed = true;
    return error;
}

int kv_put(struct kv_transaction *transaction, struct slice key, struct slice value)
{
    if (!transaction->writable)
        return ERROR_INVALID;
    if (transaction->error)
        return transaction->error;
    if (!key_is_valid(key) || value.size > KV_VALUE_MAXIMUM)
        return changed(transaction, ERROR_INVALID, false);
    int error = transaction->kv->engine->operations->put(transaction, key, value);
    return changed(transaction, error, true);
}

int kv_delete(struct kv_transaction *transaction, struct slice key)
{
    if (!transaction->writable)
        return ERROR_INVALID;
    if (transaction->error)
        return transaction->error;
    if (!key_is_valid(key))
        return changed(transaction, ERROR_INVALID, false);
    bool deleted = false;
    int error = transaction->kv->engine->operations->delete (transaction, key, &deleted);
    return changed(transaction, error, deleted);
}

void kv_needs_room(struct kv_transaction *transaction)
{
    transaction->needs_room = true;
}

/* --- the lock of a space --- */

int kv_lock(struct kv *kv, struct kv_lock **lock)
{
    return kv->engine->operations->lock(kv, lock);
}

int kv_lock_check(struct kv_lock *lock)
{
    const struct kv_operations *operations = lock->kv->engine->operations;
    return operations->lock_check ? operations->lock_check(lock) : 0;
}

int kv_lock_guard(struct kv_lock *lock, struct kv_transaction *transaction)
{
    const struct kv_engine *engine = lock->kv->engine;
    if (!transaction->writable || transaction->kv->engine != engine)
        return ERROR_INVALID;
    if (transaction->error || !engine->operations->lock_guard)
        return transaction->error;
    bool guarded = false;
    int error = engine->operations->lock_guard(lock, transaction, &guarded);
    return changed(transaction, error, guarded);
}

void kv_unlock(struct kv_lock **lock)
{
    if (*lock)
        (*lock)->kv->engine->operations->unlock(*lock);
    *lock = NULL;
}

/* --- upkeep --- */

int kv_sync(struct kv *kv)
{
    gate_enter();
    int error = kv->engine->operations->sync(kv);
    gate_leave();
    return error;
}

int kv_compact(struct kv *kv)
{
    if (!kv->engine->operations->compact)
        return 0;
    gate_enter();
    int error = kv->engine->operations->compact(kv);
    gate_leave();
    return error;
}

int kv_maintain(struct kv *kv)
{
    gate_enter();
    int error = kv->engine->operations->maintain(kv);
    gate_leave();
    return error;
}

int kv_rest(struct kv *kv)
{
    gate_enter();
    int error = kv->engine->operations->rest(kv);
    gate_leave();
    return error;
}
