/*
 * The sender, over a store in memory: the test plays chapar-send.
 */
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "blob/blob.h"
#include "ipc/channel.h"
#include "kv/kv.h"
#include "proto/smtp/client.h"
#include "session/outgoing/sender_priv.h"
#include "store/deliver.h"
#include "store/directory.h"
#include "store/message.h"

#include <fcntl.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATIENCE_US = 20 * 1000 * 1000, SLOT = 5, BLOCKERS = 16 };

/* --- the worker that is held --- */

static int holds;

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

/* A message as it was handed over. */
struct asked {
    uint64_t id;
    char text[600]; /* "eight utf8 notify ret [by] <sender> <recipient>...|the message" */
    size_t recipients;
    bool whole;
};

struct fixture {
    uv_loop_t loop;
    struct config config;
    char directory[64];
    int spool;
    struct kv_engine *kv;
    struct blob_engine *blob;
    struct store *store;
    struct account_id alice;
    struct sender *sender;
    struct ipc_channel *send; /* chapar-send's end; NULL: it has gone */
    struct asked asked[32];
    size_t asked_count;
    int lost; /* the error that the channel was lost with */
    int64_t now;
};

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

static void connect_to_slot(struct fixture *f, uint32_t slot)
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

static void connect_send(struct fixture *f)
{
    connect_to_slot(f, SLOT);
}

static void answer(struct fixture *f, const struct asked *asked, uint32_t recipient,
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

static void done(struct fixture *f, const struct asked *asked)
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

static int set_up(void **state)
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
                                           .arg = f};
    assert_int_equal(sender_create(&options, &f->sender), 0);
    assert_int_equal(holds, 1);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    sender_end(f->sender);
    ipc_channel_free(&f->send);
    uv_run(&f->loop, UV_RUN_DEFAULT);
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

/* Runs the loop until there are so many messages under way that are whole. */
static void run_until_asked(struct fixture *f, size_t count)
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

/* For so long, and so often that what is in the sockets has come through. */
static void run_for(struct fixture *f, unsigned ms)
{
    uint64_t until = clock_monotonic_us() + ms * 1000;
    for (unsigned turns = 0; turns < 50 || clock_monotonic_us() < until; turns++) {
        uv_run(&f->loop, UV_RUN_NOWAIT);
        usleep(1000);
    }
}

/* Nothing of the sender's is in the pool. */
static void run_until_idle(struct fixture *f)
{
    uint64_t until = clock_monotonic_us() + PATIENCE_US;
    while (f->sender->working) {
        assert_true(clock_monotonic_us() < until);
        uv_run(&f->loop, UV_RUN_ONCE);
    }
}

static void run_until_lost(struct fixture *f)
{
    uint64_t until = clock_monotonic_us() + PATIENCE_US;
    while (!f->lost && clock_monotonic_us() < until)
        uv_run(&f->loop, UV_RUN_NOWAIT);
    assert_int_not_equal(f->lost, 0);
}

/* --- the pool: whatever is queued while it is blocked waits --- */

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

static void block_pool(struct fixture *f)
{
    sem_init(&unblock, 0, 0);
    for (int i = 0; i < BLOCKERS; i++)
        uv_queue_work(&f->loop, &blockers[i], block, unblocked);
}

static void unblock_pool(void)
{
    for (int i = 0; i < BLOCKERS; i++)
        sem_post(&unblock);
}

/* --- what is in the store --- */

static void depart_from(struct fixture *f, struct account_id account,
                        struct outgoing_envelope envelope, const char *text)
{
    struct store_view *view = NULL;
    const struct departure departure = {.envelope = envelope, .pieces = {slice_from_string(text)}};
    const struct delivery_plan plan = {.departures = &departure, .departure_count = 1};
    assert_int_equal(store_view_open(f->store, WHO_SYSTEM, account, &view), 0);
    assert_int_equal(store_deliver(view, &plan), 0);
    store_view_close(&view);
}

