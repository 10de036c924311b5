/*
 * Changing a space. One thread of the process at a time has the turn; what it has changed when it
 * gives the turn on, others build upon, and the last one commits all of it with one operation:
 *
 *     turn ──update──> others wait for it? ──yes──> gives the turn on, waits for the batch's result
 *                              │ no, or the batch is large
 *                              └──> commits the batch; all of its updates end with its result
 *
 * An operation whose end was not heard of may have been carried out, or be carried out later. It
 * has an id, which is in the record it stores; it is tried again until its record is found, or
 * another one in its place, or the time is up.
 */
#include "base/clock.h"
#include "base/counters.h"
#include "base/error.h"
#include "kv/rados/rados_priv.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>

struct batch {
    unsigned holders; /* by the space's lock, as the next three */
    unsigned members;
    bool done;
    int result;
    struct snapshot snapshot; /* of who has the turn, as what follows */
    struct tree_node *changes;
    size_t change_bytes;
    bool needs_room;
    unsigned char id[ID_SIZE];
};

/* --- the turn --- */

static struct timespec deadline_in(unsigned timeout_ms)
{
    struct timespec deadline;
    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += timeout_ms / 1000;
    deadline.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (deadline.tv_nsec >= 1000000000) {
        deadline.tv_sec++;
        deadline.tv_nsec -= 1000000000;
    }
    return deadline;
}

/* Who gives up says so: a batch's members may be waiting for who comes next. */
static int take_turn(struct space *space)
{
    int late = 0;
    pthread_mutex_lock(&space->lock);
    if (space->taken) {
        struct timespec deadline = deadline_in(space->engine->engine.busy_timeout_ms);
        space->waiting++;
        while (space->taken && !late)
            late = pthread_cond_timedwait(&space->changed, &space->lock, &deadline);
        space->waiting--;
    }
    bool had = !space->taken;
    if (had)
        space->taken = true;
    else
        pthread_cond_broadcast(&space->changed);
    pthread_mutex_unlock(&space->lock);
    return had ? 0 : ERROR_BUSY;
}

/* Under the lock; `result` is that of what was done with it. */
static void give_turn(struct space *space, int result)
{
    space->outdated = space->outdated || result == KV_AGAIN;
    space->taken = false;
    pthread_cond_broadcast(&space->changed);
}

/* --- batches --- */

static void copy_snapshot(const struct snapshot *snapshot, struct snapshot *copy)
{
    *copy = *snapshot;
    view_hold(&snapshot->view, &copy->view);
}

/* Under the lock. */
static void batch_drop(struct batch *batch)
{
    if (--batch->holders > 0)
        return;
    snapshot_end(&batch->snapshot);
    tree_drop(batch->changes);
    free(batch);
}

/* Under the lock. */
static void batch_done(struct space *space, struct batch *batch, int result)
{
    batch->done = true;
    batch->result = result;
    if (space->batch == batch) {
        space->batch = NULL;
        batch_drop(batch);
    }
}

/* The changes are those of the batch before, and this update's. */
static int add_member(struct space *space, struct rados_transaction *update)
{
    struct batch *batch = space->batch;
    if (!batch) {
        batch = calloc(1, sizeof(*batch));
        if (!batch)
            return ERROR_MEMORY;
        batch->holders = 1; /* the space */
        randombytes_buf(batch->id, ID_SIZE);
        pthread_mutex_lock(&space->lock);
        space->batch = batch;
        pthread_mutex_unlock(&space->lock);
    }
    snapshot_end(&batch->snapshot);
    copy_snapshot(&update->snapshot, &batch->snapshot);
    tree_drop(batch->changes);
    batch->changes = tree_hold(update->changes);
    batch->change_bytes += update->change_bytes;
    batch->needs_room = batch->needs_room || update->transaction.needs_room;
    batch->members++;
    return 0;
}

/* --- the operation --- */

/* What goes into an operation: arrays as librados wants them. */
struct writing {
    struct batch *batch;
    struct state next;
    bool trim;
    struct buffer record;
    size_t sets, removes;
    char *names; /* the keys, each with its "k" */
    const char **set_keys, **set_values, **remove_keys;
    size_t *set_key_sizes, *set_sizes, *remove_key_sizes;
};

