/*
 * Clients that do anything at random to the same mailboxes, each with a model of what it was told.
 * Whatever happens, sequence numbers mean what the client believes, EXPUNGE comes only where it
 * may, and after a NOOP the client knows every flag as it is. One of them has enabled QRESYNC: it
 * is told VANISHED instead, of UIDs that it counts, and UID and MODSEQ with all that it did not ask
 * for.
 */
#include "unit/check.h"

#include "unit/session/imap/dialogue.h"

#include <stdlib.h>

enum { CLIENTS = 3, STEPS = 1500, MODEL_MAXIMUM = 4000, FLAGS_MAXIMUM = 80 };

struct believed {
    unsigned uid;              /* 0: not told */
    char flags[FLAGS_MAXIMUM]; /* "": not told */
};

struct actor {
    struct client *client;
    const char *mailbox;
    struct believed messages[MODEL_MAXIMUM];
    unsigned count;
    bool qresync, asks; /* a FETCH is under way, whose answers are what was asked for */
};

static struct dialogue dialogue;
static struct actor actors[CLIENTS];

/* --- the model hears --- */

static void hear_expunge(struct actor *actor, unsigned number, bool allowed)
{
    assert_true(allowed);
    assert_in_range(number, 1, actor->count);
    memmove(&actor->messages[number - 1], &actor->messages[number],
            (actor->count - number) * sizeof(actor->messages[0]));
    actor->count--;
}

/* Also of a message that went before its UID was told: it is where that must be. */
static unsigned number_of(const struct actor *actor, unsigned uid)
{
    unsigned unknown = 0;
    for (unsigned i = 0; i < actor->count; i++) {
        unsigned known = actor->messages[i].uid;
        if (known == uid)
            return i + 1;
        if (known > uid)
            break;
        unknown = known ? 0 : unknown ? unknown : i + 1;
    }
    return unknown;
}

/* "2,4:6" */
static void hear_vanished(struct actor *actor, const char *set, bool allowed)
{
    assert_true(actor->qresync);
    while (*set) {
        char *rest;
        unsigned first = (unsigned)strtoul(set, &rest, 10), last = first;
        if (*rest == ':')
            last = (unsigned)strtoul(rest + 1, &rest, 10);
        for (unsigned uid = first; uid <= last; uid++)
            hear_expunge(actor, number_of(actor, uid), allowed);
        set = rest + (*rest == ',');
    }
}

static void hear_exists(struct actor *actor, unsigned count)
{
    assert_in_range(count, actor->count, MODEL_MAXIMUM);
    memset(&actor->messages[actor->count], 0, (count - actor->count) * sizeof(actor->messages[0]));
    actor->count = count;
}

static void hear_fetch(struct actor *actor, unsigned number, const char *line)
{
    assert_in_range(number, 1, actor->count);
    struct believed *message = &actor->messages[number - 1];
    const char *uid = strstr(line, "UID "), *flags = strstr(line, "FLAGS (");
    if (actor->qresync && !actor->asks)
        assert_true(uid && strstr(line, "MODSEQ ("));
    if (uid) {
        unsigned told = (unsigned)strtoul(uid + 4, NULL, 10);
        if (message->uid)
            assert_int_equal(message->uid, told);
        message->uid = told;
        if (number > 1 && actor->messages[number - 2].uid)
            assert_true(actor->messages[number - 2].uid < told);
    }
    if (flags)
        snprintf(message->flags, sizeof(message->flags), "%.*s",
                 (int)(strchr(flags, ')') + 1 - flags), flags);
}

static void hear_line(struct actor *actor, const char *line, bool expunges)
{
    char *rest;
    if (strncmp(line, "* ", 2) != 0)
        return;
    if (strncmp(line, "* VANISHED ", 11) == 0) {
        hear_vanished(actor, line + 11, expunges);
        return;
    }
    unsigned number = (unsigned)strtoul(line + 2, &rest, 10);
    assert_false(actor->qresync && strncmp(rest, " EXPUNGE", 8) == 0);
    if (strncmp(rest, " EXPUNGE", 8) == 0)
        hear_expunge(actor, number, expunges);
    else if (strncmp(rest, " EXISTS", 7) == 0)
        hear_exists(actor, number);
    else if (strncmp(rest, " FETCH (", 8) == 0)
        hear_fetch(actor, number, rest);
}

static void hear(struct actor *actor, const char *text, bool expunges)
{
    char line[4096];
    while (*text) {
        const char *end = strstr(text, "\r\n");
        while (end - text > 3 && strncmp(end - 3, "{0}", 3) == 0)
            end = strstr(end + 2, "\r\n");
        snprintf(line, sizeof(line), "%.*s", (int)(end - text), text);
        hear_line(actor, line, expunges);
        text = end + 2;
    }
}

/* VANISHED speaks of UIDs: a client that is told it wants to know them all. */
static void learn_uids(struct actor *actor)
{
    actor->asks = true;
    if (actor->qresync && actor->count)
        hear(actor, client_send(actor->client, "t FETCH 1:* UID\r\n"), false);
    actor->asks = false;
}

/* Sends; returns the tagged response's status and what follows it. */
static const char *say(struct actor *actor, const char *command, bool expunges)
{
    static char copy[1024 * 1024];
    if (strcmp(command, "DONE\r\n") != 0)
        learn_uids(actor);
    actor->asks = strncmp(command, "t FETCH", 7) == 0;
    snprintf(copy, sizeof(copy), "%s", client_send(actor->client, command));
    const char *received = copy;
    hear(actor, received, expunges);
    const char *tagged = strncmp(received, "t ", 2) == 0 ? received : strstr(received, "\r\nt ");
    if (!tagged)
        print_error("%s%s", command, received);
    assert_non_null(tagged);
    return strstr(tagged, "t ") + 2;
}

