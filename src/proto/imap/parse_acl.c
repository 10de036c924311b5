/*
 * Access control lists (RFC 4314 section 3).
 */
#include "proto/imap/parse_priv.h"

/* DELETEACL and LISTRIGHTS. */
void imap_parse_acl(struct imap_cursor *cursor, struct imap_command *command)
{
    imap_argument(cursor, "Mailbox name");
    command->acl.mailbox = imap_mailbox(cursor);
    imap_argument(cursor, "Identifier");
    command->acl.identifier = imap_astring(cursor);
}

void imap_parse_setacl(struct imap_cursor *cursor, struct imap_command *command)
{
    imap_parse_acl(cursor, command);
    imap_argument(cursor, "Rights");
    command->acl.rights = imap_astring(cursor);
}
