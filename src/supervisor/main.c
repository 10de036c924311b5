/*
 * chapard - supervisor of the Chapar mail server
 *
 * SYNOPSIS
 *   chapard -c FILE
 *   chapard --version | --help
 *
 * DESCRIPTION
 *   chapard opens the listeners named in FILE (see chapar.conf(5)), starts chapar-auth,
 *   chapar-session, chapar-login and, with outgoing_server, chapar-send beside itself, and starts
 *   them again when they die. It runs in the foreground and logs to standard error, one line for
 *   each event. It reads nothing that comes from the network.
 *
 *   Started by root, each process gives up what it does not need as the last step of its set-up:
 *   it changes its root directory and its user (login_user, auth_user, session_user, send_user),
 * drops all capabilities, and confines itself with Landlock and seccomp. Started by another user,
 * it does all but the change of root directory and user; ports below 1024 then have to come from
 *   systemd. chapar(1) status shows what is really in force.
 *
 *   A process that dies is started again after 0.1 seconds, then after twice as long each time up
 *   to 30 seconds; a minute of life makes it start over. When the server starts for the first time
 *   and a process fails more than five times in a row, chapard ends with status 1.
 *
 * OPTIONS
 *   -c FILE     The configuration file.
 *   --version   Print the version and exit.
 *   --help      Print a summary and exit.
 *
 * SIGNALS
 *   SIGHUP            Read FILE again. If it is wrong, every problem is logged and nothing
 *                     changes. If it is right, new listeners are opened and new chapar-login,
 *                     chapar-session and chapar-send processes started; the old ones take nothing
 *                     new and end with their last connection or message. The name of
 *                     outgoing_server is looked up again. data_directory, engine, admin_socket and
 * what concerns chapar-auth need a restart. SIGTERM, SIGINT   Take nothing new, give sessions
 * drain_time to end, then end. A second one ends everything at once.
 *
 * ENVIRONMENT
 *   NOTIFY_SOCKET                            systemd is told when the server is ready, reloads and
 *                                            stops (Type=notify or notify-reload).
 *   LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES   Sockets passed by systemd, for addresses of the form
 *                                            systemd:NAME.
 *
 * FILES
 *   DATA/mail, DATA/auth, DATA/empty   Made when missing: the directories of chapar-session,
 *                                      chapar-auth, of chapar-login and chapar-send.
 *   DATA/active.conf                   The configuration in force, written for the processes
 *                                      chapard starts. Changing it changes nothing.
 *
 * EXIT STATUS
 *   0 after SIGTERM or SIGINT, 1 when the server could not start, 2 for a wrong command line.
 */
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "ipc/confine.h"
#include "supervisor/supervisor_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- life --- */

static bool all_ready(struct supervisor *supervisor)
{
    struct child *child;
    for (child = TAILQ_FIRST(&supervisor->children); child; child = TAILQ_NEXT(child, link))
        if (child->state != CHILD_READY &&
            (child->role == PROCESS_AUTH || child->generation == supervisor->newest))
            return false;
    return true;
}

void supervisor_child_ready(struct supervisor *supervisor)
{
    if (supervisor->stopping || supervisor->accepted == supervisor->newest ||
        !all_ready(supervisor))
        return;
    if (supervisor->ready) {
        if (supervisor->previous)
            reload_finish(supervisor);
        return;
    }
    supervisor->ready = true;
    supervisor->accepted = supervisor->newest;
    listeners_accept(&supervisor->listeners);
    log_info("ready",
             LOG_NUMBER("milliseconds", (clock_monotonic_us() - supervisor->started_us) / 1000));
    notify("READY=1");
    if (supervisor->reload_again) {
        supervisor->reload_again = false;
        reload(supervisor);
    }
}

