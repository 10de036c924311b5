#include "../check.h"

#include "base/error.h"
#include "bodies.h"
#include "ipc/service.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

struct pair {
    int sockets[2];
    struct buffer body;
};

static void open_pair(struct pair *pair)
{
    assert_int_equal(ipc_pair(pair->sockets), 0);
    buffer_init(&pair->body, IPC_BODY_MAXIMUM);
}

static void close_pair(struct pair *pair)
{
    close(pair->sockets[0]);
    close(pair->sockets[1]);
    buffer_release(&pair->body);
}

static void send_raw(int socket, const void *bytes, size_t size)
{
    assert_int_equal(send(socket, bytes, size, 0), size);
}

static void test_numbers_and_bytes_come_back(void **state)
{
    (void)state;
    struct buffer body;
    buffer_init(&body, 1000);
    ipc_put_u8(&body, 0xfe);
    ipc_put_u32(&body, 0x89abcdef);
    ipc_put_u64(&body, 0x0123456789abcdef);
    ipc_put_bytes(&body, SLICE("text"));
    ipc_put_bytes(&body, SLICE(""));
    assert_int_equal(buffer_error(&body), 0);
    assert_int_equal((unsigned char)body.data[1], 0xef); /* little-endian */

    struct ipc_reader reader;
    ipc_reader_init(&reader, buffer_slice(&body));
    assert_int_equal(ipc_get_u8(&reader), 0xfe);
    assert_int_equal(ipc_get_u32(&reader), 0x89abcdef);
    assert_true(ipc_get_u64(&reader) == 0x0123456789abcdef);
    assert_slice_equal(ipc_get_bytes(&reader, 4), "text");
    assert_slice_equal(ipc_get_bytes(&reader, 0), "");
    assert_int_equal(ipc_reader_finish(&reader), 0);
    buffer_release(&body);
}

static void test_bytes_longer_than_the_reader_permits(void **state)
{
    (void)state;
    struct buffer body;
    buffer_init(&body, 1000);
    ipc_put_bytes(&body, SLICE("text"));
    struct ipc_reader reader;
    ipc_reader_init(&reader, buffer_slice(&body));
    assert_int_equal(ipc_get_bytes(&reader, 3).size, 0);
    assert_int_equal(ipc_reader_finish(&reader), ERROR_PROTOCOL);
    buffer_release(&body);
}

static void test_failed_reader_gives_zeros(void **state)
{
    (void)state;
    struct ipc_reader reader;
    uint8_t bytes[4] = {1, 2, 3, 4};
    ipc_reader_init(&reader, SLICE("abc"));
    ipc_get_fixed(&reader, bytes, sizeof(bytes));
    assert_int_equal(bytes[0] | bytes[1] | bytes[2] | bytes[3], 0);
    assert_int_equal(ipc_get_u8(&reader), 0);
    assert_int_equal(ipc_reader_finish(&reader), ERROR_PROTOCOL);
}

static void test_every_body_whole_cut_and_longer(void **state)
{
    (void)state;
    struct buffer body;
    buffer_init(&body, 1000);
    int rows = 0;
    for (unsigned type = 0; type < 256; type++) {
        const struct ipc_description *row = ipc_describe(type);
        if (!row) {
            assert_false(ipc_body_is_valid((enum ipc_type)type, SLICE("")));
            continue;
        }
        rows++;
        buffer_clear(&body);
        make_body(&body, row, 7);
        for (size_t size = 0; size < body.size; size++)
            assert_false(ipc_body_is_valid(row->type, slice_make(body.data, size)));
        assert_true(ipc_body_is_valid(row->type, buffer_slice(&body)));
        buffer_append_byte(&body, 0);
        assert_false(ipc_body_is_valid(row->type, buffer_slice(&body)));
    }
    assert_true(rows > 20);
    buffer_release(&body);
}

static void test_frame_with_descriptors(void **state)
{
    (void)state;
    struct pair pair;
    open_pair(&pair);
    struct buffer body;
    buffer_init(&body, 100);
    ipc_put_u32(&body, 5);
    ipc_put_u32(&body, 1);
    int descriptors[3] = {0, 1, 2};
    assert_int_equal(ipc_send(pair.sockets[0], IPC_SHARED, buffer_slice(&body), descriptors, 3), 0);

    struct ipc_message message;
    assert_int_equal(ipc_receive(pair.sockets[1], &pair.body, &message), 0);
    assert_int_equal(message.type, IPC_SHARED);
    assert_int_equal(message.descriptor_count, 3);
    assert_true(fcntl(message.descriptors[2], F_GETFD) & FD_CLOEXEC);
    struct ipc_reader reader;
    ipc_reader_init(&reader, message.body);
    assert_int_equal(ipc_get_u32(&reader), 5);
    int taken = message.descriptors[0], left = message.descriptors[1];
    message.descriptors[0] = -1;
    ipc_message_clear(&message);
    assert_int_equal(fcntl(left, F_GETFD), -1);
    assert_int_equal(close(taken), 0);
    buffer_release(&body);
    close_pair(&pair);
}

