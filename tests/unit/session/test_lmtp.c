/*
 * LMTP over a store in memory: dialogues fed in one write and byte by byte, as the worker would.
 */
#include "lmtp_fixture.h"
#include "store/quota.h"
#include "store/retained.h"

#define HELLO   "LHLO mta.example.org\r\n"
#define FROM    "MAIL FROM:<sender@example.org>\r\n"
#define TO(who) "RCPT TO:<" who ">\r\n"
#define MESSAGE "Subject: hello\r\n\r\nHello.\r\n"

enum { ALICE, BOB };

enum { KEEP_DELIVERED = 7 * 24 * 60 * 60 };

static int64_t now;

static int64_t clock_of_test(void)
{
    return now;
}

static int set_up(void **state)
{
    const struct store_options options = {.keep_delivered = KEEP_DELIVERED, .clock = clock_of_test};
    now = 50 * 24 * 60 * 60;
    fixture_set_up(options, state);
    struct fixture *f = *state;
    f->config.message_size = 4 * 1024 * 1024;
    fixture_add_account(f, ALICE, "alice");
    fixture_add_account(f, BOB, "bob");
    return lmtp_protocol.open(&f->stream);
}

/* --- the worker's part --- */

/* Feeds the bytes in pieces; what a piece leaves is given again with the next. */
static void feed(struct fixture *f, struct slice bytes, size_t piece)
{
    size_t from = 0, to = 0;
    while (to < bytes.size && f->need != STREAM_NEED_CLOSE) {
        to = to + piece < bytes.size ? to + piece : bytes.size;
        f->stream.input = slice_sub(bytes, from, to - from);
        run(f);
        from = to - f->stream.input.size;
    }
}

static void greet(struct fixture *f)
{
    run(f);
    assert_true(slice_starts_with(buffer_slice(&f->replies), SLICE("220 mail.example.test ")));
    buffer_clear(&f->replies);
}

static void say(struct fixture *f, const char *text)
{
    feed(f, slice_from_string(text), 64 * 1024);
}

/* Each reply's code with its enhanced code, a multi-line reply's last line: "354, 250 2.0.0". */
static void expect(struct fixture *f, const char *wanted)
{
    struct slice rest = buffer_slice(&f->replies);
    struct buffer got;
    buffer_init(&got, 64 * 1024);
    while (rest.size > 5) {
        size_t line = slice_find(rest, '\n') + 1;
        bool enhanced = rest.data[4] >= '2' && rest.data[4] <= '5';
        if (rest.data[3] == ' ')
            buffer_append_format(&got, "%s%.*s", got.size ? ", " : "", enhanced ? 9 : 3, rest.data);
        rest = slice_sub(rest, line, rest.size);
    }
    assert_string_equal(got.size ? got.data : "", wanted);
    buffer_release(&got);
    buffer_clear(&f->replies);
}

/* --- the store's part --- */

static size_t count(struct fixture *f, struct account_id account, const char *path)
{
    struct arena arena;
    struct store_view *view;
    struct collection found;
    arena_init(&arena, 1024 * 1024);
    assert_int_equal(store_view_open(f->store, who_account(account), account, &view), 0);
    assert_int_equal(
        collection_find(view, COLLECTION_MAILBOX, slice_from_string(path), &arena, &found), 0);
    store_view_close(&view);
    arena_release(&arena);
    return found.messages;
}

/* The last message of the mailbox. */
static void fetch(struct fixture *f, struct account_id account, const char *path,
                  struct buffer *message)
{
    struct arena arena;
    struct store_view *view;
    struct collection found;
    struct mailbox_snapshot *snapshot;
    struct entry_cursor cursor;
    struct entry entry, last = {0};
    arena_init(&arena, 1024 * 1024);
    assert_int_equal(store_view_open(f->store, who_account(account), account, &view), 0);
    assert_int_equal(
        collection_find(view, COLLECTION_MAILBOX, slice_from_string(path), &arena, &found), 0);
    assert_int_equal(mailbox_snapshot_open(view, found.id, &snapshot), 0);
    entry_cursor_init(&cursor, snapshot, 1, 0);
    while (entry_cursor_next(&cursor, &entry) == 0)
        last = entry;
    entry_cursor_release(&cursor);
    assert_int_not_equal(last.uid, 0);
    assert_int_equal(mailbox_message(snapshot, &last, 0, SIZE_MAX, message), 0);
    assert_int_equal(message->size, last.size);
    mailbox_snapshot_close(&snapshot);
    store_view_close(&view);
    arena_release(&arena);
}

/* --- tests --- */

