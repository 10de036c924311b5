/*
 * The engine of packs: what blob.h promises, over records (record.c), writers (writer.c) and notes
 * of what was dropped (drops.c).
 */
#include "base/clock.h"
#include "base/error.h"
#include "blob/pack/pack_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    LEFT_OVER_SECONDS = 24 * 60 * 60,
    SEARCH_SIZE = 64 * 1024, /* bytes looked through at a time for the next record */
};

/* --- writing --- */

static int batch_begin(struct blob_engine *engine, const char *account, void **batch)
{
    struct pack_writer *writer = malloc(sizeof(*writer));
    if (!writer)
        return ERROR_MEMORY;
    int error = writer_init(writer, (struct pack_engine *)engine, account);
    if (error)
        free(writer);
    else
        *batch = writer;
    return error;
}

static int batch_add(void *batch, struct slice body, struct blob_id *id)
{
    return writer_add(batch, body, id);
}

static int batch_end(void *batch, bool keep)
{
    int error = writer_finish(batch, keep);
    free(batch);
    return error;
}

static int put(struct blob_engine *engine, const char *account, struct slice body,
               struct blob_id *id)
{
    struct pack_writer writer;
    struct blob_id made;
    int error = writer_init(&writer, (struct pack_engine *)engine, account);
    if (error)
        return error;
    error = writer_add(&writer, body, &made);
    int finished = writer_finish(&writer, !error);
    if (!error && !finished)
        *id = made;
    return error ? error : finished;
}

/* --- reading --- */

/* Opens a blob's pack. Returns a descriptor. */
static int open_pack_of(struct blob_engine *engine, const char *account, struct blob_id id,
                        uint64_t *size)
{
    struct stat status;
    int folder = open_folder(engine, account);
    if (folder < 0)
        return folder;
    int file = open_pack(folder, id.pack, O_RDONLY, &status);
    close(folder);
    if (file >= 0)
        *size = (uint64_t)status.st_size;
    return file;
}

static int keep_pack(struct blob_engine *engine, const char *account, struct blob_kept *kept,
                     struct blob_id id)
{
    blob_let_go(kept);
    int file = open_pack_of(engine, account, id, &kept->size);
    if (file < 0)
        return file;
    kept->file = file;
    kept->pack = id.pack;
    return 0;
}

static int read_kept(const struct blob_kept *kept, struct blob_id id, uint64_t offset, size_t size,
                     struct buffer *bytes)
{
    struct record_reader reader;
    struct file_source source = file_source(kept->file, kept->size);
    int error = record_open(&reader, &source.source, id, offset);
    if (!error)
        error = record_read(&reader, offset, size, bytes);
    record_release(&reader);
    return error;
}

static int get(struct blob_engine *engine, const char *account, struct blob_kept *kept,
               struct blob_id id, uint64_t offset, size_t size, struct buffer *bytes)
{
    struct blob_kept own = {0};
    kept = kept ? kept : &own;
    bool was_open = kept->pack == id.pack;
    if (offset > id.size)
        offset = id.size;
    if (size > id.size - offset)
        size = (size_t)(id.size - offset);
    int error = was_open ? 0 : keep_pack(engine, account, kept, id);
    if (!error)
        error = read_kept(kept, id, offset, size, bytes);
    /* The record may have been added after the pack was opened. */
    if (error == ERROR_CORRUPT && was_open) {
        error = keep_pack(engine, account, kept, id);
        if (!error)
            error = read_kept(kept, id, offset, size, bytes);
    }
    blob_let_go(&own);
    return error;
}

static int verify(struct blob_engine *engine, const char *account, struct blob_id id)
{
    struct record_reader reader;
    uint64_t file_size;
    int file = open_pack_of(engine, account, id, &file_size);
    if (file < 0)
        return file;
    struct file_source source = file_source(file, file_size);
    int error = record_open(&reader, &source.source, id, 0);
    if (!error)
        error = record_verify(&reader);
    record_release(&reader);
    close(file);
    return error;
}

/* --- dropping --- */

static int drop_in_folder(int folder, struct blob_id id)
{
    struct stat status;
    struct record record;
    int file = open_pack(folder, id.pack, O_RDONLY, &status);
    if (file < 0)
        return file;
    struct file_source source = file_source(file, (uint64_t)status.st_size);
    int error = record_find(&source.source, id.pack, id.offset, &record);
    if (!error && record.body_size != id.size)
        error = ERROR_CORRUPT;
    close(file);
    return error ? error : drops_add(folder, &record);
}

static int drop(struct blob_engine *engine, const char *account, struct blob_id id)
{
    int folder = open_folder(engine, account);
    if (folder < 0)
        return folder;
    int error = drop_in_folder(folder, id);
    close(folder);
    return error;
}

/* --- finding --- */

/* A walk through the records of a pack. */
struct walk {
    struct file_source file;
    uint64_t pack, size, offset;
    int damaged; /* the last error met */
};

/* The next good record behind a damaged one. Returns ERROR_NOT_FOUND when there is none. */
static int search(struct walk *walk, struct record *record)
{
    char bytes[SEARCH_SIZE];
    for (uint64_t at = walk->offset + 1; at + RECORD_HEADER <= walk->size;) {
        size_t size = walk->size - at < SEARCH_SIZE ? (size_t)(walk->size - at) : SEARCH_SIZE;
        int error = read_at(walk->file.file, at, bytes, size);
        if (error)
            return error;
        const char *hit = bytes;
        while ((hit = memmem(hit, size - (size_t)(hit - bytes), "BLOB", 4)) != NULL) {
            uint64_t offset = at + (uint64_t)(hit - bytes);
            if (!record_find(&walk->file.source, walk->pack, offset, record))
                return 0;
            hit++;
        }
        at += size - 3; /* a magic may lie across */
    }
    return ERROR_NOT_FOUND;
}