void supervisor_child_fails(struct supervisor *supervisor)
{
    if (supervisor->stopping)
        return;
    if (supervisor->previous) {
        reload_give_up(supervisor);
    } else if (!supervisor->ready) {
        log_error("start_given_up", LOG_TEXT("reason", "a process keeps failing"));
        supervisor_stop(supervisor, 1);
    }
}

/* The others may still have questions for chapar-auth, and messages under way with chapar-send; so
 * these end last. */
static bool is_served(const struct child *child)
{
    return child->role == PROCESS_AUTH || child->role == PROCESS_SEND;
}

static void drain(struct supervisor *supervisor, bool served, uint32_t seconds)
{
    struct child *child = TAILQ_FIRST(&supervisor->children), *next;
    for (; child; child = next) {
        next = TAILQ_NEXT(child, link);
        if (is_served(child) == served)
            child_drain(child, seconds);
    }
}

void supervisor_child_gone(struct supervisor *supervisor)
{
    struct child *child;
    if (!supervisor->stopping)
        return;
    if (TAILQ_EMPTY(&supervisor->children)) {
        uv_stop(&supervisor->loop);
        return;
    }
    for (child = TAILQ_FIRST(&supervisor->children); child; child = TAILQ_NEXT(child, link))
        if (!is_served(child) || child->state == CHILD_DRAINING)
            return;
    drain(supervisor, true, 0);
}

static void kill_all(struct supervisor *supervisor)
{
    struct child *child;
    for (child = TAILQ_FIRST(&supervisor->children); child; child = TAILQ_NEXT(child, link)) {
        log_warning("child_killed", LOG_TEXT("role", process_role_name(child->role)),
                    LOG_NUMBER("child", child->pid));
        child->state = CHILD_DRAINING;
        child->killed = true;
        child_kill(child);
    }
}

static void stop_time_over(uv_timer_t *timer)
{
    kill_all(timer->data);
}

void supervisor_stop(struct supervisor *supervisor, int exit_status)
{
    freeze_stop(supervisor->freeze);
    if (supervisor->stopping) {
        kill_all(supervisor);
        return;
    }
    supervisor->stopping = true;
    supervisor->exit_status = exit_status;
    log_info("stop");
    notify("STOPPING=1");
    uint32_t seconds = (uint32_t)supervisor->config->drain_time;
    uv_timer_start(&supervisor->stop_timer, stop_time_over, seconds * UINT64_C(1000) + STOP_GRACE,
                   0);
    listeners_close(&supervisor->listeners);
    admin_close(&supervisor->admin);
    drain(supervisor, false, seconds);
    supervisor_child_gone(supervisor);
}

static void signalled(uv_signal_t *handle, int number)
{
    struct supervisor *supervisor = handle->data;
    if (number == SIGHUP)
        reload(supervisor);
    else
        supervisor_stop(supervisor, 0);
}

/* --- start --- */

void supervisor_set_log(const struct config *config)
{
    enum log_level level = LOG_LEVEL_INFO;
    log_level_parse(slice_from_string(config->log_level), &level);
    log_init(process_role_name(PROCESS_SUPERVISOR), level,
             strcmp(config->log_format, "json") ? LOG_FORMAT_KEY_VALUE : LOG_FORMAT_JSON);
}

/* By descriptor, so that nobody can put a link in its place meanwhile. */
static int give_directory(const char *path, mode_t mode, const char *user)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    int error = *user && uid == 0 ? confine_user(user, &uid, &gid) : 0;
    if (error)
        return error;
    int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (descriptor < 0)
        return error_from_errno(errno);
    if (fchmod(descriptor, mode) || fchown(descriptor, uid, gid))
        error = error_from_errno(errno);
    close(descriptor);
    return error;
}

static int make_directory(const char *path, mode_t mode, const char *user)
{
    int error = 0;
    if (mkdir(path, mode) == 0) {
        error = give_directory(path, mode, user);
        if (error)
            rmdir(path);
    } else if (errno != EEXIST) {
        error = error_from_errno(errno);
    }
    if (error)
        log_error("directory_failed", LOG_TEXT("path", path), LOG_TEXT("user", user),
                  LOG_TEXT("error", error_name(error)));
    return error;
}

