/*
 * The actions of RFC 5228 section 4, with the arguments that extensions give them.
 */
#include "base/error.h"
#include "format/address.h"
#include "format/text.h"
#include "sieve/run_priv.h"
#include "sieve/validate_priv.h"

/* reject excludes whatever else delivers or answers (RFC 5429 section 2.4). */
static bool excludes(enum sieve_action_kind a, enum sieve_action_kind b)
{
    bool rejects = a == SIEVE_REJECT || a == SIEVE_EREJECT;
    return rejects && b != SIEVE_NOTIFY && b != SIEVE_DISCARD;
}

static struct sieve_action *find_action(struct run *run, enum sieve_action_kind kind,
                                        struct slice target)
{
    bool once = kind == SIEVE_KEEP || kind == SIEVE_FILEINTO || kind == SIEVE_REDIRECT;
    for (size_t i = 0; i < run->action_count; i++) {
        struct sieve_action *action = run->actions[i];
        if (excludes(action->kind, kind) || excludes(kind, action->kind))
            return run_fail(run, "reject goes together with no other action"), NULL;
        if (once && action->kind == kind && slice_equal(action->target, target))
            return action;
    }
    return NULL;
}

struct sieve_action *run_action(struct run *run, enum sieve_action_kind kind, struct slice target)
{
    struct sieve_action *action = find_action(run, kind, target);
    if (action || run->failed)
        return action;
    /* One is left for the implicit keep. */
    if (run->action_count == SIEVE_ACTIONS_MAXIMUM - 1)
        return run_fail(run, "the script has more than %d actions", SIEVE_ACTIONS_MAXIMUM - 1),
               NULL;
    action = run_alloc(run, sizeof(*action));
    if (!action)
        return NULL;
    *action = (struct sieve_action){.kind = kind, .line = run->line, .target = target};
    run_message(run, &action->header, &action->body);
    if (kind == SIEVE_REDIRECT && run->message.enclosed) { /* RFC 5703 section 6 */
        action->header = run->message.enclosed_header;
        action->body = run->message.enclosed_body;
    }
    if (run->failed)
        return NULL;
    if (arena_failed(&run->arena))
        return run_fail(run, "the script needs too much memory"), NULL;
    run->actions[run->action_count++] = action;
    return action;
}

static const struct tag keep_tags[] = {
    {"flags", EXT_IMAP4FLAGS, TAG_VALUE, 0, 0},
    {0},
};

/* Operands: 0 flags. */
static int run_keep(struct run *run, const uint32_t *operands)
{
    struct slice inbox = {"INBOX", 5};
    struct sieve_action *action = run_action(run, SIEVE_KEEP, inbox);
    if (!action)
        return ERROR_SYNTAX;
    action_flags(run, action, operands[0]);
    run->keep_cancelled = true;
    run_trace(run, "keep");
    return 0;
}

const struct definition definition_keep = {
    .name = "keep", .operands = "L", .positions = "", .tags = {keep_tags}, .run = run_keep};

static int run_discard(struct run *run, const uint32_t *operands)
{
    (void)operands;
    run->keep_cancelled = true;
    run_trace(run, "discard");
    return 0;
}

const struct definition definition_discard = {
    .name = "discard", .operands = "", .positions = "", .run = run_discard};

enum { ACTION_COPY = 1 << 8, ACTION_CREATE = 1 << 9 };

/* RFC 9042 section 4.2. */
static void check_fileinto(struct validator *validator, struct command *command)
{
    if (operand_strings(command, 3) && operand_strings(command, 4))
        validator_error(validator, command->line, command->column,
                        ":mailboxid and :specialuse do not go together");
}

/* Operands: 0 copy and create, 1 the mailbox, 2 flags, 3 its id, 4 its special use. */
static int run_fileinto(struct run *run, const uint32_t *operands)
{
    struct slice mailbox = run_string(run, operands[1]);
    if (!mailbox.data)
        return ERROR_SYNTAX;
    if (!mailbox.size || !text_is_utf8(mailbox))
        return run_fail(run, "fileinto needs a mailbox's name");
    struct sieve_action *action = run_action(run, SIEVE_FILEINTO, mailbox);
    if (!action)
        return ERROR_SYNTAX;
    action->create |= (operands[0] & ACTION_CREATE) != 0;
    action->mailbox_id = run_string(run, operands[3]);
    action->special_use = run_string(run, operands[4]);
    action_flags(run, action, operands[2]);
    run->keep_cancelled |= !(operands[0] & ACTION_COPY);
    run_trace(run, "fileinto \"%.*s\"", QUOTED(mailbox));
    return 0;
}

