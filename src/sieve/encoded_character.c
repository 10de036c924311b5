/*
 * encoded-character (RFC 5228 section 2.4.2.4): ${hex: 24 24} and ${unicode: 40}. What is not
 * well-formed stays as it is; a well-formed number that is no character is an error.
 */
#include "sieve/validate_priv.h"

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool valid_character(uint32_t code)
{
    return code < 0xd800 || (code >= 0xe000 && code <= 0x10ffff);
}

static void append_character(struct buffer *out, uint32_t code)
{
    unsigned size = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char first[] = {0, 0, 0xc0, 0xe0, 0xf0};
    buffer_append_byte(out, (char)(first[size] | code >> 6 * (size - 1)));
    while (--size)
        buffer_append_byte(out, (char)(0x80 | (code >> 6 * (size - 1) & 0x3f)));
}

/* One number; false when there is none. Too large ones become UINT32_MAX. */
static bool take_number(struct slice text, size_t *offset, size_t *digits, uint32_t *number)
{
    size_t start = *offset;
    *number = 0;
    for (; *offset < text.size && hex_value(text.data[*offset]) >= 0; ++*offset)
        *number = *number > UINT32_MAX >> 4
                      ? UINT32_MAX
                      : *number << 4 | (uint32_t)hex_value(text.data[*offset]);
    *digits = *offset - start;
    return *digits > 0;
}

/* The sequence behind "${hex:" or "${unicode:"; false when it is not well-formed. *offset goes
 * behind the "}". */
static bool take_sequence(struct slice text, size_t *offset, bool unicode, struct buffer *out,
                          bool *invalid)
{
    size_t at = *offset, count = 0, digits;
    uint32_t number;
    bool separated = true, bad = false;
    for (;; count++) {
        for (; at < text.size && is_blank(text.data[at]); at++)
            separated = true;
        if (at == text.size || text.data[at] == '}')
            break;
        if (!separated || !take_number(text, &at, &digits, &number) || (!unicode && digits > 2))
            return false;
        if (!unicode)
            buffer_append_byte(out, (char)number);
        else if (valid_character(number))
            append_character(out, number);
        else
            bad = true;
        separated = false;
    }
    if (at == text.size || !count)
        return false;
    *offset = at + 1;
    *invalid |= bad;
    return true;
}

static bool take_encoded(struct slice text, size_t *offset, struct buffer *out, bool *invalid)
{
    static const struct slice hex = {"${hex:", 6}, unicode = {"${unicode:", 10};
    bool is_unicode = slice_equal_nocase(slice_sub(text, *offset, unicode.size), unicode);
    if (!is_unicode && !slice_equal_nocase(slice_sub(text, *offset, hex.size), hex))
        return false;
    size_t at = *offset + (is_unicode ? unicode.size : hex.size), before = out->size;
    if (!take_sequence(text, &at, is_unicode, out, invalid))
        return buffer_truncate(out, before), false;
    *offset = at;
    return true;
}

void decode_characters(struct validator *validator, struct tree_string *string)
{
    struct slice text = string->text;
    if (!validator->has[EXT_ENCODED_CHARACTER] || !memmem(text.data, text.size, "${", 2))
        return;
    struct buffer out;
    bool invalid = false, changed = false;
    buffer_init(&out, text.size);
    for (size_t at = 0; at < text.size;) {
        if (take_encoded(text, &at, &out, &invalid))
            changed = true;
        else
            buffer_append_byte(&out, text.data[at++]);
    }
    if (invalid)
        validator_error(validator, string->line, string->column,
                        "${unicode:...} names a number that is no character");
    validator->used[EXT_ENCODED_CHARACTER] |= changed;
    string->text = arena_copy(validator->arena, buffer_slice(&out));
    buffer_release(&out);
}
