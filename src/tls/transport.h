/*
 * A stream on a non-blocking socket, with or without TLS: OpenSSL on the socket itself, no buffers
 * of ours between.
 *
 *     transport_start_tls or transport_connect_tls
 *     transport_handshake until it is done
 *     transport_read, transport_write
 *     transport_end, transport_close
 *
 * Without the first two it is the plain socket. Nothing blocks: what cannot go on says for which
 * event of the socket it waits. OpenSSL's queue of errors belongs to these functions.
 */
#ifndef TLS_TRANSPORT_H
#define TLS_TRANSPORT_H

#include "base/buffer.h"

#include <openssl/ssl.h>
#include <sys/types.h>

enum { TLS_FACTS_MAXIMUM = 96 /* "TLSv1.3 TLS_AES_256_GCM_SHA384" */ };

struct transport {
    int socket; /* owned; -1: none */
    SSL *ssl;   /* owned; NULL: no TLS */
};

/* Adds TLS, as its server; nothing is sent yet. ERROR_MEMORY. */
int transport_start_tls(struct transport *transport, SSL_CTX *context);

/* ... as its client: of the server with that name, or numeric address. Where the context has
 * SSL_VERIFY_PEER the handshake fails unless the certificate says so. */
int transport_connect_tls(struct transport *transport, SSL_CTX *context, const char *name);

/* Goes on with the handshake. 0: done; ERROR_BUSY: call again when *events (UV_READABLE or
 * UV_WRITABLE) has come; ERROR_PROTOCOL: it failed. */
int transport_handshake(struct transport *transport, int *events);

/* Bytes read or written, as many as there are or fit. 0 (reading): the peer will send no more.
 * ERROR_BUSY with *events as above; ERROR_CLOSED. A write of TLS that was BUSY must be repeated
 * with the same bytes, more may follow them. size is not 0. */
ssize_t transport_read(struct transport *transport, void *bytes, size_t size, int *events);
ssize_t transport_write(struct transport *transport, const void *bytes, size_t size, int *events);

/* Says that nothing more will be sent (close_notify, and the socket's own end). */
void transport_end(struct transport *transport);

/* Closes without a word. */
void transport_close(struct transport *transport);

/* "TLSv1.3 TLS_AES_256_GCM_SHA384", or "" without TLS. */
void transport_describe(const struct transport *transport, char facts[TLS_FACTS_MAXIMUM]);

/* Why OpenSSL refused, for a log line; valid until its next call. */
const char *tls_reason(void);

#endif
