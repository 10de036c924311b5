/*
 * Mail on its way out inside the store.
 *
 *   record_outgoing.c   the record of a message (key O)
 *   outgoing.c          putting, claiming, settling
 *   check_outgoing.c    the check
 *
 * Bytes of at most MESSAGE_INLINE_MAXIMUM are in key B, in the delivery's transaction; more are a
 * blob. A number is one of the account's message numbers, since these are never given twice. What
 * happens to a message on its way out is seen by nobody who follows the account's changes, so
 * modseqs stay but for the delivery's own.
 */
#ifndef STORE_OUTGOING_PRIV_H
#define STORE_OUTGOING_PRIV_H

#include "store/deliver.h"
#include "store/directory_priv.h"
#include "store/mailbox_priv.h"
#include "store/outgoing.h"

/* Key O. Slices point into the value. */
struct outgoing_record {
    struct outgoing_message message; /* all but the number, and the recipients, which are: */
    struct outgoing_recipient recipients[OUTGOING_RECIPIENTS_MAXIMUM];
    bool in_blob;
    struct blob_id blob;
};
int outgoing_record_read(struct slice value, struct outgoing_record *record);
void outgoing_record_write(const struct outgoing_record *record, struct buffer *value);

/* A message that a delivery wants sent, ready to be stored. */
struct departing {
    const struct departure *departure;
    struct buffer bytes;
    struct blob_id blob; /* pack 0: it is inline */
    bool made;           /* in the transaction at hand */
};

/* Whether what is to be sent is within the limits of store/outgoing.h: 0 or ERROR_LIMIT. */
int outgoing_check(const struct outgoing_envelope *envelope);

/* Puts it, and sets `made`. Where too many wait: ERROR_BUSY for a redirect, which is worth refusing
 * the delivery for; all else is left out, as `made` says. */
int outgoing_put(struct change *change, struct departing *departing);

/* Calls fn for each message on its way out. Nothing may be written meanwhile. */
int outgoing_each(struct kv_transaction *transaction,
                  int (*fn)(uint64_t number, const struct outgoing_record *record, void *arg),
                  void *arg);

/* Its blob is there from now on. */
int outgoing_move_blob(struct change *change, uint64_t number, struct blob_id from,
                       struct blob_id to, bool *moved);

#endif
