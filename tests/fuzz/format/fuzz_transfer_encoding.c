/*
 * A body in pieces decodes to what it decodes to at once; strict base64 agrees where it accepts.
 */
#include "base/error.h"
#include "format/base64.h"
#include "format/transfer_encoding.h"

#include <stdlib.h>

static void decode(struct slice body, size_t piece, enum summary_encoding encoding,
                   struct buffer *decoded)
{
    struct transfer_decoder decoder;
    transfer_decoder_init(&decoder, encoding);
    for (size_t i = 0; i < body.size; i += piece)
        if (transfer_decode(&decoder, slice_sub(body, i, piece), decoded))
            abort();
    if (transfer_decode_end(&decoder, decoded))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice body = slice_make(data, size);
    struct buffer whole, pieces;
    buffer_init(&whole, size);
    buffer_init(&pieces, size);
    for (int encoding = SUMMARY_ENCODING_IDENTITY; encoding <= SUMMARY_ENCODING_UNKNOWN;
         encoding++) {
        decode(body, SIZE_MAX / 2, (enum summary_encoding)encoding, &whole);
        decode(body, size % 7 + 1, (enum summary_encoding)encoding, &pieces);
        if (!slice_equal(buffer_slice(&whole), buffer_slice(&pieces)))
            abort();
        buffer_clear(&whole);
        buffer_clear(&pieces);
    }
    if (base64_decode(body, &whole) == 0) {
        decode(body, 5, SUMMARY_ENCODING_BASE64, &pieces);
        if (!slice_equal(buffer_slice(&whole), buffer_slice(&pieces)))
            abort();
        buffer_clear(&pieces);
        pieces.maximum = size;
        if (base64_encode(buffer_slice(&whole), &pieces) ||
            !slice_equal(buffer_slice(&pieces), body))
            abort();
    }
    buffer_release(&whole);
    buffer_release(&pieces);
    return 0;
}
