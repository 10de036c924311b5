/*
 * Mail on its way out: put by a delivery, claimed, settled, noted in the directory, and never more
 * than an account may have or send.
 */
#include "store/check.h"
#include "store/deliver.h"
#include "store/outgoing_priv.h"
#include "store/settle.h"
#include "store_test.h"

enum { HOUR = 3600, LARGE = MESSAGE_INLINE_MAXIMUM + 1 };

static struct store_view *open_system(struct fixture *f)
{
    struct store_view *view = NULL;
    assert_int_equal(store_view_open(f->store, WHO_SYSTEM, f->alice, &view), 0);
    return view;
}

static int deliver(struct fixture *f, const struct departure *departures, size_t count)
{
    struct store_view *view = open_system(f);
    const struct delivery_plan plan = {.departures = departures, .departure_count = count};
    int error = store_deliver(view, &plan);
    store_view_close(&view);
    return error;
}

static const struct outgoing_recipient two[] = {{SLICE("bob@example.org"), OUTGOING_WAITING, {0}},
                                                {SLICE("eve@example.org"), OUTGOING_WAITING, {0}}};

static struct departure redirect_to(const struct outgoing_recipient *recipients, size_t count)
{
    return (struct departure){
        .envelope = {.kind = OUTGOING_REDIRECT,
                     .eight_bit = true,
                     .notify = 5,
                     .ret = 'H',
                     .by_mode = 'R',
                     .by_trace = true,
                     .by_until = 12345,
                     .sender = SLICE("sender@example.net"),
                     .recipients = recipients,
                     .recipient_count = count},
        .pieces = {SLICE("A: b\r\n"), SLICE("Subject: x\r\n\r\n"), SLICE("body\r\n")}};
}

static size_t list(struct fixture *f, struct outgoing_message **found)
{
    size_t count = 0;
    struct store_view *view = open_system(f);
    assert_int_equal(outgoing_list(view, &f->arena, found, &count), 0);
    store_view_close(&view);
    return count;
}

static int claim(struct fixture *f, uint64_t number, struct outgoing_message *message,
                 struct buffer *body)
{
    struct store_view *view = open_system(f);
    buffer_clear(body);
    int error = outgoing_claim(view, number, 600, &f->arena, message, body);
    store_view_close(&view);
    return error;
}

static int settle(struct fixture *f, uint64_t number, enum outgoing_state first,
                  enum outgoing_state second, int64_t next)
{
    struct store_view *view = open_system(f);
    const struct outgoing_recipient results[] = {{{0}, first, SLICE("first said")},
                                                 {{0}, second, SLICE("second said")}};
    int error = outgoing_settle(view, number, results, 2, next);
    store_view_close(&view);
    return error;
}

static struct due_note note_of(struct fixture *f)
{
    struct due_note note;
    assert_int_equal(due_note_of(f->store, WHO_SYSTEM, DUE_OUTGOING, f->alice, &note), 0);
    return note;
}

