/*
 * A search program that outlives its command.
 */
#include "base/error.h"
#include "session/imap/context_priv.h"

static struct imap_sequence_range *copy_ranges(struct arena *arena, const void *ranges,
                                               size_t count, bool resolved)
{
    struct imap_sequence_range *copy = arena_alloc_array(arena, count, sizeof(*copy));
    for (size_t i = 0; i < count && copy; i++) {
        const struct range *range = (const struct range *)ranges + i;
        copy[i] = resolved ? (struct imap_sequence_range){range->first, range->last}
                           : ((const struct imap_sequence_range *)ranges)[i];
    }
    return copy;
}

/* Message numbers, and "$", are what they are when the command comes; UIDs as written, as '*' may
 * mean another one tomorrow. */
static int copy_set(struct arena *arena, const struct search_node *node,
                    struct imap_search_key *key)
{
    const struct imap_sequence_set *set = &node->key->set;
    bool resolved = node->key->kind == IMAP_SEARCH_SEQUENCE || set->saved_result;
    key->kind = IMAP_SEARCH_UID;
    key->set = (struct imap_sequence_set){.count = resolved ? node->uids.count : set->count};
    key->set.ranges =
        copy_ranges(arena, resolved ? (const void *)node->uids.ranges : (const void *)set->ranges,
                    key->set.count, resolved);
    return key->set.ranges ? 0 : ERROR_LIMIT;
}

static int copy_key(struct arena *arena, const struct search_node *node,
                    struct imap_search_key *key)
{
    *key = *node->key;
    key->field = arena_copy(arena, node->key->field);
    key->text = arena_copy(arena, node->key->text);
    key->children = arena_alloc_array(arena, node->child_count, sizeof(*key->children));
    int error = arena_failed(arena) ? ERROR_LIMIT : 0;
    if (!error && (key->kind == IMAP_SEARCH_SEQUENCE || key->kind == IMAP_SEARCH_UID))
        error = copy_set(arena, node, key);
    for (size_t i = 0; i < node->child_count && !error; i++)
        error = copy_key(arena, &node->children[i], &key->children[i]);
    return error;
}

int context_copy_program(struct search_context *context, const struct imap_search *search,
                         const struct search_node *root)
{
    struct arena *arena = &context->arena;
    int error = copy_key(arena, root, &context->key);
    if (!error)
        error = fetch_copy_items(arena, search->items, search->item_count, &context->items);
    context->item_count = search->item_count;
    if (error || !search->sort_count)
        return error;
    context->sort_count = search->sort_count;
    context->sort = arena_alloc_array(arena, search->sort_count, sizeof(*context->sort));
    if (!context->sort)
        return ERROR_LIMIT;
    memcpy(context->sort, search->sort, search->sort_count * sizeof(*context->sort));
    return 0;
}
