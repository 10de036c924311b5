/*
 * The encoding of a summary, version 3. Numbers are little-endian.
 *
 *     offset  size
 *          0     1  version
 *          1     1  bits: 1 truncated, 2 has an attachment
 *          2     2  number of parts
 *          4     2  bits of the header fields that the message has, by enum summary_header
 *          6     2  likewise, of those that stand in the message as `Name: value` CRLF, once
 *          8     8  the Date field, seconds since 1970, signed; the least number: none or wrong
 *         16     8  size of the message
 *         24     8  size of its header
 *         32  4*18  sizes of the sections that follow the table of parts: charsets, ENVELOPE,
 *                   BODY, BODYSTRUCTURE, preview, a value for each enum summary_header, fields
 *        104     8  their places among each other, four bits for each enum summary_header
 *        112     2  bits of the header fields that are in the section of fields, likewise
 *        114  40*n  the table of parts, in document order
 *                   the sections, one behind the other
 *
 * The section of fields has those as they stand in the message that are folded, encoded or written
 * in another way than `Name: value`: of each its size (2), then all its bytes.
 *
 * A row of the table of parts:
 *
 *          0     2  index of the part that it is in; the root's is 0
 *          2     2  number among its siblings, from 1
 *          4     1  enum summary_part_kind
 *          5     1  enum summary_encoding
 *          6     2  size of its charset's name
 *          8     4  where that name begins in the section of charsets
 *         12     4  line ends in its body
 *         16     8  offset of its header in the message
 *         24     8  size of its header; its body follows at once
 *         32     8  size of its body
 *
 * A summary that would be larger than SUMMARY_SIZE_MAXIMUM is made again with narrower limits, the
 * rows of `levels`, and is `truncated`; what the last row allows always fits.
 */
#include "format/summary.h"

#include "base/error.h"
#include "format/address.h"
#include "format/date.h"
#include "format/imap_structure.h"
#include "format/mime.h"
#include "format/preview_priv.h"
#include "format/text.h"
#include "format/utf8_priv.h"

#include <endian.h>

enum {
    HEAD_SIZE = 114,
    PLACE_BITS = 4, /* of a header field's place */
    PART_SIZE = 40,
    CHARSETS = 0,
    ENVELOPE,
    BODY,
    BODYSTRUCTURE,
    PREVIEW,
    FIRST_HEADER,
    FIELDS = FIRST_HEADER + SUMMARY_HEADER_COUNT,
    SECTIONS,
    TRUNCATED = 1,
    ATTACHMENT = 2,
    CHARSET_MAXIMUM = 64, /* bytes; a longer name is none */
    FIELD_MAXIMUM = 1024, /* bytes of one in the section of fields; a longer one is in none */
};
_Static_assert(SUMMARY_HEADER_COUNT <= 1 << PLACE_BITS, "a place has so many bits");

static const struct {
    const char *name;
    enum mime_field_name field;
    bool list; /* several fields are one list */
} headers[SUMMARY_HEADER_COUNT] = {
    [SUMMARY_FROM] = {"From", MIME_FROM, true},
    [SUMMARY_TO] = {"To", MIME_TO, true},
    [SUMMARY_CC] = {"Cc", MIME_CC, true},
    [SUMMARY_BCC] = {"Bcc", MIME_BCC, true},
    [SUMMARY_SENDER] = {"Sender", MIME_SENDER, true},
    [SUMMARY_REPLY_TO] = {"Reply-To", MIME_REPLY_TO, true},
    [SUMMARY_SUBJECT] = {"Subject", MIME_SUBJECT, false},
    [SUMMARY_DATE] = {"Date", MIME_DATE, false},
    [SUMMARY_MESSAGE_ID] = {"Message-ID", MIME_MESSAGE_ID, false},
    [SUMMARY_IN_REPLY_TO] = {"In-Reply-To", MIME_IN_REPLY_TO, false},
    [SUMMARY_REFERENCES] = {"References", MIME_REFERENCES, false},
    [SUMMARY_LIST_ID] = {"List-Id", MIME_LIST_ID, false},
};

