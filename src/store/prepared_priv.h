/*
 * Prepared messages inside the store.
 */
#ifndef STORE_PREPARED_PRIV_H
#define STORE_PREPARED_PRIV_H

#include "store/hash_priv.h"
#include "store/mailbox_priv.h"

struct prepared_message {
    struct slice message; /* the caller's */
    struct buffer summary;
    struct thread_ids ids;
    bool internationalized; /* a header is not ASCII (RFC 6858) */
};

/* The message with its prefix: bytes, summary, hash and ids. They point into the prepared message,
 * or into the two buffers when there is a prefix. */
int stored_message_make(const struct prepared_message *prepared, struct slice prefix,
                        struct stored_message *stored, struct buffer *bytes,
                        struct buffer *summary);

#endif
