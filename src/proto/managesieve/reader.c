/*
 * A command is gathered in one buffer: its lines without their ends, and the octets of its literals
 * where their "{5+}" was. Each line is taken apart when its end has come.
 */
#include "proto/managesieve/reader.h"

void managesieve_reader_init(struct managesieve_reader *reader, size_t literals_maximum)
{
    *reader = (struct managesieve_reader){.literals_maximum = literals_maximum};
    buffer_init(&reader->text, MANAGESIEVE_LINE_MAXIMUM + literals_maximum);
}

void managesieve_reader_release(struct managesieve_reader *reader)
{
    if (reader->text.data)
        explicit_bzero(reader->text.data, reader->text.capacity);
    buffer_release(&reader->text);
    managesieve_reader_init(reader, reader->literals_maximum);
}

void managesieve_reader_expect_string(struct managesieve_reader *reader)
{
    managesieve_reader_release(reader);
    reader->string_expected = true;
}

/* --- tokens --- */

/* What is left of a line. */
struct rest {
    char *data;
    size_t size;
};

static void skip(struct rest *rest, size_t size)
{
    rest->data += size;
    rest->size -= size;
}

static bool is_atom_char(unsigned char c)
{
    return c > ' ' && c < 0x7f && !strchr("(){\"\\", c);
}

static bool take_atom(struct managesieve_reader *reader, struct rest *rest)
{
    size_t size = 0;
    while (size < rest->size && is_atom_char((unsigned char)rest->data[size]))
        size++;
    skip(rest, size);
    reader->name_size = size;
    return size > 0;
}

static bool add_argument(struct managesieve_reader *reader, size_t offset, size_t size)
{
    if (reader->argument_count == MANAGESIEVE_ARGUMENTS_MAXIMUM)
        return false;
    reader->arguments[reader->argument_count].is_number = false;
    reader->arguments[reader->argument_count].offset = offset;
    reader->arguments[reader->argument_count++].size = size;
    return true;
}

/* RFC 5804 section 4: a backslash stands before a quote or another one; no CR, no NUL. The string
 * moves to where it began as the backslashes go. */
static bool take_quoted(struct managesieve_reader *reader, struct rest *rest)
{
    size_t offset = (size_t)(rest->data - reader->text.data), size = 0;
    char *to = rest->data;
    skip(rest, 1);
    while (rest->size && rest->data[0] != '"') {
        if (rest->data[0] == '\\') {
            skip(rest, 1);
            if (!rest->size || !strchr("\"\\", rest->data[0]))
                return false;
        }
        if (rest->data[0] == '\r' || rest->data[0] == '\0')
            return false;
        to[size++] = rest->data[0];
        skip(rest, 1);
    }
    if (!rest->size)
        return false;
    skip(rest, 1);
    return add_argument(reader, offset, size);
}

/* "(NZDIGIT *DIGIT) / "0"", 32 bits. */
static bool take_number(struct rest *rest, uint32_t *number)
{
    uint64_t value = 0;
    size_t size = 0;
    while (size < rest->size && rest->data[size] >= '0' && rest->data[size] <= '9') {
        value = value * 10 + (uint64_t)(rest->data[size++] - '0');
        if (value > UINT32_MAX)
            return false;
    }
    if (size == 0 || (rest->data[0] == '0' && size > 1))
        return false;
    *number = (uint32_t)value;
    skip(rest, size);
    return true;
}

static bool take_number_argument(struct managesieve_reader *reader, struct rest *rest)
{
    uint32_t number;
    if (!take_number(rest, &number) || !add_argument(reader, 0, 0))
        return false;
    reader->arguments[reader->argument_count - 1].is_number = true;
    reader->arguments[reader->argument_count - 1].number = number;
    return true;
}

/* What stands at a line's end. */
enum literal { NO_LITERAL, LITERAL, FOREIGN_LITERAL /* "{5}", or of a size that is none */ };

static enum literal find_literal(const struct rest *line, size_t *start, uint32_t *size)
{
    if (!line->size || line->data[line->size - 1] != '}')
        return NO_LITERAL;
    size_t open = line->size - 1;
    while (open && line->data[open] != '{')
        open--;
    struct rest number = {line->data + open, line->size - open};
    if (number.data[0] != '{')
        return NO_LITERAL;
    skip(&number, 1);
    if (!take_number(&number, size) || number.size != 2 || number.data[0] != '+')
        return FOREIGN_LITERAL;
    *start = open;
    return LITERAL;
}

static bool take_argument(struct managesieve_reader *reader, struct rest *rest)
{
    if (!rest->size)
        return false;
    return rest->data[0] == '"' ? take_quoted(reader, rest) : take_number_argument(reader, rest);
}

