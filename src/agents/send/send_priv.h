/*
 * chapar-send: what its files share.
 *
 *   server.c      the mail server as configured: addresses, TLS, name and password
 *   peers.c       the channels to every chapar-session: takes messages, answers
 *   pool.c        which message goes over which connection; draining
 *   connection.c  one connection to the mail server
 *
 * Everything runs in the loop's thread. A message is never held whole: it is read from its file as
 * the mail server takes it, by pread, which waits for the disk only where the page cache has lost
 * what was just written.
 */
#ifndef AGENTS_SEND_SEND_PRIV_H
#define AGENTS_SEND_SEND_PRIV_H

#include "ipc/service.h"
#include "proto/smtp/client.h"
#include "tls/transport.h"

#include <sys/queue.h>
#include <sys/socket.h>

enum {
    SEND_ADDRESSES_MAXIMUM = 16,     /* of the mail server's name */
    SEND_CONNECT_TIME = 30,          /* seconds for a connection, and for TLS's handshake */
    SEND_IDLE_TIME = 30,             /* seconds a connection is kept for the next message */
    SEND_FAREWELL_TIME = 5,          /* seconds for the answer to QUIT */
    SEND_PAUSE = 10,                 /* seconds without further connections after one failed */
    SEND_PLAIN_TIME = 3600,          /* seconds without TLS after it failed where it is optional */
    SEND_PIECE = 16 * 1024,          /* bytes of a message read at once */
    SEND_INPUT_MAXIMUM = 4096,       /* bytes read of the mail server at once, and left over */
    SEND_OUTPUT_MAXIMUM = 40 * 1024, /* a piece with every byte doubled, and a command */
    SEND_STEPS_AT_ONCE = 64,         /* reads, writes before other connections get a turn */
    SEND_PASSWORD_FILE_MAXIMUM = 4096, /* bytes */
};

/* --- server.c --- */

struct send_server {
    char host[256]; /* as configured: the certificate's name */
    struct sockaddr_storage addresses[SEND_ADDRESSES_MAXIMUM];
    size_t address_count;
    SSL_CTX *tls;            /* owned; NULL: never */
    bool tls_first;          /* TLS from the first byte */
    struct smtp_server smtp; /* how it is spoken to */
    struct buffer password;
};

/* Looks up the name, reads the password and the certificates to check against, while that is
 * possible. A name that is not found is no error: address_count is 0. ERROR_INVALID or what opening
 * a file gave, with a line for people in problem. */
int send_server_open(const struct config *config, struct send_server *server,
                     struct buffer *problem);
void send_server_release(struct send_server *server);

/* --- messages --- */

struct peer;
struct connection;

struct message {
    struct peer *peer;
    uint64_t id;
    int file;      /* owned */
    bool complete; /* SEND_END has come: it is with the pool */
    bool again;    /* it has been tried on a connection that was gone already */
    struct smtp_mail mail;
    struct slice recipients[SMTP_RECIPIENTS_MAXIMUM]; /* owned, as are mail.sender and mail.by */
    struct connection *connection;                    /* sends it; NULL: it waits */
    TAILQ_ENTRY(message) waiting;
    TAILQ_ENTRY(message) entry; /* of the peer's */
};
TAILQ_HEAD(message_list, message);

/* --- pool.c --- */

struct sender {
    uv_loop_t *loop;
    const struct config *config; /* not owned */
    struct send_server server;
    TAILQ_HEAD(peer_list, peer) peers;
    TAILQ_HEAD(connection_list, connection) connections;
    size_t connection_count, opening; /* opening: those that have not been ready yet */
    struct message_list waiting;
    size_t under_way;     /* messages that are complete and not answered */
    size_t address;       /* of the server's, which is tried first */
    uint64_t plain_until; /* uv_now's milliseconds */
    uv_timer_t pause_timer, drain_timer;
    bool draining;
    void (*drained)(void *arg);
    void *drained_arg;
    /* A peer's channel has closed with that error. Set by who made the sender; NULL: nobody asks.
     */
    void (*peer_lost)(enum ipc_channel_kind kind, uint32_t slot, int error, void *arg);
    void *peer_lost_arg;
};