static void depart(struct fixture *f, struct outgoing_envelope envelope, const char *text)
{
    depart_from(f, f->alice, envelope, text);
}

static const struct outgoing_recipient two[] = {{SLICE("bob@example.org"), OUTGOING_WAITING, {0}},
                                                {SLICE("eve@example.org"), OUTGOING_WAITING, {0}}};

static struct outgoing_envelope of_kind(enum outgoing_kind kind, size_t recipients)
{
    return (struct outgoing_envelope){.kind = kind,
                                      .sender = SLICE("sender@example.net"),
                                      .recipients = two,
                                      .recipient_count = recipients};
}

/* "number of messages; attempts, seconds until the next one, of the first", "state reply" of each
 * recipient. */
static const char *waiting(struct fixture *f)
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

static void wait_until(struct fixture *f, const char *wanted)
{
    uint64_t until = clock_monotonic_us() + PATIENCE_US;
    while (strcmp(waiting(f), wanted) != 0) {
        if (clock_monotonic_us() > until)
            fail_msg("%s, not %s", waiting(f), wanted);
        uv_run(&f->loop, UV_RUN_NOWAIT);
        usleep(1000);
    }
}

/* All of the last message in INBOX, "" when there is none. */
static const char *last_in_inbox(struct fixture *f, size_t *count)
{
    static char text[8192];
    struct store_view *view = NULL;
    struct arena arena;
    struct collection inbox;
    struct mailbox_snapshot *snapshot;
    struct entry_cursor cursor;
    struct entry entry;
    struct buffer bytes;
    text[0] = '\0';
    *count = 0;
    arena_init(&arena, 100000);
    buffer_init(&bytes, sizeof(text) - 1);
    assert_int_equal(store_view_open(f->store, WHO_SYSTEM, f->alice, &view), 0);
    assert_int_equal(collection_find(view, COLLECTION_MAILBOX, SLICE("INBOX"), &arena, &inbox), 0);
    assert_int_equal(mailbox_snapshot_open(view, inbox.id, &snapshot), 0);
    entry_cursor_init(&cursor, snapshot, 1, 0);
    while (!entry_cursor_next(&cursor, &entry)) {
        ++*count;
        buffer_clear(&bytes);
        assert_int_equal(mailbox_message(snapshot, &entry, 0, SIZE_MAX, &bytes), 0);
        snprintf(text, sizeof(text), "%.*s", SLICE_FORMAT(buffer_slice(&bytes)));
    }
    entry_cursor_release(&cursor);
    mailbox_snapshot_close(&snapshot);
    store_view_close(&view);
    buffer_release(&bytes);
    arena_release(&arena);
    return text;
}

static void assert_inbox_is_empty(struct fixture *f)
{
    size_t count;
    last_in_inbox(f, &count);
    assert_int_equal(count, 0);
}

/* --- tests --- */

static void a_message_is_sent(void **state)
{
    struct fixture *f = *state;
    struct outgoing_envelope envelope = of_kind(OUTGOING_REDIRECT, 2);
    envelope.eight_bit = true;
    envelope.notify = OUTGOING_NOTIFY_FAILURE | OUTGOING_NOTIFY_DELAY;
    envelope.ret = 'H';
    connect_send(f);
    depart(f, envelope, "Subject: x\r\n\r\nbody\r\n");
    run_until_asked(f, 1);
    assert_string_equal(f->asked[0].text,
                        "1 0 12 H [] <sender@example.net>|Subject: x\r\n\r\nbody\r\n"
                        "|bob@example.org|eve@example.org");
    wait_until(f, "1; 1, now, claimed; 0 ; 0 ");
    answer(f, &f->asked[0], 0, SMTP_SENT, "250 2.0.0 Ok");
    answer(f, &f->asked[0], 1, SMTP_SENT, "250 2.0.0 Ok");
    done(f, &f->asked[0]);
    wait_until(f, "0");
    assert_inbox_is_empty(f);
    assert_int_equal(f->asked_count, 1);
}