/* The data directory can be passed through, to its sockets; what is in it belongs to one user
 * each, and to chapar-login nothing does. */
static int make_directories(const struct config *config)
{
    const struct {
        const char *name, *user;
        mode_t mode;
    } directories[] = {
        {"", "", 0711},
        {"/mail", config->session_user, 0700},
        {"/auth", config->auth_user, 0700},
        {"/empty", "", 0555},
    };
    int error = 0;
    for (size_t i = 0; !error && i < sizeof(directories) / sizeof(directories[0]); i++) {
        char path[PATH_MAX];
        snprintf(path, sizeof(path), "%s%s", config->data_directory, directories[i].name);
        error = make_directory(path, directories[i].mode, directories[i].user);
    }
    return error;
}

/* Children inherit it. A TLS stream takes its socket and a pair, a session its stream and the files
 * of its account. */
static void raise_file_limit(const struct config *config)
{
    enum { OTHERS = 1024, EACH_LOGIN = 4, EACH_ACCOUNT = 4 };
    uint64_t login = (uint64_t)config->login_connections * EACH_LOGIN;
    uint64_t session =
        (uint64_t)config->session_connections + (uint64_t)config->open_accounts * EACH_ACCOUNT;
    rlim_t wanted = (login > session ? login : session) + OTHERS;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit))
        return;
    struct rlimit raised = {wanted, limit.rlim_max > wanted ? limit.rlim_max : wanted};
    if (limit.rlim_cur >= wanted || setrlimit(RLIMIT_NOFILE, &raised) == 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_max < wanted)
        log_warning("few_files", LOG_NUMBER("limit", limit.rlim_max), LOG_NUMBER("wanted", wanted));
}

static int find_program_directory(struct supervisor *supervisor)
{
    char path[PATH_MAX];
    ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - 1);
    if (size <= 0)
        return ERROR_NOT_FOUND;
    path[size] = '\0';
    *strrchr(path, '/') = '\0';
    supervisor->program_directory = strdup(path);
    return supervisor->program_directory ? 0 : ERROR_MEMORY;
}

static void start_signals(struct supervisor *supervisor)
{
    static const int numbers[] = {SIGHUP, SIGTERM, SIGINT};
    for (size_t i = 0; i < 3; i++) {
        uv_signal_init(&supervisor->loop, &supervisor->signals[i]);
        supervisor->signals[i].data = supervisor;
        uv_signal_start(&supervisor->signals[i], signalled, numbers[i]);
    }
    uv_timer_init(&supervisor->loop, &supervisor->stop_timer);
    supervisor->stop_timer.data = supervisor;
}

static int confine_self(void)
{
    struct confinement_request request = {PROCESS_SUPERVISOR, "/", ""};
    struct confinement_result result;
    const char *step = "";
    int error = confine(&request, &result, &step);
    if (error)
        log_error("confine_failed", LOG_TEXT("step", step), LOG_TEXT("error", error_name(error)));
    return error;
}

static int open_all(struct supervisor *supervisor)
{
    const struct config *config = supervisor->config;
    int error = make_directories(config);
    if (!error)
        error = freeze_create(supervisor, &supervisor->freeze);
    if (error)
        return error;
    /* First the socket that only one chapard can have, then what it guards. */
    error = admin_open(supervisor, &supervisor->admin);
    if (error) {
        log_error("listen_failed", LOG_TEXT("service", "admin"),
                  LOG_TEXT("address", config->admin_socket), LOG_TEXT("error", error_name(error)),
                  LOG_TEXT("reason", error == ERROR_BUSY ? "another chapard runs on this data"
                                                         : error_text(error)));
        return error;
    }
    error = config_write_active(config, supervisor->active_path);
    if (error) {
        log_error("write_failed", LOG_TEXT("path", supervisor->active_path),
                  LOG_TEXT("error", error_name(error)));
        return error;
    }
    supervisor->owns_data = true;
    raise_file_limit(config);
    error = shared_create(&supervisor->shared);
    if (error) {
        log_error("memory_failed", LOG_TEXT("error", error_name(error)));
        return error;
    }
    return listeners_open(&supervisor->listeners, config, &supervisor->systemd);
}

