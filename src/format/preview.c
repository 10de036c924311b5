#include "format/preview_priv.h"

#include "format/html_text.h"
#include "format/text.h"
#include "format/transfer_encoding.h"
#include "format/utf8_priv.h"

/* A buffer in the arena: it has all its room from the start and is never released. */
static bool arena_buffer(struct arena *arena, size_t size, struct buffer *buffer)
{
    buffer_init(buffer, size);
    buffer->data = arena_alloc(arena, size + 1);
    buffer->capacity = size + 1;
    return buffer->data != NULL;
}

static struct mime_part *find_text(const struct mime_tree *tree, struct slice subtype)
{
    for (struct mime_part *part = tree->root; part; part = mime_part_next(part)) {
        bool embedded = part->parent && mime_part_is_message(part);
        if (embedded)
            return NULL; /* from here on it may be another message's text */
        if (part->media == MIME_LEAF && slice_equal(part->type.type, SLICE("TEXT")) &&
            slice_equal(part->type.subtype, subtype) &&
            !slice_equal(part->disposition.type, SLICE("ATTACHMENT")))
            return part;
    }
    return NULL;
}

/* Writing: runs of white space become one blank, and what is invisible is left out. */
struct line_writer {
    struct buffer *out;
    size_t count; /* characters */
    bool blank;   /* one is due before the next character */
};

static bool is_space(uint32_t code)
{
    return code <= ' ' || code == 0x7f || (code >= 0x80 && code <= 0xa0) ||
           (code >= 0x2000 && code <= 0x200a) || code == 0x2028 || code == 0x2029 || code == 0x3000;
}

/* Soft hyphens, joiners and marks of direction, with which newsletters pad their previews. */
static bool is_invisible(uint32_t code)
{
    return code == 0xad || code == 0x34f || (code >= 0x200b && code <= 0x200f) ||
           (code >= 0x2060 && code <= 0x2064) || code == 0xfeff;
}

static bool is_full(const struct line_writer *writer)
{
    return writer->count >= SUMMARY_PREVIEW_MAXIMUM;
}

/* Characters that are seen: so many, in the bytes given. */
static void write_visible(struct line_writer *writer, struct slice bytes, size_t count)
{
    if (writer->blank && ++writer->count < SUMMARY_PREVIEW_MAXIMUM)
        buffer_append_byte(writer->out, ' ');
    if (!is_full(writer))
        buffer_append(writer->out, bytes);
    writer->blank = false;
    writer->count += count;
}

/* How many bytes of ASCII that are seen it begins with, at most as many as there is room for behind
 * a blank that is due: a word at a time is most of what there is. */
static size_t visible_ascii(const struct line_writer *writer, struct slice line)
{
    size_t room = SUMMARY_PREVIEW_MAXIMUM - writer->count;
    size_t size = 0;
    room -= writer->blank && room > 0;
    while (size < line.size && size < room && line.data[size] > ' ' && line.data[size] < 0x7f)
        size++;
    return size;
}

static void write_line(struct line_writer *writer, struct slice line)
{
    uint32_t code;
    while (line.size && !is_full(writer)) {
        size_t size = visible_ascii(writer, line);
        if (size) {
            write_visible(writer, slice_sub(line, 0, size), size);
        } else {
            size = utf8_read(line, &code);
            if (!size || is_space(code))
                writer->blank = writer->count > 0;
            else if (!is_invisible(code))
                write_visible(writer, slice_sub(line, 0, size), 1);
            size = size ? size : 1;
        }
        line = slice_sub(line, size, SIZE_MAX);
    }
    writer->blank = writer->count > 0;
}

/* Writes the text's lines, the quoted ones (">") or the others. Returns whether that was enough. */
static bool write_lines(struct slice text, bool quoted, struct buffer *preview)
{
    struct line_writer writer = {.out = preview};
    while (text.size && !is_full(&writer)) {
        size_t end = slice_find(text, '\n');
        struct slice line = slice_sub(text, 0, end);
        if ((line.size && line.data[0] == '>') == quoted)
            write_line(&writer, line);
        text = slice_sub(text, end + 1, SIZE_MAX);
    }
    return is_full(&writer);
}

static struct slice charset_of(const struct mime_part *part)
{
    const struct content_parameter *charset = content_parameter_find(&part->type, "CHARSET");
    return charset && !charset->extended ? charset->value : slice_make(NULL, 0);
}

/* The beginning of the part's text as UTF-8; `looked` bytes of its body are taken. */
static struct slice decode(struct slice body, const struct mime_part *part, struct arena *arena)
{
    struct buffer bytes, utf8, text;
    if (!arena_buffer(arena, body.size + sizeof(struct transfer_decoder), &bytes) ||
        !arena_buffer(arena, body.size * 4, &utf8))
        return slice_make(NULL, 0);
    struct transfer_decoder decoder;
    transfer_decoder_init(&decoder, part->encoding);
    transfer_decode(&decoder, body, &bytes);
    transfer_decode_end(&decoder, &bytes);
    if (text_to_utf8(charset_of(part), buffer_slice(&bytes), &utf8))
        text_to_utf8(slice_make(NULL, 0), buffer_slice(&bytes), &utf8);
    if (!slice_equal(part->type.subtype, SLICE("HTML")))
        return buffer_slice(&utf8);
    if (!arena_buffer(arena, utf8.size, &text))
        return slice_make(NULL, 0);
    html_text(buffer_slice(&utf8), &text);
    return buffer_slice(&text);
}

/* Whether the preview is as long as it can be. */
static bool preview_part(struct slice message, const struct mime_part *part, size_t look,
                         struct arena *arena, struct buffer *preview)
{
    size_t size = part->body_size < look ? part->body_size : look;
    struct slice text = decode(slice_sub(message, part->body_offset, size), part, arena);
    size_t before = preview->size;
    bool html = slice_equal(part->type.subtype, SLICE("HTML"));
    bool full = write_lines(text, false, preview);
    if (preview->size == before && !html)
        full = write_lines(text, true, preview);
    return full || size == part->body_size;
}

int preview_write(struct slice message, const struct mime_tree *tree, struct arena *arena,
                  struct buffer *preview)
{
    const struct mime_part *candidates[] = {find_text(tree, SLICE("PLAIN")),
                                            find_text(tree, SLICE("HTML"))};
    size_t before = preview->size;
    for (size_t i = 0; i < 2 && preview->size == before; i++) {
        if (!candidates[i])
            continue;
        if (!preview_part(message, candidates[i], PREVIEW_FIRST_LOOK, arena, preview)) {
            buffer_truncate(preview, before);
            preview_part(message, candidates[i], PREVIEW_SECOND_LOOK, arena, preview);
        }
    }
    return buffer_error(preview);
}
