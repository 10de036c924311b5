/*
 * What OpenSSL 3.0 takes for itself, measured by tests/unit/front/test_tls.c on x86-64 with an
 * RSA-2048 certificate: 9 KiB for a stream whose handshake has not begun, 14 KiB for an idle one
 * after it. During a handshake and while a record is read or written, a record's buffer (up to
 * 17 KiB) comes on top in each direction; SSL_MODE_RELEASE_BUFFERS gives it back. No other piece is
 * larger than TLS_PIECE_MAXIMUM, whatever the client announces.
 */
#include "front/login/tls_priv.h"

#include "base/error.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509.h>
#include <stdint.h>
#include <stdlib.h>

/* --- OpenSSL's memory --- */

static size_t piece_maximum = SIZE_MAX;

static void *allocate(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return size <= piece_maximum ? malloc(size) : NULL;
}

static void *reallocate(void *piece, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return size <= piece_maximum ? realloc(piece, size) : NULL;
}

static void release(void *piece, const char *file, int line)
{
    (void)file;
    (void)line;
    free(piece);
}

void tls_limit_memory(void)
{
    (void)CRYPTO_set_mem_functions(allocate, reallocate, release);
}

/* --- the context --- */

static void set_options(SSL_CTX *context)
{
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
                                     SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    /* Resumption is by tickets alone: a cache would be memory that strangers fill. */
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context, 1);
}

int tls_context_create(const char *certificate, const char *key, SSL_CTX **context,
                       struct buffer *problem)
{
    ERR_clear_error();
    const char *file = "";
    SSL_CTX *made = SSL_CTX_new(TLS_server_method());
    if (made) {
        set_options(made);
        if (SSL_CTX_use_certificate_chain_file(made, certificate) != 1)
            file = certificate;
        else if (SSL_CTX_use_PrivateKey_file(made, key, SSL_FILETYPE_PEM) != 1 ||
                 SSL_CTX_check_private_key(made) != 1)
            file = key;
        else {
            *context = made;
            piece_maximum = TLS_PIECE_MAXIMUM;
            return 0;
        }
    }
    buffer_append_format(problem, "%s: %s", file, tls_reason());
    ERR_clear_error();
    SSL_CTX_free(made);
    return ERROR_INVALID;
}

/* --- channel binding --- */

/* RFC 9266 section 4.2: with TLS 1.3. */
static void bind_exporter(SSL *ssl, struct transport_bindings *bindings)
{
    static const char label[] = "EXPORTER-Channel-Binding";
    if (SSL_version(ssl) >= TLS1_3_VERSION &&
        SSL_export_keying_material(ssl, bindings->exporter, TLS_EXPORTER_SIZE, label,
                                   sizeof label - 1, NULL, 0, 0) == 1)
        bindings->exporter_size = TLS_EXPORTER_SIZE;
}

/* RFC 5929 section 3.1: the first Finished message, the client's but when a session was resumed.
 * With TLS 1.2, and only where the master secret is of this handshake alone (RFC 7627). */
static void bind_unique(SSL *ssl, struct transport_bindings *bindings)
{
    if (SSL_version(ssl) >= TLS1_3_VERSION || SSL_get_extms_support(ssl) != 1)
        return;
    size_t size = SSL_session_reused(ssl)
                      ? SSL_get_finished(ssl, bindings->unique, sizeof bindings->unique)
                      : SSL_get_peer_finished(ssl, bindings->unique, sizeof bindings->unique);
    if (size <= sizeof bindings->unique)
        bindings->unique_size = size;
}

/* RFC 5929 section 4.1: the certificate under the hash of its signature, but SHA-256 for a broken
 * one; under none when the signature has no single hash, as Ed25519. */
static void bind_end_point(SSL *ssl, struct transport_bindings *bindings)
{
    X509 *certificate = SSL_get_certificate(ssl);
    int hash = NID_undef;
    unsigned size = 0;
    if (!certificate || OBJ_find_sigid_algs(X509_get_signature_nid(certificate), &hash, NULL) != 1)
        return;
    if (hash == NID_md5 || hash == NID_sha1)
        hash = NID_sha256;
    const EVP_MD *function = EVP_get_digestbynid(hash);
    if (function && X509_digest(certificate, function, bindings->end_point, &size) == 1)
        bindings->end_point_size = size;
}

void transport_bind(const struct transport *transport, struct transport_bindings *bindings)
{
    *bindings = (struct transport_bindings){0};
    if (!transport->ssl)
        return;
    ERR_clear_error();
    bind_exporter(transport->ssl, bindings);
    bind_unique(transport->ssl, bindings);
    bind_end_point(transport->ssl, bindings);
}
