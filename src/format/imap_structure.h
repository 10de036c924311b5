/*
 * A message's structure as IMAP shows it: ENVELOPE, BODY and BODYSTRUCTURE (RFC 9051 section
 * 7.5.2), written from the tree of parts.
 *
 * Strings are quoted when they are 7-bit, else literals ("{n}" CRLF and n bytes), so that what is
 * written serves clients of IMAP4rev1 and IMAP4rev2 alike. Values are unfolded, NULs left out,
 * encoded words as they stand. Continued parameters are joined (RFC 2231 section 6). Extended ones
 * keep RFC 2231's form under a name that ends in "*", as clients decode it, where RFC 9051 would
 * have the server send bare UTF-8. Nothing here takes memory but the buffer's, or blocks.
 */
#ifndef FORMAT_IMAP_STRUCTURE_H
#define FORMAT_IMAP_STRUCTURE_H

#include "base/buffer.h"
#include "format/mime.h"

enum {
    IMAP_STRING_MAXIMUM = 8 * 1024, /* bytes; the rest of a longer value is cut off */
};

/* Where to, and how much. Set text and the maxima; all errors are the buffer's sticky one. */
struct imap_writer {
    struct buffer *text;
    size_t string_maximum;  /* bytes of one string, at most IMAP_STRING_MAXIMUM */
    size_t address_maximum; /* addresses of one field, at most ADDRESS_LIST_MAXIMUM */
    bool cut;               /* set when something was cut */
};

/* Appends the ENVELOPE of a part that is a message (mime_part_is_message). Several address fields
 * of one name are taken as one list; of other fields the first counts. */
void mime_write_envelope(struct imap_writer *writer, const struct mime_part *part);

/* Appends the part's BODY, or with `extension` its BODYSTRUCTURE. */
void mime_write_body(struct imap_writer *writer, const struct mime_part *part, bool extension);

#endif
