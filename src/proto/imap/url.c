/*
 * RFC 5092 section 11 has the grammar. A component is read up to the delimiter that cannot be in
 * it, checked byte by byte, and decoded.
 */
#include "proto/imap/url.h"

#include "base/error.h"
#include "format/date.h"
#include "format/text.h"
#include "proto/imap/parse_priv.h"

#include <ctype.h>

enum { TOKEN_LEAST = 32 /* digits: 128 bits */ };

/* uchar = unreserved / sub-delims-sh / pct-encoded; '%' is looked at by who decodes. */
#define UCHAR_MARKS "-._~!$'()*+,%"
static const char achar_marks[] = UCHAR_MARKS "&=";
static const char bchar_marks[] = UCHAR_MARKS "&=:@/";

struct parser {
    struct slice rest;
    struct arena *arena;
    int error; /* sticky */
};

static void fail(struct parser *parser, int error)
{
    if (!parser->error)
        parser->error = error;
    parser->rest.size = 0;
}

/* Steps over the text, in any case ("Strings are not case sensitive"). */
static bool take(struct parser *parser, const char *text)
{
    size_t size = strlen(text);
    if (!slice_equal_nocase(slice_sub(parser->rest, 0, size), slice_make(text, size)))
        return false;
    parser->rest = slice_sub(parser->rest, size, SIZE_MAX);
    return true;
}

static struct slice take_bytes(struct parser *parser, size_t size)
{
    struct slice taken = slice_sub(parser->rest, 0, size);
    parser->rest = slice_sub(parser->rest, size, SIZE_MAX);
    return taken;
}

/* The bytes up to the first that is one of the delimiters. */
static struct slice take_until(struct parser *parser, const char *delimiters)
{
    size_t size = 0;
    while (size < parser->rest.size &&
           (!parser->rest.data[size] || !strchr(delimiters, parser->rest.data[size])))
        size++;
    return take_bytes(parser, size);
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One or more bytes of letters, digits and the marks, percent-decoded. No NUL comes of it. */
static struct slice decode(struct parser *parser, struct slice text, const char *marks)
{
    char *decoded = arena_alloc(parser->arena, text.size + 1);
    size_t size = 0;
    if (!decoded)
        fail(parser, ERROR_LIMIT);
    else if (!text.size)
        fail(parser, ERROR_SYNTAX);
    for (size_t i = 0; i < text.size && !parser->error; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c >= 0x80 || !c || (!isalnum(c) && !strchr(marks, c))) {
            fail(parser, ERROR_SYNTAX);
        } else if (c != '%') {
            decoded[size++] = (char)c;
        } else {
            int high = i + 2 < text.size ? digit_value(text.data[i + 1]) : -1;
            int low = high >= 0 ? digit_value(text.data[i + 2]) : -1;
            if (low < 0 || !(high * 16 + low))
                fail(parser, ERROR_SYNTAX);
            decoded[size++] = (char)(high * 16 + low);
            i += 2;
        }
    }
    return parser->error ? (struct slice){NULL, 0} : slice_make(decoded, size);
}

static uint32_t take_number(struct parser *parser, bool nonzero)
{
    uint64_t number = 0;
    size_t digits = 0;
    while (digits < parser->rest.size && isdigit((unsigned char)parser->rest.data[digits])) {
        number = number * 10 + (uint64_t)(parser->rest.data[digits++] - '0');
        if (number > UINT32_MAX)
            break;
    }
    if (!digits || number > UINT32_MAX || (nonzero && !number))
        fail(parser, ERROR_SYNTAX);
    take_bytes(parser, digits);
    return (uint32_t)number;
}

/* iserver = [iuserinfo "@"] host [":" port]; which mechanism to log in with is nothing to us. */
static void take_server(struct parser *parser, struct imap_url *url)
{
    struct slice authority = take_until(parser, "/");
    size_t at = slice_find(authority, '@');
    if (at < authority.size) {
        struct slice user = slice_sub(authority, 0, at);
        size_t auth = slice_find(user, ';');
        struct parser rest = {slice_sub(user, auth, SIZE_MAX), parser->arena, 0};
        if (auth)
            url->user = decode(parser, slice_sub(user, 0, auth), achar_marks);
        if (auth < user.size &&
            (!take(&rest, ";AUTH=") || !decode(&rest, rest.rest, achar_marks).size))
            fail(parser, ERROR_SYNTAX);
        authority = slice_sub(authority, at + 1, SIZE_MAX);
    }
    for (size_t i = 0; i < authority.size; i++)
        if (!isalnum((unsigned char)authority.data[i]) && !strchr("-._:[]", authority.data[i]))
            fail(parser, ERROR_SYNTAX);
    if (!authority.size)
        fail(parser, ERROR_SYNTAX);
    url->absolute = true;
    url->host = authority;
}

/* What commands take as names and sections is parsed as such. */
static struct imap_cursor cursor_of(const struct parser *parser, struct slice text)
{
    struct slice copy = arena_copy(parser->arena, text);
    return (struct imap_cursor){.at = (char *)copy.data,
                                .end = (char *)copy.data + copy.size,
                                .arena = parser->arena,
                                .utf8 = true};
}

static void check_cursor(struct parser *parser, const struct imap_cursor *cursor)
{
    if (arena_failed(parser->arena))
        fail(parser, ERROR_LIMIT);
    else if (cursor->problem || cursor->at != cursor->end)
        fail(parser, ERROR_SYNTAX);
}

