/*
 * kv/memory: spaces that live as long as their engine. For tests and fuzzers.
 *
 * A space is one root (memory/tree_priv.h). A reader holds the root it began with; an update has
 * the space's turn, changes a root of its own and puts it in the space's place at its commit.
 */
#include "base/error.h"
#include "kv/engine_priv.h"
#include "kv/tree_priv.h"
#include "kv/turn_priv.h"

#include <pthread.h>
#include <stdlib.h>

struct space {
    struct space *next;
    char *name;
    unsigned opened;  /* by engine->lock */
    struct turn turn; /* of who updates */
    struct turn held; /* of who has the space's lock */
    pthread_mutex_t lock;
    struct tree_node *root; /* by lock */
};

struct memory_engine {
    struct kv_engine engine;
    pthread_mutex_t lock;
    struct space *spaces;
};

struct memory_kv {
    struct kv kv;
    struct space *space;
};

struct memory_transaction {
    struct kv_transaction transaction;
    struct tree_node *root;
};

struct memory_cursor {
    struct kv_cursor cursor;
    bool begun;
    struct slice position; /* the last key, in the held tree; before it has begun: lower */
    size_t upper_size;
    char lower[KV_BOUND_MAXIMUM];
    char upper[KV_BOUND_MAXIMUM];
};

/* --- spaces --- */

static void space_free(struct space *space)
{
    tree_drop(space->root);
    turn_release(&space->turn);
    turn_release(&space->held);
    pthread_mutex_destroy(&space->lock);
    free(space->name);
    free(space);
}

static void memory_engine_free(struct kv_engine *base)
{
    struct memory_engine *engine = (struct memory_engine *)base;
    while (engine->spaces) {
        struct space *space = engine->spaces;
        engine->spaces = space->next;
        space_free(space);
    }
    pthread_mutex_destroy(&engine->lock);
    free(engine);
}

/* Where the pointer to the space is; to NULL when there is none. Under engine->lock. */
static struct space **find(struct memory_engine *engine, const char *name)
{
    struct space **link = &engine->spaces;
    while (*link && strcmp((*link)->name, name) != 0)
        link = &(*link)->next;
    return link;
}

static struct space *space_new(const char *name)
{
    struct space *space = calloc(1, sizeof(*space));
    char *copy = strdup(name);
    if (!space || !copy) {
        free(space);
        free(copy);
        return NULL;
    }
    space->name = copy;
    turn_init(&space->turn);
    turn_init(&space->held);
    pthread_mutex_init(&space->lock, NULL);
    return space;
}

static int find_or_make(struct memory_engine *engine, const char *name, unsigned flags,
                        struct space **space)
{
    struct space **link = find(engine, name);
    if (!*link && !(flags & KV_CREATE))
        return ERROR_NOT_FOUND;
    if (!*link)
        *link = space_new(name);
    if (!*link)
        return ERROR_MEMORY;
    (*link)->opened++;
    *space = *link;
    return 0;
}

static int memory_open(struct kv_engine *base, const char *name, unsigned flags, struct kv **kv)
{
    struct memory_engine *engine = (struct memory_engine *)base;
    struct memory_kv *opened = calloc(1, sizeof(*opened));
    if (!opened)
        return ERROR_MEMORY;
    opened->kv.engine = base;
    pthread_mutex_lock(&engine->lock);
    int error = find_or_make(engine, name, flags, &opened->space);
    pthread_mutex_unlock(&engine->lock);
    if (error)
        free(opened);
    else
        *kv = &opened->kv;
    return error;
}

static void memory_close(struct kv *kv)
{
    struct memory_engine *engine = (struct memory_engine *)kv->engine;
    struct memory_kv *closed = (struct memory_kv *)kv;
    pthread_mutex_lock(&engine->lock);
    closed->space->opened--;
    pthread_mutex_unlock(&engine->lock);
    free(closed);
}

static int memory_destroy(struct kv_engine *base, const char *name)
{
    struct memory_engine *engine = (struct memory_engine *)base;
    pthread_mutex_lock(&engine->lock);
    struct space **link = find(engine, name);
    struct space *space = *link;
    int error = !space ? ERROR_NOT_FOUND : space->opened ? ERROR_BUSY : 0;
    if (!error) {
        *link = space->next;
        space_free(space);
    }
    pthread_mutex_unlock(&engine->lock);
    return error;
}

/* The n-th space from the oldest on, by a copy of its name, as fn may open and make spaces. */
static char *copy_name(struct memory_engine *engine, size_t n)
{
    pthread_mutex_lock(&engine->lock);
    const struct space *space = engine->spaces;
    while (space && n-- > 0)
        space = space->next;
    char *name = space ? strdup(space->name) : NULL;
    pthread_mutex_unlock(&engine->lock);
    return name;
}

static int memory_each_space(struct kv_engine *base, const char *prefix,
                             int (*fn)(const char *name, void *arg), void *arg)
{
    struct memory_engine *engine = (struct memory_engine *)base;
    int result = 0;
    char *name;
    for (size_t n = 0; !result && (name = copy_name(engine, n)); n++) {
        if (strncmp(name, prefix, strlen(prefix)) == 0)
            result = fn(name, arg);
        free(name);
    }
    return result;
}

/* --- transactions --- */

