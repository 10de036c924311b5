/*
 * The worker with small protocols over socket pairs: when streams run, what stops them, what
 * wakes them, and how they end.
 */
#include "worker_fixture.h"

static void answers_and_closes(void **state)
{
    struct fixture *f = *state;
    int client;
    atomic_store(&notes, 0);
    assert_int_equal(adopt(f, 1, "early ", &client), 0);
    expect(f, client, "early ");
    say(client, "hello");
    expect(f, client, "hello");
    say(client, "quit");
    expect(f, client, "quit");
    expect(f, client, NULL);
    wait_until(f, worker_streams(f->worker) == 0);
    assert_string_equal(fake.ended, "logout");
    assert_true(atomic_load(&notes) >= 3);
    close(client);
}

static void half_closed_peer_gets_every_answer(void **state)
{
    struct fixture *f = *state;
    int client;
    assert_int_equal(adopt(f, 1, NULL, &client), 0);
    say(client, "last words");
    shutdown(client, SHUT_WR);
    expect(f, client, "last words");
    expect(f, client, NULL);
    wait_until(f, worker_streams(f->worker) == 0);
    assert_string_equal(fake.ended, "closed");
    close(client);
}

static void idle_stream_is_told_which_limit_passed(void **state)
{
    struct fixture *f = *state;
    int client;
    f->config.idle_timeout = 1;
    assert_int_equal(adopt(f, 1, NULL, &client), 0);
    uint64_t start = clock_monotonic_us();
    expect(f, client, "timeout idle_timeout\n");
    assert_true(clock_monotonic_us() - start >= 1000 * 1000);
    expect(f, client, NULL);
    wait_until(f, worker_streams(f->worker) == 0);
    assert_string_equal(fake.ended, "idle_timeout");
    close(client);
}

static void activity_puts_the_limit_off(void **state)
{
    struct fixture *f = *state;
    int client;
    f->config.idle_timeout = 2;
    assert_int_equal(adopt(f, 1, NULL, &client), 0);
    for (int i = 0; i < 6; i++) {
        turn_for(f, 500 * 1000);
        say(client, "x");
        expect(f, client, "x");
    }
    assert_int_equal(worker_streams(f->worker), 1);
    close(client);
}

static enum stream_need watch(struct stream *stream)
{
    while (atomic_load(&fake.hold))
        usleep(1000);
    if (stream->noticed)
        buffer_append_string(&stream->output, "changed\n");
    stream->input = slice_sub(stream->input, stream->input.size, 0);
    return STREAM_NEED_NOTICE;
}

static void post(struct fixture *f, uint8_t number)
{
    notice_ring_post(f->ring, store_account_notice(account(number)));
}

static void notice_wakes_the_accounts_streams(void **state)
{
    struct fixture *f = *state;
    int first, second, other;
    fake.step = watch;
    assert_int_equal(adopt(f, 1, NULL, &first), 0);
    assert_int_equal(adopt(f, 1, NULL, &second), 0);
    assert_int_equal(adopt(f, 2, NULL, &other), 0);
    wait_until(f, atomic_load(&fake.runs) == 3);
    turn_for(f, 20 * 1000);
    uint64_t start = clock_monotonic_us();
    post(f, 1);
    expect(f, first, "changed\n");
    uint64_t latency = clock_monotonic_us() - start;
    expect(f, second, "changed\n");
    print_message("# woken after %u us\n", (unsigned)latency);
    turn_for(f, 20 * 1000);
    assert_int_equal(atomic_load(&fake.runs), 5);
    char byte;
    assert_int_equal(recv(other, &byte, 1, 0), -1);
    close(first);
    close(second);
    close(other);
}

static void missed_notices_wake_all(void **state)
{
    struct fixture *f = *state;
    int first, second;
    fake.step = watch;
    assert_int_equal(adopt(f, 1, NULL, &first), 0);
    assert_int_equal(adopt(f, 2, NULL, &second), 0);
    wait_until(f, atomic_load(&fake.runs) == 2);
    for (int i = 0; i < NOTICE_ENTRIES + 1; i++)
        post(f, 77);
    expect(f, first, "changed\n");
    expect(f, second, "changed\n");
    close(first);
    close(second);
}

