#include "proto/imap/writer.h"

#include "format/date.h"
#include "format/mailbox_name.h"

void imap_write_text(struct buffer *out, enum language language, const char *text)
{
    bool written = language_write(out, language, text);
    for (const char *at = text; !written && *at; at++) {
        bool plain = (unsigned char)*at < 0x80 && *at != '\r' && *at != '\n';
        buffer_append_byte(out, plain ? *at : '?');
    }
    buffer_append_string(out, "\r\n");
}

void imap_write_status(struct buffer *out, enum language language, struct slice tag,
                       const char *status, const char *code, const char *text)
{
    buffer_append(out, tag);
    buffer_append_byte(out, ' ');
    buffer_append_string(out, status);
    buffer_append_byte(out, ' ');
    if (code) {
        buffer_append_byte(out, '[');
        buffer_append_string(out, code);
        buffer_append(out, SLICE("] "));
    }
    imap_write_text(out, language, text);
}

void imap_write_language(struct buffer *out, enum language language)
{
    buffer_append_format(out, "* LANGUAGE (%s)\r\n", language_tag(language));
}

void imap_write_languages(struct buffer *out)
{
    buffer_append_string(out, "* LANGUAGE (");
    for (int i = 0; i < LANGUAGES; i++)
        buffer_append_format(out, "%s%s", i ? " " : "", language_tag((enum language)i));
    buffer_append_string(out, ")\r\n");
}

void imap_write_literal_head(struct buffer *out, uint64_t size)
{
    buffer_append_byte(out, '{');
    buffer_append_number(out, size);
    buffer_append(out, SLICE("}\r\n"));
}

void imap_write_literal8_head(struct buffer *out, uint64_t size)
{
    buffer_append_byte(out, '~');
    imap_write_literal_head(out, size);
}

/* Which forms a text can take. */
struct shape {
    bool atom, quoted;
    size_t escapes; /* bytes that need a backslash when quoted */
};

static struct shape shape_of(struct slice text, bool utf8)
{
    struct shape shape = {.atom = text.size > 0, .quoted = true};
    for (size_t i = 0; i < text.size; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        if (byte <= ' ' || byte >= 0x7f || strchr("(){%*\"\\", byte))
            shape.atom = false;
        if (byte == '\0' || byte == '\r' || byte == '\n' || (byte >= 0x80 && !utf8))
            shape.quoted = false;
        if (byte == '"' || byte == '\\')
            shape.escapes++;
    }
    /* An atom NIL could be taken for no string at all. */
    if (slice_equal_nocase(text, SLICE("NIL")))
        shape.atom = false;
    return shape;
}

static void write_escaped(struct buffer *out, struct slice text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '"' || text.data[i] == '\\')
            buffer_append_byte(out, '\\');
        buffer_append_byte(out, text.data[i]);
    }
}

static void write_text(struct buffer *out, struct slice text, bool atom, bool utf8)
{
    struct shape shape = shape_of(text, utf8);
    if (atom && shape.atom) {
        buffer_append(out, text);
    } else if (shape.quoted) {
        buffer_append_byte(out, '"');
        if (shape.escapes)
            write_escaped(out, text);
        else
            buffer_append(out, text);
        buffer_append_byte(out, '"');
    } else {
        imap_write_literal_head(out, text.size);
        buffer_append(out, text);
    }
}

void imap_write_astring(struct buffer *out, struct slice text)
{
    write_text(out, text, true, false);
}

void imap_write_string(struct buffer *out, struct slice text)
{
    write_text(out, text, false, false);
}

void imap_write_nstring(struct buffer *out, struct slice text)
{
    if (text.data)
        imap_write_string(out, text);
    else
        buffer_append_string(out, "NIL");
}

void imap_write_mailbox(struct buffer *out, struct slice name, bool utf8)
{
    if (utf8) {
        write_text(out, name, true, true);
        return;
    }
    /* Three bytes of UTF-8 become at most "&" + 4 + "-". */
    struct buffer wire;
    buffer_init(&wire, 6 * name.size + 8);
    bool converted = mailbox_name_to_utf7(name, &wire) == 0;
    write_text(out, converted ? buffer_slice(&wire) : name, true, false);
    buffer_release(&wire);
}

void imap_write_value(struct buffer *out, struct slice value)
{
    if (slice_find(value, '\0') == value.size) {
        imap_write_nstring(out, value);
        return;
    }
    imap_write_literal8_head(out, value.size);
    buffer_append(out, value);
}

void imap_write_flags(struct buffer *out, uint32_t system, const struct slice *keywords,
                      size_t keyword_count)
{
    static const struct {
        uint32_t flag;
        const char *name;
    } names[] = {
        {IMAP_FLAG_SEEN, "\\Seen"},       {IMAP_FLAG_ANSWERED, "\\Answered"},
        {IMAP_FLAG_FLAGGED, "\\Flagged"}, {IMAP_FLAG_DELETED, "\\Deleted"},
        {IMAP_FLAG_DRAFT, "\\Draft"},
    };
    const char *before = "(";
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!(system & names[i].flag))
            continue;
        buffer_append_string(out, before);
        buffer_append_string(out, names[i].name);
        before = " ";
    }
    for (size_t i = 0; i < keyword_count; i++) {
        buffer_append_string(out, before);
        buffer_append(out, keywords[i]);
        before = " ";
    }
    buffer_append_string(out, before[0] == '(' ? "()" : ")");
}

void imap_write_set(struct buffer *out, const struct range_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        const struct range *range = &set->ranges[i];
        buffer_append_format(out, "%s%u", i ? "," : "", range->first);
        if (range->last > range->first)
            buffer_append_format(out, ":%u", range->last);
    }
}

void imap_write_date(struct buffer *out, int64_t seconds)
{
    buffer_append_byte(out, '"');
    date_format_imap(seconds, out);
    buffer_append_byte(out, '"');
}
