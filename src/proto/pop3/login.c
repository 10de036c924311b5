/*
 * Before login. An exchange is: asked (the caller owes an answer) -> exchanging (the client owes a
 * line) -> asked ... until the caller refuses, or grants and takes the stream.
 */
#include "proto/pop3/login.h"

#include "base/error.h"
#include "proto/pop3/writer.h"

static void reset_reader(struct pop3_login *login)
{
    pop3_reader_init(&login->reader, POP3_LOGIN_LINE_MAXIMUM);
}

void pop3_login_init(struct pop3_login *login, const struct login_options *options, bool tls)
{
    *login = (struct pop3_login){.options = *options, .tls = tls};
    reset_reader(login);
    buffer_init(&login->name, POP3_LOGIN_NAME_MAXIMUM);
    login_exchange_init(&login->exchange, POP3_LOGIN_TAG_MAXIMUM, POP3_LOGIN_LINE_MAXIMUM);
}

void pop3_login_release(struct pop3_login *login)
{
    pop3_reader_release(&login->reader);
    buffer_release(&login->name);
    login_exchange_release(&login->exchange);
}

void pop3_login_greet(struct pop3_login *login, struct buffer *output)
{
    buffer_append_format(output, "+OK %s ready\r\n", login->options.hostname);
}

void pop3_login_bye(struct pop3_login *login, bool unavailable, const char *text,
                    struct buffer *output)
{
    login->closed = true;
    pop3_write_error(output, unavailable ? "SYS/TEMP" : NULL, text);
}

static enum login_action bad(struct pop3_login *login, const char *text, struct buffer *output)
{
    if (++login->bad_count < POP3_BAD_MAXIMUM) {
        pop3_write_error(output, NULL, text);
        return LOGIN_MORE;
    }
    pop3_login_bye(login, false, "Too many bad commands", output);
    return LOGIN_CLOSE;
}

static bool password_allowed(const struct pop3_login *login)
{
    return login_password_allowed(&login->options, login->tls);
}

/* --- one function for each command --- */

typedef enum login_action login_handler(struct pop3_login *login,
                                        const struct pop3_command *command, struct buffer *output);

static enum login_action no(const char *code, const char *text, struct buffer *output)
{
    pop3_write_error(output, code, text);
    return LOGIN_MORE;
}

/* The caller's turn: the exchange is set. The line it came in may be a password. */
static enum login_action ask(struct pop3_login *login)
{
    login->asked = true;
    login->exchanging = false;
    pop3_reader_release(&login->reader);
    return LOGIN_AUTHENTICATE;
}

static enum login_action do_capa(struct pop3_login *login, const struct pop3_command *command,
                                 struct buffer *output)
{
    struct buffer more;
    (void)command;
    buffer_init(&more, POP3_REPLY_MAXIMUM);
    if (!login->tls && login->options.tls_available)
        buffer_append_string(&more, "STLS\r\n");
    if (password_allowed(login))
        buffer_append_format(&more, "USER\r\nSASL %s\r\n", login->options.mechanisms);
    pop3_write_capabilities(output, more.size ? more.data : "");
    buffer_release(&more);
    return LOGIN_MORE;
}

static enum login_action do_lang(struct pop3_login *login, const struct pop3_command *command,
                                 struct buffer *output)
{
    (void)login;
    pop3_write_language(output, command->argument);
    return LOGIN_MORE;
}

static enum login_action do_utf8(struct pop3_login *login, const struct pop3_command *command,
                                 struct buffer *output)
{
    (void)command;
    login->utf8 = true;
    pop3_write_ok(output, "UTF8 enabled");
    return LOGIN_MORE;
}

static enum login_action do_quit(struct pop3_login *login, const struct pop3_command *command,
                                 struct buffer *output)
{
    (void)command;
    login->closed = true;
    pop3_write_ok(output, "Goodbye");
    return LOGIN_CLOSE;
}

/* RFC 6856 section 2.1: no STLS after UTF8. */
static enum login_action do_stls(struct pop3_login *login, const struct pop3_command *command,
                                 struct buffer *output)
{
    (void)command;
    if (login->tls)
        return bad(login, "TLS is active already", output);
    if (!login->options.tls_available || login->utf8)
        return no(NULL, login->utf8 ? "Not after UTF8" : "TLS is not available", output);
    pop3_write_ok(output, "Begin TLS negotiation");
    return LOGIN_STARTTLS;
}

static enum login_action do_user(struct pop3_login *login, const struct pop3_command *command,
                                 struct buffer *output)
{
    if (!password_allowed(login))
        return no(NULL, "Start TLS first", output);
    buffer_clear(&login->name);
    if (buffer_append(&login->name, command->argument)) {
        buffer_clear(&login->name);
        return bad(login, "The name is too long", output);
    }
    /* Whether there is such an account is nobody's business yet (RFC 1939 section 13). */
    pop3_write_ok(output, "Now the password");
    return LOGIN_MORE;
}

static void begin_exchange(struct pop3_login *login, struct slice mechanism, bool has_response)
{
    struct slice tag = login->utf8 ? SLICE(POP3_TAG_UTF8) : SLICE("");
    login_exchange_begin(&login->exchange, tag, mechanism, has_response);
}

