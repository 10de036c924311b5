/*
 * Threads inside the store: records of families i and t.
 *
 *     i HASH64            the thread that this id belongs to
 *     t THREAD MESSAGE    a message of the thread, and the ids that came into it with this message
 *
 * What is called an id here is the hash of a message id and a subject together, so that one look-up
 * decides. An id belongs to one thread, and stands in one of its records t: when the message goes,
 * another one of the thread takes over its ids, and with the last message they go.
 *
 * A thread's number is that of the message that began it, which may have gone since.
 */
#ifndef STORE_THREAD_PRIV_H
#define STORE_THREAD_PRIV_H

#include "store/mailbox_priv.h"
#include "store/thread.h"

enum {
    /* Of one message THREAD_IDS are looked at: its own id, those of In-Reply-To up to this, the
     * first of References (where the conversation began) and the last ones (what it answers). */
    THREAD_IN_REPLY_TO = 4,
    /* Ids in one record t; what would be more when it takes over is forgotten. */
    THREAD_OWNED_MAXIMUM = 4096,
    /* What one delivery moves from threads into another one at the most (thread_merge.c), so that
     * none takes long. What is more stays apart. */
    MERGE_MESSAGES = 100,
    MERGE_ENTRIES = 400,
    MERGE_BYTES = 8 * 1024 * 1024, /* of bodies in the account's own key space, to be copied */
    MERGE_PAGES = 1000,            /* read */
};

/* The ids of a summary, each once. ERROR_LIMIT, ERROR_MEMORY. */
int thread_ids_of(const struct summary *summary, struct thread_ids *ids);

/* The thread that a message with these ids is to be put into; 0: one of its own. Merges threads,
 * which changes mailboxes: none may be open. */
int thread_join(struct change *change, const struct thread_ids *ids, uint64_t *thread);

/* The thread that has one of the ids, the first of them that is known; 0: none. */
int thread_find(struct change *change, const struct thread_ids *ids, uint64_t *thread);

/* A message is there from now on, with its record; or has gone. */
int thread_add(struct change *change, uint64_t thread, uint64_t message, int64_t received,
               const struct thread_ids *ids);
int thread_remove(struct change *change, uint64_t thread, uint64_t message);

/* Walks a thread's messages by number: those behind *message, which becomes the next one. Copies
 * the record into value, unless that is NULL. Nothing is open in between. ERROR_NOT_FOUND. */
int thread_next(struct kv_transaction *transaction, uint64_t thread, uint64_t *message,
                struct buffer *value, struct thread_member *member);

/* Puts the messages of one thread into another, with new numbers and UIDs, and takes what that
 * costs off the budget. Does nothing where the budget does not do, or something is retained. */
struct merge_budget {
    size_t messages, entries;
    uint64_t bytes;
    size_t pages;
};
int thread_merge(struct change *change, uint64_t from, uint64_t to, struct merge_budget *budget);

#endif
