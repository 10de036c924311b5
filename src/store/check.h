/*
 * Checks what an account's space holds against the invariants of docs/format.md.
 */
#ifndef STORE_CHECK_H
#define STORE_CHECK_H

#include "store/store.h"

/* Reads everything but the bodies in one snapshot and calls report with a sentence for each thing
 * that is not as it must be: counters, page headers, references, names, orphans. Changes nothing.
 * *problems is how many there were. Takes memory for each message: 16 bytes.
 * ERROR_DENIED unless WHO_SYSTEM, ERROR_NOT_FOUND. A record that cannot be read is a problem, not
 * an error. */
int store_check_account(struct store *store, struct who who, struct account_id account,
                        void (*report)(const char *problem, void *arg), void *arg,
                        size_t *problems);

#endif
