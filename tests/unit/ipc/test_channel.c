#include "../check.h"

#include "base/error.h"
#include "ipc/channel.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static unsigned idle_seconds; /* of the next channel */

/* One end in a loop, the other a plain socket in the test's hand. */
struct fixture {
    uv_loop_t loop;
    struct ipc_channel *channel;
    int peer;
    struct buffer body;
    int received, closed, error;
    int answer; /* what the handler returns */
    bool free_in_handler, detach_in_handler;
    int taken;
};

static int received(struct ipc_channel *channel, struct ipc_message *message, void *arg)
{
    struct fixture *fixture = arg;
    (void)channel;
    fixture->received++;
    if (message->descriptor_count) {
        fixture->taken = message->descriptors[0];
        message->descriptors[0] = -1;
    }
    if (fixture->free_in_handler)
        ipc_channel_free(&fixture->channel);
    else if (fixture->detach_in_handler)
        fixture->taken = ipc_channel_detach(&fixture->channel);
    return fixture->answer;
}

static void closed(struct ipc_channel *channel, int error, void *arg)
{
    struct fixture *fixture = arg;
    assert_ptr_equal(channel, fixture->channel);
    fixture->closed++;
    fixture->error = error;
    ipc_channel_free(&fixture->channel);
}

static void open_channel(struct fixture *fixture, enum ipc_state state)
{
    *fixture = (struct fixture){.taken = -1};
    int sockets[2];
    assert_int_equal(ipc_pair(sockets), 0);
    uv_loop_init(&fixture->loop);
    buffer_init(&fixture->body, IPC_BODY_MAXIMUM);
    fixture->peer = sockets[1];
    struct ipc_channel_options options = {.kind = IPC_CHANNEL_CONTROL,
                                          .asking = true,
                                          .state = state,
                                          .received = received,
                                          .closed = closed,
                                          .arg = fixture,
                                          .idle_seconds = idle_seconds};
    assert_int_equal(ipc_channel_create(&fixture->loop, sockets[0], &options, &fixture->channel),
                     0);
}

static void turn(struct fixture *fixture)
{
    for (int i = 0; i < 4; i++)
        uv_run(&fixture->loop, UV_RUN_NOWAIT);
}

static void close_fixture(struct fixture *fixture)
{
    ipc_channel_free(&fixture->channel);
    turn(fixture);
    assert_int_equal(uv_loop_close(&fixture->loop), 0);
    close(fixture->peer);
    if (fixture->taken >= 0)
        close(fixture->taken);
    buffer_release(&fixture->body);
}

static void send_start(struct fixture *fixture)
{
    assert_int_equal(ipc_send(fixture->peer, IPC_START, SLICE(""), NULL, 0), 0);
}

static void test_receives_in_order_then_notices_the_end(void **state)
{
    (void)state;
    struct fixture fixture;
    open_channel(&fixture, IPC_STATE_SETUP);
    for (int i = 0; i < 100; i++)
        send_start(&fixture);
    close(fixture.peer);
    fixture.peer = -1;
    turn(&fixture);
    assert_int_equal(fixture.received, 100);
    assert_int_equal(fixture.closed, 1);
    assert_int_equal(fixture.error, ERROR_CLOSED);
    close_fixture(&fixture);
}

static void test_descriptor_is_taken(void **state)
{
    (void)state;
    struct fixture fixture;
    open_channel(&fixture, IPC_STATE_RUNNING);
    int descriptor = 0;
    assert_int_equal(ipc_send(fixture.peer, IPC_PEER, slice_make("\1\0\0\0\0", 5), &descriptor, 1),
                     0);
    turn(&fixture);
    assert_int_equal(fixture.received, 1);
    assert_true(fixture.taken >= 0);
    assert_true(fcntl(fixture.taken, F_GETFD) & FD_CLOEXEC);
    close_fixture(&fixture);
}

static void test_breach_ends_the_peer(void **state)
{
    (void)state;
    struct fixture fixture;
    open_channel(&fixture, IPC_STATE_RUNNING); /* START is for SETUP */
    send_start(&fixture);
    send_start(&fixture);
    turn(&fixture);
    assert_int_equal(fixture.received, 0);
    assert_int_equal(fixture.closed, 1);
    assert_int_equal(fixture.error, ERROR_PROTOCOL);
    close_fixture(&fixture);
}

static void test_state_changes_what_is_permitted(void **state)
{
    (void)state;
    struct fixture fixture;
    open_channel(&fixture, IPC_STATE_SETUP);
    send_start(&fixture);
    turn(&fixture);
    ipc_channel_set_state(fixture.channel, IPC_STATE_RUNNING);
    send_start(&fixture);
    turn(&fixture);
    assert_int_equal(fixture.received, 1);
    assert_int_equal(fixture.error, ERROR_PROTOCOL);
    close_fixture(&fixture);
}

static void test_handler_refuses(void **state)
{
    (void)state;
    struct fixture fixture;
    open_channel(&fixture, IPC_STATE_SETUP);
    fixture.answer = ERROR_SYNTAX;
    send_start(&fixture);
    send_start(&fixture);
    turn(&fixture);
    assert_int_equal(fixture.received, 1);
    assert_int_equal(fixture.error, ERROR_PROTOCOL);
    close_fixture(&fixture);
}

