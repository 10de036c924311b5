#include "base/error.h"
#include "kv/tree_priv.h"

#include <stdatomic.h>
#include <stdlib.h>

struct record {
    _Atomic size_t holders;
    size_t key_size;
    size_t value_size;
    unsigned char tag;
    char bytes[]; /* key, value */
};

struct tree_node {
    _Atomic size_t holders;
    uint64_t priority;
    struct record *record;
    struct tree_node *left;
    struct tree_node *right;
};

static struct slice record_key(const struct record *record)
{
    return slice_make(record->bytes, record->key_size);
}

static struct slice record_value(const struct record *record)
{
    return slice_make(record->bytes + record->key_size, record->value_size);
}

static struct record *record_new(struct slice key, struct slice value, unsigned char tag)
{
    struct record *record = malloc(sizeof(*record) + key.size + value.size);
    if (!record)
        return NULL;
    atomic_init(&record->holders, 1);
    record->key_size = key.size;
    record->value_size = value.size;
    record->tag = tag;
    memcpy(record->bytes, key.data, key.size);
    if (value.size)
        memcpy(record->bytes + key.size, value.data, value.size);
    return record;
}

static struct record *record_hold(struct record *record)
{
    atomic_fetch_add(&record->holders, 1);
    return record;
}

static void record_drop(struct record *record)
{
    if (atomic_fetch_sub(&record->holders, 1) == 1)
        free(record);
}

struct tree_node *tree_hold(struct tree_node *root)
{
    if (root)
        atomic_fetch_add(&root->holders, 1);
    return root;
}

void tree_drop(struct tree_node *root)
{
    while (root && atomic_fetch_sub(&root->holders, 1) == 1) {
        struct tree_node *right = root->right;
        tree_drop(root->left);
        record_drop(root->record);
        free(root);
        root = right;
    }
}

/* Takes over the holds of record, left and right, also when it fails. */
static struct tree_node *node_new(struct record *record, uint64_t priority, struct tree_node *left,
                                  struct tree_node *right)
{
    struct tree_node *node = malloc(sizeof(*node));
    if (!node) {
        record_drop(record);
        tree_drop(left);
        tree_drop(right);
        return NULL;
    }
    atomic_init(&node->holders, 1);
    node->priority = priority;
    node->record = record;
    node->left = left;
    node->right = right;
    return node;
}

static struct tree_node *node_with(const struct tree_node *node, struct tree_node *left,
                                   struct tree_node *right)
{
    return node_new(record_hold(node->record), node->priority, left, right);
}

/* FNV-1a with a last mixing, so that keys that differ at their end only get unlike priorities. */
static uint64_t priority_of(struct slice key)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < key.size; i++)
        hash = (hash ^ (unsigned char)key.data[i]) * 0x100000001b3u;
    hash ^= hash >> 32;
    hash *= 0x9e3779b97f4a7c15u;
    return hash ^ (hash >> 29);
}

static struct tree_entry entry_of(const struct record *record)
{
    return (struct tree_entry){record_key(record), record_value(record), record->tag};
}

bool tree_find(const struct tree_node *root, struct slice key, struct tree_entry *entry)
{
    while (root) {
        int order = slice_compare(key, record_key(root->record));
        if (order == 0) {
            *entry = entry_of(root->record);
            return true;
        }
        root = order < 0 ? root->left : root->right;
    }
    return false;
}

bool tree_next(const struct tree_node *root, struct slice key, bool or_equal,
               struct tree_entry *entry)
{
    const struct record *best = NULL;
    while (root) {
        int order = slice_compare(key, record_key(root->record));
        if (order < 0 || (order == 0 && or_equal)) {
            best = root->record;
            root = root->left;
        } else {
            root = root->right;
        }
    }
    if (best)
        *entry = entry_of(best);
    return best;
}

