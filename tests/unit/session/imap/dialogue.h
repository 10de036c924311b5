/*
 * Dialogues with the IMAP engine, without a server: a store in memory, and any number of clients
 * whose streams are run by hand, as the worker would run them.
 *
 *     struct dialogue dialogue;
 *     dialogue_open(&dialogue);
 *     struct client *a = dialogue_client(&dialogue);
 *     check(a, "a1 NOOP\r\n", "a1 OK NOOP completed\r\n");
 *     dialogue_close(&dialogue);
 *
 * A UIDVALIDITY, a MAILBOXID and a HIGHESTMODSEQ code differ each time; in what check() compares
 * they are the letter V.
 */
#ifndef TESTS_UNIT_SESSION_IMAP_DIALOGUE_H
#define TESTS_UNIT_SESSION_IMAP_DIALOGUE_H

#include "session/stream.h"
#include "store/message.h"

enum { DIALOGUE_CLIENTS = 4 };

struct client {
    struct stream stream;
    struct buffer unread;   /* sent, not yet taken by the session */
    struct buffer received; /* since the last send; UIDVALIDITY replaced */
    enum stream_need need;
    size_t runs;   /* of the last send */
    uint64_t time; /* microseconds in them */
    size_t widest; /* most output of one run, or of what a run has sent */
    bool takes;    /* a run may send: what it sends is taken at once */
    size_t sent;   /* how often runs did, since the last send */
    bool open;
};

struct dialogue {
    struct kv_engine *kv;
    int memory;
    struct notice_ring *notices; /* which nobody reads: what is told of commits is tried so */
    struct blob_engine *blob;
    struct store *store;
    struct account_id account;
    struct config config;
    int spool;
    struct client clients[DIALOGUE_CLIENTS];
};

/* Feed every byte alone: for the whole program, when it has an argument. */
extern bool dialogue_bytewise;

/* With the account alice@example.test. */
void dialogue_open(struct dialogue *dialogue);
void dialogue_close(struct dialogue *dialogue);

/* A client that has just logged in with the tag "L"; its greeting is read. */
struct client *dialogue_client(struct dialogue *dialogue);
/* The same, nothing run yet. */
struct client *dialogue_stream(struct dialogue *dialogue, const char *tag);
void client_close(struct client *client);

/* Runs until the session waits; gives what it said. The string lives until the next call. */
const char *client_send(struct client *client, const char *text);
const char *client_send_bytes(struct client *client, struct slice bytes);

/* One run only, with input or without: a long command in the middle. */
const char *client_run_once(struct client *client, const char *text);

/* Woken without input: an IDLE's notice. */
const char *client_notice(struct client *client);

/* Sends, and compares what comes with what is expected. */
#define check(client, text, expected) check_at((client), (text), (expected), __FILE__, __LINE__)
void check_at(struct client *client, const char *text, const char *expected, const char *file,
              int line);

/* Sends, and wants this somewhere in what comes. */
#define check_has(client, text, expected)                                                          \
    check_has_at((client), (text), (expected), __FILE__, __LINE__)
void check_has_at(struct client *client, const char *text, const char *expected, const char *file,
                  int line);

/* A number below `sides`, by chance; the same ones again from the same state, which is not 0. */
extern uint64_t dice_state;
unsigned dice(unsigned sides);

/* Appends a message to the mailbox through a client of its own. Flags: "(\\Seen)" or "". */
void dialogue_append(struct dialogue *dialogue, const char *mailbox, const char *flags,
                     const char *message);

#endif
