/*
 * The file of a space's log, as SQLite's VFS but for two things: what is written to it is gathered
 * and written at once, and it grows ahead of what is written.
 *
 * SQLite writes each frame of a commit by two calls, a header of 24 bytes and a page: 18 for the
 * nine pages of a delivery. Nobody reads a frame before the commit it belongs to is complete:
 *
 *   other connections   learn of it from the shared index, which SQLite writes after the last frame
 *                       of a commit (the one whose header says the size of the database);
 *   this connection     reads through xRead;
 *   after a crash       frames count only up to the last commit.
 *
 * So bytes are gathered as long as they follow one another, and written with the frame that
 * commits, and before anything else is asked of the file. What is kept here of the file besides
 * them, but for its length, holds within one commit only: between two, others write to it, too, and
 * begin it anew. A write that fails is reported by that call, and SQLite rolls the commit back.
 *
 * To flush a file that has grown takes two to three times as long as one that has not, since its
 * inode and what says where its blocks are is written as well: 161 us against 79 of 60 KB on ext4
 * without a journal, 430 against 127 with one. So behind a commit that will be flushed, where the
 * file ends, zeros are written for those that follow: as many bytes again, up to AHEAD_MAXIMUM at a
 * time, until the log is begun anew, and 238 us a commit instead of 430, the zeros included (148
 * instead of 171). Behind the last frame of a commit nothing counts until the next one, which only
 * the holder of SQLite's lock can write: the one that is committing. SQLite takes zeros for no
 * frame: their salt is not that of the log's header.
 *
 * https://www.sqlite.org/fileformat2.html section 4.1 has the layout of the log.
 */
#include "kv/sqlite/sqlite_priv.h"

#include <stdlib.h>
#include <string.h>

enum {
    FRAME_HEADER_SIZE = 24,
    COMMIT_SIZE_OFFSET = 4, /* in a frame's header: 4 bytes, not 0 in the one that commits */
    /* A longer commit is written in parts: 15 frames each, since SQLite's own xWrite takes at most
     * 0x1ffff bytes. */
    GATHERED_MAXIMUM = 15 * (FRAME_HEADER_SIZE + SQLITE_SPACE_PAGE_SIZE) + 1024,
    SPARE_MEMORY = 4, /* for as many threads that commit at once */
    /* A shorter log grows with what is written: most spaces get a few changes while they are open.
     * A longer one is doubled, up to so many bytes more at a time. */
    AHEAD_FROM = 128 * 1024,
    AHEAD_MAXIMUM = 512 * 1024,
};

struct log_file {
    sqlite3_file file;
    char *gathered; /* NULL when there is nothing */
    size_t size;
    sqlite3_int64 offset;      /* of the first byte gathered */
    sqlite3_int64 read_offset; /* of the last read, when nothing was written since; else -1 */
    bool committing;           /* the last header written is of the frame that commits */
    bool flushed;              /* the commit that goes on, or comes next, will be */
    sqlite3_int64 end;         /* of the last commit that was to be flushed */
    sqlite3_int64 length;      /* of the file, when it was last asked or changed; 0: not known */
    sqlite3_file inner;        /* SQLite's own, and its bytes behind */
};

static sqlite3_vfs vfs;        /* this one */
static sqlite3_vfs *inner_vfs; /* SQLite's */
static const sqlite3_io_methods log_methods;

/* Memory to gather in, of the process: of so much the C library gives the pages back to the system
 * whenever it is freed, and to get them anew takes longer than to write to them. */
static _Atomic(char *) spare[SPARE_MEMORY];

static char *take_memory(void)
{
    char *memory = NULL;
    for (size_t i = 0; i < SPARE_MEMORY && !memory; i++)
        memory = atomic_exchange(&spare[i], NULL);
    return memory ? memory : malloc(GATHERED_MAXIMUM);
}

static void give_memory(char *memory)
{
    for (size_t i = 0; i < SPARE_MEMORY && memory; i++)
        memory = atomic_exchange(&spare[i], memory);
    free(memory);
}

