/*
 * The record of all scripts of an account (key j), as it is changed.
 */
#ifndef STORE_SCRIPT_PRIV_H
#define STORE_SCRIPT_PRIV_H

#include "store/script.h"
#include "store/store_priv.h"

/* Reads the record, or what is the same as none. Names point into value, which is cleared first. */
int scripts_load(struct kv_transaction *transaction, struct buffer *value,
                 struct scripts_record *scripts);

/* Their texts' bytes. */
uint64_t scripts_size(const struct scripts_record *scripts);

#endif
