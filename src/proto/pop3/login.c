#include "proto/pop3/login.h"

#include "base/error.h"
#include "proto/pop3/writer.h"

static struct pop3_login *pop3_of(struct login_engine *engine)
{
    return (struct pop3_login *)engine;
}

static void greet(struct login_engine *engine, struct buffer *output)
{
    buffer_append_format(output, "+OK %s ready\r\n", engine->options.hostname);
}

static void bye(struct login_engine *engine, bool unavailable, const char *text,
                struct buffer *output)
{
    pop3_write_error(output, engine->language, unavailable ? "SYS/TEMP" : NULL, text);
}

/* --- one function for each command --- */

typedef enum login_action login_handler(struct login_engine *engine,
                                        const struct pop3_command *command, struct buffer *output);

static enum login_action do_capa(struct login_engine *engine, const struct pop3_command *command,
                                 struct buffer *output)
{
    struct buffer more;
    (void)command;
    buffer_init(&more, POP3_REPLY_MAXIMUM);
    if (!engine->tls && engine->options.tls_available)
        buffer_append_string(&more, "STLS\r\n");
    if (login_engine_password_allowed(engine))
        buffer_append_format(&more, "USER\r\nSASL %s\r\n", login_engine_mechanisms(engine));
    pop3_write_capabilities(output, more.size ? more.data : "");
    buffer_release(&more);
    return LOGIN_MORE;
}

static enum login_action do_lang(struct login_engine *engine, const struct pop3_command *command,
                                 struct buffer *output)
{
    engine->language = pop3_write_language(output, engine->language, command->argument);
    return LOGIN_MORE;
}

static enum login_action do_utf8(struct login_engine *engine, const struct pop3_command *command,
                                 struct buffer *output)
{
    struct pop3_login *login = pop3_of(engine);
    (void)command;
    login->utf8 = true;
    pop3_write_ok(output, engine->language, "UTF8 enabled");
    return LOGIN_MORE;
}

static enum login_action do_quit(struct login_engine *engine, const struct pop3_command *command,
                                 struct buffer *output)
{
    (void)command;
    engine->closed = true;
    pop3_write_ok(output, engine->language, "Goodbye");
    return LOGIN_CLOSE;
}

/* RFC 6856 section 2.1: no STLS after UTF8. */
static enum login_action do_stls(struct login_engine *engine, const struct pop3_command *command,
                                 struct buffer *output)
{
    (void)command;
    if (!engine->tls && pop3_of(engine)->utf8)
        return login_engine_no(engine, LOGIN_NOT_NOW, "Not after UTF8", output);
    return login_engine_start_tls(engine, output);
}

static enum login_action do_user(struct login_engine *engine, const struct pop3_command *command,
                                 struct buffer *output)
{
    struct pop3_login *login = pop3_of(engine);
    if (!login_engine_password_allowed(engine))
        return login_engine_no(engine, LOGIN_NEEDS_TLS, "Start TLS first", output);
    buffer_clear(&login->lines.name);
    if (buffer_append(&login->lines.name, command->argument)) {
        buffer_clear(&login->lines.name);
        return login_engine_bad(engine, LOGIN_BAD, "The name is too long", output);
    }
    /* Whether there is such an account is nobody's business yet (RFC 1939 section 13). */
    pop3_write_ok(output, engine->language, "Now the password");
    return LOGIN_MORE;
}

/* What the session is to know. */
static struct slice tag_of(struct login_engine *engine)
{
    return pop3_of(engine)->utf8 ? SLICE(POP3_TAG_UTF8) : SLICE("");
}

static enum login_action do_pass(struct login_engine *engine, const struct pop3_command *command,
                                 struct buffer *output)
{
    struct pop3_login *login = pop3_of(engine);
    if (login->lines.name.size == 0)
        return login_engine_bad(engine, LOGIN_NOT_NOW, "USER comes first", output);
    login_exchange_begin(&engine->exchange, tag_of(engine), SLICE("PLAIN"), true);
    int error = login_exchange_set_plain(&engine->exchange, buffer_slice(&login->lines.name),
                                         command->argument);
    buffer_release(&login->lines.name);
    if (!error)
        return login_engine_ask(engine);
    pop3_write_refusal(output, engine->language, ERROR_DENIED);
    return LOGIN_MORE;
}

static enum login_action do_auth(struct login_engine *engine, const struct pop3_command *command,
                                 struct buffer *output)
{
    return login_engine_authenticate(engine, tag_of(engine), command->argument,
                                     login_lines_initial(command->second), output);
}

/* The states of the command table leave these only. */
static login_handler *const handlers[POP3_COMMANDS] = {
    [POP3_AUTH] = do_auth, [POP3_CAPA] = do_capa, [POP3_LANG] = do_lang, [POP3_PASS] = do_pass,
    [POP3_QUIT] = do_quit, [POP3_STLS] = do_stls, [POP3_USER] = do_user, [POP3_UTF8] = do_utf8,
};

/* --- lines --- */

static enum login_action take_line(struct login_engine *engine, struct slice line,
                                   struct buffer *output)
{
    struct pop3_command command;
    const char *problem;
    if (line.size + 2 > POP3_LINE_MAXIMUM)
        return login_engine_bad(engine, LOGIN_BAD, "The line is too long", output);
    if (pop3_command_parse(line, POP3_AUTHORIZATION, &command, &problem))
        return login_engine_bad(engine, LOGIN_BAD, problem, output);
    return handlers[command.id](engine, &command, output);
}

static void tls_begins(struct login_engine *engine, struct buffer *output)
{
    pop3_write_ok(output, engine->language, "Begin TLS negotiation");
}

static void no(struct login_engine *engine, enum login_problem problem, const char *text,
               struct buffer *output)
{
    (void)problem;
    pop3_write_error(output, engine->language, NULL, text);
}

static void refused(struct login_engine *engine, int error, struct buffer *output)
{
    pop3_write_refusal(output, engine->language, error);
}

static const struct login_functions functions = {
    .reply_maximum = POP3_REPLY_MAXIMUM,
    .bad_maximum = POP3_BAD_MAXIMUM,
    .challenge_before = "+ ",
    .challenge_after = "\r\n",
    .release = login_lines_release,
    .greet = greet,
    .step = login_lines_step,
    .tls_begins = tls_begins,
    .no = no,
    .wipe_line = login_lines_wipe,
    .exchange_failed = login_engine_bad,
    .refused = refused,
    .bye = bye,
    .tls_started = login_lines_tls_started,
};

void pop3_login_init(struct pop3_login *login, const struct login_options *options, bool tls)
{
    static const struct login_lines_options lines = {.functions = &functions,
                                                     .take = take_line,
                                                     .line_maximum = POP3_LOGIN_LINE_MAXIMUM,
                                                     .name_maximum = POP3_LOGIN_NAME_MAXIMUM,
                                                     .tag_maximum = POP3_LOGIN_TAG_MAXIMUM};
    login_lines_init(&login->lines, &lines, options, tls);
    login->utf8 = false;
}
