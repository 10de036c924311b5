/*
 * The pull parser. Its state is a stack of frames, one for each open part:
 *
 *     BEGIN --> HEADER --> BODY_EVENT --> BODY --> ENDING --+--> BEGIN      a delimiter
 *                              |           ^                +--> BODY       a closing delimiter
 *                              +--> BEGIN  |                +--> DONE       the message's end
 *                                (message) +--- epilogue
 *
 * BODY looks for a delimiter line of any open multipart; what it finds is kept in `delimiter`, and
 * ENDING closes the frames above that multipart one by one. A header ends before a delimiter too;
 * the body is then empty, as BODY meets the same line at once.
 *
 * Which delimiter a line is: the innermost open multipart whose boundary is the whole line but for
 * "--" before, perhaps "--" behind, and blanks. RFC 2046 section 5.1.2 would let a line with
 * something behind the boundary pass; then "--ab" is a delimiter of "a". Taking the whole line is
 * unambiguous. A multipart that was closed is not looked for any more, so that an outer one with
 * the same boundary goes on.
 */
#include "format/mime.h"

#include "format/field_priv.h"

enum state { BEGIN, HEADER, BODY_EVENT, BODY, ENDING, SYNTHETIC, DONE };

static struct mime_frame *top(struct mime_parser *parser)
{
    return &parser->frames[parser->depth - 1];
}

/* Lines. */

/* The line at the offset with its line end. */
static struct slice line_at(const struct mime_parser *parser, size_t offset)
{
    struct slice rest = slice_sub(parser->message, offset, SIZE_MAX);
    size_t end = slice_find(rest, parser->line_end);
    return slice_sub(rest, 0, end == rest.size ? end : end + 1);
}

static size_t line_end_size(const struct mime_parser *parser, struct slice line)
{
    if (!line.size || line.data[line.size - 1] != parser->line_end)
        return 0;
    return parser->line_end == '\n' && line.size > 1 && line.data[line.size - 2] == '\r' ? 2 : 1;
}

static void pass_line(struct mime_parser *parser, struct slice line)
{
    parser->offset += line.size;
    parser->line += line.size && line.data[line.size - 1] == parser->line_end;
}

/* Delimiters. */

static uint32_t hash_byte(uint32_t hash, char c)
{
    return (hash ^ (unsigned char)c) * 16777619U; /* FNV-1a */
}

static uint32_t hash_bytes(struct slice bytes)
{
    uint32_t hash = 2166136261U;
    for (size_t i = 0; i < bytes.size; i++)
        hash = hash_byte(hash, bytes.data[i]);
    return hash;
}

static bool frame_has_boundary(const struct mime_frame *frame, struct slice text, uint32_t hash)
{
    return frame->boundary_size == text.size && frame->boundary_hash == hash &&
           slice_equal(slice_make(frame->boundary, frame->boundary_size), text);
}

/* The frame whose delimiter has this text between "--" and the blanks at its end. */
static size_t find_frame(const struct mime_parser *parser, struct slice text, bool *closing)
{
    bool may_close = text.size > 2 && memcmp(text.data + text.size - 2, "--", 2) == 0;
    struct slice shorter = slice_sub(text, 0, may_close ? text.size - 2 : 0);
    uint32_t hash = hash_bytes(text), shorter_hash = hash_bytes(shorter);
    for (size_t i = parser->depth; i-- > 0;) {
        const struct mime_frame *frame = &parser->frames[i];
        if (!frame->boundary_size)
            continue;
        *closing = may_close && frame_has_boundary(frame, shorter, shorter_hash);
        if (*closing || frame_has_boundary(frame, text, hash))
            return i;
    }
    return SIZE_MAX;
}

