/*
 * What only kv/rados can show: several nodes, each with a connection of its own, on one cluster
 * (tests/harness/cluster.py), and an OSD that does not answer.
 */
#include "base/clock.h"
#include "base/counters.h"
#include "base/error.h"
#include "kv/kv.h"
#include "kv/notice_ring.h"
#include "kv/rados/rados_priv.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "tests/unit/test_cluster.h"

enum { NODES = 2, TIMEOUT = 1 /* seconds of an operation, where the OSD is stopped */ };

struct node {
    struct cluster *cluster;
    struct kv_engine *engine;
    struct kv *kv;
};

struct fixture {
    struct node nodes[NODES];
};

/* A cluster that was stopped may take its time to be itself again, above all where the disk is
 * busy: it is asked until it answers, or for this long. */
static const uint64_t PATIENCE_US = 30 * 1000 * 1000;

static int open_patiently(struct node *node)
{
    uint64_t until = clock_monotonic_us() + PATIENCE_US;
    int error;
    do
        error = kv_open(node->engine, "test", KV_CREATE, &node->kv);
    while (error == ERROR_BUSY && clock_monotonic_us() < until);
    return error;
}

static int read_patiently(struct kv *kv, struct kv_transaction **transaction)
{
    uint64_t until = clock_monotonic_us() + PATIENCE_US;
    int error;
    do
        error = kv_read_begin(kv, transaction);
    while (error == ERROR_BUSY && clock_monotonic_us() < until);
    return error;
}

static int set_up_with(void **state, unsigned timeout, size_t cache)
{
    struct fixture *f = calloc(1, sizeof(*f));
    const char *name_space = test_namespace();
    *state = f;
    for (int i = 0; i < NODES; i++) {
        struct node *node = &f->nodes[i];
        node->cluster = test_cluster_with(timeout);
        assert_int_equal(kv_rados_create(node->cluster, name_space, cache, &node->engine), 0);
        assert_int_equal(open_patiently(node), 0);
    }
    return 0;
}

static int set_up(void **state)
{
    return set_up_with(state, 0, 0);
}

static int set_up_impatient(void **state)
{
    return set_up_with(state, TIMEOUT, 0);
}

static int set_up_small_cache(void **state)
{
    return set_up_with(state, 0, 100 * 1024);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < NODES; i++) {
        kv_close(&f->nodes[i].kv);
        kv_engine_free(&f->nodes[i].engine);
        cluster_free(&f->nodes[i].cluster);
    }
    free(f);
    return 0;
}

/* --- helpers --- */

struct change {
    const char *key;
    struct slice value; /* data == NULL: delete */
};

static int apply(struct kv_transaction *transaction, void *arg)
{
    const struct change *change = arg;
    struct slice key = slice_from_string(change->key);
    return change->value.data ? kv_put(transaction, key, change->value)
                              : kv_delete(transaction, key);
}

static void put(struct node *node, const char *key, struct slice value)
{
    struct change change = {key, value};
    assert_int_equal(kv_update(node->kv, KV_DURABLE, apply, &change), 0);
}

static int get_in(struct kv_transaction *transaction, const char *key, struct buffer *value)
{
    buffer_clear(value);
    return kv_get(transaction, slice_from_string(key), value);
}

static void assert_value(struct kv_transaction *transaction, const char *key, const char *expected)
{
    struct buffer value;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    int error = get_in(transaction, key, &value);
    assert_int_equal(error, expected ? 0 : ERROR_NOT_FOUND);
    if (expected)
        assert_string_equal(value.data, expected);
    buffer_release(&value);
}

static void assert_all(struct kv_transaction *transaction, const char *expected)
{
    struct buffer seen;
    struct kv_cursor *cursor;
    struct slice key, value;
    int error;
    buffer_init(&seen, 65536);
    buffer_append_string(&seen, "");
    assert_int_equal(kv_cursor_open(transaction, SLICE(""), SLICE(""), &cursor), 0);
    while (!(error = kv_cursor_next(cursor, &key, &value)))
        buffer_append_format(&seen, "%.*s=%.*s ", SLICE_FORMAT(key), SLICE_FORMAT(value));
    assert_int_equal(error, ERROR_NOT_FOUND);
    kv_cursor_close(&cursor);
    assert_string_equal(seen.data, expected);
    buffer_release(&seen);
}

static void assert_stored(struct node *node, const char *expected)
{
    struct kv_transaction *transaction;
    assert_int_equal(read_patiently(node->kv, &transaction), 0);
    assert_all(transaction, expected);
    kv_read_end(&transaction);
}

