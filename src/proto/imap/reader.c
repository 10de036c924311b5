/*
 * The reader. What it waits for is its mode:
 *
 *     BETWEEN --bytes--> COMMAND <--> LITERAL        a command's lines and literals are collected
 *        ^                  |
 *        |                  +--> ITEMS --> ASK --> MESSAGE --> COMMAND   APPEND and REPLACE
 *        +---- parsed ------+
 *        +---- refused -----+--> COMMAND <--> SKIP, with discard set
 *        +---- LINE, by imap_reader_expect_line
 *     CLOSED: the stream cannot be followed any more
 *
 * Each byte is looked at once for a line's end, by memchr, when it is taken from the input.
 * While discard is set, text keeps but the last bytes of a line: what tells whether a literal
 * follows.
 */
#include "proto/imap/parse_priv.h"

enum { BETWEEN, COMMAND, LITERAL, LINE, ITEMS, ASK, MESSAGE, SKIP, CLOSED };

/* Longer than the longest head of a literal that imap_literal_at_end knows. */
enum { TAIL = 32 };

void imap_reader_init(struct imap_reader *reader, const struct imap_limits *limits)
{
    *reader = (struct imap_reader){.limits = *limits, .command.tag = SLICE("*")};
    arena_init(&reader->arena, limits->arena);
    buffer_init(&reader->text, limits->line + limits->literals + IMAP_BAD_TEXT_MAXIMUM);
}

static bool holds_secrets(const struct imap_reader *reader)
{
    return reader->limits.states & IMAP_STATE_NOT_AUTHENTICATED;
}

static void wipe(struct imap_reader *reader)
{
    if (!holds_secrets(reader))
        return;
    if (reader->text.data)
        explicit_bzero(reader->text.data, reader->text.capacity);
    struct slice *initial = &reader->command.authenticate.initial;
    if (reader->command.id == IMAP_AUTHENTICATE && initial->data)
        explicit_bzero((char *)initial->data, initial->size);
}

/* Forgets the command but for its tag. */
static void forget(struct imap_reader *reader, bool keep_memory)
{
    wipe(reader);
    reader->command = (struct imap_command){.tag = reader->command.tag};
    reader->literals = 0;
    reader->scanned = 0;
    reader->item = 0;
    if (keep_memory) {
        buffer_clear(&reader->text);
        arena_clear(&reader->arena);
    } else {
        buffer_release(&reader->text);
        arena_release(&reader->arena);
    }
}

void imap_reader_release(struct imap_reader *reader)
{
    forget(reader, false);
    reader->mode = BETWEEN;
    reader->discard = false;
}

bool imap_reader_is_idle(const struct imap_reader *reader)
{
    return !reader->text.data && !reader->arena.blocks &&
           (reader->mode == BETWEEN || reader->mode == LINE);
}

void imap_reader_use_utf8(struct imap_reader *reader)
{
    reader->utf8 = true;
}

void imap_reader_expect_line(struct imap_reader *reader)
{
    forget(reader, false);
    reader->mode = LINE;
}

void imap_reader_accept_utf8(struct imap_reader *reader)
{
    reader->utf8 = true;
    reader->utf8_accept = true;
}

static struct slice take(struct slice *input, size_t size)
{
    struct slice taken = slice_sub(*input, 0, size);
    *input = slice_sub(*input, size, SIZE_MAX);
    return taken;
}

static bool close_stream(struct imap_reader *reader, struct imap_event *event)
{
    forget(reader, false);
    reader->mode = CLOSED;
    event->kind = IMAP_EVENT_CLOSE;
    event->text = SLICE("Command too large to follow");
    return true;
}

/* The end of a refused command: says so, unless the caller has answered it. */
static bool give_problem(struct imap_reader *reader, struct imap_event *event)
{
    const char *problem = reader->problem;
    reader->discard = false;
    reader->mode = BETWEEN;
    if (!problem)
        return false;
    buffer_clear(&reader->text);
    buffer_append_format(&reader->text, "%s: %s", reader->what, problem);
    event->kind = IMAP_EVENT_BAD;
    event->tag = reader->command.tag;
    event->text = buffer_slice(&reader->text);
    return true;
}

/* From here on the command is read past. problem NULL: it has been answered. */
static void begin_discard(struct imap_reader *reader, const char *what, const char *problem)
{
    reader->discards_messages = reader->item != 0;
    forget(reader, true);
    reader->what = what;
    reader->problem = problem;
    reader->discard = true;
    reader->discarded = 0;
    if (reader->mode != LINE)
        reader->mode = COMMAND;
}