/* Whether the line, which is the next to be read, is a delimiter; `delimiter` then says which. */
static bool take_delimiter(struct mime_parser *parser, struct slice line)
{
    if (!parser->boundaries || parser->to_the_end || line.size < 3 || line.data[0] != '-' ||
        line.data[1] != '-')
        return false;
    struct slice text = slice_sub(line, 2, SIZE_MAX);
    while (text.size && field_is_blank(text.data[text.size - 1]))
        text.size--;
    bool closing;
    size_t frame = !text.size || text.size > MIME_BOUNDARY_MAXIMUM + 2
                       ? SIZE_MAX
                       : find_frame(parser, text, &closing);
    if (frame == SIZE_MAX)
        return false;
    /* The line end before a delimiter is the delimiter's (RFC 2046 section 5.1.1). */
    struct slice before = slice_sub(parser->message, 0, parser->offset);
    size_t line_end = line_end_size(parser, before);
    parser->delimiter.keep = frame + 1;
    parser->delimiter.end = parser->offset - line_end;
    parser->delimiter.end_line = parser->line - (line_end > 0);
    parser->delimiter.next = parser->offset + line.size;
    parser->delimiter.closing = closing;
    return true;
}

static void end_of_message(struct mime_parser *parser)
{
    parser->delimiter.keep = 0;
    parser->delimiter.end = parser->message.size;
    parser->delimiter.end_line = parser->line;
    parser->delimiter.next = SIZE_MAX;
}

/* Parts. */

static void push(struct mime_parser *parser, size_t header_offset)
{
    struct mime_frame *parent = parser->depth ? top(parser) : NULL;
    struct mime_frame *frame = &parser->frames[parser->depth++];
    /* All but the boundary, which its size rules. */
    memset(frame, 0, offsetof(struct mime_frame, boundary));
    frame->header_offset = header_offset;
    frame->digest = parent && parent->digest_children;
    if (parent)
        parent->children++;
    parser->parts++;
}

static void begin_part(struct mime_parser *parser, struct mime_event *event)
{
    push(parser, parser->offset);
    parser->to_the_end |= parser->parts >= parser->limits.parts;
    event->kind = MIME_PART_BEGIN;
    event->offset = parser->offset;
    event->digest = top(parser)->digest;
    parser->state = HEADER;
}

/* The length of the name before the line's colon, or 0 when the line is no field. */
static size_t field_name_size(struct slice line, size_t *colon)
{
    size_t i = 0;
    while (i < line.size && line.data[i] > ' ' && line.data[i] < 0x7f && line.data[i] != ':')
        i++;
    size_t size = i;
    while (i < line.size && (line.data[i] == ' ' || line.data[i] == '\t'))
        i++; /* RFC 5322 section 4.5 */
    *colon = i;
    return i < line.size && line.data[i] == ':' ? size : 0;
}

/* A field's first line and those that continue it; the parser stands behind them. */
static struct slice take_field(struct mime_parser *parser, struct slice line)
{
    size_t start = parser->offset;
    do {
        pass_line(parser, line);
        line = line_at(parser, parser->offset);
    } while (line.size && (line.data[0] == ' ' || line.data[0] == '\t'));
    struct slice field = slice_sub(parser->message, start, parser->offset - start);
    field.size -= line_end_size(parser, field);
    return field;
}

static void keep_for_the_body(struct mime_frame *frame, const struct mime_event *field)
{
    if (!frame->content_type.data && slice_equal_nocase(field->name, SLICE("Content-Type")))
        frame->content_type = field->value;
    else if (!frame->encoding.data &&
             slice_equal_nocase(field->name, SLICE("Content-Transfer-Encoding")))
        frame->encoding = field->value;
}

static bool within_limits(struct mime_parser *parser, struct mime_frame *frame)
{
    if (frame->fields < parser->limits.header_fields &&
        parser->offset - frame->header_offset <= parser->limits.header_bytes)
        return true;
    parser->truncated = true;
    return false;
}

/* The next field of the header; false at its end. A line that is no field is passed over when
 * fields came before it; when none did, there is no header and the body begins at once. */