static int64_t reads(void)
{
    return counters_sum(COUNTER_KV_CLUSTER_READS);
}

/* --- snapshots while others commit --- */

static void test_snapshot_of_another_node(void **state)
{
    struct node *here = &((struct fixture *)*state)->nodes[0];
    struct node *there = &((struct fixture *)*state)->nodes[1];
    struct kv_transaction *before;
    for (const char *key = "a\0b\0c\0d\0e\0"; *key; key += 2)
        put(there, key, SLICE("1"));
    assert_int_equal(kv_read_begin(here->kv, &before), 0);
    assert_value(before, "a", "1");
    put(there, "a", SLICE("2"));
    put(there, "b", SLICE("2"));
    put(there, "b", SLICE("3"));
    put(there, "c", (struct slice){NULL, 0});
    put(there, "f", SLICE("new"));
    put(there, "g", SLICE("new"));
    put(there, "g", (struct slice){NULL, 0});
    assert_value(before, "b", "1");
    put(there, "d", SLICE("late"));
    assert_value(before, "f", NULL);
    assert_value(before, "g", NULL);
    assert_all(before, "a=1 b=1 c=1 d=1 e=1 ");
    assert_value(before, "a", "1");
    kv_read_end(&before);
    assert_stored(here, "a=2 b=3 d=late e=1 f=new ");
    assert_stored(there, "a=2 b=3 d=late e=1 f=new ");
}

/* A walk that is under way, over more keys than one operation reads. */
static void test_walk_of_another_nodes_keys(void **state)
{
    struct node *here = &((struct fixture *)*state)->nodes[0];
    struct node *there = &((struct fixture *)*state)->nodes[1];
    struct kv_transaction *before;
    struct kv_cursor *cursor;
    struct slice key, value;
    char name[16];
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof(name), "k%03d", i);
        put(there, name, SLICE("old"));
    }
    assert_int_equal(kv_read_begin(here->kv, &before), 0);
    assert_int_equal(kv_cursor_open(before, SLICE("k"), SLICE(""), &cursor), 0);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(kv_cursor_next(cursor, &key, &value), 0);
        snprintf(name, sizeof(name), "k%03d", i);
        assert_true(slice_equal(key, slice_from_string(name)));
        assert_true(slice_equal(value, SLICE("old")));
        if (i % 20 == 0) {
            put(there, "k150", SLICE("changed"));
            put(there, "k151", (struct slice){NULL, 0});
            snprintf(name, sizeof(name), "k%03d+", i + 30);
            put(there, name, SLICE("between"));
        }
    }
    assert_int_equal(kv_cursor_next(cursor, &key, &value), ERROR_NOT_FOUND);
    kv_cursor_close(&cursor);
    kv_read_end(&before);
}

/* Of a commit that replaces more than is kept, and of many. */
static void test_snapshot_too_old(void **state)
{
    struct node *here = &((struct fixture *)*state)->nodes[0];
    struct node *there = &((struct fixture *)*state)->nodes[1];
    struct kv_transaction *before;
    struct buffer value;
    char *bytes = calloc(1, KV_VALUE_MAXIMUM);
    buffer_init(&value, KV_VALUE_MAXIMUM);
    put(there, "large", slice_make(bytes, KV_VALUE_MAXIMUM));
    put(there, "small", SLICE("1"));
    assert_int_equal(kv_read_begin(here->kv, &before), 0);
    for (int i = 0; i < 5; i++)
        put(there, "large", slice_make(bytes, KV_VALUE_MAXIMUM));
    assert_int_equal(get_in(before, "large", &value), 0);
    for (int i = 0; i < 20; i++)
        put(there, "large", slice_make(bytes, KV_VALUE_MAXIMUM));
    assert_int_equal(get_in(before, "large", &value), 0); /* it is known */
    assert_int_equal(get_in(before, "small", &value), ERROR_BUSY);
    kv_read_end(&before);
    assert_int_equal(kv_read_begin(here->kv, &before), 0);
    assert_value(before, "small", "1");
    kv_read_end(&before);
    buffer_release(&value);
    free(bytes);
}

/* --- what is kept --- */

static size_t walk(struct node *node)
{
    struct kv_transaction *transaction;
    struct kv_cursor *cursor;
    struct slice key, value;
    size_t count = 0;
    int error;
    assert_int_equal(kv_read_begin(node->kv, &transaction), 0);
    assert_int_equal(kv_cursor_open(transaction, SLICE("s/"), SLICE(""), &cursor), 0);
    while (!(error = kv_cursor_next(cursor, &key, &value)))
        count++;
    assert_int_equal(error, ERROR_NOT_FOUND);
    kv_cursor_close(&cursor);
    kv_read_end(&transaction);
    return count;
}

