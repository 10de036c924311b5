#include "format/downgrade.h"

#include "format/address.h"
#include "format/base64.h"
#include "format/field_priv.h"
#include "format/text.h"
#include "format/utf8_priv.h"

#include <ctype.h>

enum { WORD_BYTES = 45 /* of UTF-8 in an encoded word, which may have 75 characters */ };

struct field {
    struct slice whole; /* with its line ends */
    struct slice name, value;
};

bool downgrade_is_ascii(struct slice header)
{
    return utf8_ascii_prefix(header) == header.size;
}

static size_t line_end(struct slice text, size_t offset)
{
    size_t end = offset + slice_find(slice_sub(text, offset, SIZE_MAX), '\n');
    return end < text.size ? end + 1 : text.size;
}

/* A line that is no field is one without a name. */
static void take_field(struct slice *header, struct field *field)
{
    size_t end = line_end(*header, 0);
    while (end < header->size && (header->data[end] == ' ' || header->data[end] == '\t'))
        end = line_end(*header, end);
    field->whole = slice_sub(*header, 0, end);
    *header = slice_sub(*header, end, SIZE_MAX);
    size_t colon = slice_find(field->whole, ':');
    bool named = colon < field->whole.size;
    field->name = field_trim(slice_sub(field->whole, 0, named ? colon : 0));
    field->value = field_trim(slice_sub(field->whole, named ? colon + 1 : 0, SIZE_MAX));
}

/* --- encoded words --- */

/* How many of the bytes fit into a word without a character being cut. */
static size_t word_size(struct slice utf8)
{
    size_t size = utf8.size < WORD_BYTES ? utf8.size : WORD_BYTES;
    while (size > 1 && size < utf8.size && (utf8.data[size] & 0xc0) == 0x80)
        size--;
    return size;
}

static void write_words(struct buffer *out, struct slice utf8)
{
    for (size_t at = 0; at < utf8.size;) {
        struct slice word = slice_sub(utf8, at, word_size(slice_sub(utf8, at, SIZE_MAX)));
        buffer_append_string(out, at ? "\r\n =?utf-8?B?" : "=?utf-8?B?");
        base64_encode(word, out);
        buffer_append_string(out, "?=");
        at += word.size;
    }
}

/* The text with its encoded words decoded and encoded anew. */
static void write_encoded(struct buffer *out, struct slice text)
{
    struct buffer utf8;
    buffer_init(&utf8, out->maximum);
    if (text_decode_header(text, &utf8) == 0)
        write_words(out, buffer_slice(&utf8));
    else if (!out->error)
        out->error = buffer_error(&utf8);
    buffer_release(&utf8);
}

/* --- addresses (section 2.1) --- */

static bool is_atext(char c)
{
    return isalnum((unsigned char)c) || (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

/* Words of atoms, and encoded words, stand as they are (but not dots, for addresses). */
static bool is_phrase(struct slice text, const char *more)
{
    for (size_t i = 0; i < text.size; i++)
        if (!is_atext(text.data[i]) && !strchr(more, text.data[i]))
            return false;
    return text.size > 0;
}

static void write_quoted(struct buffer *out, struct slice text)
{
    buffer_append_byte(out, '"');
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '\r' || text.data[i] == '\n')
            continue;
        if (text.data[i] == '"' || text.data[i] == '\\')
            buffer_append_byte(out, '\\');
        buffer_append_byte(out, text.data[i]);
    }
    buffer_append_byte(out, '"');
}

static void write_name(struct buffer *out, struct slice name)
{
    if (!downgrade_is_ascii(name))
        write_encoded(out, name);
    else if (is_phrase(name, " "))
        buffer_append(out, name);
    else
        write_quoted(out, name);
}

static void write_invalid(struct buffer *out, const struct address *address)
{
    struct buffer name;
    buffer_init(&name, (size_t)3 * ADDRESS_WORDS_MAXIMUM);
    if (address->name.size) {
        buffer_append(&name, address->name);
    } else {
        buffer_append(&name, address->local);
        buffer_append_byte(&name, '@');
        buffer_append(&name, address->domain);
    }
    write_name(out, buffer_slice(&name));
    buffer_append(out, SLICE(" <invalid@internationalized.invalid>"));
    buffer_release(&name);
}