#define WHOLE HELLO FROM TO("alice@example.test") "DATA\r\n" MESSAGE ".\r\nQUIT\r\n"

static void check_whole(struct fixture *f)
{
    struct buffer message;
    assert_int_equal(f->need, STREAM_NEED_CLOSE);
    assert_int_equal(count(f, f->accounts[ALICE], "INBOX"), 1);
    buffer_init(&message, 65536);
    fetch(f, f->accounts[ALICE], "INBOX", &message);
    assert_true(slice_starts_with(buffer_slice(&message),
                                  SLICE("Return-Path: <sender@example.org>\r\n"
                                        "Delivered-To: alice@example.test\r\n"
                                        "Received: from mta.example.org (unix)\r\n"
                                        "\tby mail.example.test (Chapar) with LMTP id ")));
    assert_non_null(strstr(message.data, "\r\n\tfor <alice@example.test>; "));
    assert_string_equal(message.data + message.size - strlen(MESSAGE), MESSAGE);
    buffer_release(&message);
}

static void whole_transaction_in_one_write(void **state)
{
    struct fixture *f = *state;
    greet(f);
    say(f, WHOLE);
    check_whole(f);
}

static void whole_transaction_byte_by_byte(void **state)
{
    struct fixture *f = *state;
    greet(f);
    feed(f, SLICE(WHOLE), 1);
    check_whole(f);
}

static void unknown_recipient_is_refused(void **state)
{
    struct fixture *f = *state;
    greet(f);
    say(f, HELLO FROM);
    buffer_clear(&f->replies);
    say(f, TO("nobody@example.test") TO("alice@elsewhere.example") "DATA\r\n");
    expect(f, "550 5.1.1, 550 5.1.1, 503 5.5.1");
}

static void each_recipient_gets_a_reply(void **state)
{
    struct fixture *f = *state;
    greet(f);
    say(f, HELLO FROM);
    buffer_clear(&f->replies);
    say(f, TO("alice@example.test") TO("nobody@example.test") TO("bob@example.test") "DATA\r\n");
    /* Bob's account goes while the message comes. */
    assert_int_equal(store_account_delete(f->store, WHO_SYSTEM, f->accounts[BOB]), 0);
    say(f, MESSAGE ".\r\nNOOP\r\n");
    expect(f, "250 2.1.5, 550 5.1.1, 250 2.1.5, 354, 250 2.0.0, 550 5.1.1, 250 2.0.0");
    assert_int_equal(count(f, f->accounts[ALICE], "INBOX"), 1);
}

static void reset_forgets_the_transaction(void **state)
{
    struct fixture *f = *state;
    greet(f);
    say(f, HELLO FROM TO("alice@example.test") "RSET\r\n" FROM TO("bob@example.test"));
    buffer_clear(&f->replies);
    say(f, "DATA\r\n" MESSAGE ".\r\n");
    expect(f, "354, 250 2.0.0");
    assert_int_equal(count(f, f->accounts[ALICE], "INBOX"), 0);
    assert_int_equal(count(f, f->accounts[BOB], "INBOX"), 1);
}

static void recipients_are_limited(void **state)
{
    struct fixture *f = *state;
    char line[256];
    greet(f);
    say(f, HELLO FROM);
    for (int i = 0; i < f->config.lmtp_recipients; i++) {
        buffer_clear(&f->replies);
        snprintf(line, sizeof(line), "RCPT TO:<alice+%040d@example.test>\r\n", i);
        say(f, line);
        expect(f, "250 2.1.5");
    }
    say(f, TO("alice@example.test"));
    expect(f, "452 4.5.3");
    say(f, "DATA\r\n" MESSAGE ".\r\n");
    assert_int_equal(count(f, f->accounts[ALICE], "INBOX"), f->config.lmtp_recipients);
}

static void transactions_follow_each_other(void **state)
{
    struct fixture *f = *state;
    greet(f);
    say(f, HELLO);
    for (int i = 0; i < 3; i++)
        say(f, FROM TO("alice@example.test") "DATA\r\n" MESSAGE ".\r\n");
    assert_int_equal(count(f, f->accounts[ALICE], "INBOX"), 3);
}

static void say_lines(struct fixture *f, size_t lines)
{
    struct buffer text;
    buffer_init(&text, 16 * 1024 * 1024);
    for (size_t i = 0; i < lines; i++)
        buffer_append_format(&text, "This is line %060zu of it.\r\n", i);
    feed(f, buffer_slice(&text), 60000);
    buffer_release(&text);
}

