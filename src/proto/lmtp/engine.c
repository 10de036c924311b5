/*
 * The engine's states:
 *
 *     CONNECTED --LHLO--> READY --MAIL--> TRANSACTION --RCPT--> ASKING --reply--> TRANSACTION
 *                           ^                 |
 *                           |                DATA --> DATA --end--> DELIVERING
 *                           |                BDAT --> CHUNK --LAST's end--^ |
 *                           +--- RSET, LHLO --+   (else back)               |
 *                           +----------------- a reply for each recipient --+
 *     CLOSED: QUIT, or too many bad commands
 *
 * XCLIENT leads from READY back to CONNECTED.
 */
#include "proto/lmtp/engine_priv.h"

#include "base/error.h"
#include "proto/lmtp/hello_priv.h"

enum { CONNECTED, READY, TRANSACTION, ASKING, DATA, CHUNK, DELIVERING, CLOSED };

void lmtp_init(struct lmtp *lmtp, const char *hostname, const struct lmtp_limits *limits)
{
    *lmtp = (struct lmtp){.limits = *limits, .hostname = hostname};
    buffer_init(&lmtp->line, LMTP_LINE_MAXIMUM);
    buffer_init(&lmtp->client, LMTP_ADDRESS_MAXIMUM);
    buffer_init(&lmtp->told, INET6_ADDRSTRLEN);
    buffer_init(&lmtp->sender, LMTP_ADDRESS_MAXIMUM);
    buffer_init(&lmtp->address, LMTP_ADDRESS_MAXIMUM);
    buffer_init(&lmtp->envelope_id, LMTP_ENVELOPE_ID_MAXIMUM);
    buffer_init(&lmtp->original, LMTP_ORIGINAL_RECIPIENT_MAXIMUM);
}

void lmtp_release(struct lmtp *lmtp)
{
    buffer_release(&lmtp->line);
    buffer_release(&lmtp->client);
    buffer_release(&lmtp->told);
    buffer_release(&lmtp->sender);
    buffer_release(&lmtp->address);
    buffer_release(&lmtp->envelope_id);
    buffer_release(&lmtp->original);
}

void lmtp_greet(struct lmtp *lmtp, struct buffer *output)
{
    lmtp_hello_greet(lmtp->hostname, output);
}

void lmtp_bye(struct lmtp *lmtp, const char *enhanced, const char *text, struct buffer *output)
{
    lmtp->state = CLOSED;
    buffer_append_format(output, "421 %s %s\r\n", enhanced, text);
}

/* A good command's reply. */
static enum lmtp_action reply(struct lmtp *lmtp, const char *text, struct buffer *output)
{
    lmtp->bad_count = 0;
    buffer_append_format(output, "%s\r\n", text);
    return LMTP_MORE;
}

/* A bad command's reply; too many of them in a row end the session. */
static enum lmtp_action bad(struct lmtp *lmtp, const char *text, struct buffer *output)
{
    buffer_append_format(output, "%s\r\n", text);
    if (++lmtp->bad_count < LMTP_BAD_MAXIMUM)
        return LMTP_MORE;
    lmtp_bye(lmtp, "4.7.0", "Too many bad commands", output);
    return LMTP_CLOSE;
}

static void reset(struct lmtp *lmtp)
{
    lmtp->state = READY;
    lmtp->accepted = 0;
    lmtp->delivered = 0;
    lmtp->declared_size = 0;
    lmtp->chunked = lmtp->utf8 = lmtp->data_too_big = false;
    lmtp->body = LMTP_BODY_7BIT;
    lmtp->ret = LMTP_RETURN_DEFAULT;
    buffer_clear(&lmtp->sender);
    buffer_clear(&lmtp->address);
    buffer_clear(&lmtp->envelope_id);
}

/* --- one function for each command; argument: what follows its name --- */

typedef enum lmtp_action command_handler(struct lmtp *lmtp, struct slice argument,
                                         struct buffer *output);

/* The client's name. */
static int take_hello(struct lmtp *lmtp, struct slice name)
{
    if (!lmtp_hello_is_name(name))
        return ERROR_SYNTAX;
    reset(lmtp);
    lmtp->bad_count = 0;
    buffer_clear(&lmtp->client);
    return buffer_append(&lmtp->client, name);
}

