/*
 * For a power cut, each write that is not flushed yet is kept with the bytes it replaced, and each
 * file that was made, renamed or removed since its folder was flushed. When the power goes, any of
 * that is undone, block by block, as the seed says: a disk may have written what it liked.
 */
#include "tests/unit/faults.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { BLOCK = 512 };

struct undo {
    TAILQ_ENTRY(undo) entries;
    enum { UNDO_WRITE, UNDO_MAKE, UNDO_RENAME, UNDO_REMOVE } kind;
    char path[PATH_MAX];  /* the file; of a rename, the new name */
    char other[PATH_MAX]; /* of a rename, the old name; of a removal, where it is kept */
    ino_t inode;
    off_t offset, size_before;
    size_t size;
    char *before; /* size bytes; zeros behind the end */
};
TAILQ_HEAD(undo_list, undo);

static struct {
    pthread_mutex_t lock;
    char directory[PATH_MAX];
    size_t directory_size;
    enum fault fault;
    unsigned calls, at, seed, kept;
    bool met;
    struct undo_list undone;
} faults = {.lock = PTHREAD_MUTEX_INITIALIZER, .undone = TAILQ_HEAD_INITIALIZER(faults.undone)};

const char *fault_name(enum fault fault)
{
    static const char *const names[FAULTS] = {
        [FAULT_NONE] = "none",
        [FAULT_KILL] = "kill",
        [FAULT_KILL_SHORT] = "kill in a write",
        [FAULT_POWER] = "power",
        [FAULT_SHORT] = "short write",
        [FAULT_IO] = "EIO",
        [FAULT_SYNC] = "failed flush",
        [FAULT_FULL] = "ENOSPC",
    };
    return names[fault];
}

/* --- the calls as the kernel has them --- */

static ssize_t real_pwrite(int file, const void *bytes, size_t size, off_t offset)
{
    return syscall(SYS_pwrite64, file, bytes, size, offset);
}

static int real_openat(int folder, const char *path, int flags, mode_t mode)
{
    return (int)syscall(SYS_openat, folder, path, flags, mode);
}

/* --- what is watched --- */

static bool is_watched(const char *path)
{
    return faults.directory_size && !strncmp(path, faults.directory, faults.directory_size);
}

static bool path_of_file(int file, char path[PATH_MAX])
{
    char link[64];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", file);
    ssize_t size = readlink(link, path, PATH_MAX - 1);
    path[size > 0 ? size : 0] = '\0';
    return is_watched(path);
}

static bool path_of(int folder, const char *name, char path[PATH_MAX])
{
    char parent[PATH_MAX];
    if (name[0] == '/' || folder == AT_FDCWD)
        snprintf(path, PATH_MAX, "%s", name);
    else if (path_of_file(folder, parent))
        snprintf(path, PATH_MAX, "%.*s/%.*s", PATH_MAX / 2 - 1, parent, PATH_MAX / 2 - 2, name);
    else
        path[0] = '\0';
    return is_watched(path);
}

static ino_t inode_of(int file)
{
    struct stat status;
    return fstat(file, &status) ? 0 : status.st_ino;
}

/* --- undoing --- */

static struct undo *note(int kind, const char *path)
{
    struct undo *undo = calloc(1, sizeof(*undo));
    undo->kind = kind;
    snprintf(undo->path, sizeof(undo->path), "%s", path);
    TAILQ_INSERT_HEAD(&faults.undone, undo, entries);
    return undo;
}

static void forget(struct undo *undo)
{
    if (undo->kind == UNDO_REMOVE)
        syscall(SYS_unlinkat, AT_FDCWD, undo->other, 0);
    TAILQ_REMOVE(&faults.undone, undo, entries);
    free(undo->before);
    free(undo);
}

static void note_write(int file, const char *path, size_t size, off_t offset)
{
    struct stat status;
    if (fstat(file, &status))
        return;
    struct undo *undo = note(UNDO_WRITE, path);
    undo->inode = status.st_ino;
    undo->offset = offset;
    undo->size = size;
    undo->size_before = status.st_size;
    undo->before = calloc(1, size + 1);
    int again = real_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (again >= 0) {
        ssize_t got = pread(again, undo->before, size, offset);
        (void)got; /* Behind the end are zeros. */
        syscall(SYS_close, again);
    }
}

static void flushed_file(int file)
{
    ino_t inode = inode_of(file);
    struct undo *next;
    for (struct undo *undo = TAILQ_FIRST(&faults.undone); undo; undo = next) {
        next = TAILQ_NEXT(undo, entries);
        if (undo->kind == UNDO_WRITE && undo->inode == inode)
            forget(undo);
    }
}

