/*
 * The sender's end: what it waits for, and that nothing is left behind that nobody looks at.
 */
#include "base/gate.h"
#include "sender_test.h"

/* What the directory says of the account. */
static struct due_note note_of(struct fixture *f, enum due_kind kind, struct account_id account)
{
    struct due_note note;
    assert_int_equal(due_note_of(f->store, WHO_SYSTEM, kind, account, &note), 0);
    return note;
}

/* Whoever looks now finds it. */
static bool is_due(struct fixture *f, struct account_id account)
{
    struct due_note note = note_of(f, DUE_OUTGOING, account);
    return note.noted && note.due <= clock_wall();
}

/* There is nothing, as far as is known. */
static bool is_late(struct fixture *f, struct account_id account)
{
    struct due_note note = note_of(f, DUE_OUTGOING, account);
    return note.noted && note.due == note.noted + DUE_NOTE_KEPT;
}

static bool sleeps_late(struct fixture *f, struct account_id account)
{
    struct due_note note = note_of(f, DUE_SNOOZED, account);
    return note.due == note.noted + DUE_NOTE_KEPT;
}

static void wait_for_note(struct fixture *f, struct account_id account,
                          bool (*is)(struct fixture *f, struct account_id account))
{
    uint64_t until = clock_monotonic_us() + PATIENCE_US;
    while (!is(f, account)) {
        assert_true(clock_monotonic_us() < until);
        uv_run(&f->loop, UV_RUN_NOWAIT);
        usleep(1000);
    }
}

static void run_until_let_go(struct fixture *f)
{
    uint64_t until = clock_monotonic_us() + PATIENCE_US;
    while (holds) {
        assert_true(clock_monotonic_us() < until);
        uv_run(&f->loop, UV_RUN_ONCE);
    }
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
    run_until_let_go(f);
    assert_int_equal(f->asked_count, 1);
}

static void draining_has_an_end(void **state)
{
    struct fixture *f = *state;
    connect_send(f);
    depart(f, of_kind(OUTGOING_RESPONSE, 1), "x");
    run_until_asked(f, 1);
    uint64_t began = clock_monotonic_us();
    sender_drain(f->sender, 1);
    run_until_let_go(f);
    assert_true(clock_monotonic_us() >= began + 900000);
}

/* From the delivery to its end, after which the directory has the account looked at minutes later:
 * nor does the next delivery of the same minute change that. */
static void send_one(struct fixture *f, struct account_id account)
{
    size_t number = f->asked_count;
    depart_from(f, account, of_kind(OUTGOING_RESPONSE, 1), "before");
    run_until_asked(f, number + 1);
    answer(f, &f->asked[number], 0, SMTP_SENT, "250 Ok");
    done(f, &f->asked[number]);
    wait_for_note(f, account, is_late);
    run_until_idle(f);
}

static void run_until_ended(struct fixture *f)
{
    uint64_t until = clock_monotonic_us() + PATIENCE_US;
    while (!f->ended) {
        assert_true(clock_monotonic_us() < until);
        uv_run(&f->loop, UV_RUN_ONCE);
    }
}

/* What is put while a process drains is for whoever looks next, and does not keep it. */
static void what_is_told_while_draining_is_noted(void **state)
{
    struct fixture *f = *state;
    connect_send(f);
    send_one(f, f->alice);
    depart(f, of_kind(OUTGOING_RESPONSE, 1), "x");
    run_until_asked(f, 2);
    run_until_idle(f);
    sender_drain(f->sender, UINT32_MAX);
    depart(f, of_kind(OUTGOING_RESPONSE, 1), "y");
    wait_for_note(f, f->alice, is_due);
    assert_int_equal(holds, 1);
    answer(f, &f->asked[1], 0, SMTP_SENT, "250 Ok");
    done(f, &f->asked[1]);
    wait_until(f, "1; 0, now, free; 0 ");
    run_until_let_go(f);
    assert_true(is_due(f, f->alice));
    assert_int_equal(f->asked_count, 2);
}

