/*
 * The sender: from a message that is put to what comes of it.
 */
#include "sender_test.h"

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
    };
    log_init("test", LOG_LEVEL_ERROR, LOG_FORMAT_KEY_VALUE);
    return cmocka_run_group_tests_name("sender", tests, NULL, NULL);
}
