/*
 * The parser gathers words until a special character says what they were:
 *
 *     words <...>      a display name before an angle address
 *     words :          a group's name
 *     words @ domain   an address without angle brackets
 *     words , or end   an address without a domain
 *
 * While it does not know, it writes them twice: as a display name (words with blanks between
 * them) and as a local part (blanks only where they were quoted).
 */
#include "format/address.h"

#include "format/field_priv.h"

void address_parser_init(struct address_parser *parser, struct slice field)
{
    parser->cut = parser->in_group = false;
    parser->field = field;
    parser->offset = parser->count = 0;
}

static bool at_end(const struct address_parser *parser)
{
    return parser->offset >= parser->field.size;
}

static char peek(const struct address_parser *parser)
{
    return at_end(parser) ? '\0' : parser->field.data[parser->offset];
}

static bool is_special(char c)
{
    return c == ',' || c == ';' || c == ':' || c == '<' || c == '>' || c == '@' || c == '(' ||
           c == '"' || c == '[';
}

/* Line ends and NULs are never part of an address. */
static void put(struct address_parser *parser, struct address_text *text, char c)
{
    if (c == '\r' || c == '\n' || c == '\0')
        return;
    if (text->size == sizeof(text->data))
        parser->cut = true;
    else
        text->data[text->size++] = c;
}

static void put_all(struct address_parser *parser, struct address_text *text, struct slice bytes)
{
    for (size_t i = 0; i < bytes.size; i++) {
        if (bytes.data[i] == '\\' && i + 1 < bytes.size)
            i++; /* a quoted pair */
        put(parser, text, bytes.data[i]);
    }
}

static struct slice text_slice(const struct address_text *text)
{
    return slice_make(text->data, text->size);
}

/* A comment's content goes to `comment`: the last one is kept. */
static void take_comment(struct address_parser *parser)
{
    size_t start = parser->offset + 1;
    parser->offset = field_skip_comment(parser->field, parser->offset);
    bool closed = parser->offset > start && parser->field.data[parser->offset - 1] == ')';
    struct slice content = slice_sub(parser->field, start, parser->offset - start - closed);
    parser->comment.size = 0;
    put_all(parser, &parser->comment, field_trim(content));
}

/* Blanks and comments; whether there were any. */
static bool skip_cfws(struct address_parser *parser)
{
    size_t start = parser->offset;
    while (!at_end(parser)) {
        if (peek(parser) == '(')
            take_comment(parser);
        else if (field_is_blank(peek(parser)))
            parser->offset++;
        else
            break;
    }
    return parser->offset > start;
}

static struct slice take_quoted(struct address_parser *parser)
{
    size_t start = parser->offset + 1, end = field_quoted_end(parser->field, start);
    parser->offset = end < parser->field.size ? end + 1 : end;
    return slice_sub(parser->field, start, end - start);
}

static struct slice take_atom(struct address_parser *parser)
{
    size_t start = parser->offset;
    do
        parser->offset++;
    while (!at_end(parser) && !is_special(peek(parser)) && !field_is_blank(peek(parser)));
    return slice_sub(parser->field, start, parser->offset - start);
}

/* Words up to a special character that ends them, which is not taken. */
static void take_words(struct address_parser *parser)
{
    bool blank = skip_cfws(parser);
    while (!at_end(parser)) {
        char c = peek(parser);
        bool quoted = c == '"';
        if (is_special(c) && !quoted && c != '[')
            return;
        struct slice word = quoted ? take_quoted(parser) : take_atom(parser);
        if (blank && parser->name.size)
            put(parser, &parser->name, ' ');
        put_all(parser, &parser->name, word);
        put_all(parser, &parser->local, word);
        blank = skip_cfws(parser);
    }
}

/* Behind "@": everything but blanks and comments up to a special character. */
static void take_domain(struct address_parser *parser)
{
    skip_cfws(parser);
    while (!at_end(parser)) {
        char c = peek(parser);
        if (c == '[') {
            size_t end = parser->offset;
            while (end < parser->field.size && parser->field.data[end] != ']')
                end++;
            end += end < parser->field.size;
            for (; parser->offset < end; parser->offset++)
                if (!field_is_blank(peek(parser)))
                    put(parser, &parser->domain, peek(parser));
        } else if (is_special(c) && c != '"') {
            return;
        } else {
            put_all(parser, &parser->domain, take_atom(parser));
        }
        skip_cfws(parser);
    }
}

