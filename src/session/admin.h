/*
 * Administration over the admin socket: ADMIN_CALL of ipc/messages.def runs an operation of
 * admin/admin.h.
 *
 * chapard has checked who connects. A connection has one operation under way at a time (a second
 * one ends it); operations run in the pool, as the store blocks. For the loop's thread alone.
 */
#ifndef SESSION_ADMIN_H
#define SESSION_ADMIN_H

#include "session/worker.h"

enum {
    ADMIN_PROGRESS_SECONDS = 5,     /* the longest silence while an operation runs */
    ADMIN_CONNECTIONS_MAXIMUM = 16, /* at once */
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