static void answer_hello(const struct lmtp *lmtp, struct buffer *output)
{
    static const char *const more[] = {
        [0] = "",
        [LMTP_PERMIT_XCLIENT] = "XCLIENT ADDR\n",
        [LMTP_PERMIT_IGNOREQUOTA] = "IGNOREQUOTA\n",
        [LMTP_PERMIT_XCLIENT | LMTP_PERMIT_IGNOREQUOTA] = "IGNOREQUOTA\nXCLIENT ADDR\n",
    };
    lmtp_hello_answer(lmtp->hostname, lmtp->limits.message, more[lmtp->permissions], output);
}

static enum lmtp_action do_lhlo(struct lmtp *lmtp, struct slice argument, struct buffer *output)
{
    if (take_hello(lmtp, argument))
        return bad(lmtp, "501 5.5.4 LHLO needs a host name", output);
    answer_hello(lmtp, output);
    return LMTP_RESET;
}

int lmtp_resume(struct lmtp *lmtp, struct slice tag, struct buffer *output)
{
    bool authenticated = slice_starts_with(tag, SLICE("AUTH "));
    if (!authenticated && !slice_starts_with(tag, SLICE("LHLO ")))
        return ERROR_SYNTAX;
    int error = take_hello(lmtp, slice_sub(tag, 5, SIZE_MAX));
    if (error)
        return error;
    lmtp->resumed = true;
    lmtp->authenticated = authenticated;
    if (authenticated)
        buffer_append_string(output, "235 2.7.0 Authentication succeeded\r\n");
    else
        answer_hello(lmtp, output);
    return 0;
}

static enum lmtp_action do_helo(struct lmtp *lmtp, struct slice argument, struct buffer *output)
{
    (void)argument;
    return bad(lmtp, "500 5.5.1 This is LMTP: say LHLO", output);
}

/* The argument behind "FROM:" or "TO:"; spaces behind the colon are common and harmless. */
static bool take_prefix(struct slice *argument, struct slice prefix)
{
    if (!slice_equal_nocase(slice_sub(*argument, 0, prefix.size), prefix))
        return false;
    *argument = slice_sub(*argument, prefix.size, SIZE_MAX);
    while (argument->size && argument->data[0] == ' ')
        *argument = slice_sub(*argument, 1, SIZE_MAX);
    return true;
}

/* Whether an address, in UTF-8, may be there: without SMTPUTF8, ASCII is (RFC 6531 section 3.5). */
static bool is_permitted(const struct lmtp *lmtp, const struct buffer *address)
{
    for (size_t i = 0; i < address->size && !lmtp->utf8; i++)
        if (address->data[i] & 0x80)
            return false;
    return true;
}

static enum lmtp_action do_mail(struct lmtp *lmtp, struct slice argument, struct buffer *output)
{
    if (lmtp->state == CONNECTED)
        return bad(lmtp, "503 5.5.1 Say LHLO first", output);
    if (lmtp->state == TRANSACTION)
        return bad(lmtp, "503 5.5.1 There is a sender already", output);
    if (!take_prefix(&argument, SLICE("FROM:")))
        return bad(lmtp, "501 5.5.4 Expected MAIL FROM:<address>", output);
    const char *problem = NULL;
    reset(lmtp);
    if (lmtp_path_parse(&argument, false, &lmtp->sender) != 0)
        problem = "501 5.1.7 Malformed sender address";
    else
        problem = lmtp_mail_parameters(lmtp, argument);
    if (!problem && !is_permitted(lmtp, &lmtp->sender))
        problem = "550 5.6.7 A non-ASCII address needs SMTPUTF8";
    if (problem) {
        reset(lmtp);
        return bad(lmtp, problem, output);
    }
    lmtp->state = TRANSACTION;
    return reply(lmtp, "250 2.1.0 Sender accepted", output);
}

