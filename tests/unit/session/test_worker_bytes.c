/*
 * The worker and the bytes of its streams: peers that are slower than what is said to them, or say
 * more than is taken, and runs that send within themselves.
 */
#include "worker_fixture.h"

/* The same in as few runs as the peer's reading allows. */
static enum stream_need produce_and_send(struct stream *stream)
{
    enum stream_need need;
    do
        need = produce(stream);
    while (need == STREAM_NEED_OUTPUT && stream->send(stream));
    assert_true(stream->output.size <= PIECE);
    return need;
}

/* Reads to the end. */
static size_t take_all(struct fixture *f, int client)
{
    static char sink[65536];
    size_t taken = 0;
    uint64_t start = clock_monotonic_us();
    while (clock_monotonic_us() - start < PATIENCE_US) {
        ssize_t n = recv(client, sink, sizeof(sink), 0);
        if (n == 0)
            break;
        taken += n > 0 ? (size_t)n : 0;
        turn(f);
    }
    return taken;
}

static void does_not_read(struct fixture *f, enum stream_need (*step)(struct stream *stream))
{
    int client;
    fake.step = step;
    assert_int_equal(adopt(f, 1, NULL, &client), 0);
    turn_for(f, 200 * 1000);
    assert_true(atomic_load(&fake.produced) < 20); /* what the socket's buffer holds */
    assert_int_equal(take_all(f, client), PIECE * PIECES);
    close(client);
}

static void peer_that_does_not_read_pauses_its_stream(void **state)
{
    does_not_read(*state, produce);
}

static void peer_that_does_not_read_pauses_a_run_that_sends(void **state)
{
    does_not_read(*state, produce_and_send);
}

static size_t reader_took;

static void *read_all(void *arg)
{
    static char sink[65536];
    const int *client = arg;
    ssize_t n;
    while ((n = recv(*client, sink, sizeof(sink), 0)) != 0)
        reader_took += n > 0 ? (size_t)n : 0;
    return NULL;
}

/* The loop does not turn while the run goes on. */
static void run_sends_to_a_peer_that_reads(void **state)
{
    struct fixture *f = *state;
    int client;
    pthread_t reader;
    fake.step = produce_and_send;
    reader_took = 0;
    assert_int_equal(adopt(f, 1, NULL, &client), 0);
    assert_int_equal(pthread_create(&reader, NULL, read_all, &client), 0);
    wait_until(f, worker_streams(f->worker) == 0);
    pthread_join(reader, NULL);
    assert_int_equal(reader_took, PIECE * PIECES);
    assert_true(atomic_load(&fake.runs) < PIECES);
    assert_string_equal(fake.ended, "logout");
    close(client);
}

/* The first stream's run sends as long as it may. */
static enum stream_need send_while_alone(struct stream *stream)
{
    if (atomic_fetch_add(&fake.inside, 1) == 0) {
        do {
            usleep(1000);
            buffer_append_byte(&stream->output, 'x');
            atomic_fetch_add(&fake.produced, 1);
        } while (stream->send(stream));
        atomic_store(&fake.hold, 0);
    }
    return STREAM_NEED_CLOSE;
}

static void run_that_sends_gives_way(void **state)
{
    struct fixture *f = *state;
    int first, second;
    char sink[64];
    fake.step = send_while_alone;
    f->config.session_threads = 1;
    atomic_store(&fake.hold, 1);
    assert_int_equal(adopt(f, 1, NULL, &first), 0);
    wait_until(f, atomic_load(&fake.produced) > 3);
    assert_int_equal(adopt(f, 2, NULL, &second), 0);
    wait_until(f, recv(first, sink, sizeof(sink), 0) >= 0 && !atomic_load(&fake.hold));
    wait_until(f, worker_streams(f->worker) == 0);
    close(first);
    close(second);
}