/* From a delivery to the last recipient. */
static void test_whole_way(void **state)
{
    struct fixture *f = *state;
    struct outgoing_message *found, message;
    struct buffer body;
    buffer_init(&body, 1000);
    const struct departure redirect = redirect_to(two, 2);
    assert_int_equal(deliver(f, &redirect, 1), 0);
    check_account(f);
    assert_int_equal(list(f, &found), 1);
    assert_int_equal(found->envelope.kind, OUTGOING_REDIRECT);
    assert_true(found->envelope.eight_bit && found->envelope.by_trace && !found->envelope.utf8);
    assert_int_equal(found->envelope.notify, 5);
    assert_int_equal(found->envelope.ret, 'H');
    assert_int_equal(found->envelope.by_mode, 'R');
    assert_int_equal(found->envelope.by_until, 12345);
    assert_true(slice_equal(found->envelope.sender, SLICE("sender@example.net")));
    assert_int_equal(found->envelope.recipient_count, 2);
    assert_true(slice_equal(found->envelope.recipients[1].address, two[1].address));
    assert_int_equal(found->created, f->now);
    assert_int_equal(found->next, f->now);

    assert_int_equal(claim(f, found->number, &message, &body), 0);
    assert_true(slice_equal(buffer_slice(&body), SLICE("A: b\r\nSubject: x\r\n\r\nbody\r\n")));
    assert_int_equal(message.size, body.size);
    assert_int_equal(message.attempts, 1);
    /* Nobody else has it, nor can it be taken away, until the claim has run out. */
    assert_int_equal(claim(f, found->number, &message, &body), ERROR_BUSY);
    struct store_view *view = open_system(f);
    assert_int_equal(outgoing_remove(view, found->number), ERROR_BUSY);
    assert_int_equal(outgoing_retry(view, found->number), ERROR_BUSY);
    /* It lasts as long as it is renewed. */
    f->now += 599;
    assert_int_equal(outgoing_renew(view, found->number, 600), 0);
    f->now += 599;
    assert_int_equal(claim(f, found->number, &message, &body), ERROR_BUSY);
    f->now += 1;
    assert_int_equal(outgoing_renew(view, found->number, 600), ERROR_BUSY);
    assert_int_equal(claim(f, found->number, &message, &body), 0);
    assert_int_equal(message.attempts, 2);

    /* One of the two is done, the other one waits. */
    assert_int_equal(settle(f, message.number, OUTGOING_SENT, OUTGOING_WAITING, f->now + HOUR), 0);
    check_account(f);
    assert_int_equal(claim(f, message.number, &message, &body), ERROR_BUSY);
    assert_int_equal(outgoing_retry(view, message.number), 0);
    assert_int_equal(claim(f, message.number, &message, &body), 0);
    assert_int_equal(message.envelope.recipients[0].state, OUTGOING_SENT);
    assert_true(slice_equal(message.envelope.recipients[0].reply, SLICE("first said")));
    assert_int_equal(message.envelope.recipients[1].state, OUTGOING_WAITING);
    assert_true(slice_equal(message.envelope.recipients[1].reply, SLICE("second said")));
    /* What is known stays, whatever a second attempt says of it. */
    assert_int_equal(settle(f, message.number, OUTGOING_WAITING, OUTGOING_REFUSED, 0), 0);
    assert_int_equal(list(f, &found), 0);
    assert_int_equal(settle(f, message.number, OUTGOING_SENT, OUTGOING_SENT, 0), ERROR_NOT_FOUND);
    assert_int_equal(outgoing_read(view, message.number, &body), ERROR_NOT_FOUND);
    check_account(f);
    store_view_close(&view);
    buffer_release(&body);
}

/* What nobody has tried to send is as it was before the claim. */
static void test_release(void **state)
{
    struct fixture *f = *state;
    struct outgoing_message *found, message;
    struct buffer body;
    buffer_init(&body, 1000);
    const struct departure redirect = redirect_to(two, 2);
    assert_int_equal(deliver(f, &redirect, 1), 0);
    assert_int_equal(list(f, &found), 1);
    uint64_t number = found->number;
    int64_t next = found->next;
    f->now += 10;
    struct store_view *view = open_system(f);
    assert_int_equal(claim(f, number, &message, &body), 0);
    assert_int_equal(outgoing_release(view, number, message.attempts), 0);
    assert_int_equal(list(f, &found), 1);
    assert_int_equal(found->claimed, 0);
    assert_int_equal(found->attempts, 0);
    assert_int_equal(found->next, next);
    check_account(f);
    /* Once. */
    assert_int_equal(outgoing_release(view, number, message.attempts), 0);
    assert_int_equal(claim(f, number, &message, &body), 0);
    assert_int_equal(message.attempts, 1);
    /* A claim that has run out, and another one since: that one stays. */
    f->now += 600;
    assert_int_equal(claim(f, number, &message, &body), 0);
    assert_int_equal(message.attempts, 2);
    assert_int_equal(outgoing_release(view, number, 1), 0);
    assert_int_equal(claim(f, number, &message, &body), ERROR_BUSY);
    assert_int_equal(settle(f, number, OUTGOING_SENT, OUTGOING_SENT, 0), 0);
    assert_int_equal(outgoing_release(view, number, 2), ERROR_NOT_FOUND);
    store_view_close(&view);
    check_account(f);
    buffer_release(&body);
}

