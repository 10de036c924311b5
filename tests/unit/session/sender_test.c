#include "sender_test.h"

#include <fcntl.h>
#include <semaphore.h>

enum { BLOCKERS = 16 };

/* --- the worker that is held --- */

int holds;

void worker_hold(struct worker *worker)
{
    (void)worker;
    holds++;
}

void worker_let_go(struct worker *worker)
{
    (void)worker;
    holds--;
}

/* --- chapar-send, and what is around --- */

static int64_t test_clock(void)
{
    return clock_wall();
}

static struct asked *find_asked(struct fixture *f, uint64_t id)
{
    for (size_t i = 0; i < f->asked_count; i++)
        if (f->asked[i].id == id)
            return &f->asked[i];
    fail_msg("an id that is not under way");
    return NULL;
}

static void add_text(struct asked *asked, struct slice text)
{
    size_t size = strlen(asked->text);
    snprintf(asked->text + size, sizeof(asked->text) - size, "%.*s", SLICE_FORMAT(text));
}

/* The message's first bytes. */
static void add_file(struct asked *asked, int file, uint64_t size)
{
    char bytes[300];
    ssize_t got = pread(file, bytes, sizeof(bytes), 0);
    assert_true(got > 0 && (uint64_t)lseek(file, 0, SEEK_END) == size);
    add_text(asked, SLICE("|"));
    add_text(asked, slice_make(bytes, (size_t)got));
}

static void begin(struct fixture *f, struct ipc_reader *reader, int file)
{
    struct asked *asked = &f->asked[f->asked_count++];
    *asked = (struct asked){.id = ipc_get_u64(reader)};
    uint64_t size = ipc_get_u64(reader);
    unsigned eight = ipc_get_u8(reader), utf8 = ipc_get_u8(reader), notify = ipc_get_u8(reader);
    char ret = (char)ipc_get_u8(reader);
    struct slice by = ipc_get_bytes(reader, 100), sender = ipc_get_bytes(reader, 100);
    snprintf(asked->text, sizeof(asked->text), "%u %u %u %c [%.*s] <%.*s>", eight, utf8, notify,
             ret ? ret : '-', SLICE_FORMAT(by), SLICE_FORMAT(sender));
    add_file(asked, file, size);
}

static int received(struct ipc_channel *channel, struct ipc_message *message, void *arg)
{
    struct fixture *f = arg;
    struct ipc_reader reader;
    (void)channel;
    ipc_reader_init(&reader, message->body);
    if (message->type == IPC_SEND_BEGIN) {
        begin(f, &reader, message->descriptors[0]);
    } else if (message->type == IPC_SEND_RECIPIENT) {
        struct asked *asked = find_asked(f, ipc_get_u64(&reader));
        add_text(asked, SLICE("|"));
        add_text(asked, ipc_get_bytes(&reader, 500));
        asked->recipients++;
    } else {
        find_asked(f, ipc_get_u64(&reader))->whole = true;
    }
    assert_int_equal(ipc_reader_finish(&reader), 0);
    return 0;
}

static void closed(struct ipc_channel *channel, int error, void *arg)
{
    struct fixture *f = arg;
    (void)channel, (void)error;
    ipc_channel_free(&f->send);
}

static void on_lost(enum ipc_channel_kind kind, uint32_t slot, int error, void *arg)
{
    struct fixture *f = arg;
    assert_int_equal(kind, IPC_CHANNEL_SESSION_SEND);
    assert_int_equal(slot, SLOT);
    f->lost = error;
}

static void on_ended(void *arg)
{
    struct fixture *f = arg;
    assert_false(f->ended);
    f->ended = true;
}

void connect_to_slot(struct fixture *f, uint32_t slot)
{
    int sockets[2];
    const struct ipc_channel_options options = {.kind = IPC_CHANNEL_SESSION_SEND,
                                                .state = IPC_STATE_RUNNING,
                                                .received = received,
                                                .closed = closed,
                                                .arg = f};
    assert_int_equal(ipc_pair(sockets), 0);
    assert_int_equal(ipc_channel_create(&f->loop, sockets[0], &options, &f->send), 0);
    assert_int_equal(sender_peer(f->sender, slot, sockets[1]), 0);
}

