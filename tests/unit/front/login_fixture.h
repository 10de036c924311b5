/*
 * chapar-login in this process: the test is the client, chapar-auth and chapar-session.
 */
#ifndef TESTS_UNIT_FRONT_LOGIN_FIXTURE_H
#define TESTS_UNIT_FRONT_LOGIN_FIXTURE_H

#include "base/error.h"
#include "base/log.h"
#include "front/login/engine_priv.h"
#include "front/login/login_priv.h"
#include "tls_client.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

struct fixture {
    uv_loop_t loop;
    uv_timer_t ticker; /* so that a turn of the loop never blocks for long */
    struct config config;
    struct login login;
    SSL_CTX *client_context;
    int client; /* our ends */
    SSL *tls;   /* of the client; NULL: plaintext */
    int auth, session;
    enum ipc_channel_kind lost; /* the channel of the last peer that was */
    uint32_t lost_slot;
    int lost_error;
    struct buffer body;
    struct ipc_message message;
    char line[4096];
    /* What is expected of questions and streams. */
    enum service_protocol protocol;
    enum language language;
    const char *mechanism;
};

static inline void tick(uv_timer_t *timer)
{
    (void)timer;
}

static inline void turn(struct fixture *fixture)
{
    uv_run(&fixture->loop, UV_RUN_ONCE);
}

static inline void on_lost(enum ipc_channel_kind kind, uint32_t slot, int error, void *arg)
{
    struct fixture *fixture = arg;
    fixture->lost = kind;
    fixture->lost_slot = slot;
    fixture->lost_error = error;
}

static inline int connect_peer(struct fixture *fixture, enum ipc_channel_kind kind, uint32_t slot)
{
    int pair[2];
    assert_int_equal(ipc_pair(pair), 0);
    assert_int_equal(fcntl(pair[1], F_SETFL, O_NONBLOCK), 0);
    peers_add(&fixture->login, kind, slot, pair[0]);
    return pair[1];
}

static inline int connect_from(struct fixture *fixture, enum service_protocol protocol,
                               const char *address)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    listener_accepted(&fixture->login, pair[0], login_protocol_find(protocol), address, NULL);
    return pair[1];
}

static inline int connect_client(struct fixture *fixture, enum service_protocol protocol)
{
    return connect_from(fixture, protocol, "192.0.2.1");
}

static inline int set_up(void **state)
{
    static struct fixture fixture;
    static char hostname[] = "mail.example.test";
    fixture = (struct fixture){.client = -1, .protocol = PROTOCOL_IMAP, .mechanism = "PLAIN"};
    fixture.config.hostname = hostname;
    fixture.config.login_connections = 100;
    fixture.config.login_client_connections = 100;
    fixture.config.login_timeout = 60;
    fixture.config.login_attempts = 3;
    fixture.config.write_timeout = 60;
    fixture.config.plaintext_login = true;
    assert_int_equal(uv_loop_init(&fixture.loop), 0);
    uv_timer_init(&fixture.loop, &fixture.ticker);
    uv_timer_start(&fixture.ticker, tick, 5, 5);
    login_init(&fixture.login, &fixture.loop, &fixture.config, make_server(EVP_EC_gen("P-256")));
    fixture.login.peer_lost = on_lost;
    fixture.login.peer_lost_arg = &fixture;
    fixture.client_context = SSL_CTX_new(TLS_client_method());
    fixture.auth = connect_peer(&fixture, IPC_CHANNEL_LOGIN_AUTH, 1);
    fixture.session = connect_peer(&fixture, IPC_CHANNEL_LOGIN_SESSION, 2);
    buffer_init(&fixture.body, IPC_BODY_MAXIMUM);
    *state = &fixture;
    alarm(60);
    return 0;
}

static inline void disconnect(struct fixture *fixture)
{
    SSL_free(fixture->tls);
    fixture->tls = NULL;
    if (fixture->client >= 0)
        close(fixture->client);
    fixture->client = -1;
}

static inline int tear_down(void **state)
{
    struct fixture *fixture = *state;
    disconnect(fixture);
    close(fixture->auth);
    close(fixture->session);
    login_release(&fixture->login);
    assert_int_equal(fixture->login.open, 0);
    uv_close((uv_handle_t *)&fixture->ticker, NULL);
    uv_run(&fixture->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&fixture->loop), 0);
    SSL_CTX_free(fixture->client_context);
    buffer_release(&fixture->body);
    return 0;
}

/* --- the client --- */

/* Bytes, 0 at the end, -1: not yet. */
static inline ssize_t client_read(struct fixture *fixture, char *bytes, size_t size)
{
    if (!fixture->tls) {
        ssize_t got = recv(fixture->client, bytes, size, 0);
        return got < 0 && errno != EAGAIN ? 0 : got;
    }
    int got = SSL_read(fixture->tls, bytes, (int)size);
    if (got > 0)
        return got;
    return SSL_get_error(fixture->tls, got) == SSL_ERROR_WANT_READ ? -1 : 0;
}

static inline void client_write(struct fixture *fixture, struct slice bytes)
{
    while (bytes.size) {
        ssize_t put = fixture->tls ? SSL_write(fixture->tls, bytes.data, (int)bytes.size)
                                   : send(fixture->client, bytes.data, bytes.size, MSG_NOSIGNAL);
        if (put > 0)
            bytes = slice_sub(bytes, (size_t)put, bytes.size);
        else
            turn(fixture);
    }
}

static inline void say(struct fixture *fixture, const char *text)
{
    client_write(fixture, slice_from_string(text));
}