/* What is there already when chapar-send comes. */
static void what_waits_is_found(void **state)
{
    struct fixture *f = *state;
    depart(f, of_kind(OUTGOING_RESPONSE, 1), "a");
    depart(f, of_kind(OUTGOING_RESPONSE, 1), "b");
    run_for(f, 50);
    assert_string_equal(waiting(f), "2; 0, now, free; 0 ");
    connect_send(f);
    run_until_asked(f, 2);
    assert_string_equal(f->asked[1].text, "0 0 0 - [] <sender@example.net>|b|bob@example.org");
}

static void a_deferred_recipient_is_tried_again(void **state)
{
    struct fixture *f = *state;
    struct store_view *view = NULL;
    connect_send(f);
    depart(f, of_kind(OUTGOING_REDIRECT, 2), "x");
    run_until_asked(f, 1);
    answer(f, &f->asked[0], 0, SMTP_SENT, "250 Ok");
    answer(f, &f->asked[0], 1, SMTP_DEFERRED, "451 4.3.0 Later");
    done(f, &f->asked[0]);
    wait_until(f, "1; 1, a minute, free; 1 250 Ok; 0 451 4.3.0 Later");
    /* Only who has not got it. */
    assert_int_equal(store_view_open(f->store, WHO_SYSTEM, f->alice, &view), 0);
    struct arena arena;
    struct outgoing_message *list;
    size_t count;
    arena_init(&arena, 1024 * 1024);
    assert_int_equal(outgoing_list(view, &arena, &list, &count), 0);
    assert_int_equal(outgoing_retry(view, list->number), 0);
    arena_release(&arena);
    store_view_close(&view);
    sender_due(f->sender, DUE_OUTGOING, f->alice);
    run_until_asked(f, 2);
    assert_string_equal(f->asked[1].text, "0 0 0 - [] <sender@example.net>|x|eve@example.org");
    answer(f, &f->asked[1], 0, SMTP_DEFERRED, "451 4.3.0 Later");
    done(f, &f->asked[1]);
    wait_until(f, "1; 2, later, free; 1 250 Ok; 0 451 4.3.0 Later");
    assert_inbox_is_empty(f);
}

/* With the message, and who was not reached. */
static void a_refused_redirect_goes_back(void **state)
{
    struct fixture *f = *state;
    size_t count;
    connect_send(f);
    depart(f, of_kind(OUTGOING_REDIRECT, 2), "Subject: precious\r\n\r\nwords\r\n");
    run_until_asked(f, 1);
    answer(f, &f->asked[0], 0, SMTP_REFUSED, "550 5.1.1 No such user");
    answer(f, &f->asked[0], 1, SMTP_SENT, "250 Ok");
    done(f, &f->asked[0]);
    wait_until(f, "0");
    const char *report = last_in_inbox(f, &count);
    assert_int_equal(count, 1);
    assert_non_null(strstr(report, "To: <alice@example.test>\r\n"));
    assert_non_null(strstr(report, "    <bob@example.org>: 550 5.1.1 No such user\r\n"));
    assert_non_null(strstr(report, "Final-Recipient: rfc822; bob@example.org\r\nAction: failed\r\n"
                                   "Status: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1 No such"));
    assert_non_null(strstr(report, "Content-Type: message/rfc822\r\n\r\n"
                                   "Subject: precious\r\n\r\nwords\r\n"));
    assert_null(strstr(report, "eve@"));
}

static void a_refused_response_is_gone(void **state)
{
    struct fixture *f = *state;
    connect_send(f);
    depart(f, of_kind(OUTGOING_RESPONSE, 1), "x");
    run_until_asked(f, 1);
    answer(f, &f->asked[0], 0, SMTP_REFUSED, "550 no");
    done(f, &f->asked[0]);
    wait_until(f, "0");
    assert_inbox_is_empty(f);
}

