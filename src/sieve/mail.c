/*
 * Header fields and bodies of messages that scripts make: encoded as RFC 2047 and RFC 2045 want.
 */
#include "sieve/mail_priv.h"

#include "format/base64.h"
#include "format/text.h"

enum {
    LINE_FOLD = 76,  /* columns after which a line is folded, RFC 5322 section 2.1.1 */
    WORD_BYTES = 45, /* of UTF-8 in one encoded word: 75 columns of RFC 2047 section 2 */
    TEXT_LINE = 76,  /* columns of a base64 body */
};

bool mail_is_ascii(struct slice text)
{
    for (size_t i = 0; i < text.size; i++)
        if ((unsigned char)text.data[i] >= 0x7f || (unsigned char)text.data[i] < ' ')
            return false;
    return true;
}

static void put_words(struct slice text, struct buffer *out)
{
    while (text.size) {
        size_t size = text.size < WORD_BYTES ? text.size : WORD_BYTES;
        while (size < text.size && size > 1 && (text.data[size] & 0xc0) == 0x80)
            size--;
        buffer_append_string(out, "=?UTF-8?B?");
        base64_encode(slice_sub(text, 0, size), out);
        buffer_append_string(out, "?=");
        text = slice_sub(text, size, SIZE_MAX);
        if (text.size)
            buffer_append_string(out, "\r\n ");
    }
}

/* Folded at blanks, so that no line is longer than it must be. */
static void put_folded(struct slice text, size_t column, struct buffer *out)
{
    while (text.size) {
        size_t end = 1;
        while (end < text.size && text.data[end] != ' ')
            end++;
        if (column + end > LINE_FOLD && text.data[0] == ' ' && end > 1) {
            buffer_append_string(out, "\r\n");
            column = 0;
        }
        buffer_append(out, slice_sub(text, 0, end));
        column += end;
        text = slice_sub(text, end, SIZE_MAX);
    }
}

void mail_put_value(struct slice value, size_t column, struct buffer *out)
{
    struct buffer clean;
    buffer_init(&clean, value.size);
    for (size_t i = 0; i < value.size; i++) {
        char c = value.data[i];
        if (c != '\r' && c != '\n' && c != '\0')
            buffer_append_byte(&clean, c == '\t' ? ' ' : c);
    }
    struct slice text = buffer_slice(&clean);
    if (mail_is_ascii(text))
        put_folded(text, column, out);
    else
        put_words(text, out);
    buffer_release(&clean);
}

void mail_put_field(const char *name, struct slice value, struct buffer *out)
{
    buffer_append_format(out, "%s: ", name);
    mail_put_value(value, strlen(name) + 2, out);
    buffer_append_string(out, "\r\n");
}

bool mail_is_field_name(struct slice name)
{
    for (size_t i = 0; i < name.size; i++)
        if (name.data[i] <= ' ' || name.data[i] >= 0x7f || name.data[i] == ':')
            return false;
    return name.size > 0;
}

bool mail_is_mime_field(struct slice name)
{
    const struct slice content = SLICE("Content-");
    return slice_equal_nocase(slice_sub(name, 0, content.size), content) ||
           slice_equal_nocase(name, SLICE("MIME-Version"));
}

/* Whether the text can be sent as it stands. */
static bool is_sendable(struct slice text)
{
    size_t line = 0;
    for (size_t i = 0; i < text.size; i++) {
        line = text.data[i] == '\n' ? 0 : line + 1;
        if ((unsigned char)text.data[i] >= 0x7f || !text.data[i] || line > 998)
            return false;
    }
    return true;
}

static bool has_dashes(struct slice text)
{
    return slice_starts_with(text, SLICE("--")) ||
           (text.size && memmem(text.data, text.size, "\n--", 3));
}

static void put_text(struct slice text, bool plain, struct buffer *header, struct buffer *body)
{
    buffer_append_format(header, "Content-Type: text/plain; charset=%s\r\n",
                         plain ? "us-ascii" : "utf-8");
    buffer_append_format(header, "Content-Transfer-Encoding: %s\r\n", plain ? "7bit" : "base64");
    if (plain) {
        buffer_append(body, text);
        return;
    }
    for (; text.size; text = slice_sub(text, TEXT_LINE / 4 * 3, SIZE_MAX)) {
        base64_encode(slice_sub(text, 0, TEXT_LINE / 4 * 3), body);
        buffer_append_string(body, "\r\n");
    }
}

void mail_put_text(struct slice text, struct buffer *header, struct buffer *body)
{
    buffer_append_string(header, "MIME-Version: 1.0\r\n");
    put_text(text, is_sendable(text), header, body);
}

void mail_put_part(struct slice text, struct buffer *out)
{
    struct buffer body;
    buffer_init(&body, out->maximum);
    put_text(text, is_sendable(text) && !has_dashes(text), out, &body);
    buffer_append_string(out, "\r\n");
    buffer_append(out, buffer_slice(&body));
    buffer_release(&body);
}
