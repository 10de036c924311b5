/*
 * Account administration: the test plays the chapar command, over a store in memory.
 */
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "blob/blob.h"
#include "kv/kv.h"
#include "session/admin.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { PATIENCE_US = 8 * 1000 * 1000 };

void service_note(struct service *service, const char *text)
{
    (void)service;
    (void)text;
}

struct fixture {
    uv_loop_t loop;
    uv_timer_t heartbeat;
    struct config config;
    struct kv_engine *kv;
    struct blob_engine *blob;
    struct store *store;
    struct worker *worker;
    struct admin *admin;
    int client; /* our end; non-blocking */
    bool drained, ended;
};

static void on_heartbeat(uv_timer_t *timer)
{
    (void)timer;
}

static void on_drained(void *arg)
{
    ((struct fixture *)arg)->drained = true;
}

static void on_ended(void *arg)
{
    ((struct fixture *)arg)->ended = true;
}

static void open_store(struct fixture *f)
{
    assert_int_equal(kv_memory_create(&f->kv), 0);
    assert_int_equal(blob_memory_create(&f->blob), 0);
    const struct store_options options = {
        .kv = f->kv, .blob = f->blob, .open_accounts = 10, .default_domain = "example.test"};
    assert_int_equal(store_open(&options, &f->store), 0);
}

