/*
 * Before login. An exchange is: asked (the caller owes an answer) -> exchange (the client owes a
 * line) -> asked ... until the caller refuses, or grants and takes the stream.
 */
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

void imap_login_init(struct imap_login *login, const struct login_options *options, bool tls)
{
    *login = (struct imap_login){.options = *options, .tls = tls};
    reset_reader(login);
    login_exchange_init(&login->exchange, IMAP_TAG_MAXIMUM, IMAP_LOGIN_LINE_MAXIMUM);
}

void imap_login_release(struct imap_login *login)
{
    imap_reader_release(&login->reader);
    login_exchange_release(&login->exchange);
}

static bool password_allowed(const struct imap_login *login)
{
    return login_password_allowed(&login->options, login->tls);
}

/* What applies to this stream now (RFC 9051 section 7.2.2). */
static void write_capabilities(const struct imap_login *login, struct buffer *output)
{
    buffer_append_string(output, "CAPABILITY IMAP4rev1 LITERAL+ SASL-IR ID ENABLE");
    if (!login->tls && login->options.tls_available)
        buffer_append_string(output, " STARTTLS");
    if (!password_allowed(login)) {
        buffer_append_string(output, " LOGINDISABLED");
        return;
    }
    struct slice words = slice_from_string(login->options.mechanisms);
    for (struct slice word; (word = login_next_mechanism(&words)).size;) {
        buffer_append_string(output, " AUTH=");
        buffer_append(output, word);
    }
}

void imap_login_greet(struct imap_login *login, struct buffer *output)
{
    buffer_append_string(output, "* OK [");
    write_capabilities(login, output);
    buffer_append_format(output, "] %s ready\r\n", login->options.hostname);
}

void imap_login_bye(struct imap_login *login, const char *code, const char *text,
                    struct buffer *output)
{
    login->closed = true;
    imap_write_status(output, SLICE("*"), "BYE", code, text);
}

static enum login_action bad(struct imap_login *login, struct slice tag, const char *text,
                             struct buffer *output)
{
    imap_write_status(output, tag, "BAD", NULL, text);
    if (++login->bad_count < IMAP_LOGIN_BAD_MAXIMUM)
        return LOGIN_MORE;
    imap_login_bye(login, NULL, "Too many bad commands", output);
    return LOGIN_CLOSE;
}

/* --- one function for each command --- */

typedef enum login_action login_handler(struct imap_login *login,
                                        const struct imap_command *command, struct buffer *output);

static enum login_action ok(const struct imap_command *command, const char *text,
                            struct buffer *output)
{
    imap_write_status(output, command->tag, "OK", NULL, text);
    return LOGIN_MORE;
}

static enum login_action no(const struct imap_command *command, const char *code, const char *text,
                            struct buffer *output)
{
    imap_write_status(output, command->tag, "NO", code, text);
    return LOGIN_MORE;
}

static login_handler do_capability, do_noop, do_logout, do_id, do_starttls, do_authenticate,
    do_login;

static enum login_action do_capability(struct imap_login *login, const struct imap_command *command,
                                       struct buffer *output)
{
    buffer_append_string(output, "* ");
    write_capabilities(login, output);
    buffer_append_string(output, "\r\n");
    return ok(command, "Capability completed", output);
}

static enum login_action do_noop(struct imap_login *login, const struct imap_command *command,
                                 struct buffer *output)
{
    (void)login;
    return ok(command, "NOOP completed", output);
}

static enum login_action do_logout(struct imap_login *login, const struct imap_command *command,
                                   struct buffer *output)
{
    imap_login_bye(login, NULL, "Logging out", output);
    ok(command, "Logout completed", output);
    return LOGIN_CLOSE;
}

static enum login_action do_id(struct imap_login *login, const struct imap_command *command,
                               struct buffer *output)
{
    (void)login;
    buffer_append_string(output, "* ID (\"name\" \"Chapar\")\r\n");
    return ok(command, "ID completed", output);
}

static enum login_action do_starttls(struct imap_login *login, const struct imap_command *command,
                                     struct buffer *output)
{
    if (login->tls)
        return bad(login, command->tag, "TLS is active already", output);
    if (!login->options.tls_available)
        return no(command, NULL, "TLS is not available", output);
    ok(command, "Begin TLS negotiation now", output);
    return LOGIN_STARTTLS;
}

/* The caller's turn: login->response and mechanism are set. */
static enum login_action ask(struct imap_login *login)
{
    login->asked = true;
    login->exchanging = false;
    /* What the reader still has of the command or line is wiped by this. */
    struct slice nothing = {0};
    imap_reader_next(&login->reader, &nothing);
    return LOGIN_AUTHENTICATE;
}

static enum login_action do_login(struct imap_login *login, const struct imap_command *command,
                                  struct buffer *output)
{
    if (!password_allowed(login))
        return no(command, "PRIVACYREQUIRED", "Start TLS first", output);
    login_exchange_begin(&login->exchange, command->tag, SLICE("PLAIN"), true);
    if (!login_exchange_set_plain(&login->exchange, command->login.user, command->login.password))
        return ask(login);
    return no(command, "AUTHENTICATIONFAILED", "Authentication failed", output);
}

