/*
 * The `chapar` command: what its verbs share.
 *
 * A verb is a function in a table (main.c). It prints its result on standard output, as text or
 * (with --json) as one JSON value, and problems on standard error.
 */
#ifndef CLI_CLI_PRIV_H
#define CLI_CLI_PRIV_H

#include "base/config.h"
#include "store/directory.h"

#include <jansson.h>

/* Exit statuses, for scripts. */
enum exit_status {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,      /* it was tried and failed; standard error says why */
    EXIT_USAGE = 2,       /* the command line is wrong; nothing was tried */
    EXIT_MISSING = 3,     /* what was named does not exist */
    EXIT_EXISTS = 4,      /* what was to be made exists already */
    EXIT_TEMPORARY = 5,   /* it may work later: disk full, busy, server starting */
    EXIT_NOT_RUNNING = 6, /* the server does not run, and this needs it */
    EXIT_EXPIRED = 7,     /* a freeze ended before the command did: what it copied is worthless */
};

/* What main.c found on the command line before the verb's own arguments. */
struct invocation {
    const char *config_path;
    bool json;
    bool yes;         /* --yes */
    char **arguments; /* the verb's; NULL-terminated */
    int count;
};

struct verb {
    const char *noun;                          /* "account"; NULL ends the table */
    const char *name;                          /* "add"; NULL: the noun alone */
    const char *arguments;                     /* "ADDRESS", for usage */
    const char *summary;                       /* one line */
    const char *help;                          /* more, for --help and the manual */
    int (*run)(struct invocation *invocation); /* NULL: the operation below, and nothing else */
    const char *operation;                     /* of admin/admin.h */
    const char *takes; /* its arguments: "address --days= --deep account..." */
    const char *said;  /* "renamed": what is said of its one row; NULL: rows are listed */
};
extern const struct verb verbs[];

/* "chapar: text" on standard error. Returns EXIT_FAILED. */
int complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Complains about "what: why" and returns the exit status that fits the error. */
int complain_error(const char *what, int error, const char *detail);

/* Takes "--name VALUE" or "--name=VALUE" out of the verb's arguments; NULL when it is not there.
 * What is left and begins with '-' is refused by arguments_finish. */
const char *take_option(struct invocation *invocation, const char *name);

/* Takes "--name" out of the verb's arguments; whether it was there. */
bool take_switch(struct invocation *invocation, const char *name);

/* Runs a verb that is one operation. */
int call_run(struct invocation *invocation, const struct verb *verb);

/* Whether exactly `count` plain arguments are left; complains with the verb's usage otherwise. */
bool arguments_finish(struct invocation *invocation, const struct verb *verb, int count);

/* Reads the configuration; complains and returns an exit status on failure. */
int load_config(const struct invocation *invocation, struct config **config);

/* Prints the value and frees it. */
int print_json(json_t *value);

/* A password from standard input (its first line), or from a prompt, asked twice, when that is a
 * terminal. Wiped by password_wipe. */
int password_read(const char *name, struct buffer *password);
void password_wipe(struct buffer *password);

/* verbs */
int verb_init(struct invocation *invocation);
int verb_account_add(struct invocation *invocation);
int verb_account_delete(struct invocation *invocation);
int verb_account_password(struct invocation *invocation);
int verb_account_rename(struct invocation *invocation);
int verb_account_change(struct invocation *invocation);
int verb_check(struct invocation *invocation);
int verb_freeze(struct invocation *invocation);
int verb_thaw(struct invocation *invocation);
int verb_status(struct invocation *invocation);
int verb_config_check(struct invocation *invocation);
int verb_config_show(struct invocation *invocation);
int verb_sieve_check(struct invocation *invocation);
int verb_sieve_run(struct invocation *invocation);
int verb_sieve_list(struct invocation *invocation);
int verb_sieve_get(struct invocation *invocation);
int verb_sieve_put(struct invocation *invocation);
int verb_sieve_delete(struct invocation *invocation);
int verb_sieve_activate(struct invocation *invocation);
int verb_sieve_deactivate(struct invocation *invocation);
int verb_manual(struct invocation *invocation);
const struct verb *find_verb(const char *noun, const char *name);

#endif
