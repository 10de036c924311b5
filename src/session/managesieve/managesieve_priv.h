/*
 * ManageSieve after login: what its files share.
 *
 *   commands.c     one function for each command
 *   script.c       a script is compiled, and what is said of it is put into words
 *   managesieve.c  the stream's protocol
 *
 * Every command is answered at once; one that changes something waits while the gate is closed.
 */
#ifndef SESSION_MANAGESIEVE_PRIV_H
#define SESSION_MANAGESIEVE_PRIV_H

#include "proto/managesieve/command.h"
#include "proto/managesieve/writer.h"
#include "session/serve/serve.h"
#include "sieve/sieve.h"
#include "store/script.h"

enum {
    /* A script that is too large for the store is checked all the same (RFC 5804 section 2.12). */
    MANAGESIEVE_LITERALS_MAXIMUM = SIEVE_SCRIPT_MAXIMUM + SCRIPT_NAME_MAXIMUM,
    MANAGESIEVE_LIST_MAXIMUM = 256 * 1024, /* bytes that a list of scripts takes */
    MANAGESIEVE_PROBLEMS_MAXIMUM = 8192,   /* bytes said of a script; more is left out */
};

struct managesieve_session {
    struct turns turns; /* the first member */
    struct managesieve_reader reader;
    struct managesieve_command command; /* that waits for the gate; slices of the reader */
    bool waiting;
    int bad_count;
};

/* --- commands.c --- */

/* Whether it changes what is stored. */
bool managesieve_changes(enum managesieve_command_id id);

/* Answers. */
void managesieve_run_command(struct managesieve_session *session,
                             const struct managesieve_command *command);

/* --- script.c --- */

/* Compiles it. ERROR_SYNTAX, ERROR_LIMIT: it is no script. `text` says what was found, errors and
 * warnings, each with line and column, in lines for people; empty: nothing. */
int script_compile(struct slice script, struct buffer *text);

#endif
