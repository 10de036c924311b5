/*
 * An arena: memory that is given back all at once, with a hard maximum.
 *
 * Every connection, command and request draws from an arena whose maximum is its budget. Passing
 * the maximum makes the allocation fail with NULL and the arena remember it (sticky), so that a
 * sequence of allocations can be checked once at its end.
 *
 *     struct arena arena;
 *     arena_init(&arena, 64 * 1024);
 *     ... arena_alloc(&arena, n) ...
 *     if (arena_failed(&arena)) the command is over its budget
 *     arena_clear(&arena);     // everything allocated is gone; one block is kept for reuse
 *     arena_release(&arena);   // nothing is kept
 *
 * Not thread-safe: an arena belongs to one thread at a time.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/slice.h"

struct arena_block;

struct arena {
    struct arena_block *blocks; /* newest first */
    size_t used;                /* bytes taken from the system, block heads included */
    size_t maximum;             /* bytes; used never passes it */
    bool failed;
};

/* No memory is taken before the first allocation. */
void arena_init(struct arena *arena, size_t maximum);

/* Frees everything and the failure mark; keeps the maximum. One small block stays for reuse. */
void arena_clear(struct arena *arena);

/* Frees everything, the kept block too. The arena can be used again. */
void arena_release(struct arena *arena);

/* Zeroed, aligned for any type. NULL when the maximum would be passed or the system has none;
 * size 0 gives a valid pointer. */
void *arena_alloc(struct arena *arena, size_t size);

/* As arena_alloc for count * size, checked against overflow. */
void *arena_alloc_array(struct arena *arena, size_t count, size_t size);

/* A copy of the bytes in the arena. On failure an empty slice with data == NULL. */
struct slice arena_copy(struct arena *arena, struct slice bytes);

/* The same, with a NUL behind it; NULL on failure. */
char *arena_string(struct arena *arena, struct slice bytes);

/* Whether an allocation has failed since arena_init or arena_clear. */
static inline bool arena_failed(const struct arena *arena)
{
    return arena->failed;
}

#endif