bool tree_last(const struct tree_node *root, struct slice key, struct tree_entry *entry)
{
    const struct record *best = NULL;
    while (root) {
        if (slice_compare(key, record_key(root->record)) >= 0) {
            best = root->record;
            root = root->right;
        } else {
            root = root->left;
        }
    }
    if (best)
        *entry = entry_of(best);
    return best;
}

/* Splits into what is less and what is greater than key; the key itself is left out. Makes new
 * nodes on the way down only. */
static int split(struct tree_node *node, struct slice key, struct tree_node **less,
                 struct tree_node **greater)
{
    *less = *greater = NULL;
    if (!node)
        return 0;
    int order = slice_compare(key, record_key(node->record));
    if (order == 0) {
        *less = tree_hold(node->left);
        *greater = tree_hold(node->right);
        return 0;
    }
    struct tree_node *low;
    struct tree_node *high;
    int error = split(order < 0 ? node->left : node->right, key, &low, &high);
    if (error)
        return error;
    if (order < 0) {
        *less = low;
        *greater = node_with(node, high, tree_hold(node->right));
        if (*greater)
            return 0;
        tree_drop(low);
    } else {
        *less = node_with(node, tree_hold(node->left), low);
        *greater = high;
        if (*less)
            return 0;
        tree_drop(high);
    }
    *less = *greater = NULL;
    return ERROR_MEMORY;
}

/* Joins two trees, all keys of the first less than those of the second. Takes over both holds. */
static int join(struct tree_node *less, struct tree_node *greater, struct tree_node **joined)
{
    if (!less || !greater) {
        *joined = less ? less : greater;
        return 0;
    }
    struct tree_node *middle;
    int error;
    if (less->priority > greater->priority) {
        error = join(tree_hold(less->right), greater, &middle);
        if (!error)
            *joined = node_with(less, tree_hold(less->left), middle);
        tree_drop(less);
    } else {
        error = join(less, tree_hold(greater->left), &middle);
        if (!error)
            *joined = node_with(greater, middle, tree_hold(greater->right));
        tree_drop(greater);
    }
    return error ? error : *joined ? 0 : ERROR_MEMORY;
}

/* A tree of node's keys and the record's. The record's hold stays with the caller. */
static int insert(struct tree_node *node, struct record *record, uint64_t priority,
                  struct tree_node **made)
{
    int order = node ? slice_compare(record_key(record), record_key(node->record)) : 0;
    if (!node || order == 0 || priority > node->priority) {
        struct tree_node *less;
        struct tree_node *greater;
        int error = split(node, record_key(record), &less, &greater);
        if (error)
            return error;
        *made = node_new(record_hold(record), priority, less, greater);
        return *made ? 0 : ERROR_MEMORY;
    }
    struct tree_node *child;
    int error = insert(order < 0 ? node->left : node->right, record, priority, &child);
    if (error)
        return error;
    *made = order < 0 ? node_with(node, child, tree_hold(node->right))
                      : node_with(node, tree_hold(node->left), child);
    return *made ? 0 : ERROR_MEMORY;
}

int tree_put(struct tree_node **root, struct slice key, struct slice value, unsigned char tag)
{
    struct record *record = record_new(key, value, tag);
    if (!record)
        return ERROR_MEMORY;
    struct tree_node *made;
    int error = insert(*root, record, priority_of(key), &made);
    record_drop(record);
    if (error)
        return error;
    tree_drop(*root);
    *root = made;
    return 0;
}

int tree_delete(struct tree_node **root, struct slice key, bool *deleted)
{
    struct tree_entry entry;
    *deleted = false;
    if (!tree_find(*root, key, &entry))
        return 0;
    struct tree_node *less;
    struct tree_node *greater;
    int error = split(*root, key, &less, &greater);
    struct tree_node *joined;
    if (!error)
        error = join(less, greater, &joined);
    if (error)
        return error;
    tree_drop(*root);
    *root = joined;
    *deleted = true;
    return 0;
}