static bool next_field(struct mime_parser *parser, struct mime_event *event)
{
    struct mime_frame *frame = top(parser);
    while (parser->offset < parser->message.size) {
        struct slice line = line_at(parser, parser->offset);
        if (line.size == line_end_size(parser, line)) {
            pass_line(parser, line);
            return false;
        }
        if (take_delimiter(parser, line))
            return false; /* BODY meets it again */
        size_t colon, name_size = field_name_size(line, &colon);
        bool mbox = parser->offset == 0 && slice_starts_with(line, SLICE("From "));
        if (!name_size && !mbox && !frame->fields)
            return false;
        size_t offset = parser->offset;
        struct slice field = take_field(parser, line);
        if (!name_size || !within_limits(parser, frame))
            continue;
        frame->fields++;
        event->kind = MIME_FIELD;
        event->offset = offset;
        event->name = slice_sub(field, 0, name_size);
        event->value = slice_sub(field, colon + 1, SIZE_MAX);
        keep_for_the_body(frame, event);
        return true;
    }
    return false;
}

static bool encoding_hides(struct slice encoding)
{
    encoding = field_trim(encoding);
    return slice_equal_nocase(encoding, SLICE("base64")) ||
           slice_equal_nocase(encoding, SLICE("quoted-printable"));
}

static void open_multipart(struct mime_parser *parser, struct mime_frame *frame, size_t size,
                           struct mime_event *event)
{
    if (!size) {
        event->no_boundary = true;
        return;
    }
    if (size > MIME_BOUNDARY_MAXIMUM || parser->depth >= parser->limits.depth) {
        parser->truncated = event->opaque = true;
        return;
    }
    frame->multipart = true;
    frame->boundary_size = (uint8_t)size;
    frame->boundary_hash = hash_bytes(slice_make(frame->boundary, size));
    parser->boundaries++;
    event->media = MIME_MULTIPART;
}

/* What the part is, by its Content-Type. */
static void open_body(struct mime_parser *parser, struct mime_frame *frame,
                      struct mime_event *event)
{
    size_t size = 0;
    enum content_kind kind = frame->content_type.data
                                 ? content_kind(frame->content_type, frame->boundary, &size)
                                 : CONTENT_KIND_INVALID;
    if (kind == CONTENT_KIND_INVALID && frame->digest)
        kind = CONTENT_KIND_MESSAGE;
    if (parser->to_the_end) {
        parser->truncated = event->opaque = true;
    } else if (kind == CONTENT_KIND_MULTIPART || kind == CONTENT_KIND_DIGEST) {
        frame->digest_children = kind == CONTENT_KIND_DIGEST;
        open_multipart(parser, frame, size, event);
    } else if (kind == CONTENT_KIND_MESSAGE && encoding_hides(frame->encoding)) {
        event->opaque = true;
    } else if (kind == CONTENT_KIND_MESSAGE && parser->depth >= parser->limits.depth) {
        parser->truncated = event->opaque = true;
    } else if (kind == CONTENT_KIND_MESSAGE) {
        event->media = MIME_MESSAGE;
    }
}

static void begin_body(struct mime_parser *parser, struct mime_event *event)
{
    struct mime_frame *frame = top(parser);
    frame->body_offset = frame->synthetic ? frame->header_offset : parser->offset;
    frame->body_line = parser->line;
    event->kind = MIME_PART_BODY;
    event->offset = frame->body_offset;
    if (!frame->synthetic)
        open_body(parser, frame, event);
    if (event->media == MIME_MESSAGE && parser->state == BODY_EVENT)
        parser->state = BEGIN;
    else if (parser->state == BODY_EVENT)
        parser->state = BODY;
}

/* Reads on to the next delimiter, or to the message's end. */
static void pass_body(struct mime_parser *parser)
{
    while (parser->offset < parser->message.size) {
        struct slice line = line_at(parser, parser->offset);
        if (take_delimiter(parser, line))
            return;
        pass_line(parser, line);
    }
    end_of_message(parser);
}