/* In a blob that goes with the message, and that reclaiming leaves alone until then. */
static void test_large(void **state)
{
    struct fixture *f = *state;
    char *text = malloc(LARGE);
    struct buffer body;
    struct outgoing_message *found;
    memset(text, 'x', LARGE);
    struct departure redirect = redirect_to(two, 2);
    redirect.pieces[2] = slice_make(text, LARGE);
    assert_int_equal(deliver(f, &redirect, 1), 0);
    check_account(f);
    assert_int_equal(store_reclaim(f->store, WHO_SYSTEM, f->alice, true), 0);
    assert_int_equal(list(f, &found), 1);
    struct store_view *view = open_system(f);
    buffer_init(&body, 2 * LARGE);
    assert_int_equal(outgoing_read(view, found->number, &body), 0);
    assert_int_equal(body.size, LARGE + 20);
    assert_int_equal(outgoing_remove(view, found->number), 0);
    assert_int_equal(outgoing_remove(view, found->number), ERROR_NOT_FOUND);
    store_view_close(&view);
    check_account(f);
    buffer_release(&body);
    free(text);
}

/* The number of messages, of which a redirect alone is worth refusing a delivery for. */
static void test_limit(void **state)
{
    struct fixture *f = *state;
    struct departure many[DEPARTURES_MAXIMUM + 1];
    struct outgoing_message *found;
    for (size_t i = 0; i < DEPARTURES_MAXIMUM + 1; i++)
        many[i] = redirect_to(two, 1);
    assert_int_equal(deliver(f, many, DEPARTURES_MAXIMUM + 1), ERROR_LIMIT);
    for (size_t i = 0; i < OUTGOING_MAXIMUM; i += DEPARTURES_MAXIMUM)
        assert_int_equal(deliver(f, many, DEPARTURES_MAXIMUM), 0);
    assert_int_equal(deliver(f, many, 1), ERROR_BUSY);
    many[0].envelope.kind = OUTGOING_RESPONSE;
    assert_int_equal(deliver(f, many, 1), 0);
    assert_int_equal(list(f, &found), OUTGOING_MAXIMUM);
    check_account(f);
}

static int put_large(struct kv_transaction *transaction, void *arg)
{
    struct buffer value;
    struct outgoing_record record = {
        .message = {.envelope = {.kind = OUTGOING_REDIRECT,
                                 .sender = SLICE(""),
                                 .recipients = two,
                                 .recipient_count = 1},
                    .size = OUTGOING_BYTES_MAXIMUM - *(uint64_t *)arg}};
    buffer_init(&value, 1000);
    outgoing_record_write(&record, &value);
    int error = kv_put(transaction, SLICE("O\x81\xff"), buffer_slice(&value));
    buffer_release(&value);
    return error;
}

/* What waits may have so many bytes, and one message more. */
static void test_bytes(void **state)
{
    struct fixture *f = *state;
    const struct departure redirect = redirect_to(two, 1);
    char space[64], id[ACCOUNT_ID_TEXT + 1];
    account_id_format(f->alice, id);
    snprintf(space, sizeof(space), "accounts/%.2s/%s", id, id);
    struct kv *kv;
    assert_int_equal(kv_open(f->kv, space, 0, &kv), 0);
    uint64_t room = 1;
    assert_int_equal(kv_update(kv, KV_DURABLE, put_large, &room), 0);
    assert_int_equal(deliver(f, &redirect, 1), 0);
    room = 0;
    assert_int_equal(kv_update(kv, KV_DURABLE, put_large, &room), 0);
    assert_int_equal(deliver(f, &redirect, 1), ERROR_BUSY);
    kv_close(&kv);
}

