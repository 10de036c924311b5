/*
 * Reading. What is not in the view is read with one operation, on the condition that the object is
 * still in the state seen last; then it goes into the view, and into the space's, for others.
 */
#include "base/counters.h"
#include "base/error.h"
#include "kv/rados/rados_priv.h"

#include <errno.h>
#include <stdlib.h>

enum {
    RECORDS_MAXIMUM = 1024, /* read at once; more are not worth it */
    FETCH_KEYS = 32,        /* read by one operation: of 1 MiB at the most each */
    RANGE_FIRST = 64,       /* entries of a range's first operation */
    RANGE_MAXIMUM = 1024,   /* osd_max_omap_entries_per_request */
    RANGE_BYTES = 1024 * 1024,
};

/* --- operations --- */

static void require_state(rados_read_op_t operation, const struct state *state)
{
    rados_read_op_omap_cmp2(operation, "m", LIBRADOS_CMPXATTR_OP_EQ, state->bytes, 1, STATE_SIZE,
                            NULL);
}

static int operate(struct space *space, rados_read_op_t operation)
{
    counters_add(COUNTER_KV_CLUSTER_READS, 1);
    return rados_read_op_operate(operation, space->engine->io, space->name, 0);
}

/* An entry of what was read. */
struct entry {
    struct slice key, value;
};

static bool next_entry(rados_omap_iter_t list, struct entry *entry)
{
    char *key, *value;
    size_t key_size, value_size;
    if (rados_omap_get_next2(list, &key, &value, &key_size, &value_size) < 0 || !key)
        return false;
    *entry = (struct entry){slice_make(key, key_size), slice_make(value, value_size)};
    return true;
}

static int take_state(rados_omap_iter_t list, struct state *state)
{
    struct entry entry;
    return next_entry(list, &entry) ? state_read(entry.value, state) : ERROR_CORRUPT;
}

static void ask_state(rados_read_op_t operation, rados_omap_iter_t *list)
{
    static const char *const key = "m";
    static const size_t size = 1;
    rados_read_op_omap_get_vals_by_keys2(operation, &key, 1, &size, list, NULL);
}

static int read_state(struct space *space, struct state *state)
{
    rados_omap_iter_t list = NULL;
    rados_read_op_t operation = rados_create_read_op();
    ask_state(operation, &list);
    int error = cluster_error(operate(space, operation));
    if (!error)
        error = take_state(list, state);
    rados_omap_get_end(list);
    rados_release_read_op(operation);
    return error;
}

static int each_record(rados_omap_iter_t list,
                       int (*fn)(uint64_t number, struct slice record, void *arg), void *arg)
{
    struct entry entry;
    int error = 0;
    while (!error && next_entry(list, &entry)) {
        uint64_t number;
        error = undo_number(entry.key, &number);
        if (!error)
            error = fn(number, entry.value, arg);
    }
    return error;
}

int read_records(struct space *space, uint64_t after, struct state *state, bool *kept,
                 int (*fn)(uint64_t number, struct slice record, void *arg), void *arg)
{
    char key[UNDO_KEY_SIZE];
    unsigned char more = 0;
    rados_omap_iter_t states = NULL, records = NULL;
    rados_read_op_t operation = rados_create_read_op();
    undo_key(after, key);
    ask_state(operation, &states);
    rados_read_op_omap_get_vals2(operation, key, "u", RECORDS_MAXIMUM, &records, &more, NULL);
    int error = cluster_error(operate(space, operation));
    if (!error)
        error = take_state(states, state);
    if (!error) {
        *kept = !more && state->oldest <= after + 1;
        if (*kept)
            error = each_record(records, fn, arg);
    }
    rados_omap_get_end(states);
    rados_omap_get_end(records);
    rados_release_read_op(operation);
    return error;
}

/* --- what is known for others --- */

void cache_account(struct space *space, size_t before)
{
    struct rados_engine *engine = space->engine;
    atomic_fetch_add(&engine->cached, space->view.bytes - before);
    counters_add(COUNTER_KV_CACHED_BYTES, (int64_t)space->view.bytes - (int64_t)before);
}

static void forget_all(struct space *space)
{
    size_t before = space->view.bytes;
    view_release(&space->view);
    cache_account(space, before);
}

/* Under the engine's lock. */
static struct space *least_used(struct rados_engine *engine)
{
    struct space *least = NULL;
    uint64_t least_time = UINT64_MAX;
    for (struct space *space = engine->spaces; space; space = space->next) {
        pthread_mutex_lock(&space->lock);
        if (space->view.bytes && space->used < least_time) {
            least = space;
            least_time = space->used;
        }
        pthread_mutex_unlock(&space->lock);
    }
    return least;
}

