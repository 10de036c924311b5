#include "format/html_text.h"

#include "format/utf8_priv.h"

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_name_byte(char c)
{
    return is_letter(c) || (c >= '0' && c <= '9');
}

static bool is_one_of(struct slice name, const char *const *names)
{
    for (; *names; names++)
        if (slice_equal_nocase(name, slice_from_string(*names)))
            return true;
    return false;
}

/* Behind the ">" that ends a tag; one within quotes does not. An unclosed quote goes to the end. */
static size_t tag_end(struct slice html, size_t offset)
{
    char quote = '\0';
    for (; offset < html.size; offset++) {
        char c = html.data[offset];
        if (quote)
            quote = c == quote ? '\0' : quote;
        else if (c == '"' || c == '\'')
            quote = c;
        else if (c == '>')
            return offset + 1;
    }
    return html.size;
}

/* Where the element's end tag begins: its content is no text. */
static size_t raw_end(struct slice html, size_t offset, struct slice name)
{
    for (; offset < html.size; offset++) {
        offset += slice_find(slice_sub(html, offset, SIZE_MAX), '<');
        struct slice rest = slice_sub(html, offset, name.size + 2);
        if (rest.size == name.size + 2 && rest.data[1] == '/' &&
            slice_equal_nocase(slice_sub(rest, 2, SIZE_MAX), name))
            return offset;
    }
    return html.size;
}

static size_t comment_end(struct slice html, size_t offset)
{
    struct slice rest = slice_sub(html, offset, SIZE_MAX);
    const char *end = rest.size ? memmem(rest.data, rest.size, "-->", 3) : NULL;
    return end ? (size_t)(end - html.data) + 3 : html.size;
}

/* What begins with "<" at the offset; returns the offset behind it. */
static size_t take_markup(struct slice html, size_t offset, struct buffer *text)
{
    static const char *const raw[] = {"script", "style", "title", NULL};
    static const char *const blocks[] = {"br", "p",  "div", "tr", "td", "th",         "li",
                                         "h1", "h2", "h3",  "h4", "hr", "blockquote", NULL};
    if (slice_starts_with(slice_sub(html, offset, 4), SLICE("<!--")))
        return comment_end(html, offset + 4);
    size_t start = offset + 1;
    bool closing = start < html.size && html.data[start] == '/';
    start += closing;
    size_t end = start;
    while (end < html.size && is_name_byte(html.data[end]))
        end++;
    struct slice name = slice_sub(html, start, end - start);
    bool other = start < html.size && (html.data[start] == '!' || html.data[start] == '?');
    if (!other && (!name.size || !is_letter(name.data[0]))) {
        buffer_append_byte(text, '<');
        return offset + 1;
    }
    if (is_one_of(name, blocks))
        buffer_append_byte(text, '\n');
    end = tag_end(html, end);
    bool has_content = !closing && end > start && is_one_of(name, raw);
    return has_content ? raw_end(html, end, name) : end;
}

/* Character references. These are what mail programs write; others stay as they stand. */
static uint32_t named_reference(struct slice name)
{
    static const struct {
        const char *name;
        uint32_t code;
    } names[] = {
        {"amp", '&'},       {"lt", '<'},        {"gt", '>'},       {"quot", '"'},
        {"apos", '\''},     {"nbsp", 0xa0},     {"copy", 0xa9},    {"reg", 0xae},
        {"laquo", 0xab},    {"raquo", 0xbb},    {"middot", 0xb7},  {"sect", 0xa7},
        {"deg", 0xb0},      {"euro", 0x20ac},   {"pound", 0xa3},   {"yen", 0xa5},
        {"ndash", 0x2013},  {"mdash", 0x2014},  {"lsquo", 0x2018}, {"rsquo", 0x2019},
        {"sbquo", 0x201a},  {"ldquo", 0x201c},  {"rdquo", 0x201d}, {"bdquo", 0x201e},
        {"bull", 0x2022},   {"hellip", 0x2026}, {"trade", 0x2122}, {"shy", 0xad},
        {"zwnj", 0x200c},   {"zwj", 0x200d},    {"ensp", 0x2002},  {"emsp", 0x2003},
        {"thinsp", 0x2009}, {"Auml", 0xc4},     {"Ouml", 0xd6},    {"Uuml", 0xdc},
        {"auml", 0xe4},     {"ouml", 0xf6},     {"uuml", 0xfc},    {"szlig", 0xdf},
        {"agrave", 0xe0},   {"aacute", 0xe1},   {"acirc", 0xe2},   {"atilde", 0xe3},
        {"aring", 0xe5},    {"aelig", 0xe6},    {"ccedil", 0xe7},  {"egrave", 0xe8},
        {"eacute", 0xe9},   {"ecirc", 0xea},    {"euml", 0xeb},    {"iacute", 0xed},
        {"icirc", 0xee},    {"iuml", 0xef},     {"ntilde", 0xf1},  {"oacute", 0xf3},
        {"ocirc", 0xf4},    {"otilde", 0xf5},   {"oslash", 0xf8},  {"uacute", 0xfa},
        {"ucirc", 0xfb},    {"ugrave", 0xf9},   {"Eacute", 0xc9},  {"Agrave", 0xc0},
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (slice_equal(name, slice_from_string(names[i].name)))
            return names[i].code;
    return 0;
}

static uint32_t numeric_reference(struct slice digits)
{
    bool hex = digits.size && (digits.data[0] | 0x20) == 'x';
    uint32_t code = 0;
    for (size_t i = hex; i < digits.size; i++) {
        char c = digits.data[i];
        uint32_t value = c <= '9' ? (uint32_t)(c - '0') : (uint32_t)((c | 0x20) - 'a' + 10);
        if (value >= (hex ? 16 : 10) || code > 0x10ffff)
            return 0;
        code = code * (hex ? 16 : 10) + value;
    }
    return code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff) ? 0 : code;
}

/* What begins with "&" at the offset; returns the offset behind it. */
static size_t take_reference(struct slice html, size_t offset, struct buffer *text)
{
    struct slice rest = slice_sub(html, offset + 1, 10);
    bool numeric = rest.size && rest.data[0] == '#';
    size_t end = numeric;
    while (end < rest.size && is_name_byte(rest.data[end]))
        end++;
    uint32_t code = numeric ? numeric_reference(slice_sub(rest, 1, end - 1))
                            : named_reference(slice_sub(rest, 0, end));
    if (!code) {
        buffer_append_byte(text, '&');
        return offset + 1;
    }
    char bytes[4];
    buffer_append(text, slice_make(bytes, utf8_write(code, bytes)));
    return offset + 1 + end + (end < rest.size && rest.data[end] == ';');
}

int html_text(struct slice html, struct buffer *text)
{
    size_t offset = 0;
    while (offset < html.size && !buffer_error(text)) {
        size_t plain = offset;
        while (plain < html.size && html.data[plain] != '<' && html.data[plain] != '&')
            plain++;
        buffer_append(text, slice_sub(html, offset, plain - offset));
        offset = plain;
        if (offset < html.size)
            offset = html.data[offset] == '<' ? take_markup(html, offset, text)
                                              : take_reference(html, offset, text);
    }
    return buffer_error(text);
}
