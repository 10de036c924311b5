/*
 * The pool's side of the sender: settles what has a result, claims what is due.
 */
#include "base/clock.h"
#include "base/counters.h"
#include "base/error.h"
#include "base/gate.h"
#include "base/log.h"
#include "base/spool.h"
#include "session/outgoing/sender_priv.h"
#include "store/deliver.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum {
    LIST_MEMORY = 64 * 1024 * 1024, /* OUTGOING_MAXIMUM messages with all that they may have */
    SETTLE_AGAIN_MS = 5000,         /* after the store could not be written to */
};

/* Nothing is under way here any more. */
static void sending_clear(struct sending *sending)
{
    if (sending->file >= 0)
        close(sending->file);
    sending->file = -1;
    arena_clear(&sending->arena);
    sending->results = NULL;
    sending->settle_at = 0;
    sending->told = sending->untried = false;
    sending->state = SENDING_FREE;
}

static void job_add_account(struct job *job, struct account_id account)
{
    size_t i = 0;
    while (i < job->account_count && !account_id_equal(job->accounts[i], account))
        i++;
    if (i == job->account_count && i < SENDER_ACCOUNTS)
        job->accounts[job->account_count++] = account;
}

void job_log_failure(const char *event, struct account_id account, int error)
{
    char id[ACCOUNT_ID_TEXT + 1];
    account_id_format(account, id);
    log_error(event, LOG_TEXT("account", id), LOG_TEXT("error", error_name(error)));
}

/* --- settling --- */

static int64_t next_attempt(const struct outgoing_message *message, int64_t now)
{
    int64_t delay = SENDER_RETRY_FIRST;
    for (uint32_t i = 1; i < message->attempts && delay < SENDER_RETRY_MAXIMUM; i++)
        delay *= 2;
    return now + (delay < SENDER_RETRY_MAXIMUM ? delay : SENDER_RETRY_MAXIMUM);
}

static bool is_too_old(const struct sender *sender, const struct outgoing_message *message,
                       int64_t now)
{
    return now >= message->created + sender->options.config->outgoing_give_up;
}

static void count_result(enum outgoing_state state)
{
    counters_add(state == OUTGOING_SENT      ? COUNTER_OUTGOING_SENT
                 : state == OUTGOING_REFUSED ? COUNTER_OUTGOING_REFUSED
                                             : COUNTER_OUTGOING_DEFERRED,
                 1);
}

static void log_result(const struct sending *sending, size_t index)
{
    static const char *const names[] = {"deferred", "sent", "refused"};
    const struct outgoing_recipient *result = &sending->results[index];
    char id[ACCOUNT_ID_TEXT + 1];
    account_id_format(sending->account, id);
    log_info("outgoing", LOG_TEXT("account", id),
             LOG_NUMBER("message", (int64_t)sending->message.number),
             LOG_TEXT("kind", outgoing_kind_name(sending->message.envelope.kind)),
             LOG_SLICE("recipient", sending->message.envelope.recipients[index].address),
             LOG_NUMBER("attempt", sending->message.attempts),
             LOG_TEXT("result", names[result->state]), LOG_SLICE("reply", result->reply));
}

static bool was_asked(const struct sending *sending, size_t index)
{
    return sending->message.envelope.recipients[index].state == OUTGOING_WAITING;
}

/* Says what has come of each that was asked for: once, however often it has to be noted. */
static void tell_results(struct sending *sending)
{
    for (size_t i = 0; i < sending->message.envelope.recipient_count && !sending->told; i++) {
        if (!was_asked(sending, i))
            continue;
        count_result(sending->results[i].state);
        log_result(sending, i);
    }
    sending->told = true;
}

/* Whether some will not get it. With one that is too old, nobody is waited for any longer. */
static bool is_refused(const struct sender *sender, struct sending *sending, int64_t now)
{
    bool refused = false, too_old = is_too_old(sender, &sending->message, now);
    for (size_t i = 0; i < sending->message.envelope.recipient_count; i++) {
        struct outgoing_recipient *result = &sending->results[i];
        if (was_asked(sending, i) && result->state == OUTGOING_WAITING && too_old)
            result->state = OUTGOING_REFUSED;
        refused = refused || (was_asked(sending, i) && result->state == OUTGOING_REFUSED);
    }
    return refused;
}