/* While the last job that may claim runs, and it does not see the account. */
static void what_is_told_during_the_last_job_is_noted(void **state)
{
    struct fixture *f = *state;
    struct account_id bob;
    assert_int_equal(store_account_create(f->store, WHO_SYSTEM, SLICE("bob@example.test"), &bob),
                     0);
    connect_send(f);
    send_one(f, bob);
    block_pool(f);
    depart(f, of_kind(OUTGOING_RESPONSE, 1), "x");
    run_for(f, 50);
    depart_from(f, bob, of_kind(OUTGOING_RESPONSE, 1), "y");
    run_for(f, 50);
    sender_drain(f->sender, UINT32_MAX);
    unblock_pool();
    wait_for_note(f, bob, is_due);
    run_until_asked(f, 2);
    assert_string_equal(f->asked[1].text, "0 0 0 - [] <sender@example.net>|x|bob@example.org");
    assert_int_equal(holds, 1);
    answer(f, &f->asked[1], 0, SMTP_SENT, "250 Ok");
    done(f, &f->asked[1]);
    wait_until(f, "0");
    run_until_let_go(f);
    assert_true(is_due(f, bob));
}

/* Streams go on when nothing is under way any more: the last one may put something. */
static void what_is_told_in_the_last_moment_is_noted(void **state)
{
    struct fixture *f = *state;
    connect_send(f);
    send_one(f, f->alice);
    sender_drain(f->sender, UINT32_MAX);
    run_until_let_go(f);
    depart(f, of_kind(OUTGOING_RESPONSE, 1), "y");
    assert_false(is_due(f, f->alice));
    sender_end(f->sender);
    run_until_ended(f);
    assert_true(is_due(f, f->alice));
    assert_string_equal(waiting(f), "1; 0, now, free; 0 ");
}

/* Nothing is noted while a freeze lasts. */
static void the_end_waits_for_the_gate(void **state)
{
    struct fixture *f = *state;
    connect_send(f);
    send_one(f, f->alice);
    depart(f, of_kind(OUTGOING_RESPONSE, 1), "y");
    gate_close(clock_monotonic_us() + PATIENCE_US);
    sender_drain(f->sender, UINT32_MAX);
    run_for(f, 50);
    assert_int_equal(holds, 1);
    sender_end(f->sender);
    run_for(f, 50);
    assert_false(f->ended);
    assert_false(is_due(f, f->alice));
    gate_open();
    run_until_ended(f);
    assert_true(is_due(f, f->alice));
}

/* What it has just claimed is given back. */
static void the_end_waits_for_the_pool(void **state)
{
    struct fixture *f = *state;
    connect_send(f);
    send_one(f, f->alice);
    block_pool(f);
    depart(f, of_kind(OUTGOING_RESPONSE, 1), "x");
    run_for(f, 50);
    sender_end(f->sender);
    run_for(f, 50);
    assert_false(f->ended);
    unblock_pool();
    run_until_ended(f);
    assert_string_equal(waiting(f), "1; 0, now, free; 0 ");
    assert_true(is_due(f, f->alice));
    assert_int_equal(f->asked_count, 1);
}

/* As when the channel is lost. */
static void what_is_under_way_at_the_end_is_deferred(void **state)
{
    struct fixture *f = *state;
    connect_send(f);
    depart(f, of_kind(OUTGOING_RESPONSE, 1), "x");
    run_until_asked(f, 1);
    sender_end(f->sender);
    run_until_ended(f);
    assert_string_equal(waiting(f), "1; 1, a minute, free; 0 the connection has ended");
}

/* What sleeps is looked after as well: here there is nothing, which is noted. */
static void so_is_what_sleeps(void **state)
{
    struct fixture *f = *state;
    sender_drain(f->sender, UINT32_MAX);
    assert_int_equal(due_note_renew(f->store, WHO_SYSTEM, DUE_SNOOZED, f->alice), 0);
    sender_due(f->sender, DUE_SNOOZED, f->alice);
    wait_for_note(f, f->alice, sleeps_late);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(draining),
        TEST(draining_has_an_end),
        TEST(what_is_told_while_draining_is_noted),
        TEST(what_is_told_during_the_last_job_is_noted),
        TEST(what_is_told_in_the_last_moment_is_noted),
        TEST(so_is_what_sleeps),
        TEST(the_end_waits_for_the_gate),
        TEST(the_end_waits_for_the_pool),
        TEST(what_is_under_way_at_the_end_is_deferred),
    };
    int gate = gate_create();
    if (gate < 0 || gate_attach(gate, 0))
        return 1;
    close(gate);
    log_init("test", LOG_LEVEL_ERROR, LOG_FORMAT_KEY_VALUE);
    return cmocka_run_group_tests_name("sender_end", tests, NULL, NULL);
}