void connect_send(struct fixture *f)
{
    connect_to_slot(f, SLOT);
}

void answer(struct fixture *f, const struct asked *asked, uint32_t recipient,
            enum smtp_outcome outcome, const char *text)
{
    struct buffer body;
    buffer_init(&body, 1000);
    ipc_put_u64(&body, asked->id);
    ipc_put_u32(&body, recipient);
    ipc_put_u8(&body, (uint8_t)outcome);
    bool coded = *text >= '2' && *text <= '5';
    ipc_put_u32(&body, coded ? (uint32_t)strtoul(text, NULL, 10) : 0);
    ipc_put_bytes(&body, slice_from_string(coded ? text + 4 : text));
    assert_int_equal(ipc_channel_send(f->send, IPC_SEND_RESULT, &body, NULL, 0), 0);
    buffer_release(&body);
}

void done(struct fixture *f, const struct asked *asked)
{
    struct buffer body;
    buffer_init(&body, 100);
    ipc_put_u64(&body, asked->id);
    assert_int_equal(ipc_channel_send(f->send, IPC_SEND_DONE, &body, NULL, 0), 0);
    buffer_release(&body);
}

static void on_due(struct account_id account, enum due_kind kind, void *arg)
{
    struct fixture *f = arg;
    if (f->sender)
        sender_due(f->sender, kind, account);
}

static void open_store(struct fixture *f)
{
    const struct store_options options = {.kv = f->kv,
                                          .blob = f->blob,
                                          .open_accounts = 10,
                                          .default_domain = "example.test",
                                          .clock = test_clock,
                                          .due = on_due,
                                          .due_arg = f};
    assert_int_equal(kv_memory_create(&f->kv), 0);
    assert_int_equal(blob_memory_create(&f->blob), 0);
    struct store_options made = options;
    made.kv = f->kv;
    made.blob = f->blob;
    assert_int_equal(store_open(&made, &f->store), 0);
    assert_int_equal(
        store_account_create(f->store, WHO_SYSTEM, SLICE("alice@example.test"), &f->alice), 0);
}

static char hostname[] = "mx.example.test";

int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    holds = 0;
    assert_int_equal(uv_loop_init(&f->loop), 0);
    snprintf(f->directory, sizeof(f->directory), "/tmp/chapar-sender-XXXXXX");
    assert_non_null(mkdtemp(f->directory));
    f->spool = open(f->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    f->config.outgoing_give_up = 3600;
    f->config.hostname = hostname;
    open_store(f);
    const struct sender_options options = {.loop = &f->loop,
                                           .config = &f->config,
                                           .store = f->store,
                                           .spool_directory = f->spool,
                                           .lost = on_lost,
                                           .ended = on_ended,
                                           .arg = f};
    assert_int_equal(sender_create(&options, &f->sender), 0);
    assert_int_equal(holds, 1);
    *state = f;
    return 0;
}

int tear_down(void **state)
{
    struct fixture *f = *state;
    sender_end(f->sender);
    ipc_channel_free(&f->send);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_true(f->ended);
    sender_free(&f->sender);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    store_close(&f->store);
    kv_engine_free(&f->kv);
    blob_engine_free(&f->blob);
    close(f->spool);
    rmdir(f->directory);
    free(f);
    return 0;
}

void run_until_asked(struct fixture *f, size_t count)
{
    uint64_t until = clock_monotonic_us() + PATIENCE_US;
    for (;;) {
        size_t whole = 0;
        for (size_t i = 0; i < f->asked_count; i++)
            whole += f->asked[i].whole;
        if (whole >= count)
            return;
        assert_true(clock_monotonic_us() < until);
        uv_run(&f->loop, UV_RUN_ONCE);
    }
}

void run_for(struct fixture *f, unsigned ms)
{
    uint64_t until = clock_monotonic_us() + ms * 1000;
    for (unsigned turns = 0; turns < 50 || clock_monotonic_us() < until; turns++) {
        uv_run(&f->loop, UV_RUN_NOWAIT);
        usleep(1000);
    }
}

