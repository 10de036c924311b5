/*
 * Who writes to a pack holds its flock, so a pack has one writer, of whatever thread or process. A
 * writer takes the pack of the account that this process wrote to last, or any that has room, or
 * begins one. It appends only behind whole records: a pack that ends with what a crash left is
 * sealed as it is.
 *
 *     taken ──append──> full ──flush──> sealed, and the next is taken
 *       │                                  ▲
 *       ├──finish: flush─────> let go      │
 *       └──any failure: cut back to where this writer began, or where its last flush was
 *                          (and sealed, if it was the flush that failed)
 */
#include "base/counters.h"
#include "base/error.h"
#include "blob/pack/pack_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>
#include <zstd.h>

enum {
    WRITE_SIZE = 256 * 1024, /* bytes collected before they are written */
    PENDING_MAXIMUM = 4 * 1024 * 1024,
};

/* --- which pack --- */

/* Takes the account's hint out of the table. */
static struct hint take_hint(struct pack_engine *engine, const char *account)
{
    struct hint hint = {0};
    pthread_mutex_lock(&engine->lock);
    for (unsigned i = 0; i < HINTS && !hint.pack; i++) {
        if (engine->hints[i].pack == 0 || strcmp(engine->hints[i].account, account) != 0)
            continue;
        hint = engine->hints[i];
        engine->hints[i].pack = 0;
    }
    pthread_mutex_unlock(&engine->lock);
    return hint;
}

static void give_hint(const struct pack_writer *writer)
{
    struct pack_engine *engine = writer->engine;
    pthread_mutex_lock(&engine->lock);
    struct hint *hint = &engine->hints[engine->next_hint++ % HINTS];
    hint->pack = writer->pack;
    hint->end = writer->written;
    memcpy(hint->account, writer->account, strlen(writer->account) + 1);
    pthread_mutex_unlock(&engine->lock);
}

static bool has_room(const struct stat *status)
{
    return S_ISREG(status->st_mode) && !is_sealed(status) && status->st_nlink > 0 &&
           status->st_size < PACK_FULL;
}

/* Whether there are whole records, and nothing else, from that offset to the end. */
static bool ends_well(int file, uint64_t size, uint64_t pack, uint64_t offset)
{
    struct record record;
    struct file_source source = file_source(file, size);
    while (offset < size && !record_find(&source.source, pack, offset, &record))
        offset += RECORD_HEADER + record.stored_size;
    return offset == size;
}

/* Takes the pack if it is nobody's and can be appended to; `known` bytes of it are known to be
 * whole records. ERROR_BUSY otherwise. */
static int try_pack(struct pack_writer *writer, uint64_t pack, uint64_t known)
{
    struct stat status;
    int file = open_pack(writer->folder, pack, O_RDWR, &status);
    if (file < 0)
        return ERROR_BUSY;
    bool taken = has_room(&status) && flock(file, LOCK_EX | LOCK_NB) == 0;
    /* Again: it may have been sealed, removed or filled before the lock. */
    taken = taken && fstat(file, &status) == 0 && has_room(&status);
    if (taken && (check_pack_header(file, pack) ||
                  !ends_well(file, (uint64_t)status.st_size, pack, known))) {
        seal_pack(file);
        taken = false;
    }
    if (!taken) {
        close(file);
        return ERROR_BUSY;
    }
    writer->file = file;
    writer->pack = pack;
    writer->start = writer->written = (uint64_t)status.st_size;
    writer->is_new = false;
    return 0;
}

