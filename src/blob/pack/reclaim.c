/*
 * Giving back the space of packs that are mostly dead.
 *
 *     written to ──(old, mostly dead)──> sealed, live records copied ──moved()──> all dropped
 *     all dropped, nothing live, old ──> removed
 *
 * A crash leaves the pack in one of these states, and copies that nobody refers to. The pack is
 * locked meanwhile; and who waited for that lock finds it sealed, or without a name.
 */
#include "base/clock.h"
#include "base/counters.h"
#include "base/error.h"
#include "blob/pack/pack_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

enum { IDS_MAXIMUM = 64 * 1024 * 1024 }; /* bytes of ids of live blobs in a pack */

struct reclaim {
    struct pack_engine *engine;
    const char *account;
    const struct blob_reclaim *what;
    int folder;
    /* the pack at hand */
    int file;
    uint64_t pack, size;
    struct drops drops;
    struct buffer ids; /* struct blob_id: what is live */
};

static bool is_old(int64_t changed)
{
    return changed < clock_wall() - BLOB_RECLAIM_AGE;
}

static size_t live_count(const struct reclaim *reclaim)
{
    return reclaim->ids.size / sizeof(struct blob_id);
}

static struct blob_id live_id(const struct reclaim *reclaim, size_t index)
{
    struct blob_id id;
    memcpy(&id, reclaim->ids.data + index * sizeof(id), sizeof(id));
    return id;
}

/* --- copying --- */

static int copy_frames(struct record_reader *reader, struct pack_writer *writer)
{
    uint32_t frames = record_frames(reader->record.body_size);
    uint64_t at = 0;
    int error = 0;
    for (uint32_t i = 0; !error && i < frames; i++) {
        struct slice stored;
        error = record_stored_frame(reader, i, &at, &stored);
        if (!error)
            error = writer_frame(writer, stored);
    }
    return error;
}

static int copy_blob(struct reclaim *reclaim, struct pack_writer *writer, struct blob_id from,
                     struct blob_id *to)
{
    struct record_reader reader;
    struct file_source source = file_source(reclaim->file, reclaim->size);
    int error = record_open(&reader, &source.source, from, 0);
    if (!error)
        error = writer_begin(writer, from.size);
    if (!error)
        error = copy_frames(&reader, writer);
    if (!error)
        error = writer_end(writer, to);
    record_release(&reader);
    return error;
}

static int copy_group(struct reclaim *reclaim, size_t first, size_t count, struct blob_move *moves)
{
    struct pack_writer writer;
    int error = writer_init(&writer, reclaim->engine, reclaim->account);
    if (error)
        return error;
    for (size_t i = 0; !error && i < count; i++) {
        moves[i].from = live_id(reclaim, first + i);
        error = copy_blob(reclaim, &writer, moves[i].from, &moves[i].to);
    }
    int finished = writer_finish(&writer, !error);
    return error ? error : finished;
}

/* What was moved is dropped; a note that is lost costs time, nothing else. */
static void note_moved(struct reclaim *reclaim, const struct blob_move *moves, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct record record;
        struct file_source source = file_source(reclaim->file, reclaim->size);
        if (!record_find(&source.source, reclaim->pack, moves[i].from.offset, &record))
            drops_add(reclaim->folder, &record);
    }
}

static int move_live(struct reclaim *reclaim)
{
    struct blob_move moves[BLOB_MOVES_MAXIMUM];
    size_t all = live_count(reclaim);
    int error = 0;
    for (size_t first = 0; !error && first < all; first += BLOB_MOVES_MAXIMUM) {
        size_t count = all - first < BLOB_MOVES_MAXIMUM ? all - first : BLOB_MOVES_MAXIMUM;
        error = copy_group(reclaim, first, count, moves);
        if (!error)
            error = reclaim->what->moved(moves, count, reclaim->what->arg);
        if (!error)
            note_moved(reclaim, moves, count);
    }
    return error;
}

/* --- removing --- */

/* The notes go when the pack is gone for good: they are why it is looked at. */
static int remove_pack(struct reclaim *reclaim)
{
    char name[NAME_SIZE];
    pack_name(reclaim->pack, "pack", name);
    if (unlinkat(reclaim->folder, name, 0) || fsync(reclaim->folder))
        return file_error(errno);
    pack_name(reclaim->pack, "drops", name);
    unlinkat(reclaim->folder, name, 0);
    counters_add(COUNTER_BLOB_RECLAIMED_BYTES, (int64_t)reclaim->size);
    return 0;
}

/* --- one pack --- */