static enum lmtp_action do_rcpt(struct lmtp *lmtp, struct slice argument, struct buffer *output)
{
    if (lmtp->state != TRANSACTION)
        return bad(lmtp, "503 5.5.1 Say MAIL first", output);
    if (lmtp->chunked)
        return bad(lmtp, "503 5.5.1 The message has begun", output);
    if (!take_prefix(&argument, SLICE("TO:")))
        return bad(lmtp, "501 5.5.4 Expected RCPT TO:<address>", output);
    if (lmtp_path_parse(&argument, true, &lmtp->address) != 0 || lmtp->address.size == 0)
        return bad(lmtp, "501 5.1.3 Malformed recipient address", output);
    if (!is_permitted(lmtp, &lmtp->address))
        return bad(lmtp, "553 5.6.7 A non-ASCII address needs SMTPUTF8", output);
    const char *problem = lmtp_rcpt_parameters(lmtp, argument);
    if (problem)
        return bad(lmtp, problem, output);
    lmtp->bad_count = 0;
    if (lmtp->accepted >= lmtp->limits.recipients)
        return reply(lmtp, "452 4.5.3 Too many recipients", output);
    lmtp->state = ASKING;
    return LMTP_RECIPIENT;
}

/* Whether there is nothing behind a command that takes nothing. */
static bool is_bare(struct slice argument)
{
    return argument.size == 0;
}

static void begin_data(struct lmtp *lmtp)
{
    lmtp->data_state = lmtp_data_begin();
    lmtp->data_size = 0;
    lmtp->data_too_big = false;
}

static enum lmtp_action do_data(struct lmtp *lmtp, struct slice argument, struct buffer *output)
{
    if (!is_bare(argument))
        return bad(lmtp, "501 5.5.4 DATA takes no argument", output);
    /* RFC 2033 section 4.2: not even one recipient was accepted. */
    if (lmtp->state != TRANSACTION || lmtp->accepted == 0)
        return bad(lmtp, "503 5.5.1 No valid recipients", output);
    /* RFC 3030 sections 2 and 3: DATA and BDAT are not mixed; binary needs BDAT. */
    if (lmtp->chunked || lmtp->body == LMTP_BODY_BINARYMIME)
        return bad(lmtp, "503 5.5.1 Not DATA: say BDAT", output);
    lmtp->state = DATA;
    begin_data(lmtp);
    return reply(lmtp, "354 End the message with a dot on a line of its own", output);
}

static enum lmtp_action end_data(struct lmtp *lmtp, struct buffer *output)
{
    lmtp->delivered = 0;
    lmtp->state = DELIVERING;
    if (!lmtp->data_too_big)
        return LMTP_DELIVER;
    while (lmtp->state == DELIVERING)
        lmtp_delivered(lmtp, ERROR_LIMIT, output);
    return LMTP_RESET;
}

/* All bytes of a chunk are there. */
static enum lmtp_action end_chunk(struct lmtp *lmtp, struct buffer *output)
{
    const struct lmtp_chunk *chunk = &lmtp->chunk;
    lmtp->state = chunk->resume;
    if (chunk->problem && !(chunk->last && chunk->resume == TRANSACTION))
        return bad(lmtp, chunk->problem, output);
    if (chunk->last && lmtp->accepted > 0)
        return end_data(lmtp, output);
    if (chunk->last) {
        /* RFC 2033 section 4.3: as many replies as recipients. */
        reset(lmtp);
        return LMTP_RESET;
    }
    if (lmtp->data_too_big)
        return reply(lmtp, "552 5.3.4 Message too large", output);
    lmtp->bad_count = 0;
    buffer_append_format(output, "250 2.0.0 %llu bytes\r\n", (unsigned long long)chunk->size);
    return LMTP_MORE;
}

/* "SIZE" or "SIZE LAST" (RFC 3030 section 2). */
static int parse_chunk(struct slice argument, struct lmtp_chunk *chunk)
{
    size_t space = slice_find(argument, ' ');
    struct slice rest = slice_sub(argument, space, SIZE_MAX);
    uint64_t size = 0;
    int error = lmtp_number_parse(slice_sub(argument, 0, space), &size);
    if (error || (rest.size && !slice_equal_nocase(rest, SLICE(" LAST"))))
        return ERROR_SYNTAX;
    *chunk = (struct lmtp_chunk){.size = size, .left = size, .last = rest.size > 0};
    return 0;
}

/* The bytes follow at once, whatever the reply will be: they are read past where they cannot be
 * taken. */
