/*
 * What is shown of internationalised headers (RFC 6532) to who can take ASCII only: the simplified
 * downgrading of RFC 6858. A surrogate is for people to read; it cannot be replied to.
 */
#ifndef FORMAT_DOWNGRADE_H
#define FORMAT_DOWNGRADE_H

#include "base/buffer.h"

/* Whether the bytes are all ASCII: then the surrogate of a header is itself. */
bool downgrade_is_ascii(struct slice header);

/* Appends a header (of a message or of a part, with or without the empty line at its end) as ASCII
 * (RFC 6858 section 2): of a field that has other bytes,
 * - addresses become "Name <invalid@internationalized.invalid>", or keep what is ASCII of them;
 * - a Subject, as display names, becomes encoded words (RFC 2047);
 * - of Content-Type and Content-Disposition the parameters concerned are left out;
 * - any other is left out.
 * Returns the buffer's error; each byte grows to at most 4, and an address to at most 64 more. */
int downgrade_header(struct slice header, struct buffer *surrogate);

#endif
