/*
 * The grammar of RFC 5228 section 8.2, by recursive descent; depths are bounded by
 * SIEVE_NESTING_MAXIMUM.
 */
#include "sieve/tree_priv.h"

#include "base/error.h"

struct parser {
    struct lexer lexer;
    struct token token; /* the next one */
    struct arena *arena;
    struct sieve_report *report;
    int error;
};

static void advance(struct parser *parser)
{
    lexer_next(&parser->lexer, &parser->token);
    if (parser->token.kind == TOKEN_ERROR)
        parser->error = ERROR_SYNTAX;
}

static void fail(struct parser *parser, int error, const char *text)
{
    if (!parser->error)
        report_error(parser->report, parser->token.line, parser->token.column, "%s", text);
    parser->error = parser->error ? parser->error : error;
}

static bool at(const struct parser *parser, char c)
{
    return parser->token.kind == TOKEN_PUNCTUATION && parser->token.text.data[0] == c;
}

static void expect(struct parser *parser, char c, const char *text)
{
    if (at(parser, c))
        advance(parser);
    else
        fail(parser, ERROR_SYNTAX, text);
}

static void *allocate(struct parser *parser, size_t size)
{
    void *memory = arena_alloc(parser->arena, size);
    if (!memory)
        fail(parser, ERROR_LIMIT, "the script is too large");
    return memory;
}

static struct tree_string *parse_string(struct parser *parser)
{
    struct tree_string *string = allocate(parser, sizeof(*string));
    if (!string)
        return NULL;
    string->text = parser->token.text;
    string->line = parser->token.line;
    string->column = parser->token.column;
    advance(parser);
    return string;
}

/* string-list = "[" string *("," string) "]"; an empty one is no list. */
static void parse_list(struct parser *parser, struct argument *argument)
{
    struct tree_string **tail = &argument->strings;
    argument->kind = ARGUMENT_LIST;
    do {
        advance(parser);
        if (parser->token.kind != TOKEN_STRING)
            return fail(parser, ERROR_SYNTAX, "a string must stand here, in a list");
        *tail = parse_string(parser);
        if (!*tail)
            return;
        tail = &(*tail)->next;
        argument->string_count++;
    } while (!parser->error && at(parser, ','));
    expect(parser, ']', "\",\" or \"]\" must stand here, in a list");
}

static bool begins_argument(const struct parser *parser)
{
    enum token_kind kind = parser->token.kind;
    return kind == TOKEN_NUMBER || kind == TOKEN_STRING || kind == TOKEN_TAG || at(parser, '[');
}

static struct argument *parse_argument(struct parser *parser)
{
    struct argument *argument = allocate(parser, sizeof(*argument));
    if (!argument)
        return NULL;
    argument->line = parser->token.line;
    argument->column = parser->token.column;
    if (parser->token.kind == TOKEN_NUMBER) {
        argument->kind = ARGUMENT_NUMBER;
        argument->number = parser->token.number;
        advance(parser);
    } else if (parser->token.kind == TOKEN_TAG) {
        argument->kind = ARGUMENT_TAG;
        argument->tag = parser->token.text;
        advance(parser);
    } else if (parser->token.kind == TOKEN_STRING) {
        argument->kind = ARGUMENT_STRING;
        argument->strings = parse_string(parser);
        argument->string_count = 1;
    } else {
        parse_list(parser, argument);
    }
    return argument;
}

static struct command *parse_test(struct parser *parser, unsigned depth);

/* test-list = "(" test *("," test) ")" */
static void parse_tests(struct parser *parser, struct command *command, unsigned depth)
{
    struct command **tail = &command->tests;
    command->test_list = true;
    do {
        advance(parser);
        *tail = parse_test(parser, depth);
        if (!*tail)
            return;
        tail = &(*tail)->next;
    } while (!parser->error && at(parser, ','));
    expect(parser, ')', "\",\" or \")\" must stand here, in a list of tests");
}

/* arguments = *argument [ test / test-list ], behind the name that the next token is. */
static struct command *parse_head(struct parser *parser, unsigned depth)
{
    struct command *command = allocate(parser, sizeof(*command));
    if (!command)
        return NULL;
    command->name = parser->token.text;
    command->line = parser->token.line;
    command->column = parser->token.column;
    advance(parser);
    struct argument **tail = &command->arguments;
    for (size_t count = 0; !parser->error && begins_argument(parser); count++) {
        if (count == SIEVE_ARGUMENTS_MAXIMUM) {
            fail(parser, ERROR_LIMIT, "there are too many arguments");
            break;
        }
        *tail = parse_argument(parser);
        if (*tail)
            tail = &(*tail)->next;
    }
    if (!parser->error && at(parser, '('))
        parse_tests(parser, command, depth + 1);
    else if (!parser->error && parser->token.kind == TOKEN_IDENTIFIER)
        command->tests = parse_test(parser, depth + 1);
    return command;
}

static struct command *parse_test(struct parser *parser, unsigned depth)
{
    if (depth > SIEVE_NESTING_MAXIMUM)
        return fail(parser, ERROR_LIMIT, "tests are nested too deep"), NULL;
    if (parser->token.kind != TOKEN_IDENTIFIER)
        return fail(parser, ERROR_SYNTAX, "a test must stand here"), NULL;
    return parse_head(parser, depth);
}

static struct command *parse_commands(struct parser *parser, unsigned depth);

static struct command *parse_command(struct parser *parser, unsigned depth)
{
    if (parser->token.kind != TOKEN_IDENTIFIER)
        return fail(parser, ERROR_SYNTAX, "a command must stand here"), NULL;
    struct command *command = parse_head(parser, 0);
    if (parser->error || !command)
        return command;
    if (at(parser, ';')) {
        advance(parser);
    } else if (at(parser, '{')) {
        if (depth == SIEVE_NESTING_MAXIMUM)
            return fail(parser, ERROR_LIMIT, "blocks are nested too deep"), command;
        advance(parser);
        command->has_block = true;
        command->block = parse_commands(parser, depth + 1);
        expect(parser, '}', "a command or \"}\" must stand here");
    } else {
        fail(parser, ERROR_SYNTAX, "\";\" or a block must stand here, behind the command");
    }
    return command;
}

static struct command *parse_commands(struct parser *parser, unsigned depth)
{
    struct command *first = NULL, **tail = &first;
    while (!parser->error && parser->token.kind == TOKEN_IDENTIFIER) {
        *tail = parse_command(parser, depth);
        if (*tail)
            tail = &(*tail)->next;
    }
    return first;
}

int parse_script(struct slice script, struct arena *arena, struct sieve_report *report,
                 struct command **commands)
{
    struct parser parser = {.arena = arena, .report = report};
    if (script.size > SIEVE_SCRIPT_MAXIMUM) {
        report_error(report, 1, 1, "the script is larger than %d bytes", SIEVE_SCRIPT_MAXIMUM);
        return ERROR_LIMIT;
    }
    lexer_init(&parser.lexer, script, arena, report);
    advance(&parser);
    struct command *first = parse_commands(&parser, 0);
    if (!parser.error && parser.token.kind != TOKEN_END)
        fail(&parser, ERROR_SYNTAX, "a command must stand here");
    if (!parser.error)
        *commands = first;
    return parser.error;
}