static inline void client_start_tls(struct fixture *fixture)
{
    fixture->tls = make_client(fixture->client_context, fixture->client);
    while (SSL_do_handshake(fixture->tls) != 1)
        turn(fixture);
}

/* Reads a line and looks for the text in it; NULL: the connection's end. */
static inline void hear(struct fixture *fixture, const char *text)
{
    size_t size = 0;
    fixture->line[0] = '\0';
    while (size == 0 || fixture->line[size - 1] != '\n') {
        ssize_t got = client_read(fixture, fixture->line + size, 1);
        if (got < 0) {
            turn(fixture);
            continue;
        }
        size += (size_t)got;
        fixture->line[size] = '\0';
        if (got == 0)
            break;
    }
    if (text ? !strstr(fixture->line, text) : size > 0)
        fail_msg("got \"%s\", not \"%s\"", fixture->line, text ? text : "(end)");
}

/* --- chapar-auth and chapar-session --- */

static inline struct ipc_reader expect(struct fixture *fixture, int socket, enum ipc_type type)
{
    struct ipc_reader reader;
    int error;
    while ((error = ipc_receive(socket, &fixture->body, &fixture->message)) == ERROR_BUSY)
        turn(fixture);
    assert_int_equal(error, 0);
    assert_int_equal(fixture->message.type, type);
    ipc_reader_init(&reader, fixture->message.body);
    return reader;
}

/* AUTH_BEGIN with this response; its id. bound: the TLS connection is known. */
static inline uint64_t expect_question_bound(struct fixture *fixture, struct slice response,
                                             bool tls, bool bound)
{
    struct ipc_reader reader = expect(fixture, fixture->auth, IPC_AUTH_BEGIN);
    uint64_t id = ipc_get_u64(&reader);
    assert_int_equal(ipc_get_u8(&reader), fixture->protocol);
    assert_int_equal(ipc_get_u8(&reader), tls);
    assert_slice_equal(ipc_get_bytes(&reader, 100), "192.0.2.1");
    assert_slice_equal(ipc_get_bytes(&reader, 100), fixture->mechanism);
    assert_int_equal(ipc_get_u8(&reader), 1);
    assert_true(slice_equal(ipc_get_bytes(&reader, 1000), response));
    assert_int_equal(ipc_get_bytes(&reader, 100).size, bound ? TLS_EXPORTER_SIZE : 0);
    assert_int_equal(ipc_get_bytes(&reader, 100).size, 0);              /* of TLS 1.2 */
    assert_int_equal(ipc_get_bytes(&reader, 100).size, bound ? 32 : 0); /* SHA-256 */
    assert_int_equal(ipc_reader_finish(&reader), 0);
    return id;
}

static inline uint64_t expect_question(struct fixture *fixture, struct slice response, bool tls)
{
    return expect_question_bound(fixture, response, tls, tls);
}

static const uint8_t TICKET[TICKET_SIZE] = {1, 2, 3, 32};

static inline void grant(struct fixture *fixture, uint64_t id)
{
    struct buffer body;
    buffer_init(&body, 1000);
    ipc_put_u64(&body, id);
    buffer_append(&body, slice_make(TICKET, sizeof TICKET));
    ipc_put_u64(&body, 12345);
    ipc_put_bytes(&body, SLICE("alice@example.test"));
    assert_int_equal(ipc_send(fixture->auth, IPC_AUTH_GRANTED, buffer_slice(&body), NULL, 0), 0);
    buffer_release(&body);
}

static inline void refuse(struct fixture *fixture, uint64_t id, int error)
{
    struct buffer body;
    buffer_init(&body, 1000);
    ipc_put_u64(&body, id);
    ipc_put_u32(&body, (uint32_t)-error);
    assert_int_equal(ipc_send(fixture->auth, IPC_AUTH_REFUSED, buffer_slice(&body), NULL, 0), 0);
    buffer_release(&body);
}

/* STREAM; our end of it, non-blocking. */
static inline int expect_stream(struct fixture *fixture, const char *tls, const char *tag,
                                const char *input)
{
    uint8_t ticket[TICKET_SIZE];
    struct ipc_reader reader = expect(fixture, fixture->session, IPC_STREAM);
    assert_int_equal(ipc_get_u8(&reader), fixture->protocol);
    ipc_get_fixed(&reader, ticket, sizeof ticket);
    assert_memory_equal(ticket, TICKET, sizeof ticket);
    assert_slice_equal(ipc_get_bytes(&reader, 100), "192.0.2.1");
    assert_slice_equal(ipc_get_bytes(&reader, 100), tls);
    assert_slice_equal(ipc_get_bytes(&reader, 100), tag);
    assert_int_equal(ipc_get_u8(&reader), fixture->language);
    assert_slice_equal(ipc_get_bytes(&reader, 8192), input);
    assert_int_equal(ipc_reader_finish(&reader), 0);
    assert_int_equal(fixture->message.descriptor_count, 1);
    int stream = fixture->message.descriptors[0];
    assert_int_equal(fcntl(stream, F_SETFL, O_NONBLOCK), 0);
    return stream;
}

static inline void expect_bytes(struct fixture *fixture, int stream, const char *text)
{
    char bytes[256];
    size_t size = 0;
    while (size < strlen(text)) {
        ssize_t got = recv(stream, bytes + size, strlen(text) - size, 0);
        if (got > 0)
            size += (size_t)got;
        else
            turn(fixture);
    }
    assert_slice_equal(slice_make(bytes, size), text);
}

#endif
