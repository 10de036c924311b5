/*
 * What the key-value engine costs, in a directory given: a durable commit of 20 KB, the same
 * relaxed, reading 400 values of 8 KB, a walk over 50,000 values of 900 bytes, values of 256 KB,
 * the lock of a space, memory of an idle open space.
 *
 *     kv_bench DIRECTORY
 *     kv_bench rados CONFIG POOL              # on a Ceph cluster (tests/harness/cluster.py)
 *     strace -f -c -e trace=fdatasync kv_bench DIRECTORY     # flushes
 */
#include "base/clock.h"
#include "base/error.h"
#include "kv/kv.h"
#include "rados/cluster.h"

#include <malloc.h>

enum {
    COMMITS = 80, /* a log that kv_rest copies and keeps */
    MESSAGE_BYTES = 20 * 1024,
    PAGES = 400,
    PAGE_BYTES = 8 * 1024,
    SUMMARIES = 50000,
    SUMMARY_BYTES = 900,
    SUMMARIES_PER_COMMIT = 1000,
    LARGE = 50,
    LARGE_BYTES = 256 * 1024,
    SPACES = 200,
    LOCKS = 200,
};

struct job {
    const char *prefix;
    unsigned first;
    unsigned count;
    size_t size;
};

static char bytes[LARGE_BYTES];

static struct slice make_key(char text[32], const char *prefix, unsigned number)
{
    int size = snprintf(text, 32, "%s/%08u", prefix, number);
    return slice_make(text, (size_t)size);
}

static void check(int error, const char *what)
{
    if (error) {
        fprintf(stderr, "kv_bench: %s: %s\n", what, error_text(error));
        exit(1);
    }
}

static int put_some(struct kv_transaction *transaction, void *arg)
{
    const struct job *job = arg;
    char text[32];
    int error = 0;
    for (unsigned i = 0; i < job->count && !error; i++)
        error = kv_put(transaction, make_key(text, job->prefix, job->first + i),
                       slice_make(bytes, job->size));
    return error;
}

static void print_each(const char *what, uint64_t start, unsigned count)
{
    printf("%-44s %10.1f us\n", what, (double)(clock_monotonic_us() - start) / count);
}

/* count commits of one value each; with a checkpoint between, as kv_rest would do it. */
static void commits(struct kv *kv, const char *what, const char *prefix,
                    enum kv_durability durability, unsigned count, size_t size)
{
    uint64_t start = clock_monotonic_us();
    /* Other bytes each time: SQLite writes nothing for a value that stays what it is. */
    memset(bytes, bytes[0] + 1, sizeof(bytes));
    for (unsigned i = 0; i < count; i++) {
        struct job job = {prefix, i, 1, size};
        check(kv_update(kv, durability, put_some, &job), what);
    }
    print_each(what, start, count);
    start = clock_monotonic_us();
    check(kv_rest(kv), "rest");
    print_each("  kv_rest after it", start, 1);
}

static void read_values(struct kv *kv, const char *what, const char *prefix, unsigned count)
{
    struct kv_transaction *transaction;
    struct buffer value;
    char text[32];
    buffer_init(&value, KV_VALUE_MAXIMUM);
    uint64_t start = clock_monotonic_us();
    check(kv_read_begin(kv, &transaction), what);
    for (unsigned i = 0; i < count; i++) {
        buffer_clear(&value);
        check(kv_get(transaction, make_key(text, prefix, i), &value), what);
    }
    kv_read_end(&transaction);
    print_each(what, start, 1);
    buffer_release(&value);
}

static void read_range(struct kv *kv, const char *what, const char *prefix)
{
    struct kv_transaction *transaction;
    struct kv_cursor *cursor;
    struct slice key;
    struct slice value;
    size_t total = 0;
    int error;
    uint64_t start = clock_monotonic_us();
    check(kv_read_begin(kv, &transaction), what);
    check(kv_cursor_open(transaction, slice_from_string(prefix), SLICE(""), &cursor), what);
    while ((error = kv_cursor_next(cursor, &key, &value)) == 0)
        total += value.size;
    check(error == ERROR_NOT_FOUND ? 0 : error, what);
    kv_cursor_close(&cursor);
    kv_read_end(&transaction);
    print_each(what, start, 1);
    if (total != (size_t)SUMMARIES * SUMMARY_BYTES)
        check(ERROR_CORRUPT, what);
}

static void fill_summaries(struct kv *kv)
{
    uint64_t start = clock_monotonic_us();
    for (unsigned i = 0; i < SUMMARIES; i += SUMMARIES_PER_COMMIT) {
        struct job job = {"summary", i, SUMMARIES_PER_COMMIT, SUMMARY_BYTES};
        check(kv_update(kv, KV_RELAXED, put_some, &job), "summaries");
    }
    print_each("50,000 values of 900 bytes, written", start, 1);
    check(kv_rest(kv), "rest");
}

