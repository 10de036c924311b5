/*
 * Annotations inside the store: records of families o (of the account and of collections), q (of
 * entries) and Q (which of these were changed last), and what becomes of those of an entry that
 * goes somewhere.
 *
 *     there ──copy──> there too        counted in the target, if the quota allows it
 *       ├──move──> there               counted in the target instead
 *       └──expunge──> retained         kept under the UID that the entry had, not counted
 *                        ├──restore──> there, under the new UID
 *                        └──purge──> gone
 *
 * What was changed last is forgotten when the entry goes, as nobody is told it any more.
 *
 * What is counted is in the records of the collection and of the account. A collection without
 * COLLECTION_HAS_ANNOTATIONS has neither q nor Q, and nothing is looked for.
 */
#ifndef STORE_ANNOTATION_PRIV_H
#define STORE_ANNOTATION_PRIV_H

#include "store/annotation.h"
#include "store/mailbox_priv.h"

/* What stands behind a key's numbers: whose it is (empty: shared), and its name. */
struct annotation_tail {
    struct slice owner;
    struct slice name;
};
int annotation_tail_read(struct slice rest, struct annotation_tail *tail);

static inline uint64_t annotation_size(struct slice name, struct slice value)
{
    return name.size + value.size;
}

/* The account whose private annotations a view sees; NULL: it has none. */
const struct account_id *annotations_private_of(const struct store_view *view,
                                                struct account_id *id);

/* Lists the shared ones and those of `who` (NULL: none), of a collection or of its entry (uid not
 * 0). */
int annotations_read(struct kv_transaction *transaction, collection_id collection, uint32_t uid,
                     const struct account_id *who, struct arena *arena, struct annotation **list,
                     size_t *count);

/* The list with names in lower case, in an arena of ANNOTATIONS_LOWER_MEMORY. ERROR_LIMIT. */
enum {
    ANNOTATIONS_LOWER_MEMORY =
        2 * ANNOTATIONS_MAXIMUM * (sizeof(struct annotation) + ANNOTATION_NAME_MAXIMUM + 64)
};
int annotations_lower(struct arena *arena, const struct annotation *list, size_t count,
                      struct annotation **lower);

/* All of the server, by name, in the arena, for whoever may see it. (server_annotation.c) */
int server_annotations_read(struct store *store, struct arena *arena, struct annotation **list,
                            size_t *count);

/* Checks names, sizes and count. */
int annotations_validate(const struct annotation *list, size_t count, bool of_message);

/* Sets one in a transaction, and counts it for the account. *difference: of the bytes; *changed:
 * set when the value was another one. */
int annotation_put(struct change *change, collection_id collection, uint32_t uid,
                   const struct account_id *who, const struct annotation *annotation,
                   int64_t *difference, bool *changed);

/* Whether who may set these of a message, and whether they can be set. */
int annotations_require(const struct change *change, collection_id mailbox,
                        const struct annotation *list, size_t count);

/* Sets them of an entry, and counts them. *changed: whether anything differs. That they have
 * changed is noted in annotations_change alone: of what is new nobody knew anything. */
int annotations_add(struct change *change, struct mailbox *mailbox, uint32_t uid,
                    const struct annotation *list, size_t count, bool *changed);

int annotations_change(struct change *change, struct mailbox *mailbox, uint32_t uid,
                       const struct annotation *list, size_t count, bool *changed);

/* --- annotation_changes.c: which were changed last --- */

enum { ANNOTATION_CHANGES_MAXIMUM = 2048 }; /* bytes noted of one entry and owner */

/* Notes that the annotation has been changed. owner NULL: it is shared. The oldest notes go when
 * there is no room. */
int annotations_note(struct change *change, collection_id collection, uint32_t uid,
                     const struct account_id *owner, struct slice name);

int annotations_forget_changes(struct change *change, collection_id collection, uint32_t uid);

/* --- entries that go somewhere --- */

/* All annotations of an entry, whoever's, as bytes that can be kept across transactions and
 * accounts: for each the size of its tail (2) and of its value (4), the tail, the value. */
int annotations_pack(struct kv_transaction *transaction, collection_id collection, uint32_t uid,
                     struct buffer *packed);

/* Which of them go along, and what they cost. */
struct annotation_rule {
    bool shared;
    bool everybodys; /* private ones; else those of `who`, unless NULL */
    const struct account_id *who;
    bool quota; /* they have not been counted for this account */
};

/* Puts packed ones to an entry of a mailbox, and counts them. ERROR_QUOTA. */
int annotations_unpack(struct change *change, struct mailbox *mailbox, uint32_t uid,
                       struct slice packed, const struct annotation_rule *rule);

/* Of an entry that has another UID from now on, there or in another mailbox; or a copy of it. */
enum annotation_transfer { ANNOTATIONS_COPY, ANNOTATIONS_MOVE, ANNOTATIONS_RESTORE };
int annotations_transfer(struct change *change, struct mailbox *from, uint32_t from_uid,
                         struct mailbox *to, uint32_t to_uid, enum annotation_transfer how,
                         const struct annotation_rule *rule);

/* An entry was expunged: its annotations count no more. */
int annotations_retain(struct change *change, struct mailbox *mailbox, uint32_t uid);

/* An entry that was retained is purged. */
int annotations_purge(struct change *change, collection_id collection, uint32_t uid);

#endif
