/*
 * The message as a run sees it.
 */
#include "sieve/message_priv.h"

#include "base/error.h"
#include "format/address.h"
#include "format/text.h"
#include "sieve/program_priv.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct slice trim(struct slice s)
{
    while (s.size && is_blank(s.data[0]))
        s = slice_make(s.data + 1, s.size - 1);
    while (s.size && is_blank(s.data[s.size - 1]))
        s.size--;
    return s;
}

/* Fields are linked in the header's order: the slot's first one stays first. */
static void link_field(struct header *header, uint32_t number)
{
    struct field *field = &header->fields[number - 1];
    uint32_t *place = &header->slots[field->hash % FIELD_SLOTS];
    while (*place)
        place = &header->fields[*place - 1].next;
    *place = number;
}

static int add_field(struct header *header, const struct mime_event *event, struct slice bytes,
                     struct arena *arena)
{
    if (header->count == header->capacity) {
        size_t capacity = header->capacity ? header->capacity * 2 : 32;
        struct field *fields = arena_alloc_array(arena, capacity, sizeof(*fields));
        if (!fields)
            return ERROR_LIMIT;
        if (header->count)
            memcpy(fields, header->fields, header->count * sizeof(*fields));
        header->fields = fields;
        header->capacity = capacity;
    }
    struct field *field = &header->fields[header->count++];
    size_t end = (size_t)(event->value.data - bytes.data) + event->value.size;
    field->name = event->name;
    field->raw = trim(event->value);
    field->whole = slice_sub(bytes, event->offset, end - event->offset);
    field->hash = name_hash(event->name);
    link_field(header, (uint32_t)header->count);
    return 0;
}

/* The parser's struct is large, and only one header is read: a part of one, nothing within. */
int header_parse(struct header *header, struct slice bytes, struct arena *arena)
{
    static const struct mime_limits limits = {1, 1, SIZE_MAX, SIZE_MAX};
    struct mime_parser parser;
    struct mime_event event;
    int error = 0;
    *header = (struct header){0};
    mime_parser_init(&parser, bytes, &limits);
    while (!error && mime_next(&parser, &event) && event.kind != MIME_PART_BODY)
        if (event.kind == MIME_FIELD)
            error = add_field(header, &event, bytes, arena);
    return error;
}

int message_init(struct message *message, struct slice source, struct arena *arena)
{
    static const struct mime_limits limits = {1, 1, SIZE_MAX, SIZE_MAX};
    struct mime_parser parser;
    struct mime_event event;
    int error = 0;
    *message = (struct message){.arena = arena, .source = source};
    mime_parser_init(&parser, source, &limits);
    while (!error && mime_next(&parser, &event)) {
        if (event.kind == MIME_FIELD)
            error = add_field(&message->fields, &event, source, arena);
        if (event.kind == MIME_PART_BODY) {
            message->header = slice_sub(source, 0, event.offset);
            message->body = message->source_body = slice_sub(source, event.offset, SIZE_MAX);
            break;
        }
    }
    return error;
}

struct field *header_find(const struct header *header, struct slice name, uint32_t hash)
{
    uint32_t number = header->slots[hash % FIELD_SLOTS];
    for (; number; number = header->fields[number - 1].next) {
        struct field *field = &header->fields[number - 1];
        if (field->hash == hash && slice_equal_nocase(field->name, name))
            return field;
    }
    return NULL;
}

struct field *header_find_next(const struct header *header, const struct field *field)
{
    for (uint32_t number = field->next; number;) {
        struct field *other = &header->fields[number - 1];
        if (other->hash == field->hash && slice_equal_nocase(other->name, field->name))
            return other;
        number = other->next;
    }
    return NULL;
}

/* Whether the value is its own text: no fold, no encoded word, ASCII. */
static bool is_plain(struct slice raw)
{
    for (size_t i = 0; i < raw.size; i++) {
        unsigned char c = (unsigned char)raw.data[i];
        if (c < ' ' && c != '\t')
            return false;
        if (c >= 0x7f || (c == '=' && i + 1 < raw.size && raw.data[i + 1] == '?'))
            return false;
    }
    return true;
}

struct value *field_value(struct field *field, struct arena *arena)
{
    if (field->is_decoded)
        return &field->value;
    struct slice text = field->raw;
    if (!is_plain(text)) {
        struct buffer decoded;
        buffer_init(&decoded, arena->maximum);
        int error = text_decode_header(text, &decoded);
        text = error ? slice_make(NULL, 0) : arena_copy(arena, buffer_slice(&decoded));
        buffer_release(&decoded);
        if (!text.data)
            return NULL;
    }
    field->value.text = text;
    field->is_decoded = true;
    return &field->value;
}

