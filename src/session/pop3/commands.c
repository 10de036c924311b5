#include "session/pop3/pop3_priv.h"

#include "base/error.h"
#include "proto/pop3/login.h"

#include <inttypes.h>

typedef void command_handler(struct pop3_session *session, const struct pop3_command *command);

static const char no_message[] = "No such message";

static struct buffer *output(struct pop3_session *session)
{
    return &session->turns.stream->output;
}

/* The UID of the message a command is about; 0: there is none, which is answered. */
static uint32_t find_message(struct pop3_session *session, const struct pop3_command *command)
{
    uint32_t uid = maildrop_uid(&session->maildrop, command->number);
    if (!uid)
        pop3_write_error(output(session), session->language, NULL, no_message);
    return uid;
}

static void fail_message(struct pop3_session *session, int error)
{
    if (error == ERROR_NOT_FOUND)
        pop3_write_error(output(session), session->language, NULL,
                         "The message has gone meanwhile");
    else
        pop3_fail(session, error);
}

/* *size: the octets that RETR sends of it. */
static int read_entry(struct pop3_session *session, uint32_t uid, struct entry *entry,
                      uint64_t *size)
{
    struct mailbox_snapshot *snapshot;
    int error = pop3_snapshot(session, &snapshot);
    if (error)
        return error;
    error = maildrop_entry(snapshot, uid, entry);
    if (!error)
        *size = pop3_size(session, snapshot, entry);
    mailbox_snapshot_close(&snapshot);
    return error;
}

static uint32_t messages_left(struct pop3_session *session)
{
    struct maildrop *maildrop = &session->maildrop;
    return range_set_size(&maildrop->uids) - range_set_size(&maildrop->deleted);
}

static uint64_t octets_left(const struct pop3_session *session)
{
    return session->maildrop.size - session->maildrop.deleted_size;
}

/* --- lists --- */

/* Unique for ever in this account: a UIDVALIDITY is never given twice (docs/format.md). */
static void write_unique_id(struct pop3_session *session, const char *before, uint32_t uid)
{
    struct maildrop *maildrop = &session->maildrop;
    buffer_append_format(output(session), "%s%" PRIu32 " %" PRIu32 ".%" PRIu32 "\r\n", before,
                         range_set_position(&maildrop->uids, uid), maildrop->uid_validity, uid);
}

static void write_size(struct pop3_session *session, const char *before, uint32_t uid,
                       uint64_t size)
{
    buffer_append_format(output(session), "%s%" PRIu32 " %" PRIu64 "\r\n", before,
                         range_set_position(&session->maildrop.uids, uid), size);
}

static void write_total(struct pop3_session *session, uint64_t octets)
{
    buffer_append_format(output(session), "+OK %" PRIu32 " %" PRIu64 "\r\n", messages_left(session),
                         octets);
}

static void begin_list(struct pop3_session *session, bool unique_ids)
{
    pop3_write_ok(output(session), session->language,
                  unique_ids ? "Unique ids follow" : "Sizes follow");
    session->unique_ids = unique_ids;
    session->next = 1;
    session->phase = POP3_LISTING;
}

static void end_list(struct pop3_session *session)
{
    buffer_append_string(output(session), ".\r\n");
    session->phase = POP3_READING;
}

static bool is_listed(const struct maildrop *maildrop, uint32_t uid)
{
    return range_set_contains(&maildrop->uids, uid) && !range_set_contains(&maildrop->deleted, uid);
}

static void list_unique_ids(struct pop3_session *session)
{
    struct maildrop *maildrop = &session->maildrop;
    while (!turns_slice_over(&session->turns)) {
        uint32_t uid = range_set_next(&maildrop->uids, session->next);
        if (!uid) {
            end_list(session);
            return;
        }
        if (is_listed(maildrop, uid))
            write_unique_id(session, "", uid);
        session->next = uid + 1;
    }
}

/* Of LIST, or of STAT. A message that has gone meanwhile is left out, as one that is marked is. */
static int take_some_sizes(struct pop3_session *session, struct mailbox_snapshot *snapshot)
{
    struct entry_cursor cursor;
    struct entry entry;
    int error = 0;
    entry_cursor_init(&cursor, snapshot, session->next, 0);
    while (!turns_slice_over(&session->turns) &&
           (error = entry_cursor_next(&cursor, &entry)) == 0) {
        session->next = entry.uid + 1;
        if (!is_listed(&session->maildrop, entry.uid))
            continue;
        uint64_t size = pop3_size(session, snapshot, &entry);
        if (session->phase == POP3_LISTING)
            write_size(session, "", entry.uid, size);
        session->octets += size;
    }
    entry_cursor_release(&cursor);
    return error;
}

/* ERROR_NOT_FOUND: all have been taken. */
static int take_sizes(struct pop3_session *session)
{
    struct mailbox_snapshot *snapshot;
    int error = pop3_snapshot(session, &snapshot);
    if (!error) {
        error = take_some_sizes(session, snapshot);
        mailbox_snapshot_close(&snapshot);
    }
    return error;
}

/* After "+OK" there is no way to say that the rest cannot be read but to hang up. */
static void list_sizes(struct pop3_session *session)
{
    int error = take_sizes(session);
    if (error == ERROR_NOT_FOUND)
        end_list(session);
    else if (error)
        session->turns.closing = true;
}

static void count_sizes(struct pop3_session *session)
{
    int error = take_sizes(session);
    session->phase = error ? POP3_READING : POP3_COUNTING;
    if (error == ERROR_NOT_FOUND)
        write_total(session, session->octets);
    else if (error)
        pop3_fail(session, error);
}