/* Bytes of the pack in live records, of which header and index are checked. */
static int count_live(struct reclaim *reclaim, uint64_t *bytes)
{
    *bytes = 0;
    for (size_t i = 0; i < live_count(reclaim); i++) {
        struct record_reader reader;
        struct blob_id id = live_id(reclaim, i);
        if (id.pack != reclaim->pack)
            return ERROR_INVALID;
        struct file_source source = file_source(reclaim->file, reclaim->size);
        int error = record_open(&reader, &source.source, id, FRAME_SIZE);
        *bytes += RECORD_HEADER + reader.record.stored_size;
        record_release(&reader);
        if (error)
            return error;
    }
    return 0;
}

static bool is_candidate(const struct reclaim *reclaim)
{
    return reclaim->what->everything || reclaim->drops.bytes > (reclaim->size - PACK_HEADER) / 2;
}

static int reclaim_locked(struct reclaim *reclaim)
{
    uint64_t live = 0;
    int error = reclaim->what->live(reclaim->pack, &reclaim->ids, reclaim->what->arg);
    if (!error)
        error = count_live(reclaim, &live);
    if (error || live >= (reclaim->size - PACK_HEADER + 1) / 2)
        return error;
    seal_pack(reclaim->file);
    if (live_count(reclaim))
        return move_live(reclaim);
    return is_old(reclaim->drops.changed) ? remove_pack(reclaim) : 0;
}

static int reclaim_open(struct reclaim *reclaim, const struct stat *status)
{
    reclaim->size = (uint64_t)status->st_size;
    if (!is_old(status->st_mtime) || flock(reclaim->file, LOCK_EX | LOCK_NB))
        return 0;
    struct stat again;
    if (fstat(reclaim->file, &again))
        return file_error(errno);
    if (again.st_size != status->st_size || again.st_nlink == 0)
        return 0;
    int error = drops_read(reclaim->folder, reclaim->pack, &reclaim->drops);
    if (!error && is_candidate(reclaim))
        error = reclaim_locked(reclaim);
    drops_release(&reclaim->drops);
    return error;
}

static int reclaim_pack(struct reclaim *reclaim, uint64_t pack)
{
    struct stat status;
    buffer_clear(&reclaim->ids);
    reclaim->pack = pack;
    reclaim->file = open_pack(reclaim->folder, pack, O_RDONLY, &status);
    if (reclaim->file < 0)
        return reclaim->file == ERROR_NOT_FOUND ? 0 : reclaim->file;
    int error = reclaim_open(reclaim, &status);
    close(reclaim->file);
    return error;
}

/* --- all packs --- */

/* Notes of a pack that has gone: of a crash, or of who dropped something meanwhile. */
static void remove_lone_notes(int folder, uint64_t pack)
{
    char name[NAME_SIZE];
    pack_name(pack, "pack", name);
    if (faccessat(folder, name, F_OK, 0) == 0 || errno != ENOENT)
        return;
    pack_name(pack, "drops", name);
    unlinkat(folder, name, 0);
}

static int list_packs(DIR *directory, struct buffer *packs)
{
    const struct dirent *entry;
    uint64_t pack;
    while ((entry = readdir(directory))) {
        if (pack_name_parse(entry->d_name, "pack", &pack))
            buffer_append(packs, slice_make(&pack, sizeof(pack)));
        else if (pack_name_parse(entry->d_name, "drops", &pack))
            remove_lone_notes(dirfd(directory), pack);
    }
    return buffer_error(packs);
}

static int reclaim_all(struct reclaim *reclaim, struct slice packs)
{
    int damaged = 0;
    for (; packs.size; packs = slice_sub(packs, sizeof(uint64_t), SIZE_MAX)) {
        uint64_t pack;
        memcpy(&pack, packs.data, sizeof(pack));
        int error = reclaim_pack(reclaim, pack);
        if (error == ERROR_CORRUPT)
            damaged = error;
        else if (error)
            return error;
    }
    return damaged;
}

int pack_reclaim(struct blob_engine *engine, const char *account, const struct blob_reclaim *what)
{
    DIR *directory;
    struct buffer packs;
    struct reclaim reclaim = {
        .engine = (struct pack_engine *)engine, .account = account, .what = what};
    int error = open_directory(engine, account, &directory);
    if (error)
        return error == ERROR_NOT_FOUND ? 0 : error;
    reclaim.folder = dirfd(directory);
    buffer_init(&packs, IDS_MAXIMUM);
    buffer_init(&reclaim.ids, IDS_MAXIMUM);
    error = list_packs(directory, &packs);
    if (!error)
        error = reclaim_all(&reclaim, buffer_slice(&packs));
    buffer_release(&packs);
    buffer_release(&reclaim.ids);
    closedir(directory);
    return error;
}
