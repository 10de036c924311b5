/*
 * UTF-8 code point by code point (RFC 3629), for this folder's codecs.
 */
#ifndef FORMAT_UTF8_PRIV_H
#define FORMAT_UTF8_PRIV_H

#include "base/slice.h"

/* Reads the code point at the bytes' start. Returns its length, 1 to 4 bytes, or 0 when the bytes
 * do not begin with a well-formed sequence (over-long forms, surrogates, values past U+10FFFF and
 * cut sequences are not). */
static inline size_t utf8_read(struct slice bytes, uint32_t *code)
{
    if (!bytes.size)
        return 0;
    const unsigned char *in = (const unsigned char *)bytes.data;
    if (in[0] < 0x80)
        return *code = in[0], 1;
    size_t size = in[0] >= 0xf0 ? 4 : in[0] >= 0xe0 ? 3 : 2;
    if (in[0] < 0xc2 || in[0] > 0xf4 || size > bytes.size)
        return 0;
    uint32_t value = in[0] & (0x7fU >> size);
    for (size_t i = 1; i < size; i++) {
        if ((in[i] & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (in[i] & 0x3f);
    }
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (value < least[size] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
        return 0;
    *code = value;
    return size;
}

/* Writes a code point that is not a surrogate; returns its length. */
static inline size_t utf8_write(uint32_t code, char out[4])
{
    if (code < 0x80)
        return out[0] = (char)code, 1;
    size_t size = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = size - 1; i > 0; i--, code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3f));
    out[0] = (char)((0xf00U >> size & 0xf0U) | code);
    return size;
}

/* How many of the bytes from the start on are ASCII. */
static inline size_t utf8_ascii_prefix(struct slice bytes)
{
    size_t i = 0;
    for (; i + 32 <= bytes.size; i += 32) {
        uint64_t words[4];
        memcpy(words, bytes.data + i, 32);
        if ((words[0] | words[1] | words[2] | words[3]) & 0x8080808080808080ULL)
            break;
    }
    for (; i + 8 <= bytes.size; i += 8) {
        uint64_t word;
        memcpy(&word, bytes.data + i, 8);
        if (word & 0x8080808080808080ULL)
            break;
    }
    while (i < bytes.size && !(bytes.data[i] & 0x80))
        i++;
    return i;
}

#endif