static void big_message_goes_through_a_file(void **state)
{
    struct fixture *f = *state;
    struct buffer message;
    greet(f);
    say(f,
        HELLO FROM TO("alice@example.test") TO("bob@example.test") "DATA\r\nSubject: big\r\n\r\n");
    say_lines(f, 20000); /* 1.6 MB */
    buffer_clear(&f->replies);
    say(f, ".\r\n");
    expect(f, "250 2.0.0, 250 2.0.0");
    buffer_init(&message, 4 * 1024 * 1024);
    fetch(f, f->accounts[BOB], "INBOX", &message);
    assert_non_null(strstr(message.data, "\r\n\r\nThis is line 000"));
    assert_string_equal(message.data + message.size - 14, "19999 of it.\r\n");
    buffer_release(&message);
}

/* lmtp_pending: while one message comes, another connection may not begin one. */
static void messages_that_come_in_are_limited(void **state)
{
    struct fixture *f = *state, other = *f;
    f->config.lmtp_pending = 100;
    other.stream.config = f->stream.config;
    buffer_init(&other.stream.output, STREAM_OUTPUT_MARK + STREAM_OUTPUT_MAXIMUM);
    buffer_init(&other.replies, 1024 * 1024);
    assert_int_equal(lmtp_protocol.open(&other.stream), 0);
    greet(f);
    greet(&other);
    say(f, HELLO FROM TO("alice@example.test") "DATA\r\n");
    say(&other, HELLO);
    buffer_clear(&other.replies);
    say_lines(f, 1);
    say(&other, "NOOP\r\n");
    expect(&other, "250 2.0.0");
    say_lines(f, 1);
    say(&other, FROM);
    expect(&other, "421 4.3.2");
    assert_int_equal(other.need, STREAM_NEED_CLOSE);
    /* The one that has begun is finished, and the next one may begin. */
    buffer_clear(&f->replies);
    say(f, ".\r\n" FROM TO("alice@example.test") "DATA\r\n" MESSAGE ".\r\n");
    expect(f, "250 2.0.0, 250 2.1.0, 250 2.1.5, 354, 250 2.0.0");
    /* Given up is not pending either. */
    say(f, FROM TO("alice@example.test") "DATA\r\n");
    say_lines(f, 2);
    assert_true(delivery_pending() >= 100);
    lmtp_protocol.close(&other.stream, "closed");
    buffer_release(&other.stream.output);
    buffer_release(&other.replies);
    lmtp_protocol.close(&f->stream, "closed");
    assert_int_equal(delivery_pending(), 0);
    assert_int_equal(lmtp_protocol.open(&f->stream), 0);
}

static void too_big_message_is_refused(void **state)
{
    struct fixture *f = *state;
    greet(f);
    say(f, HELLO "MAIL FROM:<sender@example.org> SIZE=99999999\r\n");
    say(f, FROM TO("alice@example.test") "DATA\r\nSubject: big\r\n\r\n");
    buffer_clear(&f->replies);
    say_lines(f, 60000); /* 4.8 MB */
    say(f, ".\r\nNOOP\r\n");
    expect(f, "552 5.3.4, 250 2.0.0");
    assert_int_equal(count(f, f->accounts[ALICE], "INBOX"), 0);
}

static void make_mailbox(struct fixture *f, const char *path)
{
    struct store_view *view;
    collection_id id;
    assert_int_equal(
        store_view_open(f->store, who_account(f->accounts[ALICE]), f->accounts[ALICE], &view), 0);
    assert_int_equal(
        collection_create(view, COLLECTION_MAILBOX, slice_from_string(path), ROLE_NONE, &id), 0);
    store_view_close(&view);
}

static void detail_names_a_mailbox(void **state)
{
    struct fixture *f = *state;
    make_mailbox(f, "lists");
    greet(f);
    say(f, HELLO FROM TO("alice+lists@example.test") TO("alice+none@example.test")
               TO("alice+@example.test") "DATA\r\n" MESSAGE ".\r\n");
    assert_int_equal(count(f, f->accounts[ALICE], "lists"), 1);
    assert_int_equal(count(f, f->accounts[ALICE], "INBOX"), 2);
}

static void deliver_to(struct fixture *f, const char *to)
{
    say(f, FROM "RCPT TO:<");
    say(f, to);
    say(f, ">\r\nDATA\r\n" MESSAGE ".\r\n");
}

