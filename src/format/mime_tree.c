#include "base/error.h"
#include "format/field_priv.h"
#include "format/mime.h"

static const struct slice field_names[MIME_FIELD_NAMES] = {
    [MIME_DATE] = SLICE("Date"),
    [MIME_SUBJECT] = SLICE("Subject"),
    [MIME_FROM] = SLICE("From"),
    [MIME_SENDER] = SLICE("Sender"),
    [MIME_REPLY_TO] = SLICE("Reply-To"),
    [MIME_TO] = SLICE("To"),
    [MIME_CC] = SLICE("Cc"),
    [MIME_BCC] = SLICE("Bcc"),
    [MIME_IN_REPLY_TO] = SLICE("In-Reply-To"),
    [MIME_MESSAGE_ID] = SLICE("Message-ID"),
    [MIME_REFERENCES] = SLICE("References"),
    [MIME_LIST_ID] = SLICE("List-Id"),
    [MIME_CONTENT_TYPE] = SLICE("Content-Type"),
    [MIME_CONTENT_TRANSFER_ENCODING] = SLICE("Content-Transfer-Encoding"),
    [MIME_CONTENT_ID] = SLICE("Content-ID"),
    [MIME_CONTENT_DESCRIPTION] = SLICE("Content-Description"),
    [MIME_CONTENT_DISPOSITION] = SLICE("Content-Disposition"),
    [MIME_CONTENT_LANGUAGE] = SLICE("Content-Language"),
    [MIME_CONTENT_LOCATION] = SLICE("Content-Location"),
    [MIME_CONTENT_MD5] = SLICE("Content-MD5"),
};

struct builder {
    struct arena *arena;
    struct mime_tree tree;
    struct mime_part *last;                           /* in the document */
    struct mime_part *open;                           /* the innermost part that has not ended */
    struct mime_field **field_ends[MIME_FIELD_NAMES]; /* of the open part's header */
    size_t fields;
    size_t parameter_bytes;
};

static void begin(struct builder *builder, const struct mime_event *event)
{
    struct mime_part *part = arena_alloc(builder->arena, sizeof(*part));
    if (!part)
        return;
    struct mime_part *parent = builder->open;
    part->parent = parent;
    part->index = builder->tree.part_count++;
    part->header_offset = event->offset;
    part->number = 1;
    if (parent && parent->last_child) {
        part->number = parent->last_child->number + 1;
        parent->last_child->next = part;
    } else if (parent) {
        parent->children = part;
    }
    if (parent)
        parent->last_child = part;
    if (builder->last)
        builder->last->next_in_document = part;
    builder->last = builder->open = part;
    for (size_t i = 0; i < MIME_FIELD_NAMES; i++)
        builder->field_ends[i] = &part->fields[i];
}

static size_t find_name(struct slice name, size_t first)
{
    size_t i = first;
    while (i < MIME_FIELD_NAMES && !slice_equal_nocase(field_names[i], name))
        i++;
    return i;
}

static void keep_field(struct builder *builder, const struct mime_event *event)
{
    bool message = mime_part_is_message(builder->open);
    size_t name = find_name(event->name, message ? 0 : MIME_CONTENT_TYPE);
    if (name == MIME_FIELD_NAMES)
        return;
    if (builder->fields == MIME_FIELDS_KEPT_MAXIMUM) {
        builder->tree.truncated = true;
        return;
    }
    struct mime_field *field = arena_alloc(builder->arena, sizeof(*field));
    if (!field)
        return;
    builder->fields++;
    field->value = field_trim(event->value);
    *builder->field_ends[name] = field;
    builder->field_ends[name] = &field->next;
}

typedef int (*parse_function)(struct slice, struct arena *, struct content_value *);

/* Parses the field if the message's budget for it allows: its text, and its parameters. */
static int parse_value(struct builder *builder, const struct mime_field *field,
                       parse_function function, struct content_value *value)
{
    if (!field)
        return ERROR_NOT_FOUND;
    if (builder->parameter_bytes > MIME_PARAMETER_BYTES_MAXIMUM) {
        builder->tree.truncated = true;
        return ERROR_LIMIT;
    }
    int error = function(field->value, builder->arena, value);
    if (error)
        return error;
    builder->tree.truncated |= value->cut;
    builder->parameter_bytes += value->arena_bytes;
    return 0;
}

