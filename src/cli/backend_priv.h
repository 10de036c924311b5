/*
 * Where accounts are changed: through the running server's admin socket, or directly on the data
 * when no server runs. One interface, so that the verbs do not care.
 */
#ifndef CLI_BACKEND_PRIV_H
#define CLI_BACKEND_PRIV_H

#include "cli/cli_priv.h"

struct backend;

struct backend_operations {
    int (*account_add)(struct backend *backend, struct slice address, struct account_info *made);
    int (*account_find)(struct backend *backend, struct slice address, struct account_info *found);
    int (*account_delete)(struct backend *backend, const struct account_info *account);
    int (*account_list)(struct backend *backend, struct account_info **accounts, size_t *count);
    int (*password_set)(struct backend *backend, const struct account_info *account,
                        struct slice password);
    int (*password_delete)(struct backend *backend, struct slice name);
    void (*close)(struct backend *backend);
};

struct backend {
    const struct backend_operations *operations;
    const struct config *config;
    struct arena arena; /* strings of results live here, until the backend is closed */
    char detail[256];   /* more about the last error, or "" */
};

/* The server's if it runs, else the data's own. Complains and returns an exit status on failure.
 * `require_server`: EXIT_NOT_RUNNING rather than the data's own. */
int backend_open(const struct config *config, struct backend **backend);
void backend_close(struct backend **backend);

/* The two kinds. backend_live_open: ERROR_NOT_FOUND when no server runs. */
int backend_live_open(const struct config *config, struct backend **backend);
int backend_offline_open(const struct config *config, struct backend **backend);

/* A connection to chapard's admin socket, opened for one of its services
 * (enum admin_service). ERROR_NOT_FOUND when no server runs. */
int admin_connect(const struct config *config, int service, int *socket);

#endif
