#include "format/base64.h"

#include "base/error.h"
#include "format/base64_priv.h"

static const char digits[64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* clang-format off */
const unsigned char base64_values[256] = {
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 62, 64, 64, 64, 63,
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 64, 64, 64, 65, 64, 64,
    64,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14,
    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 64, 64, 64, 64, 64,
    64, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
    41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
};
/* clang-format on */

static int decode_group(const char *group, size_t count, uint32_t *bits)
{
    *bits = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned value = base64_values[(unsigned char)group[i]];
        if (value >= BASE64_FOREIGN)
            return ERROR_SYNTAX;
        *bits = *bits << 6 | value;
    }
    return 0;
}

/* The digits before the padding: 0 for an empty text. */
static size_t digit_count(struct slice text)
{
    size_t count = text.size;
    for (int i = 0; i < 2 && count && text.data[count - 1] == '='; i++)
        count--;
    return count;
}

/* The last two or three digits; the bits that are left over must be 0 (RFC 4648 section 3.5). */
static int decode_tail(const char *group, size_t count, char *out)
{
    uint32_t bits;
    if (decode_group(group, count, &bits))
        return ERROR_SYNTAX;
    unsigned surplus = count == 2 ? 4 : 2;
    if (bits & ((1U << surplus) - 1))
        return ERROR_SYNTAX;
    bits >>= surplus;
    if (count == 3)
        *out++ = (char)(bits >> 8);
    *out = (char)bits;
    return 0;
}

int base64_decode(struct slice text, struct buffer *bytes)
{
    size_t count = digit_count(text);
    if (text.size % 4 || count % 4 == 1)
        return ERROR_SYNTAX;
    size_t size = count / 4 * 3 + (count % 4 ? count % 4 - 1 : 0);
    char *out = buffer_reserve(bytes, size);
    if (!out)
        return buffer_error(bytes);

    size_t i = 0;
    for (; i + 4 <= count; i += 4) {
        uint32_t bits;
        if (decode_group(text.data + i, 4, &bits))
            return ERROR_SYNTAX;
        *out++ = (char)(bits >> 16);
        *out++ = (char)(bits >> 8);
        *out++ = (char)bits;
    }
    if (i < count && decode_tail(text.data + i, count - i, out))
        return ERROR_SYNTAX;
    buffer_commit(bytes, size);
    return 0;
}

int base64_encode(struct slice bytes, struct buffer *text)
{
    if (bytes.size > SIZE_MAX / 4)
        return ERROR_LIMIT;
    size_t size = (bytes.size + 2) / 3 * 4;
    char *out = buffer_reserve(text, size);
    if (!out)
        return buffer_error(text);
    for (size_t i = 0; i < bytes.size; i += 3) {
        size_t left = bytes.size - i;
        const unsigned char *in = (const unsigned char *)bytes.data + i;
        uint32_t bits =
            (uint32_t)in[0] << 16 | (left > 1 ? (uint32_t)in[1] << 8 : 0) | (left > 2 ? in[2] : 0);
        *out++ = digits[bits >> 18];
        *out++ = digits[bits >> 12 & 63];
        *out++ = left > 1 ? digits[bits >> 6 & 63] : '=';
        *out++ = left > 2 ? digits[bits & 63] : '=';
    }
    buffer_commit(text, size);
    return 0;
}
