#include "base/error.h"
#include "kv/notice_ring.h"
#include "kv/rados/rados_priv.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>

int kv_rados_create(struct cluster *cluster, const char *name_space, size_t cache,
                    struct kv_engine **engine)
{
    struct rados_engine *made = calloc(1, sizeof(*made));
    if (!made || sodium_init() < 0) {
        free(made);
        return ERROR_MEMORY;
    }
    made->engine = (struct kv_engine){.operations = &rados_operations,
                                      .busy_timeout_ms = KV_BUSY_TIMEOUT * 1000};
    made->cluster = cluster;
    made->cache_maximum = cache ? cache : CACHE_BYTES;
    made->lease_ms = LOCK_LEASE_MS;
    pthread_mutex_init(&made->lock, NULL);
    int error = cluster_open(cluster, name_space, &made->io);
    if (error)
        rados_engine_free(&made->engine);
    else
        *engine = &made->engine;
    return error;
}

void rados_engine_free(struct kv_engine *base)
{
    struct rados_engine *engine = (struct rados_engine *)base;
    notices_stop(&engine->notices);
    if (engine->io)
        rados_ioctx_destroy(engine->io);
    pthread_mutex_destroy(&engine->lock);
    free(engine);
}

/* --- the table of open spaces; under the engine's lock --- */

static struct space *find(struct rados_engine *engine, const char *name)
{
    struct space *space = engine->spaces;
    while (space && strcmp(space->name, name) != 0)
        space = space->next;
    return space;
}

static struct space *space_new(struct rados_engine *engine, const char *name)
{
    struct space *space = calloc(1, sizeof(*space));
    if (!space)
        return NULL;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&space->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&space->lock, NULL);
    space->engine = engine;
    space->notice = notice_space(slice_from_string(name));
    memcpy(space->name, name, strlen(name) + 1);
    return space;
}

static void space_free(struct space *space)
{
    size_t before = space->view.bytes;
    view_release(&space->view);
    cache_account(space, before);
    pthread_cond_destroy(&space->changed);
    pthread_mutex_destroy(&space->lock);
    free(space);
}

static struct space *take_space(struct rados_engine *engine, const char *name)
{
    pthread_mutex_lock(&engine->lock);
    struct space *space = find(engine, name);
    if (!space && (space = space_new(engine, name))) {
        space->next = engine->spaces;
        engine->spaces = space;
    }
    if (space)
        space->opened++;
    pthread_mutex_unlock(&engine->lock);
    return space;
}

static void give_space(struct space *space)
{
    struct rados_engine *engine = space->engine;
    pthread_mutex_lock(&engine->lock);
    bool last = --space->opened == 0;
    struct space **link = &engine->spaces;
    while (last && *link != space)
        link = &(*link)->next;
    if (last)
        *link = space->next;
    pthread_mutex_unlock(&engine->lock);
    if (last)
        space_free(space);
}

/* --- spaces --- */

static int create_object(struct rados_engine *engine, const char *name)
{
    struct state state;
    state_first(&state);
    const char *key = "m";
    const char *value = state.bytes;
    const size_t key_size = 1, size = STATE_SIZE;
    rados_write_op_t operation = rados_create_write_op();
    rados_write_op_create(operation, LIBRADOS_CREATE_EXCLUSIVE, NULL);
    rados_write_op_omap_set2(operation, &key, &value, &key_size, &size, 1);
    int error = cluster_error(rados_write_op_operate2(operation, engine->io, name, NULL, 0));
    rados_release_write_op(operation);
    return error == ERROR_EXISTS ? 0 : error;
}

/* A snapshot shows that it is there, and brings its state here. */
static int look_at(struct space *space)
{
    struct snapshot snapshot;
    int error = snapshot_begin(space, &snapshot);
    if (!error)
        snapshot_end(&snapshot);
    return error;
}

static int open_object(struct space *space, unsigned flags)
{
    int error = look_at(space);
    if (error != ERROR_NOT_FOUND || !(flags & KV_CREATE))
        return error;
    error = create_object(space->engine, space->name);
    return error ? error : look_at(space);
}

/* With the first space, as the ring is known by then. */
static int start_notices(struct rados_engine *engine)
{
    pthread_mutex_lock(&engine->lock);
    int error = engine->notices ? 0 : notices_start(engine, &engine->notices);
    pthread_mutex_unlock(&engine->lock);
    return error;
}

int rados_open(struct kv_engine *base, const char *name, unsigned flags, struct kv **kv)
{
    struct rados_engine *engine = (struct rados_engine *)base;
    int error = start_notices(engine);
    if (error)
        return error;
    struct rados_kv *opened = calloc(1, sizeof(*opened));
    struct space *space = opened ? take_space(engine, name) : NULL;
    if (!space) {
        free(opened);
        return ERROR_MEMORY;
    }
    opened->kv.engine = base;
    opened->space = space;
    error = open_object(space, flags);
    if (error)
        rados_close(&opened->kv);
    else
        *kv = &opened->kv;
    return error;
}

void rados_close(struct kv *kv)
{
    give_space(((struct rados_kv *)kv)->space);
    free(kv);
}

int rados_destroy(struct kv_engine *base, const char *name)
{
    struct rados_engine *engine = (struct rados_engine *)base;
    pthread_mutex_lock(&engine->lock);
    bool opened = find(engine, name);
    pthread_mutex_unlock(&engine->lock);
    return opened ? ERROR_BUSY : cluster_error(rados_remove(engine->io, name));
}

int rados_each_space(struct kv_engine *base, const char *prefix,
                     int (*fn)(const char *name, void *arg), void *arg)
{
    struct rados_engine *engine = (struct rados_engine *)base;
    rados_list_ctx_t list;
    const char *name;
    int result = cluster_error(rados_nobjects_list_open(engine->io, &list));
    if (result)
        return result;
    int listed = 0;
    while (!result && (listed = rados_nobjects_list_next(list, &name, NULL, NULL)) == 0)
        if (strncmp(name, prefix, strlen(prefix)) == 0 && strcmp(name, NOTICES_OBJECT) != 0)
            result = fn(name, arg);
    rados_nobjects_list_close(list);
    return result || listed == -ENOENT ? result : cluster_error(listed);
}
