/*
 * The lock of a space, on a cluster. It is data: a record in the space, changed as all else is, so
 * one commit takes it, and what makes commits safe makes it safe.
 *
 *     free ──taken: epoch + 1──> held ──renewed every RENEW_US: renewals + 1──> held
 *       ^                          │
 *       └──────────given back──────┴──not renewed for the lease, as a waiting one has seen by its
 * own clock: taken over, epoch + 1
 *
 * Nobody compares clocks. Whoever waits looks at the record every LOOK_US; looks that failed, or
 * came late, do not count as having seen anything: while the cluster is away the holder could not
 * renew either.
 *
 * A holder that lost it is fenced by the data, too. A process that was stopped between its last
 * look and its commit must not commit any more, neither in the lock's own space nor in others:
 *
 *     own space      the update reads the record, so it is committed only while the holder is in it
 *     another space  has a record as well, with the lock (the birth of its space) and epoch that
 * last guarded an update there; an update with a smaller epoch is refused, one with a larger leaves
 * its own
 *
 * RADOS compares the state of the object that a commit changes, so this holds whatever becomes of
 * the processes: an update of epoch 5 that is still on its way when epoch 6 has guarded one of that
 * space finds another state. Until then it comes before, and the holder of 6 sees what it did.
 *
 * The other way were a lock of RADOS (cls_lock) and to shut the client of a lost holder out of the
 * cluster (blocklist). That needs a permission on the monitors which a mail server has not got,
 * takes all accounts of that process down with one lock, until somebody starts it again, and leaves
 * the time between the two to be thought about. RADOS' own lock alone guards one object.
 *
 * The record, the value of the key "k" alone (which is no key of the space's users: theirs are not
 * empty), numbers big-endian:
 *      0  4  version: 1
 *      4  4  0
 *      8  8  epoch: how often the lock was taken; of this space's lock, as the next three
 *     16  8  renewals of the holder
 *     24 16  holder: random; 0: nobody
 *     40  8  the holder's number among the clients of the cluster, for people
 *     48  8  birth of the space whose lock has guarded an update here; 0: none
 *     56  8  and its epoch
 */
#include "base/clock.h"
#include "base/error.h"
#include "kv/rados/rados_priv.h"

#include <endian.h>
#include <sodium.h>
#include <stdlib.h>

enum {
    RECORD_SIZE = 64,
    VERSION = 1,
    LOOK_US = 30 * 1000,
    RENEWALS_IN_LEASE = 4,
};

struct record {
    uint64_t epoch, renewals, client, guard_birth, guard_epoch;
    unsigned char holder[ID_SIZE];
};

struct rados_lock {
    struct kv_lock lock;
    uint64_t birth; /* of its space */
    uint64_t epoch;
    unsigned char holder[ID_SIZE];
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool stopping; /* by mutex */
};

static const unsigned char nobody[ID_SIZE];

/* --- the record --- */

static int record_read(struct slice bytes, struct record *record)
{
    uint64_t numbers[RECORD_SIZE / sizeof(uint64_t)];
    if (bytes.size != RECORD_SIZE)
        return ERROR_CORRUPT;
    memcpy(numbers, bytes.data, RECORD_SIZE);
    if (be64toh(numbers[0]) != (uint64_t)VERSION << 32)
        return ERROR_CORRUPT;
    *record = (struct record){.epoch = be64toh(numbers[1]),
                              .renewals = be64toh(numbers[2]),
                              .client = be64toh(numbers[5]),
                              .guard_birth = be64toh(numbers[6]),
                              .guard_epoch = be64toh(numbers[7])};
    memcpy(record->holder, &numbers[3], ID_SIZE);
    return 0;
}

static int record_put(struct kv_transaction *transaction, const struct record *record)
{
    uint64_t numbers[RECORD_SIZE / sizeof(uint64_t)] = {htobe64((uint64_t)VERSION << 32),
                                                        htobe64(record->epoch),
                                                        htobe64(record->renewals),
                                                        0,
                                                        0,
                                                        htobe64(record->client),
                                                        htobe64(record->guard_birth),
                                                        htobe64(record->guard_epoch)};
    memcpy(&numbers[3], record->holder, ID_SIZE);
    return rados_operations.put(transaction, SLICE(""),
                                slice_make((const char *)numbers, RECORD_SIZE));
}