/* Many clients write addresses in lower case; where that could mean two, it means none. */
static void detail_in_another_case(void **state)
{
    struct fixture *f = *state;
    make_mailbox(f, "Lists");
    make_mailbox(f, "Lists/Chapar");
    make_mailbox(f, "Work");
    make_mailbox(f, "WORK");
    greet(f);
    say(f, HELLO);
    deliver_to(f, "alice+lists@example.test");
    deliver_to(f, "alice+LISTS/chapar@example.test");
    assert_int_equal(count(f, f->accounts[ALICE], "Lists"), 1);
    assert_int_equal(count(f, f->accounts[ALICE], "Lists/Chapar"), 1);
    deliver_to(f, "alice+WORK@example.test");
    assert_int_equal(count(f, f->accounts[ALICE], "WORK"), 1);
    deliver_to(f, "alice+work@example.test");
    assert_int_equal(count(f, f->accounts[ALICE], "INBOX"), 1);
    make_mailbox(f, "lists");
    deliver_to(f, "alice+lists@example.test");
    assert_int_equal(count(f, f->accounts[ALICE], "lists"), 1);
}

static void detail_of_a_whole_name_is_none(void **state)
{
    struct fixture *f = *state;
    struct account_id id;
    make_mailbox(f, "lists");
    assert_int_equal(store_account_create(f->store, WHO_SYSTEM, SLICE("alice+lists"), &id), 0);
    greet(f);
    say(f, HELLO FROM TO("alice+lists@example.test") "DATA\r\n" MESSAGE ".\r\n");
    assert_int_equal(count(f, f->accounts[ALICE], "lists"), 0);
    assert_int_equal(count(f, id, "INBOX"), 1);
}

static void add_group(struct fixture *f, const char *name, const struct slice *members,
                      size_t members_count)
{
    struct account_id id;
    struct slice group = slice_from_string(name);
    assert_int_equal(store_group_create(f->store, WHO_SYSTEM, group, &id), 0);
    assert_int_equal(store_group_add(f->store, WHO_SYSTEM, group, members, members_count), 0);
}

/* RFC 2033 section 4.2: one reply for a recipient, whoever is behind it. */
static void group_and_alias_reach_each_account_once(void **state)
{
    struct fixture *f = *state;
    const struct slice both[] = {SLICE("alice"), SLICE("bob")}, team = SLICE("team");
    struct buffer message;
    add_group(f, "team", both, 2);
    assert_int_equal(store_alias_add(f->store, WHO_SYSTEM, SLICE("info"), &team, 1), 0);
    greet(f);
    say(f, HELLO FROM);
    buffer_clear(&f->replies);
    say(f, TO("info@example.test") TO("team@example.test") TO("bob@example.test") "DATA\r\n" MESSAGE
                                                                                  ".\r\nNOOP\r\n");
    expect(f, "250 2.1.5, 250 2.1.5, 250 2.1.5, 354, 250 2.0.0, 250 2.0.0, 250 2.0.0, 250 2.0.0");
    assert_int_equal(count(f, f->accounts[ALICE], "INBOX"), 1);
    assert_int_equal(count(f, f->accounts[BOB], "INBOX"), 1);
    buffer_init(&message, 65536);
    fetch(f, f->accounts[BOB], "INBOX", &message);
    assert_non_null(strstr(message.data, "Delivered-To: info@example.test\r\n"));
    buffer_release(&message);
    /* The next transaction begins anew. */
    say(f, FROM TO("bob@example.test") TO("team@example.test") "DATA\r\n" MESSAGE ".\r\n");
    assert_int_equal(count(f, f->accounts[ALICE], "INBOX"), 2);
    assert_int_equal(count(f, f->accounts[BOB], "INBOX"), 2);
}

/* The mailbox that the detail names, in each account that has it; another one is another copy. */
static void detail_of_a_group(void **state)
{
    struct fixture *f = *state;
    const struct slice both[] = {SLICE("alice"), SLICE("bob")};
    add_group(f, "team", both, 2);
    make_mailbox(f, "lists");
    greet(f);
    say(f, HELLO FROM TO("team+lists@example.test") TO("alice@example.test") "DATA\r\n" MESSAGE
                                                                             ".\r\n");
    assert_int_equal(count(f, f->accounts[ALICE], "lists"), 1);
    assert_int_equal(count(f, f->accounts[ALICE], "INBOX"), 1);
    assert_int_equal(count(f, f->accounts[BOB], "INBOX"), 1);
}

/* One of several has gone: the others have the message, and nobody is told of it. */
static void account_behind_a_group_goes(void **state)
{
    struct fixture *f = *state;
    const struct slice both[] = {SLICE("alice"), SLICE("bob")};
    add_group(f, "team", both, 2);
    greet(f);
    say(f, HELLO FROM);
    buffer_clear(&f->replies);
    say(f, TO("team@example.test") TO("alice@example.test") "DATA\r\n");
    assert_int_equal(store_account_delete(f->store, WHO_SYSTEM, f->accounts[BOB]), 0);
    say(f, MESSAGE ".\r\n");
    expect(f, "250 2.1.5, 250 2.1.5, 354, 250 2.0.0, 250 2.0.0");
    assert_int_equal(count(f, f->accounts[ALICE], "INBOX"), 1);
    say(f, FROM TO("team@example.test") "DATA\r\n");
    assert_int_equal(store_account_delete(f->store, WHO_SYSTEM, f->accounts[ALICE]), 0);
    buffer_clear(&f->replies);
    say(f, MESSAGE ".\r\n");
    expect(f, "550 5.1.1");
}

