/*
 * Base64 (RFC 4648 section 4), strict: for SASL and other protocol data. MIME bodies, which are
 * lenient and streamed, are decoded by format/transfer_encoding.h.
 */
#ifndef FORMAT_BASE64_H
#define FORMAT_BASE64_H

#include "base/buffer.h"

/* Appends the decoded bytes. ERROR_SYNTAX for a foreign character, wrong padding or left-over
 * bits; the buffer is then as it was. */
int base64_decode(struct slice text, struct buffer *bytes);

/* Appends the encoding, padded, on one line. */
int base64_encode(struct slice bytes, struct buffer *text);

#endif
