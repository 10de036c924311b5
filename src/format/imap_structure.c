#include "format/imap_structure.h"

#include "format/field_priv.h"
#include "format/imap_string_priv.h"

static bool is_text(const struct mime_part *part)
{
    return slice_equal(part->type.type, SLICE("TEXT"));
}

/* RFC 2045 section 5.2: text without a charset is US-ASCII. */
static bool needs_charset(const struct mime_part *part)
{
    return is_text(part) && !content_parameter_find(&part->type, "CHARSET");
}

static void write_parameters(struct imap_writer *writer, const struct content_value *value,
                             bool charset)
{
    if (!value->parameter_count && !charset) {
        mime_write_raw(writer, "NIL");
        return;
    }
    mime_write_raw(writer, charset ? "(\"CHARSET\" \"US-ASCII\"" : "(");
    for (size_t i = 0; i < value->parameter_count; i++) {
        mime_write_raw(writer, i || charset ? " " : "");
        mime_write_string(writer, value->parameters[i].name);
        mime_write_raw(writer, " ");
        mime_write_string(writer, value->parameters[i].value);
    }
    mime_write_raw(writer, ")");
}

static void write_disposition(struct imap_writer *writer, const struct mime_part *part)
{
    if (!part->disposition.type.size) {
        mime_write_raw(writer, "NIL");
        return;
    }
    mime_write_raw(writer, "(");
    mime_write_string(writer, part->disposition.type);
    mime_write_raw(writer, " ");
    write_parameters(writer, &part->disposition, false);
    mime_write_raw(writer, ")");
}

/* One language as a string, several as a list (RFC 3282); comments are left out. */
static void write_languages(struct imap_writer *writer, const struct mime_field *field)
{
    struct slice value = field ? field->value : slice_make(NULL, 0);
    bool several = slice_find(value, ',') < value.size;
    size_t count = 0, offset = 0;
    while (offset < value.size) {
        offset = field_skip_cfws(value, offset);
        size_t start = offset;
        while (offset < value.size && value.data[offset] != ',' && value.data[offset] != '(')
            offset++;
        struct slice language = field_trim(slice_sub(value, start, offset - start));
        if (language.size) {
            mime_write_raw(writer, count++ ? " " : several ? "(" : "");
            mime_write_string(writer, language);
        }
        offset += offset < value.size && value.data[offset] == ',';
    }
    mime_write_raw(writer, !count ? "NIL" : several ? ")" : "");
}

/* A URI may be folded anywhere; its blanks are none of it (RFC 2557 section 4.4). Here the line
 * ends are left out, and the blanks at its ends. */
static void write_extension(struct imap_writer *writer, const struct mime_part *part)
{
    mime_write_raw(writer, " ");
    write_disposition(writer, part);
    mime_write_raw(writer, " ");
    write_languages(writer, part->fields[MIME_CONTENT_LANGUAGE]);
    mime_write_raw(writer, " ");
    const struct mime_field *location = part->fields[MIME_CONTENT_LOCATION];
    mime_write_nstring(writer, location ? location->value : slice_make(NULL, 0));
}

static void write_multipart(struct imap_writer *writer, const struct mime_part *part,
                            bool extension)
{
    for (const struct mime_part *child = part->children; child; child = child->next)
        mime_write_body(writer, child, extension);
    mime_write_raw(writer, " ");
    mime_write_string(writer, part->type.subtype);
    if (!extension)
        return;
    mime_write_raw(writer, " ");
    write_parameters(writer, &part->type, false);
    write_extension(writer, part);
}

/* The encoding's name in upper case; "7BIT" for want of one. Of an odd one only the token counts,
 * as it may be followed by a comment. */
static void write_encoding(struct imap_writer *writer, const struct mime_part *part)
{
    const struct mime_field *field = part->fields[MIME_CONTENT_TRANSFER_ENCODING];
    char name[32];
    size_t size = 0;
    for (; field && size < field->value.size && size < sizeof(name); size++) {
        char c = field->value.data[size];
        if (c <= ' ' || c == 0x7f || c == '(' || c == ';')
            break;
        name[size] = (char)(c >= 'a' && c <= 'z' ? c - 32 : c);
    }
    mime_write_string(writer, size ? slice_make(name, size) : SLICE("7BIT"));
}

static void write_leaf(struct imap_writer *writer, const struct mime_part *part, bool extension)
{
    mime_write_string(writer, part->type.type);
    mime_write_raw(writer, " ");
    mime_write_string(writer, part->type.subtype);
    mime_write_raw(writer, " ");
    write_parameters(writer, &part->type, needs_charset(part));
    static const enum mime_field_name fields[] = {MIME_CONTENT_ID, MIME_CONTENT_DESCRIPTION};
    for (size_t i = 0; i < 2; i++) {
        mime_write_raw(writer, " ");
        mime_write_field(writer, part->fields[fields[i]]);
    }
    mime_write_raw(writer, " ");
    write_encoding(writer, part);
    buffer_append_format(writer->text, " %zu", part->body_size);
    if (part->media == MIME_MESSAGE) {
        mime_write_raw(writer, " ");
        mime_write_envelope(writer, part->children);
        mime_write_raw(writer, " ");
        mime_write_body(writer, part->children, extension);
    }
    if (part->media == MIME_MESSAGE || is_text(part))
        buffer_append_format(writer->text, " %zu", part->lines);
    if (!extension)
        return;
    mime_write_raw(writer, " ");
    const struct mime_field *md5 = part->fields[MIME_CONTENT_MD5];
    mime_write_nstring(writer, md5 ? md5->value : slice_make(NULL, 0));
    write_extension(writer, part);
}

void mime_write_body(struct imap_writer *writer, const struct mime_part *part, bool extension)
{
    if (buffer_error(writer->text))
        return;
    mime_write_raw(writer, "(");
    if (part->media == MIME_MULTIPART)
        write_multipart(writer, part, extension);
    else
        write_leaf(writer, part, extension);
    mime_write_raw(writer, ")");
}