struct level {
    struct mime_limits mime;
    size_t addresses, string, value;
};

static const struct level levels[] = {
    {{MIME_DEPTH_MAXIMUM, MIME_PARTS_MAXIMUM, SIZE_MAX, SIZE_MAX},
     ADDRESS_LIST_MAXIMUM,
     IMAP_STRING_MAXIMUM,
     16 * 1024},
    {{MIME_DEPTH_MAXIMUM, 200, SIZE_MAX, SIZE_MAX}, 200, 1024, 4 * 1024},
    {{16, 20, SIZE_MAX, 200}, 20, 128, 1024},
    {{1, 1, SIZE_MAX, 200}, 20, 128, 1024},
};

const char *summary_header_name(enum summary_header header)
{
    return headers[header].name;
}

int summary_header_find(struct slice name)
{
    for (int i = 0; i < SUMMARY_HEADER_COUNT; i++)
        if (slice_equal_nocase(name, slice_from_string(headers[i].name)))
            return i;
    return -1;
}

/* Numbers. */

static void put_number(char *out, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++, value >>= 8)
        out[i] = (char)(value & 0xff);
}

/* Eight bytes at most; size is a constant everywhere, so it is one load. */
static inline uint64_t get_number(const char *in, size_t size)
{
    uint64_t value = 0;
    memcpy(&value, in, size);
    return le64toh(value);
}

/* Building. */

struct builder {
    struct slice message;
    struct arena *arena;
    const struct level *level;
    struct mime_tree tree;
    struct buffer *encoded;
    size_t start; /* of the summary in `encoded` */
    uint32_t sizes[SECTIONS];
    unsigned present, plain, whole;            /* bits by enum summary_header */
    struct slice fields[SUMMARY_HEADER_COUNT]; /* as they stand, of those that are plain or whole */
    bool cut, has_attachment;
};

static enum summary_part_kind kind_of(const struct mime_part *part)
{
    if (part->media == MIME_MULTIPART)
        return SUMMARY_PART_MULTIPART;
    if (part->media == MIME_MESSAGE)
        return SUMMARY_PART_MESSAGE;
    if (!slice_equal(part->type.type, SLICE("TEXT")))
        return SUMMARY_PART_OTHER;
    if (slice_equal(part->type.subtype, SLICE("PLAIN")))
        return SUMMARY_PART_TEXT_PLAIN;
    return slice_equal(part->type.subtype, SLICE("HTML")) ? SUMMARY_PART_TEXT_HTML
                                                          : SUMMARY_PART_TEXT_OTHER;
}

static struct slice charset_of(const struct mime_part *part)
{
    struct slice none = {NULL, 0};
    if (part->media != MIME_LEAF || !slice_equal(part->type.type, SLICE("TEXT")))
        return none;
    const struct content_parameter *charset = content_parameter_find(&part->type, "CHARSET");
    return charset && !charset->extended && charset->value.size <= CHARSET_MAXIMUM ? charset->value
                                                                                   : none;
}

/* Would a reader show it as a file? Inline pictures that the text refers to (RFC 2392) and
 * signatures are not shown so. */
static bool is_attachment(const struct mime_part *part)
{
    if (part->media == MIME_MULTIPART || !part->parent)
        return false;
    if (slice_equal(part->disposition.type, SLICE("ATTACHMENT")))
        return true;
    bool named = content_parameter_find(&part->disposition, "FILENAME") ||
                 content_parameter_find(&part->type, "NAME");
    bool text = slice_equal(part->type.type, SLICE("TEXT"));
    bool referred_to = part->fields[MIME_CONTENT_ID] != NULL;
    bool signature = slice_equal(part->type.subtype, SLICE("PGP-SIGNATURE")) ||
                     slice_equal(part->type.subtype, SLICE("PKCS7-SIGNATURE")) ||
                     slice_equal(part->type.subtype, SLICE("X-PKCS7-SIGNATURE"));
    return !signature && !referred_to && (named || !text);
}