void run_until_idle(struct fixture *f)
{
    uint64_t until = clock_monotonic_us() + PATIENCE_US;
    while (f->sender->working) {
        assert_true(clock_monotonic_us() < until);
        uv_run(&f->loop, UV_RUN_ONCE);
    }
}

void run_until_lost(struct fixture *f)
{
    uint64_t until = clock_monotonic_us() + PATIENCE_US;
    while (!f->lost && clock_monotonic_us() < until)
        uv_run(&f->loop, UV_RUN_NOWAIT);
    assert_int_not_equal(f->lost, 0);
}

/* --- the pool --- */

static uv_work_t blockers[BLOCKERS];
static sem_t unblock;

static void block(uv_work_t *work)
{
    (void)work;
    sem_wait(&unblock);
}

static void unblocked(uv_work_t *work, int status)
{
    (void)work, (void)status;
}

void block_pool(struct fixture *f)
{
    sem_init(&unblock, 0, 0);
    for (int i = 0; i < BLOCKERS; i++)
        uv_queue_work(&f->loop, &blockers[i], block, unblocked);
}

void unblock_pool(void)
{
    for (int i = 0; i < BLOCKERS; i++)
        sem_post(&unblock);
}

/* --- what is in the store --- */

void depart_from(struct fixture *f, struct account_id account, struct outgoing_envelope envelope,
                 const char *text)
{
    struct store_view *view = NULL;
    const struct departure departure = {.envelope = envelope, .pieces = {slice_from_string(text)}};
    const struct delivery_plan plan = {.departures = &departure, .departure_count = 1};
    assert_int_equal(store_view_open(f->store, WHO_SYSTEM, account, &view), 0);
    assert_int_equal(store_deliver(view, &plan), 0);
    store_view_close(&view);
}

void depart(struct fixture *f, struct outgoing_envelope envelope, const char *text)
{
    depart_from(f, f->alice, envelope, text);
}

static const struct outgoing_recipient two[] = {{SLICE("bob@example.org"), OUTGOING_WAITING, {0}},
                                                {SLICE("eve@example.org"), OUTGOING_WAITING, {0}}};

struct outgoing_envelope of_kind(enum outgoing_kind kind, size_t recipients)
{
    return (struct outgoing_envelope){.kind = kind,
                                      .sender = SLICE("sender@example.net"),
                                      .recipients = two,
                                      .recipient_count = recipients};
}

const char *waiting(struct fixture *f)
{
    static char text[500];
    struct arena arena;
    struct outgoing_message *list;
    size_t count;
    struct store_view *view = NULL;
    arena_init(&arena, 1024 * 1024);
    assert_int_equal(store_view_open(f->store, WHO_SYSTEM, f->alice, &view), 0);
    assert_int_equal(outgoing_list(view, &arena, &list, &count), 0);
    int size = snprintf(text, sizeof(text), "%zu", count);
    if (count) {
        int64_t wait = list->next - clock_wall();
        size += snprintf(text + size, sizeof(text) - (size_t)size, "; %u, %s, %s", list->attempts,
                         wait <= 0    ? "now"
                         : wait <= 60 ? "a minute"
                                      : "later",
                         list->claimed ? "claimed" : "free");
        for (size_t i = 0; i < list->envelope.recipient_count; i++)
            size += snprintf(text + size, sizeof(text) - (size_t)size, "; %d %.*s",
                             list->envelope.recipients[i].state,
                             SLICE_FORMAT(list->envelope.recipients[i].reply));
    }
    store_view_close(&view);
    arena_release(&arena);
    return text;
}

void wait_until(struct fixture *f, const char *wanted)
{
    uint64_t until = clock_monotonic_us() + PATIENCE_US;
    while (strcmp(waiting(f), wanted) != 0) {
        if (clock_monotonic_us() > until)
            fail_msg("%s, not %s", waiting(f), wanted);
        uv_run(&f->loop, UV_RUN_NOWAIT);
        usleep(1000);
    }
}