static void flushed_folder(const char *folder)
{
    size_t size = strlen(folder);
    struct undo *next;
    for (struct undo *undo = TAILQ_FIRST(&faults.undone); undo; undo = next) {
        next = TAILQ_NEXT(undo, entries);
        if (undo->kind != UNDO_WRITE && !strncmp(undo->path, folder, size) &&
            undo->path[size] == '/' && !strchr(undo->path + size + 1, '/'))
            forget(undo);
    }
}

static unsigned chance(void)
{
    faults.seed = faults.seed * 1103515245 + 12345;
    return faults.seed >> 16;
}

static void undo_write(const struct undo *undo)
{
    int file = real_openat(AT_FDCWD, undo->path, O_WRONLY | O_CLOEXEC, 0);
    if (file < 0)
        return;
    bool all = true;
    for (size_t at = 0; at < undo->size;) {
        size_t part = BLOCK - (size_t)(undo->offset + (off_t)at) % BLOCK;
        part = part < undo->size - at ? part : undo->size - at;
        if (chance() % 2)
            real_pwrite(file, undo->before + at, part, undo->offset + (off_t)at);
        else
            all = false;
        at += part;
    }
    if (all && undo->offset + (off_t)undo->size > undo->size_before)
        syscall(SYS_ftruncate, file, undo->size_before);
    syscall(SYS_close, file);
}

static void cut_power(void)
{
    struct undo *undo;
    TAILQ_FOREACH(undo, &faults.undone, entries)
    {
        if (undo->kind == UNDO_WRITE)
            undo_write(undo);
        else if (chance() % 2)
            continue;
        else if (undo->kind == UNDO_MAKE)
            syscall(SYS_unlinkat, AT_FDCWD, undo->path, 0);
        else if (undo->kind == UNDO_RENAME)
            syscall(SYS_renameat2, AT_FDCWD, undo->path, AT_FDCWD, undo->other, 1);
        else
            syscall(SYS_renameat2, AT_FDCWD, undo->other, AT_FDCWD, undo->path, 1);
    }
}

/* --- the fault --- */

/* Under the lock. What is to happen to this call: FAULT_NONE, or an error to return. */
static enum fault count_call(bool writes, bool flushes)
{
    faults.calls++;
    bool now = faults.fault && faults.calls >= faults.at;
    if (!now || (faults.fault == FAULT_SYNC && !flushes) ||
        (faults.met && faults.fault != FAULT_FULL))
        return FAULT_NONE;
    if ((faults.fault == FAULT_SHORT || faults.fault == FAULT_FULL) && !writes)
        return FAULT_NONE;
    faults.met = true;
    if (faults.fault == FAULT_POWER)
        cut_power();
    if (faults.fault == FAULT_KILL || faults.fault == FAULT_POWER ||
        (faults.fault == FAULT_KILL_SHORT && !writes))
        syscall(SYS_exit_group, FAULTS_EXIT);
    return faults.fault;
}

static ssize_t write_at(int file, const void *bytes, size_t size, off_t offset, const char *path)
{
    pthread_mutex_lock(&faults.lock);
    enum fault fault = count_call(true, false);
    ssize_t written = -1;
    errno = fault == FAULT_FULL ? ENOSPC : EIO;
    if (fault == FAULT_SHORT || fault == FAULT_KILL_SHORT)
        size = size > 1 ? size / 2 : size;
    if (fault != FAULT_FULL && fault != FAULT_IO) {
        note_write(file, path, size, offset);
        written = real_pwrite(file, bytes, size, offset);
    }
    if (fault == FAULT_KILL_SHORT)
        syscall(SYS_exit_group, FAULTS_EXIT);
    int error = errno;
    pthread_mutex_unlock(&faults.lock);
    errno = error;
    return written;
}

/* For calls that do no more than succeed or fail. Locked until end_call. */
static bool begin_call(bool flushes)
{
    pthread_mutex_lock(&faults.lock);
    if (count_call(false, flushes) == FAULT_NONE)
        return true;
    pthread_mutex_unlock(&faults.lock);
    errno = EIO;
    return false;
}

static int end_call(int result)
{
    int error = errno;
    pthread_mutex_unlock(&faults.lock);
    errno = error;
    return result;
}

/* --- the calls --- */

ssize_t pwrite64(int file, const void *bytes, size_t size, off_t offset)
{
    char path[PATH_MAX];
    return path_of_file(file, path) ? write_at(file, bytes, size, offset, path)
                                    : real_pwrite(file, bytes, size, offset);
}

ssize_t pwrite(int file, const void *bytes, size_t size, off_t offset)
{
    return pwrite64(file, bytes, size, offset);
}

