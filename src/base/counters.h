/*
 * Counters, declared in base/counters.def, kept in shared memory.
 *
 * chapard makes the memory (a memfd) and hands it to every process, which adds to its own slot;
 * readers sum over the slots. A process without the memory (a unit test, the command line) counts
 * into a private block. Adding is one relaxed atomic addition; no lock, no system call.
 */
#ifndef BASE_COUNTERS_H
#define BASE_COUNTERS_H

#include <stdint.h>

enum counter {
#define COUNTER(identifier, name, unit, help) COUNTER_##identifier,
#include "base/counters.def"
#undef COUNTER
    COUNTER_COUNT
};

/* One row of the table, for those who print it. */
struct counter_description {
    const char *name;
    const char *unit; /* "count", "bytes", "current" */
    const char *help;
};
extern const struct counter_description counter_descriptions[COUNTER_COUNT];

enum { COUNTER_SLOTS = 192 };

/* Makes the shared memory: a sealed memfd of COUNTER_SLOTS slots. Returns the descriptor
 * (close-on-exec) or an error. */
int counters_create(void);

/* Maps the memory and makes `slot` the one this process adds to; slot -1: it only reads (the
 * mapping is read-only then). May be called once in a process. The descriptor is not kept. */
int counters_attach(int descriptor, int slot);

void counters_add(enum counter counter, int64_t amount);

/* The sum over all slots, and one slot's value. */
int64_t counters_sum(enum counter counter);
int64_t counters_get(int slot, enum counter counter);

/* Adds to another process's slot: chapard alone, for what a dead process cannot count itself. */
void counters_add_to_slot(int slot, enum counter counter, int64_t amount);

/* Zeroes the "current" counters of a slot whose process has ended. */
void counters_reset_current(int slot);

#endif