static enum lmtp_action do_bdat(struct lmtp *lmtp, struct slice argument, struct buffer *output)
{
    if (parse_chunk(argument, &lmtp->chunk)) {
        bad(lmtp, "501 5.5.4 BDAT needs a size", output);
        if (lmtp->state != CLOSED)
            lmtp_bye(lmtp, "4.7.0", "The next command cannot be found", output);
        return LMTP_CLOSE;
    }
    lmtp->chunk.resume = lmtp->state;
    if (lmtp->state != TRANSACTION)
        lmtp->chunk.problem = "503 5.5.1 Say MAIL first";
    else if (lmtp->accepted == 0)
        lmtp->chunk.problem = "503 5.5.1 No valid recipients";
    else if (!lmtp->chunked)
        begin_data(lmtp);
    lmtp->chunked = lmtp->chunked || !lmtp->chunk.problem;
    lmtp->state = CHUNK;
    return lmtp->chunk.left ? LMTP_MORE : end_chunk(lmtp, output);
}

/* RFC 4954 section 4, RFC 3207 section 4.2: not a second time. Where nobody logs in, neither is
 * known. */
static enum lmtp_action do_login(struct lmtp *lmtp, struct slice argument, struct buffer *output)
{
    (void)argument;
    return bad(lmtp,
               lmtp->resumed ? "503 5.5.1 You may deliver already" : "500 5.5.1 Unknown command",
               output);
}

/* It lasts for the session, and LHLO has to be said again. */
static enum lmtp_action do_xclient(struct lmtp *lmtp, struct slice argument, struct buffer *output)
{
    if (!(lmtp->permissions & LMTP_PERMIT_XCLIENT))
        return bad(lmtp, "550 5.7.0 Not permitted", output);
    if (lmtp->state == TRANSACTION)
        return bad(lmtp, "503 5.5.1 There is a transaction", output);
    const char *problem = lmtp_xclient_parameters(lmtp, argument);
    if (problem)
        return bad(lmtp, problem, output);
    reset(lmtp);
    lmtp->state = CONNECTED;
    lmtp->bad_count = 0;
    buffer_clear(&lmtp->client);
    lmtp_hello_greet(lmtp->hostname, output);
    return LMTP_RESET;
}

static enum lmtp_action do_rset(struct lmtp *lmtp, struct slice argument, struct buffer *output)
{
    if (!is_bare(argument))
        return bad(lmtp, "501 5.5.4 RSET takes no argument", output);
    if (lmtp->state == TRANSACTION)
        reset(lmtp);
    reply(lmtp, "250 2.0.0 Reset", output);
    return LMTP_RESET;
}

static enum lmtp_action do_noop(struct lmtp *lmtp, struct slice argument, struct buffer *output)
{
    (void)argument;
    return reply(lmtp, "250 2.0.0 OK", output);
}

static enum lmtp_action do_vrfy(struct lmtp *lmtp, struct slice argument, struct buffer *output)
{
    (void)argument;
    return reply(lmtp, "252 2.5.0 Not verified; RCPT will say", output);
}

static enum lmtp_action do_help(struct lmtp *lmtp, struct slice argument, struct buffer *output)
{
    (void)argument;
    return reply(lmtp, "214 2.0.0 LHLO MAIL RCPT DATA BDAT RSET NOOP VRFY QUIT", output);
}

static enum lmtp_action do_quit(struct lmtp *lmtp, struct slice argument, struct buffer *output)
{
    (void)argument;
    reply(lmtp, "221 2.0.0 Goodbye", output);
    lmtp->state = CLOSED;
    return LMTP_CLOSE;
}

static const struct {
    const char *name;
    command_handler *handler;
} commands[] = {
    {"LHLO", do_lhlo},  {"HELO", do_helo},      {"EHLO", do_helo},       {"MAIL", do_mail},
    {"RCPT", do_rcpt},  {"DATA", do_data},      {"BDAT", do_bdat},       {"RSET", do_rset},
    {"NOOP", do_noop},  {"VRFY", do_vrfy},      {"HELP", do_help},       {"QUIT", do_quit},
    {"AUTH", do_login}, {"STARTTLS", do_login}, {"XCLIENT", do_xclient},
};

static enum lmtp_action do_command(struct lmtp *lmtp, struct slice line, struct buffer *output)
{
    struct slice name = slice_sub(line, 0, slice_find(line, ' '));
    struct slice argument = slice_sub(line, name.size + 1, SIZE_MAX);
    while (argument.size && argument.data[argument.size - 1] == ' ')
        argument.size--;
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (slice_equal_nocase(name, slice_from_string(commands[i].name)))
            return commands[i].handler(lmtp, argument, output);
    return bad(lmtp, "500 5.5.1 Unknown command", output);
}

