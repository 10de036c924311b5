#include "login_fixture.h"

/* A pump between a TLS client and the returned end, as after a login. */
static int start_pump(struct fixture *fixture)
{
    int pair[2], stream[2], events = 0;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, stream), 0);
    struct transport transport = {.socket = pair[0]};
    fixture->client = pair[1];
    fixture->tls = make_client(fixture->client_context, pair[1]);
    assert_int_equal(transport_start_tls(&transport, fixture->login.tls), 0);
    int error = ERROR_BUSY, connected = 0;
    while (error || connected != 1) {
        connected = SSL_do_handshake(fixture->tls);
        if (error)
            error = transport_handshake(&transport, &events);
        assert_true(error == 0 || error == ERROR_BUSY);
    }
    pump_create(&fixture->login, &transport, stream[0], SLICE(""));
    return stream[1];
}

static void wait_until_closed(struct fixture *fixture)
{
    while (fixture->login.open)
        turn(fixture);
}

static void test_both_ways(void **state)
{
    struct fixture *fixture = *state;
    int stream = start_pump(fixture);
    say(fixture, "a NOOP\r\n");
    expect_bytes(fixture, stream, "a NOOP\r\n");
    assert_int_equal(send(stream, "a OK done\r\n", 11, 0), 11);
    hear(fixture, "a OK done");
    close(stream);
    hear(fixture, NULL);
    assert_int_equal(SSL_get_shutdown(fixture->tls), SSL_RECEIVED_SHUTDOWN);
    disconnect(fixture);
    wait_until_closed(fixture);
}

/* Much to send, to a client that does not read: the session is held up, nothing piles up here,
 * and in the end everything has arrived in order. */
static void test_back_pressure_down(void **state)
{
    struct fixture *fixture = *state;
    enum { TOTAL = 4 * 1024 * 1024 };
    int stream = start_pump(fixture);
    uint32_t sent = 0, received = 0, stuck = 0;
    while (stuck < 20) {
        ssize_t put = send(stream, &sent, sizeof sent, MSG_DONTWAIT);
        assert_true(put == -1 || put == sizeof sent);
        sent += put > 0;
        stuck = put > 0 ? 0 : stuck + 1;
        if (put < 0)
            turn(fixture);
    }
    assert_in_range(sent, 1000, TOTAL);
    close(stream);
    while (received < sent) {
        uint32_t number;
        ssize_t got = client_read(fixture, (char *)&number, sizeof number);
        if (got < 0) {
            turn(fixture);
            continue;
        }
        assert_int_equal(got, sizeof number);
        assert_int_equal(number, received);
        received++;
    }
    hear(fixture, NULL);
    disconnect(fixture);
    wait_until_closed(fixture);
}

static void test_back_pressure_up(void **state)
{
    struct fixture *fixture = *state;
    static char block[64 * 1024];
    int stream = start_pump(fixture);
    size_t sent = 0, received = 0;
    int put = 1;
    for (int i = 0; i < 200; i++) {
        put = SSL_write(fixture->tls, block, sizeof block);
        sent += put > 0 ? (size_t)put : 0;
        turn(fixture);
    }
    assert_int_equal(put, -1);
    size_t expected = sent + sizeof block; /* the block that is stuck */
    while (received < expected) {
        if (put < 0)
            put = SSL_write(fixture->tls, block, sizeof block);
        ssize_t got = recv(stream, block, sizeof block, 0);
        received += got > 0 ? (size_t)got : 0;
        turn(fixture);
    }
    close(stream);
}

/* The client ends first: the session still answers. */
static void test_half_close(void **state)
{
    struct fixture *fixture = *state;
    char byte;
    int stream = start_pump(fixture);
    say(fixture, "a LOGOUT\r\n");
    SSL_shutdown(fixture->tls);
    expect_bytes(fixture, stream, "a LOGOUT\r\n");
    while (recv(stream, &byte, 1, 0) != 0)
        turn(fixture);
    assert_int_equal(send(stream, "a OK bye\r\n", 10, 0), 10);
    hear(fixture, "a OK bye");
    close(stream);
    wait_until_closed(fixture);
}

static void test_client_lost(void **state)
{
    struct fixture *fixture = *state;
    char byte;
    int stream = start_pump(fixture);
    disconnect(fixture);
    while (recv(stream, &byte, 1, 0) != 0)
        turn(fixture);
    close(stream);
    wait_until_closed(fixture);
}

/* A session that ends while the client neither reads nor ends: the time limit closes. */
static void test_farewell_ends(void **state)
{
    struct fixture *fixture = *state;
    int stream = start_pump(fixture);
    send(stream, "* BYE\r\n", 7, 0);
    close(stream);
    wait_until_closed(fixture);
    hear(fixture, "* BYE");
}

static void note(void *arg)
{
    *(bool *)arg = true;
}

static void test_drain(void **state)
{
    struct fixture *fixture = *state;
    bool drained = false;
    int stream = start_pump(fixture);
    login_drain(&fixture->login, UINT32_MAX, note, &drained);
    say(fixture, "x");
    expect_bytes(fixture, stream, "x");
    assert_false(drained);
    login_drain(&fixture->login, 0, note, &drained);
    while (!drained)
        turn(fixture);
    close(stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_both_ways, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_back_pressure_down, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_back_pressure_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_half_close, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_client_lost, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_farewell_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_drain, set_up, tear_down),
    };
    signal(SIGPIPE, SIG_IGN);
    log_init("test", LOG_LEVEL_ERROR, LOG_FORMAT_KEY_VALUE);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
