/*
 * The engines before login, by protocol: what a connection of chapar-login needs of one.
 */
#ifndef FRONT_LOGIN_ENGINE_PRIV_H
#define FRONT_LOGIN_ENGINE_PRIV_H

#include "ipc/service.h"
#include "proto/imap/login.h"
#include "proto/lmtp/login.h"
#include "proto/managesieve/login.h"
#include "proto/pop3/login.h"

/* One of them; which, its functions say. */
union login_engines {
    struct login_engine engine; /* the first member of each */
    struct imap_login imap;
    struct lmtp_login lmtp;
    struct managesieve_login managesieve;
    struct pop3_login pop3;
};

struct login_protocol {
    enum service_protocol listener; /* what comes in there speaks this */
    enum service_protocol number;   /* of it for chapar-auth and chapar-session */
    bool tls;                       /* from the first byte */
    const char *busy;               /* to who is beyond the limits; NULL: nothing can be said */
    void (*init)(union login_engines *engines, const struct login_options *options, bool tls);
};

/* NULL: chapar-login does not speak it. */
const struct login_protocol *login_protocol_find(enum service_protocol listener);

/* The most memory any engine has on the heap, and the most it writes: IMAP's, which the compiler
 * checks. */
enum {
    LOGIN_ENGINE_HEAP_MAXIMUM = IMAP_LOGIN_LINE_MAXIMUM + IMAP_LOGIN_LITERALS_MAXIMUM +
                                IMAP_LOGIN_ARENA_MAXIMUM + IMAP_LOGIN_LINE_MAXIMUM /* response */ +
                                IMAP_TAG_MAXIMUM,
    LOGIN_ENGINE_OUTPUT_MAXIMUM = IMAP_LOGIN_OUTPUT_MAXIMUM,
};
_Static_assert((int)LOGIN_ENGINE_HEAP_MAXIMUM >= 2 * POP3_LOGIN_LINE_MAXIMUM +
                                                     POP3_LOGIN_NAME_MAXIMUM +
                                                     POP3_LOGIN_TAG_MAXIMUM &&
                   (int)LOGIN_ENGINE_OUTPUT_MAXIMUM >= POP3_LOGIN_OUTPUT_MAXIMUM,
               "POP3 needs no more than IMAP");
_Static_assert((int)LOGIN_ENGINE_HEAP_MAXIMUM >=
                       MANAGESIEVE_LINE_MAXIMUM + MANAGESIEVE_LOGIN_LITERALS_MAXIMUM +
                           MANAGESIEVE_LOGIN_RESPONSE_MAXIMUM + MANAGESIEVE_LOGIN_TAG_MAXIMUM &&
                   (int)LOGIN_ENGINE_OUTPUT_MAXIMUM >= MANAGESIEVE_LOGIN_OUTPUT_MAXIMUM,
               "nor does ManageSieve");
_Static_assert((int)LOGIN_ENGINE_HEAP_MAXIMUM >=
                       2 * LMTP_LOGIN_LINE_MAXIMUM + LMTP_ADDRESS_MAXIMUM + LMTP_TAG_MAXIMUM &&
                   (int)LOGIN_ENGINE_OUTPUT_MAXIMUM >= LMTP_LOGIN_OUTPUT_MAXIMUM,
               "nor does LMTP");

#endif