static void writing_release(struct writing *writing)
{
    buffer_release(&writing->record);
    free(writing->names);
    free(writing->set_keys);
    free(writing->set_values);
    free(writing->remove_keys);
    free(writing->set_key_sizes);
    free(writing->set_sizes);
    free(writing->remove_key_sizes);
}

static int each_change(const struct batch *batch,
                       int (*fn)(const struct tree_entry *entry, void *arg), void *arg)
{
    struct tree_entry entry = {0};
    int error = 0;
    for (bool first = true; !error && tree_next(batch->changes, entry.key, first, &entry);
         first = false)
        error = fn(&entry, arg);
    return error;
}

struct sizes {
    size_t count, names;
};

static int add_size(const struct tree_entry *entry, void *arg)
{
    struct sizes *sizes = arg;
    sizes->count++;
    sizes->names += entry->key.size + 1;
    return 0;
}

static int add_change(const struct tree_entry *entry, void *arg)
{
    struct writing *writing = arg;
    char *name = writing->names;
    name[0] = 'k';
    memcpy(name + 1, entry->key.data, entry->key.size);
    writing->names += entry->key.size + 1;
    if (entry->tag == VIEW_VALUE) {
        writing->set_keys[writing->sets] = name;
        writing->set_key_sizes[writing->sets] = entry->key.size + 1;
        writing->set_values[writing->sets] = entry->value.data;
        writing->set_sizes[writing->sets++] = entry->value.size;
    } else {
        writing->remove_keys[writing->removes] = name;
        writing->remove_key_sizes[writing->removes++] = entry->key.size + 1;
    }
    return 0;
}

static int fill_arrays(struct writing *writing)
{
    struct sizes sizes = {0};
    each_change(writing->batch, add_size, &sizes);
    char *names = writing->names = malloc(sizes.names + 1);
    writing->set_keys = calloc(sizes.count + 1, sizeof(char *));
    writing->set_values = calloc(sizes.count + 1, sizeof(char *));
    writing->remove_keys = calloc(sizes.count + 1, sizeof(char *));
    writing->set_key_sizes = calloc(sizes.count + 1, sizeof(size_t));
    writing->set_sizes = calloc(sizes.count + 1, sizeof(size_t));
    writing->remove_key_sizes = calloc(sizes.count + 1, sizeof(size_t));
    if (!names || !writing->set_keys || !writing->set_values || !writing->remove_keys ||
        !writing->set_key_sizes || !writing->set_sizes || !writing->remove_key_sizes)
        return ERROR_MEMORY;
    int error = each_change(writing->batch, add_change, writing);
    writing->names = names;
    return error;
}

static int collect_unknown(const struct tree_entry *entry, void *arg)
{
    struct buffer *keys = ((void **)arg)[0];
    const struct view *view = ((void **)arg)[1];
    struct slice value;
    if (view_get(view, entry->key, &value) != VIEW_UNKNOWN)
        return 0;
    return buffer_append(keys, slice_make(&entry->key, sizeof(entry->key)));
}

/* What the changed keys were, as far as nobody has read it. */
static int fetch_old(struct batch *batch)
{
    struct buffer keys;
    buffer_init(&keys, SIZE_MAX / 2);
    void *arguments[] = {&keys, &batch->snapshot.view};
    int error = each_change(batch, collect_unknown, arguments);
    if (!error)
        error = snapshot_fetch(&batch->snapshot, (const struct slice *)(void *)keys.data,
                               keys.size / sizeof(struct slice));
    buffer_release(&keys);
    return error;
}

static int add_old(const struct tree_entry *entry, void *arg)
{
    struct writing *writing = arg;
    struct slice value = SLICE("");
    enum view_tag tag = view_get(&writing->batch->snapshot.view, entry->key, &value);
    return undo_add(&writing->record, entry->key, tag == VIEW_UNKNOWN ? VIEW_LOST : tag, value);
}

static int prepare(struct writing *writing, struct batch *batch)
{
    *writing = (struct writing){.batch = batch};
    buffer_init(&writing->record, UNDO_VALUES + CHANGES_BYTES);
    int error = fetch_old(batch);
    if (!error)
        error = undo_begin(&writing->record, batch->id);
    if (!error)
        error = each_change(batch, add_old, writing);
    if (error)
        return error;
    state_next(&batch->snapshot.state, writing->record.size, &writing->next, &writing->trim);
    return fill_arrays(writing);
}

