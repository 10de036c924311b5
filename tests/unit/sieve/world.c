#include "world.h"

#include "base/error.h"
#include "render.h"

#include <stdlib.h>

static const char plain_message[] = "From: Alice <alice@example.com>\r\n"
                                    "To: Bob <bob@example.org>\r\n"
                                    "Subject: Hello\r\n"
                                    "Date: Tue, 20 Oct 2026 10:00:00 +0200\r\n"
                                    "Message-ID: <1@example.com>\r\n"
                                    "\r\n"
                                    "Hello Bob.\r\n";

static int perform(void *arg, const struct sieve_action *action)
{
    struct world *world = arg;
    render_action(action, &world->performed);
    return buffer_append_byte(&world->performed, '\n');
}

static const struct world_entry *find(const struct world *world, const char *prefix,
                                      struct slice name)
{
    size_t length = strlen(prefix);
    for (size_t i = world->entry_count; i-- > 0;) {
        const struct world_entry *entry = &world->entries[i];
        if (slice_starts_with(entry->name, slice_from_string(prefix)) &&
            slice_equal(slice_sub(entry->name, length, SIZE_MAX), name))
            return entry;
    }
    return NULL;
}

static int append_entry(const struct world *world, const char *prefix, struct slice name,
                        struct buffer *value)
{
    const struct world_entry *entry = find(world, prefix, name);
    return entry ? buffer_append(value, entry->value) : ERROR_NOT_FOUND;
}

static int mailbox_exists(void *arg, struct slice name, bool *exists)
{
    *exists = find(arg, "mailbox:", name) != NULL;
    return 0;
}

static int mailbox_id_exists(void *arg, struct slice id, bool *exists)
{
    *exists = find(arg, "mailboxid:", id) != NULL;
    return 0;
}

static int special_use_exists(void *arg, struct slice name, struct slice use, bool *exists)
{
    const struct world *world = arg;
    *exists = false;
    for (size_t i = 0; i < world->entry_count; i++) {
        const struct world_entry *entry = &world->entries[i];
        if (slice_starts_with(entry->name, SLICE("use:")) &&
            slice_equal_nocase(entry->value, use) &&
            (!name.data || slice_equal(slice_sub(entry->name, 4, SIZE_MAX), name)))
            *exists = true;
    }
    return 0;
}

static int metadata(void *arg, struct slice mailbox, struct slice name, struct buffer *value)
{
    char prefix[256];
    snprintf(prefix, sizeof(prefix), "metadata:%.*s", SLICE_FORMAT(mailbox));
    return append_entry(arg, prefix, name, value);
}

static int environment(void *arg, struct slice name, struct buffer *value)
{
    return append_entry(arg, "env:", name, value);
}

static int64_t now(void *arg, int *zone)
{
    const struct world *world = arg;
    *zone = world->zone;
    return world->now;
}

static int duplicate_seen(void *arg, struct slice key, bool *seen)
{
    const struct world *world = arg;
    *seen = false;
    for (size_t i = 0; i < world->marked_count; i++)
        *seen |= slice_equal(world->marked[i], key);
    return 0;
}

static int duplicate_mark(void *arg, struct slice key, uint64_t seconds)
{
    struct world *world = arg;
    if (seconds && world->marked_count < WORLD_ENTRIES)
        world->marked[world->marked_count++] = arena_copy(&world->arena, key);
    return 0;
}

static int script(void *arg, bool global, struct slice name, const struct sieve_program **program)
{
    struct world *world = arg;
    char full[256];
    snprintf(full, sizeof(full), "%s:%.*s", global ? "global" : "personal", SLICE_FORMAT(name));
    for (size_t i = 0; i < world->script_count; i++) {
        if (!slice_equal(world->scripts[i].name, slice_from_string(full)))
            continue;
        if (!world->programs[i]) {
            struct buffer bytecode;
            struct sieve_report report;
            buffer_init(&bytecode, SIEVE_BYTECODE_MAXIMUM);
            int error = sieve_compile(world->scripts[i].value, world->options, &bytecode, &report);
            if (!error)
                error = sieve_program_load(buffer_slice(&bytecode), world->options,
                                           &world->programs[i]);
            buffer_release(&bytecode);
            if (error)
                return error;
        }
        *program = world->programs[i];
        return 0;
    }
    return ERROR_NOT_FOUND;
}

