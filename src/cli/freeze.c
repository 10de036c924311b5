/*
 * chapar freeze, chapar thaw: chapard holds the changes (src/supervisor/freeze.c), this runs the
 * command. Its connection holds the freeze: whatever ends this process ends that too.
 */
#include "base/error.h"
#include "cli/backend_priv.h"
#include "ipc/message.h"
#include "ipc/service.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    TIMEOUT_MS = 5000, /* unless --timeout says otherwise */
    TIMEOUT_MAXIMUM_MS = 240 * 1000,
    PATIENCE = 60, /* seconds beyond the timeout: the first flush comes before it begins */
    NOT_RUN = 127, /* what a shell says of a command that cannot be run */
    SIGNALLED = 128,
};

/* --- the two requests --- */

static int receive_result(int connection, char text[256])
{
    struct buffer body;
    struct ipc_message answer = {0};
    buffer_init(&body, IPC_BODY_MAXIMUM);
    int error = ipc_receive(connection, &body, &answer);
    if (!error && answer.type != IPC_ADMIN_RESULT)
        error = ERROR_PROTOCOL;
    if (!error) {
        struct ipc_reader reader;
        ipc_reader_init(&reader, answer.body);
        int code = -(int)ipc_get_u32(&reader);
        struct slice said = ipc_get_bytes(&reader, IPC_STRING_MAXIMUM);
        error = ipc_reader_finish(&reader);
        snprintf(text, 256, "%.*s", SLICE_FORMAT(said));
        error = error ? error : code;
    }
    buffer_release(&body);
    return error;
}

static int request_freeze(int connection, uint32_t timeout_ms, bool hold, char text[256])
{
    struct buffer body;
    struct timeval patience = {.tv_sec = timeout_ms / 1000 + PATIENCE};
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    buffer_init(&body, 16);
    ipc_put_u32(&body, timeout_ms);
    ipc_put_u8(&body, hold);
    int error = ipc_send(connection, IPC_ADMIN_FREEZE, buffer_slice(&body), NULL, 0);
    buffer_release(&body);
    return error ? error : receive_result(connection, text);
}

static int request_thaw(int connection, char text[256])
{
    int error = ipc_send(connection, IPC_ADMIN_THAW, (struct slice){NULL, 0}, NULL, 0);
    return error ? error : receive_result(connection, text);
}

/* --- the command --- */

static int run_command(char **command)
{
    int status;
    pid_t child = fork();
    if (child < 0) {
        complain("fork: %s", strerror(errno));
        return NOT_RUN;
    }
    if (child == 0) {
        execvp(command[0], command);
        complain("%s: %s", command[0], strerror(errno));
        _exit(NOT_RUN);
    }
    /* Ctrl-C is the command's; what it leaves is for us to end. */
    signal(SIGINT, SIG_IGN);
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return NOT_RUN;
    return WIFSIGNALED(status) ? SIGNALLED + WTERMSIG(status) : WEXITSTATUS(status);
}

static int freeze_and_run(int connection, uint32_t timeout_ms, char **command)
{
    char text[256] = "";
    int error = request_freeze(connection, timeout_ms, true, text);
    if (error)
        return complain_error("freeze", error, text);
    int status = run_command(command);
    error = request_thaw(connection, text);
    if (!error)
        return status;
    complain("the freeze ended before %s did (its exit status was %d): what it copied is of no use",
             command[0], status);
    return EXIT_EXPIRED;
}

static int freeze_alone(int connection, uint32_t timeout_ms)
{
    char text[256] = "";
    int error = request_freeze(connection, timeout_ms, false, text);
    return error ? complain_error("freeze", error, text) : EXIT_DONE;
}

/* --- the verbs --- */

static int connect_server(const struct invocation *invocation, int *connection)
{
    struct config *config = NULL;
    int status = load_config(invocation, &config);
    if (status)
        return status;
    int error = admin_connect(config, ADMIN_SERVICE_SUPERVISOR, connection);
    config_free(&config);
    if (error == ERROR_NOT_FOUND)
        return EXIT_NOT_RUNNING;
    return error ? complain_error("admin socket", error, NULL) : EXIT_DONE;
}

static bool read_timeout(struct invocation *invocation, uint32_t *milliseconds)
{
    const char *text = take_option(invocation, "--timeout");
    char *end = NULL;
    double seconds = text ? strtod(text, &end) : TIMEOUT_MS / 1000.0;
    if (end && *end == 's')
        end++;
    if ((end && (end == text || *end)) ||
        !(seconds >= 0.001 && seconds * 1000 <= TIMEOUT_MAXIMUM_MS)) {
        complain("--timeout: 0.001 to %d seconds", TIMEOUT_MAXIMUM_MS / 1000);
        return false;
    }
    *milliseconds = (uint32_t)(seconds * 1000);
    return true;
}

/* What is behind "--", or NULL; cut off the arguments. ERROR_INVALID: nothing is behind it. */
static int take_command(struct invocation *invocation, char ***command)
{
    *command = NULL;
    for (int i = 0; i < invocation->count; i++) {
        if (strcmp(invocation->arguments[i], "--") != 0)
            continue;
        *command = invocation->arguments + i + 1;
        invocation->count = i;
        return **command ? 0 : ERROR_INVALID;
    }
    return 0;
}

int verb_freeze(struct invocation *invocation)
{
    uint32_t timeout_ms;
    char **command;
    int connection = -1;
    if (!read_timeout(invocation, &timeout_ms))
        return EXIT_USAGE;
    if (take_command(invocation, &command)) {
        complain("what is to be run is missing behind --");
        return EXIT_USAGE;
    }
    if (!arguments_finish(invocation, find_verb("freeze", NULL), 0))
        return EXIT_USAGE;
    int status = connect_server(invocation, &connection);
    if (status == EXIT_NOT_RUNNING && command)
        return run_command(command);
    if (status == EXIT_NOT_RUNNING)
        complain("the server does not run: nothing changes");
    if (status)
        return status;
    status = command ? freeze_and_run(connection, timeout_ms, command)
                     : freeze_alone(connection, timeout_ms);
    close(connection);
    return status;
}

int verb_thaw(struct invocation *invocation)
{
    char text[256] = "";
    int connection = -1;
    if (!arguments_finish(invocation, find_verb("thaw", NULL), 0))
        return EXIT_USAGE;
    int status = connect_server(invocation, &connection);
    if (status == EXIT_NOT_RUNNING)
        complain("the server does not run");
    if (status)
        return status;
    int error = request_thaw(connection, text);
    close(connection);
    return error ? complain("thaw: %s", *text ? text : error_text(error)) : EXIT_DONE;
}
