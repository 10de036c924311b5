/*
 * The lock of a space: flock on an empty file beside the database. Not on the database itself, as
 * SQLite has locks of its own there, which closing any descriptor of it in the process would undo.
 *
 * Each holder opens the file anew, so that threads exclude one another as processes do, and the
 * kernel gives the lock back with the process. The file stays: removing it would let one lock the
 * file that goes while another locks a new one. It goes with the space; who finds that the file it
 * has locked is not the one that is there begins again.
 */
#include "base/clock.h"
#include "base/error.h"
#include "kv/sqlite/sqlite_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WAIT_FIRST_US = 500, WAIT_LONGEST_US = 16000 };

struct sqlite_lock {
    struct kv_lock lock;
    int file;
    char path[];
};

static bool is_there(const struct sqlite_lock *lock)
{
    struct stat opened, named;
    return fstat(lock->file, &opened) == 0 && stat(lock->path, &named) == 0 &&
           opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

/* ERROR_BUSY: another holds it. */
static int try_lock(struct sqlite_lock *lock)
{
    lock->file = open(lock->path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (lock->file < 0)
        return sqlite_file_error(errno);
    int error = 0;
    if (flock(lock->file, LOCK_EX | LOCK_NB))
        error = errno == EWOULDBLOCK || errno == EINTR ? ERROR_BUSY : sqlite_file_error(errno);
    else if (!is_there(lock))
        error = ERROR_BUSY;
    if (error)
        close(lock->file);
    return error;
}

/* "NAME.lock" for "NAME.db". */
static struct sqlite_lock *lock_new(struct sqlite_kv *kv)
{
    size_t size = strlen(kv->path) - strlen(".db");
    struct sqlite_lock *made = malloc(sizeof(*made) + size + sizeof(".lock"));
    if (!made)
        return NULL;
    made->lock.kv = &kv->kv;
    memcpy(made->path, kv->path, size);
    memcpy(made->path + size, ".lock", sizeof(".lock"));
    return made;
}

int sqlite_lock(struct kv *kv, struct kv_lock **lock)
{
    uint64_t deadline = clock_monotonic_us() + (uint64_t)kv->engine->busy_timeout_ms * 1000;
    struct sqlite_lock *made = lock_new((struct sqlite_kv *)kv);
    if (!made)
        return ERROR_MEMORY;
    int error = try_lock(made);
    for (useconds_t wait = WAIT_FIRST_US; error == ERROR_BUSY && clock_monotonic_us() < deadline;
         wait = wait < WAIT_LONGEST_US ? wait * 2 : wait) {
        usleep(wait);
        error = try_lock(made);
    }
    if (error)
        free(made);
    else
        *lock = &made->lock;
    return error;
}

void sqlite_unlock(struct kv_lock *lock)
{
    struct sqlite_lock *held = (struct sqlite_lock *)lock;
    close(held->file);
    free(held);
}
