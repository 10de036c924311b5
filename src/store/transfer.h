/*
 * Messages that go from one account to another: by copy, or by moving them.
 *
 * Two accounts are two transactions. A move is written down in the directory before it begins, so
 * that a crash anywhere is made good by the next one who looks (store_recover): a message is in one
 * of the two accounts afterwards, and never in none.
 *
 *     bodies, as blobs of the target ──> intent ──> entries in the target, and that they are there
 *         ──> source: the entries go ──> target, directory: the notes of it go
 *
 * Moves, and changes of access control lists, happen one after the other, under the lock of the
 * directory's space: whoever takes that finishes first what another has left.
 */
#ifndef STORE_TRANSFER_H
#define STORE_TRANSFER_H

#include "store/message.h"

enum {
    TRANSFER_MESSAGES_MAXIMUM = 10000,
    TRANSFER_MEMORY_MAXIMUM = 64 * 1024 * 1024, /* summaries and annotations */
};
#define TRANSFER_BYTES_MAXIMUM ((uint64_t)1024 * 1024 * 1024)

/* Copies the UIDs that exist to a mailbox of another account, or moves them, all or none. The two
 * views are of the same who. Flags, keywords, dates and annotations go along as who sees them, as
 * far as who may set them there (RFC 4314 section 4). Needs RIGHT_READ, to move
 * RIGHT_DELETE_MESSAGES and RIGHT_EXPUNGE, and RIGHT_INSERT in the target. Views of one account:
 * mailbox_copy. Durable. The caller inits and releases the sets of the result.
 *
 * ERROR_NOT_FOUND: no such mailbox, or target (TRYCREATE: the caller looks it up first);
 * ERROR_DENIED, ERROR_QUOTA (of the target), ERROR_LIMIT: more than the limits above;
 * ERROR_INVALID: views of different who; ERROR_BUSY: another move took too long. After an error of
 * the source's part of a move the messages are in the target, and leave the source later. */
int mailbox_transfer(struct store_view *view, collection_id mailbox, const struct range_set *uids,
                     struct store_view *target_view, collection_id target, bool move,
                     struct copy_result *result);

/* Finishes moves that were interrupted, and returns how many. A background job calls it when it
 * starts and from time to time; with none it reads one range of the directory. It acts for the
 * system. ERROR_BUSY: a move is under way. */
int store_recover(struct store *store, size_t *finished);

#endif
