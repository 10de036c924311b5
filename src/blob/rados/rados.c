/*
 * The engine: what blob.h promises, over objects (object.c) and indexes (index.c).
 */
#include "base/clock.h"
#include "base/counters.h"
#include "base/error.h"
#include "blob/rados/rados_priv.h"

#include <sodium.h>
#include <stdlib.h>

enum { ENTRIES_MAXIMUM = 256 * 1024 * 1024 /* bytes: of one shard, or of all live ids */ };

/* --- writing --- */

static int batch_begin(struct blob_engine *engine, const char *account, void **batch)
{
    struct rados_writer *writer;
    int error = rados_writer_new((struct rados_engine *)engine, account, &writer);
    if (!error)
        *batch = writer;
    return error;
}

static int batch_add(void *batch, struct slice body, struct blob_id *id)
{
    return rados_writer_add(batch, body, id);
}

static int batch_end(void *batch, bool keep)
{
    return rados_writer_end(batch, keep);
}

static int put(struct blob_engine *engine, const char *account, struct slice body,
               struct blob_id *id)
{
    struct rados_writer *writer;
    struct blob_id made;
    int error = rados_writer_new((struct rados_engine *)engine, account, &writer);
    if (error)
        return error;
    error = rados_writer_add(writer, body, &made);
    int ended = rados_writer_end(writer, !error);
    if (!error && !ended)
        *id = made;
    return error ? error : ended;
}

/* --- reading and dropping --- */

static int get(struct blob_engine *engine, const char *account, struct blob_kept *kept,
               struct blob_id id, uint64_t offset, size_t size, struct buffer *bytes)
{
    (void)kept;
    if (offset > id.size)
        offset = id.size;
    if (size > id.size - offset)
        size = (size_t)(id.size - offset);
    if (size == 0 && offset > 0)
        return 0;
    return object_read((struct rados_engine *)engine, account, id, offset, size, bytes);
}

static int drop(struct blob_engine *engine, const char *account, struct blob_id id)
{
    return index_drop((struct rados_engine *)engine, account, id.pack);
}

static int verify(struct blob_engine *engine, const char *account, struct blob_id id)
{
    return object_verify((struct rados_engine *)engine, account, id);
}

/* --- walking through an account --- */

struct walk {
    struct rados_engine *engine;
    const char *account;
    struct slice entries; /* of a shard */
    int damaged;          /* the last damage met */
    int (*fn)(struct walk *walk, const struct index_entry *entry, uint64_t size);
    void *arg;
};

static int walk_group(struct walk *walk, size_t count)
{
    uint64_t numbers[LOOKS] = {0}, sizes[LOOKS] = {0};
    struct index_entry entries[LOOKS];
    memcpy(entries, walk->entries.data, count * sizeof(entries[0]));
    for (size_t i = 0; i < count; i++)
        numbers[i] = entries[i].number;
    int error = object_sizes(walk->engine, walk->account, numbers, count, sizes);
    for (size_t i = 0; i < count && !error; i++) {
        if (sizes[i] == SIZE_DAMAGED)
            walk->damaged = ERROR_CORRUPT;
        else
            error = walk->fn(walk, &entries[i], sizes[i]);
    }
    return error;
}

/* Calls fn for each number of the account until it returns non-zero; returns that. */
static int walk_all(struct walk *walk)
{
    struct buffer entries;
    int error = 0;
    buffer_init(&entries, ENTRIES_MAXIMUM);
    for (unsigned shard = 0; shard < SHARDS && !error; shard++) {
        buffer_clear(&entries);
        error = index_list(walk->engine, walk->account, shard, &entries);
        walk->entries = buffer_slice(&entries);
        while (!error && walk->entries.size) {
            size_t count = walk->entries.size / sizeof(struct index_entry);
            count = count < LOOKS ? count : LOOKS;
            error = walk_group(walk, count);
            walk->entries = slice_sub(walk->entries, count * sizeof(struct index_entry), SIZE_MAX);
        }
    }
    buffer_release(&entries);
    return error ? error : walk->damaged;
}

struct each {
    int (*fn)(struct blob_id id, void *arg);
    void *arg;
};

static int show(struct walk *walk, const struct index_entry *entry, uint64_t size)
{
    const struct each *each = walk->arg;
    if (size == SIZE_MISSING || entry->dropped)
        return 0;
    return each->fn((struct blob_id){entry->number, PACK_HEADER, size}, each->arg);
}