enum { SUMMARIES = 3000 };

static int put_summaries(struct kv_transaction *transaction, void *arg)
{
    char name[16], value[300] = "";
    (void)arg;
    int error = 0;
    for (int i = 0; i < SUMMARIES && !error; i++) {
        snprintf(name, sizeof(name), "s/%05d", i);
        error = kv_put(transaction, slice_from_string(name), slice_make(value, sizeof(value)));
    }
    return error;
}

static void test_reads_once(void **state)
{
    struct node *here = &((struct fixture *)*state)->nodes[0];
    struct node *there = &((struct fixture *)*state)->nodes[1];
    assert_int_equal(kv_update(there->kv, KV_DURABLE, put_summaries, NULL), 0);
    assert_int_equal(walk(here), SUMMARIES);
    int64_t before = reads();
    assert_int_equal(walk(here), SUMMARIES);
    assert_int_equal(reads() - before, 1); /* the state */
    put(here, "s/00007", SLICE("own"));
    before = reads();
    assert_int_equal(walk(here), SUMMARIES);
    assert_int_equal(reads() - before, 1);
    put(there, "s/00007", (struct slice){NULL, 0});
    put(there, "t", SLICE("1"));
    before = reads();
    assert_int_equal(walk(here), SUMMARIES - 1);
    assert_in_range(reads() - before, 2, 3); /* the state, what has changed, that key's range */
    put(there, "s/00008x", SLICE("1"));
    assert_int_equal(walk(here), SUMMARIES);
    assert_true(counters_sum(COUNTER_KV_CACHED_BYTES) > SUMMARIES * 300);
}

static void test_keeps_no_more_than_its_limit(void **state)
{
    struct node *here = &((struct fixture *)*state)->nodes[0];
    assert_int_equal(kv_update(here->kv, KV_DURABLE, put_summaries, NULL), 0);
    assert_int_equal(walk(here), SUMMARIES);
    assert_true(counters_sum(COUNTER_KV_CACHED_BYTES) <= 2 * 100 * 1024);
    assert_int_equal(walk(here), SUMMARIES);
}

/* --- writers --- */

struct writer {
    struct kv *kv;
    int rounds;
    pthread_t thread;
    int error;
};

static int add_one(struct kv_transaction *transaction, void *arg)
{
    (void)arg;
    struct buffer value;
    buffer_init(&value, 32);
    int error = kv_get(transaction, SLICE("n"), &value);
    long number = error ? 0 : strtol(value.data, NULL, 10);
    buffer_clear(&value);
    buffer_append_format(&value, "%ld", number + 1);
    if (!error || error == ERROR_NOT_FOUND)
        error = kv_put(transaction, SLICE("n"), buffer_slice(&value));
    buffer_release(&value);
    return error;
}

static void *write_many(void *arg)
{
    struct writer *writer = arg;
    for (int i = 0; i < writer->rounds && !writer->error; i++)
        writer->error = kv_update(writer->kv, KV_DURABLE, add_one, NULL);
    return NULL;
}

static void assert_writers(struct writer *writers, size_t count, struct node *reader,
                           const char *expected)
{
    for (size_t i = 0; i < count; i++)
        pthread_create(&writers[i].thread, NULL, write_many, &writers[i]);
    for (size_t i = 0; i < count; i++) {
        pthread_join(writers[i].thread, NULL);
        assert_int_equal(writers[i].error, 0);
    }
    assert_stored(reader, expected);
}

static void test_nodes_race(void **state)
{
    struct fixture *f = *state;
    struct writer writers[4];
    for (int i = 0; i < 4; i++)
        writers[i] = (struct writer){.kv = f->nodes[i % 2].kv, .rounds = 50};
    int64_t conflicts = counters_sum(COUNTER_KV_CLUSTER_CONFLICTS);
    assert_writers(writers, 4, &f->nodes[1], "n=200 ");
    assert_true(counters_sum(COUNTER_KV_CLUSTER_CONFLICTS) > conflicts);
}

static void test_threads_commit_together(void **state)
{
    struct fixture *f = *state;
    struct writer writers[8];
    for (int i = 0; i < 8; i++)
        writers[i] = (struct writer){.kv = f->nodes[0].kv, .rounds = 50};
    int64_t commits = counters_sum(COUNTER_KV_CLUSTER_COMMITS);
    assert_writers(writers, 8, &f->nodes[1], "n=400 ");
    assert_true(counters_sum(COUNTER_KV_CLUSTER_COMMITS) - commits <= 200);
}

