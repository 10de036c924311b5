/*
 * Bodies, when a test asks for one: the message's parts, and their text in UTF-8.
 */
#include "base/error.h"
#include "format/html_text.h"
#include "format/text.h"
#include "format/transfer_encoding.h"
#include "sieve/message_priv.h"

int message_parse(struct message *message)
{
    if (message->has_tree)
        return 0;
    int error = mime_tree_parse(message->source, NULL, message->arena, &message->tree);
    if (error)
        return error;
    message->texts =
        arena_alloc_array(message->arena, message->tree.part_count * 2, sizeof(*message->texts));
    message->headers =
        arena_alloc_array(message->arena, message->tree.part_count, sizeof(*message->headers));
    if (!message->texts || !message->headers)
        return ERROR_LIMIT;
    message->has_tree = true;
    return 0;
}

const struct header *message_part_header(struct message *message, const struct mime_part *part)
{
    if (!part->parent)
        return &message->fields;
    struct header *header = message->headers[part->index];
    struct slice bytes =
        slice_sub(message->source, part->header_offset, part->body_offset - part->header_offset);
    if (header)
        return header;
    header = arena_alloc(message->arena, sizeof(*header));
    if (!header || header_parse(header, bytes, message->arena))
        return NULL;
    message->headers[part->index] = header;
    return header;
}

static void decode(const struct mime_part *part, struct slice bytes, struct buffer *decoded)
{
    struct transfer_decoder decoder;
    transfer_decoder_init(&decoder, part->encoding);
    transfer_decode(&decoder, bytes, decoded);
    transfer_decode_end(&decoder, decoded);
}

/* Text in its charset to UTF-8; what is of an unknown one is taken for UTF-8. Anything else but
 * text is left as it is. */
static void convert(const struct mime_part *part, struct buffer *decoded, struct buffer *text)
{
    struct buffer charset;
    const struct content_parameter *parameter = content_parameter_find(&part->type, "CHARSET");
    if (!slice_equal(part->type.type, SLICE("TEXT"))) {
        buffer_append(text, buffer_slice(decoded));
        return;
    }
    buffer_init(&charset, CONTENT_VALUE_MAXIMUM);
    if (parameter)
        content_parameter_decode(parameter, &charset);
    if (text_to_utf8(buffer_slice(&charset), buffer_slice(decoded), text) == ERROR_UNSUPPORTED)
        text_to_utf8(slice_make(NULL, 0), buffer_slice(decoded), text);
    buffer_release(&charset);
}

static int make_text(struct message *message, const struct mime_part *part, bool markup,
                     struct slice *result)
{
    struct buffer decoded, text, plain;
    buffer_init(&decoded, message->arena->maximum);
    buffer_init(&text, message->arena->maximum);
    buffer_init(&plain, message->arena->maximum);
    decode(part, slice_sub(message->source, part->body_offset, part->body_size), &decoded);
    convert(part, &decoded, &text);
    if (!markup && slice_equal(part->type.subtype, SLICE("HTML")))
        html_text(buffer_slice(&text), &plain);
    struct buffer *made =
        !markup && slice_equal(part->type.subtype, SLICE("HTML")) ? &plain : &text;
    struct slice copy = {NULL, 0};
    if (!buffer_error(&decoded) && !buffer_error(made))
        copy = arena_copy(message->arena, buffer_slice(made));
    buffer_release(&decoded);
    buffer_release(&text);
    buffer_release(&plain);
    if (!copy.data)
        return ERROR_LIMIT;
    *result = copy;
    return 0;
}

struct value *message_part_text(struct message *message, const struct mime_part *part, bool markup)
{
    struct value *value = &message->texts[part->index * 2 + markup];
    if (!value->text.data && make_text(message, part, markup, &value->text))
        return NULL;
    return value;
}