static void write_part(struct builder *builder, const struct mime_part *part)
{
    char row[PART_SIZE];
    struct slice charset = charset_of(part);
    put_number(row, part->parent ? part->parent->index : 0, 2);
    put_number(row + 2, part->number, 2);
    row[4] = (char)kind_of(part);
    row[5] = (char)part->encoding;
    put_number(row + 6, charset.size, 2);
    put_number(row + 8, builder->sizes[CHARSETS], 4);
    put_number(row + 12, part->lines < UINT32_MAX ? part->lines : UINT32_MAX, 4);
    put_number(row + 16, part->header_offset, 8);
    put_number(row + 24, part->body_offset - part->header_offset, 8);
    put_number(row + 32, part->body_size, 8);
    buffer_append(builder->encoded, slice_make(row, sizeof(row)));
    builder->sizes[CHARSETS] += (uint32_t)charset.size;
    builder->has_attachment |= is_attachment(part);
}

static void write_parts(struct builder *builder)
{
    for (const struct mime_part *part = builder->tree.root; part; part = mime_part_next(part))
        write_part(builder, part);
    for (const struct mime_part *part = builder->tree.root; part; part = mime_part_next(part))
        buffer_append(builder->encoded, charset_of(part));
}

static void end_section(struct builder *builder, int section, size_t start)
{
    builder->sizes[section] = (uint32_t)(builder->encoded->size - start);
}

static void write_structure(struct builder *builder)
{
    struct buffer *encoded = builder->encoded;
    struct imap_writer writer = {.text = encoded,
                                 .string_maximum = builder->level->string,
                                 .address_maximum = builder->level->addresses};
    size_t start = encoded->size;
    mime_write_envelope(&writer, builder->tree.root);
    end_section(builder, ENVELOPE, start);
    start = encoded->size;
    mime_write_body(&writer, builder->tree.root, false);
    end_section(builder, BODY, start);
    start = encoded->size;
    mime_write_body(&writer, builder->tree.root, true);
    end_section(builder, BODYSTRUCTURE, start);
    builder->cut |= writer.cut;
}

/* Cut to the level's size at a character's boundary. */
static void cut_value(struct builder *builder, size_t start)
{
    struct buffer *encoded = builder->encoded;
    size_t end = start + builder->level->value;
    if (encoded->size <= end)
        return;
    while (end > start && (encoded->data[end] & 0xc0) == 0x80)
        end--;
    buffer_truncate(encoded, end);
    builder->cut = true;
}

/* "<...>" without what stands around it. */
static struct slice message_id(struct slice value)
{
    size_t start = slice_find(value, '<');
    struct slice rest = slice_sub(value, start, SIZE_MAX);
    size_t end = slice_find(rest, '>');
    return end < rest.size ? slice_sub(rest, 0, end + 1) : value;
}

/* Whether the value, as kept, is ASCII between `Name: ` and a CRLF: nothing of the field is lost.
 */
