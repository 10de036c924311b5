/*
 * Mailbox names: UTF-8 inside Chapar, modified UTF-7 on IMAP4rev1's wire (RFC 3501 section 5.1.3).
 */
#ifndef FORMAT_MAILBOX_NAME_H
#define FORMAT_MAILBOX_NAME_H

#include "base/buffer.h"

/* Appends the UTF-8 for a modified UTF-7 name. ERROR_SYNTAX for what is not valid or not the one
 * canonical encoding (RFC 3501 section 5.1.3); ERROR_LIMIT from the buffer. */
int mailbox_name_from_utf7(struct slice wire, struct buffer *utf8);

/* Appends the modified UTF-7 for a valid UTF-8 name. ERROR_SYNTAX, ERROR_LIMIT. */
int mailbox_name_to_utf7(struct slice utf8, struct buffer *wire);

#endif
