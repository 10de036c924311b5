/*
 * Keys of the directory's space: `f` PLACE domain "/" name says what a script is, `e` and the same
 * holds its text, so that who has compiled it reads the first alone. Of the one that comes with the
 * server there is nothing, or what says that it is not wanted: a record without a text.
 */
#include "store/site_script.h"
#include "base/clock.h"
#include "base/error.h"
#include "store/directory_priv.h"
#include "store/prepared_priv.h"

static const char built_in[] =
    "# What the spam filter in front of the server has marked goes to \\Junk.\n"
    "require [\"fileinto\", \"special-use\"];\n"
    "if allof (header :is [\"X-Spam-Flag\", \"X-Spam\"] \"yes\", specialuse_exists \"\\\\Junk\") "
    "{\n"
    "    fileinto :specialuse \"\\\\Junk\" \"Junk\";\n"
    "}\n";
enum { BUILT_IN_VERSION = 1 };

static bool is_built_in(const struct site_script *script)
{
    return script->place == SITE_BEFORE && !script->domain.size;
}

static struct site_script make_built_in(void)
{
    return (struct site_script){.place = SITE_BEFORE,
                                .size = sizeof(built_in) - 1,
                                .version = BUILT_IN_VERSION,
                                .active = true};
}

/* --- one call --- */

struct site_call {
    struct store *store;
    struct site_script script; /* its domain in normal form */
    struct slice address;      /* one in it; empty: it has no domain */
    struct slice text;
    bool active;
    struct buffer *into;
    struct arena *arena;
    struct site_script *list;
    size_t count, before, room;
};

/* The domain in normal form into `normal`, which is to be released. */
static int begin(struct store *store, const struct site_script *script, struct site_call *call,
                 struct buffer *normal)
{
    struct buffer address;
    *call = (struct site_call){.store = store, .script = *script};
    buffer_init(normal, ADDRESS_MAXIMUM);
    if (!script->domain.size)
        return 0;
    buffer_init(&address, ADDRESS_MAXIMUM);
    buffer_append(&address, SLICE("x@"));
    buffer_append(&address, script->domain);
    int error = buffer_error(&address);
    if (!error)
        error = store_normalise_address(store, buffer_slice(&address), normal);
    buffer_release(&address);
    call->address = buffer_slice(normal);
    call->script.domain = directory_domain_of(call->address);
    return error;
}

static int get_head(struct kv_transaction *transaction, struct site_script *script)
{
    struct directory_key key;
    struct buffer value;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    int error = kv_get(transaction, directory_key_script(&key, 'f', script), &value);
    if (!error)
        error = site_script_record_read(buffer_slice(&value), script);
    else if (error == ERROR_NOT_FOUND && is_built_in(script)) {
        *script = make_built_in();
        error = 0;
    }
    buffer_release(&value);
    return error;
}

/* The same, but of one whose record says that it is not wanted. */
static int get_wanted(struct kv_transaction *transaction, struct site_script *script)
{
    int error = get_head(transaction, script);
    return error ? error : script->version ? 0 : ERROR_NOT_FOUND;
}

static int put_head(struct kv_transaction *transaction, const struct site_script *script)
{
    struct directory_key key;
    struct buffer value;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    site_script_record_write(script, &value);
    int error = buffer_error(&value);
    if (!error)
        error = kv_put(transaction, directory_key_script(&key, 'f', script), buffer_slice(&value));
    buffer_release(&value);
    return error;
}

/* --- reading --- */

static int find(struct kv_transaction *transaction, void *arg)
{
    struct site_call *call = arg;
    return get_wanted(transaction, &call->script);
}

int site_script_find(struct store *store, struct who who, struct site_script *script)
{
    struct buffer normal;
    struct site_call call;
    int error = begin(store, script, &call, &normal);
    if (!error)
        error = directory_read(store, who, find, &call);
    buffer_release(&normal);
    if (error)
        return error;
    call.script.domain = script->domain;
    *script = call.script;
    return 0;
}

