#include "base/error.h"
#include "store/collection_priv.h"

#include <stdlib.h>

static int compare_nodes(const void *a, const void *b)
{
    const struct collection_record *left = &((const struct tree_node *)a)->record;
    const struct collection_record *right = &((const struct tree_node *)b)->record;
    if (left->parent != right->parent)
        return left->parent < right->parent ? -1 : 1;
    if ((left->role == ROLE_INBOX) != (right->role == ROLE_INBOX))
        return left->role == ROLE_INBOX ? -1 : 1;
    return slice_compare(left->name, right->name);
}

static int read_node(struct slice key, struct slice value, struct arena *arena,
                     struct tree_node *node)
{
    uint64_t id;
    key = slice_sub(key, 1, SIZE_MAX);
    int error = key_read_number(&key, &id);
    if (!error)
        error = collection_record_read(value, &node->record);
    if (error)
        return error;
    node->id = (collection_id)id;
    node->record.name = arena_copy(arena, node->record.name);
    return arena_failed(arena) ? ERROR_LIMIT : 0;
}

/* Room for one more; doubled as it grows, the old array stays in the arena. */
static struct tree_node *next_node(struct tree *tree, size_t *capacity, struct arena *arena)
{
    if (tree->count == *capacity) {
        size_t more = *capacity ? 2 * *capacity : 32;
        struct tree_node *nodes = arena_alloc_array(arena, more, sizeof(*nodes));
        if (!nodes)
            return NULL;
        if (tree->count)
            memcpy(nodes, tree->nodes, tree->count * sizeof(*nodes));
        tree->nodes = nodes;
        *capacity = more;
    }
    return &tree->nodes[tree->count++];
}

int tree_load(struct kv_transaction *transaction, struct arena *arena, struct tree *loaded)
{
    struct tree tree = {0};
    struct kv_cursor *cursor;
    size_t capacity = 0;
    int error = kv_cursor_open(transaction, SLICE("c"), SLICE(""), &cursor);
    if (error)
        return error;
    struct slice key, value;
    while (!(error = kv_cursor_next(cursor, &key, &value))) {
        struct tree_node *node = next_node(&tree, &capacity, arena);
        error = node ? read_node(key, value, arena, node) : ERROR_LIMIT;
        if (error)
            break;
    }
    kv_cursor_close(&cursor);
    if (error != ERROR_NOT_FOUND)
        return error;
    if (tree.count)
        qsort(tree.nodes, tree.count, sizeof(*tree.nodes), compare_nodes);
    *loaded = tree;
    return 0;
}

/* The first node whose parent is not below `parent`. */
static size_t first_child(const struct tree *tree, uint64_t parent)
{
    size_t low = 0, high = tree->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (tree->nodes[middle].record.parent < parent)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void tree_children(const struct tree *tree, collection_id parent, size_t *first, size_t *end)
{
    *first = first_child(tree, parent);
    *end = first_child(tree, (uint64_t)parent + 1);
}

static void extent(const struct tree *tree, collection_id id, size_t level, size_t before,
                   size_t *depth, size_t *bytes)
{
    *depth = level > *depth ? level : *depth;
    *bytes = before > *bytes ? before : *bytes;
    if (level > COLLECTION_DEPTH_MAXIMUM)
        return;
    size_t first, end;
    tree_children(tree, id, &first, &end);
    for (size_t i = first; i < end; i++)
        extent(tree, tree->nodes[i].id, level + 1, before + 1 + tree->nodes[i].record.name.size,
               depth, bytes);
}

void tree_extent(const struct tree *tree, collection_id id, size_t *depth, size_t *bytes)
{
    *depth = *bytes = 0;
    extent(tree, id, 0, 0, depth, bytes);
}
