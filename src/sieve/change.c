/*
 * Replacing and enclosing (RFC 5703 sections 5, 6).
 */
#include "base/error.h"
#include "sieve/message_priv.h"
#include "sieve/sieve.h"

#include <stdlib.h>

struct made {
    struct made *next;
    char bytes[];
};

void message_free_changes(struct message *message)
{
    for (struct made *made = message->made, *next; made; made = next) {
        next = made->next;
        free(made);
    }
    message->made = NULL;
    message->made_bytes = 0;
}

/* Memory for a text of the message. It stays until the run's end, as values point into it. */
static int make(struct message *message, size_t size, char **bytes)
{
    if (message->made && message->made_bytes + size > SIEVE_CHANGED_MAXIMUM)
        return ERROR_LIMIT;
    struct made *made = malloc(sizeof(*made) + size + 1);
    if (!made)
        return ERROR_MEMORY;
    made->next = message->made;
    message->made = made;
    message->made_bytes += size;
    *bytes = made->bytes;
    return 0;
}

static char *put(char *to, struct slice bytes)
{
    if (bytes.size)
        memcpy(to, bytes.data, bytes.size);
    return to + bytes.size;
}

/* --- patches --- */

static size_t end_of(const struct mime_part *part)
{
    return part->body_offset + part->body_size;
}

static bool overlaps(const struct patch *patch, size_t from, size_t to)
{
    return (patch->from < to && patch->to > from) || (patch->from == from && patch->to == to);
}

bool message_is_changed(const struct message *message, const struct mime_part *part)
{
    if (!part || !part->parent)
        return message->patch_count || message->body_replaced;
    for (size_t i = 0; i < message->patch_count; i++)
        if (overlaps(&message->patches[i], part->header_offset, end_of(part)))
            return true;
    return message->body_replaced;
}

/* Those within the bytes go; the place of the new one is left free. */
static struct patch *place_of(struct message *message, size_t from, size_t to)
{
    size_t first = 0, behind;
    while (first < message->patch_count && message->patches[first].from < from)
        first++;
    behind = first;
    while (behind < message->patch_count && overlaps(&message->patches[behind], from, to))
        behind++;
    memmove(message->patches + first + 1, message->patches + behind,
            (message->patch_count - behind) * sizeof(*message->patches));
    message->patch_count += 1 + first - behind;
    return &message->patches[first];
}

static bool is_delimiter(struct slice line, struct slice boundary)
{
    return slice_starts_with(line, SLICE("--")) &&
           slice_starts_with(slice_sub(line, 2, SIZE_MAX), boundary);
}

static struct slice boundary_of(const struct mime_part *part)
{
    const struct content_parameter *boundary =
        part->media == MIME_MULTIPART ? content_parameter_find(&part->type, "BOUNDARY") : NULL;
    return boundary ? boundary->value : slice_make(NULL, 0);
}

/* Whether a line of the text would end the part it is to be in. */
static bool breaks_out(struct slice text, const struct mime_part *part)
{
    for (const struct mime_part *outer = part->parent; outer; outer = outer->parent) {
        struct slice boundary = boundary_of(outer);
        for (struct slice rest = text; boundary.size && rest.size;
             rest = slice_sub(rest, slice_find(rest, '\n') + 1, SIZE_MAX))
            if (is_delimiter(rest, boundary))
                return true;
    }
    return false;
}

/* A multipart without any part has one that does not stand in it (format/mime.h): what replaces
 * that one needs delimiters of its own. */
static bool is_delimited(const struct message *message, const struct mime_part *part)
{
    size_t line = part->header_offset;
    struct slice boundary = boundary_of(part->parent);
    if (!boundary.size)
        return true;
    if (line > part->parent->body_offset)
        line--;
    while (line > part->parent->body_offset && message->source.data[line - 1] != '\n')
        line--;
    return is_delimiter(slice_sub(message->source, line, SIZE_MAX), boundary);
}