static size_t body_end(const struct mime_parser *parser, const struct mime_frame *frame)
{
    return parser->delimiter.end > frame->body_offset ? parser->delimiter.end : frame->body_offset;
}

/* The empty part that stands in a multipart without any. */
static void begin_synthetic(struct mime_parser *parser, struct mime_event *event)
{
    size_t offset = body_end(parser, top(parser));
    push(parser, offset);
    top(parser)->synthetic = true;
    top(parser)->digest = false;
    event->kind = MIME_PART_BEGIN;
    event->offset = offset;
    parser->state = SYNTHETIC;
}

static void end_part(struct mime_parser *parser, struct mime_event *event)
{
    struct mime_frame *frame = top(parser);
    if (frame->multipart && !frame->children) {
        begin_synthetic(parser, event);
        return;
    }
    size_t end_line = parser->delimiter.end_line;
    event->kind = MIME_PART_END;
    event->offset = body_end(parser, frame);
    if (event->offset > frame->body_offset && end_line > frame->body_line)
        event->lines = end_line - frame->body_line;
    if (event->offset > parser->delimiter.end) {
        /* The line end before the delimiter ends this part's header: those around it have it. */
        parser->delimiter.end = event->offset;
        parser->delimiter.end_line = frame->body_line;
    }
    parser->boundaries -= frame->boundary_size > 0;
    parser->depth--;
}

/* All parts that the delimiter ends are ended: what does it begin? */
static void pass_delimiter(struct mime_parser *parser)
{
    if (parser->delimiter.next == SIZE_MAX) {
        parser->state = DONE;
        return;
    }
    pass_line(parser,
              slice_sub(parser->message, parser->offset, parser->delimiter.next - parser->offset));
    parser->state = BEGIN;
    if (parser->delimiter.closing) {
        top(parser)->boundary_size = 0;
        parser->boundaries--;
        parser->state = BODY;
    }
}

static size_t at_most(size_t wanted, size_t maximum)
{
    return wanted == 0 ? 1 : wanted < maximum ? wanted : maximum;
}

void mime_parser_init(struct mime_parser *parser, struct slice message,
                      const struct mime_limits *limits)
{
    memset(parser, 0, offsetof(struct mime_parser, frames));
    static const struct mime_limits all = {SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX};
    limits = limits ? limits : &all;
    parser->message = message;
    parser->limits.depth = at_most(limits->depth, MIME_DEPTH_MAXIMUM);
    parser->limits.parts = at_most(limits->parts, MIME_PARTS_MAXIMUM);
    parser->limits.header_bytes = at_most(limits->header_bytes, MIME_HEADER_BYTES_MAXIMUM);
    parser->limits.header_fields = at_most(limits->header_fields, MIME_HEADER_FIELDS_MAXIMUM);
    bool has_line_feed = slice_find(message, '\n') < message.size;
    parser->line_end = has_line_feed ? '\n' : '\r';
    parser->state = BEGIN;
}

bool mime_next(struct mime_parser *parser, struct mime_event *event)
{
    memset(event, 0, sizeof(*event));
    for (;;) {
        switch ((enum state)parser->state) {
        case BEGIN:
            begin_part(parser, event);
            return true;
        case HEADER:
            if (next_field(parser, event))
                return true;
            parser->state = BODY_EVENT;
            break;
        case SYNTHETIC:
            begin_body(parser, event);
            parser->state = ENDING;
            return true;
        case BODY_EVENT:
            begin_body(parser, event);
            return true;
        case BODY:
            pass_body(parser);
            parser->state = ENDING;
            break;
        case ENDING:
            if (parser->depth > parser->delimiter.keep) {
                end_part(parser, event);
                return true;
            }
            pass_delimiter(parser);
            break;
        case DONE:
            return false;
        }
    }
}