static void test_handler_frees(void **state)
{
    (void)state;
    struct fixture fixture;
    open_channel(&fixture, IPC_STATE_SETUP);
    fixture.free_in_handler = true;
    send_start(&fixture);
    send_start(&fixture);
    turn(&fixture);
    assert_int_equal(fixture.received, 1);
    assert_int_equal(fixture.closed, 0);
    close_fixture(&fixture);
}

/* What the peer sent after the message is still in the socket that is handed on. */
static void test_handler_detaches(void **state)
{
    (void)state;
    struct fixture fixture;
    open_channel(&fixture, IPC_STATE_SETUP);
    fixture.detach_in_handler = true;
    send_start(&fixture);
    send_start(&fixture);
    turn(&fixture);
    assert_int_equal(fixture.received, 1);
    struct ipc_message message;
    assert_int_equal(ipc_receive(fixture.taken, &fixture.body, &message), 0);
    assert_int_equal(ipc_receive(fixture.taken, &fixture.body, &message), ERROR_BUSY);
    close_fixture(&fixture);
}

static void fill_ready(struct buffer *body, uint32_t number)
{
    buffer_clear(body);
    ipc_put_u32(body, number);
    ipc_put_u8(body, 0);
}

/* A peer that says nothing is let go; every message gives it its time anew. */
static void test_silent_peer_is_let_go(void **state)
{
    (void)state;
    struct fixture fixture;
    idle_seconds = 1;
    open_channel(&fixture, IPC_STATE_SETUP);
    idle_seconds = 0;
    for (int i = 0; i < 3; i++) {
        usleep(400 * 1000);
        send_start(&fixture);
        turn(&fixture);
    }
    assert_int_equal(fixture.received, 3);
    assert_int_equal(fixture.closed, 0);
    usleep(1100 * 1000);
    turn(&fixture);
    assert_int_equal(fixture.closed, 1);
    assert_int_equal(fixture.error, ERROR_TIMEOUT);
    close_fixture(&fixture);
}

static void test_queue_keeps_order(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    struct fixture fixture;
    open_channel(&fixture, IPC_STATE_RUNNING);
    struct buffer body;
    buffer_init(&body, 100);
    for (uint32_t i = 0; i < COUNT; i++) {
        fill_ready(&body, i);
        assert_int_equal(ipc_channel_send(fixture.channel, IPC_READY, &body, NULL, 0), 0);
    }
    fcntl(fixture.peer, F_SETFL, O_NONBLOCK);
    uint32_t next = 0;
    for (int turns = 0; turns < COUNT && next < COUNT; turns++) {
        struct ipc_message message;
        while (ipc_receive(fixture.peer, &fixture.body, &message) == 0) {
            struct ipc_reader reader;
            ipc_reader_init(&reader, message.body);
            assert_int_equal(ipc_get_u32(&reader), next++);
        }
        turn(&fixture);
    }
    assert_int_equal(next, COUNT);
    assert_int_equal(fixture.closed, 0);
    buffer_release(&body);
    close_fixture(&fixture);
}

static void test_stuck_peer_is_given_up(void **state)
{
    (void)state;
    struct fixture fixture;
    open_channel(&fixture, IPC_STATE_RUNNING);
    struct buffer body;
    buffer_init(&body, IPC_BODY_MAXIMUM);
    assert_non_null(buffer_reserve(&body, 50000));
    memset(body.data, 0, 50000);
    buffer_commit(&body, 50000);
    int error = 0, count = 0;
    while (!error && count++ < 1000)
        error = ipc_channel_send(fixture.channel, IPC_READY, &body, NULL, 0);
    assert_int_equal(error, ERROR_LIMIT);
    assert_true(count * 50000 > CHANNEL_QUEUE_MAXIMUM);
    assert_int_equal(fixture.closed, 0); /* not from within the call */
    turn(&fixture);
    assert_int_equal(fixture.closed, 1);
    assert_int_equal(fixture.error, ERROR_LIMIT);
    buffer_release(&body);
    close_fixture(&fixture);
}

static void test_failed_body_is_not_sent(void **state)
{
    (void)state;
    struct fixture fixture;
    open_channel(&fixture, IPC_STATE_RUNNING);
    struct buffer body;
    buffer_init(&body, 2);
    ipc_put_u32(&body, 1);
    assert_int_equal(ipc_channel_send(fixture.channel, IPC_READY, &body, NULL, 0), ERROR_LIMIT);
    struct ipc_message message;
    fcntl(fixture.peer, F_SETFL, O_NONBLOCK);
    assert_int_equal(ipc_receive(fixture.peer, &fixture.body, &message), ERROR_BUSY);
    close_fixture(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_receives_in_order_then_notices_the_end),
        cmocka_unit_test(test_descriptor_is_taken),
        cmocka_unit_test(test_breach_ends_the_peer),
        cmocka_unit_test(test_state_changes_what_is_permitted),
        cmocka_unit_test(test_handler_refuses),
        cmocka_unit_test(test_handler_frees),
        cmocka_unit_test(test_handler_detaches),
        cmocka_unit_test(test_silent_peer_is_let_go),
        cmocka_unit_test(test_queue_keeps_order),
        cmocka_unit_test(test_stuck_peer_is_given_up),
        cmocka_unit_test(test_failed_body_is_not_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
