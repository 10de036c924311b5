/*
 * chapar status: what chapard knows and what the kernel says, as JSON or as a table.
 */
#include "base/error.h"
#include "cli/backend_priv.h"
#include "ipc/message.h"
#include "ipc/service.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum { STATUS_MAXIMUM = 4 * 1024 * 1024 };

/* Gathers the pieces of the JSON text. */
static int receive_status(int connection, struct buffer *text)
{
    struct buffer body;
    buffer_init(&body, IPC_BODY_MAXIMUM);
    bool last = false;
    int error = ipc_send(connection, IPC_ADMIN_STATUS, (struct slice){NULL, 0}, NULL, 0);
    while (!error && !last) {
        struct ipc_message answer = {0};
        error = ipc_receive(connection, &body, &answer);
        if (!error && answer.type != IPC_ADMIN_STATUS_TEXT)
            error = ERROR_PROTOCOL;
        if (error)
            break;
        struct ipc_reader reader;
        ipc_reader_init(&reader, answer.body);
        last = ipc_get_u8(&reader) != 0;
        buffer_append(text, ipc_get_bytes(&reader, IPC_BODY_MAXIMUM));
        error = ipc_reader_finish(&reader);
        if (!error)
            error = buffer_error(text);
    }
    buffer_release(&body);
    return error;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "-";
}

static long long number_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static const char *yes_no(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_true(value) ? "yes" : json_is_false(value) ? "no" : "unknown";
}

static void print_process(const json_t *process)
{
    printf("%-15s %6lld %-9s %7lld %6lld %-4s %-4s %3lld %-7s %-18s %6lld\n",
           text_of(process, "role"), number_of(process, "pid"), text_of(process, "state"),
           number_of(process, "resident_bytes") / 1024, number_of(process, "uid"),
           yes_no(process, "chrooted"), yes_no(process, "no_new_privs"),
           number_of(process, "landlock"), number_of(process, "seccomp") == 2 ? "filter" : "none",
           text_of(process, "capabilities"), number_of(process, "crashes"));
    const json_t *crash = json_object_get(process, "last_crash");
    if (json_is_object(crash))
        printf("    last crash: %s, signal %lld (%s), serving: %s\n", text_of(crash, "time"),
               number_of(crash, "signal"), strsignal((int)number_of(crash, "signal")),
               text_of(crash, "serving"));
}

static void print_status(const json_t *status)
{
    size_t index;
    const json_t *value;
    const char *key;
    printf("chapard %s, up %lld seconds\n\n", text_of(status, "version"),
           number_of(status, "uptime_seconds"));
    printf("%-15s %6s %-9s %7s %6s %-4s %-4s %3s %-7s %-18s %6s\n", "process", "pid", "state",
           "RSS KiB", "uid", "root", "nnp", "LL", "seccomp", "capabilities", "crashes");
    json_array_foreach(json_object_get(status, "processes"), index, value)
    {
        print_process(value);
    }
    puts("\nroot: runs chrooted; nnp: no_new_privs; LL: Landlock ABI in force (0: none);\n"
         "all read back from the kernel\n\nlisteners:");
    json_array_foreach(json_object_get(status, "listeners"), index, value)
    {
        printf("  %-6s %s\n", text_of(value, "service"), text_of(value, "address"));
    }
    puts("\ncounters:");
    json_object_foreach(json_object_get((json_t *)status, "counters"), key, value)
    {
        printf("  %-28s %lld\n", key, (long long)json_integer_value(value));
    }
}

static int show(const struct invocation *invocation, const struct buffer *text)
{
    json_error_t problem;
    json_t *status = json_loadb(text->data, text->size, 0, &problem);
    if (!status)
        return complain("status: not understood: %s", problem.text);
    if (invocation->json)
        return print_json(status);
    print_status(status);
    json_decref(status);
    return EXIT_DONE;
}

int verb_status(struct invocation *invocation)
{
    struct config *config = NULL;
    int connection;
    if (!arguments_finish(invocation, find_verb("status", NULL), 0))
        return EXIT_USAGE;
    int result = load_config(invocation, &config);
    if (result)
        return result;
    int error = admin_connect(config, ADMIN_SERVICE_SUPERVISOR, &connection);
    config_free(&config);
    if (error == ERROR_NOT_FOUND) {
        complain("the server does not run");
        return EXIT_NOT_RUNNING;
    }
    if (error)
        return complain_error("status", error, NULL);
    struct buffer text;
    buffer_init(&text, STATUS_MAXIMUM);
    error = receive_status(connection, &text);
    close(connection);
    result = error ? complain_error("status", error, NULL) : show(invocation, &text);
    buffer_release(&text);
    return result;
}