static bool is_plain(const struct builder *builder, enum summary_header header, struct slice value,
                     struct slice kept)
{
    char head[32];
    size_t size = (size_t)snprintf(head, sizeof(head), "\n%s: ", headers[header].name);
    if (!value.size || !slice_equal(value, kept) || utf8_ascii_prefix(value) < value.size ||
        slice_find(value, '\n') < value.size)
        return false;
    size_t offset = (size_t)(value.data - builder->message.data); /* a field's value is no copy */
    struct slice behind = slice_sub(builder->message, offset + value.size, 3);
    struct slice front = offset < size ? slice_sub(builder->message, 0, offset)
                                       : slice_sub(builder->message, offset - size, size);
    struct slice expected = slice_sub(slice_make(head, size), offset < size, SIZE_MAX);
    bool folded = behind.size == 3 && (behind.data[2] == ' ' || behind.data[2] == '\t');
    return slice_equal(front, expected) && slice_starts_with(behind, SLICE("\r\n")) && !folded;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Where the line begins that has the offset. */
static size_t line_start(struct slice text, size_t offset)
{
    const char *end = memrchr(text.data, '\n', offset);
    return end ? (size_t)(end - text.data) + 1 : 0;
}

/* All lines of the field that has the value, with their ends. */
static struct slice whole_field(struct slice message, struct slice value)
{
    size_t offset = (size_t)(value.data - message.data), end = offset + value.size;
    size_t start = line_start(message, offset);
    while (start && is_blank(message.data[start]))
        start = line_start(message, start - 1);
    do
        end += slice_find(slice_sub(message, end, SIZE_MAX), '\n') + 1;
    while (end < message.size && is_blank(message.data[end]));
    return slice_sub(message, start, end - start);
}

/* Whether it may be kept as it stands: `Name:` in any case, ASCII, lines that have ends. Not
 * References, long as they are: who asks for them asks for others as well of which no summary
 * knows. */
static bool is_kept(const struct builder *builder, enum summary_header header, struct slice field)
{
    size_t size = slice_find(field, ':');
    while (size > 0 && is_blank(field.data[size - 1]))
        size--;
    return header != SUMMARY_REFERENCES && builder->level == levels &&
           field.size <= FIELD_MAXIMUM && field.data[field.size - 1] == '\n' &&
           utf8_ascii_prefix(field) == field.size &&
           slice_equal_nocase(slice_sub(field, 0, size), slice_from_string(headers[header].name));
}

/* What the message has once is told as it stands, if it can be. */
static void note_field(struct builder *builder, enum summary_header header, size_t start)
{
    const struct mime_field *field = builder->tree.root->fields[headers[header].field];
    struct slice kept = slice_sub(buffer_slice(builder->encoded), start, SIZE_MAX);
    if (!field || field->next || !field->value.size || buffer_error(builder->encoded))
        return;
    struct slice whole = whole_field(builder->message, field->value);
    if (is_plain(builder, header, field->value, kept))
        builder->plain |= 1U << header;
    else if (is_kept(builder, header, whole))
        builder->whole |= 1U << header;
    builder->fields[header] = whole;
}

static void write_fields(struct builder *builder)
{
    size_t start = builder->encoded->size;
    for (int i = 0; i < SUMMARY_HEADER_COUNT; i++) {
        char size[2];
        if (!(builder->whole & 1U << i))
            continue;
        put_number(size, builder->fields[i].size, sizeof(size));
        buffer_append(builder->encoded, slice_make(size, sizeof(size)));
        buffer_append(builder->encoded, builder->fields[i]);
    }
    end_section(builder, FIELDS, start);
}

static uint64_t places_of_fields(const struct builder *builder)
{
    uint64_t places = 0;
    unsigned told = builder->plain | builder->whole;
    for (int i = 0; i < SUMMARY_HEADER_COUNT; i++) {
        uint64_t before = 0;
        for (int j = 0; j < SUMMARY_HEADER_COUNT; j++)
            before += (told & 1U << j) && builder->fields[j].data < builder->fields[i].data;
        if (told & 1U << i)
            places |= before << i * PLACE_BITS;
    }
    return places;
}

static void write_header(struct builder *builder, enum summary_header header)
{
    const struct mime_field *field = builder->tree.root->fields[headers[header].field];
    struct buffer *encoded = builder->encoded;
    size_t start = encoded->size;
    for (; field; field = field->next) {
        if (encoded->size - start > builder->level->value)
            break;
        builder->present |= 1U << header;
        if (encoded->size > start)
            buffer_append_string(encoded, ", ");
        struct slice value = header == SUMMARY_MESSAGE_ID ? message_id(field->value) : field->value;
        if (value.size > builder->level->value)
            builder->cut = true;
        text_decode_header(slice_sub(value, 0, builder->level->value), encoded);
        if (!headers[header].list)
            break;
    }
    cut_value(builder, start);
    note_field(builder, header, start);
    end_section(builder, FIRST_HEADER + (int)header, start);
}

static int64_t sent_date(const struct mime_part *root)
{
    int64_t seconds;
    const struct mime_field *date = root->fields[MIME_DATE];
    return date && !date_parse_rfc5322(date->value, &seconds, NULL) ? seconds : INT64_MIN;
}

static void write_head(struct builder *builder)
{
    char head[HEAD_SIZE] = {SUMMARY_VERSION};
    const struct mime_part *root = builder->tree.root;
    bool truncated = builder->cut || builder->tree.truncated || builder->level != levels;
    head[1] = (char)((truncated ? TRUNCATED : 0) | (builder->has_attachment ? ATTACHMENT : 0));
    put_number(head + 2, builder->tree.part_count, 2);
    put_number(head + 4, builder->present, 2);
    put_number(head + 6, builder->plain, 2);
    put_number(head + 8, (uint64_t)sent_date(root), 8);
    put_number(head + 16, builder->message.size, 8);
    put_number(head + 24, root->body_offset, 8);
    for (size_t i = 0; i < SECTIONS; i++)
        put_number(head + 32 + i * 4, builder->sizes[i], 4);
    put_number(head + 32 + SECTIONS * 4, places_of_fields(builder), 8);
    put_number(head + 32 + SECTIONS * 4 + 8, builder->whole, 2);
    memcpy(builder->encoded->data + builder->start, head, sizeof(head));
}

static int build(struct builder *builder)
{
    int error =
        mime_tree_parse(builder->message, &builder->level->mime, builder->arena, &builder->tree);
    if (error)
        return error;
    static const char room[HEAD_SIZE];
    buffer_append(builder->encoded, slice_make(room, sizeof(room)));
    write_parts(builder);
    write_structure(builder);
    size_t start = builder->encoded->size;
    if (preview_write(builder->message, &builder->tree, builder->arena, builder->encoded))
        return buffer_error(builder->encoded);
    end_section(builder, PREVIEW, start);
    for (int i = 0; i < SUMMARY_HEADER_COUNT; i++)
        write_header(builder, (enum summary_header)i);
    write_fields(builder);
    if (arena_failed(builder->arena))
        return ERROR_LIMIT;
    if (!buffer_error(builder->encoded))
        write_head(builder);
    return buffer_error(builder->encoded);
}

int summary_build(struct slice message, struct arena *scratch, struct buffer *encoded)
{
    if (buffer_error(encoded))
        return buffer_error(encoded);
    size_t start = encoded->size, maximum = encoded->maximum;
    int error = ERROR_LIMIT;
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]) && error == ERROR_LIMIT; i++) {
        struct builder builder = {.message = message,
                                  .arena = scratch,
                                  .level = &levels[i],
                                  .encoded = encoded,
                                  .start = start};
        /* The buffer's own limit does for the summary's while it is made. */
        if (maximum - start > SUMMARY_SIZE_MAXIMUM)
            encoded->maximum = start + SUMMARY_SIZE_MAXIMUM;
        error = build(&builder);
        encoded->maximum = maximum;
        if (!error || arena_failed(scratch))
            break;
        encoded->error = 0;
        buffer_truncate(encoded, start);
    }
    if (error)
        buffer_truncate(encoded, start);
    return error;
}

