/*
 * Header fields and bodies of messages that scripts make.
 */
#ifndef SIEVE_MAIL_PRIV_H
#define SIEVE_MAIL_PRIV_H

#include "base/buffer.h"

/* Whether the text is printable ASCII alone. */
bool mail_is_ascii(struct slice text);

/* Appends a field's value: folded from the column on, or as encoded words when it is not ASCII.
 * Line ends and NULs are left out, so nothing in it can begin another field. */
void mail_put_value(struct slice value, size_t column, struct buffer *out);

/* The same with the name before it and a line end behind it. */
void mail_put_field(const char *name, struct slice value, struct buffer *out);

/* Whether a header field can have this name (RFC 5322 section 3.6.8). */
bool mail_is_field_name(struct slice name);

/* Whether a field of the name says how the body is to be read (RFC 2045 sections 3 and 4). */
bool mail_is_mime_field(struct slice name);

/* A text as a part of a multipart: its header, an empty line, and a body in which no line can be
 * taken for a delimiter. */
void mail_put_part(struct slice text, struct buffer *out);

/* A text as body, with the header fields that say what it is. */
void mail_put_text(struct slice text, struct buffer *header, struct buffer *body);

#endif
