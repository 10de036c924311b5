#include "proto/imap/login.h"

#include "base/error.h"
#include "proto/imap/writer.h"

static void reset_reader(struct imap_login *login)
{
    const struct imap_limits limits = {
        .line = IMAP_LOGIN_LINE_MAXIMUM,
        .literals = IMAP_LOGIN_LITERALS_MAXIMUM,
        .arena = IMAP_LOGIN_ARENA_MAXIMUM,
        .states = IMAP_STATE_NOT_AUTHENTICATED,
    };
    imap_reader_init(&login->reader, &limits);
}

static struct imap_login *imap_of(struct login_engine *engine)
{
    return (struct imap_login *)engine;
}

static void release(struct login_engine *engine)
{
    imap_reader_release(&imap_of(engine)->reader);
}

/* What applies to this stream now (RFC 9051 section 7.2.2). What is for everybody who has logged
 * in, and does nothing before, need not be told here. It is for cyradm, which asks now and never
 * again, and does not use what it has not heard of: Cyrus::IMAP::Admin looks for these, and for
 * nothing else that there is. */
static const char after_login[] = " LIST-EXTENDED SPECIAL-USE CREATE-SPECIAL-USE METADATA";

static void write_capabilities(const struct login_engine *engine, struct buffer *output)
{
    buffer_append_string(output,
                         "CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ID ENABLE LANGUAGE");
    buffer_append_string(output, after_login);
    if (!engine->tls && engine->options.tls_available)
        buffer_append_string(output, " STARTTLS");
    if (!login_engine_password_allowed(engine)) {
        buffer_append_string(output, " LOGINDISABLED");
        return;
    }
    struct slice words = slice_from_string(login_engine_mechanisms(engine));
    for (struct slice word; (word = login_next_mechanism(&words)).size;) {
        buffer_append_string(output, " AUTH=");
        buffer_append(output, word);
    }
}

static void greet(struct login_engine *engine, struct buffer *output)
{
    buffer_append_string(output, "* OK [");
    write_capabilities(engine, output);
    buffer_append_format(output, "] %s ready\r\n", engine->options.hostname);
}

static void bye(struct login_engine *engine, bool unavailable, const char *text,
                struct buffer *output)
{
    imap_write_status(output, engine->language, SLICE("*"), "BYE",
                      unavailable ? "UNAVAILABLE" : NULL, text);
}

static enum login_action bad(struct login_engine *engine, struct slice tag, const char *text,
                             struct buffer *output)
{
    imap_write_status(output, engine->language, tag, "BAD", NULL, text);
    if (++engine->bad_count < IMAP_LOGIN_BAD_MAXIMUM)
        return LOGIN_MORE;
    login_engine_bye(engine, false, "Too many bad commands", output);
    return LOGIN_CLOSE;
}

/* --- one function for each command --- */

typedef enum login_action login_handler(struct login_engine *engine,
                                        const struct imap_command *command, struct buffer *output);

static enum login_action ok(const struct login_engine *engine, const struct imap_command *command,
                            const char *text, struct buffer *output)
{
    imap_write_status(output, engine->language, command->tag, "OK", NULL, text);
    return LOGIN_MORE;
}

static enum login_action no(const struct login_engine *engine, const struct imap_command *command,
                            const char *code, const char *text, struct buffer *output)
{
    imap_write_status(output, engine->language, command->tag, "NO", code, text);
    return LOGIN_MORE;
}

static login_handler do_capability, do_noop, do_logout, do_id, do_language, do_starttls,
    do_authenticate, do_login;

static enum login_action do_capability(struct login_engine *engine,
                                       const struct imap_command *command, struct buffer *output)
{
    buffer_append_string(output, "* ");
    write_capabilities(engine, output);
    buffer_append_string(output, "\r\n");
    return ok(engine, command, "Capability completed", output);
}

static enum login_action do_noop(struct login_engine *engine, const struct imap_command *command,
                                 struct buffer *output)
{
    return ok(engine, command, "NOOP completed", output);
}

static enum login_action do_logout(struct login_engine *engine, const struct imap_command *command,
                                   struct buffer *output)
{
    login_engine_bye(engine, false, "Logging out", output);
    ok(engine, command, "Logout completed", output);
    return LOGIN_CLOSE;
}

static enum login_action do_id(struct login_engine *engine, const struct imap_command *command,
                               struct buffer *output)
{
    buffer_append_string(output, "* ID (\"name\" \"Chapar\")\r\n");
    return ok(engine, command, "ID completed", output);
}

/* RFC 5255 section 3.2. What is chosen here goes with the stream. */
static enum login_action do_language(struct login_engine *engine,
                                     const struct imap_command *command, struct buffer *output)
{
    if (!command->language.count) {
        imap_write_languages(output);
        return ok(engine, command, "Language completed", output);
    }
    if (!language_choose(command->language.ranges, command->language.count, &engine->language))
        return no(engine, command, NULL, "No such language", output);
    imap_write_language(output, engine->language);
    return ok(engine, command, "Now speaking English", output);
}

static enum login_action do_starttls(struct login_engine *engine,
                                     const struct imap_command *command, struct buffer *output)
{
    if (engine->tls)
        return bad(engine, command->tag, "TLS is active already", output);
    if (!engine->options.tls_available)
        return no(engine, command, NULL, "TLS is not available", output);
    ok(engine, command, "Begin TLS negotiation now", output);
    return LOGIN_STARTTLS;
}

