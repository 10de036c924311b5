/*
 * A stream to a client, with or without TLS, on a non-blocking socket.
 *
 * TLS: OpenSSL on the socket itself, no buffers of ours between; TLS 1.2 at least, no
 * renegotiation, stateless session tickets under a key of this process.
 *
 * OpenSSL's own memory for a stream is measured, see tls.c.
 */
#ifndef FRONT_LOGIN_TLS_PRIV_H
#define FRONT_LOGIN_TLS_PRIV_H

#include "base/buffer.h"

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <sys/types.h>

enum {
    TLS_RECORD_MAXIMUM = 16384, /* bytes a record carries (RFC 8446 section 5.1) */
    TLS_PIECE_MAXIMUM = 49152,  /* bytes of memory OpenSSL is given in one piece */
    TLS_EXPORTER_SIZE = 32,     /* bytes of tls-exporter (RFC 9266 section 2) */
    TLS_FACTS_MAXIMUM = 96,     /* "TLSv1.3 TLS_AES_256_GCM_SHA384" */
};

/* To be called before anything else of OpenSSL's. From the first tls_context_create on it is given
 * no more than TLS_PIECE_MAXIMUM in one piece: else a ClientHello of up to 128 KiB, which nobody
 * needs, makes it take more than that for a stranger. */
void tls_limit_memory(void);

/* Reads certificate chain and key (PEM) while files can be opened. ERROR_INVALID, with a line for
 * people in problem. */
int tls_context_create(const char *certificate, const char *key, SSL_CTX **context,
                       struct buffer *problem);

struct transport {
    int socket; /* owned; -1: none */
    SSL *ssl;   /* owned; NULL: no TLS */
};

/* Adds TLS; nothing is sent yet. ERROR_MEMORY. */
int transport_start_tls(struct transport *transport, SSL_CTX *context);

/* Goes on with the handshake. 0: done; ERROR_BUSY: call again when *events (UV_READABLE or
 * UV_WRITABLE) has come; ERROR_PROTOCOL: it failed. */
int transport_handshake(struct transport *transport, int *events);

/* Bytes read or written, as many as there are or fit. 0 (reading): the peer will send no more.
 * ERROR_BUSY with *events as above; ERROR_CLOSED. A write of TLS that was BUSY must be repeated
 * with the same bytes, more may follow them. size is not 0. */
ssize_t transport_read(struct transport *transport, void *bytes, size_t size, int *events);
ssize_t transport_write(struct transport *transport, const void *bytes, size_t size, int *events);

/* What the TLS connection is known by at both ends (RFC 5056), each of size 0 when it is not. */
struct transport_bindings {
    uint8_t exporter[TLS_EXPORTER_SIZE]; /* tls-exporter (RFC 9266): with TLS 1.3 */
    size_t exporter_size;
    uint8_t unique[EVP_MAX_MD_SIZE]; /* tls-unique (RFC 5929 section 3): with TLS 1.2 */
    size_t unique_size;
    uint8_t end_point[EVP_MAX_MD_SIZE]; /* tls-server-end-point (RFC 5929 section 4) */
    size_t end_point_size;
};
void transport_bind(const struct transport *transport, struct transport_bindings *bindings);

/* Says that nothing more will be sent (close_notify, and the socket's own end). */
void transport_end(struct transport *transport);

/* Closes without a word. */
void transport_close(struct transport *transport);

/* "TLSv1.3 TLS_AES_256_GCM_SHA384", or "" without TLS. */
void transport_describe(const struct transport *transport, char facts[TLS_FACTS_MAXIMUM]);

/* Why OpenSSL refused, for a log line; valid until its next call. */
const char *tls_reason(void);

#endif