/* config must outlive it; server is filled in by the caller, and released with it. */
void sender_init(struct sender *sender, uv_loop_t *loop, const struct config *config);

/* Closes everything at once. The memory may go when the loop has run the handles' callbacks. */
void sender_release(struct sender *sender);

/* Gives back what comes from now on, sends what it has; calls drained when that is done, or after
 * `seconds` (UINT32_MAX: no limit), with what is in a connection then deferred and the rest given
 * back. May be called again with less time. */
void sender_drain(struct sender *sender, uint32_t seconds, void (*drained)(void *arg), void *arg);

/* A complete message: it is sent, and then answered by message_finish. */
void pool_add(struct sender *sender, struct message *message);
/* For peers.c: one has come or gone, which may be what the drain waited for. */
void pool_look_for_end(struct sender *sender);
/* It is not to be sent any more: its peer has gone. */
void pool_withdraw(struct sender *sender, struct message *message);

/* For connections. The next message to send, now the connection's; NULL: none waits. */
struct message *pool_next(struct sender *sender, struct connection *connection);
/* Its results are in `results`; NULL: it has not been tried. */
void pool_finish(struct sender *sender, struct message *message, const struct smtp_result *results);
/* A connection took it too late to send any of it: the next one has it. */
void pool_put_back(struct sender *sender, struct message *message);
/* One that has been made is ready for the first time. */
void pool_connected(struct sender *sender);
/* One has ended, and is not in the sender's list any more. served: it had been ready. failure: why,
 * for the messages that wait for it. */
void pool_lost(struct sender *sender, bool served, const struct smtp_result *failure);

/* --- connection.c --- */

enum connection_state { CONNECTING, HANDSHAKE, TALKING, ENDING };

struct connection {
    struct sender *sender;
    struct transport transport;
    enum connection_state state;
    uv_poll_t poll;
    uv_timer_t timer;
    int handles;             /* not closed yet */
    size_t address, tried;   /* of the server's: which, and how many before */
    int connect_error;       /* an errno; 0: none */
    struct smtp_server smtp; /* the sender's, perhaps without TLS */
    struct smtp_client client;
    struct message *message; /* under way; NULL: none */
    uint64_t offset;         /* bytes of it that have been read */
    bool feeding;            /* the server wants more of it */
    bool ended;              /* it has all of it */
    bool heard;              /* it has said something since the message was begun */
    bool served;             /* it has been ready once */
    bool idle;               /* it is ready, and has nothing to do */
    bool quitting;
    size_t sent; /* messages before this one */
    struct buffer input, output;
    TAILQ_ENTRY(connection) entry;
};

/* Connects to the server's address that answered last, or to the others after it. plain: without
 * STARTTLS. ERROR_MEMORY; what fails later is told to the pool from the loop. */
int connection_create(struct sender *sender, bool plain);

/* One that is idle looks for a message again; when there is none and none will come, it ends. */
void connection_wake(struct connection *connection);

/* As if the network had failed, for that reason. */
void connection_lose(struct connection *connection, const char *why);

/* Ends it without a word to the pool. */
void connection_destroy(struct connection *connection);

/* --- peers.c --- */

/* A channel to a chapar-session. Takes the socket. */
void peers_add(struct sender *sender, enum ipc_channel_kind kind, uint32_t slot, int socket);
void peers_release(struct sender *sender);

/* Whoever hands over a message from now on fails, and knows it. A peer ends when what it had sent
 * before has been read. */
void peers_end_input(struct sender *sender);

/* Answers it, and frees it. results: of each recipient; NULL: it has not been tried. */
void message_finish(struct message *message, const struct smtp_result *results);

#endif
