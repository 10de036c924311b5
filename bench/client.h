/*
 * A client of IMAP, plain or over TLS, that waits for each answer. What is no answer that it can go
 * on with ends the program, as in load.h.
 *
 * Answers are read as lines. Literals are read as the lines they are: none has one that begins with
 * a tag. A line's bytes beyond CLIENT_LINE_MAXIMUM are left out.
 */
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

enum { CLIENT_LINE_MAXIMUM = 2048, CLIENT_COMMAND_MAXIMUM = 1024 };

struct client {
    int socket;
    SSL *tls; /* NULL: plain */
    unsigned commands;
    unsigned messages; /* in the selected mailbox, by the last EXISTS and what was expunged since */
    size_t begin, end; /* what of input is read and not taken */
    char input[CLIENT_LINE_MAXIMUM];
};

/* A context whose clients begin with no session and keep none, so that every handshake is a full
 * one. Certificates are not checked: the server is what is measured. */
SSL_CTX *client_tls(void);

/* Connects to the port of this machine, from the address `source` (of 127.0.0.0/8; NULL: any), and
 * reads the greeting. tls is NULL for a plain connection. */
void client_open(struct client *client, uint16_t port, SSL_CTX *tls, const char *source);
void client_close(struct client *client);

/* Sends a command of a tag of its own and reads its answer. The first one ends the program when the
 * answer is not OK, the second one when it is neither OK nor NO, and returns whether it is OK. */
__attribute__((format(printf, 2, 3))) void client_command(struct client *client, const char *format,
                                                          ...);
__attribute__((format(printf, 2, 3))) bool client_try(struct client *client, const char *format,
                                                      ...);

/* A message behind a command, which names the mailbox: as a literal that need not be waited for
 * (LITERAL+ or LITERAL-). Returns as client_try. */
bool client_append(struct client *client, const char *mailbox, const char *message, size_t size);

/* For what is not a command with one answer: IDLE. */
void client_send(struct client *client, const char *bytes, size_t size);

/* The next line without its CRLF, until the next call. NULL: there is none yet, on a socket that
 * does not block. */
const char *client_line(struct client *client);

#endif