static void it_is_given_up_after_some_time(void **state)
{
    struct fixture *f = *state;
    size_t count;
    f->config.outgoing_give_up = 0;
    connect_send(f);
    depart(f, of_kind(OUTGOING_REDIRECT, 1), "Subject: old\r\n\r\n");
    run_until_asked(f, 1);
    answer(f, &f->asked[0], 0, SMTP_DEFERRED, "the mail server does not answer");
    done(f, &f->asked[0]);
    wait_until(f, "0");
    const char *report = last_in_inbox(f, &count);
    assert_int_equal(count, 1);
    assert_non_null(strstr(report, "<bob@example.org>: the mail server does not answer\r\n"));
    assert_non_null(strstr(report, "Action: failed\r\nStatus: 5.0.0\r\n\r\n--returned"));
}

/* RFC 2852: what is left of the time, and one whose time has passed. */
static void time_runs_out(void **state)
{
    struct fixture *f = *state;
    size_t count;
    struct outgoing_envelope envelope = of_kind(OUTGOING_REDIRECT, 1);
    envelope.by_mode = 'N';
    envelope.by_trace = true;
    envelope.by_until = clock_wall() - 1000;
    connect_send(f);
    depart(f, envelope, "x");
    run_until_asked(f, 1);
    assert_true(strstr(f->asked[0].text, "[-100") && strstr(f->asked[0].text, ";NT]"));
    envelope.by_mode = 'R';
    depart(f, envelope, "Subject: late\r\n\r\n");
    wait_until(f, "1; 1, now, claimed; 0 ");
    assert_int_equal(f->asked_count, 1);
    assert_non_null(strstr(last_in_inbox(f, &count), "the time by which it was to be there"));
    assert_int_equal(count, 1);
}

/* The connection between the processes ends: nobody knows, so it is tried again. */
static void a_lost_channel_defers(void **state)
{
    struct fixture *f = *state;
    connect_send(f);
    depart(f, of_kind(OUTGOING_REDIRECT, 2), "x");
    run_until_asked(f, 1);
    answer(f, &f->asked[0], 0, SMTP_SENT, "250 Ok");
    run_for(f, 50);
    ipc_channel_free(&f->send);
    wait_until(f, "1; 1, a minute, free; 1 250 Ok; 0 the connection has ended");
    assert_int_equal(f->lost, ERROR_CLOSED);
}

/* What was claimed for a chapar-send that has gone meanwhile is as if it had not been. */
static void what_cannot_be_handed_over_is_given_back(void **state)
{
    struct fixture *f = *state;
    block_pool(f);
    depart(f, of_kind(OUTGOING_REDIRECT, 2), "x");
    connect_send(f); /* it may claim now */
    ipc_channel_free(&f->send);
    run_until_lost(f);
    unblock_pool();
    run_until_idle(f);
    assert_string_equal(waiting(f), "1; 0, now, free; 0 ; 0 ");
    connect_to_slot(f, SLOT + 1);
    run_until_asked(f, 1);
    wait_until(f, "1; 1, now, claimed; 0 ; 0 ");
}

/* The other end has been closed, and nobody has seen that yet. */
static void nor_is_one_tried_whose_handing_over_fails(void **state)
{
    struct fixture *f = *state;
    block_pool(f);
    depart(f, of_kind(OUTGOING_REDIRECT, 1), "x");
    connect_send(f);
    unblock_pool();
    usleep(200 * 1000); /* the job ends, the loop does not know */
    ipc_channel_free(&f->send);
    run_until_lost(f);
    wait_until(f, "1; 0, now, free; 0 ");
}

