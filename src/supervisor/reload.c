#include "base/error.h"
#include "base/log.h"
#include "supervisor/supervisor_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* --- the configuration in force, as a file for children --- */

static int format_config(const struct config *config, struct buffer *text)
{
    buffer_append_format(text, "# Written by chapard: what it was started with from %s.\n",
                         config->path);
    for (const struct config_option *option = config_options; option->name; option++) {
        buffer_append_format(text, "%s = ", option->name);
        config_format(config, option, text);
        buffer_append_byte(text, '\n');
    }
    return buffer_error(text);
}

static int write_file(const char *path, struct slice text)
{
    /* Always a new file: what lies there is not written through, be it a link. */
    if (unlink(path) && errno != ENOENT)
        return error_from_errno(errno);
    int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (descriptor < 0)
        return error_from_errno(errno);
    ssize_t written = write(descriptor, text.data, text.size);
    int error = written == (ssize_t)text.size ? 0
                : written < 0                 ? error_from_errno(errno)
                                              : ERROR_SPACE;
    close(descriptor);
    return error;
}

int config_write_active(const struct config *config, const char *path)
{
    struct buffer text;
    buffer_init(&text, 1024 * 1024);
    char next[4200];
    snprintf(next, sizeof(next), "%s.new", path);
    int error = format_config(config, &text);
    if (!error)
        error = write_file(next, buffer_slice(&text));
    if (!error && rename(next, path))
        error = error_from_errno(errno);
    buffer_release(&text);
    return error;
}

/* --- what can change, and what cannot --- */

/* These belong to processes that stay, or to all of them at once. */
static const struct {
    const char *name;
    bool refused; /* the old and the new generation would work on different things */
} fixed_options[] = {
    {"data_directory", true},       {"engine", true},
    {"admin_socket", true},         {"auth_user", false},
    {"password_memory", false},     {"password_passes", false},
    {"password_cache_time", false}, {"scram_iterations", false},
    {"lmtp_accounts", false},       {"lmtp_trusted", false},
};

static bool is_same(const struct config *one, const struct config *other,
                    const struct config_option *option)
{
    struct buffer texts[2];
    const struct config *configs[] = {one, other};
    for (size_t i = 0; i < 2; i++) {
        buffer_init(&texts[i], 64 * 1024);
        config_format(configs[i], option, &texts[i]);
    }
    bool same = slice_equal(buffer_slice(&texts[0]), buffer_slice(&texts[1]));
    buffer_release(&texts[0]);
    buffer_release(&texts[1]);
    return same;
}

static const struct config_option *option_named(const char *name)
{
    const struct config_option *option = config_options;
    while (option->name && strcmp(option->name, name) != 0)
        option++;
    return option;
}

static bool can_change(const struct config *old, const struct config *new)
{
    bool can = true;
    for (size_t i = 0; i < sizeof(fixed_options) / sizeof(fixed_options[0]); i++) {
        const struct config_option *option = option_named(fixed_options[i].name);
        if (!option->name || is_same(old, new, option))
            continue;
        log_warning("needs_restart", LOG_TEXT("option", option->name),
                    LOG_TEXT("reload", fixed_options[i].refused ? "refused" : "without it"));
        can = can && !fixed_options[i].refused;
    }
    return can;
}

/* --- the reload --- */

static void log_problems(struct slice problems)
{
    while (problems.size) {
        size_t end = slice_find(problems, '\n');
        log_error("config_problem", LOG_SLICE("problem", slice_sub(problems, 0, end)));
        problems = slice_sub(problems, end + 1, problems.size);
    }
}

static struct config *read_new(const struct supervisor *supervisor)
{
    struct config *config = NULL;
    struct buffer problems;
    buffer_init(&problems, 256 * 1024);
    if (config_read(supervisor->config_path, &config, &problems))
        log_problems(buffer_slice(&problems));
    else if (!can_change(supervisor->config, config))
        config_free(&config);
    buffer_release(&problems);
    return config;
}

static void refused(void)
{
    log_error("reload_refused", LOG_TEXT("now", "going on as before"));
    notify("READY=1");
}

void reload(struct supervisor *supervisor)
{
    if (supervisor->stopping)
        return;
    if (!supervisor->ready || supervisor->previous) {
        supervisor->reload_again = true; /* one change at a time */
        return;
    }
    log_info("reload");
    char text[64];
    struct timespec now = {0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%lld",
             (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    notify(text);

    struct config *config = read_new(supervisor);
    if (!config || listeners_open(&supervisor->listeners, config, &supervisor->systemd)) {
        config_free(&config);
        refused();
        return;
    }
    supervisor->previous = supervisor->config;
    supervisor->config = config;
    supervisor->newest++;
    int error = config_write_active(config, supervisor->active_path);
    if (!error)
        error = children_start(supervisor, PROCESS_SESSION, supervisor->newest);
    if (!error)
        error = children_start(supervisor, PROCESS_LOGIN, supervisor->newest);
    if (!error)
        error = children_start(supervisor, PROCESS_SEND, supervisor->newest);
    if (error)
        reload_give_up(supervisor);
}

/* Old processes of a role with the new ones of another. */
static void connect_old(struct supervisor *supervisor, enum process_role asking,
                        enum process_role answering)
{
    struct child *old, *new;
    for (old = TAILQ_FIRST(&supervisor->children); old; old = TAILQ_NEXT(old, link)) {
        if (old->role != asking || old->generation == supervisor->newest)
            continue;
        for (new = TAILQ_FIRST(&supervisor->children); new; new = TAILQ_NEXT(new, link))
            if (new->role == answering &&new->generation == supervisor->newest)
                children_connect(old, new);
    }
}

static void drain_generations(struct supervisor *supervisor, bool newest)
{
    struct child *child = TAILQ_FIRST(&supervisor->children), *next;
    for (; child; child = next) {
        next = TAILQ_NEXT(child, link);
        if (child->role != PROCESS_AUTH && child->state != CHILD_DRAINING &&
            (child->generation == supervisor->newest) == newest)
            child_drain(child, UINT32_MAX);
    }
}

static void settle(struct supervisor *supervisor)
{
    config_free(&supervisor->previous);
    notify("READY=1");
    if (supervisor->reload_again) {
        supervisor->reload_again = false;
        reload(supervisor);
    }
}

void reload_finish(struct supervisor *supervisor)
{
    supervisor->accepted = supervisor->newest;
    /* Connections before login can be handed to the new sessions; streams that go on in old
     * sessions can have messages sent by the new chapar-send. */
    connect_old(supervisor, PROCESS_LOGIN, PROCESS_SESSION);
    connect_old(supervisor, PROCESS_SESSION, PROCESS_SEND);
    drain_generations(supervisor, false);
    listeners_accept(&supervisor->listeners);
    supervisor_set_log(supervisor->config);
    log_info("reloaded", LOG_NUMBER("generation", supervisor->accepted));
    settle(supervisor);
}

void reload_give_up(struct supervisor *supervisor)
{
    log_error("reload_failed", LOG_TEXT("reason", "the new processes do not start"),
              LOG_TEXT("now", "going on as before"));
    drain_generations(supervisor, true);
    listeners_give_up(&supervisor->listeners);
    config_free(&supervisor->config);
    supervisor->config = supervisor->previous;
    supervisor->previous = NULL;
    config_write_active(supervisor->config, supervisor->active_path);
    settle(supervisor);
}
