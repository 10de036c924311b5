/*
 * POP3 commands: RFC 1939, with CAPA (RFC 2449), STLS (RFC 2595), AUTH (RFC 5034), UTF8 and LANG
 * (RFC 6856).
 *
 * A command is one line: a keyword and what follows it. Both engines, before and after login, read
 * lines with a line_reader (proto/sasl/line.h) and take them apart with pop3_command_parse.
 */
#ifndef PROTO_POP3_COMMAND_H
#define PROTO_POP3_COMMAND_H

#include "proto/sasl/line.h"

enum {
    POP3_LINE_MAXIMUM = 255,  /* bytes of a command, CRLF included (RFC 2449 section 4) */
    POP3_BAD_MAXIMUM = 10,    /* commands in a row that are none, before the end */
    POP3_REPLY_MAXIMUM = 512, /* bytes of a reply's line (RFC 1939 section 3) */
};

enum pop3_state { POP3_AUTHORIZATION = 1, POP3_TRANSACTION = 2 };

enum pop3_command_id {
    POP3_AUTH,
    POP3_CAPA,
    POP3_DELE,
    POP3_LANG,
    POP3_LIST,
    POP3_NOOP,
    POP3_PASS,
    POP3_QUIT,
    POP3_RETR,
    POP3_RSET,
    POP3_STAT,
    POP3_STLS,
    POP3_TOP,
    POP3_UIDL,
    POP3_USER,
    POP3_UTF8,
    POP3_COMMANDS,
};

struct pop3_command {
    enum pop3_command_id id;
    bool has_number;       /* LIST and UIDL may have none */
    uint32_t number;       /* of a message, from 1; UINT32_MAX: larger than there can be */
    uint64_t lines;        /* of TOP */
    struct slice argument; /* of USER, PASS, AUTH, LANG: into the line; empty: none */
    struct slice second;   /* AUTH's initial response, base64; data NULL: none */
};

const char *pop3_command_name(enum pop3_command_id id);

/* Takes a line apart. On failure ERROR_SYNTAX, and *problem says in a few words why: not known,
 * not in this state, wrong arguments. */
int pop3_command_parse(struct slice line, enum pop3_state state, struct pop3_command *command,
                       const char **problem);

#endif
