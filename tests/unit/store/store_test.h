/*
 * What the store's tests share: a store over either engine, and shorthands.
 */
#ifndef TESTS_UNIT_STORE_STORE_TEST_H
#define TESTS_UNIT_STORE_STORE_TEST_H

#include "base/error.h"
#include "blob/blob.h"
#include "kv/kv.h"
#include "store/directory.h"
#include "store/message.h"
#include "tests/unit/check.h"

enum { CLOCK_START = 50 * 24 * 60 * 60 };

struct fixture {
    char directory[64]; /* empty: the engines in memory */
    struct kv_engine *kv;
    int memory;
    struct notice_ring *notices; /* which nobody reads: what is told of commits is tried so */
    struct blob_engine *blob;
    struct store *store;
    struct account_id alice;
    struct store_view *view; /* alice's, of her account */
    struct arena arena;
    int64_t now; /* the store's clock, from CLOCK_START on; what is expunged is kept 30 days, the
                    change log 90, deliveries 7 */
};

/* For cmocka_unit_test_setup_teardown. */
int set_up_memory(void **state);
int set_up_sqlite(void **state);
int tear_down(void **state);

/* Closes everything and opens it again (in memory: the store alone). */
void reopen(struct fixture *f);

/* One test on both engines. */
#define ON_BOTH(test)                                                                              \
    {#test " (memory)", test, set_up_memory, tear_down, NULL},                                     \
    {                                                                                              \
#test " (sqlite)", test, set_up_sqlite, tear_down, NULL                                    \
    }

collection_id find_mailbox(struct fixture *f, const char *path);
collection_id make_mailbox(struct fixture *f, const char *path);

/* Appends a small message; returns its UID. */
uint32_t append_text(struct fixture *f, collection_id mailbox, const char *text, uint32_t flags);
void append_many(struct fixture *f, collection_id mailbox, unsigned count);

struct collection read_mailbox(struct fixture *f, collection_id mailbox);

/* The UIDs as "1:3,7". */
const char *uids_text(struct fixture *f, collection_id mailbox);
const char *set_text(struct fixture *f, const struct range_set *set);
struct range_set set_of(uint32_t first, uint32_t last);

/* Every invariant of the account and of the directory holds. */
void check_account(struct fixture *f);

#endif