/* Recipients, addresses, and what is kept of a reply. */
static void test_envelope(void **state)
{
    struct fixture *f = *state;
    struct outgoing_recipient many[OUTGOING_RECIPIENTS_MAXIMUM + 1];
    struct outgoing_message *found;
    char text[OUTGOING_ADDRESS_MAXIMUM + 1];
    memset(text, 'x', sizeof(text));
    struct slice fits = {text, OUTGOING_ADDRESS_MAXIMUM}, large = {text, sizeof(text)};
    for (size_t i = 0; i < sizeof(many) / sizeof(many[0]); i++)
        many[i] = (struct outgoing_recipient){.address = fits};
    struct departure redirect = redirect_to(many, OUTGOING_RECIPIENTS_MAXIMUM);
    redirect.envelope.sender = fits;
    assert_int_equal(deliver(f, &redirect, 1), 0);
    redirect.envelope.sender = large;
    assert_int_equal(deliver(f, &redirect, 1), ERROR_LIMIT);
    redirect = redirect_to(many, OUTGOING_RECIPIENTS_MAXIMUM + 1);
    assert_int_equal(deliver(f, &redirect, 1), ERROR_LIMIT);
    redirect = redirect_to(many, 0);
    assert_int_equal(deliver(f, &redirect, 1), ERROR_LIMIT);
    many[0].address = large;
    redirect = redirect_to(many, 1);
    assert_int_equal(deliver(f, &redirect, 1), ERROR_LIMIT);
    assert_int_equal(list(f, &found), 1);
    struct store_view *view = open_system(f);
    for (size_t i = 0; i < OUTGOING_RECIPIENTS_MAXIMUM; i++)
        many[i] = (struct outgoing_recipient){.reply = large};
    assert_int_equal(
        outgoing_settle(view, found->number, many, OUTGOING_RECIPIENTS_MAXIMUM, f->now), 0);
    store_view_close(&view);
    assert_int_equal(list(f, &found), 1);
    assert_int_equal(found->envelope.recipients[0].reply.size, OUTGOING_REPLY_MAXIMUM);
    check_account(f);
}

/* What is made once. */
static void test_once(void **state)
{
    struct fixture *f = *state;
    struct outgoing_message *found;
    struct departure response = redirect_to(two, 1);
    response.envelope.kind = OUTGOING_RESPONSE;
    response.once = (struct remembered){7, f->now + HOUR};
    assert_int_equal(deliver(f, &response, 1), 0);
    assert_int_equal(deliver(f, &response, 1), 0);
    assert_int_equal(list(f, &found), 1);
    f->now += HOUR;
    response.once.until = f->now + HOUR;
    assert_int_equal(deliver(f, &response, 1), 0);
    assert_int_equal(list(f, &found), 2);
    check_account(f);
}

/* A burst goes at once, the rest in its turn: the fixture's rate is 60 an hour. */
static void test_rate(void **state)
{
    struct fixture *f = *state;
    struct outgoing_message *found;
    const struct departure redirect = redirect_to(two, 2);
    for (int i = 0; i < OUTGOING_BURST + 3; i++)
        assert_int_equal(deliver(f, &redirect, 1), 0);
    assert_int_equal(list(f, &found), OUTGOING_BURST + 3);
    for (int i = 0; i <= OUTGOING_BURST; i++)
        assert_int_equal(found[i].next, f->now);
    assert_int_equal(found[OUTGOING_BURST + 1].next, f->now + 60);
    assert_int_equal(found[OUTGOING_BURST + 2].next, f->now + 120);
    /* An hour later nothing has to wait any more. */
    f->now += HOUR;
    assert_int_equal(deliver(f, &redirect, 1), 0);
    assert_int_equal(list(f, &found), OUTGOING_BURST + 4);
    assert_int_equal(found[OUTGOING_BURST + 3].next, f->now);
    check_account(f);
}