/* Taking apart. */

/* The next `size` bytes; sizes were checked to be what there is. */
static struct slice take(struct slice *rest, size_t size)
{
    struct slice taken = slice_make(rest->data, size);
    *rest = slice_make(rest->data + size, rest->size - size);
    return taken;
}

static uint32_t section_size(struct slice encoded, size_t section)
{
    return (uint32_t)get_number(encoded.data + 32 + section * 4, 4);
}

static bool sizes_fit(struct slice encoded)
{
    uint64_t total = HEAD_SIZE + get_number(encoded.data + 2, 2) * PART_SIZE;
    for (size_t i = 0; i < SECTIONS; i++)
        total += section_size(encoded, i);
    return total == encoded.size;
}

bool summary_is_current(struct slice encoded)
{
    return encoded.size && encoded.data[0] == SUMMARY_VERSION;
}

int summary_parse(struct slice encoded, struct summary *summary)
{
    if (encoded.size < HEAD_SIZE || !summary_is_current(encoded) || !sizes_fit(encoded) ||
        get_number(encoded.data + 2, 2) == 0)
        return ERROR_CORRUPT;
    const char *head = encoded.data;
    unsigned present = (unsigned)get_number(head + 4, 2);
    struct summary result = {.version = SUMMARY_VERSION,
                             .plain = (uint16_t)get_number(head + 6, 2),
                             .places = get_number(head + 32 + SECTIONS * 4, 8),
                             .whole = (uint16_t)get_number(head + 32 + SECTIONS * 4 + 8, 2),
                             .truncated = head[1] & TRUNCATED,
                             .has_attachment = head[1] & ATTACHMENT,
                             .part_count = get_number(head + 2, 2),
                             .sent_date = (int64_t)get_number(head + 8, 8),
                             .size = get_number(head + 16, 8),
                             .header_size = get_number(head + 24, 8)};
    struct slice rest = encoded, sections[SECTIONS];
    take(&rest, HEAD_SIZE);
    /* The charsets belong to the rows that name them. */
    result.parts = take(&rest, result.part_count * PART_SIZE + section_size(encoded, CHARSETS));
    for (size_t i = CHARSETS + 1; i < SECTIONS; i++)
        sections[i] = take(&rest, section_size(encoded, i));
    result.envelope = sections[ENVELOPE];
    result.body = sections[BODY];
    result.bodystructure = sections[BODYSTRUCTURE];
    result.preview = sections[PREVIEW];
    result.fields = sections[FIELDS];
    for (size_t i = 0; i < SUMMARY_HEADER_COUNT; i++)
        if (present & 1U << i)
            result.headers[i] = sections[FIRST_HEADER + i];
    *summary = result;
    return 0;
}