static void notice_during_a_run_is_not_lost(void **state)
{
    struct fixture *f = *state;
    int client;
    fake.step = watch;
    atomic_store(&fake.hold, 1);
    assert_int_equal(adopt(f, 1, NULL, &client), 0);
    wait_until(f, atomic_load(&fake.runs) == 1);
    post(f, 1);
    turn_for(f, 20 * 1000);
    assert_int_equal(atomic_load(&fake.runs), 1);
    atomic_store(&fake.hold, 0);
    expect(f, client, "changed\n");
    close(client);
}

/* Watches the accounts whose numbers come, and says which have changed. */
static enum stream_need watch_others(struct stream *stream)
{
    static struct stream_watch watched[8];
    for (size_t i = 0; i < stream->watched_count; i++) {
        if (watched[i].noticed)
            buffer_append_format(&stream->output, "%zu", i);
        watched[i].noticed = false;
    }
    if (stream->noticed)
        buffer_append_string(&stream->output, "changed\n");
    if (stream->input.size) {
        stream->watched = watched;
        stream->watched_count = stream->input.data[0] == '-' ? 0 : stream->input.size;
        for (size_t i = 0; i < stream->watched_count; i++)
            watched[i].notice = store_account_notice(account((uint8_t)stream->input.data[i]));
        stream->input = slice_sub(stream->input, stream->input.size, 0);
        buffer_append_string(&stream->output, "watching\n");
    }
    return STREAM_NEED_NOTICE;
}

static void stream_watches_others(void **state)
{
    struct fixture *f = *state;
    int client;
    fake.step = watch_others;
    assert_int_equal(adopt(f, 1, NULL, &client), 0);
    wait_until(f, atomic_load(&fake.runs) == 1);
    /* Each is noticed once, as something may have changed before. */
    say(client, "abc");
    expect(f, client, "watching\n012changed\n");
    post(f, 'b');
    expect(f, client, "1changed\n");
    post(f, 'c');
    expect(f, client, "2changed\n");
    post(f, 1);
    expect(f, client, "changed\n");
    say(client, "c");
    expect(f, client, "watching\n0changed\n");
    post(f, 'c');
    expect(f, client, "0changed\n");
    say(client, "-");
    expect(f, client, "watching\n");
    int runs = atomic_load(&fake.runs);
    post(f, 'c');
    turn_for(f, 20 * 1000);
    assert_int_equal(atomic_load(&fake.runs), runs);
    close(client);
}

/* What it watches is in one bucket, and its end comes while that is walked through. */
static void stream_ends_while_watching(void **state)
{
    struct fixture *f = *state;
    int client;
    fake.step = watch_others;
    assert_int_equal(adopt(f, 1, NULL, &client), 0);
    say(client, "aaaaaaa");
    expect(f, client, "watching\n0123456changed\n");
    for (int i = 0; i < NOTICE_ENTRIES + 1; i++)
        post(f, 77);
    close(client);
    wait_until(f, worker_streams(f->worker) == 0);
}

static atomic_int together;

static enum stream_need alone(struct stream *stream)
{
    static atomic_int inside[256];
    atomic_int *mine = &inside[stream->account.bytes[0]];
    if (atomic_fetch_add(mine, 1) != 0)
        atomic_fetch_add(&together, 1);
    buffer_append(&stream->output, slice_sub(stream->input, 0, 100));
    stream->input = slice_sub(stream->input, 100, stream->input.size);
    stream->commands++;
    atomic_fetch_sub(mine, 1);
    return stream->input.size > 0 ? STREAM_NEED_OUTPUT : STREAM_NEED_NOTICE;
}

enum { CLIENTS = 60, BYTES = 4000 };

static void exchange(struct fixture *f, int client, size_t *sent, size_t *received)
{
    static char bytes[BYTES];
    size_t step = BYTES - *sent < 333 ? BYTES - *sent : 333;
    ssize_t n = step ? send(client, bytes, step, 0) : 0;
    *sent += n > 0 ? (size_t)n : 0;
    n = recv(client, bytes, sizeof(bytes), 0);
    *received += n > 0 ? (size_t)n : 0;
    uv_run(&f->loop, UV_RUN_NOWAIT);
}

