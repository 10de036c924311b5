#include "script.h"
#include "store/deliver.h"
#include "store/retained.h"
#include "store/script.h"
#include "store/settle.h"
#include "store/site_script.h"

#include <fcntl.h>
#include <ftw.h>
#include <time.h>

enum { HOUR = 60 * 60, NAMES = 5, TEXTS = 12 };

uint32_t script_chance(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 33);
}

/* --- what a command is about --- */

static collection_id pick(struct fixture *f, uint32_t number)
{
    struct collection *list;
    size_t count;
    arena_clear(&f->arena);
    int error = collection_list(f->view, COLLECTION_MAILBOX, &f->arena, &list, &count);
    return error || !count ? 0 : list[number % count].id;
}

static struct slice name_of(uint32_t number, char text[32])
{
    static const char *const below[] = {"", "/N", "/O"};
    snprintf(text, 32, "M%u%s", number % NAMES, below[number / NAMES % 3]);
    return slice_from_string(text);
}

static struct slice address_of(char kind, uint32_t number, char text[32])
{
    snprintf(text, 32, "%c%u", kind, number % 3);
    return slice_from_string(text);
}

/* --- messages --- */

/* Few texts of each size: some are in the account already. */
static int append(struct fixture *f, const struct command *command, size_t size)
{
    char *bytes = malloc(size + 256);
    int head = snprintf(bytes, 256, "Subject: %u\r\n\r\n", command->b % TEXTS);
    memset(bytes + head, 'a' + (int)(command->b % TEXTS), size);
    struct append append = {.internal_date = 1000000000, .flags = command->c % 2 ? ENTRY_SEEN : 0};
    struct append_result result;
    int error = prepared_message_create(slice_make(bytes, (size_t)head + size), &append.message);
    if (!error)
        error = mailbox_append(f->view, pick(f, command->a), &append, &result);
    prepared_message_free(&append.message);
    free(bytes);
    return error;
}

/* Into two mailboxes (or one, twice), and into one of them with something in front; it may be sent
 * on as well. */
static int deliver_any(struct fixture *f, const struct command *command, size_t size)
{
    char *bytes = malloc(size + 256);
    int head = snprintf(bytes, 256, "Subject: %u\r\n\r\n", command->b % TEXTS);
    memset(bytes + head, 'a' + (int)(command->b % TEXTS), size);
    struct filing filings[3] = {{.mailbox = pick(f, command->a)},
                                {.mailbox = pick(f, command->c)},
                                {.mailbox = pick(f, command->a)}};
    const struct remembered remembered = {command->b % TEXTS + 1, f->now + 1000};
    const struct outgoing_recipient recipients[2] = {{.address = SLICE("one@example.org")},
                                                     {.address = SLICE("two@example.org")}};
    const struct departure departure = {
        .envelope = {.kind = OUTGOING_REDIRECT, .recipients = recipients, .recipient_count = 2},
        .pieces = {SLICE("X-Way: out\r\n"), slice_make(bytes, (size_t)head + size)}};
    const struct delivery_plan plan = {.departures = &departure,
                                       .departure_count = command->b % 3 == 0,
                                       .filings = filings,
                                       .filing_count = 1 + command->c % 3,
                                       .remembered = &remembered,
                                       .remembered_count = command->a % 2};
    struct prepared_message *message = NULL;
    struct store_view *system = NULL;
    assert_int_equal(store_view_open(f->store, WHO_SYSTEM, f->alice, &system), 0);
    int error = prepared_message_create(slice_make(bytes, (size_t)head + size), &message);
    for (int i = 0; i < 3; i++)
        filings[i].append = (struct append){.message = message, .internal_date = 1000000000};
    filings[2].append.prefix = SLICE("X-Way: b\r\n");
    if (!error)
        error = store_deliver(system, &plan);
    prepared_message_free(&message);
    store_view_close(&system);
    free(bytes);
    return error;
}

static size_t count_asleep(struct fixture *f, struct store_view *system)
{
    struct snoozed *list;
    size_t count = 0;
    arena_clear(&f->arena);
    assert_int_equal(snooze_list(system, &f->arena, &list, &count), 0);
    return count;
}