static int search_pack(struct pack_writer *writer)
{
    DIR *directory;
    const struct dirent *entry;
    int error = open_directory(&writer->engine->engine, writer->account, &directory);
    if (error)
        return error;
    error = ERROR_BUSY;
    while (error == ERROR_BUSY && (entry = readdir(directory))) {
        uint64_t pack;
        struct stat status;
        if (pack_name_parse(entry->d_name, "pack", &pack) &&
            fstatat(writer->folder, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
            has_room(&status))
            error = try_pack(writer, pack, PACK_HEADER);
    }
    closedir(directory);
    return error;
}

/* Under the name .new: nobody else writes to it, nobody reads it. */
static int make_pack(struct pack_writer *writer)
{
    char header[PACK_HEADER];
    char name[NAME_SIZE];
    uint64_t pack = blob_new_number();
    pack_name(pack, "new", name);
    int file = openat(writer->folder, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0)
        return file_error(errno);
    if (flock(file, LOCK_EX | LOCK_NB)) {
        unlinkat(writer->folder, name, 0);
        close(file);
        return ERROR_IO;
    }
    pack_header_write(header, pack);
    writer->file = file;
    writer->pack = pack;
    writer->start = writer->written = 0;
    writer->is_new = true;
    return buffer_append(&writer->pending, slice_make(header, PACK_HEADER));
}

static int take_pack(struct pack_writer *writer)
{
    struct hint hint = take_hint(writer->engine, writer->account);
    int error = ERROR_BUSY;
    if (hint.pack)
        error = try_pack(writer, hint.pack, hint.end);
    if (error == ERROR_BUSY)
        error = search_pack(writer);
    return error == ERROR_BUSY ? make_pack(writer) : error;
}

/* --- flushing --- */

static int write_pending(struct pack_writer *writer)
{
    int error = write_at(writer->file, writer->written, buffer_slice(&writer->pending));
    if (error)
        return error;
    writer->written += writer->pending.size;
    buffer_clear(&writer->pending);
    return 0;
}

/* The account's folder may be new itself. */
static int flush_folders(int folder)
{
    counters_add(COUNTER_BLOB_FLUSHES, 2);
    if (fsync(folder))
        return file_error(errno);
    int parent = openat(folder, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent < 0)
        return file_error(errno);
    int error = fsync(parent) ? file_error(errno) : 0;
    close(parent);
    return error;
}

static int publish(struct pack_writer *writer)
{
    char name_new[NAME_SIZE];
    char name[NAME_SIZE];
    pack_name(writer->pack, "new", name_new);
    pack_name(writer->pack, "pack", name);
    if (renameat(writer->folder, name_new, writer->folder, name))
        return file_error(errno);
    int error = flush_folders(writer->folder);
    if (error)
        unlinkat(writer->folder, name, 0);
    else
        writer->is_new = false;
    return error;
}

static int flush(struct pack_writer *writer)
{
    int error = write_pending(writer);
    if (error)
        return error;
    counters_add(COUNTER_BLOB_FLUSHES, 1);
    if (fdatasync(writer->file)) {
        /* The kernel says it once, and drops what it could not write: who tries again is told that
         * all is well. */
        error = file_error(errno);
        seal_pack(writer->file);
        return error;
    }
    error = writer->is_new ? publish(writer) : 0;
    if (error)
        return error;
    counters_add(COUNTER_BLOB_STORED_BYTES, (int64_t)(writer->written - writer->start));
    writer->start = writer->written;
    return 0;
}

/* Lets the pack go as it was before; a new one is removed. */
static void take_back(struct pack_writer *writer)
{
    char name[NAME_SIZE];
    pack_name(writer->pack, "new", name);
    if (writer->is_new)
        unlinkat(writer->folder, name, 0);
    else if (ftruncate(writer->file, (off_t)writer->start))
        seal_pack(writer->file);
}

static int flush_full(struct pack_writer *writer)
{
    int error = flush(writer);
    if (error)
        return error;
    seal_pack(writer->file);
    close(writer->file);
    writer->file = -1;
    return 0;
}

static bool is_full(const struct pack_writer *writer)
{
    return writer->written + writer->pending.size >= PACK_FULL;
}

/* --- the writer --- */

int writer_init(struct pack_writer *writer, struct pack_engine *engine, const char *account)
{
    int folder = open_or_make_folder(&engine->engine, account);
    if (folder < 0)
        return folder;
    *writer =
        (struct pack_writer){.engine = engine, .account = account, .folder = folder, .file = -1};
    buffer_init(&writer->pending, PENDING_MAXIMUM);
    buffer_init(&writer->index, PENDING_MAXIMUM);
    return 0;
}

int writer_finish(struct pack_writer *writer, bool keep)
{
    int error = keep && writer->file >= 0 ? flush(writer) : 0;
    if (writer->file >= 0) {
        if (!keep || error)
            take_back(writer);
        else if (is_full(writer))
            seal_pack(writer->file);
        else
            give_hint(writer);
        close(writer->file);
    }
    close(writer->folder);
    buffer_release(&writer->pending);
    buffer_release(&writer->index);
    ZSTD_freeCCtx(writer->compressor);
    return error;
}

int writer_begin(struct pack_writer *writer, uint64_t body_size)
{
    int error = 0;
    if (writer->file >= 0 && is_full(writer))
        error = flush_full(writer);
    if (!error && writer->file < 0)
        error = take_pack(writer);
    if (error)
        return error;
    size_t head = RECORD_HEADER + record_index_size(body_size);
    writer->record = (struct record){.pack = writer->pack,
                                     .offset = writer->written + writer->pending.size,
                                     .body_size = body_size,
                                     .stored_size = record_index_size(body_size)};
    buffer_clear(&writer->index);
    /* Room for header and index, which are known last. */
    char *room = buffer_reserve(&writer->pending, head);
    if (!room)
        return buffer_error(&writer->pending);
    memset(room, 0, head);
    buffer_commit(&writer->pending, head);
    return 0;
}

/* Counts the frame in that is at the end of what is pending. */
static int add_frame(struct pack_writer *writer, struct slice stored)
{
    char entry[INDEX_ENTRY];
    record_entry_write(entry, &writer->record, stored);
    writer->record.stored_size += stored.size;
    int error = buffer_append(&writer->index, slice_make(entry, INDEX_ENTRY));
    if (!error && writer->pending.size >= WRITE_SIZE)
        error = write_pending(writer);
    return error;
}

int writer_frame(struct pack_writer *writer, struct slice stored)
{
    int error = buffer_append(&writer->pending, stored);
    return error ? error : add_frame(writer, stored);
}

static int write_head(struct pack_writer *writer)
{
    char header[RECORD_HEADER];
    struct slice index = buffer_slice(&writer->index);
    uint64_t offset = writer->record.offset;
    record_header_write(header, &writer->record);
    if (offset >= writer->written) {
        char *head = writer->pending.data + (offset - writer->written);
        memcpy(head, header, RECORD_HEADER);
        if (index.size)
            memcpy(head + RECORD_HEADER, index.data, index.size);
        return 0;
    }
    /* The header comes last: with it, it is a record. */
    int error = write_at(writer->file, offset + RECORD_HEADER, index);
    return error ? error : write_at(writer->file, offset, slice_make(header, RECORD_HEADER));
}

int writer_end(struct pack_writer *writer, struct blob_id *id)
{
    int error = write_head(writer);
    if (!error)
        *id = (struct blob_id){writer->pack, writer->record.offset, writer->record.body_size};
    return error;
}

static int add_part(struct pack_writer *writer, struct slice part)
{
    struct slice stored;
    int error = record_frame(&writer->compressor, part, &writer->pending, &stored);
    return error ? error : add_frame(writer, stored);
}

int writer_add(struct pack_writer *writer, struct slice body, struct blob_id *id)
{
    int error = writer_begin(writer, body.size);
    for (size_t at = 0; !error && at < body.size; at += FRAME_SIZE)
        error = add_part(writer, slice_sub(body, at, FRAME_SIZE));
    if (!error)
        error = writer_end(writer, id);
    counters_add(COUNTER_BLOB_PUT_BYTES, error ? 0 : (int64_t)body.size);
    return error;
}
