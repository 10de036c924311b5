/*
 * SASL PLAIN (RFC 4616): one message, "authorization NUL authentication NUL password".
 */
#ifndef PROTO_SASL_PLAIN_H
#define PROTO_SASL_PLAIN_H

#include "base/buffer.h"

enum {
    SASL_NAME_MAXIMUM = 255,     /* bytes of each identity (RFC 4616 section 2) */
    SASL_PASSWORD_MAXIMUM = 1024 /* bytes */
};

struct sasl_plain {
    struct slice authorization; /* empty: the same as authentication */
    struct slice authentication;
    struct slice password;
};

/* Slices point into message. ERROR_SYNTAX (not two NULs, empty name or password, not UTF-8),
 * ERROR_LIMIT. */
int sasl_plain_parse(struct slice message, struct sasl_plain *plain);

/* Appends the message, for LOGIN user password. */
int sasl_plain_write(struct slice user, struct slice password, struct buffer *message);

#endif