/* One at a time sleeps, since each wakes in a transaction of its own; its time has come. */
static int deliver_asleep(struct fixture *f, const struct command *command)
{
    char text[64], name[32];
    const struct slice keyword = SLICE("$Awake");
    const struct snooze snooze = {.until = 1,
                                  .mailbox = name_of(command->b, name),
                                  .create = command->b % 2,
                                  .add = ENTRY_FLAGGED,
                                  .add_keywords = &keyword,
                                  .add_count = 1};
    struct filing filings[2] = {{.mailbox = pick(f, command->a)}, {.mailbox = pick(f, command->c)}};
    struct prepared_message *message = NULL;
    struct store_view *system = NULL;
    snprintf(text, sizeof(text), "Subject: %u\r\n\r\nasleep", command->b % TEXTS);
    assert_int_equal(store_view_open(f->store, WHO_SYSTEM, f->alice, &system), 0);
    filings[0].snooze = count_asleep(f, system) ? NULL : &snooze;
    int error = prepared_message_create(slice_from_string(text), &message);
    for (int i = 0; i < 2; i++)
        filings[i].append = (struct append){.message = message, .internal_date = 1000000000};
    const struct delivery_plan plan = {.filings = filings, .filing_count = 1 + command->c % 2};
    if (!error)
        error = store_deliver(system, &plan);
    prepared_message_free(&message);
    store_view_close(&system);
    return error;
}

static int wake(struct fixture *f, const struct command *command)
{
    struct store_view *system = NULL;
    size_t woken;
    int64_t next;
    (void)command;
    assert_int_equal(store_view_open(f->store, WHO_SYSTEM, f->alice, &system), 0);
    int error = snooze_wake(system, &woken, &next);
    store_view_close(&system);
    return error;
}

static int deliver_small(struct fixture *f, const struct command *command)
{
    return deliver_any(f, command, command->c % 3000);
}

static int deliver_large(struct fixture *f, const struct command *command)
{
    return deliver_any(f, command, 300000 + command->c % 100000);
}

/* --- Sieve scripts: few names, so that they meet --- */

/* Says of one message on its way out that a recipient has got it, or all have. */
static int settle_outgoing(struct fixture *f, const struct command *command)
{
    struct outgoing_message *list;
    size_t count;
    struct store_view *system = NULL;
    const struct outgoing_recipient results[2] = {
        {.state = OUTGOING_SENT, .reply = SLICE("250 Ok")},
        {.state = command->b % 2 ? OUTGOING_SENT : OUTGOING_WAITING}};
    arena_clear(&f->arena);
    assert_int_equal(store_view_open(f->store, WHO_SYSTEM, f->alice, &system), 0);
    int error = outgoing_list(system, &f->arena, &list, &count);
    if (!error && count)
        error = outgoing_settle(system, list[command->a % count].number, results, 2, f->now);
    store_view_close(&system);
    return error;
}

static struct slice script_name(uint32_t number)
{
    static const char *const names[] = {"a", "b", "c", "d"};
    return slice_from_string(names[number % 4]);
}

static int put_script(struct fixture *f, const struct command *command)
{
    static char text[4096];
    memset(text, 'a' + (int)(command->b % TEXTS), sizeof(text));
    return script_put(f->view, script_name(command->a),
                      slice_make(text, command->c % sizeof(text)));
}

static int activate_script(struct fixture *f, const struct command *command)
{
    return script_activate(f->view, command->b % 4 ? script_name(command->a) : SLICE(""));
}

static int delete_script(struct fixture *f, const struct command *command)
{
    return script_delete(f->view, script_name(command->a));
}

static int rename_script(struct fixture *f, const struct command *command)
{
    return script_rename(f->view, script_name(command->a), script_name(command->b));
}

static struct site_script site_script(const struct command *command)
{
    struct site_script script = {.place = command->a % 2 ? SITE_BEFORE : SITE_INCLUDED};
    if (script.place == SITE_INCLUDED)
        script.name = script_name(command->c);
    return script;
}