static bool count_discarded(struct imap_reader *reader, uint64_t size)
{
    if (size > IMAP_DISCARD_MAXIMUM - reader->discarded)
        return false;
    reader->discarded += size;
    return true;
}

/* A literal of a command that is read past. A client may have sent messages without being asked:
 * they do not cost it the connection. */
static bool skip_literal(struct imap_reader *reader, const struct imap_literal *literal,
                         struct imap_event *event)
{
    if (!literal->plus)
        return give_problem(reader, event);
    if (!reader->discards_messages && !count_discarded(reader, literal->size))
        return close_stream(reader, event);
    buffer_clear(&reader->text);
    reader->literal_left = literal->size;
    reader->mode = SKIP;
    return false;
}

static struct imap_cursor make_cursor(struct imap_reader *reader, size_t size)
{
    char *data = reader->text.data;
    return (struct imap_cursor){.at = data,
                                .end = data + size,
                                .arena = &reader->arena,
                                .utf8 = reader->utf8,
                                .utf8_accept = reader->utf8_accept};
}

/* The line that takes the command over its limit: its tag is still read, then it is read past. */
static void begin_overlong(struct imap_reader *reader)
{
    if (reader->mode == COMMAND && !reader->item) {
        struct imap_cursor cursor = make_cursor(reader, reader->text.size);
        imap_parse_head(&cursor, reader->limits.states, reader->tag, &reader->command);
    }
    begin_discard(reader, "Command", "too long");
}

/* Keeps the end of a line that is read past. */
static void keep_tail(struct imap_reader *reader, struct slice bytes)
{
    size_t skipped = bytes.size > TAIL ? bytes.size - TAIL : 0;
    buffer_append(&reader->text, slice_sub(bytes, skipped, SIZE_MAX));
    if (reader->text.size > TAIL)
        buffer_consume(&reader->text, reader->text.size - TAIL);
}

enum { LINE_PARTLY, LINE_COMPLETE, LINE_ENDLESS };

/* Takes bytes up to the line's end. */
static int take_line(struct imap_reader *reader, struct slice *input)
{
    size_t lf = slice_find(*input, '\n');
    size_t size = lf < input->size ? lf + 1 : lf;
    if (!reader->discard) {
        size_t left = reader->limits.line - (reader->text.size - reader->literals);
        if (size <= left) {
            buffer_append(&reader->text, take(input, size));
            return lf < size ? LINE_COMPLETE : LINE_PARTLY;
        }
        buffer_append(&reader->text, take(input, left));
        size -= left;
        begin_overlong(reader);
    }
    if (!count_discarded(reader, size))
        return LINE_ENDLESS;
    struct slice taken = take(input, size);
    keep_tail(reader, taken);
    return taken.data[taken.size - 1] == '\n' ? LINE_COMPLETE : LINE_PARTLY;
}

/* The bytes of text without the last line's end. A CR before it may be a literal's. */
static size_t without_line_end(const struct imap_reader *reader)
{
    size_t size = reader->text.size - 1;
    return size > reader->scanned && reader->text.data[size - 1] == '\r' ? size - 1 : size;
}

static bool refuse(struct imap_reader *reader, const char *what, const char *problem,
                   struct imap_event *event)
{
    reader->what = what;
    reader->problem = problem;
    return give_problem(reader, event);
}

static bool give_command(struct imap_reader *reader, struct imap_event *event)
{
    reader->mode = BETWEEN;
    event->kind = IMAP_EVENT_COMMAND;
    event->command = &reader->command;
    return true;
}

/* The whole command; its head has been read. */
static bool finish_command(struct imap_reader *reader, struct imap_cursor *cursor,
                           struct imap_event *event)
{
    imap_parse_arguments(cursor, &reader->command);
    if (!cursor->problem)
        return give_command(reader, event);
    if (!cursor->bad_charset)
        return refuse(reader, cursor->what, cursor->problem, event);
    reader->mode = BETWEEN;
    event->kind = IMAP_EVENT_BAD_CHARSET;
    event->command = &reader->command;
    event->tag = reader->command.tag;
    event->text = SLICE("Unknown charset");
    return true;
}

/* A literal that belongs to the text. What can be refused is, before its bytes are asked for. */
static bool begin_literal(struct imap_reader *reader, const struct imap_literal *literal,
                          struct imap_event *event)
{
    if (literal->size > reader->limits.literals - reader->literals) {
        begin_discard(reader, "Literal", "too large");
        return skip_literal(reader, literal, event);
    }
    reader->scanned = reader->text.size + literal->size;
    reader->literals += literal->size;
    reader->literal_left = literal->size;
    reader->mode = LITERAL;
    event->kind = IMAP_EVENT_CONTINUE;
    return !literal->plus;
}

