/*
 * Streams handed over by chapar-login: the test plays the login process, chapar-auth and the
 * client.
 */
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "kv/notice_ring.h"
#include "session/handover.h"
#include "store/retained.h"
#include "store/settle.h"
#include "store/summaries.h"
#include "store/transfer.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <cmocka.h>

enum { PATIENCE_US = 8 * 1000 * 1000 };

int store_maintain(struct store *store)
{
    (void)store;
    return 0;
}

int store_purge_used(struct store *store, const atomic_bool *stop)
{
    (void)store, (void)stop;
    return 0;
}

int store_recover(struct store *store, size_t *finished)
{
    (void)store;
    *finished = 0;
    return 0;
}

int store_settle_used(struct store *store, const atomic_bool *stop)
{
    (void)store, (void)stop;
    return 0;
}

int store_remake_used(struct store *store, const atomic_bool *stop)
{
    (void)store, (void)stop;
    return 0;
}

uint64_t store_account_notice(struct account_id account)
{
    return notice_space(slice_make(account.bytes, sizeof(account.bytes)));
}

uint64_t store_directory_notice(void)
{
    return 0;
}

void service_note(struct service *service, const char *text)
{
    (void)service;
    (void)text;
}

/* --- a protocol that says who it serves, then echoes --- */

static int hello_open(struct stream *stream)
{
    (void)stream;
    return 0;
}

static enum stream_need hello_run(struct stream *stream)
{
    if (stream->commands++ == 0)
        buffer_append_format(&stream->output, "%s %s %s %s %02x%s\n", stream->tag,
                             stream->user ? stream->user : "nobody", stream->client,
                             stream->tls ? stream->tls : "plain", stream->account.bytes[15],
                             stream->language == LANGUAGE_FRENCH ? " fr" : "");
    if (slice_starts_with(stream->input, SLICE("leave\n"))) {
        buffer_append_string(&stream->output, "left\n");
        stream->input = slice_sub(stream->input, 6, SIZE_MAX);
        return STREAM_NEED_LOGIN;
    }
    buffer_append(&stream->output, stream->input);
    stream->input = slice_make(NULL, 0);
    return STREAM_NEED_INPUT;
}

static uint32_t hello_idle_limit(const struct stream *stream)
{
    (void)stream;
    return 100;
}

static void hello_close(struct stream *stream, const char *why)
{
    (void)stream;
    (void)why;
}

static void hello_refuse(struct slice tag, enum language language, int error, struct buffer *output)
{
    (void)language;
    const char *code = error == ERROR_LIMIT ? "LIMIT" : "UNAVAILABLE";
    const char *text = error == ERROR_LIMIT ? "too many connections" : "try again later";
    if (tag.size)
        buffer_append_format(output, "%.*s NO [%s] %s\r\n", SLICE_FORMAT(tag), code, text);
    buffer_append_format(output, "* BYE [%s] %s\r\n", code, text);
}

static const struct stream_protocol hello = {.name = "hello",
                                             .open = hello_open,
                                             .run = hello_run,
                                             .refuse = hello_refuse,
                                             .idle_limit = hello_idle_limit,
                                             .idle_limit_name = "idle_timeout",
                                             .close = hello_close};
static const struct stream_protocol open_hello = {.name = "open",
                                                  .open = hello_open,
                                                  .run = hello_run,
                                                  .serves_nobody = true,
                                                  .refuse = hello_refuse,
                                                  .idle_limit = hello_idle_limit,
                                                  .idle_limit_name = "idle_timeout",
                                                  .close = hello_close};
static const struct handover_protocol protocols[] = {
    {PROTOCOL_IMAP, &hello}, {PROTOCOL_LMTP, &open_hello}, {0, NULL}};

/* --- the processes around it --- */

struct fixture {
    uv_loop_t loop;
    uv_timer_t heartbeat;
    struct config config;
    struct worker *worker;
    struct handover *handover;
    int login, auth; /* our ends; non-blocking */
    bool drained;
    uint8_t language;           /* of the streams that are handed over */
    enum ipc_channel_kind lost; /* the channel of the last peer that was */
    uint32_t lost_slot;
    int lost_error;
};

static void on_heartbeat(uv_timer_t *timer)
{
    (void)timer;
}