/* What of the line comes before a literal, or all of it. */
static bool take_tokens(struct managesieve_reader *reader, struct rest rest, bool before_literal)
{
    bool separated = false; /* from what stands before */
    if (!reader->named) {
        reader->named = true;
        separated = reader->string_expected;
        if (!separated && !take_atom(reader, &rest))
            return false;
    }
    while (rest.size) {
        if (!separated) {
            if (rest.data[0] != ' ')
                return false;
            skip(&rest, 1);
        }
        if (!rest.size)
            return before_literal;
        if (!take_argument(reader, &rest))
            return false;
        separated = false;
    }
    return separated == before_literal;
}

/* --- lines --- */

static enum managesieve_event close_with(const char *text, const char **problem)
{
    *problem = text;
    return MANAGESIEVE_CLOSE;
}

/* A literal has begun: its octets are gathered, or passed over. */
static bool begin_literal(struct managesieve_reader *reader, uint32_t size)
{
    bool fits = size <= reader->literals_maximum - reader->literals;
    reader->octets_left = size;
    reader->line_start = reader->text.size;
    if (!reader->problem && fits && add_argument(reader, reader->text.size, size)) {
        reader->literals += size;
        return true;
    }
    if (!reader->problem) {
        reader->too_large = !fits;
        reader->problem = "Wrong arguments";
    }
    reader->skipped += size;
    return reader->skipped <= MANAGESIEVE_SKIP_MAXIMUM;
}

/* The line that has just ended; MORE: it goes on behind a literal. */
static enum managesieve_event take_line(struct managesieve_reader *reader, const char **problem)
{
    struct buffer *text = &reader->text;
    struct rest line = {text->data + reader->line_start, text->size - reader->line_start};
    size_t start = line.size;
    uint32_t size = 0;
    enum literal literal = find_literal(&line, &start, &size);
    if (literal == FOREIGN_LITERAL)
        return close_with("A literal of a client's is {size+}", problem);
    if (!reader->problem &&
        !take_tokens(reader, (struct rest){line.data, start}, literal == LITERAL))
        reader->problem = "Not a command";
    buffer_truncate(text, reader->line_start + start);
    if (literal == LITERAL)
        return begin_literal(reader, size) ? MANAGESIEVE_MORE
                                           : close_with("The string is too long", problem);
    reader->taken = true;
    *problem = reader->problem;
    if (reader->too_large)
        return MANAGESIEVE_TOO_LARGE;
    return reader->problem ? MANAGESIEVE_BAD : MANAGESIEVE_COMMAND;
}

/* False: more are to come. */
static bool take_octets(struct managesieve_reader *reader, struct slice *input)
{
    struct slice octets = slice_sub(*input, 0, reader->octets_left);
    if (!reader->problem)
        buffer_append(&reader->text, octets);
    *input = slice_sub(*input, octets.size, SIZE_MAX);
    reader->octets_left -= (uint32_t)octets.size;
    reader->line_start = reader->text.size;
    return reader->octets_left == 0;
}

/* Gathers a line; false: its end has not come. */
static bool take_text(struct managesieve_reader *reader, struct slice *input, bool *too_long)
{
    struct buffer *text = &reader->text;
    size_t end = slice_find(*input, '\n');
    bool ended = end < input->size;
    *too_long = end > MANAGESIEVE_LINE_MAXIMUM - (text->size - reader->literals);
    if (*too_long)
        return false;
    buffer_append(text, slice_sub(*input, 0, end));
    *input = slice_sub(*input, end + ended, SIZE_MAX);
    if (ended && text->size > reader->line_start && text->data[text->size - 1] == '\r')
        buffer_truncate(text, text->size - 1);
    return ended;
}

static void fill_in(const struct managesieve_reader *reader, struct managesieve_line *line)
{
    const char *text = reader->text.data ? reader->text.data : "";
    *line = (struct managesieve_line){.name = slice_make(text, reader->name_size),
                                      .argument_count = reader->argument_count};
    for (size_t i = 0; i < reader->argument_count; i++) {
        line->arguments[i].is_number = reader->arguments[i].is_number;
        line->arguments[i].number = reader->arguments[i].number;
        line->arguments[i].string =
            slice_make(text + reader->arguments[i].offset, reader->arguments[i].size);
    }
}

enum managesieve_event managesieve_reader_next(struct managesieve_reader *reader,
                                               struct slice *input, struct managesieve_line *line,
                                               const char **problem)
{
    enum managesieve_event event = MANAGESIEVE_MORE;
    bool too_long = false;
    if (reader->taken)
        managesieve_reader_release(reader);
    while (event == MANAGESIEVE_MORE) {
        if (reader->octets_left && !take_octets(reader, input))
            return MANAGESIEVE_MORE;
        if (!take_text(reader, input, &too_long))
            return too_long ? close_with("The line is too long", problem) : MANAGESIEVE_MORE;
        if (buffer_error(&reader->text))
            return close_with("Out of memory", problem);
        event = take_line(reader, problem);
    }
    if (event == MANAGESIEVE_COMMAND)
        fill_in(reader, line);
    return event;
}