/* Returns ERROR_NOT_FOUND at the end. Damage between records is remembered; what is at the end of a
 * pack and is no record is what a crash left. */
static int next_record(struct walk *walk, struct record *record)
{
    if (walk->offset >= walk->size)
        return ERROR_NOT_FOUND;
    int error = record_find(&walk->file.source, walk->pack, walk->offset, record);
    if (error == ERROR_CORRUPT) {
        error = search(walk, record);
        if (!error)
            walk->damaged = ERROR_CORRUPT;
    }
    if (error && error != ERROR_NOT_FOUND)
        walk->damaged = error;
    if (!error)
        walk->offset = record->offset + RECORD_HEADER + record->stored_size;
    return error;
}

static int each_record(struct walk *walk, const struct drops *drops,
                       int (*fn)(struct blob_id id, void *arg), void *arg)
{
    struct record record;
    int result = 0;
    while (!result && !next_record(walk, &record))
        if (!drops_contain(drops, record.offset))
            result = fn((struct blob_id){walk->pack, record.offset, record.body_size}, arg);
    return result;
}

/* Calls fn for each record of a pack until it returns non-zero; returns that. */
static int each_in_pack(int folder, uint64_t pack, int (*fn)(struct blob_id id, void *arg),
                        void *arg, int *damaged)
{
    struct stat status;
    struct drops drops;
    int file = open_pack(folder, pack, O_RDONLY, &status);
    if (file < 0) {
        if (file != ERROR_NOT_FOUND) /* removed meanwhile */
            *damaged = file;
        return 0;
    }
    uint64_t size = (uint64_t)status.st_size;
    struct walk walk = {file_source(file, size), pack, size, PACK_HEADER, 0};
    walk.damaged = check_pack_header(file, pack);
    int result = drops_read(folder, pack, &drops);
    if (!result)
        result = each_record(&walk, &drops, fn, arg);
    drops_release(&drops);
    close(file);
    if (walk.damaged)
        *damaged = walk.damaged;
    return result;
}

static void remove_left_over(int folder, const char *name)
{
    struct stat status;
    if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
        status.st_mtime < clock_wall() - LEFT_OVER_SECONDS)
        unlinkat(folder, name, 0);
}

/* A damaged pack does not hide the others: its error is returned when fn has seen them all. */
static int each_in_folder(DIR *directory, int (*fn)(struct blob_id id, void *arg), void *arg)
{
    int damaged = 0;
    const struct dirent *entry;
    while ((entry = readdir(directory))) {
        uint64_t pack;
        if (pack_name_parse(entry->d_name, "new", &pack))
            remove_left_over(dirfd(directory), entry->d_name);
        if (!pack_name_parse(entry->d_name, "pack", &pack))
            continue;
        int result = each_in_pack(dirfd(directory), pack, fn, arg, &damaged);
        if (result)
            return result;
    }
    return damaged;
}

static int each(struct blob_engine *engine, const char *account,
                int (*fn)(struct blob_id id, void *arg), void *arg)
{
    DIR *directory;
    int error = open_directory(engine, account, &directory);
    if (error)
        return error == ERROR_NOT_FOUND ? 0 : error;
    error = each_in_folder(directory, fn, arg);
    closedir(directory);
    return error;
}

static int destroy(struct blob_engine *engine, const char *account)
{
    static const char *const suffixes[] = {"pack", "new", "drops"};
    DIR *directory;
    char path[PATH_SIZE];
    const struct dirent *entry;
    int error = open_directory(engine, account, &directory);
    if (error)
        return error == ERROR_NOT_FOUND ? 0 : error;
    while ((entry = readdir(directory))) {
        uint64_t pack;
        for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
            if (pack_name_parse(entry->d_name, suffixes[i], &pack))
                unlinkat(dirfd(directory), entry->d_name, 0);
    }
    closedir(directory);
    pack_path(engine, account, path);
    return rmdir(path) && errno != ENOENT ? file_error(errno) : 0;
}

/* --- the engine --- */

static void engine_free(struct blob_engine *base)
{
    struct pack_engine *engine = (struct pack_engine *)base;
    pthread_mutex_destroy(&engine->lock);
    free(engine);
}

static const struct blob_operations operations = {
    .engine_free = engine_free,
    .put = put,
    .get = get,
    .drop = drop,
    .verify = verify,
    .each = each,
    .destroy = destroy,
    .batch_begin = batch_begin,
    .batch_add = batch_add,
    .batch_end = batch_end,
    .reclaim = pack_reclaim,
};

int blob_pack_create(const char *directory, struct blob_engine **engine)
{
    size_t size = strlen(directory) + 1;
    if (size + BLOB_ACCOUNT_MAXIMUM + sizeof("/.packs") > PATH_SIZE)
        return ERROR_INVALID;
    struct pack_engine *made = calloc(1, sizeof(*made) + size);
    if (!made || sodium_init() < 0) {
        free(made);
        return ERROR_MEMORY;
    }
    made->engine.operations = &operations;
    pthread_mutex_init(&made->lock, NULL);
    memcpy(made->directory, directory, size);
    *engine = &made->engine;
    return 0;
}
