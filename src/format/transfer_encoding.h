/*
 * Content-Transfer-Encoding of MIME bodies (RFC 2045 section 6): lenient decoders that take a
 * body piece by piece.
 */
#ifndef FORMAT_TRANSFER_ENCODING_H
#define FORMAT_TRANSFER_ENCODING_H

#include "base/buffer.h"
#include "format/summary.h"

struct transfer_decoder {
    enum summary_encoding encoding;
    uint32_t bits; /* base64: what is gathered */
    uint8_t bit_count;
    bool finished; /* base64: padding was met; the rest is ignored */
    char held[80]; /* quoted-printable: bytes that need what follows */
    size_t held_size;
};

void transfer_decoder_init(struct transfer_decoder *decoder, enum summary_encoding encoding);

/* Appends what the bytes decode to; anything undecodable is passed over (base64) or kept as it
 * stands (quoted-printable), as RFC 2045 sections 6.7 and 6.8 advise. Returns the buffer's error.
 */
int transfer_decode(struct transfer_decoder *decoder, struct slice bytes, struct buffer *decoded);

/* What was held back at the end of the body. */
int transfer_decode_end(struct transfer_decoder *decoder, struct buffer *decoded);

#endif