/* One that is ending: it says so, is asked no more, and another one has the message. */
static void what_was_not_tried_is_given_back(void **state)
{
    struct fixture *f = *state;
    connect_send(f);
    struct ipc_channel *old = f->send;
    depart(f, of_kind(OUTGOING_REDIRECT, 2), "x");
    run_until_asked(f, 1);
    done(f, &f->asked[0]);
    wait_until(f, "1; 0, now, free; 0 ; 0 ");
    sender_due(f->sender, DUE_OUTGOING, f->alice);
    run_for(f, 100);
    assert_int_equal(f->asked_count, 1);
    assert_int_equal(f->lost, 0);
    connect_to_slot(f, SLOT + 1);
    run_until_asked(f, 2);
    assert_string_equal(f->asked[1].text, "0 0 0 - [] <sender@example.net>|x"
                                          "|bob@example.org|eve@example.org");
    wait_until(f, "1; 1, now, claimed; 0 ; 0 ");
    answer(f, &f->asked[1], 0, SMTP_SENT, "250 Ok");
    answer(f, &f->asked[1], 1, SMTP_SENT, "250 Ok");
    done(f, &f->asked[1]);
    wait_until(f, "0");
    ipc_channel_free(&old);
    run_for(f, 20);
}

static void assert_breach(struct fixture *f)
{
    run_until_lost(f);
    assert_int_equal(f->lost, ERROR_PROTOCOL);
}

static void answers_come_in_order(void **state)
{
    struct fixture *f = *state;
    connect_send(f);
    depart(f, of_kind(OUTGOING_REDIRECT, 2), "x");
    run_until_asked(f, 1);
    answer(f, &f->asked[0], 1, SMTP_SENT, "250 Ok");
    assert_breach(f);
}

static void an_answer_for_each(void **state)
{
    struct fixture *f = *state;
    connect_send(f);
    depart(f, of_kind(OUTGOING_REDIRECT, 2), "x");
    run_until_asked(f, 1);
    answer(f, &f->asked[0], 0, SMTP_SENT, "250 Ok");
    done(f, &f->asked[0]);
    assert_breach(f);
}

static void an_unknown_id_is_a_breach(void **state)
{
    struct fixture *f = *state;
    const struct asked unknown = {.id = 77};
    connect_send(f);
    done(f, &unknown);
    assert_breach(f);
}

/* Only so many at a time; each result makes room for the next. */
static void many_have_their_turn(void **state)
{
    struct fixture *f = *state;
    connect_send(f);
    for (int i = 0; i < SEND_UNDER_WAY_MAXIMUM + 3; i++)
        depart(f, of_kind(OUTGOING_REDIRECT, 1), "x");
    run_until_asked(f, SEND_UNDER_WAY_MAXIMUM);
    run_for(f, 50);
    assert_int_equal(f->asked_count, SEND_UNDER_WAY_MAXIMUM);
    for (size_t i = 0; i < 3; i++) {
        answer(f, &f->asked[i], 0, SMTP_SENT, "250 Ok");
        done(f, &f->asked[i]);
        run_until_asked(f, SEND_UNDER_WAY_MAXIMUM + 1 + i);
    }
    for (size_t i = 3; i < f->asked_count; i++) {
        answer(f, &f->asked[i], 0, SMTP_SENT, "250 Ok");
        done(f, &f->asked[i]);
    }
    wait_until(f, "0");
}

/* SENDER_TURN: who has many does not keep out who has one. */
static void nobody_waits_for_who_has_many(void **state)
{
    struct fixture *f = *state;
    struct account_id bob;
    size_t his = 0;
    assert_int_equal(store_account_create(f->store, WHO_SYSTEM, SLICE("bob@example.test"), &bob),
                     0);
    for (int i = 0; i < 2 * SEND_UNDER_WAY_MAXIMUM; i++)
        depart(f, of_kind(OUTGOING_RESPONSE, 1), "x");
    depart_from(f, bob, of_kind(OUTGOING_RESPONSE, 1), "his");
    connect_send(f);
    run_until_asked(f, SEND_UNDER_WAY_MAXIMUM);
    for (size_t i = 0; i < SEND_UNDER_WAY_MAXIMUM; i++)
        his += strstr(f->asked[i].text, "|his|") != NULL;
    assert_int_equal(his, 1);
}

