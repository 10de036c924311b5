/*
 * A worker with a small protocol over socket pairs, whose behaviour each test chooses, and what the
 * worker would take from elsewhere.
 */
#ifndef TESTS_UNIT_SESSION_WORKER_FIXTURE_H
#define TESTS_UNIT_SESSION_WORKER_FIXTURE_H

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "kv/notice_ring.h"
#include "session/worker.h"
#include "store/retained.h"
#include "store/settle.h"
#include "store/summaries.h"
#include "store/transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

enum { PATIENCE_US = 8 * 1000 * 1000 };

/* --- what the worker would take from elsewhere --- */

static atomic_int maintained, purged, notes;

int store_maintain(struct store *store)
{
    assert_non_null(store);
    atomic_fetch_add(&maintained, 1);
    return 0;
}

int store_purge_used(struct store *store, const atomic_bool *stop)
{
    assert_non_null(store);
    /* A drain may begin just before it runs. */
    atomic_fetch_add(&purged, !atomic_load(stop));
    return 0;
}

int store_recover(struct store *store, size_t *finished)
{
    assert_non_null(store);
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
    return notice_space(SLICE("directory"));
}

/* What is said of account 1; of others nothing is wrong. */
static atomic_int account_error, account_checks;

static inline int check_account(struct store *store, struct account_id account)
{
    assert_non_null(store);
    atomic_fetch_add(&account_checks, 1);
    return account.bytes[0] == 1 ? atomic_load(&account_error) : 0;
}

void service_note(struct service *service, const char *text)
{
    assert_non_null(service);
    if (text && strcmp(text, "fake alice@example.test") == 0)
        atomic_fetch_add(&notes, 1);
}

/* --- a protocol whose behaviour each test chooses --- */

struct fake {
    enum stream_need (*step)(struct stream *stream);
    atomic_bool administrator; /* the last stream's */
    atomic_int inside;         /* threads in run() */
    atomic_int runs, noticed, hold;
    atomic_size_t largest_input, produced;
    char ended[32];
};
static struct fake fake;

static inline int fake_open(struct stream *stream)
{
    stream->state = &fake;
    return 0;
}

static inline enum stream_need fake_run(struct stream *stream)
{
    if (atomic_load(&fake.largest_input) < stream->input.size)
        atomic_store(&fake.largest_input, stream->input.size);
    atomic_fetch_add(&fake.runs, 1);
    atomic_store(&fake.administrator, stream->administrator);
    atomic_fetch_add(&fake.noticed, stream->noticed);
    if (stream->timed_out)
        buffer_append_format(&stream->output, "timeout %s\n", stream->timed_out);
    else if (stream->draining)
        buffer_append_string(&stream->output, stream->dismissed ? "dismissed\n" : "draining\n");
    if (stream->timed_out || stream->draining)
        return STREAM_NEED_CLOSE;
    return fake.step(stream);
}

static inline uint32_t fake_idle_limit(const struct stream *stream)
{
    return (uint32_t)stream->config->idle_timeout;
}

static inline void fake_close(struct stream *stream, const char *why)
{
    (void)stream;
    snprintf(fake.ended, sizeof(fake.ended), "%s", why);
}

static const struct stream_protocol fake_protocol = {.name = "fake",
                                                     .open = fake_open,
                                                     .run = fake_run,
                                                     .has_administrators = true,
                                                     .idle_limit = fake_idle_limit,
                                                     .idle_limit_name = "idle_timeout",
                                                     .close = fake_close};

static inline enum stream_need echo(struct stream *stream)
{
    bool quit = slice_starts_with(stream->input, SLICE("quit"));
    buffer_append(&stream->output, stream->input);
    stream->input = slice_sub(stream->input, stream->input.size, 0);
    return quit ? STREAM_NEED_CLOSE : STREAM_NEED_INPUT;
}

/* --- the worker under test --- */

struct fixture {
    uv_loop_t loop;
    uv_timer_t heartbeat; /* so that waiting for a condition never sleeps long */
    struct config config;
    struct worker *worker;
    struct notice_ring *ring;
    int wake, memory;
    bool drained;
};

static inline void on_heartbeat(uv_timer_t *timer)
{
    (void)timer;
}

static inline void on_drained(void *arg)
{
    ((struct fixture *)arg)->drained = true;
}