static void empty_group_is_nobody(void **state)
{
    struct fixture *f = *state;
    add_group(f, "team", NULL, 0);
    greet(f);
    say(f, HELLO FROM);
    buffer_clear(&f->replies);
    say(f, TO("team@example.test"));
    expect(f, "550 5.1.1");
}

enum { GROUP = RESOLVED_ACCOUNTS_MAXIMUM };

/* DELIVERY_ACCOUNTS_MAXIMUM: of all recipients together; one that does not fit comes later. */
static void accounts_of_a_transaction_are_limited(void **state)
{
    struct fixture *f = *state;
    struct account_id id;
    struct slice members[GROUP];
    static char names[GROUP][16];
    char line[64];
    for (unsigned i = 0; i < GROUP; i++) {
        snprintf(names[i], sizeof(names[i]), "user%u", i);
        members[i] = slice_from_string(names[i]);
        assert_int_equal(store_account_create(f->store, WHO_SYSTEM, members[i], &id), 0);
    }
    add_group(f, "crowd", members, GROUP);
    greet(f);
    say(f, HELLO FROM);
    for (unsigned i = 0; i <= DELIVERY_ACCOUNTS_MAXIMUM / GROUP; i++) {
        buffer_clear(&f->replies);
        snprintf(line, sizeof(line), "RCPT TO:<crowd+%u@example.test>\r\n", i);
        say(f, line);
        expect(f, i < DELIVERY_ACCOUNTS_MAXIMUM / GROUP ? "250 2.1.5" : "452 4.5.3");
    }
    say(f, "RSET\r\n");
    buffer_clear(&f->replies);
    say(f, FROM TO("crowd@example.test") "DATA\r\n" MESSAGE ".\r\n");
    expect(f, "250 2.1.0, 250 2.1.5, 354, 250 2.0.0");
    assert_int_equal(count(f, id, "INBOX"), 1);
}

#define WITH_ID "Message-ID: <1@example.org>\r\n" MESSAGE

static void deliver_with_id(struct fixture *f, const char *to)
{
    say(f, FROM "RCPT TO:<");
    say(f, to);
    say(f, ">\r\nDATA\r\n" WITH_ID);
    buffer_clear(&f->replies);
    say(f, ".\r\n");
    expect(f, "250 2.0.0");
}

/* An MTA that has not heard the reply sends the message once more. */
static void message_that_comes_again_is_stored_once(void **state)
{
    struct fixture *f = *state;
    struct purge_result purged;
    greet(f);
    say(f, HELLO);
    make_mailbox(f, "lists");
    deliver_with_id(f, "alice@example.test");
    deliver_with_id(f, "Alice@Example.TEST");
    assert_int_equal(count(f, f->accounts[ALICE], "INBOX"), 1);
    /* To another recipient it has not been delivered; nor is a message without an id the same. */
    deliver_with_id(f, "alice+lists@example.test");
    deliver_with_id(f, "bob@example.test");
    assert_int_equal(count(f, f->accounts[ALICE], "lists"), 1);
    assert_int_equal(count(f, f->accounts[BOB], "INBOX"), 1);
    say(f, FROM TO("alice@example.test") "DATA\r\n" MESSAGE ".\r\n");
    say(f, FROM TO("alice@example.test") "DATA\r\n" MESSAGE ".\r\n");
    assert_int_equal(count(f, f->accounts[ALICE], "INBOX"), 3);
    now += KEEP_DELIVERED;
    assert_int_equal(store_purge(f->store, WHO_SYSTEM, f->accounts[ALICE], now, &purged), 0);
    deliver_with_id(f, "alice@example.test");
    assert_int_equal(count(f, f->accounts[ALICE], "INBOX"), 3);
    now++;
    deliver_with_id(f, "alice@example.test");
    assert_int_equal(count(f, f->accounts[ALICE], "INBOX"), 4);
}