static enum login_action do_pass(struct pop3_login *login, const struct pop3_command *command,
                                 struct buffer *output)
{
    if (login->name.size == 0)
        return bad(login, "USER comes first", output);
    begin_exchange(login, SLICE("PLAIN"), true);
    int error =
        login_exchange_set_plain(&login->exchange, buffer_slice(&login->name), command->argument);
    buffer_release(&login->name);
    if (!error)
        return ask(login);
    pop3_write_refusal(output, ERROR_DENIED);
    return LOGIN_MORE;
}

static enum login_action request_response(struct pop3_login *login, struct slice challenge,
                                          struct buffer *output)
{
    login_write_challenge(challenge, output);
    login->exchanging = true;
    return LOGIN_MORE;
}

static enum login_action end_exchange(struct pop3_login *login, const char *text,
                                      struct buffer *output)
{
    login->exchanging = false;
    login_exchange_wipe(&login->exchange);
    return bad(login, text, output);
}

static enum login_action take_response(struct pop3_login *login, struct slice line,
                                       struct buffer *output)
{
    int error = login_exchange_take(&login->exchange, line);
    if (error == ERROR_CLOSED)
        return end_exchange(login, "Authentication cancelled", output);
    if (error)
        return end_exchange(login, "The response is not base64", output);
    return ask(login);
}

static enum login_action do_auth(struct pop3_login *login, const struct pop3_command *command,
                                 struct buffer *output)
{
    struct slice mechanism = login_find_mechanism(&login->options, command->argument);
    bool initial = command->second.data != NULL;
    if (!password_allowed(login))
        return no(NULL, "Start TLS first", output);
    if (mechanism.size == 0)
        return no(NULL, "Unknown mechanism", output);
    begin_exchange(login, mechanism, false);
    if (initial && slice_equal(command->second, SLICE("="))) {
        login->exchange.has_response = true;
        return ask(login);
    }
    if (initial)
        return take_response(login, command->second, output);
    if (!slice_equal(mechanism, SLICE("PLAIN")))
        return ask(login);
    return request_response(login, SLICE(""), output);
}

/* The states of the command table leave these only. */
static login_handler *const handlers[POP3_COMMANDS] = {
    [POP3_AUTH] = do_auth, [POP3_CAPA] = do_capa, [POP3_LANG] = do_lang, [POP3_PASS] = do_pass,
    [POP3_QUIT] = do_quit, [POP3_STLS] = do_stls, [POP3_USER] = do_user, [POP3_UTF8] = do_utf8,
};

/* --- events --- */

static enum login_action take_line(struct pop3_login *login, struct slice line,
                                   struct buffer *output)
{
    struct pop3_command command;
    const char *problem;
    if (login->exchanging)
        return take_response(login, line, output);
    if (line.size + 2 > POP3_LINE_MAXIMUM)
        return bad(login, "The line is too long", output);
    if (pop3_command_parse(line, POP3_AUTHORIZATION, &command, &problem))
        return bad(login, problem, output);
    return handlers[command.id](login, &command, output);
}

static enum login_action step(struct pop3_login *login, enum pop3_line kind, struct slice line,
                              struct buffer *output)
{
    switch (kind) {
    case POP3_LINE_COMPLETE:
        return take_line(login, line, output);
    case POP3_LINE_TOO_LONG:
        return login->exchanging ? end_exchange(login, "The response is too long", output)
                                 : bad(login, "The line is too long", output);
    default:
        pop3_login_bye(login, false, "The line is too long", output);
        return LOGIN_CLOSE;
    }
}

enum login_action pop3_login_consume(struct pop3_login *login, struct slice *input,
                                     struct buffer *output)
{
    enum login_action action = LOGIN_MORE;
    if (login->closed)
        return LOGIN_CLOSE;
    if (login->asked)
        return LOGIN_AUTHENTICATE;
    do {
        struct slice line = {0};
        if (output->size && output->maximum - output->size < POP3_REPLY_MAXIMUM)
            return LOGIN_MORE;
        enum pop3_line kind = pop3_reader_next(&login->reader, input, &line);
        if (kind == POP3_LINE_MORE)
            return LOGIN_MORE;
        action = step(login, kind, line, output);
    } while (action == LOGIN_MORE);
    if (action == LOGIN_STARTTLS)
        *input = slice_sub(*input, input->size, 0);
    return action;
}

/* --- the caller's answers --- */

void pop3_login_tls_started(struct pop3_login *login)
{
    pop3_reader_release(&login->reader);
    reset_reader(login);
    buffer_release(&login->name);
    login->tls = true;
}

void pop3_login_challenge(struct pop3_login *login, struct slice challenge, struct buffer *output)
{
    login->asked = false;
    login->exchange.first_response = false;
    login_exchange_wipe(&login->exchange);
    request_response(login, challenge, output);
}

void pop3_login_refused(struct pop3_login *login, int error, struct buffer *output)
{
    login->asked = false;
    login_exchange_wipe(&login->exchange);
    pop3_write_refusal(output, error);
}
