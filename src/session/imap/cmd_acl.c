/*
 * SETACL, DELETEACL, GETACL, LISTRIGHTS, MYRIGHTS (RFC 4314 section 3).
 */
#include "base/error.h"
#include "session/imap/session_priv.h"
#include "store/acl.h"

static enum progress fail(struct imap_session *session, int error)
{
    if (error == ERROR_INVALID)
        return session_reply(session, "NO", "CANNOT",
                             "No account or group has this name, or it is the owner's");
    return session_fail(session, error);
}

/* "lrs", "+w", "-w": what is left of the sign. */
static enum acl_operation take_operation(struct slice *rights)
{
    char sign = rights->size ? rights->data[0] : '\0';
    if (sign != '+' && sign != '-')
        return ACL_REPLACE;
    *rights = slice_sub(*rights, 1, SIZE_MAX);
    return sign == '+' ? ACL_ADD : ACL_REMOVE;
}

enum progress cmd_setacl(struct imap_session *session)
{
    const struct imap_acl *acl = &session->command->acl;
    struct slice text = acl->rights;
    struct session_place place;
    struct collection mailbox;
    uint32_t rights = 0;
    bool delete = session->command->id == IMAP_DELETEACL;
    enum acl_operation operation = delete ? ACL_REPLACE : take_operation(&text);
    if (!delete &&rights_parse(text, &rights))
        return session_reply(session, "BAD", NULL, "Rights: l r s w i p k x t e a n c d");
    int error = session_find_mailbox(session, acl->mailbox, &place, &mailbox);
    if (!error)
        error = acl_set(place.view, mailbox.id, acl->identifier, operation, rights);
    if (error)
        return fail(session, error);
    return session_ok(session, delete ? "Deleteacl completed" : "Setacl completed");
}

static void write_name(struct imap_session *session, const char *response,
                       const struct collection *mailbox)
{
    buffer_append_string(session->out, response);
    imap_write_mailbox(session->out, mailbox->path, session_takes_utf8(session));
}

enum progress cmd_getacl(struct imap_session *session)
{
    struct session_place place;
    struct collection mailbox;
    struct acl_entry *list;
    size_t count = 0;
    int error = session_find_mailbox(session, session->command->mailbox, &place, &mailbox);
    if (!error)
        error = acl_get(place.view, mailbox.id, &session->arena, &list, &count);
    if (error)
        return session_fail(session, error);
    write_name(session, "* ACL ", &mailbox);
    for (size_t i = 0; i < count; i++) {
        char rights[RIGHTS_TEXT + 1];
        rights_format(list[i].rights, rights);
        buffer_append_byte(session->out, ' ');
        imap_write_astring(session->out, list[i].identifier);
        buffer_append_format(session->out, " %s", rights);
    }
    buffer_append(session->out, SLICE("\r\n"));
    return session_ok(session, "Getacl completed");
}

/* The owner has every right; of others each may be given or not, and none brings another along. */
enum progress cmd_listrights(struct imap_session *session)
{
    const struct imap_acl *acl = &session->command->acl;
    struct session_place place;
    struct collection mailbox;
    uint32_t always;
    char all[RIGHTS_TEXT + 1], required[RIGHTS_TEXT + 1];
    int error = session_find_mailbox(session, acl->mailbox, &place, &mailbox);
    if (!error)
        error = acl_granted_always(place.view, mailbox.id, acl->identifier, &always);
    if (error)
        return fail(session, error);
    rights_format(always, required);
    rights_format(RIGHT_ALL & ~always, all);
    write_name(session, "* LISTRIGHTS ", &mailbox);
    buffer_append_byte(session->out, ' ');
    imap_write_astring(session->out, acl->identifier);
    buffer_append_format(session->out, " %s", *required ? required : "\"\"");
    for (const char *letter = all; *letter; letter++)
        buffer_append_format(session->out, " %c", *letter);
    buffer_append(session->out, SLICE("\r\n"));
    return session_ok(session, "Listrights completed");
}

void acl_write_my_rights(struct imap_session *session, const struct collection *mailbox)
{
    char rights[RIGHTS_TEXT + 1];
    rights_format(mailbox->rights, rights);
    write_name(session, "* MYRIGHTS ", mailbox);
    buffer_append_format(session->out, " %s\r\n", rights);
}

enum progress cmd_myrights(struct imap_session *session)
{
    struct session_place place;
    struct collection mailbox;
    int error = session_find_mailbox(session, session->command->mailbox, &place, &mailbox);
    if (error)
        return session_fail(session, error);
    acl_write_my_rights(session, &mailbox);
    return session_ok(session, "Myrights completed");
}
