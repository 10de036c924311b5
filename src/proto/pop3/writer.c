#include "proto/pop3/writer.h"

#include "base/error.h"

static void write_text(struct buffer *output, enum language language, const char *text)
{
    if (!language_write(output, language, text))
        buffer_append_string(output, text);
    buffer_append_string(output, "\r\n");
}

void pop3_write_ok(struct buffer *output, enum language language, const char *text)
{
    buffer_append_string(output, "+OK ");
    write_text(output, language, text);
}

void pop3_write_error(struct buffer *output, enum language language, const char *code,
                      const char *text)
{
    buffer_append_string(output, "-ERR ");
    if (code)
        buffer_append_format(output, "[%s] ", code);
    write_text(output, language, text);
}

void pop3_write_refusal(struct buffer *output, enum language language, int error)
{
    if (error_is_temporary(error))
        pop3_write_error(output, language, "SYS/TEMP", "Try again later");
    else
        pop3_write_error(output, language, "AUTH", "Authentication failed");
}

void pop3_write_capabilities(struct buffer *output, const char *more)
{
    buffer_append_string(output, "+OK Capabilities follow\r\n"
                                 "TOP\r\n"
                                 "UIDL\r\n"
                                 "RESP-CODES\r\n"
                                 "AUTH-RESP-CODE\r\n"
                                 "PIPELINING\r\n"
                                 "EXPIRE NEVER\r\n"
                                 "UTF8\r\n"
                                 "LANG\r\n"
                                 "IMPLEMENTATION Chapar\r\n");
    buffer_append_string(output, more);
    buffer_append_string(output, ".\r\n");
}

enum language pop3_write_language(struct buffer *output, enum language language,
                                  struct slice argument)
{
    bool any = slice_equal(argument, SLICE("*"));
    if (argument.size == 0) {
        pop3_write_ok(output, language, "Languages follow");
        for (int i = 0; i < LANGUAGES; i++)
            buffer_append_format(output, "%s %s\r\n", language_tag((enum language)i),
                                 language_name((enum language)i));
        buffer_append_string(output, ".\r\n");
        return language;
    }
    if (any)
        language = LANGUAGE_ENGLISH;
    else if (!language_find(argument, &language)) {
        pop3_write_error(output, language, NULL, "No such language");
        return language;
    }
    buffer_append_format(output, "+OK %s ", language_tag(language));
    write_text(output, language, "Now speaking English");
    return language;
}

/* --- messages --- */

void pop3_message_begin(struct pop3_message *message, bool ascii_header)
{
    *message = (struct pop3_message){.ascii_header = ascii_header, .line_start = true};
}

void pop3_message_limit(struct pop3_message *message, uint64_t lines)
{
    message->limited = true;
    message->lines = lines;
}

/* The part of a line that is in the piece, without its LF. */
static void add_text(struct pop3_message *message, struct slice text, struct buffer *output)
{
    if (text.size == 0)
        return;
    if (message->line_start && text.data[0] == '.')
        buffer_append_byte(output, '.');
    size_t before = output->size;
    buffer_append(output, text);
    for (size_t i = before; message->ascii_header && !message->in_body && i < output->size; i++)
        if ((unsigned char)output->data[i] >= 0x80)
            output->data[i] = '?';
    message->cr = text.data[text.size - 1] == '\r';
    message->line_empty = message->line_start && text.size == 1 && message->cr;
    message->line_start = false;
}

/* A bare LF becomes CRLF. */
static void add_end(struct pop3_message *message, struct buffer *output)
{
    buffer_append_string(output, message->cr ? "\n" : "\r\n");
    if (message->in_body && message->limited)
        message->lines--;
    if (message->line_start || message->line_empty)
        message->in_body = true;
    message->done = message->in_body && message->limited && message->lines == 0;
    message->line_start = true;
    message->cr = false;
}

void pop3_message_add(struct pop3_message *message, struct slice piece, struct buffer *output)
{
    while (piece.size && !message->done) {
        size_t end = slice_find(piece, '\n');
        add_text(message, slice_sub(piece, 0, end), output);
        if (end < piece.size)
            add_end(message, output);
        piece = slice_sub(piece, end + 1, SIZE_MAX);
    }
}

void pop3_message_end(struct pop3_message *message, struct buffer *output)
{
    if (!message->line_start)
        buffer_append_string(output, message->cr ? "\n" : "\r\n");
    buffer_append_string(output, ".\r\n");
}
