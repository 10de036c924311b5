/*
 * What a store holds, as a number: two stores with equal digests show the same to everybody.
 */
#ifndef TESTS_UNIT_STORE_DIGEST_H
#define TESTS_UNIT_STORE_DIGEST_H

#include "store_test.h"

enum digest_modseqs {
    DIGEST_VALUES,
    DIGEST_ORDER, /* what changed after what: a purge that was interrupted takes one more modseq */
};

/* Alice's mailboxes: their names, counters and subscriptions, their entries, all modseqs, and every
 * byte of their messages; her Sieve scripts. Without UIDVALIDITY, dates and ids of messages, which
 * are not the same twice. */
uint64_t digest_account(struct fixture *f, enum digest_modseqs modseqs);

/* The addresses of accounts, groups and aliases, and how many members each has; the administrator's
 * Sieve scripts. */
uint64_t digest_directory(struct fixture *f);

#endif