static void forget(struct log_file *log)
{
    give_memory(log->gathered);
    log->gathered = NULL;
    log->size = 0;
}

static int write_gathered(struct log_file *log)
{
    if (!log->size)
        return SQLITE_OK;
    int result =
        log->inner.pMethods->xWrite(&log->inner, log->gathered, (int)log->size, log->offset);
    forget(log);
    return result;
}

/* Zeros behind a commit that ends the file, or as it was. */
static void write_ahead(struct log_file *log, sqlite3_int64 end)
{
    static const char zeros[64 * 1024];
    sqlite3_int64 before = log->length, more = end < AHEAD_MAXIMUM ? end : AHEAD_MAXIMUM;
    int result = SQLITE_OK;
    while (result == SQLITE_OK && log->length < end + more) {
        result = log->inner.pMethods->xWrite(&log->inner, zeros, (int)sizeof(zeros), log->length);
        log->length += (sqlite3_int64)sizeof(zeros);
    }
    if (result == SQLITE_OK)
        return;
    log->length = before;
    log->inner.pMethods->xTruncate(&log->inner, before);
}

/* What is known of the file's length may be long past, as others write to it and cut it: it is
 * asked before anything is written. */
static void grow_ahead(struct log_file *log, sqlite3_int64 end)
{
    if (end < log->end) /* begun anew, and maybe cut before */
        log->length = 0;
    log->end = end;
    if (end >= AHEAD_FROM && end >= log->length &&
        log->inner.pMethods->xFileSize(&log->inner, &log->length) == SQLITE_OK &&
        end >= log->length)
        write_ahead(log, end);
}

static int write_commit(struct log_file *log)
{
    sqlite3_int64 end = log->offset + (sqlite3_int64)log->size;
    int result = write_gathered(log);
    if (result == SQLITE_OK && log->flushed)
        grow_ahead(log, end);
    return result;
}

void log_file_commits(sqlite3 *db, bool flushed)
{
    sqlite3_file *file = NULL;
    if (sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file) == SQLITE_OK &&
        file && file->pMethods == &log_methods)
        ((struct log_file *)file)->flushed = flushed;
}

static bool has_room(struct log_file *log, size_t more)
{
    if (!log->gathered)
        log->gathered = take_memory();
    return log->gathered && log->size + more <= GATHERED_MAXIMUM;
}

static bool is_commit_header(const char *bytes, int size)
{
    static const char none[4];
    return size == FRAME_HEADER_SIZE && memcmp(bytes + COMMIT_SIZE_OFFSET, none, sizeof(none)) != 0;
}

/* A commit that changed one of its frames after writing it reads the headers behind, and writes
 * each again, with nothing after the last. */
static bool is_rewritten(const struct log_file *log, int size, sqlite3_int64 offset)
{
    return size == FRAME_HEADER_SIZE && offset == log->read_offset;
}

static int write_through(struct log_file *log, const void *bytes, int size, sqlite3_int64 offset)
{
    int result = write_gathered(log);
    return result ? result : log->inner.pMethods->xWrite(&log->inner, bytes, size, offset);
}

static int log_write(sqlite3_file *file, const void *bytes, int size, sqlite3_int64 offset)
{
    struct log_file *log = (struct log_file *)file;
    bool header = size == FRAME_HEADER_SIZE;
    bool last = log->committing && size == SQLITE_SPACE_PAGE_SIZE;
    bool rewritten = is_rewritten(log, size, offset);
    log->committing = header && is_commit_header(bytes, size);
    log->read_offset = -1;
    if (rewritten)
        return write_through(log, bytes, size, offset);
    int result = SQLITE_OK;
    if (log->size && offset != log->offset + (sqlite3_int64)log->size)
        result = write_gathered(log);
    if (result == SQLITE_OK && !has_room(log, (size_t)size)) {
        result = write_gathered(log);
        if (result == SQLITE_OK && !has_room(log, (size_t)size))
            return write_through(log, bytes, size, offset);
    }
    if (result != SQLITE_OK)
        return result;
    if (!log->size)
        log->offset = offset;
    memcpy(log->gathered + log->size, bytes, (size_t)size);
    log->size += (size_t)size;
    return last ? write_commit(log) : SQLITE_OK;
}