/* One member of a group is full: the MTA tries again, and the others do not get it again. */
static void group_with_a_full_member(void **state)
{
    struct fixture *f = *state;
    const struct slice both[] = {SLICE("alice"), SLICE("bob")};
    const uint64_t one_byte[QUOTA_RESOURCES] = {[QUOTA_STORAGE] = 1}, none[QUOTA_RESOURCES] = {0};
    struct store_view *view;
    add_group(f, "team", both, 2);
    assert_int_equal(store_view_open(f->store, WHO_SYSTEM, f->accounts[BOB], &view), 0);
    assert_int_equal(quota_set(view, 1U << QUOTA_STORAGE, one_byte), 0);
    greet(f);
    say(f, HELLO);
    for (int i = 0; i < 2; i++) {
        say(f, FROM TO("team@example.test") "DATA\r\n" WITH_ID);
        buffer_clear(&f->replies);
        say(f, ".\r\n");
        expect(f, "452 4.2.2");
    }
    assert_int_equal(quota_set(view, 1U << QUOTA_STORAGE, none), 0);
    store_view_close(&view);
    deliver_with_id(f, "team@example.test");
    assert_int_equal(count(f, f->accounts[ALICE], "INBOX"), 1);
    assert_int_equal(count(f, f->accounts[BOB], "INBOX"), 1);
}

static void own_delivery_is_a_loop(void **state)
{
    struct fixture *f = *state;
    struct buffer message;
    greet(f);
    say(f, HELLO FROM TO("alice@example.test") "DATA\r\n" MESSAGE ".\r\n");
    buffer_init(&message, 65536);
    fetch(f, f->accounts[ALICE], "INBOX", &message);
    buffer_clear(&f->replies);
    say(f, FROM TO("alice@example.test") TO("bob@example.test") "DATA\r\n");
    feed(f, buffer_slice(&message), 65536);
    say(f, ".\r\n");
    expect(f, "250 2.1.0, 250 2.1.5, 250 2.1.5, 354, 554 5.4.6, 250 2.0.0");
    assert_int_equal(count(f, f->accounts[ALICE], "INBOX"), 1);
    buffer_release(&message);
}

static void another_servers_delivered_to_is_no_loop(void **state)
{
    struct fixture *f = *state;
    greet(f);
    say(f, HELLO FROM TO("alice@example.test") "DATA\r\n");
    buffer_clear(&f->replies);
    say(f, "Delivered-To: alice@example.test\r\n"
           "Received: from x by mail.example.test (Postfix) with ESMTP id 1; today\r\n" MESSAGE
           ".\r\n");
    expect(f, "250 2.0.0");
}

static void too_many_received_fields_are_a_loop(void **state)
{
    struct fixture *f = *state;
    greet(f);
    for (int extra = 0; extra < 2; extra++) {
        say(f, extra ? FROM : HELLO FROM);
        say(f, TO("alice@example.test") "DATA\r\n");
        buffer_clear(&f->replies);
        for (int i = 0; i < TRACE_RECEIVED_MAXIMUM + extra; i++)
            say(f, "Received: from a by b\r\n\twith SMTP; today\r\n");
        say(f, MESSAGE ".\r\n");
        expect(f, extra ? "554 5.4.6" : "250 2.0.0");
    }
}

static void half_closed_connection_delivers_what_is_complete(void **state)
{
    struct fixture *f = *state;
    greet(f);
    f->stream.input_ended = true;
    say(f, HELLO FROM TO("alice@example.test") "DATA\r\n" MESSAGE ".\r\n" FROM TO(
               "alice@example.test") "DATA\r\nhalf");
    assert_int_equal(f->need, STREAM_NEED_CLOSE);
    assert_int_equal(count(f, f->accounts[ALICE], "INBOX"), 1);
}

static void timeout_says_goodbye(void **state)
{
    struct fixture *f = *state;
    greet(f);
    say(f, HELLO FROM);
    buffer_clear(&f->replies);
    f->stream.timed_out = lmtp_protocol.idle_limit_name;
    run(f);
    expect(f, "421 4.4.2");
    assert_int_equal(f->need, STREAM_NEED_CLOSE);
    assert_string_equal(f->stream.timed_out, "lmtp_timeout");
    assert_int_equal(lmtp_protocol.idle_limit(&f->stream), 300);
}

static void draining_waits_for_the_transaction(void **state)
{
    struct fixture *f = *state;
    greet(f);
    say(f, HELLO FROM TO("alice@example.test") "DATA\r\nSubject: ");
    buffer_clear(&f->replies);
    f->stream.draining = true;
    run(f);
    assert_int_equal(f->need, STREAM_NEED_INPUT);
    say(f, "x\r\n\r\n.\r\n");
    expect(f, "250 2.0.0, 421 4.3.2");
    assert_int_equal(f->need, STREAM_NEED_CLOSE);
    assert_int_equal(count(f, f->accounts[ALICE], "INBOX"), 1);
}