/* What was last known here is not what there is: an update finds out before it fails. */
static int need_key(struct kv_transaction *transaction, void *arg)
{
    struct buffer value;
    (void)arg;
    buffer_init(&value, 100);
    int error = kv_get(transaction, SLICE("made"), &value);
    buffer_release(&value);
    return error;
}

static void test_update_sees_other_nodes_commits(void **state)
{
    struct node *here = &((struct fixture *)*state)->nodes[0];
    struct node *there = &((struct fixture *)*state)->nodes[1];
    assert_stored(here, "");
    put(there, "made", SLICE("1"));
    assert_int_equal(kv_update(here->kv, KV_DURABLE, need_key, NULL), 0);
    put(there, "made", (struct slice){NULL, 0});
    assert_int_equal(kv_update(here->kv, KV_DURABLE, need_key, NULL), ERROR_NOT_FOUND);
}

static int put_too_much(struct kv_transaction *transaction, void *arg)
{
    char name[16];
    int error = 0;
    for (int i = 0; i < 41 && !error; i++) {
        snprintf(name, sizeof(name), "%d", i);
        error = kv_put(transaction, slice_from_string(name), slice_make(arg, KV_VALUE_MAXIMUM));
    }
    return error;
}

static void test_limit_of_an_update(void **state)
{
    struct node *here = &((struct fixture *)*state)->nodes[0];
    char *bytes = calloc(1, KV_VALUE_MAXIMUM);
    assert_int_equal(kv_update(here->kv, KV_DURABLE, put_too_much, bytes), ERROR_LIMIT);
    assert_stored(here, "");
    free(bytes);
}

static int put_new(struct kv_transaction *transaction, void *arg)
{
    kv_needs_room(transaction);
    return apply(transaction, arg);
}

/* The data by which a full pool is found out does not grow for ever. */
static void test_data_of_the_object(void **state)
{
    struct node *here = &((struct fixture *)*state)->nodes[0];
    rados_ioctx_t io = ((struct rados_engine *)here->engine)->io;
    struct change change = {"a", SLICE("1")};
    uint64_t size, before = 0;
    unsigned grown = 0;
    for (unsigned i = 0; i < GROWTH_MAXIMUM + 10; i++) {
        assert_int_equal(kv_update(here->kv, KV_DURABLE, put_new, &change), 0);
        assert_int_equal(rados_stat(io, "test", &size, NULL), 0);
        assert_in_range(size, 1, GROWTH_MAXIMUM);
        grown += size > before;
        before = size;
    }
    assert_int_equal(grown, GROWTH_MAXIMUM + 9);
    put(here, "a", SLICE("2"));
    assert_int_equal(rados_stat(io, "test", &size, NULL), 0);
    assert_int_equal(size, before);
}

static void test_destroyed_and_made_again(void **state)
{
    struct fixture *f = *state;
    struct node *here = &f->nodes[0], *there = &f->nodes[1];
    struct kv_transaction *transaction = NULL;
    struct change change = {"b", SLICE("2")};
    put(here, "a", SLICE("1"));
    assert_int_equal(kv_destroy(here->engine, "test"), ERROR_BUSY);
    kv_close(&there->kv);
    assert_int_equal(kv_destroy(there->engine, "test"), 0);
    assert_int_equal(kv_read_begin(here->kv, &transaction), ERROR_NOT_FOUND);
    assert_int_equal(kv_update(here->kv, KV_DURABLE, apply, &change), ERROR_NOT_FOUND);
    assert_int_equal(kv_open(there->engine, "test", KV_CREATE, &there->kv), 0);
    put(there, "c", SLICE("3"));
    assert_stored(here, "c=3 ");
}

/* --- notices --- */

struct noticed {
    int count, missed;
    uint64_t space;
};

static void notice(uint64_t space, bool missed, void *arg)
{
    struct noticed *noticed = arg;
    noticed->count += !missed;
    noticed->missed += missed;
    noticed->space = space;
}

struct listener {
    int wake[NOTICE_SLOTS], memory;
    struct notice_ring *ring;
    struct node node;
};

static void listen_to(struct listener *listener, const char *name_space)
{
    memset(listener->wake, 0xff, sizeof(listener->wake));
    listener->wake[0] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    listener->memory = notice_ring_create();
    assert_int_equal(notice_ring_attach(listener->memory, listener->wake, 0, &listener->ring), 0);
    struct node *node = &listener->node;
    node->cluster = test_cluster();
    assert_int_equal(kv_rados_create(node->cluster, name_space, 0, &node->engine), 0);
    kv_engine_set_notices(node->engine, listener->ring);
    assert_int_equal(kv_open(node->engine, "test", KV_CREATE, &node->kv), 0);
}

