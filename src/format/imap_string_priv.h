/*
 * IMAP's strings (RFC 9051 section 4.3), for the writers of the structure.
 */
#ifndef FORMAT_IMAP_STRING_PRIV_H
#define FORMAT_IMAP_STRING_PRIV_H

#include "format/imap_structure.h"

/* Appends the value, trimmed and unfolded, as a quoted string or a literal; "" when empty. */
void mime_write_string(struct imap_writer *writer, struct slice value);

/* The same, but NIL for an empty value. */
void mime_write_nstring(struct imap_writer *writer, struct slice value);

/* The first field's value as a string (an empty one too), NIL when there is none. */
void mime_write_field(struct imap_writer *writer, const struct mime_field *field);

void mime_write_raw(struct imap_writer *writer, const char *text);

#endif
