#include "sqlite_test.h"

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* --- flushes are counted: SQLite's library calls this one --- */

_Atomic unsigned flushes;

int fdatasync(int descriptor)
{
    atomic_fetch_add(&flushes, 1);
    return (int)syscall(SYS_fdatasync, descriptor);
}

/* And this one for each write to its files. Zeros for what is to come count for themselves. */
_Atomic unsigned writes;
_Atomic size_t written, written_ahead;

ssize_t pwrite64(int descriptor, const void *bytes, size_t size, off_t offset)
{
    static const char zeros[LOG_HEADER_BYTES];
    bool ahead = size > sizeof(zeros) && memcmp(bytes, zeros, sizeof(zeros)) == 0;
    atomic_fetch_add(&writes, !ahead);
    atomic_fetch_add(ahead ? &written_ahead : &written, size);
    return syscall(SYS_pwrite64, descriptor, bytes, size, offset);
}

/* And this one for each page that it reads. */
_Atomic unsigned reads;

ssize_t pread64(int descriptor, void *bytes, size_t size, off_t offset)
{
    atomic_fetch_add(&reads, 1);
    return syscall(SYS_pread64, descriptor, bytes, size, offset);
}

unsigned flushes_since_last(void)
{
    return atomic_exchange(&flushes, 0);
}

/* --- a space --- */

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status, (void)type, (void)ftw;
    return remove(path);
}

int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    *state = f;
    const char *folder = getenv("TMPDIR");
    snprintf(f->directory, sizeof(f->directory), "%s/chapar-kv-XXXXXX", folder ? folder : "/tmp");
    assert_non_null(mkdtemp(f->directory));
    assert_int_equal(kv_sqlite_create(f->directory, &f->engine), 0);
    return kv_open(f->engine, "a/test", KV_CREATE, &f->kv);
}

int tear_down(void **state)
{
    struct fixture *f = *state;
    kv_close(&f->kv);
    kv_engine_free(&f->engine);
    if (f->mounted)
        umount(f->directory);
    nftw(f->directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(f);
    return 0;
}

void path_of(const struct fixture *f, const char *file, char path[128])
{
    snprintf(path, 128, "%s/%s", f->directory, file);
}

struct pair {
    struct slice key;
    struct slice value;
};

static int put_pair(struct kv_transaction *transaction, void *arg)
{
    const struct pair *pair = arg;
    return kv_put(transaction, pair->key, pair->value);
}

int put_bytes(struct kv *kv, const char *key, size_t size, enum kv_durability durability)
{
    static char bytes[KV_VALUE_MAXIMUM];
    static unsigned char fill;
    memset(bytes, ++fill, size);
    struct pair pair = {slice_from_string(key), slice_make(bytes, size)};
    return kv_update(kv, durability, put_pair, &pair);
}

int get_error(struct kv *kv, const char *key)
{
    struct kv_transaction *transaction;
    struct buffer value;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    int error = kv_read_begin(kv, &transaction);
    if (!error) {
        error = kv_get(transaction, slice_from_string(key), &value);
        kv_read_end(&transaction);
    }
    buffer_release(&value);
    return error;
}

off_t log_size(const struct fixture *f)
{
    char path[128];
    struct stat status;
    path_of(f, "a/test.db-wal", path);
    assert_int_equal(stat(path, &status), 0);
    return status.st_size;
}

void limit_files(off_t bytes)
{
    struct rlimit limit;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes < 0 ? RLIM_INFINITY : (rlim_t)bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

void lift_limit(struct fixture *f)
{
    (void)f;
    limit_files(-1);
}
