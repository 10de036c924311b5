/*
 * IMAP before login: greeting, CAPABILITY, NOOP, ID, LANGUAGE, STARTTLS, AUTHENTICATE, LOGIN,
 * LOGOUT.
 *
 * The whole engine that reads strangers' bytes (proto/sasl/login.h): it runs in chapar-login, in
 * unit tests one byte at a time, and in a fuzzer.
 *
 * Memory: within the caller's 64 KiB a connection: IMAP_LOGIN_LINE_MAXIMUM for a line and its
 * literals, IMAP_LOGIN_ARENA_MAXIMUM for the parsed command.
 */
#ifndef PROTO_IMAP_LOGIN_H
#define PROTO_IMAP_LOGIN_H

#include "proto/imap/reader.h"
#include "proto/sasl/login.h"

enum {
    IMAP_LOGIN_LINE_MAXIMUM = 8192,
    IMAP_LOGIN_LITERALS_MAXIMUM = 4096,
    IMAP_LOGIN_ARENA_MAXIMUM = 16384,
    IMAP_LOGIN_OUTPUT_MAXIMUM = 8192,
    IMAP_LOGIN_REPLY_MAXIMUM = 1024, /* bytes of the answer to one command */
    IMAP_LOGIN_BAD_MAXIMUM = 10,     /* BAD answers before the connection is closed */
};

struct imap_login {
    struct login_engine
        engine; /* the exchange's tag is the command's; LOGIN is turned into PLAIN */
    struct imap_reader reader;
};

/* Refusals are AUTHENTICATIONFAILED or UNAVAILABLE (RFC 5530); the last line is a BYE. Released by
 * login_engine_release. */
void imap_login_init(struct imap_login *login, const struct login_options *options, bool tls);

#endif