/* The next of the section of fields. */
static struct slice take_field(struct slice *rest)
{
    size_t size = rest->size < 2 ? 0 : get_number(rest->data, 2);
    struct slice field = slice_sub(*rest, 2, size);
    *rest = slice_sub(*rest, 2 + size, SIZE_MAX);
    return field;
}

static void append_field(const struct summary *summary, int header, const struct slice *whole,
                         struct buffer *fields)
{
    if (summary->whole & 1U << header) {
        buffer_append(fields, whole[header]);
        return;
    }
    buffer_append_string(fields, headers[header].name);
    buffer_append(fields, SLICE(": "));
    buffer_append(fields, summary->headers[header]);
    buffer_append(fields, SLICE("\r\n"));
}

int summary_fields(const struct summary *summary, const enum summary_header *wanted, size_t count,
                   struct buffer *fields)
{
    int header_at[1 << PLACE_BITS];
    struct slice whole[SUMMARY_HEADER_COUNT] = {{NULL, 0}}, rest = summary->fields;
    unsigned told = summary->plain | summary->whole;
    memset(header_at, -1, sizeof(header_at));
    for (size_t i = 0; i < count; i++) {
        if (told & 1U << wanted[i])
            header_at[summary->places >> wanted[i] * PLACE_BITS & 15] = (int)wanted[i];
        else if (summary->truncated || summary->headers[wanted[i]].data)
            return ERROR_NOT_FOUND;
    }
    for (int i = 0; i < SUMMARY_HEADER_COUNT && rest.size; i++)
        if (summary->whole & 1U << i)
            whole[i] = take_field(&rest);
    for (int i = 0; i < 1 << PLACE_BITS; i++)
        if (header_at[i] >= 0)
            append_field(summary, header_at[i], whole, fields);
    return buffer_error(fields);
}

