#include "format/transfer_encoding.h"

#include "base/error.h"
#include "format/base64_priv.h"

enum { CHUNK = 1024 };

void transfer_decoder_init(struct transfer_decoder *decoder, enum summary_encoding encoding)
{
    *decoder = (struct transfer_decoder){.encoding = encoding};
}

static size_t base64_chunk(struct transfer_decoder *decoder, struct slice in, char *out)
{
    size_t size = 0;
    for (size_t i = 0; i < in.size; i++) {
        unsigned value = base64_values[(unsigned char)in.data[i]];
        if (value == BASE64_FOREIGN)
            continue;
        if (value == BASE64_PADDING) {
            decoder->finished = true;
            break;
        }
        decoder->bits = decoder->bits << 6 | value;
        decoder->bit_count += 6;
        if (decoder->bit_count >= 8) {
            decoder->bit_count -= 8;
            out[size++] = (char)(decoder->bits >> decoder->bit_count);
        }
    }
    return size;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static void hold(struct transfer_decoder *decoder, char c)
{
    decoder->held[decoder->held_size++] = c;
}

/* What was held turns out to be text. */
static size_t let_go(struct transfer_decoder *decoder, char *out)
{
    size_t size = decoder->held_size;
    memcpy(out, decoder->held, size);
    decoder->held_size = 0;
    return size;
}

/* One more byte behind a held "=". Returns false when the byte is still to be looked at. */
static bool after_equals(struct transfer_decoder *decoder, char c, char *out, size_t *size)
{
    char last = decoder->held[decoder->held_size - 1];
    if (c == '\n' && (last == '=' || is_blank(last) || last == '\r')) {
        decoder->held_size = 0; /* a soft line break; blanks before its end are padding */
        return true;
    }
    if (last == '\r') {
        decoder->held_size = 0;
        return false;
    }
    bool digits = decoder->held_size == 2 && hex_value(last) >= 0;
    if (digits && hex_value(c) >= 0) {
        out[(*size)++] = (char)(hex_value(last) << 4 | hex_value(c));
        decoder->held_size = 0;
        return true;
    }
    bool first = decoder->held_size == 1;
    if (!digits && (is_blank(c) || c == '\r' || (first && hex_value(c) >= 0))) {
        hold(decoder, c);
        return true;
    }
    *size += let_go(decoder, out + *size);
    return false;
}

static void quoted_printable_byte(struct transfer_decoder *decoder, char c, char *out, size_t *size)
{
    if (decoder->held_size == sizeof(decoder->held))
        *size += let_go(decoder, out + *size);
    if (decoder->held_size && decoder->held[0] == '=') {
        if (after_equals(decoder, c, out, size))
            return;
    } else if (decoder->held_size && !is_blank(c)) {
        if (c == '\r' || c == '\n')
            decoder->held_size = 0; /* blanks at a line's end are not the sender's */
        else
            *size += let_go(decoder, out + *size);
    }
    if (is_blank(c) || c == '=') {
        hold(decoder, c);
        return;
    }
    out[(*size)++] = c;
}

static size_t quoted_printable_chunk(struct transfer_decoder *decoder, struct slice in, char *out)
{
    size_t size = 0;
    for (size_t i = 0; i < in.size; i++)
        quoted_printable_byte(decoder, in.data[i], out, &size);
    return size;
}

int transfer_decode(struct transfer_decoder *decoder, struct slice bytes, struct buffer *decoded)
{
    if (decoder->encoding != SUMMARY_ENCODING_BASE64 &&
        decoder->encoding != SUMMARY_ENCODING_QUOTED_PRINTABLE)
        return buffer_append(decoded, bytes);

    /* Decoded in chunks, so that the room asked for is never more than what is decoded. */
    char out[CHUNK + sizeof(decoder->held)];
    for (size_t i = 0; i < bytes.size && !decoder->finished; i += CHUNK) {
        struct slice chunk = slice_sub(bytes, i, CHUNK);
        size_t size = decoder->encoding == SUMMARY_ENCODING_BASE64
                          ? base64_chunk(decoder, chunk, out)
                          : quoted_printable_chunk(decoder, chunk, out);
        if (buffer_append(decoded, slice_make(out, size)))
            break;
    }
    return buffer_error(decoded);
}

int transfer_decode_end(struct transfer_decoder *decoder, struct buffer *decoded)
{
    /* "=" and a digit is text; blanks and a soft line break at the very end are nothing. */
    if (decoder->held_size == 2 && hex_value(decoder->held[1]) >= 0)
        buffer_append(decoded, slice_make(decoder->held, 2));
    transfer_decoder_init(decoder, decoder->encoding);
    return buffer_error(decoded);
}
