/*
 * TLS as strangers meet it: TLS 1.2 at least, no renegotiation, stateless session tickets under a
 * key of this process. The streams themselves are tls/transport.h's.
 *
 * OpenSSL's own memory for a stream is measured, see tls.c.
 */
#ifndef FRONT_LOGIN_TLS_PRIV_H
#define FRONT_LOGIN_TLS_PRIV_H

#include "tls/transport.h"

#include <openssl/evp.h>

enum {
    TLS_RECORD_MAXIMUM = 16384, /* bytes a record carries (RFC 8446 section 5.1) */
    TLS_PIECE_MAXIMUM = 49152,  /* bytes of memory OpenSSL is given in one piece */
    TLS_EXPORTER_SIZE = 32,     /* bytes of tls-exporter (RFC 9266 section 2) */
};

/* To be called before anything else of OpenSSL's. From the first tls_context_create on it is given
 * no more than TLS_PIECE_MAXIMUM in one piece: else a ClientHello of up to 128 KiB, which nobody
 * needs, makes it take more than that for a stranger. */
void tls_limit_memory(void);

/* Reads certificate chain and key (PEM) while files can be opened. ERROR_INVALID, with a line for
 * people in problem. */
int tls_context_create(const char *certificate, const char *key, SSL_CTX **context,
                       struct buffer *problem);

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

#endif
