/*
 * Tokens of a Sieve script (RFC 5228 sections 2.2 to 2.4, 8.1). Lines may end in LF alone, as
 * people write files; in strings they become CRLF.
 */
#include "sieve/lexer_priv.h"

__attribute__((format(printf, 5, 0))) static void
report_problem(struct sieve_report *report, bool warning, unsigned line, unsigned column,
               const char *format, va_list arguments)
{
    report->errors += !warning;
    if (report->count == SIEVE_PROBLEMS_MAXIMUM)
        return;
    struct sieve_problem *problem = &report->problems[report->count++];
    problem->warning = warning;
    problem->line = line;
    problem->column = column;
    vsnprintf(problem->text, sizeof(problem->text), format, arguments);
}

void report_error(struct sieve_report *report, unsigned line, unsigned column, const char *format,
                  ...)
{
    va_list arguments;
    va_start(arguments, format);
    report_problem(report, false, line, column, format, arguments);
    va_end(arguments);
}

void report_warning(struct sieve_report *report, unsigned line, unsigned column, const char *format,
                    ...)
{
    va_list arguments;
    va_start(arguments, format);
    report_problem(report, true, line, column, format, arguments);
    va_end(arguments);
}

void lexer_init(struct lexer *lexer, struct slice script, struct arena *arena,
                struct sieve_report *report)
{
    *lexer =
        (struct lexer){.script = script, .arena = arena, .report = report, .line = 1, .column = 1};
    if (slice_starts_with(script, SLICE("\xef\xbb\xbf")))
        lexer->offset = 3;
}

static bool at_end(const struct lexer *lexer)
{
    return lexer->offset == lexer->script.size;
}

/* The byte that many behind the next one; NUL behind the end (a script holds none). */
static char peek(const struct lexer *lexer, size_t ahead)
{
    return ahead < lexer->script.size - lexer->offset ? lexer->script.data[lexer->offset + ahead]
                                                      : '\0';
}

static void pass(struct lexer *lexer)
{
    char c = lexer->script.data[lexer->offset++];
    if (c == '\n') {
        lexer->line++;
        lexer->column = 1;
    } else if ((c & 0xc0) != 0x80) {
        lexer->column++;
    }
}

static void pass_some(struct lexer *lexer, size_t count)
{
    while (count--)
        pass(lexer);
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void fail(struct lexer *lexer, struct token *token, const char *text)
{
    report_error(lexer->report, token->line, token->column, "%s", text);
    token->kind = TOKEN_ERROR;
}

static void pass_line(struct lexer *lexer)
{
    while (!at_end(lexer) && peek(lexer, 0) != '\n')
        pass(lexer);
    if (!at_end(lexer))
        pass(lexer);
}

/* White space and comments; false in a comment without an end. */
static bool pass_blanks(struct lexer *lexer, struct token *token)
{
    while (!at_end(lexer)) {
        char c = peek(lexer, 0);
        if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
            pass(lexer);
        } else if (c == '#') {
            pass_line(lexer);
        } else if (c == '/' && peek(lexer, 1) == '*') {
            token->line = lexer->line;
            token->column = lexer->column;
            pass_some(lexer, 2);
            while (!at_end(lexer) && !(peek(lexer, 0) == '*' && peek(lexer, 1) == '/'))
                pass(lexer);
            if (at_end(lexer))
                return fail(lexer, token, "this comment has no end: */ is missing"), false;
            pass_some(lexer, 2);
        } else {
            break;
        }
    }
    return true;
}

static void take_word(struct lexer *lexer, struct token *token, enum token_kind kind)
{
    size_t start = lexer->offset;
    while (is_letter(peek(lexer, 0)) || is_digit(peek(lexer, 0)))
        pass(lexer);
    token->kind = kind;
    token->text = slice_sub(lexer->script, start, lexer->offset - start);
}

static void take_number(struct lexer *lexer, struct token *token)
{
    unsigned shift = 0;
    token->kind = TOKEN_NUMBER;
    while (is_digit(peek(lexer, 0))) {
        if (token->number > (UINT64_MAX >> 8) / 10)
            return fail(lexer, token, "this number is too large");
        token->number = token->number * 10 + (uint64_t)(peek(lexer, 0) - '0');
        pass(lexer);
    }
    char c = (char)(peek(lexer, 0) & ~0x20);
    if (c == 'K' || c == 'M' || c == 'G') {
        shift = c == 'K' ? 10 : c == 'M' ? 20 : 30;
        pass(lexer);
    }
    if (is_letter(peek(lexer, 0)))
        return fail(lexer, token, "behind a number only K, M or G may stand");
    if (token->number > UINT64_MAX >> 8 >> shift)
        return fail(lexer, token, "this number is too large");
    token->number <<= shift;
}

