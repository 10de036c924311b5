/*
 * What surrounds a script of the tests: a small world that `test_set` furnishes.
 */
#ifndef TESTS_UNIT_SIEVE_WORLD_H
#define TESTS_UNIT_SIEVE_WORLD_H

#include "base/arena.h"
#include "sieve/sieve.h"

enum { WORLD_ENTRIES = 64, WORLD_SCRIPTS = 16 };

struct world_entry {
    struct slice name, value;
};

struct world {
    struct arena arena;
    struct sieve_input input;
    struct slice addresses[8];
    struct slice flags[8];
    int64_t now;
    int zone;
    struct world_entry entries[WORLD_ENTRIES]; /* "mailbox:INBOX", "env:name", ... */
    size_t entry_count;
    struct world_entry scripts[WORLD_SCRIPTS];
    struct sieve_program *programs[WORLD_SCRIPTS];
    size_t script_count;
    struct slice marked[WORLD_ENTRIES];
    size_t marked_count;
    struct buffer performed; /* the actions of sieve_run, a line each */
    struct sieve_host host;
    const struct sieve_options *options;
};

void world_init(struct world *world, const struct sieve_options *options);
void world_release(struct world *world);

/* Sets something; false when there is nothing of this name. */
bool world_set(struct world *world, struct slice name, struct slice value);

#endif
