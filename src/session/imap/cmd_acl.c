/*
 * SETACL, DELETEACL, GETACL, LISTRIGHTS, MYRIGHTS (RFC 4314 section 3).
 */
#include "base/error.h"
#include "format/login_name.h"
#include "session/imap/session_priv.h"
#include "store/acl.h"

static enum progress fail(struct imap_session *session, int error)
{
    if (error == ERROR_INVALID)
        return session_reply(session, "NO", "CANNOT",
                             "No account or group has this name, or it is the owner's");
    if (error == ERROR_UNSUPPORTED)
        return session_reply(session, "NO", "NOPERM",
                             "Only administrators share with anyone or anonymous here");
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

static void log_change(struct imap_session *session)
{
    const struct imap_acl *acl = &session->command->acl;
    struct buffer detail;
    buffer_init(&detail, ACL_IDENTIFIER_MAXIMUM + sizeof(" +") + RIGHTS_TEXT);
    buffer_append(&detail, acl->identifier);
    if (session->command->id == IMAP_SETACL)
        buffer_append_byte(&detail, ' ');
    buffer_append(&detail, session->command->id == IMAP_SETACL ? acl->rights : SLICE(""));
    administer_log(session, acl->mailbox, buffer_slice(&detail));
    buffer_release(&detail);
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
    log_change(session);
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

/* Those that an administrator has always. */
static uint32_t rights_of_name(const struct imap_session *session, struct slice identifier)
{
    const struct config *config = session->stream->config;
    struct buffer normal;
    buffer_init(&normal, ADDRESS_MAXIMUM);
    bool listed =
        store_normalise_address(session->stream->store, identifier, &normal) == 0 &&
        address_is_listed(&config->administrators, config->default_domain, buffer_slice(&normal));
    buffer_release(&normal);
    return listed ? RIGHTS_OF_ADMINISTRATOR : 0;
}

/* The owner has every right, an administrator some; of others each may be given or not, and none
 * brings another along. */
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
    always |= rights_of_name(session, acl->identifier);
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