static int read_text(struct kv_transaction *transaction, void *arg)
{
    struct site_call *call = arg;
    struct directory_key key;
    struct buffer value;
    struct slice text;
    uint64_t version = call->script.version;
    int error = get_wanted(transaction, &call->script);
    if (error || call->script.version != version)
        return error ? error : ERROR_NOT_FOUND;
    if (version == BUILT_IN_VERSION)
        return buffer_append(call->into, slice_make(built_in, sizeof(built_in) - 1));
    buffer_init(&value, KV_VALUE_MAXIMUM);
    error = kv_get(transaction, directory_key_script(&key, 'e', &call->script), &value);
    if (!error)
        error = script_record_read(buffer_slice(&value), &text);
    if (!error)
        error = buffer_append(call->into, text);
    buffer_release(&value);
    return error == ERROR_NOT_FOUND ? ERROR_CORRUPT : error;
}

int site_script_read(struct store *store, struct who who, const struct site_script *script,
                     struct buffer *text)
{
    struct buffer normal;
    struct site_call call;
    int error = begin(store, script, &call, &normal);
    call.into = text;
    if (!error)
        error = directory_read(store, who, read_text, &call);
    buffer_release(&normal);
    return error;
}

struct site_order {
    enum site_place place;
    bool of_domain;
};

static int find_in_order(struct kv_transaction *transaction, struct site_call *call,
                         const struct site_order *order, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct site_script script = {.place = order[i].place};
        if (order[i].of_domain && !call->script.domain.size)
            continue;
        if (order[i].of_domain)
            script.domain = call->script.domain;
        int error = get_wanted(transaction, &script);
        if (error && error != ERROR_NOT_FOUND)
            return error;
        if (error || !script.active)
            continue;
        call->list[call->count++] = script;
        call->before += script.place == SITE_BEFORE;
    }
    return 0;
}

static int find_around(struct kv_transaction *transaction, void *arg)
{
    static const struct site_order order[SITE_SCRIPTS_AROUND] = {
        {SITE_BEFORE, false}, {SITE_BEFORE, true}, {SITE_AFTER, true}, {SITE_AFTER, false}};
    return find_in_order(transaction, arg, order, SITE_SCRIPTS_AROUND);
}

int site_scripts_around(struct store *store, struct who who, struct slice domain,
                        struct site_script list[SITE_SCRIPTS_AROUND], size_t *count, size_t *before)
{
    struct site_call call = {.store = store, .script = {.domain = domain}, .list = list};
    int error = directory_read(store, who, find_around, &call);
    if (error)
        return error;
    *count = call.count;
    *before = call.before;
    return 0;
}

/* --- for events --- */

static int find_of_events(struct kv_transaction *transaction, void *arg)
{
    static const struct site_order order[SITE_SCRIPTS_OF_EVENTS] = {{SITE_EVENT, false},
                                                                    {SITE_EVENT, true}};
    return find_in_order(transaction, arg, order, SITE_SCRIPTS_OF_EVENTS);
}

int site_scripts_of_events(struct store *store, struct who who, struct slice domain,
                           struct site_script list[SITE_SCRIPTS_OF_EVENTS], size_t *count)
{
    struct site_call call = {.store = store, .script = {.domain = domain}, .list = list};
    int error = directory_read(store, who, find_of_events, &call);
    if (!error)
        *count = call.count;
    return error;
}

