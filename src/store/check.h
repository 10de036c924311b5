/*
 * Checks what an account's space, or the directory's, holds against the invariants of
 * docs/format.md, and mends it.
 *
 * What can be derived is computed anew and compared: counters, page headers, names, places of
 * messages, hashes, summaries. What cannot is lost, and is named: a page of entries, a message's
 * record together with its body, a body. The rest stays readable.
 * A message that is in no mailbox any more comes back in a mailbox of its own.
 */
#ifndef STORE_CHECK_H
#define STORE_CHECK_H

#include "store/store.h"

enum check_finding {
    CHECK_WRONG,    /* not as it must be; a repair can mend it, or could not */
    CHECK_REPAIRED, /* was wrong, and has been mended */
    CHECK_LOST,     /* cannot be brought back; a repair takes away what refers to it, if anything */
};

struct check_options {
    bool deep;   /* read every body, compare it with its SHA-256, and remake every summary */
    bool repair; /* mend what can be mended, in one transaction */
    /* Called for each thing found, with a sentence about it; and, unless NULL, from time to time
     * with how many messages of how many have been read (of a deep check). */
    void (*report)(enum check_finding finding, const char *text, void *arg);
    void (*progress)(uint64_t done, uint64_t total, void *arg);
    void *arg;
};

struct check_result {
    size_t wrong, repaired, lost; /* what was reported */
};

#define CHECK_RESCUE_MAILBOX "Recovered"

enum {
    CHECK_ENTRIES_MAXIMUM = 16 * 1024 * 1024, /* entries of one account: 16 bytes of memory each */
};

/* Checks one account: in one snapshot without repair, in one durable transaction with it, the
 * bodies of a deep check before that, in slices. Others go on meanwhile, but for writers during a
 * repair. A record that cannot be read is a finding, not an error. ERROR_DENIED unless WHO_SYSTEM,
 * ERROR_NOT_FOUND, ERROR_LIMIT: it has too many entries. */
int store_check_account(struct store *store, struct who who, struct account_id account,
                        const struct check_options *options, struct check_result *result);

/* Checks the directory (store/directory.h): names and what they stand for, members from both sides,
 * aliases that lead nowhere, domains; not what is in the accounts. options: `deep` and `progress`
 * mean nothing here. In one snapshot without repair, in one durable transaction with it; what was
 * found is reported when that has ended. ERROR_DENIED unless WHO_SYSTEM, ERROR_LIMIT. */
int store_check_directory(struct store *store, struct who who, const struct check_options *options,
                          struct check_result *result);

#endif