/* A space that was never locked nor guarded has none. */
static int record_get(struct kv_transaction *transaction, struct record *record)
{
    struct buffer bytes;
    buffer_init(&bytes, KV_VALUE_MAXIMUM);
    int error = rados_operations.get(transaction, SLICE(""), &bytes);
    if (!error)
        error = record_read(buffer_slice(&bytes), record);
    else if (error == ERROR_NOT_FOUND) {
        *record = (struct record){0};
        error = 0;
    }
    buffer_release(&bytes);
    return error;
}

static uint64_t birth_of(const struct kv_transaction *transaction)
{
    return ((const struct rados_transaction *)transaction)->snapshot.state.birth;
}

static const struct space *space_of(const struct kv *kv)
{
    return ((const struct rados_kv *)kv)->space;
}

static bool is_free(const struct record *record)
{
    return memcmp(record->holder, nobody, ID_SIZE) == 0;
}

static bool is_same(const struct record *a, const struct record *b)
{
    return a->epoch == b->epoch && a->renewals == b->renewals &&
           memcmp(a->holder, b->holder, ID_SIZE) == 0;
}

/* birth: of the space that the record is in. */
static bool is_held(const struct rados_lock *lock, const struct record *record, uint64_t birth)
{
    return birth == lock->birth && record->epoch == lock->epoch &&
           memcmp(record->holder, lock->holder, ID_SIZE) == 0;
}

static int look(struct kv *kv, struct record *record, uint64_t *birth)
{
    struct kv_transaction *transaction;
    int error = kv_read_begin(kv, &transaction);
    if (error)
        return error;
    error = record_get(transaction, record);
    *birth = birth_of(transaction);
    kv_read_end(&transaction);
    return error;
}

/* --- renewing --- */

/* ERROR_CONFLICT: another has it. */
static int renew(struct kv_transaction *transaction, void *arg)
{
    const struct rados_lock *lock = arg;
    struct record record;
    int error = record_get(transaction, &record);
    if (error)
        return error;
    if (!is_held(lock, &record, birth_of(transaction)))
        return ERROR_CONFLICT;
    record.renewals++;
    transaction->changed = true;
    return record_put(transaction, &record);
}

static uint64_t lease_us(const struct kv *kv)
{
    return (uint64_t)((struct rados_engine *)kv->engine)->lease_ms * 1000;
}

static struct timespec in_us(uint64_t us)
{
    us += clock_monotonic_us();
    return (struct timespec){(time_t)(us / 1000000), (long)(us % 1000000) * 1000};
}

/* What fails for another reason than that it is lost is tried again in time. */
static void *run(void *arg)
{
    struct rados_lock *lock = arg;
    int error = 0;
    pthread_mutex_lock(&lock->mutex);
    while (!lock->stopping && error != ERROR_CONFLICT && error != ERROR_NOT_FOUND) {
        struct timespec next = in_us(lease_us(lock->lock.kv) / RENEWALS_IN_LEASE);
        int late = 0;
        while (!lock->stopping && !late)
            late = pthread_cond_timedwait(&lock->changed, &lock->mutex, &next);
        if (lock->stopping)
            break;
        pthread_mutex_unlock(&lock->mutex);
        error = kv_update_ungated(lock->lock.kv, KV_DURABLE, renew, lock);
        pthread_mutex_lock(&lock->mutex);
    }
    pthread_mutex_unlock(&lock->mutex);
    return NULL;
}

/* --- taking --- */

/* What a waiting one has seen: for how long, by its clock, the record has not changed. */
struct watch {
    struct record record;
    uint64_t since_us, last_us; /* 0: nothing seen */
};

static bool has_run_out(struct watch *watch, const struct record *record, uint64_t lease)
{
    uint64_t now = clock_monotonic_us();
    bool goes_on = watch->last_us && now - watch->last_us < lease / RENEWALS_IN_LEASE &&
                   is_same(&watch->record, record);
    if (!goes_on)
        *watch = (struct watch){.record = *record, .since_us = now};
    watch->last_us = now;
    return now - watch->since_us >= lease;
}

struct taking {
    struct rados_lock *lock;
    struct record seen; /* the lock is taken from this one */
};

/* ERROR_CONFLICT: something has happened since. */
static int take(struct kv_transaction *transaction, void *arg)
{
    struct taking *taking = arg;
    struct rados_lock *lock = taking->lock;
    struct record record;
    int error = record_get(transaction, &record);
    if (error)
        return error;
    if (!is_same(&record, &taking->seen))
        return ERROR_CONFLICT;
    struct rados_engine *engine = (struct rados_engine *)lock->lock.kv->engine;
    record.epoch++;
    record.renewals = 0;
    record.client = rados_get_instance_id(cluster_handle(engine->cluster));
    memcpy(record.holder, lock->holder, ID_SIZE);
    lock->epoch = record.epoch;
    lock->birth = birth_of(transaction);
    transaction->changed = true;
    return record_put(transaction, &record);
}

