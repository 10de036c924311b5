#include "format/field_priv.h"
#include "format/imap_string_priv.h"

void mime_write_raw(struct imap_writer *writer, const char *text)
{
    buffer_append_string(writer->text, text);
}

static bool is_left_out(char c)
{
    return c == '\r' || c == '\n' || c == '\0';
}

enum { PLAIN = 0, LEFT_OUT = 1, ESCAPED = 2, EIGHT_BIT = 4 };

/* What kinds of bytes there are, and how many of them are written in a literal. */
static int look_at(struct slice value, size_t *size)
{
    int kinds = PLAIN;
    *size = value.size;
    for (size_t i = 0; i < value.size; i++) {
        char c = value.data[i];
        if (c & 0x80)
            kinds |= EIGHT_BIT;
        else if (c == '"' || c == '\\')
            kinds |= ESCAPED;
        else if (is_left_out(c)) {
            kinds |= LEFT_OUT;
            --*size;
        }
    }
    return kinds;
}

/* The limit, without the half of a UTF-8 sequence that it would leave. */
static struct slice cut(struct imap_writer *writer, struct slice value)
{
    if (value.size <= writer->string_maximum)
        return value;
    writer->cut = true;
    value.size = writer->string_maximum;
    for (int i = 0; i < 3 && value.size && (value.data[value.size] & 0xc0) == 0x80; i++)
        value.size--;
    return value;
}

void mime_write_string(struct imap_writer *writer, struct slice value)
{
    struct buffer *text = writer->text;
    size_t size;
    value = cut(writer, field_trim(value));
    int kinds = look_at(value, &size);
    if (kinds & EIGHT_BIT)
        buffer_append_format(text, "{%zu}\r\n", size);
    else
        buffer_append_byte(text, '"');
    if (kinds == PLAIN) {
        buffer_append(text, value);
    } else {
        for (size_t i = 0; i < value.size; i++) {
            char c = value.data[i];
            if (is_left_out(c))
                continue;
            if (!(kinds & EIGHT_BIT) && (c == '"' || c == '\\'))
                buffer_append_byte(text, '\\');
            buffer_append_byte(text, c);
        }
    }
    if (!(kinds & EIGHT_BIT))
        buffer_append_byte(text, '"');
}

void mime_write_nstring(struct imap_writer *writer, struct slice value)
{
    if (value.size)
        mime_write_string(writer, value);
    else
        mime_write_raw(writer, "NIL");
}

void mime_write_field(struct imap_writer *writer, const struct mime_field *field)
{
    if (field)
        mime_write_string(writer, field->value);
    else
        mime_write_raw(writer, "NIL");
}
