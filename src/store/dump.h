/*
 * An account's key space as text, for whoever has to understand one: each key with what its record
 * says, in the order of the keys. docs/format.md explains the families.
 */
#ifndef STORE_DUMP_H
#define STORE_DUMP_H

#include "store/store.h"

enum { DUMP_LINE_MAXIMUM = 4096 }; /* bytes; what is longer is cut, and ends in "..." */

/* Calls line for each key, and for each entry of a page below it. Bodies and summaries are shown by
 * their size alone: they are the mail itself. A record that cannot be read is shown as bytes, with
 * the reason. The walk sees one snapshot. line returns non-zero to end it; that is returned.
 * ERROR_DENIED unless WHO_SYSTEM, ERROR_NOT_FOUND. */
int store_dump_account(struct store *store, struct who who, struct account_id account,
                       int (*line)(const char *text, void *arg), void *arg);

#endif
