#include "base/error.h"
#include "cli/backend_priv.h"

int backend_open(const struct config *config, struct backend **backend)
{
    int error = backend_live_open(config, backend);
    if (error == ERROR_NOT_FOUND)
        error = backend_offline_open(config, backend);
    if (error == ERROR_DENIED)
        return complain_error(config->admin_socket, error, "run this as root or the server's user");
    return error ? complain_error(config->data_directory, error, NULL) : EXIT_DONE;
}

void backend_close(struct backend **backend)
{
    if (!*backend)
        return;
    arena_release(&(*backend)->arena);
    (*backend)->operations->close(*backend);
    *backend = NULL;
}