/* --- from other machines --- */

/* The stream anew, as chapar-login hands it over. */
static void hand_over(struct fixture *f, const char *tag, const char *user, const char *client)
{
    lmtp_protocol.close(&f->stream, "logout");
    f->stream.tag = tag;
    f->stream.user = user;
    f->stream.client = client;
    f->stream.tls = "TLSv1.3 TLS_AES_256_GCM_SHA384";
    assert_int_equal(lmtp_protocol.open(&f->stream), 0);
    f->need = STREAM_NEED_INPUT;
    run(f);
}

static void expect_received(struct fixture *f, const char *wanted)
{
    struct buffer message;
    buffer_init(&message, 65536);
    fetch(f, f->accounts[ALICE], "INBOX", &message);
    if (!strstr(message.data, wanted))
        fail_msg("no \"%s\" in \"%s\"", wanted, message.data);
    buffer_release(&message);
}

/* RFC 4954 section 4: LHLO need not be said again. */
static void login_of_a_mail_server_is_answered(void **state)
{
    struct fixture *f = *state;
    hand_over(f, "AUTH mx.example.org", "mx@example.test", "192.0.2.1");
    say(f, FROM TO("alice@example.test") "DATA\r\n" MESSAGE ".\r\nAUTH PLAIN =\r\nSTARTTLS\r\n"
                                         "XCLIENT ADDR=192.0.2.9\r\n");
    expect(f, "235 2.7.0, 250 2.1.0, 250 2.1.5, 354, 250 2.0.0, 503 5.5.1, 503 5.5.1, 550 5.7.0");
    expect_received(f, "Received: from mx.example.org (192.0.2.1)\r\n"
                       "\tby mail.example.test (Chapar) with LMTPSA id ");
}

static void trust(struct fixture *f)
{
    static char network[] = "192.0.2.0/24", *items[] = {network};
    f->config.lmtp_trusted = (struct config_list){items, 1};
}

static void trusted_server_tells_its_client(void **state)
{
    struct fixture *f = *state;
    trust(f);
    hand_over(f, "LHLO mx.example.org", NULL, "192.0.2.1");
    assert_non_null(strstr(f->replies.data, "250-XCLIENT ADDR\r\n"));
    assert_null(strstr(f->replies.data, "IGNOREQUOTA"));
    say(f, "XCLIENT ADDR=IPV6:2001:db8::1\r\n" HELLO FROM TO(
               "alice@example.test") "DATA\r\n" MESSAGE ".\r\n");
    expect(f, "250, 220, 250, 250 2.1.0, 250 2.1.5, 354, 250 2.0.0");
    expect_received(f, "Received: from mta.example.org (2001:db8::1)\r\n"
                       "\tby mail.example.test (Chapar) with LMTPS id ");
    hand_over(f, "LHLO mx.example.org", NULL, "192.0.3.1");
    say(f, "XCLIENT ADDR=192.0.2.9\r\n");
    expect(f, "250, 550 5.7.0");
}

static void tag_that_is_none_ends_the_stream(void **state)
{
    struct fixture *f = *state;
    hand_over(f, "nonsense", "mx@example.test", "192.0.2.1");
    assert_int_equal(f->need, STREAM_NEED_CLOSE);
    assert_int_equal(f->replies.size, 0);
}

static void refused_stream_is_told_to_come_again(void **state)
{
    (void)state;
    struct buffer output;
    buffer_init(&output, 1000);
    lmtp_protocol.refuse(SLICE("AUTH a"), LANGUAGE_DEFAULT, ERROR_LIMIT, &output);
    lmtp_protocol.refuse(SLICE(""), LANGUAGE_DEFAULT, ERROR_BUSY, &output);
    assert_string_equal(output.data, "421 4.3.2 too many connections, try again later\r\n"
                                     "421 4.3.2 try again later\r\n");
    buffer_release(&output);
}

