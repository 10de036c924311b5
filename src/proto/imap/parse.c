/*
 * The pieces of IMAP's grammar that all arguments are made of (RFC 9051 section 9).
 */
#include "proto/imap/parse_priv.h"

#include "base/error.h"
#include "format/text.h"

#include <ctype.h>

/* More digits than any number needs; a longer run is no literal's head. */
enum { LITERAL_DIGITS_MAXIMUM = 20 };

bool imap_literal_at_end(struct slice line, struct imap_literal *literal)
{
    size_t end = line.size;
    if (end && line.data[end - 1] == '\n')
        end--;
    if (end && line.data[end - 1] == '\r')
        end--;
    if (end == 0 || line.data[--end] != '}')
        return false;
    bool plus = end && line.data[end - 1] == '+';
    if (plus)
        end--;

    size_t begin = end;
    while (begin && end - begin <= LITERAL_DIGITS_MAXIMUM &&
           isdigit((unsigned char)line.data[begin - 1]))
        begin--;
    if (begin == 0 || begin == end || end - begin > LITERAL_DIGITS_MAXIMUM ||
        line.data[begin - 1] != '{')
        return false;

    uint64_t size = 0;
    for (size_t i = begin; i < end; i++) {
        uint64_t digit = (uint64_t)(line.data[i] - '0');
        size = size > (INT64_MAX - digit) / 10 ? INT64_MAX : size * 10 + digit;
    }
    *literal = (struct imap_literal){size, plus, line.size - begin + 1};
    return true;
}

void imap_fail(struct imap_cursor *cursor, const char *problem)
{
    if (!cursor->problem)
        cursor->problem = problem;
    else
        return;
    cursor->at = cursor->end;
}

bool imap_take(struct imap_cursor *cursor, char byte)
{
    if (imap_peek(cursor) != (unsigned char)byte)
        return false;
    cursor->at++;
    return true;
}

void imap_expect(struct imap_cursor *cursor, char byte, const char *problem)
{
    if (!imap_take(cursor, byte))
        imap_fail(cursor, problem);
}

void imap_argument(struct imap_cursor *cursor, const char *what)
{
    if (cursor->problem)
        return;
    cursor->what = what;
    imap_expect(cursor, ' ', cursor->at < cursor->end ? "expected a space before it" : "missing");
}

static bool is_word_byte(int byte)
{
    return byte >= 0 && byte < 0x80 && (isalnum(byte) || byte == '.' || byte == '-');
}

bool imap_take_word(struct imap_cursor *cursor, const char *word)
{
    size_t size = strlen(word);
    if ((size_t)(cursor->end - cursor->at) < size || strncasecmp(cursor->at, word, size) != 0)
        return false;
    if (cursor->at + size < cursor->end && is_word_byte((unsigned char)cursor->at[size]))
        return false;
    cursor->at += size;
    return true;
}

struct slice imap_word(struct imap_cursor *cursor)
{
    const char *begin = cursor->at;
    while (is_word_byte(imap_peek(cursor)))
        cursor->at++;
    return slice_make(begin, (size_t)(cursor->at - begin));
}

int imap_find_name(struct slice word, const void *names, size_t count, size_t stride)
{
    for (size_t i = 0; i < count; i++) {
        const char *name;
        memcpy(&name, (const char *)names + i * stride, sizeof(name));
        if (slice_equal_nocase(word, slice_from_string(name)))
            return (int)i;
    }
    return -1;
}

/* ATOM-CHAR: no CTL, no space, none of the specials. */
static bool is_atom_byte(int byte)
{
    return byte > ' ' && byte < 0x7f && !strchr("(){%*\"\\]", byte);
}

/* ASTRING-CHAR, and the bytes of UTF-8, which mail programs send without quotes. */
static bool is_astring_byte(int byte)
{
    return is_atom_byte(byte) || byte == ']' || byte >= 0x80;
}

static struct slice run_of(struct imap_cursor *cursor, bool (*belongs)(int byte),
                           const char *problem)
{
    const char *begin = cursor->at;
    while (cursor->at < cursor->end && belongs((unsigned char)*cursor->at))
        cursor->at++;
    if (cursor->at == begin)
        imap_fail(cursor, problem);
    return slice_make(begin, (size_t)(cursor->at - begin));
}

struct slice imap_atom(struct imap_cursor *cursor)
{
    return run_of(cursor, is_atom_byte, "expected an atom");
}