/* imailbox-ref iuid: "Drafts;UIDVALIDITY=385759045/;UID=20" */
static void take_message(struct parser *parser, struct imap_url *url)
{
    struct slice name = take_until(parser, ";?#");
    if (take(parser, ";UIDVALIDITY=")) {
        url->uid_validity = take_number(parser, true);
        if (!take(parser, "/"))
            fail(parser, ERROR_SYNTAX);
    } else if (name.size && name.data[name.size - 1] == '/') {
        name.size--;
    } else {
        fail(parser, ERROR_SYNTAX);
    }
    /* "//" would be the begin of a server (section 7.1). */
    if (slice_starts_with(name, SLICE("/")))
        fail(parser, ERROR_SYNTAX);
    name = decode(parser, name, bchar_marks);
    struct imap_cursor cursor = cursor_of(parser, SLICE(""));
    url->mailbox = imap_mailbox_name(&cursor, name);
    check_cursor(parser, &cursor);
    if (!take(parser, ";UID="))
        fail(parser, ERROR_SYNTAX);
    url->uid = take_number(parser, true);
}

/* isection: the whole message when it is not there. */
static void take_section(struct parser *parser, struct imap_url *url)
{
    struct slice section = {0};
    bool given = take(parser, "/;SECTION=");
    if (given) {
        section = take_until(parser, ";?#");
        /* The '/' before another parameter is none of the section. */
        if (slice_starts_with(parser->rest, SLICE(";")) && section.size &&
            section.data[section.size - 1] == '/') {
            section.size--;
            parser->rest = slice_make(parser->rest.data - 1, parser->rest.size + 1);
        }
        section = decode(parser, section, bchar_marks);
    }
    struct buffer text;
    buffer_init(&text, IMAP_URL_MAXIMUM + 2);
    buffer_append_byte(&text, '[');
    buffer_append(&text, section);
    buffer_append_byte(&text, ']');
    struct imap_cursor cursor = cursor_of(parser, buffer_slice(&text));
    imap_section(&cursor, &url->section);
    check_cursor(parser, &cursor);
    if (url->section.partial)
        fail(parser, ERROR_SYNTAX);
    buffer_release(&text);
}

/* partial-range = number ["." nz-number] */
static void take_partial(struct parser *parser, struct imap_url *url)
{
    if (!take(parser, "/;PARTIAL="))
        return;
    url->section.partial = true;
    url->section.partial_offset = take_number(parser, false);
    url->section.partial_size = take(parser, ".") ? take_number(parser, true) : UINT32_MAX;
}

static void take_access(struct parser *parser, struct imap_url *url)
{
    bool submit = take(parser, "submit+");
    if (submit || take(parser, "user+")) {
        url->access = submit ? IMAP_URL_SUBMIT : IMAP_URL_USER;
        url->access_user = decode(parser, take_until(parser, ":;?#/"), achar_marks);
    } else if (take(parser, "authuser")) {
        url->access = IMAP_URL_AUTHUSER;
    } else if (take(parser, "anonymous")) {
        url->access = IMAP_URL_ANONYMOUS;
    } else {
        fail(parser, ERROR_SYNTAX);
    }
}

static bool is_token(struct slice token)
{
    for (size_t i = 0; i < token.size; i++)
        if (digit_value(token.data[i]) < 0)
            return false;
    return token.size >= TOKEN_LEAST;
}

/* iua-verifier = ":" uauth-mechanism ":" enc-urlauth */
static void take_verifier(struct parser *parser, struct imap_url *url)
{
    if (!take(parser, ":"))
        return;
    url->mechanism = take_until(parser, ":");
    for (size_t i = 0; i < url->mechanism.size; i++)
        if (!isalnum((unsigned char)url->mechanism.data[i]) &&
            !strchr("-.", url->mechanism.data[i]))
            fail(parser, ERROR_SYNTAX);
    if (!url->mechanism.size || !take(parser, ":"))
        fail(parser, ERROR_SYNTAX);
    url->token = take_bytes(parser, SIZE_MAX);
    if (!is_token(url->token))
        fail(parser, ERROR_SYNTAX);
}

/* [expire] ";URLAUTH=" access [iua-verifier] */
static void take_urlauth(struct parser *parser, struct slice text, struct imap_url *url)
{
    url->expires = take(parser, ";EXPIRE=");
    if (url->expires && date_parse_rfc3339(take_until(parser, ";"), &url->expire) != 0)
        fail(parser, ERROR_SYNTAX);
    if (take(parser, ";URLAUTH=")) {
        take_access(parser, url);
        if (!parser->error)
            url->rump = slice_make(text.data, (size_t)(parser->rest.data - text.data));
        take_verifier(parser, url);
    } else if (url->expires) {
        fail(parser, ERROR_SYNTAX);
    }
}

int imap_url_parse(struct slice text, struct arena *arena, struct imap_url *url)
{
    struct parser parser = {text, arena, 0};
    struct imap_url parsed = {.rump = text};
    if (text.size > IMAP_URL_MAXIMUM)
        return ERROR_LIMIT;
    if (take(&parser, "imap://"))
        take_server(&parser, &parsed);
    if (!take(&parser, "/"))
        fail(&parser, ERROR_SYNTAX);
    take_message(&parser, &parsed);
    take_section(&parser, &parsed);
    take_partial(&parser, &parsed);
    take_urlauth(&parser, text, &parsed);
    if (parser.rest.size)
        fail(&parser, ERROR_SYNTAX);
    if (!parser.error)
        *url = parsed;
    return parser.error;
}
