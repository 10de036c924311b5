/*
 * Storing a message inside the store.
 */
#ifndef STORE_APPEND_PRIV_H
#define STORE_APPEND_PRIV_H

#include "store/mailbox_priv.h"

struct append_call {
    collection_id mailbox;
    const struct append *append;          /* its message is not looked at: */
    const struct stored_message *message; /* what is stored */
    int64_t now;
    uint64_t thread;  /* 0: one of its own */
    uint32_t allowed; /* flags that may be set */
    bool own_seen;    /* \Seen is who's own */
    struct append_result result;
};

/* In a transaction: asks for the rights, and stores it with its entry. No mailbox may be open.
 * arg: struct append_call. */
int append_message(struct change *change, void *arg);

#endif