static void add_records(rados_write_op_t operation, const struct writing *writing)
{
    char key[UNDO_KEY_SIZE], oldest[UNDO_KEY_SIZE], kept[UNDO_KEY_SIZE];
    undo_key(writing->next.number, key);
    const char *keys[] = {"m", key};
    const char *values[] = {writing->next.bytes, writing->record.data};
    const size_t key_sizes[] = {1, UNDO_KEY_SIZE - 1};
    const size_t sizes[] = {STATE_SIZE, writing->record.size};
    rados_write_op_omap_set2(operation, keys, values, key_sizes, sizes, 2);
    if (!writing->trim)
        return;
    undo_key(writing->batch->snapshot.state.oldest, oldest);
    undo_key(writing->next.oldest, kept);
    rados_write_op_omap_rm_range2(operation, oldest, UNDO_KEY_SIZE - 1, kept, UNDO_KEY_SIZE - 1);
}

/* An OSD refuses what makes an object larger when its pool is full, but does not count its omap. So
 * who needs room makes the object's data, which nobody reads, a little longer than it was: as long
 * as the commit's number says. Where that begins again at 1, every GROWTH_MAXIMUM commits, one of
 * them gets through. */
static void require_room(rados_write_op_t operation, const struct state *next)
{
    rados_write_op_truncate(operation, 1 + next->number % GROWTH_MAXIMUM);
}

/* Made anew for each attempt: librados carries one out once only. */
static int operate(struct space *space, const struct writing *writing)
{
    const struct state *state = &writing->batch->snapshot.state;
    rados_write_op_t operation = rados_create_write_op();
    rados_write_op_omap_cmp2(operation, "m", LIBRADOS_CMPXATTR_OP_EQ, state->bytes, 1, STATE_SIZE,
                             NULL);
    if (writing->sets)
        rados_write_op_omap_set2(operation, writing->set_keys, writing->set_values,
                                 writing->set_key_sizes, writing->set_sizes, writing->sets);
    if (writing->removes)
        rados_write_op_omap_rm_keys2(operation, writing->remove_keys, writing->remove_key_sizes,
                                     writing->removes);
    add_records(operation, writing);
    if (writing->batch->needs_room)
        require_room(operation, &writing->next);
    counters_add(COUNTER_KV_CLUSTER_COMMITS, 1);
    int result = rados_write_op_operate2(operation, space->engine->io, space->name, NULL, 0);
    rados_release_write_op(operation);
    return result;
}

/* --- its result --- */

struct search {
    const struct batch *batch;
    bool found;
};

static int look_for_own(uint64_t number, struct slice record, void *arg)
{
    struct search *search = arg;
    if (number == search->batch->snapshot.state.number + 1)
        search->found = undo_is_of(record, search->batch->id);
    return 0;
}

/* After an operation that failed: 0: it was carried out all the same; KV_AGAIN: another commit has
 * come before it; ERROR_TIMEOUT: neither, so far; ERROR_BUSY: that cannot be said any more. */
static int find_out(struct space *space, const struct batch *batch, bool unheard)
{
    struct search search = {batch, false};
    const struct state *state = &batch->snapshot.state;
    struct state now;
    bool kept = false;
    int error = read_records(space, state->number, &now, &kept, look_for_own, &search);
    if (error)
        return error == ERROR_BUSY ? ERROR_TIMEOUT : error;
    if (search.found)
        return 0;
    if (state_equal(&now, state))
        return ERROR_TIMEOUT;
    return unheard && !kept ? ERROR_BUSY : KV_AGAIN;
}

static int carry_out(struct space *space, struct writing *writing)
{
    uint64_t deadline =
        clock_monotonic_us() + (uint64_t)space->engine->engine.busy_timeout_ms * 1000;
    bool unheard = false;
    int error;
    do {
        int result = operate(space, writing);
        error = cluster_error(result);
        if (!error || (result != -ECANCELED && error != ERROR_BUSY))
            return error;
        unheard = unheard || result != -ECANCELED;
        error = find_out(space, writing->batch, unheard);
    } while (error == ERROR_TIMEOUT && clock_monotonic_us() < deadline);
    return error == ERROR_TIMEOUT ? ERROR_BUSY : error;
}