static const struct tag fileinto_tags[] = {
    {"copy", EXT_COPY, TAG_FLAG, 0, ACTION_COPY},
    {"create", EXT_MAILBOX, TAG_FLAG, 0, ACTION_CREATE},
    {"flags", EXT_IMAP4FLAGS, TAG_VALUE, 2, 0},
    {"mailboxid", EXT_MAILBOXID, TAG_VALUE, 3, 0},
    {"specialuse", EXT_SPECIAL_USE, TAG_VALUE, 4, 0},
    {0},
};

const struct definition definition_fileinto = {.name = "fileinto",
                                               .extension = EXT_FILEINTO,
                                               .operands = "wsLSS",
                                               .positions = "b",
                                               .tags = {fileinto_tags},
                                               .check = check_fileinto,
                                               .run = run_fileinto};

/* Whether a command of SMTP can have it. */
static bool is_sendable(struct slice text)
{
    for (size_t i = 0; i < text.size; i++)
        if ((unsigned char)text.data[i] <= ' ' || text.data[i] == 0x7f)
            return false;
    return true;
}

/* Section 2.4.2.3: an address with or without a name before it, and nothing else. *bare is
 * local@domain, in the address's own bytes or in the buffer. */
bool bare_address(struct slice text, struct buffer *bare)
{
    struct address_parser parser;
    struct address address;
    address_parser_init(&parser, text);
    if (!address_next(&parser, &address) || address.kind != ADDRESS_MAILBOX ||
        !address.local.size || !address.domain.size || address.route.size)
        return false;
    if (!is_sendable(address.local) || !is_sendable(address.domain))
        return false;
    buffer_clear(bare);
    buffer_append(bare, address.local);
    buffer_append_byte(bare, '@');
    buffer_append(bare, address.domain);
    return !address_next(&parser, &address) && !buffer_error(bare);
}

void check_address(struct validator *validator, const struct command *command, unsigned operand)
{
    struct buffer bare;
    buffer_init(&bare, 4 * ADDRESS_WORDS_MAXIMUM);
    for (const struct tree_string *string = operand_strings(command, operand); string;
         string = string->next)
        if (validator_is_constant(validator, string->text) && !bare_address(string->text, &bare))
            validator_error(validator, string->line, string->column, "\"%.*s\" is no address",
                            QUOTED(string->text));
    buffer_release(&bare);
}

enum { ACTION_LIST = 1 << 10, ACTION_BYTRACE = 1 << 11 };

/* RFC 3461 section 4.1: NEVER alone, or some of the others. False: it is none of that. */
static bool parse_notify(struct slice text, unsigned *notify)
{
    static const char *const names[] = {"SUCCESS", "FAILURE", "DELAY"};
    *notify = 0;
    if (slice_equal_nocase(text, SLICE("NEVER")))
        return true;
    while (text.size) {
        struct slice word = slice_sub(text, 0, slice_find(text, ','));
        unsigned i = 0;
        while (i < 3 && !slice_equal_nocase(word, slice_from_string(names[i])))
            i++;
        if (i == 3 || *notify & 1U << i)
            return false;
        *notify |= 1U << i;
        text = slice_sub(text, word.size + 1, SIZE_MAX);
    }
    return *notify != 0;
}

static char parse_ret(struct slice text)
{
    return slice_equal_nocase(text, SLICE("FULL"))   ? 'F'
           : slice_equal_nocase(text, SLICE("HDRS")) ? 'H'
                                                     : 0;
}

static char parse_by_mode(struct slice text)
{
    return slice_equal_nocase(text, SLICE("NOTIFY"))   ? 'N'
           : slice_equal_nocase(text, SLICE("RETURN")) ? 'R'
                                                       : 0;
}

/* A constant value of an argument; false: there is none to be checked. */
static bool constant_value(const struct validator *validator, const struct command *command,
                           unsigned operand, struct slice *text)
{
    const struct tree_string *string = operand_strings(command, operand);
    if (!string || !validator_is_constant(validator, string->text))
        return false;
    *text = string->text;
    return true;
}

