/*
 * CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE (RFC 9051 sections 6.3.4 to 6.3.8; MAILBOXID:
 * RFC 8474 section 4.1).
 */
#include "base/error.h"
#include "format/text.h"
#include "session/imap/session_priv.h"

/* RFC 6154 section 3: a special use that is unknown or taken is answered with USEATTR. */
static enum progress fail_use(struct imap_session *session)
{
    return session_reply(session, "NO", "USEATTR", "No mailbox can be created with this use");
}

/* RFC 9051 section 5.1: what has 8-bit bytes must be Net-Unicode. */
static enum progress fail_name(struct imap_session *session)
{
    return session_reply(session, "NO", "CANNOT", "Not a valid name: it must be Net-Unicode");
}

static enum progress answer_created(struct imap_session *session, const struct collection *mailbox)
{
    char code[sizeof(mailbox->object_id) + sizeof("MAILBOXID ()")];
    snprintf(code, sizeof(code), "MAILBOXID (%s)", mailbox->object_id);
    return session_reply(session, "OK", arena_string(&session->arena, slice_from_string(code)),
                         "Create completed");
}

enum progress cmd_create(struct imap_session *session)
{
    const struct imap_command *command = session->command;
    enum collection_role role = ROLE_NONE;
    struct collection created;
    collection_id id;
    struct session_place place;
    if (!text_is_net_unicode(command->create.mailbox))
        return fail_name(session);
    if (command->create.use.size && collection_role_parse(command->create.use, &role))
        return fail_use(session);
    int error = session_place(session, command->create.mailbox, &place);
    if (error && session->stream->administrator)
        return administer_fail(session, command->create.mailbox, error, "add");
    if (error == ERROR_NOT_FOUND)
        error = ERROR_DENIED; /* where nobody shares anything, nothing can be made */
    if (!error)
        error = collection_create(place.view, COLLECTION_MAILBOX, place.path, role, &id);
    if (error == ERROR_CONFLICT)
        return fail_use(session);
    if (!error)
        error = collection_get(place.view, id, &session->arena, &created);
    if (error)
        return session_fail(session, error);
    administer_log(session, command->create.mailbox, command->create.use);
    return answer_created(session, &created);
}

/* Deleting the selected mailbox closes it. */
enum progress cmd_delete(struct imap_session *session)
{
    struct session_place place;
    struct collection mailbox;
    int error = session_find_mailbox(session, session->command->mailbox, &place, &mailbox);
    if (!error && mailbox.has_children)
        return session_reply(session, "NO", "HASCHILDREN", "Mailbox has children");
    if (!error)
        error = collection_delete(place.view, mailbox.id);
    if (error)
        return administer_fail(session, session->command->mailbox, error, "delete");
    administer_log(session, session->command->mailbox, SLICE(""));
    if (session->mailbox.id == mailbox.id &&
        account_id_equal(session->mailbox.account, place.account)) {
        view_unselect(session);
        imap_write_status(session->out, session->language, SLICE("*"), "OK", "CLOSED",
                          "The selected mailbox is deleted");
    }
    return session_ok(session, "Delete completed");
}

enum progress cmd_rename(struct imap_session *session)
{
    struct session_place place, to;
    struct collection mailbox;
    struct slice from = session->command->rename.from;
    if (!text_is_net_unicode(session->command->rename.to))
        return fail_name(session);
    int error = session_find_mailbox(session, from, &place, &mailbox);
    if (error)
        return administer_fail(session, from, error, "rename");
    if (session_place(session, session->command->rename.to, &to))
        error = ERROR_DENIED;
    if (!error && !account_id_equal(place.account, to.account))
        return session_reply(session, "NO", "CANNOT", "It cannot go to another account");
    if (!error)
        error = collection_rename(place.view, mailbox.id, to.path);
    if (error)
        return session_fail(session, error);
    administer_log(session, from, session->command->rename.to);
    return session_ok(session, "Rename completed");
}

enum progress cmd_subscribe(struct imap_session *session)
{
    bool subscribe = session->command->id == IMAP_SUBSCRIBE;
    struct session_place place;
    struct collection mailbox;
    int error = session_find_mailbox(session, session->command->mailbox, &place, &mailbox);
    if (!error)
        error = collection_subscribe(place.view, mailbox.id, subscribe);
    if (error)
        return session_fail(session, error);
    return session_ok(session, subscribe ? "Subscribe completed" : "Unsubscribe completed");
}