/* All of the place have one prefix. */
static int find_any_of_events(struct kv_transaction *transaction, void *arg)
{
    const char prefix[] = {'f', SITE_EVENT};
    struct kv_cursor *cursor;
    struct slice key, value;
    bool *has = arg;
    int error = kv_cursor_open(transaction, slice_make(prefix, sizeof(prefix)), SLICE(""), &cursor);
    if (error)
        return error;
    error = kv_cursor_next(cursor, &key, &value);
    *has = !error;
    kv_cursor_close(&cursor);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

int site_has_events(struct store *store, struct who who, bool *has)
{
    int64_t now = store->clock();
    bool found;
    if (who.kind != WHO_KIND_SYSTEM)
        return ERROR_DENIED;
    pthread_mutex_lock(&store->lock);
    bool known = store->events_asked && now >= store->events_asked &&
                 now - store->events_asked < SITE_EVENTS_SECONDS;
    *has = store->has_events;
    pthread_mutex_unlock(&store->lock);
    if (known)
        return 0;
    int error = directory_read(store, who, find_any_of_events, &found);
    if (error)
        return error;
    pthread_mutex_lock(&store->lock);
    store->events_asked = now;
    store->has_events = *has = found;
    pthread_mutex_unlock(&store->lock);
    return 0;
}

/* --- listing --- */

static int each(struct kv_transaction *transaction, struct site_call *call,
                int (*fn)(struct site_call *call, const struct site_script *script))
{
    struct kv_cursor *cursor;
    struct slice key, value;
    int error = kv_cursor_open(transaction, SLICE("f"), SLICE(""), &cursor);
    if (error)
        return error;
    while (!(error = kv_cursor_next(cursor, &key, &value))) {
        struct site_script script = {0};
        error = directory_key_script_read(key, &script);
        if (!error)
            error = site_script_record_read(value, &script);
        if (!error && script.version)
            error = fn(call, &script);
        if (error)
            break;
    }
    kv_cursor_close(&cursor);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

static int count_one(struct site_call *call, const struct site_script *script)
{
    (void)script;
    call->room++;
    return 0;
}

static int take_one(struct site_call *call, const struct site_script *script)
{
    struct site_script *taken = &call->list[call->count++];
    *taken = *script;
    taken->domain = arena_copy(call->arena, script->domain);
    taken->name = arena_copy(call->arena, script->name);
    return arena_failed(call->arena) ? ERROR_LIMIT : 0;
}

static int list_all(struct kv_transaction *transaction, void *arg)
{
    struct site_call *call = arg;
    struct site_script first = {.place = SITE_BEFORE};
    int error = each(transaction, call, count_one);
    if (error)
        return error;
    call->list = arena_alloc_array(call->arena, call->room + 1, sizeof(*call->list));
    if (!call->list)
        return ERROR_LIMIT;
    error = get_head(transaction, &first);
    if (!error && first.version == BUILT_IN_VERSION)
        call->list[call->count++] = first;
    return error ? error : each(transaction, call, take_one);
}

int site_script_list(struct store *store, struct who who, struct arena *arena,
                     struct site_script **list, size_t *count)
{
    struct site_call call = {.store = store, .arena = arena};
    int error = directory_read(store, who, list_all, &call);
    if (error)
        return error;
    *list = call.list;
    *count = call.count;
    return 0;
}

/* --- changing --- */

static int version_of(struct slice text, uint64_t *version)
{
    uint8_t sha256[32] = {0};
    int error = bytes_hash(text, sha256);
    *version = load_u64(sha256) | UINT64_C(1) << 63; /* neither none nor the server's own */
    return error;
}

static int put_script(struct kv_transaction *transaction, void *arg)
{
    struct site_call *call = arg;
    struct directory_key key;
    struct buffer value;
    int error =
        call->address.size ? directory_require_domain(call->store, transaction, call->address) : 0;
    if (!error)
        error = put_head(transaction, &call->script);
    if (error)
        return error;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    script_record_write(call->text, &value);
    error = buffer_error(&value);
    if (!error)
        error = kv_put(transaction, directory_key_script(&key, 'e', &call->script),
                       buffer_slice(&value));
    buffer_release(&value);
    return error;
}

static int check_name(const struct site_script *script)
{
    if (script->place != SITE_INCLUDED)
        return script->name.size ? ERROR_INVALID : 0;
    return script->name.size <= SITE_SCRIPT_NAME_MAXIMUM && script_name_is_valid(script->name)
               ? 0
               : ERROR_SYNTAX;
}

int site_script_put(struct store *store, struct who who, const struct site_script *script,
                    struct slice text)
{
    struct buffer normal;
    struct site_call call;
    int error = begin(store, script, &call, &normal);
    call.text = text;
    call.script.size = text.size;
    call.script.changed = clock_wall();
    call.script.active = true;
    if (!error)
        error = check_name(script);
    if (!error && text.size > SCRIPT_TEXT_MAXIMUM)
        error = ERROR_QUOTA;
    if (!error)
        error = version_of(text, &call.script.version);
    if (!error)
        error = directory_update(store, who, put_script, &call);
    buffer_release(&normal);
    return error;
}

/* Without a text or a version: there is to be none. */
static int put_unwanted(struct kv_transaction *transaction)
{
    struct site_script none = {.place = SITE_BEFORE, .changed = clock_wall()};
    return put_head(transaction, &none);
}

static int delete_script(struct kv_transaction *transaction, void *arg)
{
    struct site_call *call = arg;
    struct directory_key key;
    int error = get_wanted(transaction, &call->script);
    if (error)
        return error;
    error = kv_delete(transaction, directory_key_script(&key, 'e', &call->script));
    if (!error)
        error = is_built_in(&call->script)
                    ? put_unwanted(transaction)
                    : kv_delete(transaction, directory_key_script(&key, 'f', &call->script));
    return error;
}

int site_script_delete(struct store *store, struct who who, const struct site_script *script)
{
    struct buffer normal;
    struct site_call call;
    int error = begin(store, script, &call, &normal);
    if (!error)
        error = directory_update(store, who, delete_script, &call);
    buffer_release(&normal);
    return error;
}

static int activate(struct kv_transaction *transaction, void *arg)
{
    struct site_call *call = arg;
    struct directory_key key;
    int error = get_head(transaction, &call->script);
    if (error)
        return error;
    if (!call->script.version && call->active) /* the server's own comes back */
        return kv_delete(transaction, directory_key_script(&key, 'f', &call->script));
    if (!call->script.version)
        return ERROR_NOT_FOUND;
    if (call->script.version == BUILT_IN_VERSION)
        return call->active ? 0 : put_unwanted(transaction);
    call->script.active = call->active;
    return put_head(transaction, &call->script);
}

int site_script_activate(struct store *store, struct who who, const struct site_script *script,
                         bool active)
{
    struct buffer normal;
    struct site_call call;
    if (script->place == SITE_INCLUDED)
        return ERROR_INVALID;
    int error = begin(store, script, &call, &normal);
    call.active = active;
    if (!error)
        error = directory_update(store, who, activate, &call);
    buffer_release(&normal);
    return error;
}

/* --- with a domain --- */

/* Keys of one place whose domain it is, at most this many bytes of them at a time. */
enum { DOMAIN_KEYS_MAXIMUM = 16 * 1024 * 1024 };

static int collect(struct kv_transaction *transaction, struct slice domain, char letter,
                   enum site_place place, struct buffer *keys)
{
    const struct site_script all = {.place = place, .domain = domain};
    struct directory_key prefix;
    struct kv_cursor *cursor;
    struct slice key, value;
    int error = kv_cursor_open(transaction, directory_key_script(&prefix, letter, &all), SLICE(""),
                               &cursor);
    if (error)
        return error;
    while (!(error = kv_cursor_next(cursor, &key, &value))) {
        buffer_append(keys, key);
        buffer_append_byte(keys, '\0');
    }
    kv_cursor_close(&cursor);
    return error == ERROR_NOT_FOUND ? buffer_error(keys) : error;
}

int directory_scripts_delete(struct kv_transaction *transaction, struct slice domain)
{
    static const enum site_place places[] = {SITE_BEFORE, SITE_AFTER, SITE_INCLUDED, SITE_EVENT};
    struct buffer keys;
    int error = 0;
    buffer_init(&keys, DOMAIN_KEYS_MAXIMUM);
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]) && !error; i++) {
        error = collect(transaction, domain, 'f', places[i], &keys);
        if (!error)
            error = collect(transaction, domain, 'e', places[i], &keys);
    }
    struct slice rest = buffer_slice(&keys);
    while (rest.size && !error) {
        struct slice key = slice_sub(rest, 0, slice_find(rest, '\0'));
        error = kv_delete(transaction, key);
        rest = slice_sub(rest, key.size + 1, SIZE_MAX);
    }
    buffer_release(&keys);
    return error;
}