static void test_largest_frame(void **state)
{
    (void)state;
    struct pair pair;
    open_pair(&pair);
    static char text[IPC_BODY_MAXIMUM];
    struct buffer body;
    buffer_init(&body, IPC_BODY_MAXIMUM + 10);
    ipc_put_u8(&body, 1);
    ipc_put_bytes(&body, slice_make(text, IPC_BODY_MAXIMUM - 5));
    assert_int_equal(ipc_send(pair.sockets[0], IPC_ADMIN_STATUS_TEXT, buffer_slice(&body), NULL, 0),
                     0);
    struct ipc_message message;
    assert_int_equal(ipc_receive(pair.sockets[1], &pair.body, &message), 0);
    assert_int_equal(message.body.size, IPC_BODY_MAXIMUM);
    buffer_append_byte(&body, 0);
    assert_int_equal(ipc_send(pair.sockets[0], IPC_ADMIN_STATUS_TEXT, buffer_slice(&body), NULL, 0),
                     ERROR_LIMIT);
    buffer_release(&body);
    close_pair(&pair);
}

static void test_broken_frames(void **state)
{
    (void)state;
    static char long_frame[IPC_BODY_MAXIMUM + 3] = {63};
    static const struct {
        const char *bytes;
        size_t size;
    } frames[] = {
        {"\x05", 1},                              /* half a type */
        {"\x00\x00", 2},                          /* no such type */
        {"\xff\xff", 2},                          /* no such type */
        {"\x05\x01", 2},                          /* not the type of its low byte */
        {"\x06\x00\x01\x02\x03", 5},              /* a number cut short */
        {"\x06\x00\x01\x02\x03\x04\x05", 7},      /* a surplus byte */
        {"\x3d\x00\0\0\0\0\xff\xff\xff\xff", 10}, /* bytes longer than the frame */
        {long_frame, sizeof(long_frame)},
    };
    for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
        struct pair pair;
        open_pair(&pair);
        send_raw(pair.sockets[0], frames[i].bytes, frames[i].size);
        struct ipc_message message;
        assert_int_equal(ipc_receive(pair.sockets[1], &pair.body, &message), ERROR_PROTOCOL);
        close_pair(&pair);
    }
}

static int count_descriptors(void)
{
    int count = 0;
    for (int i = 0; i < 256; i++)
        count += fcntl(i, F_GETFD) >= 0;
    return count;
}

/* Nothing stays open of a frame that is refused. */
static void test_too_many_descriptors(void **state)
{
    (void)state;
    struct pair pair;
    open_pair(&pair);
    int before = count_descriptors();
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(8 * sizeof(int))];
    } control = {.room = {0}};
    char frame[] = {5, 0};
    struct iovec part = {frame, sizeof(frame)};
    struct msghdr header = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = &control,
                            .msg_controllen = sizeof(control)};
    control.header = (struct cmsghdr){
        .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(8 * sizeof(int))};
    memset(CMSG_DATA(&control.header), 0, 8 * sizeof(int));
    assert_int_equal(sendmsg(pair.sockets[0], &header, 0), 2);
    struct ipc_message message;
    assert_int_equal(ipc_receive(pair.sockets[1], &pair.body, &message), ERROR_PROTOCOL);
    assert_int_equal(count_descriptors(), before);
    close_pair(&pair);
}

static void test_closed_and_busy(void **state)
{
    (void)state;
    struct pair pair;
    open_pair(&pair);
    struct ipc_message message;
    fcntl(pair.sockets[1], F_SETFL, O_NONBLOCK);
    assert_int_equal(ipc_receive(pair.sockets[1], &pair.body, &message), ERROR_BUSY);
    fcntl(pair.sockets[0], F_SETFL, O_NONBLOCK);
    int error, frames = 0;
    while (!(error = ipc_send(pair.sockets[0], IPC_START, SLICE(""), NULL, 0)))
        frames++;
    assert_int_equal(error, ERROR_BUSY);
    for (int i = 0; i < frames; i++)
        assert_int_equal(ipc_receive(pair.sockets[1], &pair.body, &message), 0);
    shutdown(pair.sockets[0], SHUT_RDWR);
    assert_int_equal(ipc_receive(pair.sockets[1], &pair.body, &message), ERROR_CLOSED);
    assert_int_equal(ipc_send(pair.sockets[1], IPC_START, SLICE(""), NULL, 0), ERROR_CLOSED);
    close_pair(&pair);
}

