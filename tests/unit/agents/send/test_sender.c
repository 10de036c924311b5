/*
 * chapar-send in this process: the test is chapar-session, and the mail server. What a whole
 * process does is tried in tests/wire/test_send.py; here is what takes time there, or another
 * machine.
 */
#include "../../check.h"
#include "agents/send/send_priv.h"
#include "base/error.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct fixture {
    uv_loop_t loop;
    uv_timer_t ticker; /* so that a turn of the loop never blocks for long */
    struct config config;
    struct sender sender;
    int listener, client; /* the mail server's */
    int session;
    bool drained;
    int lost_error;
    struct buffer body;
    struct ipc_message message;
    char line[4096];
};

static void tick(uv_timer_t *timer)
{
    (void)timer;
}

static void turn(struct fixture *fixture)
{
    uv_run(&fixture->loop, UV_RUN_ONCE);
}

static void on_lost(enum ipc_channel_kind kind, uint32_t slot, int error, void *arg)
{
    assert_int_equal(kind, IPC_CHANNEL_SESSION_SEND);
    assert_int_equal(slot, 7);
    ((struct fixture *)arg)->lost_error = error;
}

static int listen_somewhere(struct sockaddr_in *address)
{
    socklen_t size = sizeof(*address);
    *address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int made = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(made, (struct sockaddr *)address, sizeof(*address)), 0);
    assert_int_equal(getsockname(made, (struct sockaddr *)address, &size), 0);
    assert_int_equal(listen(made, 10), 0);
    return made;
}

static void add_address(struct fixture *fixture, const struct sockaddr_in *address)
{
    struct send_server *server = &fixture->sender.server;
    memcpy(&server->addresses[server->address_count++], address, sizeof(*address));
}

static int set_up(void **state)
{
    static struct fixture fixture;
    struct sockaddr_in address;
    int pair[2];
    fixture = (struct fixture){.client = -1};
    fixture.config.outgoing_timeout = 20;
    fixture.config.outgoing_connections = 2;
    assert_int_equal(uv_loop_init(&fixture.loop), 0);
    uv_timer_init(&fixture.loop, &fixture.ticker);
    uv_timer_start(&fixture.ticker, tick, 5, 5);
    sender_init(&fixture.sender, &fixture.loop, &fixture.config);
    fixture.sender.peer_lost = on_lost;
    fixture.sender.peer_lost_arg = &fixture;
    fixture.listener = listen_somewhere(&address);
    fixture.sender.server =
        (struct send_server){.host = "there.test", .smtp = {.hostname = "here.test"}};
    add_address(&fixture, &address);
    assert_int_equal(ipc_pair(pair), 0);
    assert_int_equal(fcntl(pair[1], F_SETFL, O_NONBLOCK), 0);
    peers_add(&fixture.sender, IPC_CHANNEL_SESSION_SEND, 7, pair[0]);
    fixture.session = pair[1];
    buffer_init(&fixture.body, IPC_BODY_MAXIMUM);
    *state = &fixture;
    alarm(60);
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    close(fixture->session);
    close(fixture->listener);
    if (fixture->client >= 0)
        close(fixture->client);
    sender_release(&fixture->sender);
    assert_int_equal(fixture->sender.connection_count, 0);
    assert_int_equal(fixture->sender.opening, 0);
    assert_int_equal(fixture->sender.under_way, 0);
    uv_close((uv_handle_t *)&fixture->ticker, NULL);
    uv_run(&fixture->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&fixture->loop), 0);
    buffer_release(&fixture->body);
    return 0;
}

/* --- the session --- */

static void say_ipc(struct fixture *fixture, enum ipc_type type, struct buffer *body, int file)
{
    assert_int_equal(ipc_send(fixture->session, type, buffer_slice(body), &file, file >= 0), 0);
    buffer_clear(body);
}

static void submit(struct fixture *fixture, uint64_t id)
{
    struct buffer body;
    int file = memfd_create("message", MFD_CLOEXEC);
    assert_int_equal(write(file, "x\r\n", 3), 3);
    buffer_init(&body, 4096);
    ipc_put_u64(&body, id);
    ipc_put_u64(&body, 3);
    for (int i = 0; i < 4; i++)
        ipc_put_u8(&body, 0);
    ipc_put_bytes(&body, SLICE(""));
    ipc_put_bytes(&body, SLICE("s@x.test"));
    say_ipc(fixture, IPC_SEND_BEGIN, &body, file);
    ipc_put_u64(&body, id);
    ipc_put_bytes(&body, SLICE("r@y.test"));
    say_ipc(fixture, IPC_SEND_RECIPIENT, &body, -1);
    ipc_put_u64(&body, id);
    say_ipc(fixture, IPC_SEND_END, &body, -1);
    buffer_release(&body);
    close(file);
}