static enum login_action do_login(struct login_engine *engine, const struct imap_command *command,
                                  struct buffer *output)
{
    if (!login_engine_password_allowed(engine))
        return no(engine, command, "PRIVACYREQUIRED", "Start TLS first", output);
    login_exchange_begin(&engine->exchange, command->tag, SLICE("PLAIN"), true);
    if (!login_exchange_set_plain(&engine->exchange, command->login.user, command->login.password))
        return login_engine_ask(engine);
    return no(engine, command, "AUTHENTICATIONFAILED", "Authentication failed", output);
}

static enum login_action do_authenticate(struct login_engine *engine,
                                         const struct imap_command *command, struct buffer *output)
{
    struct slice mechanism =
        login_find_mechanism(login_engine_mechanisms(engine), command->authenticate.mechanism);
    if (!login_engine_password_allowed(engine))
        return no(engine, command, "PRIVACYREQUIRED", "Start TLS first", output);
    if (mechanism.size == 0)
        return no(engine, command, NULL, "Unknown mechanism", output);
    bool initial = command->authenticate.has_initial;
    login_exchange_begin(&engine->exchange, command->tag, mechanism, initial);
    if (initial) {
        buffer_append(&engine->exchange.response, command->authenticate.initial);
        return login_engine_ask(engine);
    }
    if (!slice_equal(mechanism, SLICE("PLAIN")))
        return login_engine_ask(engine);
    return login_engine_request_response(engine, SLICE(""), output);
}

static login_handler *const handlers[IMAP_COMMAND_COUNT] = {
    [IMAP_CAPABILITY] = do_capability,
    [IMAP_NOOP] = do_noop,
    [IMAP_LOGOUT] = do_logout,
    [IMAP_ID] = do_id,
    [IMAP_LANGUAGE] = do_language,
    [IMAP_STARTTLS] = do_starttls,
    [IMAP_AUTHENTICATE] = do_authenticate,
    [IMAP_LOGIN] = do_login,
};

/* --- the exchange --- */

static enum login_action exchange_failed(struct login_engine *engine, enum login_problem problem,
                                         const char *reason, struct buffer *output)
{
    (void)problem;
    return bad(engine, buffer_slice(&engine->exchange.tag), reason, output);
}

static void expect_response(struct login_engine *engine)
{
    imap_reader_expect_line(&imap_of(engine)->reader);
}

/* The reader wipes what it has of a command when it is asked for the next. */
static void wipe_line(struct login_engine *engine)
{
    struct slice nothing = {0};
    imap_reader_next(&imap_of(engine)->reader, &nothing);
}

static void refused(struct login_engine *engine, int error, struct buffer *output)
{
    bool temporary = error_is_temporary(error);
    imap_write_status(output, engine->language, buffer_slice(&engine->exchange.tag), "NO",
                      temporary ? "UNAVAILABLE" : "AUTHENTICATIONFAILED",
                      temporary ? "Try again later" : "Authentication failed");
}

static void tls_started(struct login_engine *engine, struct buffer *output)
{
    (void)output;
    release(engine);
    reset_reader(imap_of(engine));
}

/* --- events --- */

static enum login_action take_event(struct login_engine *engine, const struct imap_event *event,
                                    struct buffer *output)
{
    char text[IMAP_BAD_TEXT_MAXIMUM + 1];
    switch (event->kind) {
    case IMAP_EVENT_CONTINUE:
        buffer_append_string(output, "+ OK\r\n");
        return LOGIN_MORE;
    case IMAP_EVENT_COMMAND:
        return handlers[event->command->id](engine, event->command, output);
    case IMAP_EVENT_LINE:
        return login_engine_take_response(engine, event->text, output);
    case IMAP_EVENT_CLOSE:
        login_engine_bye(engine, false, "The command is too large", output);
        return LOGIN_CLOSE;
    default:
        snprintf(text, sizeof(text), "%.*s", SLICE_FORMAT(event->text));
        if (engine->exchanging)
            return login_engine_end_exchange(engine, LOGIN_BAD, text, output);
        return bad(engine, event->tag, text, output);
    }
}

static bool step(struct login_engine *engine, struct slice *input, struct buffer *output,
                 enum login_action *action)
{
    struct imap_event event = imap_reader_next(&imap_of(engine)->reader, input);
    if (event.kind == IMAP_EVENT_MORE)
        return false;
    *action = take_event(engine, &event, output);
    return true;
}

static const struct login_functions functions = {
    .reply_maximum = IMAP_LOGIN_REPLY_MAXIMUM,
    .challenge_before = "+ ",
    .challenge_after = "\r\n",
    .release = release,
    .greet = greet,
    .step = step,
    .expect_response = expect_response,
    .wipe_line = wipe_line,
    .exchange_failed = exchange_failed,
    .refused = refused,
    .bye = bye,
    .tls_started = tls_started,
};

void imap_login_init(struct imap_login *login, const struct login_options *options, bool tls)
{
    login_engine_init(&login->engine, &functions, options, tls);
    login_exchange_init(&login->engine.exchange, IMAP_TAG_MAXIMUM, IMAP_LOGIN_LINE_MAXIMUM);
    reset_reader(login);
}
