/*
 * chapar-login: speaks to strangers.
 *
 * Started by chapard alone. It accepts connections, does TLS, speaks each protocol up to the login,
 * asks chapar-auth whether name and password go together, and hands the stream to chapar-session
 * with the ticket it was given. A plaintext stream is the client's own socket; a TLS stream is one
 * end of a pair, for which chapar-login encrypts and decrypts until it ends. It knows no mail and
 * no password of anybody, and once confined it can open neither file nor socket.
 *
 * Options of chapar.conf: hostname, the listeners but lmtp_listen and mta_listen, lmtp_trusted,
 * message_size, tls_certificate, tls_key, plaintext_login, login_connections,
 * login_client_connections, login_timeout, login_attempts, login_failure_delay, write_timeout.
 */
#include "front/login/engine_priv.h"
#include "front/login/login_priv.h"

#include "base/error.h"
#include "base/log.h"

struct program {
    struct login login;
    struct service *service;
};

static void on_peer(struct service *service, enum ipc_channel_kind kind, uint32_t slot, int socket)
{
    struct program *program = service_state(service);
    peers_add(&program->login, kind, slot, socket);
}

static void on_peer_lost(enum ipc_channel_kind kind, uint32_t slot, int error, void *arg)
{
    struct program *program = arg;
    service_peer_lost(program->service, kind, slot, error);
}

static void drained(void *arg)
{
    struct program *program = arg;
    service_stop(program->service);
}

static void on_drain(struct service *service, uint32_t seconds)
{
    struct program *program = service_state(service);
    login_drain(&program->login, seconds, drained, program);
}

/* NULL when none is configured: then there is no STARTTLS. */
static int read_certificate(const struct config *config, SSL_CTX **tls)
{
    *tls = NULL;
    if (!config->tls_certificate[0])
        return 0;
    struct buffer problem;
    buffer_init(&problem, 1024);
    int error = tls_context_create(config->tls_certificate, config->tls_key, tls, &problem);
    if (error)
        log_error("tls_certificate", LOG_SLICE("reason", buffer_slice(&problem)));
    buffer_release(&problem);
    return error;
}

static int listen_on_all(struct program *program)
{
    size_t count;
    struct service_listener *listeners = service_listeners(program->service, &count);
    for (size_t i = 0; i < count; i++) {
        if (!login_protocol_find(listeners[i].protocol))
            continue;
        int socket = listeners[i].socket;
        listeners[i].socket = -1;
        int error = listener_create(&program->login, socket, listeners[i].protocol);
        if (error) {
            log_error("listen_failed", LOG_TEXT("address", listeners[i].address),
                      LOG_TEXT("reason", error_name(error)));
            return error;
        }
    }
    return 0;
}

int main(int count, char **arguments)
{
    static const struct service_handlers handlers = {on_peer, NULL, on_drain};
    static struct program program;
    tls_limit_memory();
    if (service_start(count, arguments, PROCESS_LOGIN, &handlers, &program, &program.service))
        return 1;
    const struct config *config = service_config(program.service);
    SSL_CTX *tls;
    if (read_certificate(config, &tls))
        return 1;
    login_init(&program.login, service_loop(program.service), config, tls);
    program.login.peer_lost = on_peer_lost;
    program.login.peer_lost_arg = &program;
    if (listen_on_all(&program) || service_confine(program.service))
        return 1;
    return service_run(program.service);
}
