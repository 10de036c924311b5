/*
 * Rights inside the store: what a view's who may do, as one transaction sees it.
 *
 * The account's lists are records of family l, one for each collection that has one; they stay as
 * long as the collection is retained. The directory has a key s for each (subject, owner) where the
 * subject is in some list of the owner's account. It is put before the list is written, and taken
 * away after the last one that names the subject: there may be one too many, never one too few.
 * Both happen under the lock of the directory's space.
 *
 * Groups change without the account's knowledge, so a view asks for those of its who with every
 * transaction (view.c).
 */
#ifndef STORE_ACL_PRIV_H
#define STORE_ACL_PRIV_H

#include "store/acl.h"
#include "store/collection_priv.h"
#include "store/directory_priv.h"

/* Whether who has every right: the owner, and the system. Then nothing is read. */
bool view_is_owner(const struct store_view *view);

/* Whether who is an administrator. */
bool who_is_administrator(struct who who);

/* Reads the groups of the view's who, unless they do not matter. */
int view_load_groups(struct store_view *view);

/* --- every collection at once, for lists --- */

struct collection_rights {
    collection_id id;
    uint32_t rights;
};
struct rights_table {
    bool all;            /* every right to everything */
    uint32_t always;     /* what it may do with everything, whatever lists say */
    struct buffer named; /* struct collection_rights: of those whose list gives any, by id, deleted
                            ones too */
};
int rights_table_load(const struct store_view *view, struct kv_transaction *transaction,
                      struct rights_table *table);
uint32_t rights_table_at(const struct rights_table *table, collection_id collection);
void rights_table_release(struct rights_table *table);

/* --- lists --- */

/* A collection that is made below another begins with its list. */
int acl_inherit(struct change *change, collection_id parent, collection_id made);

/* Appends every struct acl_subject that is in some list, each once. ERROR_LIMIT from the buffer. */
enum { ACL_SUBJECTS_MAXIMUM = 100000 };
int acl_subjects(struct kv_transaction *transaction, struct buffer *subjects);
bool acl_subjects_have(const struct buffer *subjects, struct acl_subject subject);

/* --- the directory's side (shared.c) --- */

/* The owner shares something with the subject, or nothing any more. No transaction when it is so
 * already. lock: guards it; NULL: of a repair, which can only add. */
int shared_put(struct store *store, struct kv_lock *lock, struct acl_subject subject,
               struct account_id owner);
int shared_delete(struct store *store, struct kv_lock *lock, struct acl_subject subject,
                  struct account_id owner);

/* Whether a list names the subject, as the caller knows, and the directory does not say so. Of one
 * that is gone it need not. */
int shared_is_missing(struct store *store, struct acl_subject subject, struct account_id owner,
                      bool *missing);

/* Of an account or a group that goes: nobody shares with it any more. In a transaction of the
 * directory. */
int shared_remove_subject(struct kv_transaction *transaction, struct directory_name gone);

/* Of an account that goes: it shares with none of these subjects (acl_subjects) any more. */
int shared_remove_owner(struct kv_transaction *transaction, const struct buffer *subjects,
                        struct account_id owner);

#endif
