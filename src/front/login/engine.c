#include "front/login/engine_priv.h"

/* --- IMAP --- */

static void imap_init(union login_engine *engine, const struct login_options *options, bool tls)
{
    imap_login_init(&engine->imap, options, tls);
}

static void imap_release(union login_engine *engine)
{
    imap_login_release(&engine->imap);
}

static void imap_greet(union login_engine *engine, struct buffer *output)
{
    imap_login_greet(&engine->imap, output);
}

static enum login_action imap_consume(union login_engine *engine, struct slice *input,
                                      struct buffer *output)
{
    return imap_login_consume(&engine->imap, input, output);
}

static void imap_tls_started(union login_engine *engine)
{
    imap_login_tls_started(&engine->imap);
}

static void imap_challenge(union login_engine *engine, struct slice challenge,
                           struct buffer *output)
{
    imap_login_challenge(&engine->imap, challenge, output);
}

static void imap_refused(union login_engine *engine, int error, struct buffer *output)
{
    imap_login_refused(&engine->imap, error, output);
}

static void imap_bye(union login_engine *engine, bool unavailable, const char *text,
                     struct buffer *output)
{
    imap_login_bye(&engine->imap, unavailable ? "UNAVAILABLE" : NULL, text, output);
}

static struct login_exchange *imap_exchange(union login_engine *engine)
{
    return &engine->imap.exchange;
}

#define IMAP_FUNCTIONS                                                                             \
    .init = imap_init, .release = imap_release, .greet = imap_greet, .consume = imap_consume,      \
    .tls_started = imap_tls_started, .challenge = imap_challenge, .refused = imap_refused,         \
    .bye = imap_bye, .exchange = imap_exchange

/* --- POP3 --- */

static void pop3_init(union login_engine *engine, const struct login_options *options, bool tls)
{
    pop3_login_init(&engine->pop3, options, tls);
}

static void pop3_release(union login_engine *engine)
{
    pop3_login_release(&engine->pop3);
}

static void pop3_greet(union login_engine *engine, struct buffer *output)
{
    pop3_login_greet(&engine->pop3, output);
}

static enum login_action pop3_consume(union login_engine *engine, struct slice *input,
                                      struct buffer *output)
{
    return pop3_login_consume(&engine->pop3, input, output);
}

static void pop3_tls_started(union login_engine *engine)
{
    pop3_login_tls_started(&engine->pop3);
}

static void pop3_challenge(union login_engine *engine, struct slice challenge,
                           struct buffer *output)
{
    pop3_login_challenge(&engine->pop3, challenge, output);
}

static void pop3_refused(union login_engine *engine, int error, struct buffer *output)
{
    pop3_login_refused(&engine->pop3, error, output);
}

static void pop3_bye(union login_engine *engine, bool unavailable, const char *text,
                     struct buffer *output)
{
    pop3_login_bye(&engine->pop3, unavailable, text, output);
}

static struct login_exchange *pop3_exchange(union login_engine *engine)
{
    return &engine->pop3.exchange;
}

#define POP3_FUNCTIONS                                                                             \
    .init = pop3_init, .release = pop3_release, .greet = pop3_greet, .consume = pop3_consume,      \
    .tls_started = pop3_tls_started, .challenge = pop3_challenge, .refused = pop3_refused,         \
    .bye = pop3_bye, .exchange = pop3_exchange

/* --- all --- */

static const struct login_protocol protocols[] = {
    {.listener = PROTOCOL_IMAP,
     .number = PROTOCOL_IMAP,
     .busy = "* BYE [UNAVAILABLE] Too many connections, try again later\r\n",
     IMAP_FUNCTIONS},
    {.listener = PROTOCOL_IMAPS, .number = PROTOCOL_IMAP, .tls = true, IMAP_FUNCTIONS},
    {.listener = PROTOCOL_POP3,
     .number = PROTOCOL_POP3,
     .busy = "-ERR [SYS/TEMP] Too many connections, try again later\r\n",
     POP3_FUNCTIONS},
    {.listener = PROTOCOL_POP3S, .number = PROTOCOL_POP3, .tls = true, POP3_FUNCTIONS},
};

const struct login_protocol *login_protocol_find(enum service_protocol listener)
{
    for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++)
        if (protocols[i].listener == listener)
            return &protocols[i];
    return NULL;
}