void cache_limit(struct rados_engine *engine)
{
    while (atomic_load(&engine->cached) > engine->cache_maximum) {
        pthread_mutex_lock(&engine->lock);
        struct space *space = least_used(engine);
        if (space) {
            pthread_mutex_lock(&space->lock);
            forget_all(space);
            pthread_mutex_unlock(&space->lock);
        }
        pthread_mutex_unlock(&engine->lock);
        if (!space)
            return;
    }
}

static void take_known(struct space *space, struct snapshot *snapshot)
{
    *snapshot = (struct snapshot){.space = space, .state = space->state, .seen = space->state};
    view_hold(&space->view, &snapshot->view);
    space->used = atomic_fetch_add(&space->engine->clock, 1);
}

static void set_state(struct space *space, const struct state *state)
{
    space->state = *state;
    space->has_state = true;
    space->outdated = false;
}

struct forgetting {
    struct view view;
    bool kept;
};

static int forget_key(struct slice key, enum view_tag tag, struct slice value, void *arg)
{
    (void)tag, (void)value;
    return view_forget(arg, key);
}

static int forget_record(uint64_t number, struct slice record, void *arg)
{
    (void)number;
    struct forgetting *forgetting = arg;
    return undo_each(record, forget_key, &forgetting->view);
}

/* Others have committed: what they changed is forgotten, in a copy, which takes the place of what
 * is known unless another thread has been faster. */
static int catch_up(struct space *space)
{
    struct forgetting forgetting = {.kept = false};
    struct state from, now;
    pthread_mutex_lock(&space->lock);
    from = space->state;
    view_hold(&space->view, &forgetting.view);
    pthread_mutex_unlock(&space->lock);
    int error =
        read_records(space, from.number, &now, &forgetting.kept, forget_record, &forgetting);
    pthread_mutex_lock(&space->lock);
    if (!error && state_equal(&space->state, &from)) {
        size_t before = space->view.bytes;
        bool keep = forgetting.kept && now.birth == from.birth && now.number >= from.number;
        view_release(&space->view);
        if (keep)
            view_hold(&forgetting.view, &space->view);
        set_state(space, &now);
        cache_account(space, before);
    }
    pthread_mutex_unlock(&space->lock);
    view_release(&forgetting.view);
    return error;
}

/* Whether what is known is of that state or a later one. */
static bool is_known(const struct space *space, const struct state *state)
{
    return space->has_state && space->state.birth == state->birth &&
           (space->state.number > state->number || state_equal(&space->state, state));
}

static bool try_known(struct space *space, const struct state *state, struct snapshot *snapshot)
{
    pthread_mutex_lock(&space->lock);
    if (!space->has_state)
        set_state(space, state);
    bool known = is_known(space, state);
    if (known) {
        space->outdated = false;
        take_known(space, snapshot);
    }
    pthread_mutex_unlock(&space->lock);
    return known;
}

int snapshot_begin(struct space *space, struct snapshot *snapshot)
{
    struct state state;
    int error = read_state(space, &state);
    while (!error && !try_known(space, &state, snapshot))
        error = catch_up(space);
    return error;
}

int snapshot_guess(struct space *space, struct snapshot *snapshot)
{
    pthread_mutex_lock(&space->lock);
    bool known = space->has_state && !space->outdated;
    if (known)
        take_known(space, snapshot);
    pthread_mutex_unlock(&space->lock);
    int error = known ? 0 : snapshot_begin(space, snapshot);
    if (!error)
        snapshot->fixed = true;
    return error;
}

void snapshot_end(struct snapshot *snapshot)
{
    view_release(&snapshot->view);
}

int snapshot_check(struct snapshot *snapshot)
{
    struct state state;
    int error = read_state(snapshot->space, &state);
    if (!error)
        snapshot->stale = !state_equal(&state, &snapshot->state);
    return error;
}

/* --- when the object has changed --- */

static int undo_entry(struct slice key, enum view_tag tag, struct slice value, void *arg)
{
    return view_learn(arg, key, tag, value);
}

static int undo_record(uint64_t number, struct slice record, void *arg)
{
    (void)number;
    struct snapshot *snapshot = arg;
    return undo_each(record, undo_entry, &snapshot->view);
}