static void write_mailbox(struct buffer *out, const struct address *address)
{
    if (!downgrade_is_ascii(address->local) || !downgrade_is_ascii(address->domain)) {
        write_invalid(out, address);
        return;
    }
    if (address->name.size) {
        write_name(out, address->name);
        buffer_append_byte(out, ' ');
    }
    buffer_append_byte(out, '<');
    if (is_phrase(address->local, "."))
        buffer_append(out, address->local);
    else
        write_quoted(out, address->local);
    if (address->domain.size)
        buffer_append_byte(out, '@');
    buffer_append(out, address->domain);
    buffer_append_byte(out, '>');
}

static void write_addresses(struct buffer *out, struct slice value)
{
    struct address_parser parser;
    struct address address;
    const char *separator = "";
    address_parser_init(&parser, value);
    while (address_next(&parser, &address)) {
        if (address.kind == ADDRESS_GROUP_END) {
            buffer_append_byte(out, ';');
            separator = ",\r\n ";
            continue;
        }
        buffer_append_string(out, separator);
        if (address.kind == ADDRESS_GROUP_BEGIN) {
            write_name(out, address.name.size ? address.name : SLICE("group"));
            buffer_append_string(out, ":\r\n ");
            separator = "";
        } else {
            write_mailbox(out, &address);
            separator = ",\r\n ";
        }
    }
}

/* --- parameters (section 2.2) --- */

/* The offset of the next ";" outside of quotes and comments, or the end. */
static size_t parameter_end(struct slice value, size_t offset)
{
    while (offset < value.size && value.data[offset] != ';') {
        if (value.data[offset] == '"') {
            offset = field_quoted_end(value, offset + 1);
            offset += offset < value.size;
        } else if (value.data[offset] == '(') {
            offset = field_skip_comment(value, offset);
        } else {
            offset++;
        }
    }
    return offset < value.size ? offset : value.size;
}

static void write_parameters(struct buffer *out, struct slice value)
{
    for (size_t at = 0, end; at < value.size; at = end + 1) {
        end = parameter_end(value, at);
        struct slice parameter = field_trim(slice_sub(value, at, end - at));
        if (!downgrade_is_ascii(parameter))
            continue;
        buffer_append_string(out, at ? ";\r\n " : "");
        buffer_append(out, parameter);
    }
}

/* Without its type or disposition, nothing is left of the field. */
static bool has_type(struct slice value)
{
    return downgrade_is_ascii(slice_sub(value, 0, parameter_end(value, 0)));
}

/* --- fields --- */

static const struct {
    const char *name;
    void (*write)(struct buffer *out, struct slice value);
} rules[] = {
    {"Bcc", write_addresses},
    {"Cc", write_addresses},
    {"From", write_addresses},
    {"Reply-To", write_addresses},
    {"Resent-Bcc", write_addresses},
    {"Resent-Cc", write_addresses},
    {"Resent-From", write_addresses},
    {"Resent-Sender", write_addresses},
    {"Resent-To", write_addresses},
    {"Return-Path", write_addresses},
    {"Sender", write_addresses},
    {"To", write_addresses},
    {"Subject", write_encoded},
    {"Content-Type", write_parameters},
    {"Content-Disposition", write_parameters},
};

static void write_field(struct buffer *out, const struct field *field)
{
    if (downgrade_is_ascii(field->whole)) {
        buffer_append(out, field->whole);
        return;
    }
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        if (!slice_equal_nocase(field->name, slice_from_string(rules[i].name)))
            continue;
        if (rules[i].write == write_parameters && !has_type(field->value))
            return;
        buffer_append_format(out, "%s: ", rules[i].name);
        rules[i].write(out, field->value);
        buffer_append_string(out, "\r\n");
    }
}

int downgrade_header(struct slice header, struct buffer *surrogate)
{
    while (header.size) {
        struct field field;
        take_field(&header, &field);
        write_field(surrogate, &field);
    }
    return buffer_error(surrogate);
}
