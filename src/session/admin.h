/*
 * Account administration over the admin socket: the requests ADMIN_ACCOUNT_* of ipc/messages.def.
 *
 * chapard has checked who connects. A connection has one request under way at a time (a second one
 * ends it); requests run in the pool, as the store blocks. For the loop's thread alone.
 */
#ifndef SESSION_ADMIN_H
#define SESSION_ADMIN_H

#include "session/worker.h"

enum {
    ADMIN_LIST_MEMORY = 256 * 1024 * 1024, /* bytes that listing the accounts may take */
    ADMIN_LIST_PIECE = 1000,               /* accounts sent before the loop does other work */
    ADMIN_CONNECTIONS_MAXIMUM = 16,        /* at once */
};

struct admin;

struct admin_options {
    uv_loop_t *loop;
    struct store *store;
    struct worker *worker; /* the streams of a deleted account are ended there */
    void (*ended)(void *arg);
    void *arg;
};

int admin_create(const struct admin_options *options, struct admin **admin);

/* Serves a connection, or closes it when there are too many; takes the socket over. */
void admin_accept(struct admin *admin, int socket);

/* Closes all connections; calls options.ended when no request is under way (perhaps at once). */
void admin_end(struct admin *admin);

/* After `ended`, when the loop has turned. */
void admin_free(struct admin **admin);

#endif
