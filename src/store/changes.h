/*
 * The change log of an account: which collections and emails were created, updated and destroyed
 * since some modseq. JMAP's /changes (RFC 8620 section 5.2), the search index, push and replication
 * read it; IMAP's CONDSTORE and QRESYNC read the part of one mailbox (store/message.h).
 *
 * Nothing is logged apart: entries and collections carry the modseq of their last change, what was
 * expunged or deleted is retained or has left a tombstone. So what is told is what has become of
 * each thing, not its history, at the modseq of its last change; and in the order of the modseqs.
 *
 * A reader goes on from where it was, in slices of any size, though one change may have touched
 * 50,000 emails:
 *
 *     struct changes_cursor cursor = changes_since(modseq);
 *     do
 *         error = store_changes(view, &cursor, types, limit, &arena, &list, &count, &more);
 *     while (!error && more);                  // then cursor.since is the modseq of the end
 *
 * It may keep the cursor (five numbers) and go on another day; what has changed meanwhile is told
 * as it is then. What the reader may rely on:
 *
 * - After the last slice it knows of everything that is there, and of nothing else.
 * - UPDATED is only said of what the reader knows. CREATED may be said again of what it knows, and
 *   DESTROYED of what it has never known: of what came and went since, or came back.
 */
#ifndef STORE_CHANGES_H
#define STORE_CHANGES_H

#include "store/collection.h"

enum change_kind { CHANGE_COLLECTION = 1, CHANGE_EMAIL, CHANGE_THREAD };
enum change_action { CHANGE_CREATED, CHANGE_UPDATED, CHANGE_DESTROYED };

/* What is asked for: collections of a type, emails (messages in mailboxes), threads. A thread is
 * UPDATED when an email of it was created or destroyed, and DESTROYED when who may read none of its
 * emails any more; what becomes of flags is not told of it. */
#define CHANGES_COLLECTIONS(type) (1U << (type))
#define CHANGES_EMAILS            (1U << 16)
#define CHANGES_THREADS           (1U << 17)

struct changed {
    enum change_kind kind;
    enum change_action action;
    uint64_t number; /* the collection's id, the message's number, the thread's */
    uint64_t modseq;
    uint64_t thread;           /* of an email, or the thread itself; 0: of a collection */
    enum collection_type type; /* of a collection */
    bool counts_only;          /* a collection UPDATED: only what is in it has changed */
};

/* Where a reader is: it knows what was there at `since`, and of the changes after it those up to
 * (modseq, kind, number). `rights` stands for what a reader who is not the owner might do then: 0
 * for the owner. */
struct changes_cursor {
    uint64_t since;
    uint64_t modseq;
    uint32_t kind;
    uint64_t number;
    uint64_t rights;
};
/* The owner's. */
static inline struct changes_cursor changes_since(uint64_t modseq)
{
    return (struct changes_cursor){modseq, modseq, UINT32_MAX, UINT64_MAX, 0};
}

enum { CHANGES_MAXIMUM = 65536 }; /* in one slice */

/* The next changes behind the cursor, at most limit (1..CHANGES_MAXIMUM), in the arena; the cursor
 * moves behind them. more: there are others. Memory is bounded by the limit, and only pages with
 * changes are read. Only what who may look up (collections) and read (emails) is told.
 *
 * ERROR_CANNOT_CALCULATE: the log does not reach back so far, the account was brought back from
 * a time before the cursor, or who may see more or less than at its time; the reader must read
 * everything anew. ERROR_INVALID, ERROR_LIMIT from
 * the arena, ERROR_DENIED without any right to the account. */
int store_changes(struct store_view *view, struct changes_cursor *cursor, uint32_t types,
                  size_t limit, struct arena *arena, struct changed **list, size_t *count,
                  bool *more);

/* Where a reader begins who reads everything. ERROR_DENIED without any right to the account. */
int store_changes_now(struct store_view *view, struct changes_cursor *cursor);

/* The account's modseq, likewise. */
int store_modseq(struct store_view *view, uint64_t *modseq);

#endif
