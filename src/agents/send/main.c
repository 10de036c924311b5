/*
 * chapar-send: sends messages to one mail server.
 *
 * Started by chapard alone. chapar-session, which holds the mail, has no network; it hands over
 * what is to be sent, each message by its file, and is told what became of it. chapar-send speaks
 * SMTP to outgoing_server, the mail server that takes messages from this one, and knows neither
 * accounts nor any other message. Once confined it can open no file, and connect to that server's
 * port only.
 *
 * Options of chapar.conf: hostname, outgoing_server, outgoing_tls, outgoing_user,
 * outgoing_password_file, outgoing_ca_file, outgoing_timeout, outgoing_connections.
 */
#include "agents/send/send_priv.h"

#include "base/error.h"
#include "base/log.h"

struct program {
    struct sender sender;
    struct service *service;
};

static void on_peer(struct service *service, enum ipc_channel_kind kind, uint32_t slot, int socket)
{
    struct program *program = service_state(service);
    peers_add(&program->sender, kind, slot, socket);
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
    sender_drain(&program->sender, seconds, drained, program);
}

static int open_server(struct program *program)
{
    const struct config *config = service_config(program->service);
    struct send_server *server = &program->sender.server;
    struct listen_address address;
    struct buffer problem;
    buffer_init(&problem, 8192);
    int error = send_server_open(config, server, &problem);
    if (error)
        log_error("outgoing_server", LOG_TEXT("reason", error_name(error)),
                  LOG_SLICE("problem", buffer_slice(&problem)));
    else if (!server->address_count)
        log_warning("outgoing_unknown", LOG_TEXT("server", config->outgoing_server),
                    LOG_TEXT("now", "nothing is sent; a reload looks the name up again"));
    buffer_release(&problem);
    if (!error)
        error = config_listen_address(config->outgoing_server, &address);
    return error ? error : service_allow_ports(program->service, address.port, address.port);
}

int main(int count, char **arguments)
{
    static const struct service_handlers handlers = {on_peer, NULL, on_drain};
    static struct program program;
    if (service_start(count, arguments, PROCESS_SEND, &handlers, &program, &program.service))
        return 1;
    sender_init(&program.sender, service_loop(program.service), service_config(program.service));
    program.sender.peer_lost = on_peer_lost;
    program.sender.peer_lost_arg = &program;
    if (open_server(&program) || service_confine(program.service))
        return 1;
    return service_run(program.service);
}