/* The last line of the text, and whether a literal follows. Without one, the cursor ends before the
 * line's end. */
static struct imap_cursor cursor_at(struct imap_reader *reader, struct imap_literal *literal,
                                    bool *has_literal)
{
    struct slice last = slice_sub(buffer_slice(&reader->text), reader->scanned, SIZE_MAX);
    *has_literal = imap_literal_at_end(last, literal);
    return make_cursor(reader, *has_literal ? reader->text.size : without_line_end(reader));
}

/* A line of a command is complete. */
static bool take_command_line(struct imap_reader *reader, struct imap_event *event)
{
    struct imap_literal literal;
    bool has_literal;
    struct imap_cursor cursor = cursor_at(reader, &literal, &has_literal);
    if (reader->item) {
        reader->mode = ITEMS;
        return false;
    }
    imap_parse_head(&cursor, reader->limits.states, reader->tag, &reader->command);
    if (cursor.problem) {
        if (!has_literal)
            return refuse(reader, cursor.what, cursor.problem, event);
        begin_discard(reader, cursor.what, cursor.problem);
        return skip_literal(reader, &literal, event);
    }
    if (reader->command.id == IMAP_APPEND || reader->command.id == IMAP_REPLACE) {
        reader->item = (size_t)(cursor.at - reader->text.data);
        reader->mode = ITEMS;
        return false;
    }
    return has_literal ? begin_literal(reader, &literal, event)
                       : finish_command(reader, &cursor, event);
}

/* --- APPEND and REPLACE --- */

/* The text up to the message has been used; what follows the message begins anew. */
static bool begin_message(struct imap_reader *reader, const struct imap_literal *literal,
                          enum imap_event_kind kind, struct imap_event *event)
{
    buffer_clear(&reader->text);
    buffer_append_byte(&reader->text, ' '); /* so that item is not 0 */
    reader->scanned = reader->text.size;
    reader->literals = 0;
    reader->item = reader->text.size;
    reader->literal_left = literal->size;
    reader->mode = literal->plus ? MESSAGE : ASK;
    event->kind = kind;
    event->command = &reader->command;
    if (literal->size <= reader->limits.message)
        return true;
    imap_reader_refuse_message(reader);
    event->kind = IMAP_EVENT_TOO_BIG;
    event->command = NULL;
    event->tag = reader->command.tag;
    event->text = SLICE("Message too large");
    return true;
}

static bool give_item(struct imap_reader *reader, enum imap_append_item item,
                      const struct imap_literal *literal, struct imap_event *event)
{
    switch (item) {
    case IMAP_APPEND_ITEM_NONE:
        return false;
    case IMAP_APPEND_ITEM_MESSAGE:
        return begin_message(reader, literal, IMAP_EVENT_APPEND, event);
    case IMAP_APPEND_ITEM_TEXT:
        return begin_message(reader, literal, IMAP_EVENT_TEXT, event);
    case IMAP_APPEND_ITEM_CATENATE:
        event->kind = IMAP_EVENT_APPEND;
        break;
    case IMAP_APPEND_ITEM_URL:
        event->kind = IMAP_EVENT_URL;
        break;
    case IMAP_APPEND_ITEM_END:
        return give_command(reader, event);
    }
    event->command = &reader->command;
    return true;
}

static bool step_items(struct imap_reader *reader, struct slice *input, struct imap_event *event)
{
    struct imap_literal literal;
    bool has_literal;
    struct imap_cursor cursor = cursor_at(reader, &literal, &has_literal);
    (void)input;
    cursor.at += reader->item;
    enum imap_append_item item = imap_append_next(&cursor, &reader->command, &event->text);
    if (cursor.incomplete)
        return begin_literal(reader, &literal, event);
    if (arena_failed(&reader->arena) && !cursor.problem) {
        cursor.what = "Command";
        cursor.problem = "too large";
    }
    if (cursor.problem && !has_literal)
        return refuse(reader, cursor.what, cursor.problem, event);
    if (cursor.problem) {
        begin_discard(reader, cursor.what, cursor.problem);
        return skip_literal(reader, &literal, event);
    }
    reader->item = (size_t)(cursor.at - reader->text.data);
    return give_item(reader, item, &literal, event);
}

/* NUL bytes are for a literal8 (RFC 9051 section 9, literal and literal8). */
static bool refuse_nul(struct imap_reader *reader)
{
    begin_discard(reader, "Message", "NUL bytes are only allowed in a literal8");
    reader->mode = SKIP;
    return false;
}

/* --- one step for each mode: true when there is an event --- */

