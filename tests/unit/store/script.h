/*
 * A script of commands on the store that a seed has written: appends, deliveries, what sleeps and
 * wakes, flags, copies, moves, expunges, mailboxes made, renamed, deleted and brought back, Sieve
 * scripts, settling, purging, reclaiming, and the directory. What a command does follows from the
 * script and from what the store holds alone, so the same script leaves the same states (digest.h).
 */
#ifndef TESTS_UNIT_STORE_SCRIPT_H
#define TESTS_UNIT_STORE_SCRIPT_H

#include "store_test.h"

enum { SCRIPT_MAXIMUM = 64 };

/* Which key space a command changes: each has its own order of what is durable. */
enum script_space { SCRIPT_ACCOUNT, SCRIPT_DIRECTORY };

struct command {
    const struct command_kind *kind;
    uint32_t a, b, c;
};

struct command_kind {
    const char *name;
    int (*run)(struct fixture *f, const struct command *command);
    enum script_space space;
    unsigned weight;
    bool relaxed; /* a power cut may take it */
    bool flushes; /* everything of the account before it is durable, though it may change nothing */
};

struct story {
    unsigned count;
    struct command commands[SCRIPT_MAXIMUM];
};

void script_write(struct story *script, unsigned seed);

/* What the store says; some commands are refused, such as a mailbox that is there already. */
static inline int command_run(struct fixture *f, const struct command *command)
{
    return command->kind->run(f, command);
}

/* The next number of a sequence. */
uint32_t script_chance(uint64_t *seed);

#endif