static int each(struct blob_engine *engine, const char *account,
                int (*fn)(struct blob_id id, void *arg), void *arg)
{
    struct each each = {fn, arg};
    struct walk walk = {
        .engine = (struct rados_engine *)engine, .account = account, .fn = show, .arg = &each};
    return walk_all(&walk);
}

/* --- removing --- */

static int remove_body(struct walk *walk, const struct index_entry *entry, uint64_t size)
{
    /* A body that was being written may have any pieces but the first. */
    uint64_t whole = entry->size ? entry->size : size == SIZE_MISSING ? 0 : size;
    int error = whole > BLOB_SIZE_MAXIMUM ? ERROR_CORRUPT : 0;
    if (!error && (entry->size || size != SIZE_MISSING))
        error = object_remove(walk->engine, walk->account, entry->number, whole);
    if (!error)
        error = index_forget(walk->engine, walk->account, entry->number);
    if (!error && size != SIZE_MISSING)
        counters_add(COUNTER_BLOB_RECLAIMED_BYTES, (int64_t)size);
    return error;
}

static int compare_numbers(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

struct reclaim {
    const struct blob_reclaim *what;
    struct buffer live; /* uint64_t: numbers, ascending */
    int64_t before;
};

static bool is_live(const struct reclaim *reclaim, uint64_t number)
{
    return reclaim->live.size &&
           bsearch(&number, reclaim->live.data, reclaim->live.size / sizeof(number), sizeof(number),
                   compare_numbers);
}

/* What was dropped; with `everything`, what nobody refers to as well. */
static int reclaim_one(struct walk *walk, const struct index_entry *entry, uint64_t size)
{
    const struct reclaim *reclaim = walk->arg;
    bool dropped = entry->dropped && entry->dropped < reclaim->before;
    bool orphan = reclaim->what->everything && !entry->dropped &&
                  entry->reserved < reclaim->before && !is_live(reclaim, entry->number);
    return dropped || orphan ? remove_body(walk, entry, size) : 0;
}

static int list_live(struct reclaim *reclaim)
{
    struct buffer ids;
    buffer_init(&ids, ENTRIES_MAXIMUM);
    int error = reclaim->what->live(0, &ids, reclaim->what->arg);
    struct slice rest = buffer_slice(&ids);
    for (; !error && rest.size; rest = slice_sub(rest, sizeof(struct blob_id), SIZE_MAX)) {
        struct blob_id id;
        memcpy(&id, rest.data, sizeof(id));
        error = buffer_append(&reclaim->live, slice_make(&id.pack, sizeof(id.pack)));
    }
    buffer_release(&ids);
    if (reclaim->live.size)
        qsort(reclaim->live.data, reclaim->live.size / sizeof(uint64_t), sizeof(uint64_t),
              compare_numbers);
    return error;
}

/* What was put since the live ones were listed is too young. */
static int reclaim(struct blob_engine *engine, const char *account, const struct blob_reclaim *what)
{
    struct reclaim reclaim = {.what = what, .before = clock_wall() - BLOB_RECLAIM_AGE};
    struct walk walk = {.engine = (struct rados_engine *)engine,
                        .account = account,
                        .fn = reclaim_one,
                        .arg = &reclaim};
    buffer_init(&reclaim.live, ENTRIES_MAXIMUM);
    int error = what->everything ? list_live(&reclaim) : 0;
    if (!error)
        error = walk_all(&walk);
    buffer_release(&reclaim.live);
    return error;
}

static int destroy(struct blob_engine *base, const char *account)
{
    struct rados_engine *engine = (struct rados_engine *)base;
    struct walk walk = {.engine = engine, .account = account, .fn = remove_body};
    int error = walk_all(&walk);
    for (unsigned shard = 0; shard < SHARDS && !error; shard++)
        error = index_remove(engine, account, shard);
    return error;
}

/* --- the engine --- */

static void engine_free(struct blob_engine *base)
{
    struct rados_engine *engine = (struct rados_engine *)base;
    if (engine->io)
        rados_ioctx_destroy(engine->io);
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
    .reclaim = reclaim,
};

int blob_rados_create(struct cluster *cluster, const char *name_space, struct blob_engine **engine)
{
    struct rados_engine *made = calloc(1, sizeof(*made));
    if (!made || sodium_init() < 0) {
        free(made);
        return ERROR_MEMORY;
    }
    made->engine.operations = &operations;
    pthread_mutex_init(&made->lock, NULL);
    int error = cluster_open(cluster, name_space, &made->io);
    if (error)
        engine_free(&made->engine);
    else
        *engine = &made->engine;
    return error;
}
