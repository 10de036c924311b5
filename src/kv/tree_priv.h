/*
 * An ordered map whose versions live side by side: changing a tree makes a new root that shares
 * what did not change with the old one. A snapshot is a root that somebody holds.
 *
 * A treap: a binary search tree by key, a heap by a hash of the key, so that its shape depends on
 * its keys alone and is balanced on average. Nodes and records never change once made; they are
 * counted, and the counts are atomic, so that threads may read and drop versions freely.
 */
#ifndef KV_TREE_PRIV_H
#define KV_TREE_PRIV_H

#include "base/slice.h"

struct tree_node; /* NULL is the empty tree */

struct tree_node *tree_hold(struct tree_node *root);
void tree_drop(struct tree_node *root);

/* What is at a key. The tag is its owner's, to tell kinds of entries apart. */
struct tree_entry {
    struct slice key, value;
    unsigned char tag;
};

/* Whether something has the key, and what: valid while the root is held. */
bool tree_find(const struct tree_node *root, struct slice key, struct tree_entry *entry);

/* The least key that is greater than key, or with `or_equal` not less. */
bool tree_next(const struct tree_node *root, struct slice key, bool or_equal,
               struct tree_entry *entry);

/* The greatest key that is not greater than key. */
bool tree_last(const struct tree_node *root, struct slice key, struct tree_entry *entry);

/* Replace *root by a tree with the key set, or without the key. ERROR_MEMORY: *root is as it
 * was. *root's own hold moves to the new tree. */
int tree_put(struct tree_node **root, struct slice key, struct slice value, unsigned char tag);
int tree_delete(struct tree_node **root, struct slice key, bool *deleted);

#endif
