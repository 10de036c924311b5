#include "base/arena.h"

#include <stdalign.h>
#include <stddef.h>
#include <stdlib.h>

/* Blocks double from the first size to the largest, so that a small command takes one small
 * block and a large one few. */
enum { FIRST_BLOCK = 1024, LARGEST_BLOCK = 256 * 1024 };

struct arena_block {
    struct arena_block *next;
    size_t size; /* bytes of data */
    size_t used;
    alignas(max_align_t) char data[];
};

void arena_init(struct arena *arena, size_t maximum)
{
    *arena = (struct arena){.maximum = maximum};
}

static void free_blocks(struct arena_block *block)
{
    while (block) {
        struct arena_block *next = block->next;
        free(block);
        block = next;
    }
}

void arena_release(struct arena *arena)
{
    free_blocks(arena->blocks);
    arena_init(arena, arena->maximum);
}

void arena_clear(struct arena *arena)
{
    struct arena_block *kept = arena->blocks;
    if (!kept || kept->size > 8 * FIRST_BLOCK) {
        arena_release(arena);
        return;
    }
    free_blocks(kept->next);
    kept->next = NULL;
    /* Zeroed on reuse, as arena_alloc promises. */
    memset(kept->data, 0, kept->used);
    kept->used = 0;
    arena->used = sizeof(*kept) + kept->size;
    arena->failed = false;
}

/* A block kept by arena_clear that is too small for what comes first must not eat the budget. */
static void drop_unused_block(struct arena *arena)
{
    struct arena_block *block = arena->blocks;
    if (!block || block->used > 0)
        return;
    arena->used -= sizeof(*block) + block->size;
    arena->blocks = block->next;
    free(block);
}

static struct arena_block *add_block(struct arena *arena, size_t wanted)
{
    drop_unused_block(arena);
    size_t left = arena->maximum - arena->used;
    if (left < sizeof(struct arena_block) || wanted > left - sizeof(struct arena_block))
        return NULL;
    left -= sizeof(struct arena_block);

    size_t size = arena->blocks ? arena->blocks->size * 2 : FIRST_BLOCK;
    if (size > LARGEST_BLOCK)
        size = LARGEST_BLOCK;
    if (size < wanted)
        size = wanted;
    if (size > left)
        size = left;

    struct arena_block *block = calloc(1, sizeof(*block) + size);
    if (!block)
        return NULL;
    block->size = size;
    block->next = arena->blocks;
    arena->blocks = block;
    arena->used += sizeof(*block) + size;
    return block;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    size_t align = alignof(max_align_t);
    if (size == 0)
        size = 1;
    if (size > SIZE_MAX - align)
        goto fail;
    size = (size + align - 1) & ~(align - 1);

    struct arena_block *block = arena->blocks;
    if (!block || block->size - block->used < size) {
        block = add_block(arena, size);
        if (!block)
            goto fail;
    }
    void *memory = block->data + block->used;
    block->used += size;
    return memory;

fail:
    arena->failed = true;
    return NULL;
}

void *arena_alloc_array(struct arena *arena, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        arena->failed = true;
        return NULL;
    }
    return arena_alloc(arena, bytes);
}

struct slice arena_copy(struct arena *arena, struct slice bytes)
{
    char *copy = arena_string(arena, bytes);
    return copy ? slice_make(copy, bytes.size) : (struct slice){NULL, 0};
}

char *arena_string(struct arena *arena, struct slice bytes)
{
    if (bytes.size == SIZE_MAX) {
        arena->failed = true;
        return NULL;
    }
    char *copy = arena_alloc(arena, bytes.size + 1);
    if (copy && bytes.size)
        memcpy(copy, bytes.data, bytes.size);
    return copy;
}
