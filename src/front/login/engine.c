#include "front/login/engine_priv.h"

static void init_imap(union login_engines *engines, const struct login_options *options, bool tls)
{
    imap_login_init(&engines->imap, options, tls);
}

static void init_pop3(union login_engines *engines, const struct login_options *options, bool tls)
{
    pop3_login_init(&engines->pop3, options, tls);
}

static void init_managesieve(union login_engines *engines, const struct login_options *options,
                             bool tls)
{
    managesieve_login_init(&engines->managesieve, options, tls);
}

static void init_lmtp(union login_engines *engines, const struct login_options *options, bool tls)
{
    lmtp_login_init(&engines->lmtp, options, tls);
}

static const struct login_protocol protocols[] = {
    {.listener = PROTOCOL_IMAP,
     .number = PROTOCOL_IMAP,
     .busy = "* BYE [UNAVAILABLE] Too many connections, try again later\r\n",
     .init = init_imap},
    {.listener = PROTOCOL_IMAPS, .number = PROTOCOL_IMAP, .tls = true, .init = init_imap},
    {.listener = PROTOCOL_POP3,
     .number = PROTOCOL_POP3,
     .busy = "-ERR [SYS/TEMP] Too many connections, try again later\r\n",
     .init = init_pop3},
    {.listener = PROTOCOL_POP3S, .number = PROTOCOL_POP3, .tls = true, .init = init_pop3},
    {.listener = PROTOCOL_MANAGESIEVE,
     .number = PROTOCOL_MANAGESIEVE,
     .busy = "BYE (TRYLATER) \"Too many connections, try again later\"\r\n",
     .init = init_managesieve},
    {.listener = PROTOCOL_LMTP_REMOTE,
     .number = PROTOCOL_LMTP,
     .busy = "421 4.3.2 Too many connections, try again later\r\n",
     .init = init_lmtp},
};

const struct login_protocol *login_protocol_find(enum service_protocol listener)
{
    for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++)
        if (protocols[i].listener == listener)
            return &protocols[i];
    return NULL;
}