static struct ipc_reader expect(struct fixture *fixture, enum ipc_type type, uint64_t id)
{
    struct ipc_reader reader;
    int error;
    while ((error = ipc_receive(fixture->session, &fixture->body, &fixture->message)) == ERROR_BUSY)
        turn(fixture);
    assert_int_equal(error, 0);
    assert_int_equal(fixture->message.type, type);
    ipc_reader_init(&reader, fixture->message.body);
    assert_int_equal(ipc_get_u64(&reader), id);
    return reader;
}

static void expect_result(struct fixture *fixture, uint64_t id, enum smtp_outcome outcome, int code,
                          const char *text)
{
    struct ipc_reader reader = expect(fixture, IPC_SEND_RESULT, id);
    assert_int_equal(ipc_get_u32(&reader), 0);
    assert_int_equal(ipc_get_u8(&reader), outcome);
    assert_int_equal(ipc_get_u32(&reader), code);
    struct slice said = ipc_get_bytes(&reader, SMTP_RESULT_MAXIMUM);
    assert_int_equal(ipc_reader_finish(&reader), 0);
    assert_slice_equal(slice_sub(said, 0, strlen(text)), text);
    reader = expect(fixture, IPC_SEND_DONE, id);
    assert_int_equal(ipc_reader_finish(&reader), 0);
}

/* SEND_DONE alone. */
static void expect_untried(struct fixture *fixture, uint64_t id)
{
    struct ipc_reader reader = expect(fixture, IPC_SEND_DONE, id);
    assert_int_equal(ipc_reader_finish(&reader), 0);
}

/* --- the mail server --- */

static void accept_client(struct fixture *fixture)
{
    if (fixture->client >= 0)
        close(fixture->client);
    while ((fixture->client = accept4(fixture->listener, NULL, NULL, SOCK_NONBLOCK)) < 0)
        turn(fixture);
}