static int put_site_script(struct fixture *f, const struct command *command)
{
    struct site_script script = site_script(command);
    return site_script_put(f->store, WHO_SYSTEM, &script, script_name(command->b));
}

static int delete_site_script(struct fixture *f, const struct command *command)
{
    struct site_script script = site_script(command);
    return site_script_delete(f->store, WHO_SYSTEM, &script);
}

static int append_small(struct fixture *f, const struct command *command)
{
    return append(f, command, command->c % 3000);
}
static int append_inline(struct fixture *f, const struct command *command)
{
    return append(f, command, 10000 + command->c % 60000);
}
static int append_large(struct fixture *f, const struct command *command)
{
    return append(f, command, MESSAGE_INLINE_MAXIMUM + command->c % 200000);
}

static struct range_set some_uids(const struct command *command)
{
    uint32_t first = 1 + command->b % 12;
    return set_of(first, command->b % 3 ? first + command->b / 12 % 8 : UINT32_MAX - 1);
}

static int change_flags(struct fixture *f, const struct command *command)
{
    const struct slice keyword = command->c % 2 ? SLICE("$One") : SLICE("$Other");
    struct flag_change change = {.operation = (enum flag_operation)(command->c % 3),
                                 .flags = command->c / 3 % 32,
                                 .keywords = &keyword,
                                 .keyword_count = command->c / 96 % 2,
                                 .unchanged_since = UINT64_MAX};
    struct range_set uids = some_uids(command);
    uint64_t modseq;
    int error = mailbox_change_flags(f->view, pick(f, command->a), &uids, &change, &modseq, NULL);
    range_set_release(&uids);
    return error;
}

static int mark_deleted(struct fixture *f, const struct command *command)
{
    struct command marking = *command;
    marking.c = FLAGS_ADD + 3 * ENTRY_DELETED;
    return change_flags(f, &marking);
}

static int copy_or_move(struct fixture *f, const struct command *command, bool move)
{
    struct range_set uids = some_uids(command);
    struct copy_result result;
    range_set_init(&result.from, 1000);
    range_set_init(&result.to, 1000);
    collection_id from = pick(f, command->a), to = pick(f, command->c);
    int error = mailbox_copy(f->view, from, &uids, to, move, &result);
    range_set_release(&uids);
    range_set_release(&result.from);
    range_set_release(&result.to);
    return error;
}
static int copy(struct fixture *f, const struct command *command)
{
    return copy_or_move(f, command, false);
}
static int move(struct fixture *f, const struct command *command)
{
    return copy_or_move(f, command, true);
}

static int expunge(struct fixture *f, const struct command *command)
{
    struct range_set expunged;
    uint64_t modseq;
    range_set_init(&expunged, 1000);
    int error = mailbox_expunge(f->view, pick(f, command->a), NULL, &expunged, &modseq);
    range_set_release(&expunged);
    return error;
}

static int restore_expunged(struct fixture *f, const struct command *command)
{
    struct copy_result result;
    struct retained_filter filter = {0};
    range_set_init(&result.from, 1000);
    range_set_init(&result.to, 1000);
    int error = retained_restore(f->view, pick(f, command->a), &filter, 0, &result);
    range_set_release(&result.from);
    range_set_release(&result.to);
    return error;
}

/* --- mailboxes --- */

static int make(struct fixture *f, const struct command *command)
{
    char text[32];
    collection_id id;
    return collection_create(f->view, COLLECTION_MAILBOX, name_of(command->a, text), ROLE_NONE,
                             &id);
}
static int rename_one(struct fixture *f, const struct command *command)
{
    char text[32];
    return collection_rename(f->view, pick(f, command->a), name_of(command->b, text));
}
static int delete_one(struct fixture *f, const struct command *command)
{
    return collection_delete(f->view, pick(f, command->a));
}
static int subscribe(struct fixture *f, const struct command *command)
{
    return collection_subscribe(f->view, pick(f, command->a), command->b % 2);
}

