#include "base/error.h"
#include "format/text.h"
#include "store/acl_priv.h"
#include "store/script_priv.h"

/* --- names --- */

/* Control characters of one byte, or U+0080..U+009F, U+2028 and U+2029 in UTF-8. */
static bool is_forbidden(struct slice rest)
{
    const unsigned char *at = (const unsigned char *)rest.data;
    if (at[0] < 0x20 || at[0] == 0x7f)
        return true;
    if (at[0] == 0xc2)
        return at[1] < 0xa0;
    return at[0] == 0xe2 && at[1] == 0x80 && (at[2] == 0xa8 || at[2] == 0xa9);
}

bool script_name_is_valid(struct slice name)
{
    if (!name.size || name.size > SCRIPT_NAME_MAXIMUM || !text_is_utf8(name))
        return false;
    for (size_t i = 0; i < name.size; i++)
        if (is_forbidden(slice_sub(name, i, SIZE_MAX)))
            return false;
    return true;
}

/* --- the record of all --- */

int scripts_load(struct kv_transaction *transaction, struct buffer *value,
                 struct scripts_record *scripts)
{
    struct key key;
    int error = value_get(transaction, key_numbers(&key, KEY_SCRIPTS, 0, NULL), value);
    if (error == ERROR_NOT_FOUND) {
        *scripts = (struct scripts_record){.next_id = 1};
        return 0;
    }
    return error ? error : scripts_record_read(buffer_slice(value), scripts);
}

uint64_t scripts_size(const struct scripts_record *scripts)
{
    uint64_t size = 0;
    for (size_t i = 0; i < scripts->count; i++)
        size += scripts->list[i].size;
    return size;
}

static int store_record(struct change *change, const struct scripts_record *scripts)
{
    struct key key;
    scripts_record_write(scripts, &change->value);
    return change_put(change, key_numbers(&key, KEY_SCRIPTS, 0, NULL), &change->value);
}

/* Where the name is, or would be. */
static size_t place_of(const struct scripts_record *scripts, struct slice name, bool *there)
{
    size_t at = 0;
    while (at < scripts->count && slice_compare(scripts->list[at].name, name) < 0)
        at++;
    *there = at < scripts->count && slice_equal(scripts->list[at].name, name);
    return at;
}

static void insert(struct scripts_record *scripts, size_t at, struct script_row row)
{
    for (size_t i = scripts->count++; i > at; i--)
        scripts->list[i] = scripts->list[i - 1];
    scripts->list[at] = row;
}

static void take_out(struct scripts_record *scripts, size_t at)
{
    scripts->count--;
    for (size_t i = at; i < scripts->count; i++)
        scripts->list[i] = scripts->list[i + 1];
}

/* --- who may --- */

static int require_owner(const struct store_view *view)
{
    return view_is_owner(view) ? 0 : ERROR_DENIED;
}

/* --- reading --- */

struct script_reading {
    struct kv_transaction *transaction;
    struct buffer value;
    struct scripts_record scripts;
};

static int begin_reading(struct store_view *view, struct script_reading *reading)
{
    int error = require_owner(view);
    if (!error)
        error = view_read(view, &reading->transaction);
    if (error)
        return error;
    buffer_init(&reading->value, KV_VALUE_MAXIMUM);
    error = scripts_load(reading->transaction, &reading->value, &reading->scripts);
    if (error) {
        buffer_release(&reading->value);
        view_read_end(view, &reading->transaction);
    }
    return error;
}

static void end_reading(struct store_view *view, struct script_reading *reading)
{
    buffer_release(&reading->value);
    view_read_end(view, &reading->transaction);
}

static struct script describe(const struct scripts_record *scripts, size_t at, struct arena *arena)
{
    const struct script_row *row = &scripts->list[at];
    return (struct script){.id = row->id,
                           .name = arena_copy(arena, row->name),
                           .size = row->size,
                           .modseq = row->modseq,
                           .active = row->id == scripts->active};
}

int script_list(struct store_view *view, struct arena *arena, struct script **list, size_t *count)
{
    struct script_reading reading;
    int error = begin_reading(view, &reading);
    if (error)
        return error;
    struct script *made = arena_alloc_array(arena, reading.scripts.count + 1, sizeof(*made));
    for (size_t i = 0; made && i < reading.scripts.count; i++)
        made[i] = describe(&reading.scripts, i, arena);
    end_reading(view, &reading);
    if (arena_failed(arena))
        return ERROR_LIMIT;
    *list = made;
    *count = reading.scripts.count;
    return 0;
}

int script_find(struct store_view *view, struct slice name, struct arena *arena,
                struct script *script)
{
    struct script_reading reading;
    int error = begin_reading(view, &reading);
    if (error)
        return error;
    const struct scripts_record *scripts = &reading.scripts;
    size_t at = 0;
    error = ERROR_NOT_FOUND;
    for (; at < scripts->count && error; at += error != 0)
        if (name.data ? slice_equal(scripts->list[at].name, name)
                      : scripts->list[at].id == scripts->active)
            error = 0;
    struct script found = {0};
    if (!error)
        found = describe(scripts, at, arena);
    end_reading(view, &reading);
    if (!error && arena_failed(arena))
        error = ERROR_LIMIT;
    if (!error)
        *script = found;
    return error;
}

static int read_text(struct kv_transaction *transaction, const struct script *script,
                     struct buffer *text)
{
    struct key key;
    struct buffer value;
    struct slice bytes;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    int error =
        value_get(transaction, key_numbers(&key, KEY_SCRIPT, 1, (uint64_t[]){script->id}), &value);
    if (!error)
        error = script_record_read(buffer_slice(&value), &bytes);
    if (!error)
        error = buffer_append(text, bytes);
    buffer_release(&value);
    return error;
}