static int start(struct supervisor *supervisor)
{
    int error = find_program_directory(supervisor);
    if (!error && asprintf(&supervisor->active_path, "%s/active.conf",
                           supervisor->config->data_directory) < 0)
        error = ERROR_MEMORY;
    if (!error)
        error = open_all(supervisor);
    if (!error)
        error = confine_self();
    supervisor->newest = 1;
    for (int role = PROCESS_AUTH; !error && role < PROCESS_ROLES; role++)
        error = children_start(supervisor, (enum process_role)role, supervisor->newest);
    return error;
}

static void no_callback(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static int run(struct supervisor *supervisor)
{
    uv_loop_init(&supervisor->loop);
    TAILQ_INIT(&supervisor->listeners);
    TAILQ_INIT(&supervisor->children);
    supervisor->started_us = clock_monotonic_us();
    start_signals(supervisor);
    if (start(supervisor)) {
        supervisor->stopping = true;
        supervisor->exit_status = 1;
        listeners_close(&supervisor->listeners);
        admin_close(&supervisor->admin);
        drain(supervisor, false, 0);
        drain(supervisor, true, 0);
    }
    if (!supervisor->stopping || !TAILQ_EMPTY(&supervisor->children))
        uv_run(&supervisor->loop, UV_RUN_DEFAULT);
    log_info("end", LOG_NUMBER("status", supervisor->exit_status));
    uv_run(&supervisor->loop, UV_RUN_NOWAIT);
    uv_walk(&supervisor->loop, no_callback, NULL);
    uv_run(&supervisor->loop, UV_RUN_NOWAIT);
    uv_loop_close(&supervisor->loop);
    freeze_free(&supervisor->freeze);
    if (supervisor->owns_data)
        unlink(supervisor->active_path);
    free(supervisor->active_path);
    free(supervisor->program_directory);
    config_free(&supervisor->previous);
    return supervisor->exit_status;
}

static int usage(FILE *out, int status)
{
    fputs("usage: chapard -c FILE\n"
          "       chapard --version | --help\n"
          "\n"
          "Runs the Chapar mail server in the foreground. SIGHUP reloads, SIGTERM stops.\n"
          "See chapard(8) and chapar.conf(5).\n",
          out);
    return status;
}

int main(int count, char **arguments)
{
    static const struct option options[] = {
        {"version", no_argument, NULL, 'v'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    static struct supervisor supervisor;
    for (int option; (option = getopt_long(count, arguments, "c:", options, NULL)) != -1;) {
        if (option == 'v')
            return printf("chapard %s\n", CHAPAR_VERSION) < 0;
        if (option == 'h')
            return usage(stdout, 0);
        if (option != 'c')
            return usage(stderr, 2);
        supervisor.config_path = optarg;
    }
    if (!supervisor.config_path || optind != count)
        return usage(stderr, 2);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    umask(077);
    notify_init();
    systemd_sockets_take(&supervisor.systemd);

    struct buffer problems;
    buffer_init(&problems, 256 * 1024);
    int error = config_read(supervisor.config_path, &supervisor.config, &problems);
    if (error)
        fprintf(stderr, "%.*s", SLICE_FORMAT(buffer_slice(&problems)));
    buffer_release(&problems);
    if (error)
        return 1;
    supervisor_set_log(supervisor.config);
    int status = run(&supervisor);
    config_free(&supervisor.config);
    return status;
}