/* Whether a row says what it may. */
static bool part_is_sound(const struct summary *summary, size_t index,
                          const struct summary_part *part)
{
    uint64_t left = summary->size;
    if (part->header_offset > left || part->header_size > left - part->header_offset)
        return false;
    left -= part->header_offset + part->header_size;
    return part->body_size <= left && (index ? part->parent < index : part->parent == 0) &&
           part->kind <= SUMMARY_PART_OTHER && part->encoding <= SUMMARY_ENCODING_UNKNOWN;
}

int summary_part_at(const struct summary *summary, size_t index, struct summary_part *part)
{
    if (index >= summary->part_count)
        return ERROR_NOT_FOUND;
    const char *row = summary->parts.data + index * PART_SIZE;
    struct summary_part result = {.parent = (uint16_t)get_number(row, 2),
                                  .number = (uint16_t)get_number(row + 2, 2),
                                  .kind = (uint8_t)row[4],
                                  .encoding = (uint8_t)row[5],
                                  .body_lines = (uint32_t)get_number(row + 12, 4),
                                  .header_offset = get_number(row + 16, 8),
                                  .header_size = get_number(row + 24, 8),
                                  .body_size = get_number(row + 32, 8)};
    struct slice charsets = slice_sub(summary->parts, summary->part_count * PART_SIZE, SIZE_MAX);
    size_t size = get_number(row + 6, 2), offset = get_number(row + 8, 4);
    if (!part_is_sound(summary, index, &result) || offset > charsets.size ||
        size > charsets.size - offset)
        return ERROR_CORRUPT;
    result.body_offset = result.header_offset + result.header_size;
    result.charset = slice_sub(charsets, offset, size);
    *part = result;
    return 0;
}

/* The root's header grows, all other parts move. Sizes of bodies are what they were. */
int summary_shift(struct slice encoded, size_t size, struct buffer *shifted)
{
    struct summary summary;
    int error = summary_parse(encoded, &summary);
    size_t start = shifted->size;
    if (!error)
        error = buffer_append(shifted, encoded);
    if (error)
        return error;
    char *head = shifted->data + start;
    put_number(head + 16, summary.size + size, 8);
    put_number(head + 24, summary.header_size + size, 8);
    for (size_t i = 0; i < summary.part_count; i++) {
        char *field = head + HEAD_SIZE + i * PART_SIZE + (i == 0 ? 24 : 16);
        put_number(field, get_number(field, 8) + size, 8);
    }
    return 0;
}

/* The child of `parent` with this number. */
static int find_child(const struct summary *summary, size_t parent, uint32_t number, size_t *index)
{
    for (size_t i = parent + 1; i < summary->part_count; i++) {
        const char *row = summary->parts.data + i * PART_SIZE;
        if (get_number(row, 2) == parent && get_number(row + 2, 2) == number)
            return *index = i, 0;
    }
    return ERROR_NOT_FOUND;
}

static enum summary_part_kind kind_at(const struct summary *summary, size_t index)
{
    return (enum summary_part_kind)summary->parts.data[index * PART_SIZE + 4];
}

int summary_part_find(const struct summary *summary, const uint32_t *numbers, size_t count,
                      size_t *index)
{
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        bool message = i == 0; /* whether `at` is a message's root */
        if (i > 0 && kind_at(summary, at) == SUMMARY_PART_MESSAGE) {
            message = true;
            if (find_child(summary, at, 1, &at))
                return ERROR_NOT_FOUND;
        }
        if (kind_at(summary, at) == SUMMARY_PART_MULTIPART) {
            if (find_child(summary, at, numbers[i], &at))
                return ERROR_NOT_FOUND;
        } else if (!message || numbers[i] != 1) {
            return ERROR_NOT_FOUND;
        }
    }
    *index = at;
    return 0;
}
