/*
 * Calls of the store that delivery makes: scripts, filings, mail on its way out.
 */
#include "rights_test.h"
#include "store/deliver.h"
#include "store/event.h"
#include "store/script.h"
#include "store/site_script.h"

/* --- Sieve scripts: "rules" is there once it has been put --- */

int call_script_put(struct caller *c)
{
    return script_put(c->view, SLICE("rules"), SLICE("keep;"));
}

int call_script_list(struct caller *c)
{
    struct script *list;
    size_t count;
    return script_list(c->view, &c->f->arena, &list, &count);
}

int call_script_find(struct caller *c)
{
    struct script script;
    return script_find(c->view, SLICE("rules"), &c->f->arena, &script);
}

int call_script_read(struct caller *c)
{
    struct script script = {0};
    struct buffer text;
    buffer_init(&text, 100);
    script_find(c->f->view, SLICE("rules"), &c->f->arena, &script); /* it may not be there yet */
    int error = script_read(c->view, &script, &text);
    buffer_release(&text);
    return error;
}

int call_script_check_room(struct caller *c)
{
    return script_check_room(c->view, SLICE("rules"), 5);
}

int call_script_rename(struct caller *c)
{
    int error = script_rename(c->view, SLICE("rules"), SLICE("other"));
    return error ? error : script_rename(c->view, SLICE("other"), SLICE("rules"));
}

int call_script_activate(struct caller *c)
{
    int error = script_activate(c->view, SLICE("rules"));
    return error ? error : script_activate(c->view, SLICE(""));
}

int call_script_delete(struct caller *c)
{
    int error = script_delete(c->view, SLICE("rules"));
    return error ? error : script_put(c->view, SLICE("rules"), SLICE("keep;"));
}

int call_deliver(struct caller *c)
{
    const struct remembered remembered = {5, 5};
    const struct delivery_plan plan = {.remembered = &remembered, .remembered_count = 1};
    return store_deliver(c->view, &plan);
}

int call_remembers(struct caller *c)
{
    bool is;
    return store_remembers(c->view, 5, &is);
}

int call_outgoing_list(struct caller *c)
{
    struct outgoing_message *list;
    size_t count;
    return outgoing_list(c->view, &c->f->arena, &list, &count);
}

/* Of what there is not. */
static int done_when_missing(int error)
{
    return error == ERROR_NOT_FOUND ? 0 : error;
}

int call_outgoing_claim(struct caller *c)
{
    struct outgoing_message message;
    struct buffer body;
    buffer_init(&body, 100);
    int error = outgoing_claim(c->view, 999, 1, &c->f->arena, &message, &body);
    buffer_release(&body);
    return done_when_missing(error);
}

int call_outgoing_renew(struct caller *c)
{
    return done_when_missing(outgoing_renew(c->view, 999, 1));
}

int call_outgoing_release(struct caller *c)
{
    return done_when_missing(outgoing_release(c->view, 999, 1));
}

int call_outgoing_read(struct caller *c)
{
    struct buffer body;
    buffer_init(&body, 100);
    int error = outgoing_read(c->view, 999, &body);
    buffer_release(&body);
    return done_when_missing(error);
}

int call_outgoing_settle(struct caller *c)
{
    return done_when_missing(outgoing_settle(c->view, 999, NULL, 0, 0));
}

int call_outgoing_retry(struct caller *c)
{
    return done_when_missing(outgoing_retry(c->view, 999));
}

int call_outgoing_remove(struct caller *c)
{
    return done_when_missing(outgoing_remove(c->view, 999));
}

int call_snooze_list(struct caller *c)
{
    struct snoozed *list;
    size_t count;
    return snooze_list(c->view, &c->f->arena, &list, &count);
}

int call_snooze_wake(struct caller *c)
{
    size_t woken;
    int64_t next;
    return snooze_wake(c->view, &woken, &next);
}

int call_due_notes(struct caller *c)
{
    struct due_note notes[1];
    size_t count;
    int64_t next;
    return due_notes(c->store, c->who, DUE_OUTGOING, 0, notes, 1, &count, &next);
}

int call_due_note_of(struct caller *c)
{
    struct due_note note;
    return due_note_of(c->store, c->who, DUE_OUTGOING, c->f->alice, &note);
}

int call_due_note_renew(struct caller *c)
{
    return due_note_renew(c->store, c->who, DUE_OUTGOING, c->f->alice);
}

int call_due_note_next(struct caller *c)
{
    const struct due_note note = {.account = c->f->alice};
    return due_note_next(c->store, c->who, DUE_OUTGOING, &note, 0);
}

static const struct site_script after_all = {.place = SITE_AFTER};

int call_site_put(struct caller *c)
{
    return site_script_put(c->store, c->who, &after_all, SLICE("keep;"));
}

int call_site_list(struct caller *c)
{
    struct site_script *list;
    size_t count;
    return site_script_list(c->store, c->who, &c->f->arena, &list, &count);
}

int call_site_find(struct caller *c)
{
    struct site_script script = after_all;
    return site_script_find(c->store, c->who, &script);
}

int call_site_read(struct caller *c)
{
    struct site_script script = after_all;
    struct buffer text;
    buffer_init(&text, 100);
    int error = site_script_find(c->store, WHO_SYSTEM, &script);
    if (!error)
        error = site_script_read(c->store, c->who, &script, &text);
    buffer_release(&text);
    return error;
}

int call_site_around(struct caller *c)
{
    struct site_script list[SITE_SCRIPTS_AROUND];
    size_t count, before;
    return site_scripts_around(c->store, c->who, SLICE(""), list, &count, &before);
}

int call_site_of_events(struct caller *c)
{
    struct site_script list[SITE_SCRIPTS_OF_EVENTS];
    size_t count;
    return site_scripts_of_events(c->store, c->who, SLICE(""), list, &count);
}

int call_site_has_events(struct caller *c)
{
    bool has;
    return site_has_events(c->store, c->who, &has);
}

/* There is none: who may know that is told so. */
int call_event_script_name(struct caller *c)
{
    struct slice name;
    int error = event_script_name(c->view, c->mailbox, &c->f->arena, &name);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

int call_site_activate(struct caller *c)
{
    return site_script_activate(c->store, c->who, &after_all, true);
}

int call_site_delete(struct caller *c)
{
    int error = site_script_delete(c->store, c->who, &after_all);
    return error ? error : call_site_put(c);
}
