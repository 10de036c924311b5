#include "tls/transport.h"

#include "base/error.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

const char *tls_reason(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_error());
    return reason ? reason : "connection lost";
}

/* --- the beginning --- */

static SSL *make_ssl(const struct transport *transport, SSL_CTX *context)
{
    SSL *ssl = SSL_new(context);
    if (ssl && SSL_set_fd(ssl, transport->socket) == 1)
        return ssl;
    SSL_free(ssl);
    return NULL;
}

int transport_start_tls(struct transport *transport, SSL_CTX *context)
{
    SSL *ssl = make_ssl(transport, context);
    if (!ssl)
        return ERROR_MEMORY;
    SSL_set_accept_state(ssl);
    transport->ssl = ssl;
    return 0;
}

static bool is_numeric(const char *name)
{
    struct in6_addr address;
    return inet_pton(AF_INET, name, &address) == 1 || inet_pton(AF_INET6, name, &address) == 1;
}

/* A numeric address is looked for among the certificate's addresses, and is not told to the server
 * (RFC 6066 section 3). */
static int set_name(SSL *ssl, const char *name)
{
    if (is_numeric(name))
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1 ? 0 : ERROR_MEMORY;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1 ? 0
                                                                                     : ERROR_MEMORY;
}

int transport_connect_tls(struct transport *transport, SSL_CTX *context, const char *name)
{
    SSL *ssl = make_ssl(transport, context);
    if (!ssl || set_name(ssl, name)) {
        SSL_free(ssl);
        return ERROR_MEMORY;
    }
    SSL_set_connect_state(ssl);
    transport->ssl = ssl;
    return 0;
}

/* --- going on --- */

/* What OpenSSL's result means; 0 for the peer's orderly end. */
static int ssl_error(SSL *ssl, int result, int *events)
{
    switch (SSL_get_error(ssl, result)) {
    case SSL_ERROR_WANT_READ:
        *events = UV_READABLE;
        return ERROR_BUSY;
    case SSL_ERROR_WANT_WRITE:
        *events = UV_WRITABLE;
        return ERROR_BUSY;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default:
        return ERROR_CLOSED;
    }
}

static int socket_error(int *events, int wanted)
{
    if (errno != EAGAIN && errno != EINTR)
        return ERROR_CLOSED;
    *events = wanted;
    return ERROR_BUSY;
}

int transport_handshake(struct transport *transport, int *events)
{
    ERR_clear_error();
    int result = SSL_do_handshake(transport->ssl);
    if (result == 1)
        return 0;
    return ssl_error(transport->ssl, result, events) == ERROR_BUSY ? ERROR_BUSY : ERROR_PROTOCOL;
}

ssize_t transport_read(struct transport *transport, void *bytes, size_t size, int *events)
{
    if (transport->ssl) {
        ERR_clear_error();
        int got = SSL_read(transport->ssl, bytes, (int)size);
        return got > 0 ? got : ssl_error(transport->ssl, got, events);
    }
    ssize_t got = recv(transport->socket, bytes, size, 0);
    return got >= 0 ? got : socket_error(events, UV_READABLE);
}

ssize_t transport_write(struct transport *transport, const void *bytes, size_t size, int *events)
{
    if (transport->ssl) {
        ERR_clear_error();
        int put = SSL_write(transport->ssl, bytes, (int)size);
        int error = put > 0 ? put : ssl_error(transport->ssl, put, events);
        return error ? error : ERROR_CLOSED;
    }
    ssize_t put = send(transport->socket, bytes, size, MSG_NOSIGNAL);
    return put >= 0 ? put : socket_error(events, UV_WRITABLE);
}

void transport_end(struct transport *transport)
{
    if (transport->ssl) {
        ERR_clear_error();
        if (SSL_is_init_finished(transport->ssl))
            (void)SSL_shutdown(transport->ssl);
    }
    (void)shutdown(transport->socket, SHUT_WR);
}

void transport_close(struct transport *transport)
{
    SSL_free(transport->ssl);
    transport->ssl = NULL;
    if (transport->socket >= 0)
        close(transport->socket);
    transport->socket = -1;
}

void transport_describe(const struct transport *transport, char facts[TLS_FACTS_MAXIMUM])
{
    facts[0] = '\0';
    if (transport->ssl)
        snprintf(facts, TLS_FACTS_MAXIMUM, "%s %s", SSL_get_version(transport->ssl),
                 SSL_get_cipher_name(transport->ssl));
}