static int log_read(sqlite3_file *file, void *bytes, int size, sqlite3_int64 offset)
{
    struct log_file *log = (struct log_file *)file;
    int result = write_gathered(log);
    log->read_offset = offset;
    return result ? result : log->inner.pMethods->xRead(&log->inner, bytes, size, offset);
}

static int log_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    struct log_file *log = (struct log_file *)file;
    int result = write_gathered(log);
    return result ? result : log->inner.pMethods->xTruncate(&log->inner, size);
}

static int log_sync(sqlite3_file *file, int flags)
{
    struct log_file *log = (struct log_file *)file;
    int result = write_gathered(log);
    return result ? result : log->inner.pMethods->xSync(&log->inner, flags);
}

static int log_file_size(sqlite3_file *file, sqlite3_int64 *size)
{
    struct log_file *log = (struct log_file *)file;
    int result = write_gathered(log);
    return result ? result : log->inner.pMethods->xFileSize(&log->inner, size);
}

/* What is gathered then is of a commit that was rolled back. */
static int log_close(sqlite3_file *file)
{
    struct log_file *log = (struct log_file *)file;
    forget(log);
    return log->inner.pMethods->xClose(&log->inner);
}

static int log_control(sqlite3_file *file, int operation, void *arg)
{
    struct log_file *log = (struct log_file *)file;
    return log->inner.pMethods->xFileControl(&log->inner, operation, arg);
}

static int log_sector_size(sqlite3_file *file)
{
    struct log_file *log = (struct log_file *)file;
    return log->inner.pMethods->xSectorSize(&log->inner);
}

static int log_characteristics(sqlite3_file *file)
{
    struct log_file *log = (struct log_file *)file;
    return log->inner.pMethods->xDeviceCharacteristics(&log->inner);
}

/* Locks are for the database's own file; nobody asks for them here. */
static int log_lock(sqlite3_file *file, int level)
{
    (void)file, (void)level;
    return SQLITE_OK;
}

static int log_is_locked(sqlite3_file *file, int *locked)
{
    (void)file;
    *locked = 0;
    return SQLITE_OK;
}

static const sqlite3_io_methods log_methods = {
    .iVersion = 1,
    .xClose = log_close,
    .xRead = log_read,
    .xWrite = log_write,
    .xTruncate = log_truncate,
    .xSync = log_sync,
    .xFileSize = log_file_size,
    .xLock = log_lock,
    .xUnlock = log_lock,
    .xCheckReservedLock = log_is_locked,
    .xFileControl = log_control,
    .xSectorSize = log_sector_size,
    .xDeviceCharacteristics = log_characteristics,
};

static int open_file(sqlite3_vfs *unused, const char *name, sqlite3_file *file, int flags,
                     int *opened)
{
    (void)unused;
    if (!(flags & SQLITE_OPEN_WAL))
        return inner_vfs->xOpen(inner_vfs, name, file, flags, opened);
    struct log_file *log = (struct log_file *)file;
    *log = (struct log_file){.read_offset = -1};
    int result = inner_vfs->xOpen(inner_vfs, name, &log->inner, flags, opened);
    if (result == SQLITE_OK)
        log->file.pMethods = &log_methods;
    return result;
}

int log_file_register(void)
{
    inner_vfs = sqlite3_vfs_find(NULL);
    if (!inner_vfs)
        return SQLITE_ERROR;
    vfs = *inner_vfs;
    vfs.zName = SQLITE_VFS_NAME;
    vfs.pNext = NULL;
    vfs.szOsFile = (int)offsetof(struct log_file, inner) + inner_vfs->szOsFile;
    vfs.xOpen = open_file;
    return sqlite3_vfs_register(&vfs, 0);
}