/* --- lines --- */

static struct slice take(struct slice *input, size_t size)
{
    struct slice taken = slice_sub(*input, 0, size);
    *input = slice_sub(*input, size, SIZE_MAX);
    return taken;
}

static struct slice without_line_end(struct slice line)
{
    line.size--;
    if (line.size && line.data[line.size - 1] == '\r')
        line.size--;
    return line;
}

/* More than a line may have: read past, up to its end. */
static enum lmtp_action discard_line(struct lmtp *lmtp, size_t size, bool complete,
                                     struct buffer *output)
{
    lmtp->discarded += lmtp->line.size + size;
    buffer_release(&lmtp->line);
    if (lmtp->discarded > LMTP_DISCARD_MAXIMUM) {
        lmtp_bye(lmtp, "4.7.0", "The line does not end", output);
        return LMTP_CLOSE;
    }
    if (!complete)
        return LMTP_MORE;
    lmtp->discarded = 0;
    return bad(lmtp, "500 5.5.2 Line too long", output);
}

/* A line that is in the input as a whole is not copied. */
static enum lmtp_action consume_line(struct lmtp *lmtp, struct slice *input, struct buffer *output)
{
    size_t lf = slice_find(*input, '\n');
    bool complete = lf < input->size;
    struct slice bytes = take(input, complete ? lf + 1 : lf);
    if (lmtp->discarded || bytes.size > LMTP_LINE_MAXIMUM - lmtp->line.size)
        return discard_line(lmtp, bytes.size, complete, output);
    if (lmtp->line.size || !complete)
        buffer_append(&lmtp->line, bytes);
    if (!complete)
        return LMTP_MORE;
    struct slice line = lmtp->line.size ? buffer_slice(&lmtp->line) : bytes;
    enum lmtp_action action = do_command(lmtp, without_line_end(line), output);
    buffer_release(&lmtp->line);
    return action;
}

/* --- the message --- */

/* A piece of the message, unless that is too big. */
static enum lmtp_action take_piece(struct lmtp *lmtp, struct slice piece)
{
    if (piece.size > lmtp->limits.message - lmtp->data_size)
        lmtp->data_too_big = true;
    if (lmtp->data_too_big)
        return LMTP_MORE;
    lmtp->data_size += piece.size;
    lmtp->data = piece;
    return LMTP_DATA;
}

static enum lmtp_action consume_data(struct lmtp *lmtp, struct slice *input, struct buffer *output)
{
    struct slice piece;
    enum lmtp_data_event event = lmtp_data_next(&lmtp->data_state, input, &piece);
    if (event == LMTP_DATA_MORE)
        return LMTP_MORE;
    return event == LMTP_DATA_END ? end_data(lmtp, output) : take_piece(lmtp, piece);
}

static enum lmtp_action consume_chunk(struct lmtp *lmtp, struct slice *input, struct buffer *output)
{
    struct lmtp_chunk *chunk = &lmtp->chunk;
    size_t size = chunk->left < input->size ? (size_t)chunk->left : input->size;
    struct slice bytes = slice_sub(*input, 0, size), rest = bytes, piece = bytes;
    if (chunk->left == 0)
        return end_chunk(lmtp, output);
    if (chunk->problem || lmtp->data_too_big || lmtp->body == LMTP_BODY_BINARYMIME)
        rest.size = 0;
    else
        lmtp_chunk_next(&lmtp->data_state, &rest, &piece);
    chunk->left -= take(input, bytes.size - rest.size).size;
    return chunk->problem ? LMTP_MORE : take_piece(lmtp, piece);
}