static void stop_listening(struct listener *listener)
{
    kv_close(&listener->node.kv);
    kv_engine_free(&listener->node.engine);
    cluster_free(&listener->node.cluster);
    notice_ring_detach(&listener->ring);
    close(listener->memory);
    close(listener->wake[0]);
}

/* Waits until so many have come, or a second. */
static struct noticed hear(struct listener *listener, int count)
{
    struct noticed noticed = {0};
    uint64_t end = clock_monotonic_us() + 1000000;
    while (clock_monotonic_us() < end && noticed.count < count) {
        notice_ring_read(listener->ring, notice, &noticed);
        usleep(500);
    }
    return noticed;
}

static void test_notices_between_nodes(void **state)
{
    (void)state;
    struct listener here, there;
    const char *name_space = test_namespace();
    listen_to(&here, name_space);
    listen_to(&there, name_space);
    put(&there.node, "a", SLICE("1"));
    struct noticed noticed = hear(&here, 1);
    assert_int_equal(noticed.count, 1);
    assert_true(noticed.space == notice_space(SLICE("test")));
    noticed = hear(&there, 2);
    assert_int_equal(noticed.count, 1); /* its own, once */
    for (int i = 0; i < 20; i++)
        put(&here.node, "a", SLICE("2"));
    assert_true(hear(&there, 1).count >= 1);
    stop_listening(&there);
    put(&here.node, "a", SLICE("3")); /* nobody hears it */
    stop_listening(&here);
}

static void test_missed(void **state)
{
    (void)state;
    int wake[NOTICE_SLOTS];
    struct noticed noticed = {0};
    struct notice_ring *ring, *other;
    memset(wake, 0xff, sizeof(wake));
    wake[3] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    int memory = notice_ring_create();
    assert_int_equal(notice_ring_attach(memory, wake, 3, &ring), 0);
    assert_int_equal(notice_ring_attach(memory, wake, -1, &other), 0);
    assert_true(notice_ring_number(ring) != 0);
    assert_true(notice_ring_number(ring) == notice_ring_number(other));
    notice_ring_post_missed(other); /* whatever is wanted */
    uint64_t count = 0;
    assert_int_equal(read(wake[3], &count, sizeof(count)), sizeof(count));
    notice_ring_read(ring, notice, &noticed);
    assert_int_equal(noticed.missed, 1);
    assert_int_equal(noticed.count, 0);
    notice_ring_detach(&ring);
    notice_ring_detach(&other);
    close(memory);
    close(wake[3]);
}

/* --- the lock of a space --- */

enum { LEASE_MS = 1500 };

static void shorten_lease(struct kv_engine *engine)
{
    ((struct rados_engine *)engine)->lease_ms = LEASE_MS;
}

struct step {
    struct kv_lock *lock;
    struct change change;
};

/* Its guard's error is the update's, whatever it returns. */
static int guarded(struct kv_transaction *transaction, void *arg)
{
    struct step *step = arg;
    kv_lock_guard(step->lock, transaction);
    apply(transaction, &step->change);
    return 0;
}

/* A guarded step: puts the value under "step". */
static int step(struct kv *kv, struct kv_lock *lock, const char *value)
{
    struct step step = {lock, {"step", slice_from_string(value)}};
    return kv_update(kv, KV_DURABLE, guarded, &step);
}

/* Another process, as it is stopped, killed and let go on. It does what it is told by a byte and
 * answers with the error: l lock, c check, s step of the space, o of the other, u unlock. */
static int obey(const char *name_space)
{
    struct node node;
    struct kv *other;
    struct kv_lock *lock = NULL;
    char order;
    node.cluster = test_cluster_with(TIMEOUT);
    if (kv_rados_create(node.cluster, name_space, 0, &node.engine) ||
        kv_open(node.engine, "test", 0, &node.kv) || kv_open(node.engine, "other", 0, &other))
        return 1;
    shorten_lease(node.engine);
    while (read(0, &order, 1) == 1) {
        int error = order == 'l'   ? kv_lock(node.kv, &lock)
                    : order == 'c' ? kv_lock_check(lock)
                    : order == 's' ? step(node.kv, lock, "old")
                    : order == 'o' ? step(other, lock, "old")
                                   : (kv_unlock(&lock), 0);
        if (write(1, &error, sizeof(error)) != sizeof(error))
            return 1;
    }
    kv_unlock(&lock);
    kv_close(&other);
    kv_close(&node.kv);
    kv_engine_free(&node.engine);
    cluster_free(&node.cluster);
    return 0;
}