static void request_response(struct imap_login *login, struct slice challenge,
                             struct buffer *output)
{
    login_write_challenge(challenge, output);
    login->exchanging = true;
    imap_reader_expect_line(&login->reader);
}

static enum login_action do_authenticate(struct imap_login *login,
                                         const struct imap_command *command, struct buffer *output)
{
    struct slice mechanism = login_find_mechanism(&login->options, command->authenticate.mechanism);
    if (!password_allowed(login))
        return no(command, "PRIVACYREQUIRED", "Start TLS first", output);
    if (mechanism.size == 0)
        return no(command, NULL, "Unknown mechanism", output);
    bool initial = command->authenticate.has_initial;
    login_exchange_begin(&login->exchange, command->tag, mechanism, initial);
    if (initial) {
        buffer_append(&login->exchange.response, command->authenticate.initial);
        return ask(login);
    }
    if (!slice_equal(mechanism, SLICE("PLAIN")))
        return ask(login);
    request_response(login, (struct slice){0}, output);
    return LOGIN_MORE;
}

static login_handler *const handlers[IMAP_COMMAND_COUNT] = {
    [IMAP_CAPABILITY] = do_capability, [IMAP_NOOP] = do_noop,
    [IMAP_LOGOUT] = do_logout,         [IMAP_ID] = do_id,
    [IMAP_STARTTLS] = do_starttls,     [IMAP_AUTHENTICATE] = do_authenticate,
    [IMAP_LOGIN] = do_login,
};

/* --- the exchange --- */

static enum login_action end_exchange(struct imap_login *login, const char *text,
                                      struct buffer *output)
{
    login->exchanging = false;
    login_exchange_wipe(&login->exchange);
    return bad(login, buffer_slice(&login->exchange.tag), text, output);
}

static enum login_action take_response(struct imap_login *login, struct slice line,
                                       struct buffer *output)
{
    int error = login_exchange_take(&login->exchange, line);
    if (error == ERROR_CLOSED)
        return end_exchange(login, "Authentication cancelled", output);
    if (error)
        return end_exchange(login, "The response is not base64", output);
    return ask(login);
}

void imap_login_challenge(struct imap_login *login, struct slice challenge, struct buffer *output)
{
    login->asked = false;
    login->exchange.first_response = false;
    login_exchange_wipe(&login->exchange);
    request_response(login, challenge, output);
}

void imap_login_refused(struct imap_login *login, int error, struct buffer *output)
{
    bool temporary = error_is_temporary(error);
    login->asked = false;
    login_exchange_wipe(&login->exchange);
    imap_write_status(output, buffer_slice(&login->exchange.tag), "NO",
                      temporary ? "UNAVAILABLE" : "AUTHENTICATIONFAILED",
                      temporary ? "Try again later" : "Authentication failed");
}

void imap_login_tls_started(struct imap_login *login)
{
    imap_reader_release(&login->reader);
    reset_reader(login);
    login->tls = true;
}

/* --- events --- */

static enum login_action take_event(struct imap_login *login, const struct imap_event *event,
                                    struct buffer *output)
{
    char text[IMAP_BAD_TEXT_MAXIMUM + 1];
    switch (event->kind) {
    case IMAP_EVENT_CONTINUE:
        buffer_append_string(output, "+ OK\r\n");
        return LOGIN_MORE;
    case IMAP_EVENT_COMMAND:
        return handlers[event->command->id](login, event->command, output);
    case IMAP_EVENT_LINE:
        return take_response(login, event->text, output);
    case IMAP_EVENT_CLOSE:
        imap_login_bye(login, NULL, "The command is too large", output);
        return LOGIN_CLOSE;
    default:
        snprintf(text, sizeof(text), "%.*s", SLICE_FORMAT(event->text));
        if (login->exchanging)
            return end_exchange(login, text, output);
        return bad(login, event->tag, text, output);
    }
}

enum login_action imap_login_consume(struct imap_login *login, struct slice *input,
                                     struct buffer *output)
{
    enum login_action action = LOGIN_MORE;
    if (login->closed)
        return LOGIN_CLOSE;
    if (login->asked)
        return LOGIN_AUTHENTICATE;
    do {
        if (output->size && output->maximum - output->size < IMAP_LOGIN_REPLY_MAXIMUM)
            return LOGIN_MORE;
        struct imap_event event = imap_reader_next(&login->reader, input);
        if (event.kind == IMAP_EVENT_MORE)
            return LOGIN_MORE;
        action = take_event(login, &event, output);
    } while (action == LOGIN_MORE);
    /* RFC 9051 section 11.1: nothing sent in the clear counts once TLS has begun. */
    if (action == LOGIN_STARTTLS)
        *input = slice_sub(*input, input->size, 0);
    return action;
}