/* quoted = DQUOTE *QUOTED-CHAR DQUOTE: only '"' and '\' are escaped. Unescaped in place. */
static struct slice quoted(struct imap_cursor *cursor)
{
    char *begin = ++cursor->at, *to = begin;
    for (;;) {
        int byte = imap_peek(cursor);
        if (byte == '"')
            break;
        if (byte == '\\') {
            cursor->at++;
            byte = imap_peek(cursor);
            if (byte != '"' && byte != '\\') {
                imap_fail(cursor, "only quotes and backslashes are escaped in a quoted string");
                return (struct slice){"", 0};
            }
        }
        if (byte <= 0 || byte == '\r' || byte == '\n') {
            imap_fail(cursor, "the quoted string does not end");
            return (struct slice){"", 0};
        }
        *to++ = (char)byte;
        cursor->at++;
    }
    cursor->at++;
    struct slice text = slice_make(begin, (size_t)(to - begin));
    if (cursor->utf8_accept && !text_is_utf8(text))
        imap_fail(cursor, "not valid UTF-8");
    return text;
}

/* The head of the literal that the cursor stands at. */
static bool literal_head(struct imap_cursor *cursor, struct imap_literal *literal)
{
    size_t left = (size_t)(cursor->end - cursor->at);
    const char *lf = left ? memchr(cursor->at, '\n', left) : NULL;
    struct slice line = slice_make(cursor->at, lf ? (size_t)(lf - cursor->at) + 1 : 0);
    if (imap_peek(cursor) != '{' || !imap_literal_at_end(line, literal) ||
        literal->length != line.size) {
        imap_fail(cursor, "expected a literal");
        return false;
    }
    cursor->at += literal->length;
    return true;
}

static struct slice literal_string(struct imap_cursor *cursor, bool nul)
{
    struct imap_literal literal;
    if (!literal_head(cursor, &literal))
        return (struct slice){"", 0};
    if (literal.size > (uint64_t)(cursor->end - cursor->at)) {
        cursor->incomplete = true;
        imap_fail(cursor, "the literal is cut off");
        return (struct slice){"", 0};
    }
    struct slice text = slice_make(cursor->at, (size_t)literal.size);
    cursor->at += literal.size;
    if (!nul && slice_find(text, '\0') < text.size)
        imap_fail(cursor, "a NUL byte");
    return text;
}

uint64_t imap_message_literal(struct imap_cursor *cursor)
{
    struct imap_literal literal = {0};
    if (literal_head(cursor, &literal) && cursor->at != cursor->end)
        imap_fail(cursor, "expected one message as a literal");
    return literal.size;
}

struct slice imap_string(struct imap_cursor *cursor)
{
    int byte = imap_peek(cursor);
    if (byte == '"')
        return quoted(cursor);
    if (byte == '{')
        return literal_string(cursor, false);
    imap_fail(cursor, "expected a string");
    return (struct slice){"", 0};
}

struct slice imap_astring(struct imap_cursor *cursor)
{
    int byte = imap_peek(cursor);
    if (byte == '"' || byte == '{')
        return imap_string(cursor);
    return run_of(cursor, is_astring_byte, "expected an atom or a string");
}

struct slice imap_nstring(struct imap_cursor *cursor)
{
    return imap_take_word(cursor, "NIL") ? (struct slice){NULL, 0} : imap_string(cursor);
}

struct slice imap_value(struct imap_cursor *cursor)
{
    return imap_take(cursor, '~') ? literal_string(cursor, true) : imap_nstring(cursor);
}

uint64_t imap_number64(struct imap_cursor *cursor, uint64_t maximum)
{
    uint64_t number = 0;
    const char *begin = cursor->at;
    for (int byte; (byte = imap_peek(cursor)) >= '0' && byte <= '9'; cursor->at++) {
        uint64_t digit = (uint64_t)(byte - '0');
        if (number > (maximum - digit) / 10) {
            imap_fail(cursor, "the number is too large");
            return 0;
        }
        number = number * 10 + digit;
    }
    if (cursor->at == begin)
        imap_fail(cursor, "expected a number");
    return number;
}

uint32_t imap_nz_number(struct imap_cursor *cursor)
{
    uint32_t number = (uint32_t)imap_number64(cursor, UINT32_MAX);
    if (number == 0)
        imap_fail(cursor, "expected a number other than 0");
    return number;
}

void *imap_grow(struct imap_cursor *cursor, void *array, size_t count, size_t size)
{
    enum { FIRST = 4 };
    /* Full at 0, and at each power of two from FIRST on. */
    if (count && (count < FIRST || (count & (count - 1))))
        return array;
    void *grown = arena_alloc_array(cursor->arena, count ? count * 2 : FIRST, size);
    if (!grown)
        imap_fail(cursor, "too large");
    else if (count)
        memcpy(grown, array, count * size);
    return grown;
}

struct buffer imap_arena_buffer(struct imap_cursor *cursor, size_t size)
{
    /* With room for all it may hold from the start, a buffer never asks for memory. */
    char *data = arena_alloc(cursor->arena, size + 1);
    struct buffer buffer = {.data = data, .capacity = size + 1, .maximum = size};
    if (!data)
        buffer.error = ERROR_LIMIT;
    return buffer;
}