static void stream_runs_in_one_thread_at_a_time(void **state)
{
    struct fixture *f = *state;
    int clients[CLIENTS];
    size_t sent[CLIENTS] = {0}, received[CLIENTS] = {0};
    fake.step = alone;
    for (int i = 0; i < CLIENTS; i++)
        assert_int_equal(adopt(f, (uint8_t)i, NULL, &clients[i]), 0);
    uint64_t start = clock_monotonic_us();
    for (size_t done = 0; done < CLIENTS && clock_monotonic_us() - start < PATIENCE_US;) {
        done = 0;
        for (int i = 0; i < CLIENTS; i++) {
            exchange(f, clients[i], &sent[i], &received[i]);
            post(f, (uint8_t)i);
            done += received[i] == BYTES;
        }
    }
    for (int i = 0; i < CLIENTS; i++) {
        assert_int_equal(received[i], BYTES);
        close(clients[i]);
    }
    assert_int_equal(atomic_load(&together), 0);
}

static void limits_are_kept(void **state)
{
    struct fixture *f = *state;
    int clients[4];
    f->config.session_connections = 4;
    for (int i = 0; i < 3; i++)
        assert_int_equal(adopt(f, 1, NULL, &clients[i]), 0);
    assert_int_equal(adopt(f, 1, NULL, &clients[3]), ERROR_LIMIT);
    assert_int_equal(adopt(f, 2, NULL, &clients[3]), 0);
    int refused;
    assert_int_equal(adopt(f, 3, NULL, &refused), ERROR_LIMIT);
    close(clients[0]);
    wait_until(f, worker_streams(f->worker) == 3);
    assert_int_equal(adopt(f, 1, NULL, &clients[0]), 0);
    for (int i = 0; i < 4; i++)
        close(clients[i]);
}

static int listen_abstract(struct sockaddr_un *address, socklen_t *size)
{
    int socket_ = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    *size = sizeof(sa_family_t); /* the kernel chooses a name */
    assert_int_equal(bind(socket_, (struct sockaddr *)address, *size), 0);
    *size = sizeof(*address);
    assert_int_equal(getsockname(socket_, (struct sockaddr *)address, size), 0);
    assert_int_equal(listen(socket_, 10), 0);
    return socket_;
}

static int connect_to(const struct sockaddr_un *address, socklen_t size)
{
    int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(client, (const struct sockaddr *)address, size), 0);
    fcntl(client, F_SETFL, O_NONBLOCK);
    return client;
}

static void listener_accepts_and_refuses(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_un address;
    socklen_t size;
    f->config.session_connections = 1;
    int listening = listen_abstract(&address, &size);
    assert_int_equal(worker_listen(f->worker, listening, &fake_protocol, "421 busy\r\n"), 0);
    int first = connect_to(&address, size);
    say(first, "hello");
    expect(f, first, "hello");
    int second = connect_to(&address, size);
    say(second, "hello");
    expect(f, second, "421 busy\r\n");
    expect(f, second, NULL);
    worker_drain(f->worker, WORKER_DRAIN_NO_HURRY);
    turn(f);
    int third = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(third, (struct sockaddr *)&address, size), -1);
    close(first);
    close(second);
    close(third);
}

static void draining_says_goodbye(void **state)
{
    struct fixture *f = *state;
    int client, late;
    assert_int_equal(adopt(f, 1, NULL, &client), 0);
    wait_until(f, atomic_load(&fake.runs) == 1);
    worker_drain(f->worker, 30);
    expect(f, client, "draining\n");
    expect(f, client, NULL);
    assert_int_equal(adopt(f, 1, NULL, &late), ERROR_CLOSED);
    wait_until(f, f->drained);
    assert_string_equal(fake.ended, "drained");
    close(client);
}

static void draining_ends_what_does_not_end(void **state)
{
    struct fixture *f = *state;
    int client;
    fake.step = produce;
    assert_int_equal(adopt(f, 1, NULL, &client), 0);
    turn_for(f, 50 * 1000);
    worker_drain(f->worker, 1);
    wait_until(f, f->drained);
    assert_string_equal(fake.ended, "drain_time");
    close(client);
}