/* ERROR_CONFLICT: not now. A commit nobody heard the end of may have taken it. */
static int try_take(struct rados_lock *lock, struct watch *watch)
{
    struct taking taking = {.lock = lock};
    uint64_t birth;
    int error = look(lock->lock.kv, &taking.seen, &birth);
    if (error)
        return error;
    bool late = has_run_out(watch, &taking.seen, lease_us(lock->lock.kv));
    if (memcmp(taking.seen.holder, lock->holder, ID_SIZE) == 0) {
        lock->epoch = taking.seen.epoch;
        lock->birth = birth;
        return 0;
    }
    return is_free(&taking.seen) || late
               ? kv_update_ungated(lock->lock.kv, KV_DURABLE, take, &taking)
               : ERROR_CONFLICT;
}

static int wait_and_take(struct rados_lock *lock)
{
    uint64_t deadline =
        clock_monotonic_us() + (uint64_t)lock->lock.kv->engine->busy_timeout_ms * 1000;
    struct watch watch = {.last_us = 0};
    int error = try_take(lock, &watch);
    while ((error == ERROR_CONFLICT || error == ERROR_BUSY) && clock_monotonic_us() < deadline) {
        usleep(LOOK_US);
        error = try_take(lock, &watch);
    }
    return error == ERROR_CONFLICT ? ERROR_BUSY : error;
}

static struct rados_lock *lock_new(struct kv *kv)
{
    struct rados_lock *made = calloc(1, sizeof(*made));
    if (!made)
        return NULL;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&made->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&made->mutex, NULL);
    randombytes_buf(made->holder, ID_SIZE);
    made->lock.kv = kv;
    return made;
}

static void lock_free(struct rados_lock *lock)
{
    pthread_cond_destroy(&lock->changed);
    pthread_mutex_destroy(&lock->mutex);
    free(lock);
}

static int give_back(struct kv_transaction *transaction, void *arg)
{
    const struct rados_lock *lock = arg;
    struct record record;
    int error = record_get(transaction, &record);
    if (error)
        return error;
    if (!is_held(lock, &record, birth_of(transaction)))
        return ERROR_CONFLICT;
    memcpy(record.holder, nobody, ID_SIZE);
    record.client = 0;
    transaction->changed = true;
    return record_put(transaction, &record);
}

int rados_lock_take(struct kv *kv, struct kv_lock **lock)
{
    struct rados_lock *made = lock_new(kv);
    if (!made)
        return ERROR_MEMORY;
    int error = wait_and_take(made);
    if (!error && pthread_create(&made->thread, NULL, run, made)) {
        kv_update_ungated(kv, KV_DURABLE, give_back, made);
        error = ERROR_MEMORY;
    }
    if (error)
        lock_free(made);
    else
        *lock = &made->lock;
    return error;
}

/* When it cannot be given back it runs out. */
void rados_lock_give(struct kv_lock *base)
{
    struct rados_lock *lock = (struct rados_lock *)base;
    pthread_mutex_lock(&lock->mutex);
    lock->stopping = true;
    pthread_cond_broadcast(&lock->changed);
    pthread_mutex_unlock(&lock->mutex);
    pthread_join(lock->thread, NULL);
    kv_update_ungated(lock->lock.kv, KV_DURABLE, give_back, lock);
    lock_free(lock);
}

/* --- holding --- */

int rados_lock_check(struct kv_lock *base)
{
    const struct rados_lock *lock = (const struct rados_lock *)base;
    struct record record;
    uint64_t birth;
    int error = look(lock->lock.kv, &record, &birth);
    if (error)
        return error;
    return is_held(lock, &record, birth) ? 0 : ERROR_BUSY;
}

int rados_lock_guard(struct kv_lock *base, struct kv_transaction *transaction, bool *guarded)
{
    const struct rados_lock *lock = (const struct rados_lock *)base;
    struct record record;
    int error = record_get(transaction, &record);
    if (error)
        return error;
    if (space_of(transaction->kv) == space_of(lock->lock.kv))
        return is_held(lock, &record, birth_of(transaction)) ? 0 : ERROR_BUSY;
    if (record.guard_birth == lock->birth && record.guard_epoch >= lock->epoch)
        return record.guard_epoch == lock->epoch ? 0 : ERROR_BUSY;
    record.guard_birth = lock->birth;
    record.guard_epoch = lock->epoch;
    *guarded = true;
    return record_put(transaction, &record);
}