/* The directory knows of the account before its own transaction, and forgets it some time after. */
static void test_note(void **state)
{
    struct fixture *f = *state;
    struct due_note notes[2], note;
    size_t count;
    int64_t next;
    const struct departure redirect = redirect_to(two, 2);
    assert_int_equal(note_of(f).noted, 0);
    assert_int_equal(deliver(f, &redirect, 1), 0);
    int64_t noted = f->now;
    assert_int_equal(note_of(f).noted, noted);
    assert_int_equal(note_of(f).due, noted);
    /* Within a minute once. */
    f->now += DUE_NOTE_MINUTE - 1;
    assert_int_equal(deliver(f, &redirect, 1), 0);
    note = note_of(f);
    assert_int_equal(note.noted, noted);
    assert_int_equal(due_notes(f->store, WHO_SYSTEM, DUE_OUTGOING, f->now, notes, 2, &count, &next),
                     0);
    assert_int_equal(count, 1);
    assert_true(account_id_equal(notes[0].account, f->alice));
    /* When the next is due. */
    assert_int_equal(due_note_next(f->store, WHO_SYSTEM, DUE_OUTGOING, &note, f->now + HOUR), 0);
    assert_int_equal(due_notes(f->store, WHO_SYSTEM, DUE_OUTGOING, f->now, notes, 2, &count, &next),
                     0);
    assert_int_equal(count, 0);
    /* Not as late as the next message: what another delivery has put since the account was read,
     * and a process that has died told nobody of, waits no longer than its note. */
    assert_int_equal(next, noted + DUE_NOTE_KEPT);
    assert_int_equal(
        due_notes(f->store, WHO_SYSTEM, DUE_OUTGOING, f->now + HOUR, notes, 2, &count, &next), 0);
    assert_int_equal(count, 1);
    assert_int_equal(
        due_notes(f->store, WHO_SYSTEM, DUE_OUTGOING, f->now + HOUR, notes, 0, &count, &next), 0);
    assert_int_equal(count, 0);
    /* A delivery since: what was read before it says nothing any more. */
    f->now += 1;
    assert_int_equal(deliver(f, &redirect, 1), 0);
    assert_int_equal(due_note_next(f->store, WHO_SYSTEM, DUE_OUTGOING, &note, 0), 0);
    note = note_of(f);
    assert_int_equal(note.due, f->now);
    /* Nothing waits any more; a delivery may just be on its way to its transaction. */
    assert_int_equal(due_note_next(f->store, WHO_SYSTEM, DUE_OUTGOING, &note, 0), 0);
    assert_int_equal(note_of(f).due, note.noted + DUE_NOTE_KEPT);
    f->now = note.noted + DUE_NOTE_KEPT;
    assert_int_equal(due_note_next(f->store, WHO_SYSTEM, DUE_OUTGOING, &note, 0), 0);
    assert_int_equal(note_of(f).noted, 0);
}

/* What is left to others stays due, whatever somebody says who had read the note before; within the
 * same second as well. */