static inline void make_ring(struct fixture *f)
{
    int wake[NOTICE_SLOTS];
    for (int i = 0; i < NOTICE_SLOTS; i++)
        wake[i] = -1;
    f->memory = notice_ring_create();
    f->wake = wake[0] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    assert_int_equal(notice_ring_attach(f->memory, wake, 0, &f->ring), 0);
}

static inline int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    fake = (struct fake){.step = echo};
    f->config = (struct config){.session_connections = 200,
                                .account_connections = 3,
                                .idle_timeout = 100,
                                .write_timeout = 100};
    uv_loop_init(&f->loop);
    uv_timer_init(&f->loop, &f->heartbeat);
    uv_timer_start(&f->heartbeat, on_heartbeat, 2, 2);
    make_ring(f);
    static char nothing;
    const struct worker_options options = {.loop = &f->loop,
                                           .config = &f->config,
                                           .service = (struct service *)&nothing,
                                           .store = (struct store *)&nothing,
                                           .spool_directory = -1,
                                           .notices = f->ring,
                                           .check_account = check_account,
                                           .drained = on_drained,
                                           .arg = f};
    atomic_store(&purged, 0);
    atomic_store(&account_error, 0);
    atomic_store(&account_checks, 0);
    assert_int_equal(worker_create(&options, &f->worker), 0);
    *state = f;
    return 0;
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;
    if (!f->drained)
        worker_drain(f->worker, 0);
    while (!f->drained)
        uv_run(&f->loop, UV_RUN_ONCE);
    worker_free(&f->worker);
    uv_close((uv_handle_t *)&f->heartbeat, NULL);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    notice_ring_detach(&f->ring);
    close(f->memory);
    close(f->wake);
    free(f);
    return 0;
}

static inline struct account_id account(uint8_t number)
{
    return (struct account_id){{number}};
}

static inline int adopt(struct fixture *f, uint8_t number, const char *input, int *client)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    const struct worker_facts facts = {.protocol = &fake_protocol,
                                       .has_account = true,
                                       .account = account(number),
                                       .user = "alice@example.test",
                                       .client = "192.0.2.1",
                                       .input = slice_from_string(input)};
    int error = worker_adopt(f->worker, pair[0], &facts);
    if (error) {
        close(pair[0]);
        close(pair[1]);
        return error;
    }
    *client = pair[1];
    fcntl(*client, F_SETFL, O_NONBLOCK);
    return 0;
}

static inline void turn(struct fixture *f)
{
    uv_run(&f->loop, UV_RUN_ONCE);
}

/* Turns the loop until the condition holds. */
#define wait_until(f, condition)                                                                   \
    do {                                                                                           \
        uint64_t start_ = clock_monotonic_us();                                                    \
        while (!(condition)) {                                                                     \
            turn(f);                                                                               \
            assert_true(clock_monotonic_us() - start_ < PATIENCE_US);                              \
        }                                                                                          \
    } while (0)

/* Reads exactly what is expected, or (text NULL) the end. */
static inline void expect(struct fixture *f, int client, const char *text)
{
    char got[256] = "";
    size_t size = 0, wanted = text ? strlen(text) : 0;
    uint64_t start = clock_monotonic_us();
    for (;;) {
        ssize_t n = recv(client, got + size, text ? wanted - size : 1, 0);
        if (n > 0)
            size += (size_t)n;
        if (n == 0 || (text && size == wanted))
            break;
        turn(f);
        assert_true(clock_monotonic_us() - start < PATIENCE_US);
    }
    assert_string_equal(got, text ? text : "");
}

static inline void say(int client, const char *text)
{
    assert_int_equal(send(client, text, strlen(text), 0), strlen(text));
}

enum { PIECE = 48 * 1024, PIECES = 100 };

static inline enum stream_need produce(struct stream *stream)
{
    char *place = buffer_reserve(&stream->output, PIECE);
    memset(place, 'x', PIECE);
    buffer_commit(&stream->output, PIECE);
    size_t pieces = atomic_fetch_add(&fake.produced, 1) + 1;
    return pieces < PIECES ? STREAM_NEED_OUTPUT : STREAM_NEED_CLOSE;
}

static inline void turn_for(struct fixture *f, uint64_t us)
{
    uint64_t start = clock_monotonic_us();
    while (clock_monotonic_us() - start < us)
        turn(f);
}

#define WITH_WORKER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

#endif
