#include "proto/managesieve/login.h"

#include "base/error.h"
#include "proto/managesieve/writer.h"

static struct managesieve_login *managesieve_of(struct login_engine *engine)
{
    return (struct managesieve_login *)engine;
}

static void release(struct login_engine *engine)
{
    managesieve_reader_release(&managesieve_of(engine)->reader);
}

/* RFC 5804 section 1.7: the list of mechanisms may only be empty where STARTTLS fills it. */
static void greet(struct login_engine *engine, struct buffer *output)
{
    bool starttls = !engine->tls && engine->options.tls_available;
    const char *mechanisms = starttls ? "" : NULL;
    if (login_engine_password_allowed(engine))
        mechanisms = login_engine_mechanisms(engine);
    const struct managesieve_capabilities capabilities = {.mechanisms = mechanisms,
                                                          .starttls = starttls};
    managesieve_write_capabilities(output, &capabilities);
}

static void bye(struct login_engine *engine, bool unavailable, const char *text,
                struct buffer *output)
{
    (void)engine;
    managesieve_write_status(output, "BYE", unavailable ? "TRYLATER" : NULL,
                             slice_from_string(text));
}

static enum login_action end(struct login_engine *engine, const char *text, struct buffer *output)
{
    login_engine_bye(engine, false, text, output);
    return LOGIN_CLOSE;
}

/* --- one function for each command --- */

typedef enum login_action login_handler(struct login_engine *engine,
                                        const struct managesieve_command *command,
                                        struct buffer *output);

static enum login_action do_capability(struct login_engine *engine,
                                       const struct managesieve_command *command,
                                       struct buffer *output)
{
    (void)command;
    greet(engine, output);
    return LOGIN_MORE;
}

static enum login_action do_noop(struct login_engine *engine,
                                 const struct managesieve_command *command, struct buffer *output)
{
    (void)engine;
    managesieve_write_noop(output, command->first);
    return LOGIN_MORE;
}

static enum login_action do_logout(struct login_engine *engine,
                                   const struct managesieve_command *command, struct buffer *output)
{
    (void)command;
    engine->closed = true;
    managesieve_write_ok(output, "Goodbye");
    return LOGIN_CLOSE;
}

static enum login_action do_starttls(struct login_engine *engine,
                                     const struct managesieve_command *command,
                                     struct buffer *output)
{
    (void)command;
    return login_engine_start_tls(engine, output);
}

static enum login_action do_authenticate(struct login_engine *engine,
                                         const struct managesieve_command *command,
                                         struct buffer *output)
{
    return login_engine_authenticate(engine, SLICE(""), command->first, command->second, output);
}

/* The states of the command table leave these only. */
static login_handler *const handlers[MANAGESIEVE_COMMANDS] = {
    [MANAGESIEVE_AUTHENTICATE] = do_authenticate,
    [MANAGESIEVE_CAPABILITY] = do_capability,
    [MANAGESIEVE_LOGOUT] = do_logout,
    [MANAGESIEVE_NOOP] = do_noop,
    [MANAGESIEVE_STARTTLS] = do_starttls,
};

/* --- events --- */

static enum login_action take_line(struct login_engine *engine, const struct managesieve_line *line,
                                   struct buffer *output)
{
    struct managesieve_command command;
    const char *problem;
    if (engine->exchanging && (line->argument_count != 1 || line->arguments[0].is_number))
        return login_engine_end_exchange(engine, LOGIN_BAD, "Not a string", output);
    if (engine->exchanging)
        return login_engine_take_response(engine, line->arguments[0].string, output);
    if (managesieve_command_parse(line, MANAGESIEVE_NOT_AUTHENTICATED, &command, &problem))
        return login_engine_bad(engine, LOGIN_BAD, problem, output);
    return handlers[command.id](engine, &command, output);
}

static enum login_action refuse_line(struct login_engine *engine, const char *problem,
                                     struct buffer *output)
{
    if (engine->exchanging)
        return login_engine_end_exchange(engine, LOGIN_BAD, problem, output);
    return login_engine_bad(engine, LOGIN_BAD, problem, output);
}

static bool step(struct login_engine *engine, struct slice *input, struct buffer *output,
                 enum login_action *action)
{
    struct managesieve_line line;
    const char *problem;
    switch (managesieve_reader_next(&managesieve_of(engine)->reader, input, &line, &problem)) {
    case MANAGESIEVE_MORE:
        return false;
    case MANAGESIEVE_COMMAND:
        *action = take_line(engine, &line, output);
        return true;
    case MANAGESIEVE_BAD:
        *action = refuse_line(engine, problem, output);
        return true;
    case MANAGESIEVE_TOO_LARGE:
        *action = refuse_line(engine, "The string is too long", output);
        return true;
    default:
        *action = end(engine, problem, output);
        return true;
    }
}

/* --- the exchange --- */

static void expect_response(struct login_engine *engine)
{
    managesieve_reader_expect_string(&managesieve_of(engine)->reader);
}

static void tls_begins(struct login_engine *engine, struct buffer *output)
{
    (void)engine;
    managesieve_write_ok(output, "Begin TLS negotiation");
}

/* RFC 5804 section 2: whatever is not understood has a NO. */
static void no(struct login_engine *engine, enum login_problem problem, const char *text,
               struct buffer *output)
{
    (void)engine;
    managesieve_write_no(output, problem == LOGIN_NEEDS_TLS ? "ENCRYPT-NEEDED" : NULL, text);
}

static void refused(struct login_engine *engine, int error, struct buffer *output)
{
    (void)engine;
    bool temporary = error_is_temporary(error);
    managesieve_write_no(output, temporary ? "TRYLATER" : NULL,
                         temporary ? "Try again later" : "Authentication failed");
}

/* RFC 5804 section 2.2: what was said in the clear is forgotten, the capabilities are said anew. */
static void tls_started(struct login_engine *engine, struct buffer *output)
{
    release(engine);
    greet(engine, output);
}

static const struct login_functions functions = {
    .reply_maximum = MANAGESIEVE_LOGIN_REPLY_MAXIMUM,
    .bad_maximum = MANAGESIEVE_BAD_MAXIMUM,
    .challenge_before = "\"",
    .challenge_after = "\"\r\n",
    .release = release,
    .greet = greet,
    .step = step,
    .tls_begins = tls_begins,
    .no = no,
    .expect_response = expect_response,
    .wipe_line = release,
    .exchange_failed = login_engine_bad,
    .refused = refused,
    .bye = bye,
    .tls_started = tls_started,
};

void managesieve_login_init(struct managesieve_login *login, const struct login_options *options,
                            bool tls)
{
    login_engine_init(&login->engine, &functions, options, tls);
    login_exchange_init(&login->engine.exchange, MANAGESIEVE_LOGIN_TAG_MAXIMUM,
                        MANAGESIEVE_LOGIN_RESPONSE_MAXIMUM);
    managesieve_reader_init(&login->reader, MANAGESIEVE_LOGIN_LITERALS_MAXIMUM);
}