static int restore_mailbox(struct fixture *f, const struct command *command)
{
    struct retained_collection *list;
    struct slice path;
    size_t count;
    arena_clear(&f->arena);
    int error = retained_collections(f->view, &f->arena, &list, &count);
    if (!error && !count)
        error = ERROR_NOT_FOUND;
    return error ? error
                 : retained_restore_collection(f->view, list[command->a % count].id, SLICE(""),
                                               &f->arena, &path);
}

/* --- background work --- */

static int purge(struct fixture *f, const struct command *command)
{
    (void)command;
    return store_purge(f->store, WHO_SYSTEM, f->alice, INT64_MAX / 2, NULL);
}
static int maintain(struct fixture *f, const struct command *command)
{
    (void)command;
    int error = store_maintain(f->store);
    return error ? error : store_maintain(f->store); /* as it was not used, it rests */
}
static int settle(struct fixture *f, const struct command *command)
{
    struct settle_result result;
    (void)command;
    return store_settle(f->store, WHO_SYSTEM, f->alice, NULL, &result);
}

static int make_older(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    struct timespec old[] = {{time(NULL) - 2 * HOUR, 0}, {time(NULL) - 2 * HOUR, 0}};
    (void)status, (void)ftw;
    if (type == FTW_F && (strstr(path, ".pack") || strstr(path, ".drops")))
        utimensat(AT_FDCWD, path, old, 0);
    return 0;
}
static int reclaim(struct fixture *f, const struct command *command)
{
    nftw(f->directory, make_older, 16, FTW_PHYS);
    return store_reclaim(f->store, WHO_SYSTEM, f->alice, command->a % 2);
}

/* --- the directory --- */

static int make_account(struct fixture *f, const struct command *command)
{
    char text[32];
    struct account_id id;
    return store_account_create(f->store, WHO_SYSTEM, address_of('u', command->a, text), &id);
}
static int rename_account(struct fixture *f, const struct command *command)
{
    char text[32], other[32];
    struct account_id id;
    int error = store_account_find(f->store, WHO_SYSTEM, address_of('u', command->a, text), &id);
    return error ? error
                 : store_account_rename(f->store, WHO_SYSTEM, id,
                                        address_of('u', command->b, other), command->c % 2);
}
static int delete_account(struct fixture *f, const struct command *command)
{
    char text[32];
    struct account_id id;
    int error = store_account_find(f->store, WHO_SYSTEM, address_of('u', command->a, text), &id);
    return error || account_id_equal(id, f->alice) ? error
                                                   : store_account_delete(f->store, WHO_SYSTEM, id);
}
static int make_group(struct fixture *f, const struct command *command)
{
    char text[32];
    struct account_id id;
    return store_group_create(f->store, WHO_SYSTEM, address_of('g', command->a, text), &id);
}
static int delete_group(struct fixture *f, const struct command *command)
{
    char text[32];
    return store_group_delete(f->store, WHO_SYSTEM, address_of('g', command->a, text));
}
static int join(struct fixture *f, const struct command *command)
{
    char text[32], other[32];
    const struct slice members[] = {SLICE("alice"),
                                    address_of(command->c % 3 ? 'u' : 'g', command->b, other)};
    return store_group_add(f->store, WHO_SYSTEM, address_of('g', command->a, text),
                           members + command->c % 2, 2 - command->c % 2);
}
static int leave(struct fixture *f, const struct command *command)
{
    char text[32];
    const struct slice member = SLICE("alice");
    return store_group_remove(f->store, WHO_SYSTEM, address_of('g', command->a, text), &member, 1);
}
static int make_alias(struct fixture *f, const struct command *command)
{
    char text[32], other[32];
    const struct slice target = address_of(command->c % 2 ? 'u' : 'g', command->b, other);
    return store_alias_add(f->store, WHO_SYSTEM, address_of('a', command->a, text), &target, 1);
}