ssize_t write(int file, const void *bytes, size_t size)
{
    char path[PATH_MAX];
    if (!path_of_file(file, path))
        return syscall(SYS_write, file, bytes, size);
    off_t offset = lseek(file, 0, SEEK_CUR);
    if (fcntl(file, F_GETFL) & O_APPEND)
        offset = lseek(file, 0, SEEK_END);
    ssize_t written = write_at(file, bytes, size, offset, path);
    if (written > 0)
        lseek(file, offset + written, SEEK_SET);
    return written;
}

static int flush(int number, int file)
{
    char path[PATH_MAX];
    struct stat status;
    if (!path_of_file(file, path))
        return (int)syscall(number, file);
    if (!begin_call(true))
        return -1;
    if (!fstat(file, &status) && S_ISDIR(status.st_mode))
        flushed_folder(path);
    else
        flushed_file(file);
    return end_call(0); /* The disk of this test needs no flush. */
}

int fdatasync(int file)
{
    return flush(SYS_fdatasync, file);
}

int fsync(int file)
{
    return flush(SYS_fsync, file);
}

int ftruncate64(int file, off_t size)
{
    char path[PATH_MAX];
    struct stat status;
    if (!path_of_file(file, path))
        return (int)syscall(SYS_ftruncate, file, size);
    if (!begin_call(false))
        return -1;
    if (!fstat(file, &status) && size < status.st_size)
        note_write(file, path, (size_t)(status.st_size - size), size);
    return end_call((int)syscall(SYS_ftruncate, file, size));
}

int ftruncate(int file, off_t size)
{
    return ftruncate64(file, size);
}

int openat(int folder, const char *name, int flags, ...)
{
    char path[PATH_MAX];
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    if (!(flags & O_CREAT) || !path_of(folder, name, path) ||
        faccessat(AT_FDCWD, path, F_OK, 0) == 0)
        return real_openat(folder, name, flags, mode);
    if (!begin_call(false))
        return -1;
    int file = real_openat(folder, name, flags, mode);
    if (file >= 0)
        note(UNDO_MAKE, path);
    return end_call(file);
}

int openat64(int folder, const char *name, int flags, ...) __attribute__((alias("openat")));

int open64(const char *name, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return openat(AT_FDCWD, name, flags, mode);
}

int open(const char *name, int flags, ...) __attribute__((alias("open64")));

int unlinkat(int folder, const char *name, int flags)
{
    char path[PATH_MAX], kept[PATH_MAX];
    if (flags || !path_of(folder, name, path))
        return (int)syscall(SYS_unlinkat, folder, name, flags);
    if (!begin_call(false))
        return -1;
    snprintf(kept, sizeof(kept), "%.*s.removed/%u", (int)faults.directory_size, faults.directory,
             faults.kept++);
    if (syscall(SYS_renameat2, AT_FDCWD, path, AT_FDCWD, kept, 0))
        return end_call(-1);
    struct undo *written;
    TAILQ_FOREACH(written, &faults.undone, entries)
    if (written->kind == UNDO_WRITE && !strcmp(written->path, path))
        snprintf(written->path, sizeof(written->path), "%s", kept);
    struct undo *undo = note(UNDO_REMOVE, path);
    snprintf(undo->other, sizeof(undo->other), "%s", kept);
    return end_call(0);
}

int unlink(const char *name)
{
    return unlinkat(AT_FDCWD, name, 0);
}

int renameat(int from_folder, const char *from, int to_folder, const char *to)
{
    char path[PATH_MAX], old[PATH_MAX];
    if (!path_of(to_folder, to, path) || !path_of(from_folder, from, old))
        return (int)syscall(SYS_renameat2, from_folder, from, to_folder, to, 0);
    if (!begin_call(false))
        return -1;
    bool replaces = faccessat(AT_FDCWD, path, F_OK, 0) == 0;
    int result = (int)syscall(SYS_renameat2, AT_FDCWD, old, AT_FDCWD, path, 0);
    if (!result && !replaces) {
        struct undo *undo = note(UNDO_RENAME, path);
        snprintf(undo->other, sizeof(undo->other), "%s", old);
    }
    return end_call(result);
}

int rename(const char *from, const char *to)
{
    return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

/* --- the plan --- */

void faults_watch(const char *directory)
{
    char kept[PATH_MAX];
    snprintf(faults.directory, sizeof(faults.directory), "%s", directory);
    faults.directory_size = strlen(directory);
    snprintf(kept, sizeof(kept), "%.*s.removed", PATH_MAX - 16, directory);
    mkdir(kept, 0700);
    faults_clear();
}

void faults_plan(enum fault fault, unsigned call, unsigned seed)
{
    faults.fault = fault;
    faults.at = call;
    faults.seed = seed;
    faults.calls = 0;
    faults.met = false;
}

void faults_clear(void)
{
    faults_plan(FAULT_NONE, 0, 0);
}

unsigned faults_calls(void)
{
    return faults.calls;
}

bool faults_met(void)
{
    return faults.met;
}
