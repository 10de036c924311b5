/*
 * What the session itself has done: the server should not tell of it (RFC 5465 section 5). The
 * records are compared behind each command, while the command is still known; so its arguments say
 * what is its own.
 */
#include "base/error.h"
#include "session/imap/notify_priv.h"

/* The command that has succeeded. */
static const struct imap_command *done(const struct imap_session *session)
{
    const struct imap_command *command = session->command;
    return command && strcmp(session->reply.status, "OK") == 0 ? command : NULL;
}

/* CREATE's name may end in the separator. */
static struct slice trim(struct slice name)
{
    return name.size && name.data[name.size - 1] == '/' ? slice_sub(name, 0, name.size - 1) : name;
}

/* Whether it is the name, or a level above it, which is made with it. */
static bool is_level_of(struct slice path, struct slice name)
{
    name = trim(name);
    return slice_starts_with(name, path) && (name.size == path.size || name.data[path.size] == '/');
}

bool notify_is_own_name(const struct imap_session *session, struct slice path)
{
    const struct imap_command *command = done(session);
    if (!command)
        return false;
    if (command->id == IMAP_CREATE)
        return is_level_of(path, command->create.mailbox);
    return command->id == IMAP_RENAME && is_level_of(path, command->rename.to);
}

bool notify_is_own_rename(const struct imap_session *session, struct slice from, struct slice to)
{
    const struct imap_command *command = done(session);
    return command && command->id == IMAP_RENAME && slice_equal(from, command->rename.from) &&
           slice_equal(to, trim(command->rename.to));
}

bool notify_is_own_deletion(const struct imap_session *session, struct slice path)
{
    const struct imap_command *command = done(session);
    return command && command->id == IMAP_DELETE && slice_equal(path, command->mailbox);
}

bool notify_is_own_subscription(const struct imap_session *session, struct slice path,
                                bool *subscribed)
{
    const struct imap_command *command = done(session);
    if (!command || (command->id != IMAP_SUBSCRIBE && command->id != IMAP_UNSUBSCRIBE) ||
        !slice_equal(path, command->mailbox))
        return false;
    *subscribed = command->id == IMAP_SUBSCRIBE;
    return true;
}

bool notify_is_own_entry(const struct imap_session *session, struct slice path,
                         const struct notify_entry *entry)
{
    const struct imap_command *command = done(session);
    if (!command || command->id != IMAP_SETMETADATA ||
        !slice_equal(path, command->metadata.mailbox))
        return false;
    for (size_t i = 0; i < command->metadata.count; i++) {
        enum annotation_scope scope;
        struct slice name;
        if (annotation_name_parse(command->metadata.entries[i], &scope, &name) == 0 &&
            scope == entry->scope && slice_equal_nocase(name, entry->name))
            return true;
    }
    return false;
}

/* --- messages --- */

/* Whether the entries changed since are all among those that have arrived. */
static int only_arrived(struct imap_session *session, struct account_id account,
                        collection_id mailbox, uint64_t since, bool *only)
{
    struct store_view *view;
    struct mailbox_snapshot *snapshot;
    struct entry_cursor cursor;
    struct entry entry;
    int error = session_view_of(session, account, &view);
    if (!error)
        error = mailbox_snapshot_open(view, mailbox, &snapshot);
    if (error)
        return error;
    entry_cursor_init(&cursor, snapshot, 1, since);
    *only = true;
    while (*only && !(error = entry_cursor_next(&cursor, &entry)))
        *only = entry.uid >= session->notify->own.first;
    entry_cursor_release(&cursor);
    mailbox_snapshot_close(&snapshot);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

int notify_take_own_messages(struct imap_session *session, struct account_id account,
                             struct notify_mailbox *known, const struct collection *now)
{
    struct notify_arrived *arrived = &session->notify->own;
    bool only;
    if (!arrived->mailbox || arrived->mailbox != now->id ||
        !account_id_equal(arrived->account, account) || known->uid_next != arrived->first ||
        now->uid_next != arrived->last + 1 || now->messages != known->messages + arrived->count ||
        now->uid_validity != known->uid_validity)
        return 0;
    int error = only_arrived(session, account, now->id, known->modseq, &only);
    if (error || !only)
        return error;
    known->uid_next = now->uid_next;
    known->messages = now->messages;
    known->unseen = now->unseen;
    known->modseq = now->highest_modseq;
    arrived->mailbox = 0;
    return 0;
}