static const struct command_kind kinds[] = {
    {"append small", append_small, SCRIPT_ACCOUNT, 8, false, false},
    {"append inline", append_inline, SCRIPT_ACCOUNT, 3, false, false},
    {"append large", append_large, SCRIPT_ACCOUNT, 2, false, false},
    {"deliver small", deliver_small, SCRIPT_ACCOUNT, 5, false, false},
    {"deliver large", deliver_large, SCRIPT_ACCOUNT, 2, false, false},
    {"settle outgoing", settle_outgoing, SCRIPT_ACCOUNT, 3, false, false},
    {"put script", put_script, SCRIPT_ACCOUNT, 2, false, false},
    {"activate script", activate_script, SCRIPT_ACCOUNT, 1, false, false},
    {"delete script", delete_script, SCRIPT_ACCOUNT, 1, false, false},
    {"rename script", rename_script, SCRIPT_ACCOUNT, 1, false, false},
    {"deliver asleep", deliver_asleep, SCRIPT_ACCOUNT, 4, false, false},
    {"wake", wake, SCRIPT_ACCOUNT, 3, false, false},
    {"change flags", change_flags, SCRIPT_ACCOUNT, 6, true, false},
    {"mark deleted", mark_deleted, SCRIPT_ACCOUNT, 4, true, false},
    {"copy", copy, SCRIPT_ACCOUNT, 4, false, false},
    {"move", move, SCRIPT_ACCOUNT, 3, false, false},
    {"expunge", expunge, SCRIPT_ACCOUNT, 5, false, false},
    {"restore expunged", restore_expunged, SCRIPT_ACCOUNT, 2, false, false},
    {"make mailbox", make, SCRIPT_ACCOUNT, 4, false, false},
    {"rename mailbox", rename_one, SCRIPT_ACCOUNT, 3, false, false},
    {"delete mailbox", delete_one, SCRIPT_ACCOUNT, 2, false, false},
    {"restore mailbox", restore_mailbox, SCRIPT_ACCOUNT, 2, false, false},
    {"subscribe", subscribe, SCRIPT_ACCOUNT, 2, true, false},
    {"settle", settle, SCRIPT_ACCOUNT, 4, false, false},
    {"purge", purge, SCRIPT_ACCOUNT, 2, false, false},
    {"maintain", maintain, SCRIPT_ACCOUNT, 2, false, true},
    {"reclaim", reclaim, SCRIPT_ACCOUNT, 4, false, false},
    {"make account", make_account, SCRIPT_DIRECTORY, 3, false, false},
    {"rename account", rename_account, SCRIPT_DIRECTORY, 2, false, false},
    {"delete account", delete_account, SCRIPT_DIRECTORY, 1, false, false},
    {"make group", make_group, SCRIPT_DIRECTORY, 2, false, false},
    {"delete group", delete_group, SCRIPT_DIRECTORY, 1, false, false},
    {"join group", join, SCRIPT_DIRECTORY, 3, false, false},
    {"leave group", leave, SCRIPT_DIRECTORY, 1, false, false},
    {"make alias", make_alias, SCRIPT_DIRECTORY, 2, false, false},
    {"put site script", put_site_script, SCRIPT_DIRECTORY, 2, false, false},
    {"delete site script", delete_site_script, SCRIPT_DIRECTORY, 1, false, false},
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

/* --- writing it --- */

static const struct command_kind *choose(uint32_t number)
{
    unsigned all = 0, i = 0;
    for (unsigned k = 0; k < KINDS; k++)
        all += kinds[k].weight;
    for (number %= all; number >= kinds[i].weight; i++)
        number -= kinds[i].weight;
    return &kinds[i];
}

void script_write(struct story *script, unsigned seed)
{
    uint64_t state = seed * UINT64_C(2654435761) + 1;
    script->count = SCRIPT_MAXIMUM / 2 + script_chance(&state) % (SCRIPT_MAXIMUM / 2);
    for (unsigned i = 0; i < script->count; i++)
        script->commands[i] = (struct command){.kind = choose(script_chance(&state)),
                                               .a = script_chance(&state),
                                               .b = script_chance(&state),
                                               .c = script_chance(&state)};
}
