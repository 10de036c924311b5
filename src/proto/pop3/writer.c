#include "proto/pop3/writer.h"

#include "base/error.h"

void pop3_write_ok(struct buffer *output, const char *text)
{
    buffer_append_format(output, "+OK %s\r\n", text);
}

void pop3_write_error(struct buffer *output, const char *code, const char *text)
{
    buffer_append_string(output, "-ERR ");
    if (code)
        buffer_append_format(output, "[%s] ", code);
    buffer_append_format(output, "%s\r\n", text);
}

void pop3_write_refusal(struct buffer *output, int error)
{
    if (error_is_temporary(error))
        pop3_write_error(output, "SYS/TEMP", "Try again later");
    else
        pop3_write_error(output, "AUTH", "Authentication failed");
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

void pop3_write_language(struct buffer *output, struct slice argument)
{
    static const char *const tags[] = {"*", "en", "i-default"};
    if (argument.size == 0) {
        buffer_append_string(output, "+OK Languages follow\r\nen English\r\ni-default English\r\n"
                                     ".\r\n");
        return;
    }
    for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
        if (!slice_equal_nocase(argument, slice_from_string(tags[i])))
            continue;
        buffer_append_format(output, "+OK %s English it is\r\n", i == 0 ? "en" : tags[i]);
        return;
    }
    pop3_write_error(output, NULL, "No such language");
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
