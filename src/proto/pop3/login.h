/*
 * POP3 before login, the state AUTHORIZATION (RFC 1939 section 4): CAPA, STLS, USER, PASS, AUTH,
 * UTF8, LANG, QUIT.
 *
 * The whole engine that reads strangers' bytes (proto/sasl/login.h). There is no APOP: it needs the
 * password itself where there is a verifier only.
 *
 * The exchange's tag is what the session is to know: POP3_TAG_UTF8 when the client has said UTF8,
 * else empty. The session answers the login with "+OK".
 *
 * Memory: POP3_LOGIN_LINE_MAXIMUM for a line, as much for a response, POP3_LOGIN_NAME_MAXIMUM.
 */
#ifndef PROTO_POP3_LOGIN_H
#define PROTO_POP3_LOGIN_H

#include "proto/pop3/command.h"
#include "proto/sasl/login_lines.h"

#define POP3_TAG_UTF8 "UTF8"

enum {
    /* A response is a line of its own, and longer than commands are (RFC 5034 section 4). */
    POP3_LOGIN_LINE_MAXIMUM = 4096,
    POP3_LOGIN_NAME_MAXIMUM = POP3_LINE_MAXIMUM,
    POP3_LOGIN_OUTPUT_MAXIMUM = 4096,
    POP3_LOGIN_TAG_MAXIMUM = 8,
};

struct pop3_login {
    struct login_lines lines; /* with the name of USER */
    bool utf8;
};

/* Refusals are -ERR [AUTH] or [SYS/TEMP] (RFC 3206). Released by login_engine_release. */
void pop3_login_init(struct pop3_login *login, const struct login_options *options, bool tls);

#endif