struct string_writer {
    struct buffer bytes;
    char last;
    bool nul; /* section 8.1: none may stand in a script */
};

static void put(struct string_writer *writer, char c)
{
    if (c == '\n' && writer->last != '\r')
        buffer_append_byte(&writer->bytes, '\r');
    buffer_append_byte(&writer->bytes, c);
    writer->last = c;
    writer->nul |= c == '\0';
}

static void finish_string(struct lexer *lexer, struct token *token, struct string_writer *writer)
{
    if (writer->nul) {
        fail(lexer, token, "this string holds a NUL byte");
    } else if (buffer_error(&writer->bytes)) {
        fail(lexer, token, "this string is too long");
    } else {
        token->kind = TOKEN_STRING;
        token->text = arena_copy(lexer->arena, buffer_slice(&writer->bytes));
        if (!token->text.data)
            fail(lexer, token, "the script is too large");
    }
    buffer_release(&writer->bytes);
}

/* Section 2.4.2: "\" before any character but "\" and the quote stands for nothing. */
static void take_quoted(struct lexer *lexer, struct token *token)
{
    struct string_writer writer = {0};
    buffer_init(&writer.bytes, SIEVE_STRING_MAXIMUM);
    pass(lexer);
    while (!at_end(lexer) && peek(lexer, 0) != '"') {
        if (peek(lexer, 0) == '\\' && lexer->offset + 1 < lexer->script.size)
            pass(lexer);
        put(&writer, peek(lexer, 0));
        pass(lexer);
    }
    if (at_end(lexer)) {
        buffer_release(&writer.bytes);
        return fail(lexer, token, "this string has no end: the closing quote is missing");
    }
    pass(lexer);
    finish_string(lexer, token, &writer);
}

/* Whether the line at the offset is a dot alone. */
static bool at_final_dot(const struct lexer *lexer)
{
    return peek(lexer, 0) == '.' &&
           (peek(lexer, 1) == '\n' || (peek(lexer, 1) == '\r' && peek(lexer, 2) == '\n') ||
            lexer->offset + 1 == lexer->script.size);
}

/* Section 2.4.2, multi-line: "text:", its lines, a dot alone; a dot more at a line's start. */
static void take_multi_line(struct lexer *lexer, struct token *token)
{
    struct string_writer writer = {0};
    pass_some(lexer, 5);
    while (peek(lexer, 0) == ' ' || peek(lexer, 0) == '\t' || peek(lexer, 0) == '\r')
        pass(lexer);
    if (peek(lexer, 0) != '\n' && peek(lexer, 0) != '#')
        return fail(lexer, token, "behind \"text:\" the line must end");
    buffer_init(&writer.bytes, SIEVE_STRING_MAXIMUM);
    pass_line(lexer);
    while (!at_end(lexer) && !at_final_dot(lexer)) {
        if (peek(lexer, 0) == '.' && peek(lexer, 1) == '.')
            pass(lexer);
        while (!at_end(lexer)) {
            char c = peek(lexer, 0);
            put(&writer, c);
            pass(lexer);
            if (c == '\n')
                break;
        }
    }
    if (at_end(lexer)) {
        buffer_release(&writer.bytes);
        return fail(lexer, token, "this text has no end: a line with a dot alone is missing");
    }
    pass_line(lexer);
    finish_string(lexer, token, &writer);
}

static void take_identifier(struct lexer *lexer, struct token *token)
{
    if (slice_equal_nocase(slice_sub(lexer->script, lexer->offset, 5), SLICE("text:")))
        take_multi_line(lexer, token);
    else
        take_word(lexer, token, TOKEN_IDENTIFIER);
}

static void take_tag(struct lexer *lexer, struct token *token)
{
    pass(lexer);
    if (!is_letter(peek(lexer, 0)))
        return fail(lexer, token, "behind \":\" a name must stand");
    take_word(lexer, token, TOKEN_TAG);
}

void lexer_next(struct lexer *lexer, struct token *token)
{
    *token = (struct token){0};
    if (!pass_blanks(lexer, token))
        return;
    token->line = lexer->line;
    token->column = lexer->column;
    if (at_end(lexer))
        return;
    char c = peek(lexer, 0);
    if (is_letter(c)) {
        take_identifier(lexer, token);
    } else if (is_digit(c)) {
        take_number(lexer, token);
    } else if (c == ':') {
        take_tag(lexer, token);
    } else if (c == '"') {
        take_quoted(lexer, token);
    } else if (c && strchr("()[]{},;", c)) {
        token->kind = TOKEN_PUNCTUATION;
        token->text = slice_sub(lexer->script, lexer->offset, 1);
        pass(lexer);
    } else {
        fail(lexer, token, "this character has no meaning here");
    }
}