struct message_address message_address(struct slice text)
{
    struct message_address address = {.all.text = text};
    size_t at = text.size;
    while (at && text.data[at - 1] != '@')
        at--;
    address.local.text = slice_sub(text, 0, at ? at - 1 : text.size);
    address.domain.text = slice_sub(text, at ? at : text.size, SIZE_MAX);
    return address;
}

static int add_address(struct field *field, const struct address *parsed, struct arena *arena)
{
    size_t at = parsed->domain.size ? 1 : 0, size = parsed->local.size + at + parsed->domain.size;
    char *text = arena_alloc(arena, size + 1);
    if (!text)
        return ERROR_LIMIT;
    if (parsed->local.size)
        memcpy(text, parsed->local.data, parsed->local.size);
    if (at)
        text[parsed->local.size] = '@';
    if (at)
        memcpy(text + parsed->local.size + 1, parsed->domain.data, parsed->domain.size);
    struct message_address *address = &field->addresses[field->address_count++];
    *address = (struct message_address){.all.text = slice_make(text, size)};
    address->local.text = slice_make(text, parsed->local.size);
    address->domain.text = slice_make(text + parsed->local.size + at, parsed->domain.size);
    return 0;
}

int field_addresses(struct field *field, struct arena *arena)
{
    struct address_parser parser;
    struct address address;
    int error = 0;
    if (field->is_parsed)
        return 0;
    size_t most = 1;
    for (size_t i = 0; i < field->raw.size; i++)
        most += field->raw.data[i] == ',' || field->raw.data[i] == ';' ||
                field->raw.data[i] == ':' || field->raw.data[i] == '>';
    most = most < ADDRESS_LIST_MAXIMUM ? most + 1 : ADDRESS_LIST_MAXIMUM;
    field->addresses = arena_alloc_array(arena, most, sizeof(*field->addresses));
    if (!field->addresses)
        return ERROR_LIMIT;
    address_parser_init(&parser, field->raw);
    while (!error && field->address_count < most && address_next(&parser, &address))
        if (address.kind == ADDRESS_MAILBOX)
            error = add_address(field, &address, arena);
    field->is_parsed = !error;
    return error;
}

/* Changes (RFC 5293). */

static void link_all(struct header *header)
{
    memset(header->slots, 0, sizeof(header->slots));
    for (uint32_t i = 0; i < header->count; i++)
        header->fields[i].next = 0;
    for (uint32_t i = 1; i <= header->count; i++)
        link_field(header, i);
}

int message_add_field(struct message *message, struct slice name, struct slice value, bool last)
{
    struct header *header = &message->fields;
    struct buffer text;
    buffer_init(&text, message->arena->maximum);
    buffer_append_format(&text, "%.*s: %.*s", SLICE_FORMAT(name), SLICE_FORMAT(value));
    struct slice whole = arena_copy(message->arena, buffer_slice(&text));
    buffer_release(&text);
    struct mime_event event = {.name = slice_sub(whole, 0, name.size),
                               .value = slice_sub(whole, name.size + 1, SIZE_MAX)};
    if (!whole.data || add_field(header, &event, whole, message->arena))
        return ERROR_LIMIT;
    if (!last) {
        struct field added = header->fields[header->count - 1];
        memmove(header->fields + 1, header->fields, (header->count - 1) * sizeof(added));
        header->fields[0] = added;
    }
    link_all(header);
    message->edited = true;
    return 0;
}

int message_rename_field(struct message *message, struct field *field, struct slice prefix)
{
    struct buffer text;
    buffer_init(&text, message->arena->maximum);
    buffer_append(&text, prefix);
    buffer_append(&text, field->whole);
    struct slice whole = arena_copy(message->arena, buffer_slice(&text));
    buffer_release(&text);
    if (!whole.data)
        return ERROR_LIMIT;
    field->whole = whole;
    field->name = slice_sub(whole, 0, prefix.size + field->name.size);
    field->hash = name_hash(field->name);
    link_all(&message->fields);
    message->edited = true;
    return 0;
}

void message_delete_field(struct message *message, struct field *field)
{
    struct header *header = &message->fields;
    size_t index = (size_t)(field - header->fields);
    memmove(field, field + 1, (header->count - index - 1) * sizeof(*field));
    header->count--;
    link_all(header);
    message->edited = true;
}

void message_current(struct message *message, struct slice *header, struct slice *body)
{
    struct buffer text;
    buffer_init(&text, message->arena->maximum);
    for (size_t i = 0; message->edited && i < message->fields.count; i++) {
        buffer_append(&text, message->fields.fields[i].whole);
        buffer_append_string(&text, "\r\n");
    }
    if (message->edited) {
        buffer_append_string(&text, "\r\n");
        struct slice copy = arena_copy(message->arena, buffer_slice(&text));
        if (copy.data)
            message->header = copy;
        message->edited = !copy.data;
    }
    buffer_release(&text);
    *header = message->header;
    *body = message->body;
}