struct holder {
    pid_t process;
    int orders, answers;
};

static void start_holder(struct holder *holder, const char *name_space)
{
    int orders[2], answers[2];
    assert_int_equal(pipe2(orders, O_CLOEXEC), 0);
    assert_int_equal(pipe2(answers, O_CLOEXEC), 0);
    holder->process = fork();
    if (holder->process == 0) {
        dup2(orders[0], 0);
        dup2(answers[1], 1);
        execl("/proc/self/exe", "test_kv_rados", "obey", name_space, NULL);
        _exit(127);
    }
    close(orders[0]);
    close(answers[1]);
    holder->orders = orders[1];
    holder->answers = answers[0];
}

static int tell(struct holder *holder, char order)
{
    int error = 1;
    assert_int_equal(write(holder->orders, &order, 1), 1);
    assert_int_equal(read(holder->answers, &error, sizeof(error)), sizeof(error));
    return error;
}

/* Whether it has the lock, of a cluster that may be slow to answer: ERROR_BUSY says that as well as
 * that the lock is lost, but a lost one stays lost. */
static int tell_patiently(struct holder *holder, char order)
{
    uint64_t until = clock_monotonic_us() + PATIENCE_US;
    int error;
    do
        error = tell(holder, order);
    while (error == ERROR_BUSY && clock_monotonic_us() < until);
    return error;
}

static void end_holder(struct holder *holder, int how)
{
    int status;
    if (how)
        kill(holder->process, how);
    close(holder->orders);
    close(holder->answers);
    assert_int_equal(waitpid(holder->process, &status, 0), holder->process);
    assert_int_equal(status, how);
}

struct locking {
    struct fixture f;
    struct holder holder;
    struct kv *other;
    struct kv_lock *lock;
};

static int set_up_locking(void **state)
{
    void *made;
    assert_int_equal(set_up_impatient(&made), 0);
    struct locking *l = calloc(1, sizeof(*l));
    l->f = *(struct fixture *)made;
    free(made);
    *state = l;
    char name_space[64];
    struct rados_engine *engine = (struct rados_engine *)l->f.nodes[0].engine;
    rados_ioctx_get_namespace(engine->io, name_space, sizeof(name_space));
    for (int i = 0; i < NODES; i++)
        shorten_lease(l->f.nodes[i].engine);
    assert_int_equal(kv_open(l->f.nodes[0].engine, "other", KV_CREATE, &l->other), 0);
    start_holder(&l->holder, name_space);
    return 0;
}

static int tear_down_locking(void **state)
{
    struct locking *l = *state;
    kv_unlock(&l->lock);
    kv_close(&l->other);
    return tear_down(state);
}

static void assert_step(struct kv *kv, const char *expected)
{
    struct kv_transaction *transaction;
    assert_int_equal(read_patiently(kv, &transaction), 0);
    assert_value(transaction, "step", expected);
    kv_read_end(&transaction);
}

static uint64_t ms_since(uint64_t start)
{
    return (clock_monotonic_us() - start) / 1000;
}

static void test_lock_of_another_process(void **state)
{
    struct locking *l = *state;
    struct node *here = &l->f.nodes[0];
    assert_int_equal(tell(&l->holder, 'l'), 0);
    here->engine->busy_timeout_ms = 2 * LEASE_MS; /* it is renewed */
    assert_int_equal(kv_lock(here->kv, &l->lock), ERROR_BUSY);
    assert_int_equal(tell(&l->holder, 'c'), 0);
    assert_int_equal(tell(&l->holder, 's'), 0);
    assert_int_equal(tell(&l->holder, 'o'), 0);
    assert_int_equal(tell(&l->holder, 'u'), 0);
    uint64_t start = clock_monotonic_us();
    assert_int_equal(kv_lock(here->kv, &l->lock), 0);
    assert_true(ms_since(start) < LEASE_MS); /* it was given back */
    assert_int_equal(step(here->kv, l->lock, "new"), 0);
    assert_int_equal(step(l->other, l->lock, "new"), 0);
    end_holder(&l->holder, 0);
}

static void test_lock_of_a_killed_process(void **state)
{
    struct locking *l = *state;
    struct node *here = &l->f.nodes[0];
    assert_int_equal(tell(&l->holder, 'l'), 0);
    end_holder(&l->holder, SIGKILL);
    uint64_t start = clock_monotonic_us();
    assert_int_equal(kv_lock(here->kv, &l->lock), 0);
    assert_in_range(ms_since(start), LEASE_MS / 2, KV_BUSY_TIMEOUT * 1000);
    assert_int_equal(kv_lock_check(l->lock), 0);
}