static void say(struct fixture *fixture, const char *text)
{
    assert_int_equal(send(fixture->client, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* A line that begins so; NULL: the end. */
static void hear(struct fixture *fixture, const char *text)
{
    size_t size = 0;
    while (size == 0 || fixture->line[size - 1] != '\n') {
        ssize_t got = recv(fixture->client, fixture->line + size, 1, 0);
        if (got < 0 && errno == EAGAIN) {
            turn(fixture);
            continue;
        }
        if (got <= 0)
            break;
        size += (size_t)got;
    }
    fixture->line[size] = '\0';
    if (text ? strncmp(fixture->line, text, strlen(text)) != 0 : size > 0)
        fail_msg("got \"%s\", not \"%s\"", fixture->line, text ? text : "(end)");
}

static void greet(struct fixture *fixture)
{
    accept_client(fixture);
    say(fixture, "220 there.test\r\n");
    hear(fixture, "EHLO here.test\r\n");
    say(fixture, "250 there.test\r\n");
}

static void take_message(struct fixture *fixture)
{
    hear(fixture, "MAIL FROM:<s@x.test>\r\n");
    say(fixture, "250 ok\r\n");
    hear(fixture, "RCPT TO:<r@y.test>\r\n");
    say(fixture, "250 ok\r\n");
    hear(fixture, "DATA\r\n");
    say(fixture, "354 go\r\n");
    hear(fixture, "x\r\n");
    hear(fixture, ".\r\n");
    say(fixture, "250 queued\r\n");
}

static struct connection *only_connection(struct fixture *fixture)
{
    assert_int_equal(fixture->sender.connection_count, 1);
    return TAILQ_FIRST(&fixture->sender.connections);
}

/* As if its time had passed. */
static void fire(uv_timer_t *timer)
{
    uv_timer_start(timer, timer->timer_cb, 0, 0);
}

/* --- the tests --- */

static void test_idle_connection(void **state)
{
    struct fixture *fixture = *state;
    submit(fixture, 1);
    greet(fixture);
    take_message(fixture);
    expect_result(fixture, 1, SMTP_SENT, 250, "queued");
    struct connection *connection = only_connection(fixture);
    while (!connection->idle)
        turn(fixture);
    uint64_t due = uv_timer_get_due_in(&connection->timer);
    assert_true(due > (SEND_IDLE_TIME - 2) * 1000 && due <= SEND_IDLE_TIME * 1000);
    /* It is used again, and then its time begins anew. */
    submit(fixture, 2);
    take_message(fixture);
    expect_result(fixture, 2, SMTP_SENT, 250, "queued");
    while (!connection->idle)
        turn(fixture);
    fire(&connection->timer);
    hear(fixture, "QUIT\r\n");
    /* It waits for the answer (RFC 5321 section 4.1.1.10), but not for ever. */
    assert_int_equal(fixture->sender.connection_count, 1);
    assert_true(uv_timer_get_due_in(&connection->timer) <= SEND_FAREWELL_TIME * 1000);
    say(fixture, "221 bye\r\n");
    hear(fixture, NULL);
    assert_int_equal(fixture->sender.connection_count, 0);
}

/* A message that comes while the connection says QUIT goes over another one. */
static void test_message_after_quit(void **state)
{
    struct fixture *fixture = *state;
    submit(fixture, 1);
    greet(fixture);
    take_message(fixture);
    expect_result(fixture, 1, SMTP_SENT, 250, "queued");
    struct connection *connection = only_connection(fixture);
    while (!connection->idle)
        turn(fixture);
    fire(&connection->timer);
    hear(fixture, "QUIT\r\n");
    submit(fixture, 2);
    greet(fixture);
    take_message(fixture);
    expect_result(fixture, 2, SMTP_SENT, 250, "queued");
}

static void test_next_address(void **state)
{
    struct fixture *fixture = *state;
    struct sockaddr_in nobody, address;
    struct send_server *server = &fixture->sender.server;
    memcpy(&address, &server->addresses[0], sizeof(address));
    close(listen_somewhere(&nobody));
    server->address_count = 0;
    add_address(fixture, &nobody);
    add_address(fixture, &nobody);
    add_address(fixture, &address);
    submit(fixture, 1);
    greet(fixture);
    take_message(fixture);
    expect_result(fixture, 1, SMTP_SENT, 250, "queued");
    assert_int_equal(fixture->sender.address, 2); /* where the next connection begins */
    server->address_count = 2;
    fixture->sender.address = 1;
    connection_destroy(only_connection(fixture));
    submit(fixture, 2);
    expect_result(fixture, 2, SMTP_DEFERRED, 0, "no connection to there.test: Connection refused");
}

static void test_no_connection_in_time(void **state)
{
    struct fixture *fixture = *state;
    submit(fixture, 1);
    while (!fixture->sender.connection_count)
        turn(fixture);
    struct connection *connection = only_connection(fixture);
    uv_poll_stop(&connection->poll); /* it does not hear that it is connected */
    assert_true(uv_timer_get_due_in(&connection->timer) <= SEND_CONNECT_TIME * 1000);
    fire(&connection->timer);
    expect_result(fixture, 1, SMTP_DEFERRED, 0,
                  "no connection to there.test: Connection timed out");
}

/* Where TLS is optional, a server whose TLS fails is spoken to without it. */
static void test_optional_tls_that_fails(void **state)
{
    struct fixture *fixture = *state;
    fixture->sender.server.tls = SSL_CTX_new(TLS_client_method());
    fixture->sender.server.smtp.tls = SMTP_TLS_OFFERED;
    for (uint64_t id = 1; id < 3; id++) {
        submit(fixture, id);
        if (id == 1) {
            accept_client(fixture);
            say(fixture, "220 there.test\r\n");
            hear(fixture, "EHLO here.test\r\n");
            say(fixture, "250-there.test\r\n250 STARTTLS\r\n");
            hear(fixture, "STARTTLS\r\n");
            say(fixture, "220 go\r\n");
            while (recv(fixture->client, fixture->line, sizeof(fixture->line), 0) < 0)
                turn(fixture);
            say(fixture, "what was that?\r\n");
        }
        accept_client(fixture);
        say(fixture, "220 there.test\r\n");
        hear(fixture, "EHLO here.test\r\n");
        say(fixture, "250-there.test\r\n250 STARTTLS\r\n");
        take_message(fixture);
        expect_result(fixture, id, SMTP_SENT, 250, "queued");
        connection_destroy(only_connection(fixture));
    }
    /* After some time it is tried again. */
    assert_true(fixture->sender.plain_until > uv_now(&fixture->loop) + 3500 * 1000);
    fixture->sender.plain_until = 0;
    submit(fixture, 3);
    accept_client(fixture);
    say(fixture, "220 there.test\r\n");
    hear(fixture, "EHLO here.test\r\n");
    say(fixture, "250-there.test\r\n250 STARTTLS\r\n");
    hear(fixture, "STARTTLS\r\n");
}

/* One that waits beside a connection that is busy is not deferred when a second connection is
 * turned away; after a pause that is tried again. */
static void test_pause(void **state)
{
    struct fixture *fixture = *state;
    submit(fixture, 1);
    greet(fixture);
    hear(fixture, "MAIL");
    int first = fixture->client;
    fixture->client = -1;
    submit(fixture, 2);
    accept_client(fixture);
    say(fixture, "421 too many\r\n");
    while (fixture->sender.connection_count != 1)
        turn(fixture);
    uv_timer_t *pause = &fixture->sender.pause_timer;
    assert_true(uv_is_active((uv_handle_t *)pause));
    assert_true(uv_timer_get_due_in(pause) > (SEND_PAUSE - 2) * 1000);
    fire(pause);
    greet(fixture);
    take_message(fixture);
    expect_result(fixture, 2, SMTP_SENT, 250, "queued");
    close(fixture->client);
    fixture->client = first;
    say(fixture, "450 later\r\n");
    expect_result(fixture, 1, SMTP_DEFERRED, 450, "later");
}

/* The session does not get twice what it could not hear of: it is told nothing, and sends it again.
 */
static void test_breach(void **state)
{
    struct fixture *fixture = *state;
    struct buffer body;
    submit(fixture, 1);
    greet(fixture);
    hear(fixture, "MAIL");
    buffer_init(&body, 64);
    ipc_put_u64(&body, 2);
    say_ipc(fixture, IPC_SEND_END, &body, -1);
    buffer_release(&body);
    while (!fixture->lost_error)
        turn(fixture);
    assert_int_equal(fixture->lost_error, ERROR_PROTOCOL);
    hear(fixture, NULL);
    assert_int_equal(fixture->sender.under_way, 0);
    assert_int_equal(fixture->sender.connection_count, 0);
}

static void test_wrong_kind_of_channel(void **state)
{
    struct fixture *fixture = *state;
    int pair[2];
    char byte;
    assert_int_equal(ipc_pair(pair), 0);
    peers_add(&fixture->sender, IPC_CHANNEL_SESSION_AUTH, 7, pair[0]);
    assert_int_equal(read(pair[1], &byte, 1), 0);
    close(pair[1]);
}

static void on_drained(void *arg)
{
    ((struct fixture *)arg)->drained = true;
}

static void test_drain(void **state)
{
    struct fixture *fixture = *state;
    submit(fixture, 1);
    greet(fixture);
    take_message(fixture);
    expect_result(fixture, 1, SMTP_SENT, 250, "queued");
    struct connection *connection = only_connection(fixture);
    while (!connection->idle)
        turn(fixture);
    submit(fixture, 2); /* on its way while nothing is known of it yet */
    sender_drain(&fixture->sender, UINT32_MAX, on_drained, fixture);
    assert_false(fixture->drained);
    assert_int_equal(ipc_send(fixture->session, IPC_SEND_END, SLICE("12345678"), NULL, 0),
                     ERROR_CLOSED);
    hear(fixture, "QUIT\r\n"); /* said before it ends */
    expect_untried(fixture, 2);
    while (!fixture->drained)
        turn(fixture);
    fixture->drained = false;
    sender_drain(&fixture->sender, 0, on_drained, fixture);
    assert_true(fixture->drained);
}

/* What waits when the time is over has not been tried; what a connection has has been. */
static void test_drain_in_time(void **state)
{
    struct fixture *fixture = *state;
    fixture->config.outgoing_connections = 1;
    submit(fixture, 1);
    greet(fixture);
    hear(fixture, "MAIL FROM:<s@x.test>\r\n");
    submit(fixture, 2);
    while (fixture->sender.under_way < 2)
        turn(fixture);
    sender_drain(&fixture->sender, 0, on_drained, fixture);
    expect_untried(fixture, 2);
    expect_result(fixture, 1, SMTP_DEFERRED, 0, "chapar-send had to end");
    while (!fixture->drained)
        turn(fixture);
}

/* A session that comes, or was set up, while it ends does not keep it. */
static void test_peer_while_draining(void **state)
{
    struct fixture *fixture = *state;
    int pair[2];
    submit(fixture, 1);
    greet(fixture);
    hear(fixture, "MAIL FROM:<s@x.test>\r\n");
    sender_drain(&fixture->sender, UINT32_MAX, on_drained, fixture);
    assert_int_equal(ipc_pair(pair), 0);
    peers_add(&fixture->sender, IPC_CHANNEL_SESSION_SEND, 7, pair[0]);
    close(fixture->session); /* its message is withdrawn */
    fixture->session = pair[1];
    while (!fixture->drained)
        turn(fixture);
    fixture->drained = false;
    sender_drain(&fixture->sender, UINT32_MAX, on_drained, fixture);
    assert_true(fixture->drained);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_idle_connection),
        TEST(test_message_after_quit),
        TEST(test_next_address),
        TEST(test_no_connection_in_time),
        TEST(test_optional_tls_that_fails),
        TEST(test_pause),
        TEST(test_breach),
        TEST(test_wrong_kind_of_channel),
        TEST(test_drain),
        TEST(test_drain_in_time),
        TEST(test_peer_while_draining),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
