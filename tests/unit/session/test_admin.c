/*
 * Account administration: the test plays the chapar command, over a store in memory.
 */
#include "admin/admin.h"
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

static void send_body(struct fixture *f, enum ipc_type type, const struct buffer *body)
{
    assert_int_equal(ipc_send(f->client, type, buffer_slice(body), NULL, 0), 0);
}

/* address: NULL for none. */
static void ask(struct fixture *f, const char *operation, const char *address)
{
    struct buffer body, arguments;
    struct admin_argument argument = {SLICE("address"), {NULL, 0}};
    buffer_init(&body, IPC_BODY_MAXIMUM);
    buffer_init(&arguments, IPC_BODY_MAXIMUM);
    if (address)
        argument.value = slice_from_string(address);
    admin_put_arguments(&arguments, &argument, address ? 1 : 0);
    ipc_put_bytes(&body, slice_from_string(operation));
    ipc_put_bytes(&body, buffer_slice(&arguments));
    send_body(f, IPC_ADMIN_CALL, &body);
    buffer_release(&body);
    buffer_release(&arguments);
}

static void read_row(struct slice bytes, char *got, size_t size)
{
    struct ipc_reader reader;
    struct admin_field fields[ADMIN_FIELDS_MAXIMUM];
    size_t count;
    ipc_reader_init(&reader, bytes);
    struct slice row = ipc_get_bytes(&reader, IPC_BODY_MAXIMUM);
    assert_int_equal(ipc_reader_finish(&reader), 0);
    assert_int_equal(admin_get_fields(row, fields, &count), 0);
    assert_true(count > 0);
    snprintf(got, size, "%.*s", SLICE_FORMAT(fields[0].text));
}

/* The next answer but reports of progress: the first field of a row, or "error NAME"; "closed". */
static void expect(struct fixture *f, const char *wanted)
{
    char got[512];
    struct buffer body;
    struct ipc_message message = {0};
    buffer_init(&body, IPC_BODY_MAXIMUM);
    uint64_t start = clock_monotonic_us();
    int error;
    while ((error = ipc_receive(f->client, &body, &message)) == ERROR_BUSY ||
           (!error && message.type == IPC_ADMIN_PROGRESS)) {
        uv_run(&f->loop, UV_RUN_ONCE);
        assert_true(clock_monotonic_us() - start < PATIENCE_US);
    }
    struct ipc_reader reader;
    ipc_reader_init(&reader, error ? slice_make(NULL, 0) : message.body);
    if (error)
        snprintf(got, sizeof(got), "closed");
    else if (message.type == IPC_ADMIN_RESULT)
        snprintf(got, sizeof(got), "error %s", error_name(-(int)ipc_get_u32(&reader)));
    else
        read_row(message.body, got, sizeof(got));
    assert_string_equal(got, wanted);
    buffer_release(&body);
}

static void accounts_are_added_found_listed_and_deleted(void **state)
{
    struct fixture *f = *state;
    ask(f, "account.add", "Bob");
    expect(f, "bob@example.test");
    expect(f, "error none");
    ask(f, "account.add", "alice@example.test");
    expect(f, "alice@example.test");
    expect(f, "error none");
    ask(f, "account.add", "bob@example.test");
    expect(f, "error exists");
    ask(f, "account.find", "ALICE");
    expect(f, "alice@example.test");
    expect(f, "error none");
    ask(f, "account.list", NULL);
    expect(f, "alice@example.test");
    expect(f, "bob@example.test");
    expect(f, "error none");
    ask(f, "account.delete", "bob+detail@example.test");
    expect(f, "error not-found");
    ask(f, "account.delete", "bob@example.test");
    expect(f, "bob@example.test");
    expect(f, "error none");
    ask(f, "account.find", "bob@example.test");
    expect(f, "error not-found");
    ask(f, "account.add", "not an address");
    expect(f, "error syntax");
    ask(f, "account.add", NULL);
    expect(f, "error invalid");
    ask(f, "account.fly", NULL);
    expect(f, "error unsupported");
    ask(f, "check", NULL);
    expect(f, "error none");
}

enum { MANY = 3000 };

static void make_many(struct fixture *f)
{
    char name[64];
    struct account_id id;
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof(name), "user%05d", i);
        assert_int_equal(store_account_create(f->store, WHO_SYSTEM, slice_from_string(name), &id),
                         0);
    }
}

