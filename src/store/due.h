/*
 * Which accounts have something that is to be done at a time, each kind apart: the directory has a
 * note of each such account, so that who does it reads nothing of the others.
 *
 *     made: due_note_begin --> the account's own transaction
 *     done: due_notes --> each account --> due_note_next
 *     left to others: due_note_renew
 *
 * A note is there before the account's transaction and goes some time after there is nothing left:
 * there may be one too many, never one too few.
 *
 * Only WHO_SYSTEM: ERROR_DENIED.
 */
#ifndef STORE_DUE_H
#define STORE_DUE_H

#include "store/store.h"

enum {
    DUE_NOTE_MINUTE = 60, /* seconds in which an account is noted once */
    DUE_NOTE_KEPT = 600,  /* seconds that a note outlives what it was made for */
};

/* What the directory has noted of an account. */
struct due_note {
    struct account_id account;
    int64_t noted; /* when it was last said that there is something; seconds since 1970 */
    int64_t due;   /* when the account is to be looked at */
};

/* Notes of what is due by then, as many as there is room for. *next: when the first of the others
 * is due, but for those that there was no room for; INT64_MAX: there is none. */
int due_notes(struct store *store, struct who who, enum due_kind kind, int64_t due,
              struct due_note *notes, size_t room, size_t *count, int64_t *next);

/* The account's own; noted 0: there is none. */
int due_note_of(struct store *store, struct who who, enum due_kind kind, struct account_id account,
                struct due_note *note);

/* The account's next is due at `next`; 0: there is nothing. Does nothing when the note has been
 * renewed since. While what it was made for may not be committed, the account is looked at again
 * when that is over, at the latest. */
int due_note_next(struct store *store, struct who who, enum due_kind kind,
                  const struct due_note *note, int64_t next);

/* Something is due, and left to whoever looks next: noted anew, so that who has read the note
 * before, and has not seen it, does not put it off (due_note_next). */
int due_note_renew(struct store *store, struct who who, enum due_kind kind,
                   struct account_id account);

#endif