static bool step_between(struct imap_reader *reader, struct slice *input, struct imap_event *event)
{
    forget(reader, input->size > 0);
    if (input->size == 0)
        return true;
    reader->mode = COMMAND;
    /* At once what it may ever need: growing would leave copies of a password behind. */
    if (holds_secrets(reader))
        buffer_reserve(&reader->text, reader->text.maximum);
    (void)event;
    return false;
}

static bool step_command(struct imap_reader *reader, struct slice *input, struct imap_event *event)
{
    if (input->size == 0)
        return true;
    int line = take_line(reader, input);
    if (line == LINE_ENDLESS)
        return close_stream(reader, event);
    if (line == LINE_PARTLY)
        return false;
    if (!reader->discard)
        return take_command_line(reader, event);
    struct imap_literal literal;
    return imap_literal_at_end(buffer_slice(&reader->text), &literal)
               ? skip_literal(reader, &literal, event)
               : give_problem(reader, event);
}

static bool step_literal(struct imap_reader *reader, struct slice *input, struct imap_event *event)
{
    (void)event;
    size_t size = input->size < reader->literal_left ? input->size : (size_t)reader->literal_left;
    struct slice bytes = take(input, size);
    reader->literal_left -= size;
    if (reader->mode == LITERAL)
        buffer_append(&reader->text, bytes);
    if (reader->literal_left > 0)
        return true;
    reader->mode = COMMAND;
    return false;
}

static bool step_line(struct imap_reader *reader, struct slice *input, struct imap_event *event)
{
    if (input->size == 0)
        return true;
    if (holds_secrets(reader) && !reader->text.data)
        buffer_reserve(&reader->text, reader->text.maximum);
    int line = take_line(reader, input);
    if (line == LINE_ENDLESS)
        return close_stream(reader, event);
    if (line == LINE_PARTLY)
        return false;
    reader->mode = BETWEEN;
    if (reader->discard)
        return give_problem(reader, event);
    event->kind = IMAP_EVENT_LINE;
    event->text = slice_make(reader->text.data, without_line_end(reader));
    return true;
}

static bool step_ask(struct imap_reader *reader, struct slice *input, struct imap_event *event)
{
    (void)input;
    reader->mode = MESSAGE;
    event->kind = IMAP_EVENT_CONTINUE;
    return true;
}

static bool step_message(struct imap_reader *reader, struct slice *input, struct imap_event *event)
{
    if (reader->literal_left == 0) {
        reader->mode = COMMAND;
        return false;
    }
    size_t size = input->size < reader->literal_left ? input->size : (size_t)reader->literal_left;
    if (!reader->command.append.binary) {
        size_t nul = slice_find(slice_sub(*input, 0, size), '\0');
        if (nul == 0 && size)
            return refuse_nul(reader);
        size = nul;
    }
    reader->literal_left -= size;
    event->kind = size ? IMAP_EVENT_MESSAGE : IMAP_EVENT_MORE;
    event->text = take(input, size);
    return true;
}

static bool step_closed(struct imap_reader *reader, struct slice *input, struct imap_event *event)
{
    take(input, input->size);
    return close_stream(reader, event);
}

struct imap_event imap_reader_next(struct imap_reader *reader, struct slice *input)
{
    static bool (*const steps[])(struct imap_reader *, struct slice *, struct imap_event *) = {
        [BETWEEN] = step_between, [COMMAND] = step_command, [LITERAL] = step_literal,
        [LINE] = step_line,       [ITEMS] = step_items,     [ASK] = step_ask,
        [MESSAGE] = step_message, [SKIP] = step_literal,    [CLOSED] = step_closed,
    };
    struct imap_event event;
    do {
        event = (struct imap_event){.kind = IMAP_EVENT_MORE};
    } while (!steps[reader->mode](reader, input, &event));
    return event;
}

/* The bytes of a literal that nobody wants, if they come. */
static void refuse_literal(struct imap_reader *reader, bool comes, uint64_t size)
{
    reader->mode = BETWEEN;
    if (!comes)
        return;
    begin_discard(reader, NULL, NULL);
    reader->literal_left = size;
    reader->mode = SKIP;
}

void imap_reader_refuse_message(struct imap_reader *reader)
{
    struct imap_literal literal = {0};
    bool has_literal;
    if (reader->mode == ITEMS) {
        cursor_at(reader, &literal, &has_literal);
        refuse_literal(reader, has_literal && literal.plus, literal.size);
    } else if (reader->mode == ASK || reader->mode == MESSAGE) {
        refuse_literal(reader, reader->mode == MESSAGE, reader->literal_left);
    }
}