static void long_lists_come_as_they_are_taken(void **state)
{
    struct fixture *f = *state;
    char name[64];
    make_many(f);
    ask(f, "account.list", NULL);
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof(name), "user%05d@example.test", i);
        expect(f, name);
    }
    expect(f, "error none");
}

/* The operation ends, and with it the connection, when nobody takes its rows any more. */
static void peer_that_goes_ends_the_operation(void **state)
{
    struct fixture *f = *state;
    make_many(f);
    for (int i = 0; i < 20; i++) {
        ask(f, "account.list", NULL);
        for (int turns = 0; turns < i; turns++)
            uv_run(&f->loop, UV_RUN_ONCE);
        close(f->client);
        connect_client(f);
    }
}

static void second_request_at_once_ends_the_connection(void **state)
{
    struct fixture *f = *state;
    ask(f, "account.list", NULL);
    ask(f, "account.list", NULL);
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
    struct buffer body;
    buffer_init(&body, IPC_BODY_MAXIMUM);
    ipc_put_bytes(&body, SLICE("alice@example.test"));
    send_body(f, IPC_ADMIN_PASSWORD_DELETE, &body);
    buffer_release(&body);
    expect(f, "closed");
}

/* As many bytes as a request may have, and one argument more. */
static void send_ahead(struct fixture *f, unsigned pieces, char byte)
{
    static char text[ADMIN_VALUE_MAXIMUM];
    const struct admin_argument argument = {SLICE("text"), slice_make(text, sizeof(text))};
    struct buffer body, arguments;
    memset(text, byte, sizeof(text));
    buffer_init(&body, IPC_BODY_MAXIMUM);
    buffer_init(&arguments, IPC_BODY_MAXIMUM);
    admin_put_arguments(&arguments, &argument, 1);
    ipc_put_bytes(&body, buffer_slice(&arguments));
    for (unsigned i = 0; i < pieces; i++) {
        int error;
        while ((error = ipc_send(f->client, IPC_ADMIN_ARGUMENTS, buffer_slice(&body), NULL, 0)) ==
               ERROR_BUSY)
            uv_run(&f->loop, UV_RUN_ONCE);
        if (error)
            break; /* it was too much already */
    }
    buffer_release(&body);
    buffer_release(&arguments);
}

static void arguments_may_go_ahead(void **state)
{
    struct fixture *f = *state;
    send_ahead(f, 12, ' ');
    ask(f, "account.add", "bob");
    expect(f, "bob@example.test");
    expect(f, "error none");
    /* They were for that call alone. */
    ask(f, "sieve.get", "bob");
    expect(f, "error invalid");
}

static void arguments_have_a_limit(void **state)
{
    struct fixture *f = *state;
    send_ahead(f, ADMIN_REQUEST_MAXIMUM / ADMIN_VALUE_MAXIMUM + 1, ' ');
    expect(f, "closed");
}

static void surplus_bytes_end_the_connection(void **state)
{
    struct fixture *f = *state;
    struct buffer body;
    buffer_init(&body, IPC_BODY_MAXIMUM);
    ipc_put_bytes(&body, SLICE("account.list"));
    ipc_put_bytes(&body, SLICE("surplus"));
    send_body(f, IPC_ADMIN_CALL, &body);
    buffer_release(&body);
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
    ask(f, "account.find", "nobody");
    expect(f, "error not-found");
    close(f->client);
    uv_run(&f->loop, UV_RUN_ONCE); /* its end is noticed, so there is room for another */
    connect_client(f);
    ask(f, "account.find", "nobody");
    expect(f, "error not-found");
    for (int i = 1; i < ADMIN_CONNECTIONS_MAXIMUM; i++)
        close(served[i]);
}

#define WITH_ADMIN(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_ADMIN(accounts_are_added_found_listed_and_deleted),
        WITH_ADMIN(long_lists_come_as_they_are_taken),
        WITH_ADMIN(peer_that_goes_ends_the_operation),
        WITH_ADMIN(second_request_at_once_ends_the_connection),
        WITH_ADMIN(request_for_another_service_ends_the_connection),
        WITH_ADMIN(arguments_may_go_ahead),
        WITH_ADMIN(arguments_have_a_limit),
        WITH_ADMIN(surplus_bytes_end_the_connection),
        WITH_ADMIN(connections_have_a_limit),
    };
    log_init("test_admin", LOG_LEVEL_ERROR, LOG_FORMAT_KEY_VALUE);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
