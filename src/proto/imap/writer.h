/*
 * IMAP responses: the pieces that handlers put together. All append to a bounded buffer, whose
 * sticky error is checked once at the end.
 */
#ifndef PROTO_IMAP_WRITER_H
#define PROTO_IMAP_WRITER_H

#include "base/buffer.h"
#include "base/range_set.h"
#include "format/language.h"
#include "proto/imap/command.h"

/* "tag OK text\r\n", with "[code] " when code is not NULL. status: "OK", "NO", "BAD", "BYE",
 * "PREAUTH"; tag "*" for untagged. text is English, and written in the language. */
void imap_write_status(struct buffer *out, enum language language, struct slice tag,
                       const char *status, const char *code, const char *text);

/* What people read of such a line, and its end. CR, LF and 8-bit bytes of a text that is not in the
 * language's table become '?'. */
void imap_write_text(struct buffer *out, enum language language, const char *text);

/* LANGUAGE responses (RFC 5255 section 3.3): the one that is spoken from here on, and all. */
void imap_write_language(struct buffer *out, enum language language);
void imap_write_languages(struct buffer *out);

/* An astring/nstring as short as it can be: atom (only where allowed), quoted, or literal. */
void imap_write_astring(struct buffer *out, struct slice text);
void imap_write_string(struct buffer *out, struct slice text);
void imap_write_nstring(struct buffer *out, struct slice text); /* data == NULL: NIL */

/* "{n}\r\n": the bytes are appended by the caller. "~{n}\r\n": a literal8, for what has NUL bytes
 * (RFC 9051 section 4.3). */
void imap_write_literal_head(struct buffer *out, uint64_t size);
void imap_write_literal8_head(struct buffer *out, uint64_t size);

/* nstring / literal8: a value, which may have NUL bytes. */
void imap_write_value(struct buffer *out, struct slice value);

/* A mailbox name given in UTF-8: modified UTF-7 unless utf8 (after ENABLE IMAP4rev2).
 */
void imap_write_mailbox(struct buffer *out, struct slice name, bool utf8);

/* "(\Seen $Forwarded)". keywords: names. */
void imap_write_flags(struct buffer *out, uint32_t system, const struct slice *keywords,
                      size_t keyword_count);

/* "1:5,7": at least one number is in the set. */
void imap_write_set(struct buffer *out, const struct range_set *set);

/* "17-Jul-1996 02:44:25 +0000" in quotes. */
void imap_write_date(struct buffer *out, int64_t seconds);

#endif