static void draining_without_hurry_waits(void **state)
{
    struct fixture *f = *state;
    int client;
    assert_int_equal(adopt(f, 1, NULL, &client), 0);
    worker_drain(f->worker, WORKER_DRAIN_NO_HURRY);
    say(client, "still here");
    expect(f, client, "still here");
    assert_false(f->drained);
    close(client);
    wait_until(f, f->drained);
}

/* After a reload the configuration may name others. */
static void draining_without_hurry_ends_administrators(void **state)
{
    struct fixture *f = *state;
    static char name[] = "Alice", domain[] = "example.test";
    char *names[] = {name};
    int before, client, after;
    f->config.default_domain = domain;
    assert_int_equal(adopt(f, 1, NULL, &before), 0);
    wait_until(f, atomic_load(&fake.runs) == 1);
    assert_false(atomic_load(&fake.administrator));
    f->config.administrators = (struct config_list){names, 1};
    assert_int_equal(adopt(f, 1, NULL, &client), 0);
    wait_until(f, atomic_load(&fake.runs) == 2);
    assert_true(atomic_load(&fake.administrator));
    worker_drain(f->worker, WORKER_DRAIN_NO_HURRY);
    expect(f, client, "draining\n");
    expect(f, client, NULL);
    assert_int_equal(adopt(f, 1, NULL, &after), 0);
    wait_until(f, atomic_load(&fake.runs) == 4);
    assert_false(atomic_load(&fake.administrator));
    say(before, "still here");
    expect(f, before, "still here");
    close(before);
    close(client);
    close(after);
}

static void ending_an_account_ends_its_streams_only(void **state)
{
    struct fixture *f = *state;
    int gone, other;
    assert_int_equal(adopt(f, 1, NULL, &gone), 0);
    assert_int_equal(adopt(f, 2, NULL, &other), 0);
    worker_end_account(f->worker, account(1));
    expect(f, gone, "draining\n");
    wait_until(f, worker_streams(f->worker) == 1);
    close(gone);
    close(other);
}

/* It is asked about once, and again when the directory has changed, in whatever process. */
static void account_is_checked_when_the_directory_changes(void **state)
{
    struct fixture *f = *state;
    int gone, other;
    assert_int_equal(adopt(f, 1, "a", &gone), 0);
    assert_int_equal(adopt(f, 2, "b", &other), 0);
    expect(f, gone, "a");
    expect(f, other, "b");
    say(gone, "a");
    expect(f, gone, "a");
    assert_int_equal(atomic_load(&account_checks), 2);
    atomic_store(&account_error, ERROR_DENIED);
    say(gone, "a");
    expect(f, gone, "a");
    notice_ring_post(f->ring, store_directory_notice());
    turn_for(f, 20 * 1000);
    assert_int_equal(worker_streams(f->worker), 2);
    say(other, "b");
    expect(f, other, "b");
    say(gone, "a");
    expect(f, gone, "dismissed\n");
    wait_until(f, worker_streams(f->worker) == 1);
    assert_int_equal(atomic_load(&account_checks), 4);
    close(gone);
    close(other);
}

/* One that is none any more gets nothing, and what cannot be found out is asked again. */
static void account_is_checked_before_the_greeting(void **state)
{
    struct fixture *f = *state;
    int client = -1;
    atomic_store(&account_error, ERROR_NOT_FOUND);
    assert_int_equal(adopt(f, 1, "a", &client), 0);
    expect(f, client, "dismissed\n");
    wait_until(f, worker_streams(f->worker) == 0);
    close(client);
    atomic_store(&account_error, ERROR_BUSY);
    assert_int_equal(adopt(f, 1, "a", &client), 0);
    expect(f, client, "a");
    atomic_store(&account_error, ERROR_DENIED);
    say(client, "b");
    expect(f, client, "dismissed\n");
    close(client);
}

static void store_is_maintained_each_second(void **state)
{
    struct fixture *f = *state;
    atomic_store(&maintained, 0);
    wait_until(f, atomic_load(&maintained) == 2);
    /* Purged once a minute: now, and not in the next seconds. */
    wait_until(f, atomic_load(&purged) == 1);
    wait_until(f, atomic_load(&maintained) >= 4);
    assert_int_equal(atomic_load(&purged), 1);
}