enum lmtp_action lmtp_consume(struct lmtp *lmtp, struct slice *input, struct buffer *output)
{
    enum lmtp_action action = LMTP_MORE;
    if (lmtp->state == ASKING)
        return LMTP_RECIPIENT;
    if (lmtp->state == DELIVERING)
        return LMTP_DELIVER;
    if (lmtp->state == CLOSED)
        return LMTP_CLOSE;
    while (action == LMTP_MORE) {
        bool chunk_ends = lmtp->state == CHUNK && lmtp->chunk.left == 0;
        if (input->size == 0 && !chunk_ends)
            break;
        if (output->size && output->maximum - output->size < LMTP_REPLY_MAXIMUM)
            break;
        action = lmtp->state == DATA    ? consume_data(lmtp, input, output)
                 : lmtp->state == CHUNK ? consume_chunk(lmtp, input, output)
                                        : consume_line(lmtp, input, output);
    }
    return action;
}

/* --- the caller's answers --- */

/* The reply for an error: the first row that fits. */
struct error_row {
    int error;
    const char *text;
};

static const char *find_reply(const struct error_row *rows, int error, const char *temporary,
                              const char *other)
{
    for (; rows->text; rows++)
        if (rows->error == error)
            return rows->text;
    return error_is_temporary(error) ? temporary : other;
}

void lmtp_recipient_reply(struct lmtp *lmtp, int error, struct buffer *output)
{
    static const struct error_row rows[] = {
        {0, "250 2.1.5 Recipient accepted"},
        {ERROR_NOT_FOUND, "550 5.1.1 No such mailbox here"},
        {ERROR_QUOTA, "452 4.2.2 Mailbox full"},
        {ERROR_SYNTAX, "501 5.1.3 Malformed recipient address"},
        {ERROR_LIMIT, "452 4.5.3 Too many recipients"},
        {ERROR_CORRUPT, "451 4.3.0 Try again later"},
        {0, NULL},
    };
    lmtp->state = TRANSACTION;
    lmtp->accepted += error == 0;
    buffer_append_format(output, "%s\r\n",
                         find_reply(rows, error, "451 4.3.0 Try again later",
                                    "550 5.7.1 Not accepted for this recipient"));
}

void lmtp_delivered(struct lmtp *lmtp, int error, struct buffer *output)
{
    static const struct error_row rows[] = {
        {0, "250 2.0.0 Delivered"},
        {ERROR_SPACE, "452 4.3.1 No space"},
        {ERROR_QUOTA, "452 4.2.2 Mailbox full"},
        {ERROR_NOT_FOUND, "550 5.1.1 No such mailbox here"},
        {ERROR_LIMIT, "552 5.3.4 Message too large"},
        {ERROR_CONFLICT, "554 5.4.6 Mail loop"},
        {ERROR_CORRUPT, "451 4.3.0 Try again later"},
        {0, NULL},
    };
    buffer_append_format(output, "%s\r\n",
                         find_reply(rows, error, "451 4.3.0 Try again later",
                                    "554 5.6.0 The message cannot be stored"));
    if (++lmtp->delivered == lmtp->accepted)
        reset(lmtp);
}

/* The next line of the reason that is not blank, at most `most` bytes of it. */
static struct slice next_line(struct slice *reason, size_t most)
{
    struct slice line = {NULL, 0};
    while (reason->size && !line.size) {
        size_t end = slice_find(*reason, '\n');
        line = slice_sub(*reason, 0, end);
        *reason = slice_sub(*reason, end + 1, SIZE_MAX);
        while (line.size && (unsigned char)line.data[line.size - 1] <= ' ')
            line.size--;
    }
    return slice_sub(line, 0, most);
}

static void append_clean(struct buffer *output, struct slice line)
{
    for (size_t i = 0; i < line.size; i++) {
        unsigned char c = (unsigned char)line.data[i];
        buffer_append_byte(output, c < ' ' || c >= 0x7f ? ' ' : line.data[i]);
    }
}

void lmtp_rejected(struct lmtp *lmtp, struct slice reason, struct buffer *output)
{
    static const char code[] = "550-5.7.1 ";
    const size_t around = sizeof(code) - 1 + 2; /* of each line */
    size_t left = LMTP_REPLY_MAXIMUM;
    struct slice line = next_line(&reason, left - around);
    do {
        left -= around + line.size;
        struct slice next = left > around ? next_line(&reason, left - around) : SLICE("");
        buffer_append_format(output, "550%c5.7.1 ", next.size ? '-' : ' ');
        append_clean(output, line);
        buffer_append_string(output, "\r\n");
        line = next;
    } while (line.size);
    if (++lmtp->delivered == lmtp->accepted)
        reset(lmtp);
}