static int begin(struct kv *kv, struct kv_transaction **transaction)
{
    struct space *space = ((struct memory_kv *)kv)->space;
    struct memory_transaction *begun = calloc(1, sizeof(*begun));
    if (!begun)
        return ERROR_MEMORY;
    begun->transaction.kv = kv;
    pthread_mutex_lock(&space->lock);
    begun->root = tree_hold(space->root);
    pthread_mutex_unlock(&space->lock);
    *transaction = &begun->transaction;
    return 0;
}

static void end(struct kv_transaction *transaction)
{
    struct memory_transaction *ended = (struct memory_transaction *)transaction;
    tree_drop(ended->root);
    free(ended);
}

static int update_begin(struct kv *kv, enum kv_durability durability,
                        struct kv_transaction **transaction)
{
    (void)durability;
    struct space *space = ((struct memory_kv *)kv)->space;
    int error = turn_take(&space->turn, kv->engine->busy_timeout_ms);
    if (error)
        return error;
    error = begin(kv, transaction);
    if (error)
        turn_give(&space->turn);
    return error;
}

static int update_abort(struct kv_transaction *transaction)
{
    struct space *space = ((struct memory_kv *)transaction->kv)->space;
    end(transaction);
    turn_give(&space->turn);
    return 0;
}

static int update_commit(struct kv_transaction *transaction)
{
    struct memory_transaction *update = (struct memory_transaction *)transaction;
    struct space *space = ((struct memory_kv *)transaction->kv)->space;
    pthread_mutex_lock(&space->lock);
    struct tree_node *old = space->root;
    space->root = update->root;
    pthread_mutex_unlock(&space->lock);
    update->root = old;
    update_abort(transaction);
    return 0;
}

static int get(struct kv_transaction *transaction, struct slice key, struct buffer *value)
{
    struct tree_entry found;
    if (!tree_find(((struct memory_transaction *)transaction)->root, key, &found))
        return ERROR_NOT_FOUND;
    return buffer_append(value, found.value);
}

static int put(struct kv_transaction *transaction, struct slice key, struct slice value)
{
    return tree_put(&((struct memory_transaction *)transaction)->root, key, value, 0);
}

static int delete (struct kv_transaction *transaction, struct slice key, bool *deleted)
{
    return tree_delete(&((struct memory_transaction *)transaction)->root, key, deleted);
}

/* --- cursors --- */

static int cursor_open(struct kv_transaction *transaction, struct slice lower, struct slice upper,
                       struct kv_cursor **cursor)
{
    struct memory_cursor *opened = calloc(1, sizeof(*opened));
    if (!opened)
        return ERROR_MEMORY;
    opened->cursor.transaction = transaction;
    if (lower.size)
        memcpy(opened->lower, lower.data, lower.size);
    memcpy(opened->upper, upper.data, upper.size);
    opened->position = slice_make(opened->lower, lower.size);
    opened->upper_size = upper.size;
    *cursor = &opened->cursor;
    return 0;
}

static int cursor_next(struct kv_cursor *base, struct slice *key, struct slice *value)
{
    struct memory_cursor *cursor = (struct memory_cursor *)base;
    struct memory_transaction *transaction = (struct memory_transaction *)base->transaction;
    struct tree_entry found;
    if (!tree_next(transaction->root, cursor->position, !cursor->begun, &found) ||
        slice_compare(found.key, slice_make(cursor->upper, cursor->upper_size)) >= 0)
        return ERROR_NOT_FOUND;
    cursor->begun = true;
    cursor->position = *key = found.key;
    *value = found.value;
    return 0;
}

static void cursor_close(struct kv_cursor *cursor)
{
    free(cursor);
}

/* --- the rest --- */

static int lock(struct kv *kv, struct kv_lock **lock)
{
    struct kv_lock *taken = calloc(1, sizeof(*taken));
    if (!taken)
        return ERROR_MEMORY;
    taken->kv = kv;
    int error = turn_take(&((struct memory_kv *)kv)->space->held, kv->engine->busy_timeout_ms);
    if (error)
        free(taken);
    else
        *lock = taken;
    return error;
}

static void unlock(struct kv_lock *lock)
{
    turn_give(&((struct memory_kv *)lock->kv)->space->held);
    free(lock);
}

static int nothing(struct kv *kv)
{
    (void)kv;
    return 0;
}

static const struct kv_operations operations = {
    .engine_free = memory_engine_free,
    .open = memory_open,
    .close = memory_close,
    .destroy = memory_destroy,
    .each_space = memory_each_space,
    .read_begin = begin,
    .read_end = end,
    .update_begin = update_begin,
    .update_commit = update_commit,
    .update_abort = update_abort,
    .get = get,
    .put = put,
    .delete = delete,
    .cursor_open = cursor_open,
    .cursor_next = cursor_next,
    .cursor_close = cursor_close,
    .sync = nothing,
    .maintain = nothing,
    .rest = nothing,
    .lock = lock,
    .unlock = unlock,
};

int kv_memory_create(struct kv_engine **engine)
{
    struct memory_engine *made = calloc(1, sizeof(*made));
    if (!made)
        return ERROR_MEMORY;
    made->engine =
        (struct kv_engine){.operations = &operations, .busy_timeout_ms = KV_BUSY_TIMEOUT * 1000};
    pthread_mutex_init(&made->lock, NULL);
    *engine = &made->engine;
    return 0;
}
