#include "session/imap/session_priv.h"

/* The end of the line that begins at offset, its line end included. */
static size_t line_end(struct slice text, size_t offset)
{
    size_t end = offset + slice_find(slice_sub(text, offset, text.size), '\n');
    return end < text.size ? end + 1 : end;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

bool header_field_next(struct slice *header, struct header_field *field)
{
    if (header->size == 0 || header->data[0] == '\n' ||
        (header->data[0] == '\r' && (header->size == 1 || header->data[1] == '\n')))
        return false; /* the empty line that ends a header */
    size_t end = line_end(*header, 0);
    while (end < header->size && is_blank(header->data[end]))
        end = line_end(*header, end);
    field->whole = slice_sub(*header, 0, end);
    *header = slice_sub(*header, end, header->size);
    size_t colon = slice_find(field->whole, ':');
    bool is_field = colon < field->whole.size;
    field->value = slice_sub(field->whole, colon + 1, end);
    while (colon > 0 && is_blank(field->whole.data[colon - 1]))
        colon--;
    field->name = is_field ? slice_sub(field->whole, 0, colon) : SLICE("");
    return true;
}