static int show_change(const struct tree_entry *entry, void *arg)
{
    return view_set(arg, entry->key, entry->tag, entry->value);
}

/* What is known here goes on to the new state. */
static void show(struct space *space, const struct writing *writing)
{
    pthread_mutex_lock(&space->lock);
    if (space->has_state && state_equal(&space->state, &writing->batch->snapshot.state)) {
        size_t before = space->view.bytes;
        if (each_change(writing->batch, show_change, &space->view))
            view_release(&space->view);
        space->state = writing->next;
        cache_account(space, before);
    }
    pthread_mutex_unlock(&space->lock);
    cache_limit(space->engine);
}

static int commit(struct space *space, struct batch *batch)
{
    struct writing writing;
    int error = prepare(&writing, batch);
    if (!error)
        error = carry_out(space, &writing);
    if (!error) {
        show(space, &writing);
        notices_post(space->engine->notices, space->notice);
    }
    writing_release(&writing);
    error = batch->snapshot.stale ? KV_AGAIN : error;
    counters_add(COUNTER_KV_CLUSTER_CONFLICTS, error == KV_AGAIN);
    return error;
}

/* --- joining and leaving --- */

int commit_join(struct rados_transaction *update)
{
    struct space *space = ((struct rados_kv *)update->transaction.kv)->space;
    int error = take_turn(space);
    if (error)
        return error;
    const struct batch *batch = space->batch;
    if (batch) {
        copy_snapshot(&batch->snapshot, &update->snapshot);
        update->changes = tree_hold(batch->changes);
        return 0;
    }
    error = snapshot_guess(space, &update->snapshot);
    if (error) {
        pthread_mutex_lock(&space->lock);
        give_turn(space, error);
        pthread_mutex_unlock(&space->lock);
    }
    return error;
}

/* Has the turn; gives it back. */
static void commit_batch(struct space *space, struct batch *batch)
{
    pthread_mutex_unlock(&space->lock);
    int result = commit(space, batch);
    pthread_mutex_lock(&space->lock);
    batch_done(space, batch, result);
    give_turn(space, result);
}

static bool is_complete(const struct space *space, const struct batch *batch)
{
    return space->waiting == 0 || batch->members >= BATCH_MEMBERS ||
           batch->change_bytes >= BATCH_BYTES;
}

/* Has the turn; ends with the batch, without the turn. Who needs no room is not refused with those
 * who do. */
static int end_with_batch(struct space *space, bool needs_room)
{
    pthread_mutex_lock(&space->lock);
    struct batch *batch = space->batch;
    batch->holders++;
    if (is_complete(space, batch))
        commit_batch(space, batch);
    else
        give_turn(space, 0);
    while (!batch->done) {
        if (!space->taken && space->waiting == 0) {
            /* Who was to come has given up. */
            space->taken = true;
            commit_batch(space, batch);
        } else {
            pthread_cond_wait(&space->changed, &space->lock);
        }
    }
    int result = batch->result;
    if (result == ERROR_SPACE && batch->needs_room && !needs_room)
        result = KV_AGAIN;
    batch_drop(batch);
    pthread_mutex_unlock(&space->lock);
    return result;
}

/* Has the turn; the batch cannot be committed, or there is none. */
static int end_alone(struct space *space, int result)
{
    pthread_mutex_lock(&space->lock);
    if (space->batch)
        batch_done(space, space->batch, result);
    give_turn(space, result);
    pthread_mutex_unlock(&space->lock);
    return result;
}

int commit_leave(struct rados_transaction *update, bool keep)
{
    struct space *space = ((struct rados_kv *)update->transaction.kv)->space;
    struct snapshot *snapshot = &update->snapshot;
    int error = 0;
    if (!keep && !space->batch && !snapshot->checked)
        error = snapshot_check(snapshot);
    if (snapshot->stale)
        return end_alone(space, KV_AGAIN);
    if (keep)
        error = add_member(space, update);
    if (!space->batch)
        return end_alone(space, error);
    int result = end_with_batch(space, update->transaction.needs_room);
    return error ? error : result;
}