/* "list:NAME" has its members in lines. */
static int list_contains(void *arg, struct slice list, struct slice value, bool *contains)
{
    const struct world_entry *entry = find(arg, "list:", list);
    *contains = false;
    if (!entry)
        return ERROR_NOT_FOUND;
    for (struct slice rest = entry->value; rest.size;) {
        size_t end = slice_find(rest, '\n');
        struct slice line = slice_sub(rest, 0, end);
        line.size -= line.size && line.data[line.size - 1] == '\r';
        *contains |= slice_equal_nocase(line, value);
        rest = slice_sub(rest, end + 1, SIZE_MAX);
    }
    return 0;
}

static int list_valid(void *arg, struct slice list, bool *valid)
{
    *valid = find(arg, "list:", list) != NULL;
    return 0;
}

static int spam_score(void *arg, struct buffer *percent)
{
    return append_entry(arg, "spam", SLICE(""), percent);
}

static int virus_level(void *arg, struct buffer *level)
{
    return append_entry(arg, "virus", SLICE(""), level);
}

void world_init(struct world *world, const struct sieve_options *options)
{
    *world = (struct world){
        .now = 1792483200, /* 2026-10-20 08:00:00 UTC, a Tuesday */
        .options = options,
        .host = {.arg = world,
                 .perform = perform,
                 .mailbox_exists = mailbox_exists,
                 .mailbox_id_exists = mailbox_id_exists,
                 .special_use_exists = special_use_exists,
                 .metadata = metadata,
                 .environment = environment,
                 .now = now,
                 .duplicate_seen = duplicate_seen,
                 .duplicate_mark = duplicate_mark,
                 .script = script,
                 .list_contains = list_contains,
                 .list_valid = list_valid,
                 .spam_score = spam_score,
                 .virus_level = virus_level},
    };
    arena_init(&world->arena, 16 * 1024 * 1024);
    buffer_init(&world->performed, 1024 * 1024);
    world->input = (struct sieve_input){.message = slice_from_string(plain_message),
                                        .envelope_from = SLICE("alice@example.com"),
                                        .envelope_to = SLICE("bob@example.org"),
                                        .addresses = world->addresses,
                                        .flags = world->flags};
}

void world_release(struct world *world)
{
    for (size_t i = 0; i < world->script_count; i++)
        sieve_program_free(&world->programs[i]);
    buffer_release(&world->performed);
    arena_release(&world->arena);
}

static bool set_number(struct world *world, struct slice name, struct slice value)
{
    char text[32];
    snprintf(text, sizeof(text), "%.*s", SLICE_FORMAT(value));
    if (slice_equal(name, SLICE("time")))
        world->now = strtoll(text, NULL, 10);
    else if (slice_equal(name, SLICE("zone")))
        world->zone = (int)strtol(text, NULL, 10);
    else
        return false;
    return true;
}

/* An IMAP event with that cause: then there is no envelope. */
static void set_event(struct world *world, struct slice cause)
{
    const struct slice none = {NULL, 0};
    world->input.event = true;
    world->input.envelope_from = world->input.envelope_to = none;
    world->entries[world->entry_count++] = (struct world_entry){SLICE("env:imap.cause"), cause};
}

static bool set_input(struct world *world, struct slice name, struct slice value)
{
    if (slice_equal(name, SLICE("message")))
        world->input.message = value;
    else if (slice_equal(name, SLICE("envelope.from")))
        world->input.envelope_from = value;
    else if (slice_equal(name, SLICE("envelope.to")))
        world->input.envelope_to = value;
    else if (slice_equal(name, SLICE("envelope.original")))
        world->input.original_to = value;
    else if (slice_equal(name, SLICE("event")))
        set_event(world, value);
    else if (slice_equal(name, SLICE("flag")) && world->input.flag_count < 8)
        world->flags[world->input.flag_count++] = value;
    else if (slice_equal(name, SLICE("address")) && world->input.address_count < 8)
        world->addresses[world->input.address_count++] = value;
    else
        return false;
    return true;
}

bool world_set(struct world *world, struct slice name, struct slice value)
{
    static const char *const kinds[] = {
        "mailbox:", "mailboxid:", "use:", "metadata:", "env:", "list:", "spam", "virus", NULL};
    name = arena_copy(&world->arena, name);
    value = arena_copy(&world->arena, value);
    if (set_input(world, name, value) || set_number(world, name, value))
        return true;
    if (slice_starts_with(name, SLICE("personal:")) || slice_starts_with(name, SLICE("global:"))) {
        if (world->script_count == WORLD_SCRIPTS)
            return false;
        world->scripts[world->script_count++] = (struct world_entry){name, value};
        return true;
    }
    for (size_t i = 0; kinds[i]; i++) {
        if (slice_starts_with(name, slice_from_string(kinds[i])) &&
            world->entry_count < WORLD_ENTRIES) {
            world->entries[world->entry_count++] = (struct world_entry){name, value};
            return true;
        }
    }
    return false;
}