/* More accounts than it keeps in mind: the directory knows of the others. */
static void many_accounts(void **state)
{
    struct fixture *f = *state;
    char name[64];
    const size_t count = SENDER_ACCOUNTS + 10;
    for (size_t i = 0; i < count; i++) {
        struct account_id account;
        int size = snprintf(name, sizeof(name), "a%zu@example.test", i);
        assert_int_equal(
            store_account_create(f->store, WHO_SYSTEM, slice_make(name, (size_t)size), &account),
            0);
        depart_from(f, account, of_kind(OUTGOING_RESPONSE, 1), "x");
    }
    connect_send(f);
    for (size_t sent = 0; sent < count; sent++) {
        run_until_asked(f, 1);
        struct asked first = f->asked[0];
        memmove(f->asked, f->asked + 1, --f->asked_count * sizeof(f->asked[0]));
        answer(f, &first, 0, SMTP_SENT, "250 Ok");
        done(f, &first);
    }
}

/* After a reload there are two for some time. */
static void the_newest_is_chosen(void **state)
{
    struct fixture *f = *state;
    connect_send(f);
    struct ipc_channel *old = f->send;
    connect_to_slot(f, SLOT + 1);
    depart(f, of_kind(OUTGOING_RESPONSE, 1), "x");
    run_until_asked(f, 1);
    answer(f, &f->asked[0], 0, SMTP_SENT, "250 Ok");
    done(f, &f->asked[0]);
    wait_until(f, "0");
    ipc_channel_free(&old);
    run_for(f, 20);
}

/* A process that ends waits for what is under way, and begins nothing. */
static void draining(void **state)
{
    struct fixture *f = *state;
    connect_send(f);
    depart(f, of_kind(OUTGOING_RESPONSE, 1), "x");
    run_until_asked(f, 1);
    run_for(f, 100); /* what was begun before may claim still */
    sender_drain(f->sender, UINT32_MAX);
    depart(f, of_kind(OUTGOING_RESPONSE, 1), "y");
    run_for(f, 50);
    assert_int_equal(holds, 1);
    answer(f, &f->asked[0], 0, SMTP_SENT, "250 Ok");
    done(f, &f->asked[0]);
    wait_until(f, "1; 0, now, free; 0 ");
    run_for(f, 20);
    assert_int_equal(holds, 0);
    assert_int_equal(f->asked_count, 1);
}

static void draining_has_an_end(void **state)
{
    struct fixture *f = *state;
    connect_send(f);
    depart(f, of_kind(OUTGOING_RESPONSE, 1), "x");
    run_until_asked(f, 1);
    uint64_t began = clock_monotonic_us(), until = began + PATIENCE_US;
    sender_drain(f->sender, 1);
    while (holds && clock_monotonic_us() < until)
        uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(holds, 0);
    assert_true(clock_monotonic_us() >= began + 900000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_message_is_sent),
        TEST(what_waits_is_found),
        TEST(a_deferred_recipient_is_tried_again),
        TEST(a_refused_redirect_goes_back),
        TEST(a_refused_response_is_gone),
        TEST(it_is_given_up_after_some_time),
        TEST(time_runs_out),
        TEST(a_lost_channel_defers),
        TEST(what_cannot_be_handed_over_is_given_back),
        TEST(nor_is_one_tried_whose_handing_over_fails),
        TEST(what_was_not_tried_is_given_back),
        TEST(answers_come_in_order),
        TEST(an_answer_for_each),
        TEST(an_unknown_id_is_a_breach),
        TEST(many_have_their_turn),
        TEST(nobody_waits_for_who_has_many),
        TEST(many_accounts),
        TEST(the_newest_is_chosen),
        TEST(draining),
        TEST(draining_has_an_end),
    };
    log_init("test", LOG_LEVEL_ERROR, LOG_FORMAT_KEY_VALUE);
    return cmocka_run_group_tests_name("sender", tests, NULL, NULL);
}
