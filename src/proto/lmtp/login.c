#include "proto/lmtp/login.h"

#include "base/error.h"
#include "proto/lmtp/hello_priv.h"

#define EXTERNAL "EXTERNAL"

/* LHLO's; empty: it has not been said. */
static struct buffer *name_of(struct login_engine *engine)
{
    return &((struct lmtp_login *)engine)->lines.name;
}

static void greet(struct login_engine *engine, struct buffer *output)
{
    lmtp_hello_greet(engine->options.hostname, output);
}

static void bye(struct login_engine *engine, bool unavailable, const char *text,
                struct buffer *output)
{
    (void)engine;
    buffer_append_format(output, "421 %s %s\r\n", unavailable ? "4.3.2" : "4.7.0", text);
}

static enum login_action reply(const char *text, struct buffer *output)
{
    buffer_append_format(output, "%s\r\n", text);
    return LOGIN_MORE;
}

/* What the session is to know: which command it answers, and the client's name. */
static struct slice make_tag(struct login_engine *engine, const char *command,
                             char text[LMTP_TAG_MAXIMUM + 1])
{
    struct slice name = buffer_slice(name_of(engine));
    int size = snprintf(text, LMTP_TAG_MAXIMUM + 1, "%s %.*s", command, SLICE_FORMAT(name));
    return slice_make(text, (size_t)size);
}

/* --- one function for each command; argument: what follows its name --- */

typedef enum login_action login_handler(struct login_engine *engine, struct slice argument,
                                        struct buffer *output);

/* What the extensions of this stream are now: those of delivery too, since a client that has logged
 * in goes on with what it was told before. */
static enum login_action answer_hello(struct login_engine *engine, struct buffer *output)
{
    struct buffer more;
    buffer_init(&more, LMTP_REPLY_MAXIMUM);
    if (login_engine_password_allowed(engine))
        buffer_append_format(&more, "AUTH %s\n", login_engine_mechanisms(engine));
    if (!engine->tls && engine->options.tls_available)
        buffer_append_string(&more, "STARTTLS\n");
    lmtp_hello_answer(engine->options.hostname, engine->options.message, more.size ? more.data : "",
                      output);
    buffer_release(&more);
    return LOGIN_MORE;
}

static enum login_action do_lhlo(struct login_engine *engine, struct slice argument,
                                 struct buffer *output)
{
    struct buffer *name = name_of(engine);
    char tag[LMTP_TAG_MAXIMUM + 1];
    if (!lmtp_hello_is_name(argument))
        return login_engine_bad(engine, LOGIN_BAD_ARGUMENT, "LHLO needs a host name", output);
    buffer_clear(name);
    buffer_append(name, argument);
    if (!engine->tls || !engine->options.trusted)
        return answer_hello(engine, output);
    login_exchange_begin(&engine->exchange, make_tag(engine, "LHLO", tag), SLICE(EXTERNAL), true);
    return login_engine_ask(engine);
}

static enum login_action do_helo(struct login_engine *engine, struct slice argument,
                                 struct buffer *output)
{
    (void)argument;
    return login_engine_bad(engine, LOGIN_BAD, "This is LMTP: say LHLO", output);
}

static enum login_action do_starttls(struct login_engine *engine, struct slice argument,
                                     struct buffer *output)
{
    if (argument.size)
        return login_engine_bad(engine, LOGIN_BAD_ARGUMENT, "STARTTLS takes no argument", output);
    return login_engine_start_tls(engine, output);
}

static enum login_action do_auth(struct login_engine *engine, struct slice argument,
                                 struct buffer *output)
{
    char tag[LMTP_TAG_MAXIMUM + 1];
    struct slice mechanism = slice_sub(argument, 0, slice_find(argument, ' '));
    struct slice initial = slice_sub(argument, mechanism.size + 1, SIZE_MAX);
    if (mechanism.size == 0)
        return login_engine_bad(engine, LOGIN_BAD_ARGUMENT, "AUTH needs a mechanism", output);
    if (name_of(engine)->size == 0)
        return login_engine_bad(engine, LOGIN_NOT_NOW, "Say LHLO first", output);
    if (mechanism.size == argument.size)
        initial.data = NULL;
    return login_engine_authenticate(engine, make_tag(engine, "AUTH", tag), mechanism,
                                     login_lines_initial(initial), output);
}

