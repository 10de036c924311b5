/*
 * What the sender's tests share: a sender over a store in memory, of which the test plays
 * chapar-send and the worker that is held.
 */
#ifndef TESTS_UNIT_SESSION_SENDER_TEST_H
#define TESTS_UNIT_SESSION_SENDER_TEST_H

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "blob/blob.h"
#include "kv/kv.h"
#include "proto/smtp/client.h"
#include "session/outgoing/sender_priv.h"
#include "store/deliver.h"
#include "store/directory.h"
#include "store/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATIENCE_US = 20 * 1000 * 1000, SLOT = 5 };

extern int holds; /* of the worker */

/* A message as it was handed over. */
struct asked {
    uint64_t id;
    char text[600]; /* "eight utf8 notify ret [by] <sender> <recipient>...|the message" */
    size_t recipients;
    bool whole;
};

struct fixture {
    uv_loop_t loop;
    struct config config;
    char directory[64];
    int spool;
    struct kv_engine *kv;
    struct blob_engine *blob;
    struct store *store;
    struct account_id alice;
    struct sender *sender;
    struct ipc_channel *send; /* chapar-send's end; NULL: it has gone */
    struct asked asked[32];
    size_t asked_count;
    int lost; /* the error that the channel was lost with */
    bool ended;
    int64_t now;
};

/* For cmocka_unit_test_setup_teardown. */
int set_up(void **state);
int tear_down(void **state);

/* --- chapar-send --- */

void connect_to_slot(struct fixture *f, uint32_t slot);
void connect_send(struct fixture *f);

/* text: "250 2.0.0 Ok", or why there was no reply. */
void answer(struct fixture *f, const struct asked *asked, uint32_t recipient,
            enum smtp_outcome outcome, const char *text);
void done(struct fixture *f, const struct asked *asked);

/* --- the loop --- */

/* Runs the loop until there are so many messages under way that are whole. */
void run_until_asked(struct fixture *f, size_t count);

/* For so long, and so often that what is in the sockets has come through. */
void run_for(struct fixture *f, unsigned ms);

/* Nothing of the sender's is in the pool. */
void run_until_idle(struct fixture *f);

void run_until_lost(struct fixture *f);

/* Whatever is queued in the pool while it is blocked waits. */
void block_pool(struct fixture *f);
void unblock_pool(void);

/* --- what is in the store --- */

void depart_from(struct fixture *f, struct account_id account, struct outgoing_envelope envelope,
                 const char *text);
void depart(struct fixture *f, struct outgoing_envelope envelope, const char *text); /* alice's */

/* To bob@example.org, and of two recipients to eve@example.org. */
struct outgoing_envelope of_kind(enum outgoing_kind kind, size_t recipients);

/* "number of messages; attempts, seconds until the next one, of the first", "state reply" of each
 * recipient; of alice's. */
const char *waiting(struct fixture *f);
void wait_until(struct fixture *f, const char *wanted);

#endif
