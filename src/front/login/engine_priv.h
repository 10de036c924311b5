/*
 * The engines before login, by protocol: what a connection of chapar-login needs of one.
 */
#ifndef FRONT_LOGIN_ENGINE_PRIV_H
#define FRONT_LOGIN_ENGINE_PRIV_H

#include "ipc/service.h"
#include "proto/imap/login.h"
#include "proto/pop3/login.h"

/* One of them; which, its row below says. */
union login_engine {
    struct imap_login imap;
    struct pop3_login pop3;
};

/* Every function is the protocol's own of that name, whose header has its contract. */
struct login_protocol {
    enum service_protocol listener; /* what comes in there speaks this */
    enum service_protocol number;   /* of it for chapar-auth and chapar-session */
    bool tls;                       /* from the first byte */
    const char *busy;               /* to who is beyond the limits; NULL: nothing can be said */
    void (*init)(union login_engine *engine, const struct login_options *options, bool tls);
    void (*release)(union login_engine *engine);
    void (*greet)(union login_engine *engine, struct buffer *output);
    enum login_action (*consume)(union login_engine *engine, struct slice *input,
                                 struct buffer *output);
    void (*tls_started)(union login_engine *engine);
    void (*challenge)(union login_engine *engine, struct slice challenge, struct buffer *output);
    void (*refused)(union login_engine *engine, int error, struct buffer *output);
    void (*bye)(union login_engine *engine, bool unavailable, const char *text,
                struct buffer *output);
    struct login_exchange *(*exchange)(union login_engine *engine);
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

#endif