/* Learns what the keys changed meanwhile were. */
static int look_back(struct snapshot *snapshot)
{
    struct state now;
    bool kept = false;
    if (snapshot->fixed) {
        snapshot->stale = true;
        return ERROR_BUSY;
    }
    int error =
        read_records(snapshot->space, snapshot->seen.number, &now, &kept, undo_record, snapshot);
    if (error)
        return error;
    if (!kept || now.birth != snapshot->seen.birth)
        return ERROR_BUSY;
    snapshot->seen = now;
    return 0;
}

/* --- reading from the cluster --- */

/* What an operation reads, and what is learnt from it. */
struct reading {
    const struct slice *keys; /* these ... */
    size_t count;
    struct slice from, upper; /* ... or the range that begins there, of which so many */
    size_t limit;
    rados_omap_iter_t first, list; /* of the key `from`, and what is behind it */
    unsigned char more;
    size_t bytes;
};

static int learn_entry(struct reading *reading, struct view *view, const struct entry *entry)
{
    struct slice key = slice_sub(entry->key, 1, SIZE_MAX);
    reading->bytes += key.size + entry->value.size;
    if ((key.size == 0 && reading->count == 0) || key.size > KV_KEY_MAXIMUM)
        return ERROR_CORRUPT;
    if (reading->count == 0 && slice_compare(key, reading->upper) >= 0)
        return 0;
    return view_learn(view, key, VIEW_VALUE, entry->value);
}

/* Entries of a list; *last is the key of the last one. */
static int learn_list(struct reading *reading, rados_omap_iter_t list, struct view *view,
                      struct slice *last)
{
    struct entry entry;
    int error = 0;
    while (!error && list && next_entry(list, &entry)) {
        error = learn_entry(reading, view, &entry);
        *last = slice_sub(entry.key, 1, SIZE_MAX);
    }
    return error;
}

/* With more to come, what is behind the last key is not known. */
static int learn_reading(struct reading *reading, struct view *view)
{
    char behind[USER_KEY_MAXIMUM];
    struct slice last = SLICE("");
    reading->bytes = 0;
    int error = learn_list(reading, reading->first, view, &last);
    if (!error)
        error = learn_list(reading, reading->list, view, &last);
    for (size_t i = 0; !error && i < reading->count; i++)
        error = view_learn(view, reading->keys[i], VIEW_ABSENT, SLICE(""));
    if (error || reading->count)
        return error;
    struct slice upper = reading->upper;
    if (reading->more && slice_compare(last, upper) < 0) {
        memcpy(behind, last.data, last.size);
        behind[last.size] = '\0';
        upper = slice_make(behind, last.size + 1);
    }
    return view_learn_range(view, reading->from, upper);
}

/* The lists of a reading can be walked once: into the space's view, when it is of the same state,
 * else into the snapshot's own. Where both are the same, they stay so. */
static int learn(struct snapshot *snapshot, struct reading *reading)
{
    struct space *space = snapshot->space;
    pthread_mutex_lock(&space->lock);
    bool shared = space->has_state && state_equal(&space->state, &snapshot->state) &&
                  state_equal(&snapshot->seen, &snapshot->state);
    int error = 0;
    if (shared) {
        size_t before = space->view.bytes;
        error = learn_reading(reading, &space->view);
        cache_account(space, before);
        view_release(&snapshot->view);
        view_hold(&space->view, &snapshot->view);
    }
    pthread_mutex_unlock(&space->lock);
    if (shared)
        cache_limit(space->engine);
    else
        error = learn_reading(reading, &snapshot->view);
    return error;
}

/* A key as it is in the omap: with "k" in front. librados wants NULs behind some. */
struct omap_key {
    char bytes[USER_KEY_MAXIMUM];
    size_t size;
};

static void make_key(struct omap_key *made, struct slice key)
{
    made->bytes[0] = 'k';
    memcpy(made->bytes + 1, key.data, key.size);
    made->size = key.size + 1;
    made->bytes[made->size] = '\0';
}

static void ask_keys(rados_read_op_t operation, struct reading *reading, struct omap_key *keys)
{
    const char *names[FETCH_KEYS];
    size_t sizes[FETCH_KEYS];
    for (size_t i = 0; i < reading->count; i++) {
        make_key(&keys[i], reading->keys[i]);
        names[i] = keys[i].bytes;
        sizes[i] = keys[i].size;
    }
    rados_read_op_omap_get_vals_by_keys2(operation, names, reading->count, sizes, &reading->list,
                                         NULL);
}

