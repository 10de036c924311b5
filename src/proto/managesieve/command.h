/*
 * ManageSieve commands (RFC 5804 section 2): which there are, in which state, with which arguments.
 */
#ifndef PROTO_MANAGESIEVE_COMMAND_H
#define PROTO_MANAGESIEVE_COMMAND_H

#include "proto/managesieve/reader.h"

enum {
    MANAGESIEVE_BAD_MAXIMUM = 10,   /* commands in a row that are none, before the end */
    MANAGESIEVE_TAG_MAXIMUM = 1024, /* bytes that NOOP says again */
};

enum managesieve_state { MANAGESIEVE_NOT_AUTHENTICATED = 1, MANAGESIEVE_AUTHENTICATED = 2 };

/* With what each takes, and its section of RFC 5804. A script is Sieve's text, a name a script's.
 */
enum managesieve_command_id {
    MANAGESIEVE_AUTHENTICATE, /* first: the mechanism; second: an initial response, base64 (2.1) */
    MANAGESIEVE_CAPABILITY,   /* (2.4) */
    MANAGESIEVE_CHECKSCRIPT,  /* first: a script (2.12) */
    MANAGESIEVE_DELETESCRIPT, /* first: a name (2.10) */
    MANAGESIEVE_GETSCRIPT,    /* first: a name (2.9) */
    MANAGESIEVE_HAVESPACE,    /* first: a name; number: bytes of a script (2.5) */
    MANAGESIEVE_LISTSCRIPTS,  /* (2.7) */
    MANAGESIEVE_LOGOUT,       /* (2.3) */
    MANAGESIEVE_NOOP,         /* first: what to say again, or nothing (2.13) */
    MANAGESIEVE_PUTSCRIPT,    /* first: a name; second: a script (2.6) */
    MANAGESIEVE_RENAMESCRIPT, /* first: a name; second: the new one (2.11) */
    MANAGESIEVE_SETACTIVE,    /* first: a name, or empty (2.8) */
    MANAGESIEVE_STARTTLS,     /* (2.2) */
    MANAGESIEVE_UNAUTHENTICATE, /* (2.14.1) */
    MANAGESIEVE_COMMANDS,
};

struct managesieve_command {
    enum managesieve_command_id id;
    struct slice first, second; /* its strings, of the line; data NULL: left out */
    uint32_t number;            /* of HAVESPACE */
};

const char *managesieve_command_name(enum managesieve_command_id id);

/* Takes a line apart. On failure ERROR_SYNTAX, and *problem says in a few words why: not known,
 * not in this state, wrong arguments. */
int managesieve_command_parse(const struct managesieve_line *line, enum managesieve_state state,
                              struct managesieve_command *command, const char **problem);

#endif
