/*
 * The sender: has what accounts have on its way out (store/outgoing.h) sent by chapar-send, which
 * speaks with the mail server, and notes what came of it. And it wakes the messages that sleep
 * (store/snooze.h), for which nobody else is needed.
 *
 *     due --> an account --claim--> a message under way --SEND_BEGIN ...--> chapar-send
 *                                                  <--SEND_RESULT ... SEND_DONE--
 *                                        settled: gone, to be tried again, or returned
 *
 * It learns of messages as they are put (sender_due), and every SENDER_LOOK_SECONDS from the
 * directory: of those that have become due, and of those that a process that has died, or another
 * node, has left. Without a chapar-send nothing is claimed. From there it knows as well when the
 * next message wakes, and looks at that second.
 *
 * What no chapar-send has tried to send, as it was ending or had gone, is given back as if it had
 * never been claimed: another one has it at once.
 *
 * What the mail server refuses (5yz), or has not taken within outgoing_give_up, is not sent. Of a
 * redirected message the account's owner gets a report with the message in it, so that it is not
 * lost; of all others there is a line in the log.
 *
 * While it drains it still looks at accounts that it is told of, and notes in the directory that
 * something is due: whoever looks next has it, another process or this server's next start. Without
 * that it would wait for as long as the directory's last note says.
 *
 * Its implementation is src/session/outgoing. For the loop's thread alone but for sender_due.
 * Work on the store is done by one thread of libuv's pool at a time.
 */
#ifndef SESSION_SENDER_H
#define SESSION_SENDER_H

#include "session/worker.h"

enum {
    SENDER_LOOK_SECONDS = 15,
    SENDER_CLAIM_SECONDS = 300,  /* after which a message is tried again whose sender has died */
    SENDER_RENEW_SECONDS = 100,  /* between two renewals of a claim */
    SENDER_RETRY_FIRST = 60,     /* seconds until the second attempt; each next one waits twice */
    SENDER_RETRY_MAXIMUM = 1800, /*  as long, up to this (RFC 5321 section 4.5.4.1) */
    SENDER_TURN = 4,             /* messages of one account before others have their turn */
    SENDER_ACCOUNTS = 256,       /* accounts known to have something; beyond, the directory knows */
};

struct sender;

struct sender_options {
    uv_loop_t *loop;
    const struct config *config;
    struct store *store;
    struct worker *worker; /* held while a message is under way */
    int spool_directory;
    /* As handover_on_lost's. */
    void (*lost)(enum ipc_channel_kind kind, uint32_t slot, int error, void *arg);
    void (*ended)(void *arg); /* see sender_end */
    void *arg;
};

int sender_create(const struct sender_options *options, struct sender **sender);

/* A channel to the chapar-send of this slot, in place of an earlier one. Takes the socket over,
 * also on failure. */
int sender_peer(struct sender *sender, uint32_t slot, int socket);

/* The account has put something on its way out, or to sleep. From any thread. */
void sender_due(struct sender *sender, enum due_kind kind, struct account_id account);

/* Claims nothing more, does not ask the directory any more, and lets the worker end when the last
 * message that is under way has its result, or after so many seconds (UINT32_MAX: whenever that
 * is). */
void sender_drain(struct sender *sender, uint32_t seconds);

/* Closes the channels; what is under way counts as not answered. Nobody calls sender_due any more.
 * Notes what is left to note, when the gate is open, and calls options.ended then, perhaps at once.
 * After the loop's next turn its handles are gone: free it. */
void sender_end(struct sender *sender);
void sender_free(struct sender **sender);

#endif
