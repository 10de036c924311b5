/*
 * Text for people: charsets to UTF-8, encoded words, and the folding that searches compare by.
 * ICU does the work (charset tables, Unicode case folding).
 */
#ifndef FORMAT_TEXT_H
#define FORMAT_TEXT_H

#include "base/buffer.h"

/* Whether the bytes are well-formed UTF-8 (RFC 3629). */
bool text_is_utf8(struct slice bytes);

/* Whether valid UTF-8 is Net-Unicode (RFC 5198 section 2) as mailbox names must be: in
 * normalization form C, without control characters and separators of lines and paragraphs (RFC 9051
 * section 5.1). False of more than TEXT_NAME_MAXIMUM bytes. */
enum { TEXT_NAME_MAXIMUM = 1024 };
bool text_is_net_unicode(struct slice utf8);

/* Appends the UTF-8 for bytes in a charset (MIME name, any case; empty: us-ascii, with UTF-8
 * accepted). What cannot be converted becomes U+FFFD. ERROR_UNSUPPORTED for an unknown charset;
 * then nothing is appended. */
int text_to_utf8(struct slice charset, struct slice bytes, struct buffer *utf8);

/* Appends a header field's value unfolded, with its encoded words decoded (RFC 2047), and
 * anything that is not UTF-8 replaced. */
int text_decode_header(struct slice value, struct buffer *utf8);

/* Appends the text's search key (RFC 5051, i;unicode-casemap, but folded: "ss" finds U+00DF, too),
 * so that a substring search of one key in another is IMAP SEARCH's comparison. ASCII is done
 * without ICU. Invalid UTF-8 is kept byte for byte. */
int text_search_key(struct slice utf8, struct buffer *key);

/* Appends the key by which texts are compared and put in order: RFC 5051 section 2,
 * i;unicode-casemap as it is written (title case, decomposed). Invalid UTF-8 is kept byte for byte.
 */
int text_sort_key(struct slice utf8, struct buffer *key);

/* Whether key occurs in the search key of the text; scratch is cleared and used. */
bool text_contains(struct slice text, struct slice key, struct buffer *scratch);

#endif