static void test_left_to_others(void **state)
{
    struct fixture *f = *state;
    const struct departure redirect = redirect_to(two, 2);
    assert_int_equal(deliver(f, &redirect, 1), 0);
    for (int i = 0; i < 2; i++) {
        struct due_note before = note_of(f);
        assert_int_equal(due_note_renew(f->store, WHO_SYSTEM, DUE_OUTGOING, f->alice), 0);
        assert_int_equal(due_note_next(f->store, WHO_SYSTEM, DUE_OUTGOING, &before, f->now + HOUR),
                         0);
        assert_int_equal(note_of(f).due, f->now);
    }
    /* Who has read it since has seen what there is. */
    struct due_note note = note_of(f);
    assert_int_equal(due_note_next(f->store, WHO_SYSTEM, DUE_OUTGOING, &note, f->now + 1), 0);
    assert_int_equal(note_of(f).due, f->now + 1);
    /* The next delivery's note is one of its own time again. */
    assert_int_equal(deliver(f, &redirect, 1), 0);
    assert_int_equal(note_of(f).noted, f->now);
    check_account(f);
    /* Of an account that had no note. */
    f->now += DUE_NOTE_KEPT;
    note = note_of(f);
    assert_int_equal(due_note_next(f->store, WHO_SYSTEM, DUE_OUTGOING, &note, 0), 0);
    assert_int_equal(note_of(f).noted, 0);
    assert_int_equal(due_note_renew(f->store, WHO_SYSTEM, DUE_OUTGOING, f->alice), 0);
    assert_int_equal(note_of(f).noted, f->now);
    assert_int_equal(note_of(f).due, f->now);
}

static void count_finding(enum check_finding finding, const char *text, void *arg)
{
    (void)finding;
    if (strstr(text, "on its way out"))
        ++*(int *)arg;
}

static int findings(struct fixture *f, bool repair)
{
    int count = 0;
    struct check_result result;
    const struct check_options options = {
        .deep = true, .repair = repair, .report = count_finding, .arg = &count};
    assert_int_equal(store_check_account(f->store, WHO_SYSTEM, f->alice, &options, &result), 0);
    return count;
}

static int delete_key(struct kv_transaction *transaction, void *arg)
{
    const char *key = arg;
    return kv_delete(transaction, slice_from_string(key));
}

static void break_space(struct fixture *f, const char *space, const char *key)
{
    struct kv *kv;
    char text[64];
    snprintf(text, sizeof(text), "%s", key);
    assert_int_equal(kv_open(f->kv, space, 0, &kv), 0);
    assert_int_equal(kv_update(kv, KV_DURABLE, delete_key, text), 0);
    kv_close(&kv);
}

/* What the check finds, and mends. */
static void test_check(void **state)
{
    struct fixture *f = *state;
    struct outgoing_message *found;
    char id[ACCOUNT_ID_TEXT + 1], space[64], key[64];
    const struct departure redirect = redirect_to(two, 2);
    assert_int_equal(deliver(f, &redirect, 1), 0);
    assert_int_equal(deliver(f, &redirect, 1), 0);
    account_id_format(f->alice, id);
    snprintf(space, sizeof(space), "accounts/%.2s/%s", id, id);
    snprintf(key, sizeof(key), "o%s", id);
    break_space(f, "directory", key);
    assert_int_equal(findings(f, false), 1);
    assert_int_equal(findings(f, true), 1);
    assert_int_equal(findings(f, false), 0);
    assert_int_equal(note_of(f).noted, f->now);
    /* The bytes of the first are lost; then the record of the second. */
    assert_int_equal(list(f, &found), 2);
    assert_true(found[0].number < 0x80);
    snprintf(key, sizeof(key), "B\x81%c", (char)(0x80 + (int)found[0].number));
    break_space(f, space, key);
    assert_int_equal(findings(f, true), 1);
    assert_int_equal(findings(f, false), 0);
    snprintf(key, sizeof(key), "O\x81%c", (char)(0x80 + (int)found[1].number));
    break_space(f, space, key);
    assert_int_equal(findings(f, true), 1);
    check_account(f);
    assert_int_equal(list(f, &found), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(test_whole_way),      ON_BOTH(test_release), ON_BOTH(test_large),
        ON_BOTH(test_limit),          ON_BOTH(test_bytes),   ON_BOTH(test_envelope),
        ON_BOTH(test_once),           ON_BOTH(test_rate),    ON_BOTH(test_note),
        ON_BOTH(test_left_to_others), ON_BOTH(test_check),
    };
    return cmocka_run_group_tests_name("outgoing", tests, NULL, NULL);
}