/* The owner cannot be told, as there is no room: it is tried again later, for as long again. */
static void put_off(const struct sender *sender, struct sending *sending, int64_t now)
{
    const struct outgoing_message *message = &sending->message;
    if (now >= message->created + 2 * sender->options.config->outgoing_give_up) {
        job_log_failure("outgoing_lost", sending->account, ERROR_QUOTA);
        return;
    }
    for (size_t i = 0; i < message->envelope.recipient_count; i++)
        if (sending->results[i].state == OUTGOING_REFUSED && was_asked(sending, i))
            sending->results[i].state = OUTGOING_WAITING;
}

static int settle(const struct sender *sender, struct store_view *view, struct sending *sending)
{
    int64_t now = store_now(view);
    const struct outgoing_message *message = &sending->message;
    int error = 0;
    bool refused = is_refused(sender, sending, now);
    tell_results(sending);
    if (refused && message->envelope.kind == OUTGOING_REDIRECT) {
        error = return_to_owner(sender, view, sending);
        counters_add(COUNTER_OUTGOING_RETURNED, !error);
        if (error == ERROR_QUOTA || error == ERROR_LIMIT) {
            put_off(sender, sending, now);
            error = 0;
        }
    }
    return error ? error
                 : outgoing_settle(view, message->number, sending->results,
                                   message->envelope.recipient_count, next_attempt(message, now));
}

/* What nobody has tried is due as it was, and no attempt of those that there are to be. */
static int give_back(struct store_view *view, const struct sending *sending)
{
    return outgoing_release(view, sending->message.number, sending->message.attempts);
}

/* What cannot be noted is tried to be noted again, as long as nobody else may claim it. */
static void settle_one(const struct sender *sender, struct job *job, struct sending *sending)
{
    struct store_view *view;
    int error = store_view_open(sender->options.store, WHO_SYSTEM, sending->account, &view);
    if (!error) {
        error = sending->untried ? give_back(view, sending) : settle(sender, view, sending);
        store_view_close(&view);
    }
    if (error && error != ERROR_NOT_FOUND)
        job_log_failure("outgoing_settle", sending->account, error);
    if (error && error_is_temporary(error))
        sending->settle_at = job->now_ms + SETTLE_AGAIN_MS;
    else
        sending_clear(sending);
}

/* --- claiming --- */

/* The message in a file, for who sends. */
static int make_file(const struct sender *sender, struct slice bytes, int *file)
{
    struct spool spool;
    struct slice view;
    spool_init(&spool, sender->options.spool_directory, 0, bytes.size);
    spool_append(&spool, bytes);
    int error = spool_view(&spool, &view);
    if (!error) {
        *file = fcntl(spool.file, F_DUPFD_CLOEXEC, 0);
        error = *file < 0 ? error_from_errno(errno) : 0;
    }
    spool_release(&spool);
    return error;
}

/* Nothing is known yet. */
static struct outgoing_recipient *make_results(struct sending *sending)
{
    const struct outgoing_envelope *envelope = &sending->message.envelope;
    struct outgoing_recipient *results =
        arena_alloc_array(&sending->arena, envelope->recipient_count, sizeof(*results));
    for (size_t i = 0; results && i < envelope->recipient_count; i++)
        results[i] = (struct outgoing_recipient){.reply = SLICE("the connection has ended")};
    return results;
}

/* RFC 2852 section 4: one that was to be there by a time that has passed is not sent. */
static bool is_in_vain(const struct outgoing_envelope *envelope, int64_t now)
{
    return envelope->by_mode == 'R' && envelope->by_until <= now;
}

static void refuse_all(struct sending *sending)
{
    for (size_t i = 0; i < sending->message.envelope.recipient_count; i++)
        sending->results[i] = (struct outgoing_recipient){
            .state = OUTGOING_REFUSED,
            .reply = SLICE("the time by which it was to be there has passed")};
    sending->state = SENDING_FINISHED;
}

/* An account that is looked at. */
struct looking {
    const struct sender *sender;
    struct job *job;
    struct account_id account;
    struct store_view *view;
    size_t turn; /* messages claimed of it */
    bool again;  /* something is due that there was no room for */
};

static int claim(const struct looking *looking, uint64_t number, struct sending *sending)
{
    struct buffer body;
    buffer_init(&body, SIZE_MAX - 1);
    int error = outgoing_claim(looking->view, number, SENDER_CLAIM_SECONDS, &sending->arena,
                               &sending->message, &body);
    if (!error)
        error = make_file(looking->sender, buffer_slice(&body), &sending->file);
    buffer_release(&body);
    sending->results = error ? NULL : make_results(sending);
    sending->account = looking->account;
    if (!error && !sending->results)
        error = ERROR_MEMORY;
    if (error)
        sending_clear(sending);
    else if (is_in_vain(&sending->message.envelope, store_now(looking->view)))
        refuse_all(sending);
    else
        sending->state = SENDING_CLAIMED;
    return error;
}