/* RFC 5322 section 4.4: "@a,@b:" before the address; a colon tells it from what it is not. */
static void take_route(struct address_parser *parser)
{
    skip_cfws(parser);
    while (peek(parser) == '@' || peek(parser) == ',') {
        put(parser, &parser->route, peek(parser));
        parser->offset++;
        if (parser->route.data[parser->route.size - 1] == ',') {
            skip_cfws(parser);
            continue;
        }
        parser->domain.size = 0;
        take_domain(parser);
        for (size_t i = 0; i < parser->domain.size; i++)
            put(parser, &parser->route, parser->domain.data[i]);
    }
    parser->domain.size = 0;
    if (peek(parser) == ':')
        parser->offset++;
}

/* From "<" to behind ">". */
static void take_angle(struct address_parser *parser)
{
    parser->offset++;
    parser->local.size = parser->domain.size = 0;
    struct address_text *name = &parser->name;
    size_t name_size = name->size;
    take_route(parser);
    take_words(parser);
    if (peek(parser) == '@') {
        parser->offset++;
        take_domain(parser);
    }
    name->size = name_size; /* take_words wrote the local part there as well */
    while (!at_end(parser) && peek(parser) != '>' && peek(parser) != ',')
        parser->offset++;
    if (peek(parser) == '>')
        parser->offset++;
}

/* "user@host <user@host>": what looked like an address was meant as a name. */
static void take_address_as_name(struct address_parser *parser)
{
    if (!parser->domain.size)
        return;
    put(parser, &parser->name, '@');
    for (size_t i = 0; i < parser->domain.size; i++)
        put(parser, &parser->name, parser->domain.data[i]);
}

/* Behind an angle address only a comment may stand; what else does is passed over. */
static void pass_to_separator(struct address_parser *parser)
{
    while (!at_end(parser) && peek(parser) != ',' && peek(parser) != ';') {
        if (peek(parser) == '"')
            take_quoted(parser);
        else if (!skip_cfws(parser))
            parser->offset++;
    }
}

static void clear(struct address_parser *parser)
{
    parser->name.size = parser->route.size = parser->local.size = 0;
    parser->domain.size = parser->comment.size = 0;
}

static bool give(struct address_parser *parser, enum address_kind kind, struct address *address)
{
    if (parser->count == ADDRESS_LIST_MAXIMUM && kind != ADDRESS_GROUP_END) {
        parser->cut = true;
        parser->offset = parser->field.size;
        return false;
    }
    parser->count += kind != ADDRESS_GROUP_END;
    *address = (struct address){.kind = kind, .name = text_slice(&parser->name)};
    if (kind == ADDRESS_MAILBOX) {
        address->route = text_slice(&parser->route);
        address->local = text_slice(&parser->local);
        address->domain = text_slice(&parser->domain);
    }
    return true;
}

/* A mailbox; false when there was nothing, as between two commas. */
static bool take_mailbox(struct address_parser *parser, struct address *address)
{
    bool angle = false, at = false;
    if (peek(parser) == '@') {
        at = true;
        parser->offset++;
        take_domain(parser);
    }
    if (peek(parser) == '<') {
        angle = true;
        take_address_as_name(parser);
        take_angle(parser);
    }
    pass_to_separator(parser);
    if (!angle) {
        if (!at)
            parser->local = parser->name; /* "root", or words that are no address at all */
        parser->name.size = 0;
        if (!parser->local.size && !at)
            return false;
    }
    if (!parser->name.size)
        parser->name = parser->comment;
    if (angle && !parser->local.size && !parser->domain.size && !parser->name.size)
        return false; /* "<>" */
    return give(parser, ADDRESS_MAILBOX, address);
}

static bool end_group(struct address_parser *parser, struct address *address)
{
    clear(parser);
    parser->in_group = false;
    return give(parser, ADDRESS_GROUP_END, address);
}

bool address_next(struct address_parser *parser, struct address *address)
{
    while (!at_end(parser)) {
        clear(parser);
        take_words(parser);
        char c = peek(parser);
        if (c == ':' && !parser->in_group) {
            parser->offset++;
            if (!give(parser, ADDRESS_GROUP_BEGIN, address))
                break;
            parser->in_group = true;
            return true;
        }
        if (c == ':' || c == '>') {
            parser->offset++; /* no place for it here */
            continue;
        }
        if (take_mailbox(parser, address))
            return true;
        if (at_end(parser))
            break;
        bool ends_group = peek(parser) == ';' && parser->in_group;
        parser->offset++;
        if (ends_group)
            return end_group(parser, address);
    }
    return parser->in_group && end_group(parser, address);
}
