/*
 * The arguments of MAIL and RCPT (RFC 5321 section 4.1.2).
 *
 * More is taken than the grammar gives, where nobody can be misled by it: a local part without a
 * domain, dots in a local part wherever they are, underscores in a domain. UTF-8 (RFC 6531 section
 * 3.3) is told from other 8-bit bytes at the end.
 */
#include "base/error.h"
#include "format/text.h"
#include "proto/lmtp/engine_priv.h"

#include <ctype.h>

static bool take(struct slice *text, char byte)
{
    if (text->size == 0 || text->data[0] != byte)
        return false;
    *text = slice_sub(*text, 1, SIZE_MAX);
    return true;
}

static struct slice take_run(struct slice *text, bool (*belongs)(unsigned char byte))
{
    size_t size = 0;
    while (size < text->size && belongs((unsigned char)text->data[size]))
        size++;
    struct slice run = slice_sub(*text, 0, size);
    *text = slice_sub(*text, size, SIZE_MAX);
    return run;
}

/* atext and dots */
static bool is_local_byte(unsigned char byte)
{
    return byte > ' ' && byte != 0x7f && !strchr("()<>[]:;@\\,\"", byte);
}

static bool is_domain_byte(unsigned char byte)
{
    return byte >= 0x80 || isalnum(byte) || byte == '-' || byte == '.' || byte == '_';
}

static bool is_literal_byte(unsigned char byte)
{
    return byte < 0x80 && (isalnum(byte) || byte == ':' || byte == '.' || byte == '-');
}

/* "[192.0.2.1]", or labels between single dots. */
static int take_domain(struct slice *text, struct buffer *address)
{
    const char *begin = text->data;
    if (take(text, '[')) {
        if (take_run(text, is_literal_byte).size == 0 || !take(text, ']'))
            return ERROR_SYNTAX;
    } else {
        struct slice domain = take_run(text, is_domain_byte);
        if (domain.size == 0 || domain.data[0] == '.' || domain.data[domain.size - 1] == '.' ||
            memmem(domain.data, domain.size, "..", 2))
            return ERROR_SYNTAX;
    }
    return buffer_append(address, slice_make(begin, (size_t)(text->data - begin)));
}

/* Quoted-string: a backslash makes the next byte an ordinary one. */
static int take_quoted(struct slice *text, bool unquote, struct buffer *address)
{
    if (!unquote)
        buffer_append_byte(address, '"');
    while (text->size && text->data[0] != '"') {
        bool escaped = take(text, '\\');
        if (escaped && !unquote)
            buffer_append_byte(address, '\\');
        unsigned char byte = text->size ? (unsigned char)text->data[0] : 0;
        if (byte < ' ' || byte == 0x7f)
            return ERROR_SYNTAX;
        buffer_append_byte(address, (char)byte);
        *text = slice_sub(*text, 1, SIZE_MAX);
    }
    if (!unquote)
        buffer_append_byte(address, '"');
    return take(text, '"') ? 0 : ERROR_SYNTAX;
}

/* "@one.example,@two.example:" is to be ignored (RFC 5321 appendix C). */
static int skip_route(struct slice *text)
{
    if (text->size == 0 || text->data[0] != '@')
        return 0;
    do {
        struct buffer ignored;
        buffer_init(&ignored, LMTP_ADDRESS_MAXIMUM);
        int error = take(text, '@') ? take_domain(text, &ignored) : ERROR_SYNTAX;
        buffer_release(&ignored);
        if (error)
            return error;
    } while (take(text, ','));
    return take(text, ':') ? 0 : ERROR_SYNTAX;
}

static int take_address(struct slice *text, bool unquote, struct buffer *address)
{
    int error = skip_route(text);
    if (error)
        return error;
    if (take(text, '"')) {
        error = take_quoted(text, unquote, address);
    } else {
        struct slice local = take_run(text, is_local_byte);
        error = local.size ? buffer_append(address, local) : ERROR_SYNTAX;
    }
    if (!error && take(text, '@')) {
        buffer_append_byte(address, '@');
        error = take_domain(text, address);
    }
    return error ? error : buffer_error(address);
}

int lmtp_path_parse(struct slice *text, bool unquote, struct buffer *address)
{
    buffer_clear(address);
    if (!take(text, '<'))
        return ERROR_SYNTAX;
    if (take(text, '>'))
        return 0;
    int error = take_address(text, unquote, address);
    if (!error && (!take(text, '>') || !text_is_utf8(buffer_slice(address))))
        error = ERROR_SYNTAX;
    return error;
}

static bool is_keyword_byte(unsigned char byte)
{
    return byte < 0x80 && (isalnum(byte) || byte == '-');
}

static bool is_value_byte(unsigned char byte)
{
    return byte > ' ' && byte != 0x7f && byte != '=';
}

int lmtp_parameter_next(struct slice *text, struct lmtp_parameter *parameter)
{
    if (text->size && !take(text, ' '))
        return ERROR_SYNTAX;
    while (take(text, ' '))
        continue;
    if (text->size == 0)
        return 0;
    struct lmtp_parameter found = {.keyword = take_run(text, is_keyword_byte)};
    if (found.keyword.size == 0)
        return ERROR_SYNTAX;
    if (take(text, '=')) {
        found.value = take_run(text, is_value_byte);
        if (found.value.size == 0)
            return ERROR_SYNTAX;
    }
    *parameter = found;
    return 1;
}