/* Another takes over; what the stopped one goes on with is refused. */
static void test_lock_of_a_stopped_process(void **state)
{
    struct locking *l = *state;
    struct node *here = &l->f.nodes[0], *there = &l->f.nodes[1];
    struct kv_lock *late = NULL;
    assert_int_equal(tell(&l->holder, 'l'), 0);
    assert_int_equal(tell(&l->holder, 's'), 0);
    assert_int_equal(tell(&l->holder, 'o'), 0);
    kill(l->holder.process, SIGSTOP);
    assert_int_equal(kv_lock(here->kv, &l->lock), 0);
    assert_int_equal(step(l->other, l->lock, "new"), 0);
    kill(l->holder.process, SIGCONT);
    assert_int_equal(tell(&l->holder, 's'), ERROR_BUSY);
    assert_int_equal(tell(&l->holder, 'o'), ERROR_BUSY);
    assert_int_equal(tell(&l->holder, 'c'), ERROR_BUSY);
    assert_step(here->kv, "old");
    assert_step(l->other, "new");
    assert_int_equal(tell(&l->holder, 'u'), 0); /* which is not the other's */
    there->engine->busy_timeout_ms = 200;
    assert_int_equal(kv_lock(there->kv, &late), ERROR_BUSY);
    assert_int_equal(kv_lock_check(l->lock), 0);
    assert_int_equal(step(here->kv, l->lock, "new"), 0);
    assert_step(there->kv, "new");
    end_holder(&l->holder, 0);
}

/* The lock's space was made anew: nobody holds what is gone, and its epochs begin again. */
static void test_lock_of_a_space_made_anew(void **state)
{
    struct locking *l = *state;
    struct node *here = &l->f.nodes[0], *there = &l->f.nodes[1];
    for (int i = 0; i < 3; i++) {
        assert_int_equal(kv_lock(here->kv, &l->lock), 0);
        assert_int_equal(step(l->other, l->lock, "old"), 0);
        kv_unlock(&l->lock);
    }
    assert_int_equal(kv_lock(here->kv, &l->lock), 0);
    kv_close(&there->kv);
    assert_int_equal(kv_destroy(there->engine, "test"), 0);
    assert_int_equal(kv_lock_check(l->lock), ERROR_NOT_FOUND);
    assert_int_equal(kv_open(there->engine, "test", KV_CREATE, &there->kv), 0);
    assert_int_equal(kv_lock_check(l->lock), ERROR_BUSY);
    assert_int_equal(step(here->kv, l->lock, "old"), ERROR_BUSY);
    kv_unlock(&l->lock);
    assert_int_equal(kv_lock(here->kv, &l->lock), 0);
    assert_int_equal(step(here->kv, l->lock, "new"), 0);
    assert_int_equal(step(l->other, l->lock, "new"), 0);
    assert_step(l->other, "new");
    end_holder(&l->holder, 0);
}

/* --- an OSD that does not answer --- */

static pid_t osd(void)
{
    return (pid_t)strtol(getenv("CHAPAR_CEPH_OSD"), NULL, 10);
}

static bool is_stopped(const char *thread)
{
    char path[320], line[256] = "";
    snprintf(path, sizeof(path), "/proc/%d/task/%s/stat", (int)osd(), thread);
    FILE *file = fopen(path, "re");
    if (!file)
        return true; /* it has ended */
    const char *read = fgets(line, sizeof(line), file);
    fclose(file);
    const char *name_end = read ? strrchr(read, ')') : NULL;
    return !name_end || name_end[2] == 'T';
}

/* The signal comes to each of its threads in that one's time: until then it may answer. */
static void stop_osd(void)
{
    char path[64];
    bool stopped = false;
    snprintf(path, sizeof(path), "/proc/%d/task", (int)osd());
    kill(osd(), SIGSTOP);
    while (!stopped) {
        DIR *threads = opendir(path);
        const struct dirent *entry;
        stopped = true;
        assert_non_null(threads);
        while (stopped && (entry = readdir(threads)))
            stopped = entry->d_name[0] == '.' || is_stopped(entry->d_name);
        closedir(threads);
        usleep(1000);
    }
}

static void *take_lock(void *arg)
{
    struct locking *l = arg;
    struct kv_lock *lock = NULL;
    intptr_t error = kv_lock(l->f.nodes[0].kv, &lock);
    kv_unlock(&lock);
    return (void *)error;
}