static void check_redirect(struct validator *validator, struct command *command)
{
    struct slice text;
    unsigned notify, line = command->line, column = command->column;
    uint32_t word = command->operands[0].word;
    bool by = command->operands[4].kind != OPERAND_NONE;
    if (!(word & ACTION_LIST))
        check_address(validator, command, 1);
    if (constant_value(validator, command, 2, &text) && !parse_notify(text, &notify))
        validator_error(validator, line, column, "\"%.*s\" is no value of :notify", QUOTED(text));
    if (constant_value(validator, command, 3, &text) && !parse_ret(text))
        validator_error(validator, line, column, "\"%.*s\" is no value of :ret", QUOTED(text));
    if (constant_value(validator, command, 5, &text) && !parse_by_mode(text))
        validator_error(validator, line, column, "\"%.*s\" is no value of :bymode", QUOTED(text));
    if (!by && (operand_strings(command, 5) || word & ACTION_BYTRACE))
        validator_error(validator, line, column, ":bymode and :bytrace need :bytimerelative");
}

/* RFC 6009 sections 4, 5. */
static int take_dsn(struct run *run, struct sieve_action *action, const uint32_t *operands)
{
    struct slice notify = run_string(run, operands[2]), ret = run_string(run, operands[3]);
    struct slice mode = run_string(run, operands[5]);
    uint64_t by = run_number(run, operands[4], 0);
    action->notify_given = notify.data != NULL;
    if (notify.data && !parse_notify(notify, &action->notify))
        return run_fail(run, "\"%.*s\" is no value of :notify", QUOTED(notify));
    action->ret = parse_ret(ret);
    if (ret.data && !action->ret)
        return run_fail(run, "\"%.*s\" is no value of :ret", QUOTED(ret));
    action->by_given = operands[4] != NO_CONSTANT;
    action->by_mode = !action->by_given ? 0 : mode.data ? parse_by_mode(mode) : 'R';
    if (mode.data && !action->by_mode)
        return run_fail(run, "\"%.*s\" is no value of :bymode", QUOTED(mode));
    action->by_time =
        by > 999999999 ? 999999999 : (int64_t)by; /* RFC 2852 section 4: nine digits */
    action->by_trace = (operands[0] & ACTION_BYTRACE) != 0;
    return run->failed ? ERROR_SYNTAX : 0;
}

/* The address, or with :list the list's name, which the host resolves (RFC 6134 section 2.3). */
static struct slice redirect_target(struct run *run, const uint32_t *operands)
{
    struct slice text = run_string(run, operands[1]), none = {NULL, 0};
    bool valid = run->host->list_valid != NULL;
    if (operands[0] & ACTION_LIST) {
        if (valid && run->host->list_valid(run->host->arg, text, &valid))
            valid = false;
        return valid ? text : (run_fail(run, "there is no list \"%.*s\"", QUOTED(text)), none);
    }
    if (text.data && bare_address(text, &run->scratch))
        return run_copy(run, buffer_slice(&run->scratch));
    run_fail(run, "redirect: \"%.*s\" is no address", QUOTED(text));
    return none;
}

/* Operands: 0 flags, 1 the address, 2 notify, 3 ret, 4 the time, 5 its mode. */
static int run_redirect(struct run *run, const uint32_t *operands)
{
    struct slice target = redirect_target(run, operands);
    size_t before = run->action_count;
    struct sieve_action *action = target.data ? run_action(run, SIEVE_REDIRECT, target) : NULL;
    if (!action)
        return ERROR_SYNTAX;
    run->redirects += run->action_count > before;
    if (run->redirects > SIEVE_REDIRECTS_MAXIMUM)
        return run_fail(run, "a script may redirect a message to %d addresses",
                        SIEVE_REDIRECTS_MAXIMUM);
    action->list = (operands[0] & ACTION_LIST) != 0;
    run->keep_cancelled |= !(operands[0] & ACTION_COPY);
    run_trace(run, "redirect \"%.*s\"", QUOTED(target));
    return take_dsn(run, action, operands);
}

static const struct tag redirect_tags[] = {
    {"copy", EXT_COPY, TAG_FLAG, 0, ACTION_COPY},
    {"list", EXT_EXTLISTS, TAG_FLAG, 0, ACTION_LIST},
    {"notify", EXT_REDIRECT_DSN, TAG_VALUE, 2, 0},
    {"ret", EXT_REDIRECT_DSN, TAG_VALUE, 3, 0},
    {"bytimerelative", EXT_REDIRECT_DELIVERBY, TAG_VALUE, 4, 0},
    {"bymode", EXT_REDIRECT_DELIVERBY, TAG_VALUE, 5, 0},
    {"bytrace", EXT_REDIRECT_DELIVERBY, TAG_FLAG, 0, ACTION_BYTRACE},
    {0},
};

const struct definition definition_redirect = {.name = "redirect",
                                               .operands = "wsSSNS",
                                               .positions = "b",
                                               .tags = {redirect_tags},
                                               .check = check_redirect,
                                               .run = run_redirect};