/* When the message is to be looked at again. */
static int64_t look_at_message(struct looking *looking, const struct outgoing_message *message)
{
    struct job *job = looking->job;
    int64_t now = store_now(looking->view);
    if (message->claimed > now)
        return message->claimed;
    if (message->next > now)
        return message->next;
    if (!job->claims || looking->turn == SENDER_TURN || job->filled == job->vacant_count) {
        looking->again = true;
        return now;
    }
    int error = claim(looking, message->number, job->vacant[job->filled]);
    if (!error) {
        job->filled++;
        looking->turn++;
    } else if (error != ERROR_BUSY && error != ERROR_NOT_FOUND) {
        job_log_failure("outgoing_claim", looking->account, error);
    }
    return now + SENDER_CLAIM_SECONDS;
}

static int look_at_messages(struct looking *looking, int64_t *next)
{
    struct arena arena;
    struct outgoing_message *list;
    size_t count = 0;
    arena_init(&arena, LIST_MEMORY);
    int error = outgoing_list(looking->view, &arena, &list, &count);
    for (size_t i = 0; i < count && !error; i++) {
        int64_t again = look_at_message(looking, &list[i]);
        if (!*next || again < *next)
            *next = again;
    }
    arena_release(&arena);
    return error;
}

/* An account that has gone has nothing any more. What is due and may not be claimed here is for
 * whoever looks next. */
static int look_at_account(struct looking *looking)
{
    struct store *store = looking->sender->options.store;
    struct due_note note;
    int64_t next = 0;
    int error = due_note_of(store, WHO_SYSTEM, DUE_OUTGOING, looking->account, &note);
    if (error || !note.noted)
        return error;
    error = store_view_open(store, WHO_SYSTEM, looking->account, &looking->view);
    if (!error) {
        error = look_at_messages(looking, &next);
        store_view_close(&looking->view);
    }
    if (error && error != ERROR_NOT_FOUND)
        return error;
    if (looking->again && !looking->job->claims)
        return due_note_renew(store, WHO_SYSTEM, DUE_OUTGOING, looking->account);
    return due_note_next(store, WHO_SYSTEM, DUE_OUTGOING, &note, next);
}

static void look_at(const struct sender *sender, struct job *job, struct account_id account)
{
    struct looking looking = {.sender = sender, .job = job, .account = account};
    bool closed = gate_is_closed();
    int error = closed ? 0 : look_at_account(&looking);
    if (error)
        job_log_failure("outgoing_look", account, error);
    if ((closed || (looking.again && job->claims)) && job->again_count < SENDER_ACCOUNTS)
        job->again[job->again_count++] = account;
}

/* Those that the directory knows of and nobody has told of. */
static void add_noted(const struct sender *sender, struct job *job)
{
    struct due_note notes[SENDER_ACCOUNTS];
    size_t count = 0;
    int64_t next;
    struct store *store = sender->options.store;
    int error = due_notes(store, WHO_SYSTEM, DUE_OUTGOING, clock_wall(), notes, SENDER_ACCOUNTS,
                          &count, &next);
    if (error)
        log_error("outgoing_notes", LOG_TEXT("error", error_name(error)));
    for (size_t i = 0; i < count; i++)
        job_add_account(job, notes[i].account);
}

/* --- the job --- */

/* One that cannot be renewed may be sent by somebody else as well, some time later. */
static void renew(const struct sender *sender, const struct sending *sending)
{
    struct store_view *view;
    int error = store_view_open(sender->options.store, WHO_SYSTEM, sending->account, &view);
    if (!error) {
        error = outgoing_renew(view, sending->message.number, SENDER_CLAIM_SECONDS);
        store_view_close(&view);
    }
    if (error && error != ERROR_NOT_FOUND)
        job_log_failure("outgoing_renew", sending->account, error);
}

void job_run(struct sender *sender, struct job *job)
{
    for (size_t i = 0; i < job->renewed_count; i++)
        renew(sender, job->renewed[i]);
    for (size_t i = 0; i < job->finished_count; i++) {
        struct account_id account = job->finished[i]->account;
        settle_one(sender, job, job->finished[i]);
        job_add_account(job, account); /* to note when its next one is due */
    }
    if (job->looks)
        add_noted(sender, job);
    for (size_t i = 0; i < job->account_count; i++)
        look_at(sender, job, job->accounts[i]);
    job_wake(sender, job);
}