static struct slice delimit(struct message *message, const struct mime_part *part,
                            struct slice entity)
{
    struct slice boundary = boundary_of(part->parent);
    struct buffer text;
    buffer_init(&text, message->arena->maximum);
    buffer_append_format(&text, "\r\n--%.*s\r\n", SLICE_FORMAT(boundary));
    buffer_append(&text, entity);
    buffer_append_format(&text, "\r\n--%.*s--\r\n", SLICE_FORMAT(boundary));
    struct slice copy = arena_copy(message->arena, buffer_slice(&text));
    buffer_release(&text);
    return copy;
}

int message_replace_part(struct message *message, const struct mime_part *part, struct slice entity)
{
    if (breaks_out(entity, part))
        return ERROR_CONFLICT;
    if (!message->patches)
        message->patches =
            arena_alloc_array(message->arena, MIME_PARTS_MAXIMUM + 1, sizeof(*message->patches));
    if (!is_delimited(message, part))
        entity = delimit(message, part, entity);
    if (!message->patches || !entity.data || message->patch_count == MIME_PARTS_MAXIMUM)
        return ERROR_LIMIT;
    *place_of(message, part->header_offset, end_of(part)) =
        (struct patch){part->header_offset, end_of(part), entity};
    return 0;
}

void message_replace_body(struct message *message, struct slice body)
{
    message->patch_count = 0;
    message->body = body;
    message->body_replaced = true;
}

/* --- new sources --- */

static size_t body_size(const struct message *message)
{
    size_t size = message->body_replaced ? message->body.size : message->source_body.size;
    for (size_t i = 0; i < message->patch_count; i++)
        size += message->patches[i].text.size - (message->patches[i].to - message->patches[i].from);
    return size;
}

size_t message_settle_size(const struct message *message)
{
    return message->header.size + body_size(message);
}

static void put_body(const struct message *message, char *to)
{
    size_t at = (size_t)(message->source_body.data - message->source.data);
    if (message->body_replaced) {
        put(to, message->body);
        return;
    }
    for (size_t i = 0; i < message->patch_count; i++) {
        const struct patch *patch = &message->patches[i];
        to = put(to, slice_sub(message->source, at, patch->from - at));
        to = put(to, patch->text);
        at = patch->to;
    }
    put(to, slice_sub(message->source, at, SIZE_MAX));
}

static void take_source(struct message *message, struct slice source, size_t header)
{
    message->source = source;
    message->header = slice_sub(source, 0, header);
    message->body = message->source_body = slice_sub(source, header, SIZE_MAX);
    message->patch_count = 0;
    message->body_replaced = message->has_tree = false;
}

int message_settle(struct message *message)
{
    struct slice header, body;
    char *bytes;
    message_current(message, &header, &body);
    if (message->edited)
        return ERROR_LIMIT;
    size_t size = header.size + body_size(message);
    int error = make(message, size, &bytes);
    if (error)
        return error;
    put_body(message, put(bytes, header));
    take_source(message, slice_make(bytes, size), header.size);
    return 0;
}

int message_enclose(struct message *message, struct slice header, struct slice before,
                    struct slice behind)
{
    struct slice inner, body;
    struct header fields;
    char *bytes;
    message_current(message, &inner, &body);
    if (message->edited)
        return ERROR_LIMIT;
    size_t size = header.size + before.size + inner.size + body.size + behind.size;
    int error = make(message, size, &bytes);
    if (error)
        return error;
    put(put(put(put(put(bytes, header), before), inner), body), behind);
    error = header_parse(&fields, slice_make(bytes, header.size), message->arena);
    if (error)
        return error;
    if (!message->enclosed) {
        message->enclosed = true;
        message->enclosed_header = inner;
        message->enclosed_body = body;
    }
    message->fields = fields;
    take_source(message, slice_make(bytes, size), header.size);
    return 0;
}