/* Who waits does not take the cluster's silence for the holder's. */
static void test_lock_while_the_cluster_is_away(void **state)
{
    struct locking *l = *state;
    pthread_t thread;
    void *error;
    assert_int_equal(tell(&l->holder, 'l'), 0);
    pthread_create(&thread, NULL, take_lock, l);
    usleep(LEASE_MS * 500);
    stop_osd();
    usleep(LEASE_MS * 1500);
    kill(osd(), SIGCONT);
    pthread_join(thread, &error);
    assert_int_equal((intptr_t)error, ERROR_BUSY);
    assert_int_equal(tell_patiently(&l->holder, 'c'), 0);
    assert_int_equal(tell_patiently(&l->holder, 's'), 0);
    end_holder(&l->holder, 0);
}

static void *let_go_on(void *arg)
{
    usleep(*(useconds_t *)arg);
    kill(osd(), SIGCONT);
    return NULL;
}

/* The operation's time is up, but it is carried out when the OSD goes on: once. */
static void test_commit_unheard_of(void **state)
{
    struct node *here = &((struct fixture *)*state)->nodes[0];
    useconds_t pause = 1500000;
    pthread_t thread;
    assert_int_equal(kv_update(here->kv, KV_DURABLE, add_one, NULL), 0);
    int64_t commits = counters_sum(COUNTER_KV_CLUSTER_COMMITS);
    stop_osd();
    pthread_create(&thread, NULL, let_go_on, &pause);
    int error = kv_update(here->kv, KV_DURABLE, add_one, NULL);
    pthread_join(thread, NULL);
    assert_int_equal(error, 0);
    assert_true(counters_sum(COUNTER_KV_CLUSTER_COMMITS) > commits);
    assert_stored(here, "n=2 ");
}

static void test_cluster_away(void **state)
{
    struct node *here = &((struct fixture *)*state)->nodes[0];
    struct kv_transaction *transaction = NULL;
    struct change change = {"b", SLICE("2")};
    put(here, "a", SLICE("1"));
    stop_osd();
    uint64_t start = clock_monotonic_us();
    int read = kv_read_begin(here->kv, &transaction);
    uint64_t waited = clock_monotonic_us() - start;
    start = clock_monotonic_us();
    int updated = kv_update(here->kv, KV_DURABLE, apply, &change);
    uint64_t update_waited = clock_monotonic_us() - start;
    kill(osd(), SIGCONT);
    assert_int_equal(read, ERROR_BUSY);
    assert_true(waited < 3 * TIMEOUT * 1000000);
    assert_int_equal(updated, ERROR_BUSY);
    assert_true(update_waited < (KV_BUSY_TIMEOUT + 4 * TIMEOUT) * UINT64_C(1000000));
    put(here, "c", SLICE("3")); /* without opening anything again */
    assert_int_equal(read_patiently(here->kv, &transaction), 0);
    assert_value(transaction, "a", "1");
    assert_value(transaction, "c", "3");
    kv_read_end(&transaction);
}

#define CASE(test, set_up)                                                                         \
    {                                                                                              \
#test, test, set_up, tear_down, NULL                                                       \
    }

#define LOCKING(test)                                                                              \
    {                                                                                              \
#test, test, set_up_locking, tear_down_locking, NULL                                       \
    }

int main(int count, char **arguments)
{
    if (count == 3 && strcmp(arguments[1], "obey") == 0)
        return obey(arguments[2]);
    const struct CMUnitTest tests[] = {
        CASE(test_snapshot_of_another_node, set_up),
        CASE(test_walk_of_another_nodes_keys, set_up),
        CASE(test_snapshot_too_old, set_up),
        CASE(test_reads_once, set_up),
        CASE(test_keeps_no_more_than_its_limit, set_up_small_cache),
        CASE(test_nodes_race, set_up),
        CASE(test_threads_commit_together, set_up),
        CASE(test_update_sees_other_nodes_commits, set_up),
        CASE(test_limit_of_an_update, set_up),
        CASE(test_data_of_the_object, set_up),
        CASE(test_destroyed_and_made_again, set_up),
        cmocka_unit_test(test_notices_between_nodes),
        cmocka_unit_test(test_missed),
        LOCKING(test_lock_of_another_process),
        LOCKING(test_lock_of_a_killed_process),
        LOCKING(test_lock_of_a_stopped_process),
        LOCKING(test_lock_of_a_space_made_anew),
        LOCKING(test_lock_while_the_cluster_is_away),
        CASE(test_commit_unheard_of, set_up_impatient),
        CASE(test_cluster_away, set_up_impatient),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