static enum login_action do_noop(struct login_engine *engine, struct slice argument,
                                 struct buffer *output)
{
    (void)engine;
    (void)argument;
    return reply("250 2.0.0 OK", output);
}

static enum login_action do_rset(struct login_engine *engine, struct slice argument,
                                 struct buffer *output)
{
    if (argument.size)
        return login_engine_bad(engine, LOGIN_BAD_ARGUMENT, "RSET takes no argument", output);
    return reply("250 2.0.0 Reset", output);
}

static enum login_action do_quit(struct login_engine *engine, struct slice argument,
                                 struct buffer *output)
{
    (void)argument;
    engine->closed = true;
    reply("221 2.0.0 Goodbye", output);
    return LOGIN_CLOSE;
}

static const struct {
    const char *name;
    login_handler *handler;
} commands[] = {
    {"LHLO", do_lhlo}, {"HELO", do_helo}, {"EHLO", do_helo}, {"STARTTLS", do_starttls},
    {"AUTH", do_auth}, {"NOOP", do_noop}, {"RSET", do_rset}, {"QUIT", do_quit},
};

/* RFC 3207 section 4 and RFC 4954 section 6: 530 for all that is not above. */
static enum login_action take_line(struct login_engine *engine, struct slice line,
                                   struct buffer *output)
{
    struct slice name = slice_sub(line, 0, slice_find(line, ' '));
    struct slice argument = slice_sub(line, name.size + 1, SIZE_MAX);
    while (argument.size && argument.data[argument.size - 1] == ' ')
        argument.size--;
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (slice_equal_nocase(name, slice_from_string(commands[i].name)))
            return commands[i].handler(engine, argument, output);
    if (!login_engine_password_allowed(engine))
        return login_engine_bad(engine, LOGIN_NEEDS_TLS, "Start TLS first", output);
    return login_engine_bad(engine, LOGIN_NEEDS_LOGIN, "Authentication required", output);
}

/* --- what the shared part asks --- */

static void tls_begins(struct login_engine *engine, struct buffer *output)
{
    (void)engine;
    reply("220 2.0.0 Ready to start TLS", output);
}

/* RFC 4954 sections 4 and 6, RFC 3207 section 4. */
static void no(struct login_engine *engine, enum login_problem problem, const char *text,
               struct buffer *output)
{
    (void)engine;
    static const char *const codes[] = {
        [LOGIN_BAD] = "500 5.5.2",          [LOGIN_BAD_ARGUMENT] = "501 5.5.4",
        [LOGIN_NOT_NOW] = "503 5.5.1",      [LOGIN_NEEDS_LOGIN] = "530 5.7.0",
        [LOGIN_NEEDS_TLS] = "530 5.7.0",    [LOGIN_NO_TLS] = "454 4.7.0",
        [LOGIN_NO_MECHANISM] = "504 5.5.4", [LOGIN_CANCELLED] = "501 5.7.0",
        [LOGIN_NO_BASE64] = "501 5.5.2",    [LOGIN_TOO_LONG] = "500 5.5.6",
    };
    buffer_append_format(output, "%s %s\r\n", codes[problem], text);
}

/* Who was believed to be trusted, and is not, has said LHLO as everybody does. */
static void refused(struct login_engine *engine, int error, struct buffer *output)
{
    bool trusted = strcmp(engine->exchange.mechanism, EXTERNAL) == 0;
    bool temporary = error_is_temporary(error);
    if (trusted && temporary) {
        buffer_clear(name_of(engine));
        reply("451 4.3.0 Try again later", output);
    } else if (trusted) {
        engine->options.trusted = false;
        answer_hello(engine, output);
    } else {
        reply(temporary ? "454 4.7.0 Temporary authentication failure"
                        : "535 5.7.8 Authentication credentials invalid",
              output);
    }
}

static const struct login_functions functions = {
    .reply_maximum = LMTP_REPLY_MAXIMUM,
    .bad_maximum = LMTP_BAD_MAXIMUM,
    .challenge_before = "334 ",
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

void lmtp_login_init(struct lmtp_login *login, const struct login_options *options, bool tls)
{
    static const struct login_lines_options lines = {.functions = &functions,
                                                     .take = take_line,
                                                     .line_maximum = LMTP_LOGIN_LINE_MAXIMUM,
                                                     .name_maximum = LMTP_ADDRESS_MAXIMUM,
                                                     .tag_maximum = LMTP_TAG_MAXIMUM};
    login_lines_init(&login->lines, &lines, options, tls);
}
