/*
 * Collections inside the store: the tree, paths, and what other files of the store do with them.
 */
#ifndef STORE_COLLECTION_PRIV_H
#define STORE_COLLECTION_PRIV_H

#include "store/store_priv.h"

/* --- paths (path.c) --- */

struct path {
    struct slice levels[COLLECTION_DEPTH_MAXIMUM]; /* mailboxes: "INBOX" in its one spelling */
    size_t count;
};

/* Slices point into text. A '/' at the end is ignored. ERROR_SYNTAX. */
int path_parse(enum collection_type type, struct slice text, struct path *path);

/* --- the tree (tree.c) --- */

struct tree_node {
    collection_id id;
    struct collection_record record; /* its name is in the arena */
};

/* All collections of an account, sorted by parent, then INBOX, then by name. */
struct tree {
    struct tree_node *nodes;
    size_t count;
};

/* Reads all collection records in one go. ERROR_LIMIT from the arena. */
int tree_load(struct kv_transaction *transaction, struct arena *arena, struct tree *tree);

/* The children of a collection: nodes[first..end). */
void tree_children(const struct tree *tree, collection_id parent, size_t *first, size_t *end);

/* The bytes of the longest path below a collection and the depth of the deepest, both relative
 * to it: 0 and 0 when it has no children. */
void tree_extent(const struct tree *tree, collection_id id, size_t *depth, size_t *bytes);

/* --- collections (collection.c) --- */

/* Reads a record; its name points into value. ERROR_NOT_FOUND. */
int collection_read(struct kv_transaction *transaction, collection_id id, struct buffer *value,
                    struct collection_record *record);

/* What a record says, for a view's who with these rights. Strings as in the record; path,
 * subscribed and has_children are not set. */
void collection_from_record(const struct store_view *view, collection_id id,
                            const struct collection_record *record, uint32_t rights,
                            struct collection *collection);

/* The collection of that type and name below a parent. ERROR_NOT_FOUND. */
int collection_child(struct kv_transaction *transaction, enum collection_type type,
                     collection_id parent, struct slice name, collection_id *id);

/* The path of one with this record, in the arena. value: where the levels above are read; the
 * record must not point into it. */
int collection_path(struct kv_transaction *transaction, const struct collection_record *record,
                    struct buffer *value, struct arena *arena, struct slice *path);

int collection_has_children(struct kv_transaction *transaction, enum collection_type type,
                            collection_id id, bool *children);

/* The same, of those that the view's who may look up. */
int collection_shows_children(const struct store_view *view, struct kv_transaction *transaction,
                              enum collection_type type, collection_id id, bool *children);

/* Makes one below a parent that has none of that name. ERROR_LIMIT. */
int collection_add(struct change *change, enum collection_type type, collection_id parent,
                   struct slice name, enum collection_role role, collection_id *id);

/* What making one consists of (collection_change.c). */
int collection_put(struct change *change, collection_id id, const struct collection_record *record);
int collection_put_name(struct change *change, enum collection_type type, collection_id parent,
                        struct slice name, collection_id id);

/* Finds the levels but the last, and makes those that are missing. ERROR_EXISTS when the last one
 * is there, ERROR_DENIED. */
int collection_make_parents(struct change *change, enum collection_type type,
                            const struct path *path, collection_id *parent);

/* ERROR_CONFLICT when a collection has the role. */
int collection_check_role(struct kv_transaction *transaction, enum collection_role role);

/* The first change of a new account, for view_change: its record, INBOX and the template. arg:
 * int64_t, when the account was made. */
int collections_make_template(struct change *change, void *arg);

/* --- subscriptions (subscription.c) --- */

/* The set is cleared first. No record: empty. */
int subscriptions_load(struct kv_transaction *transaction, struct account_id who,
                       struct range_set *ids);
int subscriptions_set(struct change *change, struct account_id who, collection_id id,
                      bool subscribed);

#endif