static void do_list(struct pop3_session *session, const struct pop3_command *command)
{
    struct entry entry;
    uint64_t size;
    if (!command->has_number) {
        begin_list(session, false);
        return;
    }
    uint32_t uid = find_message(session, command);
    int error = uid ? read_entry(session, uid, &entry, &size) : 0;
    if (error)
        fail_message(session, error);
    else if (uid)
        write_size(session, "+OK ", uid, size);
}

static void do_uidl(struct pop3_session *session, const struct pop3_command *command)
{
    uint32_t uid = command->has_number ? find_message(session, command) : 0;
    if (!command->has_number)
        begin_list(session, true);
    else if (uid)
        write_unique_id(session, "+OK ", uid);
}

/* --- messages --- */

static void begin_sending(struct pop3_session *session, const struct pop3_command *command)
{
    uint64_t size;
    uint32_t uid = find_message(session, command);
    int error = uid ? read_entry(session, uid, &session->entry, &size) : 0;
    if (error)
        fail_message(session, error);
    if (!uid || error)
        return;
    buffer_append_format(output(session), "+OK %" PRIu64 " octets\r\n", size);
    pop3_sending_begin(session);
    session->phase = POP3_SENDING;
}

static void do_retr(struct pop3_session *session, const struct pop3_command *command)
{
    begin_sending(session, command);
    /* A set that is full costs a \Seen, not the message. */
    if (session->phase != POP3_SENDING)
        return;
    session->turns.stream->fetched++;
    (void)range_set_add(&session->maildrop.retrieved, session->entry.uid, session->entry.uid);
}

static void do_top(struct pop3_session *session, const struct pop3_command *command)
{
    begin_sending(session, command);
    if (session->phase == POP3_SENDING)
        pop3_message_limit(&session->message, command->lines);
}

static void send_message(struct pop3_session *session)
{
    struct mailbox_snapshot *snapshot;
    bool done = false;
    int error = pop3_snapshot(session, &snapshot);
    if (!error) {
        error = pop3_sending_go_on(session, snapshot, &done);
        mailbox_snapshot_close(&snapshot);
    }
    if (error) {
        session->turns.closing = true;
    } else if (done) {
        pop3_sending_end(session);
        pop3_message_end(&session->message, output(session));
        session->phase = POP3_READING;
    }
}

/* --- the others --- */

static void do_capa(struct pop3_session *session, const struct pop3_command *command)
{
    (void)command;
    pop3_write_capabilities(output(session), "");
}

static void do_lang(struct pop3_session *session, const struct pop3_command *command)
{
    session->language = pop3_write_language(output(session), session->language, command->argument);
}

/* How long surrogates are has to be looked at, where there may be any. */
static void do_stat(struct pop3_session *session, const struct pop3_command *command)
{
    (void)command;
    if (session->utf8 || !session->maildrop.has_internationalized) {
        write_total(session, octets_left(session));
        return;
    }
    session->octets = 0;
    session->next = 1;
    session->phase = POP3_COUNTING;
}

static void do_noop(struct pop3_session *session, const struct pop3_command *command)
{
    (void)command;
    pop3_write_ok(output(session), session->language, "Nothing done");
}

static void do_rset(struct pop3_session *session, const struct pop3_command *command)
{
    (void)command;
    maildrop_reset(&session->maildrop);
    buffer_append_format(output(session), "+OK %" PRIu32 " messages (%" PRIu64 " octets)\r\n",
                         messages_left(session), octets_left(session));
}

static void do_dele(struct pop3_session *session, const struct pop3_command *command)
{
    struct mailbox_snapshot *snapshot;
    uint32_t uid = find_message(session, command);
    if (!uid)
        return;
    int error = pop3_snapshot(session, &snapshot);
    if (!error) {
        error = maildrop_delete(&session->maildrop, snapshot, uid);
        mailbox_snapshot_close(&snapshot);
    }
    if (error)
        fail_message(session, error);
    else
        pop3_write_ok(output(session), session->language, "Marked");
}

static void do_quit(struct pop3_session *session, const struct pop3_command *command)
{
    (void)command;
    session->phase = POP3_UPDATING;
}

static void update(struct pop3_session *session)
{
    struct store_view *view;
    int error = turns_view(&session->turns, &view);
    if (!error)
        error = maildrop_update(&session->maildrop, view);
    if (!error)
        session->turns.stream->expunged += range_set_size(&session->maildrop.deleted);
    if (error)
        pop3_fail(session, error);
    else
        pop3_write_ok(output(session), session->language, "Goodbye");
    session->turns.closing = true;
}

static command_handler *const handlers[POP3_COMMANDS] = {
    [POP3_CAPA] = do_capa, [POP3_DELE] = do_dele, [POP3_LANG] = do_lang, [POP3_LIST] = do_list,
    [POP3_NOOP] = do_noop, [POP3_QUIT] = do_quit, [POP3_RETR] = do_retr, [POP3_RSET] = do_rset,
    [POP3_STAT] = do_stat, [POP3_TOP] = do_top,   [POP3_UIDL] = do_uidl,
};

void pop3_run_command(struct pop3_session *session, const struct pop3_command *command)
{
    handlers[command->id](session, command);
}

static void (*const phases[])(struct pop3_session *session) = {
    [POP3_COUNTING] = count_sizes,
    [POP3_SENDING] = send_message,
    [POP3_UPDATING] = update,
};

void pop3_go_on(struct pop3_session *session)
{
    if (session->phase == POP3_LISTING && session->unique_ids)
        list_unique_ids(session);
    else if (session->phase == POP3_LISTING)
        list_sizes(session);
    else
        phases[session->phase](session);
}