static struct content_value type_of(struct slice type, struct slice subtype)
{
    return (struct content_value){.type = type, .subtype = subtype};
}

/* RFC 2045 section 5.2's default, also for what breaks the syntax and for a multipart that cannot
 * be taken apart as it names no boundary: its text can at least be read. */
static void set_type(struct builder *builder, struct mime_part *part,
                     const struct mime_event *event)
{
    int error =
        parse_value(builder, part->fields[MIME_CONTENT_TYPE], content_type_parse, &part->type);
    if (part->opaque) {
        part->type.type = SLICE("APPLICATION");
        part->type.subtype = SLICE("OCTET-STREAM");
    } else if (part->media == MIME_MULTIPART && error) {
        part->type = type_of(SLICE("MULTIPART"), SLICE("MIXED"));
    } else if (part->media == MIME_MESSAGE && error) {
        part->type = type_of(SLICE("MESSAGE"), SLICE("RFC822"));
    } else if (error || event->no_boundary) {
        part->type = type_of(SLICE("TEXT"), SLICE("PLAIN"));
    }
}

static enum summary_encoding encoding_of(const struct mime_field *field)
{
    static const struct {
        struct slice name;
        enum summary_encoding encoding;
    } names[] = {
        {SLICE("7bit"), SUMMARY_ENCODING_IDENTITY},
        {SLICE("8bit"), SUMMARY_ENCODING_IDENTITY},
        {SLICE("binary"), SUMMARY_ENCODING_IDENTITY},
        {SLICE("base64"), SUMMARY_ENCODING_BASE64},
        {SLICE("quoted-printable"), SUMMARY_ENCODING_QUOTED_PRINTABLE},
    };
    if (!field || !field->value.size)
        return SUMMARY_ENCODING_IDENTITY;
    size_t end = 0;
    while (end < field->value.size && !field_is_blank(field->value.data[end]) &&
           field->value.data[end] != '(' && field->value.data[end] != ';')
        end++;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (slice_equal_nocase(names[i].name, slice_sub(field->value, 0, end)))
            return names[i].encoding;
    return SUMMARY_ENCODING_UNKNOWN;
}

static void set_body(struct builder *builder, const struct mime_event *event)
{
    struct mime_part *part = builder->open;
    part->body_offset = event->offset;
    part->media = event->media;
    part->opaque = event->opaque;
    /* A multipart and a message have no encoding of their own (RFC 2045 section 6.4). */
    if (part->media == MIME_LEAF)
        part->encoding = encoding_of(part->fields[MIME_CONTENT_TRANSFER_ENCODING]);
    set_type(builder, part, event);
    parse_value(builder, part->fields[MIME_CONTENT_DISPOSITION], content_disposition_parse,
                &part->disposition);
}

static void take_event(struct builder *builder, const struct mime_event *event)
{
    switch (event->kind) {
    case MIME_PART_BEGIN:
        begin(builder, event);
        break;
    case MIME_FIELD:
        keep_field(builder, event);
        break;
    case MIME_PART_BODY:
        set_body(builder, event);
        break;
    case MIME_PART_END:
        builder->open->body_size = event->offset - builder->open->body_offset;
        builder->open->lines = event->lines;
        builder->open = builder->open->parent;
        break;
    }
}

int mime_tree_parse(struct slice message, const struct mime_limits *limits, struct arena *arena,
                    struct mime_tree *tree)
{
    struct mime_parser parser;
    struct mime_event event;
    struct builder builder = {.arena = arena};
    mime_parser_init(&parser, message, limits);
    while (!arena_failed(arena) && mime_next(&parser, &event)) {
        take_event(&builder, &event);
        if (event.kind == MIME_PART_BEGIN && !builder.tree.root)
            builder.tree.root = builder.open;
    }
    if (arena_failed(arena))
        return ERROR_LIMIT;
    *tree = builder.tree;
    tree->truncated |= parser.truncated;
    return 0;
}

struct mime_part *mime_part_next(const struct mime_part *part)
{
    return part->next_in_document;
}
