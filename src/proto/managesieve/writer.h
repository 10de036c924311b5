/*
 * ManageSieve responses (RFC 5804 sections 1.3, 1.7 and 4). All append to a bounded buffer, whose
 * sticky error is checked once at the end.
 */
#ifndef PROTO_MANAGESIEVE_WRITER_H
#define PROTO_MANAGESIEVE_WRITER_H

#include "base/buffer.h"

enum { MANAGESIEVE_QUOTED_MAXIMUM = 1024 /* bytes of a quoted string (RFC 5804 section 4) */ };

/* Quoted, or a literal where quoting would take a backslash or is not permitted. */
void managesieve_write_string(struct buffer *output, struct slice string);

/* A line `OK (code) "text"`. status: "OK", "NO" or "BYE"; code NULL: none; text empty: none. */
void managesieve_write_status(struct buffer *output, const char *status, const char *code,
                              struct slice text);
void managesieve_write_ok(struct buffer *output, const char *text);
void managesieve_write_no(struct buffer *output, const char *code, const char *text);

/* NOOP's answer (RFC 5804 section 2.13); tag.data NULL: it had none. */
void managesieve_write_noop(struct buffer *output, struct slice tag);

struct managesieve_capabilities {
    const char *mechanisms; /* of SASL, separated by spaces; NULL: not said */
    bool starttls;
    const char *owner; /* who is logged in; NULL: nobody, and what only who is may do is not said */
};

/* All of them, with the OK at the end. */
void managesieve_write_capabilities(struct buffer *output,
                                    const struct managesieve_capabilities *capabilities);

#endif
