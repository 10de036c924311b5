/*
 * Waking what sleeps (store/snooze.h), in accounts that somebody has told of and in those of which
 * the directory knows that something is due. Every process looks; the first one wakes.
 */
#include "base/clock.h"
#include "base/counters.h"
#include "base/error.h"
#include "base/gate.h"
#include "base/log.h"
#include "session/outgoing/sender_priv.h"
#include "store/snooze.h"

static void add_sleeper(struct job *job, struct account_id account)
{
    for (size_t i = 0; i < job->sleeper_count; i++)
        if (account_id_equal(job->sleepers[i], account))
            return;
    job->sleepers[job->sleeper_count++] = account;
}

static void note_next(struct job *job, int64_t next)
{
    if (next && next < job->wake_at)
        job->wake_at = next;
}

/* Twice as many accounts have room as can be told of or come of one question. */
static void add_due(const struct sender *sender, struct job *job)
{
    struct due_note notes[SENDER_ACCOUNTS];
    size_t count = 0;
    int64_t next;
    int error = due_notes(sender->options.store, WHO_SYSTEM, DUE_SNOOZED, clock_wall(), notes,
                          SENDER_ACCOUNTS, &count, &next);
    if (error)
        log_error("snooze_notes", LOG_TEXT("error", error_name(error)));
    for (size_t i = 0; i < count; i++)
        add_sleeper(job, notes[i].account);
    note_next(job, next);
    if (count == SENDER_ACCOUNTS) /* there may be more */
        note_next(job, clock_wall());
}

static void tell_woken(struct account_id account, size_t woken)
{
    char id[ACCOUNT_ID_TEXT + 1];
    account_id_format(account, id);
    counters_add(COUNTER_SNOOZE_WOKEN, (int64_t)woken);
    if (woken)
        log_info("snooze", LOG_TEXT("account", id), LOG_NUMBER("woken", (int64_t)woken));
}

/* One that has gone has nothing any more. */
static int wake_in(struct store *store, struct account_id account, int64_t *next)
{
    struct store_view *view;
    size_t woken = 0;
    int error = store_view_open(store, WHO_SYSTEM, account, &view);
    if (error)
        return error == ERROR_NOT_FOUND ? 0 : error;
    error = snooze_wake(view, &woken, next);
    store_view_close(&view);
    tell_woken(account, woken);
    if (error && !error_is_temporary(error)) { /* of a message; its next time is known */
        job_log_failure("snooze_failed", account, error);
        error = 0;
    }
    return error;
}

/* What fails for now stays due, and is looked at again in SENDER_LOOK_SECONDS. */
static void look_at(struct sender *sender, struct job *job, struct account_id account)
{
    struct store *store = sender->options.store;
    struct due_note note;
    int64_t next = 0;
    int error = due_note_of(store, WHO_SYSTEM, DUE_SNOOZED, account, &note);
    if (!error)
        error = wake_in(store, account, &next);
    if (!error && note.noted)
        error = due_note_next(store, WHO_SYSTEM, DUE_SNOOZED, &note, next);
    if (error)
        job_log_failure("snooze_wake", account, error);
    note_next(job, next);
}

void job_wake(struct sender *sender, struct job *job)
{
    if (job->wakes)
        add_due(sender, job);
    while (job->sleeper_count && !gate_is_closed())
        look_at(sender, job, job->sleepers[--job->sleeper_count]);
}