/* Taken, looked at, given back: nobody else wants it. */
static void locks(struct kv *kv)
{
    uint64_t spent[3] = {0};
    for (unsigned i = 0; i < LOCKS; i++) {
        struct kv_lock *lock;
        uint64_t start = clock_monotonic_us();
        check(kv_lock(kv, &lock), "lock");
        uint64_t taken = clock_monotonic_us();
        check(kv_lock_check(lock), "lock");
        uint64_t looked = clock_monotonic_us();
        kv_unlock(&lock);
        spent[0] += taken - start;
        spent[1] += looked - taken;
        spent[2] += clock_monotonic_us() - looked;
    }
    printf("%-44s %10.1f us\n", "the lock of a space, taken", (double)spent[0] / LOCKS);
    printf("%-44s %10.1f us\n", "  looked at", (double)spent[1] / LOCKS);
    printf("%-44s %10.1f us\n", "  given back", (double)spent[2] / LOCKS);
}

static void idle_memory(struct kv_engine *engine)
{
    struct kv *spaces[SPACES];
    char name[32];
    size_t before = mallinfo2().uordblks;
    for (unsigned i = 0; i < SPACES; i++) {
        struct job job = {"a", 0, 20, PAGE_BYTES};
        snprintf(name, sizeof(name), "idle/%u", i);
        check(kv_open(engine, name, KV_CREATE, &spaces[i]), name);
        check(kv_update(spaces[i], KV_DURABLE, put_some, &job), name);
    }
    printf("%-44s %10.1f KB\n", "heap of an open space, used once",
           (double)(mallinfo2().uordblks - before) / SPACES / 1024);
    for (unsigned i = 0; i < SPACES; i++)
        check(kv_rest(spaces[i]), "rest");
    printf("%-44s %10.1f KB\n", "  after kv_rest",
           (double)(mallinfo2().uordblks - before) / SPACES / 1024);
    uint64_t start = clock_monotonic_us();
    for (unsigned i = 0; i < SPACES; i++)
        kv_close(&spaces[i]);
    print_each("closing a space", start, SPACES);
    start = clock_monotonic_us();
    for (unsigned i = 0; i < SPACES; i++) {
        snprintf(name, sizeof(name), "idle/%u", i);
        check(kv_open(engine, name, 0, &spaces[i]), name);
    }
    print_each("opening a space", start, SPACES);
    for (unsigned i = 0; i < SPACES; i++)
        kv_close(&spaces[i]);
}

static struct kv_engine *connect_to(const char *config, const char *pool, struct cluster **cluster)
{
    const struct cluster_options options = {.config = config, .pool = pool};
    struct kv_engine *engine;
    check(cluster_create(&options, cluster), config);
    check(cluster_connect(*cluster), pool);
    check(kv_rados_create(*cluster, "bench", 0, &engine), pool);
    return engine;
}

int main(int argc, char **argv)
{
    struct cluster *cluster = NULL;
    struct kv_engine *engine;
    struct kv *kv;
    bool rados = argc == 4 && strcmp(argv[1], "rados") == 0;
    if (argc != 2 && !rados) {
        fprintf(stderr, "usage: kv_bench DIRECTORY | rados CONFIG POOL\n");
        return 2;
    }
    memset(bytes, 'x', sizeof(bytes));
    if (rados)
        engine = connect_to(argv[2], argv[3], &cluster);
    else
        check(kv_sqlite_create(argv[1], &engine), argv[1]);
    check(kv_open(engine, "bench", KV_CREATE, &kv), argv[1]);
    commits(kv, "durable commit of 20 KB, new log", "message", KV_DURABLE, COMMITS, MESSAGE_BYTES);
    commits(kv, "durable commit of 20 KB, log reused", "again", KV_DURABLE, COMMITS, MESSAGE_BYTES);
    commits(kv, "durable commit of an 8 KB page, same key", "page", KV_DURABLE, 1, PAGE_BYTES);
    commits(kv, "relaxed commit of 8 KB", "page", KV_RELAXED, PAGES, PAGE_BYTES);
    commits(kv, "relaxed commit of 8 KB, over the old value", "page", KV_RELAXED, PAGES,
            PAGE_BYTES);
    commits(kv, "durable commit of 256 KB", "large", KV_DURABLE, LARGE, LARGE_BYTES);
    read_values(kv, "400 values of 8 KB, first time", "page", PAGES);
    read_values(kv, "400 values of 8 KB, again", "page", PAGES);
    read_values(kv, "80 values of 20 KB", "message", COMMITS);
    read_values(kv, "50 values of 256 KB", "large", LARGE);
    fill_summaries(kv);
    read_range(kv, "walk over 50,000 values of 900 bytes", "summary/");
    read_values(kv, "50,000 values of 900 bytes, each by its key", "summary", SUMMARIES);
    locks(kv);
    kv_close(&kv);
    idle_memory(engine);
    kv_engine_free(&engine);
    cluster_free(&cluster);
    return 0;
}