/* --- what clients do --- */

static void choose(struct actor *actor, unsigned *first, unsigned *last)
{
    *first = 1 + dice(actor->count);
    *last = *first + dice(5);
    if (*last > actor->count)
        *last = actor->count;
}

static const char *random_flag(void)
{
    static const char *const flags[] = {"\\Seen", "\\Flagged", "\\Deleted", "\\Deleted",
                                        "$Work",  "$Home",     "\\Draft"};
    return flags[dice(sizeof(flags) / sizeof(flags[0]))];
}

static void check_done(const char *command, const char *status)
{
    bool done = strncmp(status, "OK ", 3) == 0 || strncmp(status, "NO [EXPUNGEISSUED] ", 19) == 0;
    if (!done)
        print_error("%s%s", command, status);
    assert_true(done);
}

static void do_store(struct actor *actor)
{
    unsigned first, last;
    char command[200];
    bool silent = dice(2);
    learn_uids(actor); /* it may be told of flags, which the command then changes */
    choose(actor, &first, &last);
    snprintf(command, sizeof(command), "t STORE %u:%u %sFLAGS%s (%s)\r\n", first, last,
             dice(3)   ? "+"
             : dice(2) ? "-"
                       : "",
             silent ? ".SILENT" : "", random_flag());
    for (unsigned i = first; i <= last && silent; i++)
        actor->messages[i - 1].flags[0] = '\0';
    const char *status = say(actor, command, false);
    check_done(command, status);
}

static void do_fetch(struct actor *actor)
{
    static const char *const items[] = {"(UID FLAGS)", "FLAGS", "(UID BODY[TEXT]<99.1>)", "UID"};
    unsigned first, last;
    char command[200];
    choose(actor, &first, &last);
    snprintf(command, sizeof(command), "t FETCH %u:%u %s\r\n", first, last, items[dice(4)]);
    const char *status = say(actor, command, false);
    check_done(command, status);
}

static void do_copy(struct actor *actor)
{
    unsigned first, last;
    char command[200];
    choose(actor, &first, &last);
    snprintf(command, sizeof(command), "t %s %u:%u %s\r\n", dice(3) ? "COPY" : "MOVE", first, last,
             dice(2) ? "INBOX" : "Junk");
    const char *status = say(actor, command, true);
    check_done(command, status);
}

static void do_append(struct actor *actor)
{
    char command[100];
    snprintf(command, sizeof(command), "t APPEND %s {8+}\r\na: b\r\n\r\n\r\n",
             dice(2) ? "INBOX" : "Junk");
    assert_memory_equal(say(actor, command, true), "OK [APPENDUID ", 14);
}

static void do_search(struct actor *actor)
{
    say(actor, dice(2) ? "t SEARCH DELETED\r\n" : "t SEARCH RETURN (COUNT) ALL\r\n", false);
}

static void do_expunge(struct actor *actor)
{
    assert_memory_equal(say(actor, "t EXPUNGE\r\n", true), "OK ", 3);
}

static void do_idle(struct actor *actor)
{
    learn_uids(actor);
    hear(actor, client_send(actor->client, "t IDLE\r\n"), true);
    hear(actor, client_notice(actor->client), true);
    say(actor, "DONE\r\n", true);
}

static void select_mailbox(struct actor *actor)
{
    char command[100];
    actor->mailbox = dice(4) ? "INBOX" : "Junk";
    actor->count = 0;
    snprintf(command, sizeof(command), "t SELECT %s\r\n", actor->mailbox);
    assert_memory_equal(say(actor, command, false), "OK [READ-WRITE]", 15);
}

/* After a NOOP the model is the truth. */
static void verify(struct actor *actor)
{
    static struct believed before[MODEL_MAXIMUM];
    say(actor, "t NOOP\r\n", true);
    unsigned count = actor->count;
    memcpy(before, actor->messages, sizeof(before));
    if (count)
        assert_memory_equal(say(actor, "t FETCH 1:* (UID FLAGS)\r\n", false), "OK ", 3);
    assert_int_equal(actor->count, count);
    for (unsigned i = 0; i < count; i++) {
        assert_int_not_equal(actor->messages[i].uid, 0);
        if (before[i].flags[0])
            assert_string_equal(before[i].flags, actor->messages[i].flags);
    }
}

static void step(struct actor *actor)
{
    static void (*const changes[])(struct actor *) = {do_store, do_store, do_fetch, do_copy};
    static void (*const others[])(struct actor *) = {do_append,  do_append, do_search,
                                                     do_expunge, do_idle,   verify};
    if (dice(60) == 0)
        select_mailbox(actor);
    else if (actor->count && dice(2))
        changes[dice(4)](actor);
    else
        others[dice(6)](actor);
    if (actor->count > 100)
        say(actor, "t STORE 1:80 +FLAGS.SILENT (\\Deleted)\r\nt EXPUNGE\r\n", true);
}

static void run_random(uint64_t seed)
{
    dice_state = seed;
    dialogue_open(&dialogue);
    for (int i = 0; i < CLIENTS; i++) {
        actors[i] = (struct actor){.client = dialogue_client(&dialogue), .qresync = i == 0};
        if (actors[i].qresync)
            check_has(actors[i].client, "e ENABLE QRESYNC\r\n", "e OK");
        select_mailbox(&actors[i]);
    }
    for (int i = 0; i < STEPS; i++)
        step(&actors[dice(CLIENTS)]);
    for (int i = 0; i < CLIENTS; i++)
        verify(&actors[i]);
    dialogue_close(&dialogue);
}

static void test_random(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++)
        run_random(seed * 0x9e3779b97f4a7c15ULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random)};
    return cmocka_run_group_tests_name("imap random", tests, NULL, NULL);
}
