/*
 * ManageSieve before login (RFC 5804 section 2): CAPABILITY, STARTTLS, AUTHENTICATE, NOOP, LOGOUT.
 *
 * The whole engine that reads strangers' bytes (proto/sasl/login.h). The exchange's tag is empty.
 * The session answers the login with "OK".
 *
 * Memory: MANAGESIEVE_LINE_MAXIMUM and MANAGESIEVE_LOGIN_LITERALS_MAXIMUM for a command,
 * MANAGESIEVE_LOGIN_RESPONSE_MAXIMUM for a response, decoded.
 */
#ifndef PROTO_MANAGESIEVE_LOGIN_H
#define PROTO_MANAGESIEVE_LOGIN_H

#include "proto/managesieve/command.h"
#include "proto/sasl/login.h"

enum {
    MANAGESIEVE_LOGIN_LITERALS_MAXIMUM = 4096,
    MANAGESIEVE_LOGIN_RESPONSE_MAXIMUM = 4096,
    MANAGESIEVE_LOGIN_REPLY_MAXIMUM = 2048, /* the capabilities, or NOOP's tag */
    MANAGESIEVE_LOGIN_OUTPUT_MAXIMUM = 4096,
    MANAGESIEVE_LOGIN_TAG_MAXIMUM = 1,
};

struct managesieve_login {
    struct login_engine engine;
    struct managesieve_reader reader;
};

/* Refusals are NO, with TRYLATER when they may pass. Released by login_engine_release. */
void managesieve_login_init(struct managesieve_login *login, const struct login_options *options,
                            bool tls);

#endif
