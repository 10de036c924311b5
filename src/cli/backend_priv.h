/*
 * Where accounts are changed: through the running server's admin socket, or directly on the data
 * when no server runs. One interface, so that the verbs do not care.
 */
#ifndef CLI_BACKEND_PRIV_H
#define CLI_BACKEND_PRIV_H

#include "admin/admin.h"
#include "cli/cli_priv.h"

struct backend;

/* What an answer is told to; row returns non-zero when no more is wanted. */
struct answer {
    int (*row)(const struct admin_field *fields, size_t count, void *arg);
    void (*progress)(uint64_t done, uint64_t total, void *arg); /* may be NULL */
    void *arg;
};

struct backend_operations {
    /* Runs an operation of admin/admin.h. */
    int (*call)(struct backend *backend, const char *operation,
                const struct admin_argument *arguments, size_t count, const struct answer *answer);
    int (*password_set)(struct backend *backend, const struct account_info *account,
                        struct slice password);
    int (*password_delete)(struct backend *backend, struct slice name);
    /* The password of `name`, if that is the account's (else ERROR_NOT_FOUND), becomes that of the
     * account's address. */
    int (*password_rename)(struct backend *backend, const struct account_info *account,
                           struct slice name);
    /* Nobody may log in to the account, whose password goes; or it may be given one again. */
    int (*password_close)(struct backend *backend, const struct account_info *account, bool closed);
    void (*close)(struct backend *backend);
};

struct backend {
    const struct backend_operations *operations;
    const struct config *config;
    struct arena arena;                /* strings of results live here, until it is closed */
    char detail[ADMIN_DETAIL_MAXIMUM]; /* more about the last error, or "" */
};

/* The server's if it runs, else the data's own. Complains and returns an exit status on failure.
 * `require_server`: EXIT_NOT_RUNNING rather than the data's own. */
int backend_open(const struct config *config, struct backend **backend);
void backend_close(struct backend **backend);

/* The two kinds. backend_live_open: ERROR_NOT_FOUND when no server runs. */
int backend_live_open(const struct config *config, struct backend **backend);
int backend_offline_open(const struct config *config, struct backend **backend);

/* --- what verbs are made of (call.c) --- */

/* Configuration and backend for a verb; complains and returns an exit status on failure. */
int call_open(struct invocation *invocation, struct config **config, struct backend **backend);
void call_close(struct config **config, struct backend **backend);

/* Runs an operation on one account, whose row is read into *account. */
int call_account(struct backend *backend, const char *operation, const char *address,
                 struct account_info *account);

/* The same with any arguments. */
int call_account_with(struct backend *backend, const char *operation,
                      const struct admin_argument *arguments, size_t count,
                      struct account_info *account);

/* One row as a JSON object, or as a line of its values. */
json_t *row_json(const struct admin_field *fields, size_t count);
void row_print(const struct admin_field *fields, size_t count);

/* Shows how far a long call has come, on a terminal, once it has taken two seconds. progress_end
 * removes it. */
void progress_show(uint64_t done, uint64_t total, void *unused);
void progress_end(void);

/* A connection to chapard's admin socket, opened for one of its services
 * (enum admin_service). ERROR_NOT_FOUND when no server runs. */
int admin_connect(const struct config *config, int service, int *socket);

#endif