static void peer_that_never_reads_is_closed(void **state)
{
    struct fixture *f = *state;
    int client;
    fake.step = produce;
    f->config.write_timeout = 1;
    assert_int_equal(adopt(f, 1, NULL, &client), 0);
    wait_until(f, worker_streams(f->worker) == 0);
    assert_string_equal(fake.ended, "write_timeout");
    assert_true(atomic_load(&fake.produced) < PIECES);
    close(client);
}

/* Holds its thread while asked to; otherwise swallows what has come. */
static enum stream_need swallow(struct stream *stream)
{
    while (atomic_load(&fake.hold))
        usleep(1000);
    atomic_fetch_add(&fake.produced, stream->input.size);
    stream->input = slice_sub(stream->input, stream->input.size, 0);
    return STREAM_NEED_INPUT;
}

static void input_is_not_read_without_end(void **state)
{
    struct fixture *f = *state;
    enum { TOTAL = 1024 * 1024 };
    static char bytes[4096];
    int client;
    size_t given = 0;
    fake.step = swallow;
    atomic_store(&fake.hold, 1);
    assert_int_equal(adopt(f, 1, NULL, &client), 0);
    uint64_t start = clock_monotonic_us();
    while (clock_monotonic_us() - start < 300 * 1000 && given < TOTAL) {
        ssize_t n = send(client, bytes, sizeof(bytes), 0);
        given += n > 0 ? (size_t)n : 0;
        turn(f);
    }
    assert_true(given < TOTAL);
    atomic_store(&fake.hold, 0);
    start = clock_monotonic_us();
    while (given < TOTAL && clock_monotonic_us() - start < PATIENCE_US) {
        size_t rest = TOTAL - given < sizeof(bytes) ? TOTAL - given : sizeof(bytes);
        ssize_t n = send(client, bytes, rest, 0);
        given += n > 0 ? (size_t)n : 0;
        turn(f);
    }
    wait_until(f, atomic_load(&fake.produced) == TOTAL);
    assert_true(atomic_load(&fake.largest_input) <= STREAM_INPUT_MAXIMUM);
    close(client);
}

static enum stream_need refuse_input(struct stream *stream)
{
    (void)stream;
    return STREAM_NEED_INPUT;
}

static void input_nobody_takes_ends_the_stream(void **state)
{
    struct fixture *f = *state;
    static char bytes[STREAM_INPUT_MAXIMUM];
    int client;
    fake.step = refuse_input;
    assert_int_equal(adopt(f, 1, NULL, &client), 0);
    for (size_t given = 0; given < sizeof(bytes);) {
        ssize_t n = send(client, bytes, sizeof(bytes) - given, 0);
        given += n > 0 ? (size_t)n : 0;
        turn(f);
    }
    wait_until(f, worker_streams(f->worker) == 0);
    assert_string_equal(fake.ended, "input_limit");
    close(client);
}

static enum stream_need overflow(struct stream *stream)
{
    static char bytes[STREAM_OUTPUT_MARK];
    while (buffer_append(&stream->output, slice_make(bytes, sizeof(bytes))) == 0)
        continue;
    return STREAM_NEED_OUTPUT;
}

static void output_without_end_ends_the_stream(void **state)
{
    struct fixture *f = *state;
    int client;
    fake.step = overflow;
    assert_int_equal(adopt(f, 1, NULL, &client), 0);
    wait_until(f, worker_streams(f->worker) == 0);
    assert_string_equal(fake.ended, "output_limit");
    close(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORKER(peer_that_does_not_read_pauses_its_stream),
        WITH_WORKER(peer_that_does_not_read_pauses_a_run_that_sends),
        WITH_WORKER(run_sends_to_a_peer_that_reads),
        WITH_WORKER(run_that_sends_gives_way),
        WITH_WORKER(peer_that_never_reads_is_closed),
        WITH_WORKER(input_is_not_read_without_end),
        WITH_WORKER(input_nobody_takes_ends_the_stream),
        WITH_WORKER(output_without_end_ends_the_stream),
    };
    log_init("test_worker_bytes", LOG_LEVEL_ERROR, LOG_FORMAT_KEY_VALUE);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