/* Of the recipient that it is said of; the same account may be full for another one. */
static void quota_is_ignored_where_that_is_permitted(void **state)
{
    struct fixture *f = *state;
    const uint64_t one_byte[QUOTA_RESOURCES] = {[QUOTA_STORAGE] = 1};
    struct store_view *view;
    assert_int_equal(store_view_open(f->store, WHO_SYSTEM, f->accounts[ALICE], &view), 0);
    assert_int_equal(quota_set(view, 1U << QUOTA_STORAGE, one_byte), 0);
    store_view_close(&view);
    greet(f);
    say(f, HELLO FROM "RCPT TO:<alice@example.test> IGNOREQUOTA\r\n");
    expect(f, "250, 250 2.1.0, 555 5.5.4");
    f->config.lmtp_ignore_quota = true;
    hand_over(f, NULL, NULL, "local");
    say(f, HELLO FROM TO("alice@example.test") "RCPT TO:<Alice@example.test> IGNOREQUOTA\r\n" TO(
               "alice@example.test") "DATA\r\n" MESSAGE ".\r\n");
    expect(f, "220, 250, 250 2.1.0, 250 2.1.5, 250 2.1.5, 250 2.1.5, 354, 452 4.2.2, 250 2.0.0, "
              "452 4.2.2");
    assert_int_equal(count(f, f->accounts[ALICE], "INBOX"), 1);
    /* Who has logged in is not trusted so far; nor is an address without the option. */
    hand_over(f, "AUTH mx.example.org", "mx@example.test", "192.0.2.1");
    say(f, FROM "RCPT TO:<alice@example.test> IGNOREQUOTA\r\n");
    expect(f, "235 2.7.0, 250 2.1.0, 555 5.5.4");
    trust(f);
    hand_over(f, "LHLO mx.example.org", NULL, "192.0.2.1");
    assert_non_null(strstr(f->replies.data, "250-IGNOREQUOTA\r\n"));
    say(f, FROM "RCPT TO:<alice@example.test> IGNOREQUOTA\r\nDATA\r\n" MESSAGE ".\r\n");
    expect(f, "250, 250 2.1.0, 250 2.1.5, 354, 250 2.0.0");
    assert_int_equal(count(f, f->accounts[ALICE], "INBOX"), 2);
}

static void strangers_cannot_forge_fields(void **state)
{
    (void)state;
    struct buffer prefix;
    const struct trace_facts facts = {.sender = SLICE("a\nb@example.org"),
                                      .recipient = SLICE("c\rd@example.test"),
                                      .client_name = SLICE("x\ty"),
                                      .client = SLICE("192.0.2.1"),
                                      .hostname = "mail.example.test",
                                      .id = "1",
                                      .date = 0};
    buffer_init(&prefix, MESSAGE_PREFIX_MAXIMUM);
    assert_int_equal(trace_prefix(&facts, &prefix), 0);
    assert_string_equal(prefix.data, "Return-Path: <a?b@example.org>\r\n"
                                     "Delivered-To: c?d@example.test\r\n"
                                     "Received: from x?y (192.0.2.1)\r\n"
                                     "\tby mail.example.test (Chapar) with LMTP id 1\r\n"
                                     "\tfor <c?d@example.test>; "
                                     "Thu, 01 Jan 1970 00:00:00 +0000\r\n");
    buffer_release(&prefix);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(whole_transaction_in_one_write),
        WITH_STORE(whole_transaction_byte_by_byte),
        WITH_STORE(unknown_recipient_is_refused),
        WITH_STORE(each_recipient_gets_a_reply),
        WITH_STORE(reset_forgets_the_transaction),
        WITH_STORE(recipients_are_limited),
        WITH_STORE(transactions_follow_each_other),
        WITH_STORE(big_message_goes_through_a_file),
        WITH_STORE(messages_that_come_in_are_limited),
        WITH_STORE(too_big_message_is_refused),
        WITH_STORE(detail_names_a_mailbox),
        WITH_STORE(detail_in_another_case),
        WITH_STORE(detail_of_a_whole_name_is_none),
        WITH_STORE(group_and_alias_reach_each_account_once),
        WITH_STORE(detail_of_a_group),
        WITH_STORE(account_behind_a_group_goes),
        WITH_STORE(empty_group_is_nobody),
        WITH_STORE(accounts_of_a_transaction_are_limited),
        WITH_STORE(message_that_comes_again_is_stored_once),
        WITH_STORE(group_with_a_full_member),
        WITH_STORE(own_delivery_is_a_loop),
        WITH_STORE(another_servers_delivered_to_is_no_loop),
        WITH_STORE(too_many_received_fields_are_a_loop),
        WITH_STORE(half_closed_connection_delivers_what_is_complete),
        WITH_STORE(timeout_says_goodbye),
        WITH_STORE(draining_waits_for_the_transaction),
        WITH_STORE(login_of_a_mail_server_is_answered),
        WITH_STORE(trusted_server_tells_its_client),
        WITH_STORE(tag_that_is_none_ends_the_stream),
        WITH_STORE(quota_is_ignored_where_that_is_permitted),
        cmocka_unit_test(refused_stream_is_told_to_come_again),
        cmocka_unit_test(strangers_cannot_forge_fields),
    };
    log_init("test_lmtp", LOG_LEVEL_ERROR, LOG_FORMAT_KEY_VALUE);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