static void idle_stream_is_small(void **state)
{
    (void)state;
    print_message("# %zu bytes\n", worker_stream_size());
    assert_true(worker_stream_size() <= 1024);
}

/* Waits for one byte, turning the loop or not. */
static bool hear(struct fixture *f, int client, bool turning, uint64_t limit_us)
{
    char got;
    uint64_t start = clock_monotonic_us();
    do {
        if (recv(client, &got, 1, 0) == 1)
            return true;
        if (turning)
            uv_run(&f->loop, UV_RUN_NOWAIT);
    } while (clock_monotonic_us() - start < limit_us);
    return false;
}

/* Whether a peer that answers at once is served without a turn of the loop: by the thread that
 * lingers. Any of some tries will do on a busy machine. */
static bool is_lingered_for(struct fixture *f, int client)
{
    for (int i = 0; i < 500; i++) {
        say(client, "a");
        assert_true(hear(f, client, true, PATIENCE_US));
        say(client, "b");
        if (hear(f, client, false, 20000))
            return true;
        assert_true(hear(f, client, true, PATIENCE_US));
    }
    return false;
}

static void lingers_for_a_quick_peer(void **state)
{
    struct fixture *f = *state;
    int client;
    f->config.session_threads = 4;
    assert_int_equal(adopt(f, 1, "", &client), 0);
    assert_true(is_lingered_for(f, client));
    say(client, "quit");
    expect(f, client, "quit");
    expect(f, client, NULL);
    close(client);
    wait_until(f, worker_streams(f->worker) == 0);
}

/* Another peer is served while the only thread there may be lingers for the first: in less time
 * than that does. Any of some tries will do. */
static void who_lingers_holds_up_nobody(void **state)
{
    struct fixture *f = *state;
    int first, second;
    bool at_once = false;
    f->config.session_threads = 1;
    assert_int_equal(adopt(f, 1, "", &first), 0);
    assert_int_equal(adopt(f, 2, "", &second), 0);
    assert_true(is_lingered_for(f, first));
    for (int i = 0; i < 500 && !at_once; i++) {
        say(first, "a");
        assert_true(hear(f, first, true, PATIENCE_US));
        say(second, "b");
        at_once = hear(f, second, true, 1000);
        assert_true(at_once || hear(f, second, true, PATIENCE_US));
    }
    assert_true(at_once);
    close(first);
    close(second);
    wait_until(f, worker_streams(f->worker) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORKER(answers_and_closes),
        WITH_WORKER(lingers_for_a_quick_peer),
        WITH_WORKER(who_lingers_holds_up_nobody),
        WITH_WORKER(half_closed_peer_gets_every_answer),
        WITH_WORKER(idle_stream_is_told_which_limit_passed),
        WITH_WORKER(activity_puts_the_limit_off),
        WITH_WORKER(notice_wakes_the_accounts_streams),
        WITH_WORKER(missed_notices_wake_all),
        WITH_WORKER(notice_during_a_run_is_not_lost),
        WITH_WORKER(stream_watches_others),
        WITH_WORKER(stream_ends_while_watching),
        WITH_WORKER(stream_runs_in_one_thread_at_a_time),
        WITH_WORKER(limits_are_kept),
        WITH_WORKER(listener_accepts_and_refuses),
        WITH_WORKER(account_is_checked_when_the_directory_changes),
        WITH_WORKER(account_is_checked_before_the_greeting),
        WITH_WORKER(draining_says_goodbye),
        WITH_WORKER(draining_ends_what_does_not_end),
        WITH_WORKER(draining_without_hurry_ends_administrators),
        WITH_WORKER(draining_without_hurry_waits),
        WITH_WORKER(ending_an_account_ends_its_streams_only),
        WITH_WORKER(store_is_maintained_each_second),
        cmocka_unit_test(idle_stream_is_small),
    };
    log_init("test_worker", LOG_LEVEL_ERROR, LOG_FORMAT_KEY_VALUE);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
