#include "proto/managesieve/writer.h"

#include "format/text.h"
#include "sieve/capability.h"
#include "sieve/sieve.h"

static bool can_be_quoted(struct slice string)
{
    for (size_t i = 0; i < string.size; i++)
        if (strchr("\r\n\"\\", string.data[i])) /* its NUL too */
            return false;
    return string.size <= MANAGESIEVE_QUOTED_MAXIMUM && text_is_utf8(string);
}

void managesieve_write_string(struct buffer *output, struct slice string)
{
    bool quoted = can_be_quoted(string);
    if (quoted)
        buffer_append_byte(output, '"');
    else
        buffer_append_format(output, "{%zu}\r\n", string.size);
    buffer_append(output, string);
    if (quoted)
        buffer_append_byte(output, '"');
}

void managesieve_write_status(struct buffer *output, const char *status, const char *code,
                              struct slice text)
{
    buffer_append_string(output, status);
    if (code)
        buffer_append_format(output, " (%s)", code);
    if (text.size) {
        buffer_append_byte(output, ' ');
        managesieve_write_string(output, text);
    }
    buffer_append_string(output, "\r\n");
}

void managesieve_write_ok(struct buffer *output, const char *text)
{
    managesieve_write_status(output, "OK", NULL, slice_from_string(text));
}

void managesieve_write_no(struct buffer *output, const char *code, const char *text)
{
    managesieve_write_status(output, "NO", code, slice_from_string(text));
}

void managesieve_write_noop(struct buffer *output, struct slice tag)
{
    buffer_append_string(output, "OK ");
    if (tag.data) {
        buffer_append_string(output, "(TAG ");
        managesieve_write_string(output, tag);
        buffer_append_string(output, ") ");
    }
    buffer_append_string(output, "\"Nothing done\"\r\n");
}

static void write_capability(struct buffer *output, const char *name, const char *value)
{
    buffer_append_format(output, "\"%s\"", name);
    if (value) {
        buffer_append_byte(output, ' ');
        managesieve_write_string(output, slice_from_string(value));
    }
    buffer_append_string(output, "\r\n");
}

void managesieve_write_capabilities(struct buffer *output,
                                    const struct managesieve_capabilities *capabilities)
{
    char redirects[16];
    snprintf(redirects, sizeof(redirects), "%d", SIEVE_REDIRECTS_MAXIMUM);
    write_capability(output, "IMPLEMENTATION", "Chapar");
    if (capabilities->mechanisms)
        write_capability(output, "SASL", capabilities->mechanisms);
    write_capability(output, "SIEVE", sieve_extension_list());
    if (capabilities->starttls)
        write_capability(output, "STARTTLS", NULL);
    write_capability(output, "NOTIFY", SIEVE_NOTIFY_METHODS);
    write_capability(output, "MAXREDIRECTS", redirects);
    write_capability(output, "LANGUAGE", "en");
    if (capabilities->owner) {
        write_capability(output, "OWNER", capabilities->owner);
        write_capability(output, "UNAUTHENTICATE", NULL);
    }
    write_capability(output, "VERSION", "1.0");
    managesieve_write_status(output, "OK", NULL, SLICE(""));
}