/* Every combination of channel, side, state and number of descriptors against the row. */
static void test_permission_table(void **state)
{
    (void)state;
    static const enum ipc_state states[] = {IPC_STATE_SETUP, IPC_STATE_RUNNING, IPC_STATE_DRAINING};
    for (unsigned type = 0; type < 256; type++) {
        const struct ipc_description *row = ipc_describe(type);
        for (int channel = IPC_CHANNEL_CONTROL; channel <= IPC_CHANNEL_ADMIN; channel++)
            for (int asking = 0; asking < 2; asking++)
                for (size_t i = 0; i < 3; i++)
                    for (size_t count = 0; count <= IPC_DESCRIPTORS_MAXIMUM; count++) {
                        bool expected = row && row->channel == channel &&
                                        row->from_asking_side == asking &&
                                        (row->states & states[i]) && row->descriptors == count;
                        assert_int_equal(ipc_permitted(channel, asking, states[i], type, count),
                                         expected);
                    }
    }
    /* A few by hand. */
    assert_true(ipc_permitted(IPC_CHANNEL_CONTROL, true, IPC_STATE_SETUP, IPC_READY, 0));
    assert_false(ipc_permitted(IPC_CHANNEL_CONTROL, true, IPC_STATE_RUNNING, IPC_READY, 0));
    assert_false(ipc_permitted(IPC_CHANNEL_CONTROL, true, IPC_STATE_SETUP, IPC_START, 0));
    assert_true(ipc_permitted(IPC_CHANNEL_LOGIN_SESSION, true, IPC_STATE_RUNNING, IPC_STREAM, 1));
    assert_false(ipc_permitted(IPC_CHANNEL_LOGIN_SESSION, true, IPC_STATE_RUNNING, IPC_STREAM, 0));
    assert_false(
        ipc_permitted(IPC_CHANNEL_LOGIN_AUTH, true, IPC_STATE_RUNNING, IPC_TICKET_REDEEM, 0));
    assert_true(
        ipc_permitted(IPC_CHANNEL_SESSION_SEND, true, IPC_STATE_RUNNING, IPC_SEND_BEGIN, 1));
    assert_false(
        ipc_permitted(IPC_CHANNEL_SESSION_SEND, true, IPC_STATE_RUNNING, IPC_SEND_RESULT, 0));
    assert_false(
        ipc_permitted(IPC_CHANNEL_ADMIN, true, IPC_STATE_SETUP, IPC_ADMIN_PASSWORD_SET, 0));
}

/* docs/ipc.md has a row "| NAME | number | from | states | descriptors | body |" for every message
 * under its channel's heading, and none for another. */
static void make_row(const struct ipc_description *row, char *line, size_t size)
{
    static const char *const sides[][2] = {
        [IPC_CHANNEL_CONTROL] = {"chapard", "child"},
        [IPC_CHANNEL_LOGIN_AUTH] = {"chapar-auth", "chapar-login"},
        [IPC_CHANNEL_SESSION_AUTH] = {"chapar-auth", "chapar-session"},
        [IPC_CHANNEL_LOGIN_SESSION] = {"chapar-session", "chapar-login"},
        [IPC_CHANNEL_SESSION_SEND] = {"chapar-send", "chapar-session"},
        [IPC_CHANNEL_ADMIN] = {"server", "chapar"},
    };
    const char *states = row->states == IPC_STATE_ANY       ? "any"
                         : row->states == IPC_STATE_SETUP   ? "set-up"
                         : row->states == IPC_STATE_RUNNING ? "running"
                                                            : "running, draining";
    snprintf(line, size, "| %s | %d | %s | %s | %zu | %s%s%s |", row->name, row->type,
             sides[row->channel][row->from_asking_side], states, row->descriptors,
             *row->body ? "`" : "", *row->body ? row->body : "nothing", *row->body ? "`" : "");
}

static void test_documentation_has_every_message(void **state)
{
    (void)state;
    FILE *file = fopen(IPC_DOCUMENTATION, "r");
    assert_non_null(file);
    static char text[64 * 1024];
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    size_t rows = 0, documented = 0;
    for (unsigned type = 0; type < 256; type++) {
        const struct ipc_description *row = ipc_describe(type);
        if (!row)
            continue;
        char line[512];
        make_row(row, line, sizeof(line));
        rows++;
        if (!strstr(text, line)) {
            print_error("docs/ipc.md lacks: %s\n", line);
            fail();
        }
    }
    for (const char *p = text; (p = strstr(p, "\n| ")); p++)
        documented += p[3] >= 'A' && p[3] <= 'Z' && p[4] >= 'A' && p[4] <= 'Z';
    assert_int_equal(documented, rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_and_bytes_come_back),
        cmocka_unit_test(test_bytes_longer_than_the_reader_permits),
        cmocka_unit_test(test_failed_reader_gives_zeros),
        cmocka_unit_test(test_every_body_whole_cut_and_longer),
        cmocka_unit_test(test_frame_with_descriptors),
        cmocka_unit_test(test_largest_frame),
        cmocka_unit_test(test_broken_frames),
        cmocka_unit_test(test_too_many_descriptors),
        cmocka_unit_test(test_closed_and_busy),
        cmocka_unit_test(test_permission_table),
        cmocka_unit_test(test_documentation_has_every_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