static void on_drained(void *arg)
{
    ((struct fixture *)arg)->drained = true;
}

static void on_lost(enum ipc_channel_kind kind, uint32_t slot, int error, void *arg)
{
    struct fixture *f = arg;
    f->lost = kind;
    f->lost_slot = slot;
    f->lost_error = error;
}

static int far_end(int pair[2])
{
    assert_int_equal(ipc_pair(pair), 0);
    assert_int_equal(fcntl(pair[1], F_SETFL, O_NONBLOCK), 0);
    return pair[1];
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    f->config = (struct config){
        .session_connections = 2000, .account_connections = 1, .write_timeout = 100};
    uv_loop_init(&f->loop);
    uv_timer_init(&f->loop, &f->heartbeat);
    uv_timer_start(&f->heartbeat, on_heartbeat, 2, 2);
    const struct worker_options options = {.loop = &f->loop,
                                           .config = &f->config,
                                           .spool_directory = -1,
                                           .drained = on_drained,
                                           .arg = f};
    int pair[2];
    assert_int_equal(worker_create(&options, &f->worker), 0);
    assert_int_equal(handover_create(&f->loop, f->worker, protocols, &f->handover), 0);
    handover_on_lost(f->handover, on_lost, f);
    f->login = far_end(pair);
    assert_int_equal(handover_login(f->handover, 3, pair[0]), 0);
    f->auth = far_end(pair);
    assert_int_equal(handover_auth(f->handover, 1, pair[0]), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    handover_end(f->handover);
    worker_drain(f->worker, 0);
    while (!f->drained)
        uv_run(&f->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&f->heartbeat, NULL);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    handover_free(&f->handover);
    worker_free(&f->worker);
    close(f->login);
    if (f->auth >= 0)
        close(f->auth);
    free(f);
    return 0;
}

static int hand_over(struct fixture *f, uint8_t protocol, const char *tag, const char *input)
{
    static const uint8_t ticket[TICKET_SIZE] = "a ticket";
    int pair[2];
    struct buffer body;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    buffer_init(&body, IPC_BODY_MAXIMUM);
    ipc_put_u8(&body, protocol);
    buffer_append(&body, slice_make(ticket, sizeof(ticket)));
    ipc_put_bytes(&body, SLICE("192.0.2.7"));
    ipc_put_bytes(&body, SLICE("TLSv1.3"));
    ipc_put_bytes(&body, slice_from_string(tag));
    ipc_put_u8(&body, f->language);
    ipc_put_bytes(&body, slice_from_string(input));
    assert_int_equal(ipc_send(f->login, IPC_STREAM, buffer_slice(&body), &pair[0], 1), 0);
    buffer_release(&body);
    close(pair[0]);
    return pair[1];
}

/* Turns the loop until the far end has a message; its error. */
static int next_message(struct fixture *f, int socket, struct buffer *body,
                        struct ipc_message *message)
{
    uint64_t start = clock_monotonic_us();
    int error;
    while ((error = ipc_receive(socket, body, message)) == ERROR_BUSY) {
        uv_run(&f->loop, UV_RUN_ONCE);
        assert_true(clock_monotonic_us() - start < PATIENCE_US);
    }
    return error;
}

/* What chapar-auth is asked; the request's id. */
static uint64_t asked_for(struct fixture *f, enum service_protocol protocol)
{
    struct buffer body;
    struct ipc_message message;
    struct ipc_reader reader;
    char ticket[TICKET_SIZE];
    buffer_init(&body, IPC_BODY_MAXIMUM);
    assert_int_equal(next_message(f, f->auth, &body, &message), 0);
    assert_int_equal(message.type, IPC_TICKET_REDEEM);
    ipc_reader_init(&reader, message.body);
    uint64_t id = ipc_get_u64(&reader);
    ipc_get_fixed(&reader, ticket, sizeof(ticket));
    assert_int_equal(ipc_get_u8(&reader), protocol);
    assert_int_equal(ipc_reader_finish(&reader), 0);
    assert_string_equal(ticket, "a ticket");
    buffer_release(&body);
    return id;
}

static uint64_t asked(struct fixture *f)
{
    return asked_for(f, PROTOCOL_IMAP);
}

static void grant_name(struct fixture *f, uint64_t id, const char *name)
{
    struct account_id account = {.bytes = {[15] = *name ? 0xab : 0}};
    struct buffer body;
    buffer_init(&body, IPC_BODY_MAXIMUM);
    ipc_put_u64(&body, id);
    buffer_append(&body, slice_make(account.bytes, sizeof(account.bytes)));
    ipc_put_bytes(&body, slice_from_string(name));
    assert_int_equal(ipc_send(f->auth, IPC_TICKET_GRANTED, buffer_slice(&body), NULL, 0), 0);
    buffer_release(&body);
}

static void grant(struct fixture *f, uint64_t id)
{
    grant_name(f, id, "alice@example.test");
}

static void refuse_ticket(struct fixture *f, uint64_t id)
{
    struct buffer body;
    buffer_init(&body, IPC_BODY_MAXIMUM);
    ipc_put_u64(&body, id);
    assert_int_equal(ipc_send(f->auth, IPC_TICKET_REFUSED, buffer_slice(&body), NULL, 0), 0);
    buffer_release(&body);
}

static void expect(struct fixture *f, int client, const char *text)
{
    char got[512] = "";
    size_t size = 0, wanted = strlen(text);
    uint64_t start = clock_monotonic_us();
    while (size < wanted && clock_monotonic_us() - start < PATIENCE_US) {
        ssize_t n = recv(client, got + size, wanted - size, 0);
        size += n > 0 ? (size_t)n : 0;
        uv_run(&f->loop, UV_RUN_ONCE);
    }
    assert_string_equal(got, text);
}

/* --- tests --- */

static void redeemed_ticket_opens_the_stream(void **state)
{
    struct fixture *f = *state;
    int client = hand_over(f, PROTOCOL_IMAP, "a1", "already read");
    grant(f, asked(f));
    expect(f, client, "a1 alice@example.test 192.0.2.7 TLSv1.3 ab\nalready read");
    close(client);
}

static void the_language_goes_with_the_stream(void **state)
{
    struct fixture *f = *state;
    f->language = LANGUAGE_FRENCH;
    int client = hand_over(f, PROTOCOL_IMAP, "a1", "");
    grant(f, asked(f));
    expect(f, client, "a1 alice@example.test 192.0.2.7 TLSv1.3 ab fr\n");
    close(client);
}

static void an_unknown_language_ends_the_login(void **state)
{
    struct fixture *f = *state;
    uint64_t start = clock_monotonic_us();
    f->language = LANGUAGES;
    close(hand_over(f, PROTOCOL_IMAP, "a1", ""));
    while (!f->lost && clock_monotonic_us() - start < PATIENCE_US)
        uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(f->lost, IPC_CHANNEL_LOGIN_SESSION);
    assert_int_equal(f->lost_error, ERROR_PROTOCOL);
}

/* A mail server that may deliver without logging in; account_connections, 1 here, is not for it. */
static void nobody_is_served_where_that_is_meant(void **state)
{
    struct fixture *f = *state;
    int clients[2];
    for (int i = 0; i < 2; i++) {
        clients[i] = hand_over(f, PROTOCOL_LMTP, "LHLO a", "");
        grant_name(f, asked_for(f, PROTOCOL_LMTP), "");
        expect(f, clients[i], "LHLO a nobody 192.0.2.7 TLSv1.3 00\n");
    }
    int client = hand_over(f, PROTOCOL_IMAP, "a1", "");
    grant_name(f, asked(f), "");
    expect(f, client, "a1 NO [UNAVAILABLE] try again later\r\n");
    close(client);
    close(clients[0]);
    close(clients[1]);
}

static void refused_ticket_refuses_the_login(void **state)
{
    struct fixture *f = *state;
    int client = hand_over(f, PROTOCOL_IMAP, "a1", "");
    uint64_t id = asked(f);
    refuse_ticket(f, id);
    expect(f, client,
           "a1 NO [UNAVAILABLE] try again later\r\n* BYE [UNAVAILABLE] try again later\r\n");
    grant(f, id); /* too late: nobody waits */
    grant(f, id + 1);
    uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(worker_streams(f->worker), 0);
    close(client);
}

static void account_limit_is_told(void **state)
{
    struct fixture *f = *state;
    int first = hand_over(f, PROTOCOL_IMAP, "a1", "");
    grant(f, asked(f));
    int second = hand_over(f, PROTOCOL_IMAP, "b1", "");
    grant(f, asked(f));
    expect(f, second, "b1 NO [LIMIT] too many connections\r\n");
    close(first);
    close(second);
}

static void streams_are_refused_while_auth_is_away(void **state)
{
    struct fixture *f = *state;
    int waiting = hand_over(f, PROTOCOL_IMAP, "a1", "");
    asked(f);
    close(f->auth);
    f->auth = -1;
    expect(f, waiting, "a1 NO [UNAVAILABLE]");
    assert_int_equal(f->lost, IPC_CHANNEL_SESSION_AUTH);
    assert_int_equal(f->lost_slot, 1);
    assert_int_equal(f->lost_error, ERROR_CLOSED);
    int late = hand_over(f, PROTOCOL_IMAP, "b1", "");
    expect(f, late, "b1 NO [UNAVAILABLE]");
    int pair[2];
    f->auth = far_end(pair);
    assert_int_equal(handover_auth(f->handover, 1, pair[0]), 0);
    int served = hand_over(f, PROTOCOL_IMAP, "c1", "");
    grant(f, asked(f));
    expect(f, served, "c1 alice@example.test");
    close(waiting);
    close(late);
    close(served);
}

/* STREAM_BACK; the stream, which the login has now. */
static int given_back(struct fixture *f, struct slice input)
{
    struct buffer body;
    struct ipc_message message;
    struct ipc_reader reader;
    buffer_init(&body, IPC_BODY_MAXIMUM);
    assert_int_equal(next_message(f, f->login, &body, &message), 0);
    assert_int_equal(message.type, IPC_STREAM_BACK);
    ipc_reader_init(&reader, message.body);
    assert_int_equal(ipc_get_u8(&reader), PROTOCOL_IMAP);
    assert_true(slice_equal(ipc_get_bytes(&reader, 100), SLICE("192.0.2.7")));
    assert_true(slice_equal(ipc_get_bytes(&reader, 100), SLICE("TLSv1.3")));
    assert_true(slice_equal(ipc_get_bytes(&reader, STREAM_BACK_INPUT_MAXIMUM), input));
    assert_int_equal(ipc_reader_finish(&reader), 0);
    buffer_release(&body);
    return message.descriptors[0];
}

static void a_stream_goes_back(void **state)
{
    struct fixture *f = *state;
    int client = hand_over(f, PROTOCOL_IMAP, "a1", "leave\nunread");
    grant(f, asked(f));
    expect(f, client, "a1 alice@example.test 192.0.2.7 TLSv1.3 ab\nleft\n");
    int stream = given_back(f, SLICE("unread"));
    assert_int_equal(worker_streams(f->worker), 0);
    assert_int_equal(send(stream, "hello", 5, 0), 5);
    expect(f, client, "hello");
    /* It is open as long as the login has it. */
    close(stream);
    char byte;
    assert_int_equal(recv(client, &byte, 1, 0), 0);
    close(client);
}

/* STREAM_BACK_INPUT_MAXIMUM. */
static void too_much_input_does_not_go_back(void **state)
{
    struct fixture *f = *state;
    char input[6 + STREAM_BACK_INPUT_MAXIMUM + 2] = "leave\n";
    memset(input + 6, 'x', STREAM_BACK_INPUT_MAXIMUM + 1);
    int client = hand_over(f, PROTOCOL_IMAP, "a1", input);
    grant(f, asked(f));
    expect(
        f, client,
        "a1 alice@example.test 192.0.2.7 TLSv1.3 ab\nleft\n* BYE [LIMIT] too many connections\r\n");
    close(client);
    input[6 + STREAM_BACK_INPUT_MAXIMUM] = '\0';
    client = hand_over(f, PROTOCOL_IMAP, "a1", input);
    grant(f, asked(f));
    close(given_back(f, slice_from_string(input + 6)));
    close(client);
}

static void without_a_login_nothing_goes_back(void **state)
{
    struct fixture *f = *state;
    int client = hand_over(f, PROTOCOL_IMAP, "a1", "");
    grant(f, asked(f));
    expect(f, client, "a1 alice@example.test 192.0.2.7 TLSv1.3 ab\n");
    shutdown(f->login, SHUT_RDWR);
    uint64_t start = clock_monotonic_us();
    while (!f->lost && clock_monotonic_us() - start < PATIENCE_US)
        uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(send(client, "leave\n", 6, 0), 6);
    expect(f, client, "left\n* BYE [UNAVAILABLE] try again later\r\n");
    close(client);
}

static void wrong_message_ends_the_login(void **state)
{
    struct fixture *f = *state;
    struct buffer body;
    struct ipc_message message;
    int client = hand_over(f, PROTOCOL_POP3, "a1", "");
    buffer_init(&body, IPC_BODY_MAXIMUM);
    assert_int_equal(next_message(f, f->login, &body, &message), ERROR_CLOSED);
    assert_int_equal(f->lost, IPC_CHANNEL_LOGIN_SESSION);
    assert_int_equal(f->lost_slot, 3);
    assert_int_equal(f->lost_error, ERROR_PROTOCOL);
    buffer_release(&body);
    close(client);
}

static void waiting_streams_are_limited(void **state)
{
    struct fixture *f = *state;
    int *clients = calloc(HANDOVER_WAITING_MAXIMUM, sizeof(*clients));
    for (size_t i = 0; i < HANDOVER_WAITING_MAXIMUM; i++) {
        clients[i] = hand_over(f, PROTOCOL_IMAP, "a1", "");
        asked(f);
    }
    int client = hand_over(f, PROTOCOL_IMAP, "a1", "");
    expect(f, client, "* BYE [LIMIT] too many connections\r\n");
    close(client);
    for (size_t i = 0; i < HANDOVER_WAITING_MAXIMUM; i++)
        close(clients[i]);
    free(clients);
}

/* What was on its way when the process was told to drain is served, what comes later goes to
 * another process, and the end waits for both. */
static void draining_serves_what_was_on_its_way(void **state)
{
    struct fixture *f = *state;
    int client = hand_over(f, PROTOCOL_IMAP, "a1", "");
    worker_drain(f->worker, WORKER_DRAIN_NO_HURRY);
    handover_drain(f->handover);
    assert_int_equal(ipc_send(f->login, IPC_STREAM, SLICE(""), NULL, 0), ERROR_CLOSED);
    uint64_t id = asked(f);
    for (int i = 0; i < 5; i++)
        uv_run(&f->loop, UV_RUN_ONCE);
    assert_false(f->drained);
    grant(f, id);
    expect(f, client, "a1 alice@example.test");
    assert_false(f->drained);
    close(client);
    uint64_t start = clock_monotonic_us();
    while (!f->drained && clock_monotonic_us() - start < PATIENCE_US)
        uv_run(&f->loop, UV_RUN_ONCE);
    assert_true(f->drained);
}

static void draining_ends_when_nothing_is_left(void **state)
{
    struct fixture *f = *state;
    worker_drain(f->worker, WORKER_DRAIN_NO_HURRY);
    handover_drain(f->handover);
    uint64_t start = clock_monotonic_us();
    while (!f->drained && clock_monotonic_us() - start < PATIENCE_US)
        uv_run(&f->loop, UV_RUN_ONCE);
    assert_true(f->drained);
}

#define WITH_HANDOVER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_HANDOVER(the_language_goes_with_the_stream),
        WITH_HANDOVER(an_unknown_language_ends_the_login),
        WITH_HANDOVER(redeemed_ticket_opens_the_stream),
        WITH_HANDOVER(nobody_is_served_where_that_is_meant),
        WITH_HANDOVER(refused_ticket_refuses_the_login),
        WITH_HANDOVER(account_limit_is_told),
        WITH_HANDOVER(streams_are_refused_while_auth_is_away),
        WITH_HANDOVER(a_stream_goes_back),
        WITH_HANDOVER(too_much_input_does_not_go_back),
        WITH_HANDOVER(without_a_login_nothing_goes_back),
        WITH_HANDOVER(wrong_message_ends_the_login),
        WITH_HANDOVER(waiting_streams_are_limited),
        WITH_HANDOVER(draining_serves_what_was_on_its_way),
        WITH_HANDOVER(draining_ends_when_nothing_is_left),
    };
    log_init("test_handover", LOG_LEVEL_ERROR + 1, LOG_FORMAT_KEY_VALUE);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
