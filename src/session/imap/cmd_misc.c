/*
 * CAPABILITY, NOOP (and CHECK), LOGOUT, ID, ENABLE, NAMESPACE, LANGUAGE (RFC 5255 section 3).
 */
#include "format/mailbox_name.h"
#include "session/imap/session_priv.h"

enum progress cmd_capability(struct imap_session *session)
{
    buffer_append(session->out, SLICE("* CAPABILITY "));
    capabilities_write(session, session->out);
    buffer_append(session->out, SLICE("\r\n"));
    return session_ok(session, "Capability completed");
}

/* What has changed is told by the sync that follows every command. CHECK is NOOP: commits need no
 * checkpoint (RFC 3501 section 6.4.1 leaves it to the implementation). */
enum progress cmd_noop(struct imap_session *session)
{
    return session_ok(session,
                      session->command->id == IMAP_CHECK ? "Check completed" : "NOOP completed");
}

enum progress cmd_logout(struct imap_session *session)
{
    imap_write_status(session->out, session->language, SLICE("*"), "BYE", NULL, "Logging out");
    imap_write_status(session->out, session->language, slice_from_string(session->tag), "OK", NULL,
                      "Logout completed");
    session->closing = true;
    return session_ok(session, "");
}

/* The client's fields are for statistics only (RFC 2971 section 3.1); none is kept. */
enum progress cmd_id(struct imap_session *session)
{
    buffer_append(session->out, SLICE("* ID (\"name\" \"Chapar\")\r\n"));
    return session_ok(session, "ID completed");
}

/* What can be enabled; QRESYNC brings CONDSTORE (RFC 7162 section 3.2.3). */
static const struct {
    const char *name;
    uint32_t enables; /* enum session_enabled bits */
} enabling[] = {
    {"CONDSTORE", ENABLED_CONDSTORE}, {"QRESYNC", ENABLED_CONDSTORE | ENABLED_QRESYNC},
    {"IMAP4rev2", ENABLED_REV2},      {"UIDONLY", ENABLED_UIDONLY},
    {"UTF8=ACCEPT", ENABLED_UTF8},
};

static bool is_asked_for(const struct imap_command *command, const char *name)
{
    for (size_t i = 0; i < command->enable.count; i++)
        if (slice_equal_nocase(command->enable.capabilities[i], slice_from_string(name)))
            return true;
    return false;
}

/* What is not known is passed over, and only what was not enabled before is named (RFC 5161
 * section 3.1). */
enum progress cmd_enable(struct imap_session *session)
{
    uint32_t before = session->enabled, asked = 0;
    /* RFC 9755 section 3: only in the authenticated state, since messages look otherwise then. */
    if (session->mailbox.id && is_asked_for(session->command, "UTF8=ACCEPT"))
        return session_reply(session, "BAD", NULL,
                             "UTF8=ACCEPT is for before a mailbox is selected");
    buffer_append(session->out, SLICE("* ENABLED"));
    for (size_t i = 0; i < sizeof(enabling) / sizeof(enabling[0]); i++) {
        if (!is_asked_for(session->command, enabling[i].name) || !(enabling[i].enables & ~before))
            continue;
        asked |= enabling[i].enables;
        buffer_append_format(session->out, " %s", enabling[i].name);
    }
    buffer_append(session->out, SLICE("\r\n"));
    if (asked & ENABLED_CONDSTORE)
        modseq_enable(session);
    if (asked & ENABLED_REV2)
        imap_reader_use_utf8(&session->reader);
    if (asked & ENABLED_UTF8)
        imap_reader_accept_utf8(&session->reader);
    session->enabled |= asked;
    return session_ok(session, "Enabled");
}

/* RFC 8437 section 3. All that the connection has been told goes with the session: what was
 * enabled, saved, watched or compressed. */
enum progress cmd_unauthenticate(struct imap_session *session)
{
    notify_end(session);
    view_unselect(session);
    session->unauthenticated = true;
    return session_ok(session, "Logged out");
}

/* RFC 5255 section 3.4: what to show people for the prefix. */
static void write_translation(struct imap_session *session, const char *prefix)
{
    struct buffer name, wire;
    buffer_init(&name, LANGUAGE_TEXT_MAXIMUM);
    buffer_init(&wire, 4 * LANGUAGE_TEXT_MAXIMUM);
    if (language_write(&name, session->language, prefix) &&
        !mailbox_name_to_utf7(buffer_slice(&name), &wire)) {
        buffer_append(session->out, SLICE(" \"TRANSLATION\" ("));
        imap_write_string(session->out, buffer_slice(&wire));
        buffer_append_byte(session->out, ')');
    }
    buffer_release(&name);
    buffer_release(&wire);
}

/* Personal, other users', shared (RFC 2342 section 5): those of the third kind are of accounts that
 * are nobody's own. */
static void write_namespaces(struct imap_session *session)
{
    buffer_append(session->out, SLICE("* NAMESPACE ((\"\" \"/\")) ((\"" OTHER_USERS "/\" \"/\""));
    write_translation(session, OTHER_USERS "/");
    buffer_append(session->out, SLICE(")) ((\"" SHARED_ACCOUNTS "/\" \"/\""));
    write_translation(session, SHARED_ACCOUNTS "/");
    buffer_append(session->out, SLICE("))\r\n"));
}

enum progress cmd_namespace(struct imap_session *session)
{
    write_namespaces(session);
    return session_ok(session, "Namespace completed");
}

/* The namespaces are told again, as people are to see other names for them (RFC 5255 section 3.2).
 */
enum progress cmd_language(struct imap_session *session)
{
    const struct imap_command *command = session->command;
    enum language language;
    if (!command->language.count) {
        imap_write_languages(session->out);
        return session_ok(session, "Language completed");
    }
    if (!language_choose(command->language.ranges, command->language.count, &language))
        return session_reply(session, "NO", NULL, "No such language");
    session->language = (uint8_t)language;
    imap_write_language(session->out, language);
    write_namespaces(session);
    return session_ok(session, "Now speaking English");
}