/* What all keys of the range begin with, as far as its end shows it; with "k" in front. */
static void range_prefix(const struct reading *reading, struct omap_key *prefix)
{
    struct slice upper = reading->upper;
    make_key(prefix, SLICE(""));
    if (upper.size == 0 || upper.size > KV_KEY_MAXIMUM)
        return;
    struct omap_key found;
    make_key(&found, upper);
    found.bytes[found.size - 1]--;
    if (slice_starts_with(reading->from, slice_make(found.bytes + 1, found.size - 1)) &&
        !memchr(found.bytes, '\0', found.size))
        *prefix = found;
}

/* A range read begins behind a key: `from` itself is asked for by its name. A `from` that ends with
 * a NUL is "behind" as it stands. */
static void ask_range(rados_read_op_t operation, struct reading *reading, struct omap_key *keys)
{
    struct omap_key prefix;
    bool behind = reading->from.size && reading->from.data[reading->from.size - 1] == '\0';
    make_key(&keys[0], slice_sub(reading->from, 0, reading->from.size - behind));
    range_prefix(reading, &prefix);
    if (!behind && reading->from.size) {
        const char *name = keys[0].bytes;
        rados_read_op_omap_get_vals_by_keys2(operation, &name, 1, &keys[0].size, &reading->first,
                                             NULL);
    }
    rados_read_op_omap_get_vals2(operation, keys[0].bytes, prefix.bytes, reading->limit,
                                 &reading->list, &reading->more, NULL);
}

static void end_lists(struct reading *reading)
{
    if (reading->first)
        rados_omap_get_end(reading->first);
    if (reading->list)
        rados_omap_get_end(reading->list);
    reading->first = reading->list = NULL;
}

static int try_reading(struct snapshot *snapshot, struct reading *reading, bool *changed)
{
    struct omap_key keys[FETCH_KEYS];
    rados_read_op_t operation = rados_create_read_op();
    require_state(operation, &snapshot->seen);
    if (reading->count)
        ask_keys(operation, reading, keys);
    else
        ask_range(operation, reading, keys);
    int result = operate(snapshot->space, operation);
    *changed = result == -ECANCELED;
    int error = *changed ? 0 : cluster_error(result);
    if (!result)
        error = learn(snapshot, reading);
    end_lists(reading);
    rados_release_read_op(operation);
    return error;
}

static int read_some(struct snapshot *snapshot, struct reading *reading)
{
    bool changed;
    int error = try_reading(snapshot, reading, &changed);
    while (!error && changed) {
        error = look_back(snapshot);
        if (!error)
            error = try_reading(snapshot, reading, &changed);
    }
    if (!error)
        snapshot->checked = true;
    return error;
}

int snapshot_fetch(struct snapshot *snapshot, const struct slice *keys, size_t count)
{
    int error = 0;
    while (!error && count) {
        size_t some = count < FETCH_KEYS ? count : FETCH_KEYS;
        struct reading reading = {.keys = keys, .count = some};
        error = read_some(snapshot, &reading);
        keys += some;
        count -= some;
    }
    return error;
}

int snapshot_get(struct snapshot *snapshot, struct slice key, struct slice *value)
{
    enum view_tag tag = view_get(&snapshot->view, key, value);
    if (tag == VIEW_UNKNOWN) {
        int error = snapshot_fetch(snapshot, &key, 1);
        if (error)
            return error;
        tag = view_get(&snapshot->view, key, value);
    }
    return tag == VIEW_VALUE ? 0 : tag == VIEW_ABSENT ? ERROR_NOT_FOUND : ERROR_BUSY;
}

/* As many as make about RANGE_BYTES, going by what the range has had so far. */
static size_t next_limit(const struct reading *reading)
{
    size_t each = reading->bytes / reading->limit + 1;
    size_t limit = RANGE_BYTES / each;
    return limit < 1 ? 1 : limit > RANGE_MAXIMUM ? RANGE_MAXIMUM : limit;
}

int snapshot_next(struct snapshot *snapshot, struct range *range, struct slice *key,
                  struct slice *value)
{
    char begin[USER_KEY_MAXIMUM];
    struct reading reading = {.upper = range->upper};
    enum view_tag tag;
    while ((tag = view_next(&snapshot->view, range->from, range->upper, key, value)) ==
           VIEW_UNKNOWN) {
        memcpy(begin, key->data, key->size);
        reading.from = slice_make(begin, key->size);
        reading.limit = range->limit ? range->limit : RANGE_FIRST;
        int error = read_some(snapshot, &reading);
        if (error)
            return error;
        range->limit = next_limit(&reading);
    }
    return tag == VIEW_VALUE ? 0 : tag == VIEW_ABSENT ? ERROR_NOT_FOUND : ERROR_BUSY;
}