static void connect_client(struct fixture *f)
{
    int pair[2];
    assert_int_equal(ipc_pair(pair), 0);
    assert_int_equal(fcntl(pair[1], F_SETFL, O_NONBLOCK), 0);
    f->client = pair[1];
    admin_accept(f->admin, pair[0]);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    f->config = (struct config){.session_connections = 10, .account_connections = 10};
    uv_loop_init(&f->loop);
    uv_timer_init(&f->loop, &f->heartbeat);
    uv_timer_start(&f->heartbeat, on_heartbeat, 2, 2);
    open_store(f);
    const struct worker_options worker = {.loop = &f->loop,
                                          .config = &f->config,
                                          .store = f->store,
                                          .spool_directory = -1,
                                          .drained = on_drained,
                                          .arg = f};
    assert_int_equal(worker_create(&worker, &f->worker), 0);
    const struct admin_options admin = {
        .loop = &f->loop, .store = f->store, .worker = f->worker, .ended = on_ended, .arg = f};
    assert_int_equal(admin_create(&admin, &f->admin), 0);
    connect_client(f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    admin_end(f->admin);
    worker_drain(f->worker, 0);
    while (!f->drained || !f->ended)
        uv_run(&f->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&f->heartbeat, NULL);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    admin_free(&f->admin);
    worker_free(&f->worker);
    store_close(&f->store);
    blob_engine_free(&f->blob);
    kv_engine_free(&f->kv);
    close(f->client);
    free(f);
    return 0;
}

static void ask(struct fixture *f, enum ipc_type type, const char *address)
{
    struct buffer body;
    buffer_init(&body, IPC_BODY_MAXIMUM);
    if (address)
        ipc_put_bytes(&body, slice_from_string(address));
    assert_int_equal(ipc_send(f->client, type, buffer_slice(&body), NULL, 0), 0);
    buffer_release(&body);
}

/* The next answer: an account's address or "error NAME"; "closed". */
static void expect(struct fixture *f, const char *wanted)
{
    char got[512];
    struct buffer body;
    struct ipc_message message;
    struct account_id id;
    buffer_init(&body, IPC_BODY_MAXIMUM);
    uint64_t start = clock_monotonic_us();
    int error;
    while ((error = ipc_receive(f->client, &body, &message)) == ERROR_BUSY) {
        uv_run(&f->loop, UV_RUN_ONCE);
        assert_true(clock_monotonic_us() - start < PATIENCE_US);
    }
    struct ipc_reader reader;
    ipc_reader_init(&reader, error ? slice_make(NULL, 0) : message.body);
    if (error) {
        snprintf(got, sizeof(got), "closed");
    } else if (message.type == IPC_ADMIN_RESULT) {
        snprintf(got, sizeof(got), "error %s", error_name(-(int)ipc_get_u32(&reader)));
    } else {
        ipc_get_fixed(&reader, id.bytes, sizeof(id.bytes));
        assert_true(ipc_get_u64(&reader) > 1600000000);
        struct slice address = ipc_get_bytes(&reader, ADDRESS_MAXIMUM);
        snprintf(got, sizeof(got), "%.*s", SLICE_FORMAT(address));
    }
    assert_string_equal(got, wanted);
    buffer_release(&body);
}

static void accounts_are_added_found_listed_and_deleted(void **state)
{
    struct fixture *f = *state;
    ask(f, IPC_ADMIN_ACCOUNT_ADD, "Bob");
    expect(f, "bob@example.test");
    ask(f, IPC_ADMIN_ACCOUNT_ADD, "alice@example.test");
    expect(f, "alice@example.test");
    ask(f, IPC_ADMIN_ACCOUNT_ADD, "bob@example.test");
    expect(f, "error exists");
    ask(f, IPC_ADMIN_ACCOUNT_FIND, "ALICE");
    expect(f, "alice@example.test");
    ask(f, IPC_ADMIN_ACCOUNT_LIST, NULL);
    expect(f, "alice@example.test");
    expect(f, "bob@example.test");
    expect(f, "error none");
    ask(f, IPC_ADMIN_ACCOUNT_DELETE, "bob+detail@example.test");
    expect(f, "error not-found");
    ask(f, IPC_ADMIN_ACCOUNT_DELETE, "bob@example.test");
    expect(f, "bob@example.test");
    ask(f, IPC_ADMIN_ACCOUNT_FIND, "bob@example.test");
    expect(f, "error not-found");
    ask(f, IPC_ADMIN_ACCOUNT_ADD, "not an address");
    expect(f, "error syntax");
}

static void long_lists_come_in_pieces(void **state)
{
    struct fixture *f = *state;
    char name[64];
    struct account_id id;
    for (int i = 0; i < ADMIN_LIST_PIECE + 5; i++) {
        snprintf(name, sizeof(name), "user%05d", i);
        assert_int_equal(store_account_create(f->store, WHO_SYSTEM, slice_from_string(name), &id),
                         0);
    }
    ask(f, IPC_ADMIN_ACCOUNT_LIST, NULL);
    for (int i = 0; i < ADMIN_LIST_PIECE + 5; i++) {
        snprintf(name, sizeof(name), "user%05d@example.test", i);
        expect(f, name);
    }
    expect(f, "error none");
}

static void second_request_at_once_ends_the_connection(void **state)
{
    struct fixture *f = *state;
    ask(f, IPC_ADMIN_ACCOUNT_LIST, NULL);
    ask(f, IPC_ADMIN_ACCOUNT_LIST, NULL);
    char byte;
    uint64_t start = clock_monotonic_us();
    ssize_t n;
    do {
        uv_run(&f->loop, UV_RUN_ONCE);
        n = recv(f->client, &byte, 1, 0);
    } while (n != 0 && clock_monotonic_us() - start < PATIENCE_US);
    assert_int_equal(n, 0);
}

static void request_for_another_service_ends_the_connection(void **state)
{
    struct fixture *f = *state;
    ask(f, IPC_ADMIN_PASSWORD_DELETE, "alice@example.test");
    expect(f, "closed");
}

static void surplus_bytes_end_the_connection(void **state)
{
    struct fixture *f = *state;
    ask(f, IPC_ADMIN_ACCOUNT_LIST, "surplus");
    expect(f, "closed");
}

static void connections_have_a_limit(void **state)
{
    struct fixture *f = *state;
    int served[ADMIN_CONNECTIONS_MAXIMUM];
    for (int i = 0; i < ADMIN_CONNECTIONS_MAXIMUM; i++) {
        served[i] = f->client;
        connect_client(f);
    }
    expect(f, "closed"); /* the one too many */
    close(f->client);
    f->client = served[0];
    ask(f, IPC_ADMIN_ACCOUNT_FIND, "nobody");
    expect(f, "error not-found");
    close(f->client);
    uv_run(&f->loop, UV_RUN_ONCE); /* its end is noticed, so there is room for another */
    connect_client(f);
    ask(f, IPC_ADMIN_ACCOUNT_FIND, "nobody");
    expect(f, "error not-found");
    for (int i = 1; i < ADMIN_CONNECTIONS_MAXIMUM; i++)
        close(served[i]);
}

#define WITH_ADMIN(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_ADMIN(accounts_are_added_found_listed_and_deleted),
        WITH_ADMIN(long_lists_come_in_pieces),
        WITH_ADMIN(second_request_at_once_ends_the_connection),
        WITH_ADMIN(request_for_another_service_ends_the_connection),
        WITH_ADMIN(surplus_bytes_end_the_connection),
        WITH_ADMIN(connections_have_a_limit),
    };
    log_init("test_admin", LOG_LEVEL_ERROR, LOG_FORMAT_KEY_VALUE);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
