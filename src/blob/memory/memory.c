/*
 * blob/memory: bodies in a list, for tests and fuzzers.
 */
#include "base/error.h"
#include "blob/engine_priv.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>

struct body {
    struct body *next;
    struct blob_id id;
    char *bytes; /* id.size of them */
    char account[BLOB_ACCOUNT_MAXIMUM + 1];
};

struct memory_engine {
    struct blob_engine engine;
    pthread_mutex_t lock;
    struct body *bodies; /* by lock */
};

static void body_free(struct body *body)
{
    if (body)
        free(body->bytes);
    free(body);
}

static void engine_free(struct blob_engine *base)
{
    struct memory_engine *engine = (struct memory_engine *)base;
    while (engine->bodies) {
        struct body *body = engine->bodies;
        engine->bodies = body->next;
        body_free(body);
    }
    pthread_mutex_destroy(&engine->lock);
    free(engine);
}

static int put(struct blob_engine *base, const char *account, struct slice bytes,
               struct blob_id *id)
{
    struct memory_engine *engine = (struct memory_engine *)base;
    struct body *body = calloc(1, sizeof(*body));
    if (body)
        body->bytes = malloc(bytes.size + 1);
    if (!body || !body->bytes) {
        body_free(body);
        return ERROR_MEMORY;
    }
    body->id = (struct blob_id){blob_new_number(), 0, bytes.size};
    if (bytes.size)
        memcpy(body->bytes, bytes.data, bytes.size);
    memcpy(body->account, account, strlen(account) + 1);
    *id = body->id;
    pthread_mutex_lock(&engine->lock);
    body->next = engine->bodies;
    engine->bodies = body;
    pthread_mutex_unlock(&engine->lock);
    return 0;
}

/* Where the pointer to the body is; to NULL when there is none. Under the lock. */
static struct body **find(struct memory_engine *engine, const char *account, struct blob_id id)
{
    struct body **link = &engine->bodies;
    while (*link && ((*link)->id.pack != id.pack || strcmp((*link)->account, account) != 0))
        link = &(*link)->next;
    return link;
}

static int get(struct blob_engine *base, const char *account, struct blob_kept *kept,
               struct blob_id id, uint64_t offset, size_t size, struct buffer *bytes)
{
    (void)kept;
    struct memory_engine *engine = (struct memory_engine *)base;
    pthread_mutex_lock(&engine->lock);
    const struct body *body = *find(engine, account, id);
    int error =
        !body
            ? ERROR_NOT_FOUND
            : buffer_append(bytes, slice_sub(slice_make(body->bytes, body->id.size), offset, size));
    pthread_mutex_unlock(&engine->lock);
    return error;
}

static int drop(struct blob_engine *base, const char *account, struct blob_id id)
{
    struct memory_engine *engine = (struct memory_engine *)base;
    pthread_mutex_lock(&engine->lock);
    struct body **link = find(engine, account, id);
    struct body *body = *link;
    if (body)
        *link = body->next;
    pthread_mutex_unlock(&engine->lock);
    body_free(body);
    return body ? 0 : ERROR_NOT_FOUND;
}

static int verify(struct blob_engine *base, const char *account, struct blob_id id)
{
    struct memory_engine *engine = (struct memory_engine *)base;
    pthread_mutex_lock(&engine->lock);
    const struct body *body = *find(engine, account, id);
    int error = !body ? ERROR_NOT_FOUND : body->id.size != id.size ? ERROR_CORRUPT : 0;
    pthread_mutex_unlock(&engine->lock);
    return error;
}

/* The ids of an account's bodies, to be freed. NULL when memory is short. */
static struct blob_id *collect(struct memory_engine *engine, const char *account, size_t *count)
{
    size_t all = 1;
    pthread_mutex_lock(&engine->lock);
    for (const struct body *body = engine->bodies; body; body = body->next)
        all++;
    struct blob_id *ids = calloc(all, sizeof(*ids));
    *count = 0;
    for (const struct body *body = engine->bodies; ids && body; body = body->next)
        if (strcmp(body->account, account) == 0)
            ids[(*count)++] = body->id;
    pthread_mutex_unlock(&engine->lock);
    return ids;
}

/* Over a copy, as fn may drop what it is shown. */
static int each(struct blob_engine *base, const char *account,
                int (*fn)(struct blob_id id, void *arg), void *arg)
{
    size_t count;
    struct blob_id *ids = collect((struct memory_engine *)base, account, &count);
    if (!ids)
        return ERROR_MEMORY;
    int result = 0;
    for (size_t i = 0; i < count && !result; i++)
        result = fn(ids[i], arg);
    free(ids);
    return result;
}

static int destroy(struct blob_engine *base, const char *account)
{
    size_t count;
    struct blob_id *ids = collect((struct memory_engine *)base, account, &count);
    if (!ids)
        return ERROR_MEMORY;
    for (size_t i = 0; i < count; i++)
        drop(base, account, ids[i]);
    free(ids);
    return 0;
}

static const struct blob_operations operations = {
    .engine_free = engine_free,
    .put = put,
    .get = get,
    .drop = drop,
    .verify = verify,
    .each = each,
    .destroy = destroy,
};

int blob_memory_create(struct blob_engine **engine)
{
    struct memory_engine *made = calloc(1, sizeof(*made));
    if (!made || sodium_init() < 0) {
        free(made);
        return ERROR_MEMORY;
    }
    made->engine.operations = &operations;
    pthread_mutex_init(&made->lock, NULL);
    *engine = &made->engine;
    return 0;
}