int script_read(struct store_view *view, const struct script *script, struct buffer *text)
{
    struct script_reading reading;
    int error = begin_reading(view, &reading);
    if (error)
        return error;
    error = ERROR_NOT_FOUND;
    for (size_t i = 0; i < reading.scripts.count; i++) {
        const struct script_row *row = &reading.scripts.list[i];
        if (row->id == script->id && row->modseq == script->modseq) {
            error = read_text(reading.transaction, script, text);
            error = error == ERROR_NOT_FOUND ? ERROR_CORRUPT : error;
        }
    }
    end_reading(view, &reading);
    return error;
}

/* --- changing --- */

struct script_call {
    struct slice name, text, to;
    int (*fn)(struct change *change, const struct script_call *call,
              struct scripts_record *scripts);
};

static int run(struct change *change, void *arg)
{
    const struct script_call *call = arg;
    struct scripts_record scripts;
    struct buffer value;
    int error = require_owner(change->view);
    if (error)
        return error;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    error = scripts_load(change->transaction, &value, &scripts);
    if (!error)
        error = call->fn(change, call, &scripts);
    buffer_release(&value);
    return error;
}

/* Whether there is room for the name with a text of that size. */
static int check_room(const struct scripts_record *scripts, struct slice name, uint64_t size)
{
    bool there;
    size_t at = place_of(scripts, name, &there);
    uint64_t others = scripts_size(scripts) - (there ? scripts->list[at].size : 0);
    if (!there && scripts->count >= SCRIPTS_MAXIMUM)
        return ERROR_LIMIT;
    return size > SCRIPT_TEXT_MAXIMUM || others + size > SCRIPTS_TEXT_MAXIMUM ? ERROR_QUOTA : 0;
}

static int put(struct change *change, const struct script_call *call,
               struct scripts_record *scripts)
{
    struct key key;
    bool there;
    size_t at = place_of(scripts, call->name, &there);
    int error = check_room(scripts, call->name, call->text.size);
    if (error)
        return error;
    if (!there)
        insert(scripts, at, (struct script_row){.id = scripts->next_id++, .name = call->name});
    scripts->list[at].size = (uint32_t)call->text.size;
    scripts->list[at].modseq = change->modseq;
    script_record_write(call->text, &change->value);
    error = change_put(change, key_numbers(&key, KEY_SCRIPT, 1, (uint64_t[]){scripts->list[at].id}),
                       &change->value);
    return error ? error : store_record(change, scripts);
}

int script_put(struct store_view *view, struct slice name, struct slice text)
{
    struct script_call call = {.name = name, .text = text, .fn = put};
    int error = require_owner(view);
    if (!error && !script_name_is_valid(name))
        error = ERROR_SYNTAX;
    if (!error && text.size > SCRIPT_TEXT_MAXIMUM)
        error = ERROR_QUOTA;
    return error ? error : view_change(view, KV_DURABLE, run, &call);
}

int script_check_room(struct store_view *view, struct slice name, uint64_t size)
{
    struct script_reading reading;
    int error = script_name_is_valid(name) ? begin_reading(view, &reading) : ERROR_SYNTAX;
    if (error)
        return error;
    error = check_room(&reading.scripts, name, size);
    end_reading(view, &reading);
    return error;
}

static int delete_script(struct change *change, const struct script_call *call,
                         struct scripts_record *scripts)
{
    struct key key;
    bool there;
    size_t at = place_of(scripts, call->name, &there);
    if (!there)
        return ERROR_NOT_FOUND;
    uint32_t id = scripts->list[at].id;
    if (id == scripts->active)
        return ERROR_CONFLICT;
    take_out(scripts, at);
    int error = change_delete(change, key_numbers(&key, KEY_SCRIPT, 1, (uint64_t[]){id}));
    return error ? error : store_record(change, scripts);
}

int script_delete(struct store_view *view, struct slice name)
{
    struct script_call call = {.name = name, .fn = delete_script};
    return view_change(view, KV_DURABLE, run, &call);
}

static int rename_script(struct change *change, const struct script_call *call,
                         struct scripts_record *scripts)
{
    bool there;
    size_t from = place_of(scripts, call->name, &there);
    if (!there)
        return ERROR_NOT_FOUND;
    if (slice_equal(call->name, call->to))
        return 0;
    size_t to = place_of(scripts, call->to, &there);
    if (there)
        return ERROR_EXISTS;
    struct script_row row = scripts->list[from];
    row.name = call->to;
    take_out(scripts, from);
    insert(scripts, to > from ? to - 1 : to, row);
    return store_record(change, scripts);
}

int script_rename(struct store_view *view, struct slice name, struct slice to)
{
    struct script_call call = {.name = name, .to = to, .fn = rename_script};
    int error = require_owner(view);
    if (!error && !script_name_is_valid(to))
        error = ERROR_SYNTAX;
    return error ? error : view_change(view, KV_DURABLE, run, &call);
}

static int activate(struct change *change, const struct script_call *call,
                    struct scripts_record *scripts)
{
    bool there = true;
    size_t at = call->name.size ? place_of(scripts, call->name, &there) : 0;
    if (!there)
        return ERROR_NOT_FOUND;
    uint32_t id = call->name.size ? scripts->list[at].id : 0;
    if (id == scripts->active)
        return 0;
    scripts->active = id;
    return store_record(change, scripts);
}

int script_activate(struct store_view *view, struct slice name)
{
    struct script_call call = {.name = name, .fn = activate};
    return view_change(view, KV_DURABLE, run, &call);
}
