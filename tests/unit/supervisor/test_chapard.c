/*
 * chapard as a process, with children that have the real skeleton and confinement but no mail.
 */
#include "../check.h"

#include "base/error.h"
#include "ipc/service.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

struct server {
    char directory[64];
    char config[128];
    pid_t pid;
    int notify; /* systemd's end */
    uint16_t port;
    char log[128];
};

static const char default_options[] = "session_processes = 2\ndrain_time = 1\n";

static uint16_t free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(probe, (struct sockaddr *)&address, size), 0);
    getsockname(probe, (struct sockaddr *)&address, &size);
    close(probe);
    return ntohs(address.sin_port);
}

static void write_config(const struct server *server, const char *more)
{
    FILE *file = fopen(server->config, "w");
    assert_non_null(file);
    fprintf(file,
            "data_directory = \"data\"\nprogram_directory = \"%s\"\n"
            "imap_listen = {\"127.0.0.1:%u\"}\nlmtp_listen = {\"unix:lmtp.sock\"}\n"
            "login_connections = 10\nsession_connections = 10\nopen_accounts = 10\n"
            "login_user = \"#60001\"\nauth_user = \"#60002\"\nsession_user = \"#60003\"\n"
            "send_user = \"#60004\"\n%s",
            FAKE_DIRECTORY, server->port, more);
    fclose(file);
}

static void open_notify(struct server *server)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", server->directory);
    server->notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct timeval timeout = {.tv_sec = 20};
    setsockopt(server->notify, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    assert_int_equal(bind(server->notify, (struct sockaddr *)&address, sizeof(address)), 0);
    setenv("NOTIFY_SOCKET", address.sun_path, 1);
}

static void prepare(struct server *server, const char *more)
{
    *server = (struct server){.directory = "/tmp/chapard-test-XXXXXX", .port = free_port()};
    assert_non_null(mkdtemp(server->directory));
    chmod(server->directory, 0711);
    snprintf(server->config, sizeof(server->config), "%s/chapar.conf", server->directory);
    snprintf(server->log, sizeof(server->log), "%s/log", server->directory);
    write_config(server, more);
    open_notify(server);
}

static void launch(struct server *server)
{
    server->pid = fork();
    assert_true(server->pid >= 0);
    if (server->pid == 0) {
        int log = open(server->log, O_WRONLY | O_CREAT | O_APPEND, 0600);
        dup2(log, STDOUT_FILENO);
        dup2(log, STDERR_FILENO);
        execl(CHAPARD, CHAPARD, "-c", server->config, (char *)NULL);
        _exit(127);
    }
}

static void expect_notice(struct server *server, const char *expected)
{
    char text[128] = "";
    assert_true(recv(server->notify, text, sizeof(text) - 1, 0) > 0);
    if (strncmp(text, expected, strlen(expected)) != 0)
        print_error("\"%s\" != \"%s\"\n", text, expected);
    assert_int_equal(strncmp(text, expected, strlen(expected)), 0);
}

static void start_server(struct server *server, const char *more)
{
    prepare(server, more);
    launch(server);
    expect_notice(server, "READY=1");
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

static int wait_for_end(struct server *server)
{
    int status = -1;
    assert_int_equal(waitpid(server->pid, &status, 0), server->pid);
    close(server->notify);
    return status;
}

static void clean_up(struct server *server)
{
    nftw(server->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void stop_server(struct server *server)
{
    kill(server->pid, SIGTERM);
    int status = wait_for_end(server);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    clean_up(server);
}

static bool log_has(const struct server *server, const char *text)
{
    static char log[256 * 1024];
    FILE *file = fopen(server->log, "r");
    assert_non_null(file);
    log[fread(log, 1, sizeof(log) - 1, file)] = '\0';
    fclose(file);
    return strstr(log, text) != NULL;
}

/* A connection and the greeting of who serves it; -1 when nobody listens. */
struct greeting {
    int socket;
    char role[32];
    unsigned slot;
    int pid, peers;
};

static void parse(const char *text, struct greeting *greeting)
{
    char *end;
    const char *space = strchr(text, ' ');
    assert_non_null(space);
    snprintf(greeting->role, sizeof(greeting->role), "%.*s", (int)(space - text), text);
    greeting->slot = (unsigned)strtoul(space, &end, 10);
    greeting->pid = (int)strtol(end, &end, 10);
    greeting->peers = (int)strtol(end, NULL, 10);
}

static struct greeting greet(int socket, const struct sockaddr *address, socklen_t size)
{
    struct greeting greeting = {.socket = socket};
    struct timeval timeout = {.tv_sec = 20};
    char text[128] = "";
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    if (connect(socket, address, size)) {
        close(socket);
        greeting.socket = -1;
        return greeting;
    }
    assert_true(recv(socket, text, sizeof(text) - 1, 0) > 0);
    parse(text, &greeting);
    return greeting;
}

static bool listens(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int attempt = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool connected = connect(attempt, (struct sockaddr *)&address, sizeof(address)) == 0;
    close(attempt);
    return connected;
}

static struct greeting connect_imap(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return greet(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), (struct sockaddr *)&address,
                 sizeof(address));
}

static struct greeting connect_lmtp(const struct server *server)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/data/lmtp.sock", server->directory);
    return greet(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), (struct sockaddr *)&address,
                 sizeof(address));
}

static int admin_connect(const struct server *server, enum admin_service service)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char byte = (char)service;
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/data/admin.sock", server->directory);
    int connection = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(connection, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(ipc_send(connection, IPC_ADMIN_OPEN, slice_make(&byte, 1), NULL, 0), 0);
    return connection;
}

/* The status as chapard gives it; static memory. */
static const char *status(const struct server *server)
{
    static char text[64 * 1024];
    size_t size = 0;
    struct buffer body;
    struct ipc_message message;
    bool last = false;
    buffer_init(&body, IPC_BODY_MAXIMUM);
    int connection = admin_connect(server, ADMIN_SERVICE_SUPERVISOR);
    assert_int_equal(ipc_send(connection, IPC_ADMIN_STATUS, SLICE(""), NULL, 0), 0);
    while (!last) {
        struct ipc_reader reader;
        assert_int_equal(ipc_receive(connection, &body, &message), 0);
        assert_int_equal(message.type, IPC_ADMIN_STATUS_TEXT);
        ipc_reader_init(&reader, message.body);
        last = ipc_get_u8(&reader);
        struct slice piece = ipc_get_bytes(&reader, IPC_BODY_MAXIMUM);
        assert_true(size + piece.size < sizeof(text));
        memcpy(text + size, piece.data, piece.size);
        size += piece.size;
    }
    text[size] = '\0';
    close(connection);
    buffer_release(&body);
    return text;
}

static int occurrences(const char *text, const char *part)
{
    int count = 0;
    while ((text = strstr(text, part))) {
        count++;
        text++;
    }
    return count;
}

static void nap(void)
{
    usleep(20 * 1000);
}

static void expect_status(const struct server *server, const char *part, int count)
{
    for (int i = 0; i < 500; i++) {
        if (occurrences(status(server), part) == count)
            return;
        nap();
    }
    print_error("%d times %s expected in %s\n", count, part, status(server));
    fail();
}

/* To a session with so many peers. It is told of the last ones while it runs, so that may take a
 * moment. */
static struct greeting connect_lmtp_peers(const struct server *server, int peers)
{
    struct greeting session = connect_lmtp(server);
    for (int i = 0; i < 500 && session.peers != peers; i++) {
        close(session.socket);
        nap();
        session = connect_lmtp(server);
    }
    assert_int_equal(session.peers, peers);
    return session;
}

/* --- the tests --- */

static void test_starts_and_stops(void **state)
{
    (void)state;
    struct server server;
    start_server(&server, default_options);
    struct greeting imap = connect_imap(server.port);
    struct greeting lmtp = connect_lmtp_peers(&server, 3); /* auth, login, send */
    assert_string_equal(imap.role, "chapar-login");
    assert_string_equal(lmtp.role, "chapar-session");
    assert_int_equal(imap.peers, 3); /* auth, two sessions */
    const char *text = status(&server);
    assert_int_equal(occurrences(text, "\"state\":\"ready\""), 6);
    assert_int_equal(occurrences(text, "\"seccomp\":2"), 6);
    assert_int_equal(occurrences(text, "\"no_new_privs\":true"), 6);
    assert_int_equal(occurrences(text, "\"capabilities\":\"0000000000000000\""), geteuid() ? 6 : 5);
    assert_int_equal(occurrences(text, "\"chrooted\":true"), geteuid() ? 0 : 5);
    assert_int_equal(occurrences(text, "\"service\":\"lmtp\""), 1);
    if (geteuid() == 0)
        assert_non_null(strstr(text, "\"uid\":60001,\"gid\":60001"));
    close(imap.socket);
    close(lmtp.socket);
    kill(server.pid, SIGTERM);
    expect_notice(&server, "STOPPING=1");
    assert_int_equal(wait_for_end(&server), 0);
    assert_int_equal(connect_imap(server.port).socket, -1);
    assert_false(log_has(&server, "child_crashed"));
    clean_up(&server);
}

static void test_restarts_what_crashes(void **state)
{
    (void)state;
    struct server server;
    start_server(&server, default_options);
    struct greeting victim = connect_lmtp(&server), other = connect_imap(server.port);
    assert_int_equal(write(victim.socket, "crash", 5), 5);
    char byte;
    assert_int_equal(read(victim.socket, &byte, 1), 0);
    expect_status(&server, "\"crashes\":1,\"last_crash\":{\"time\"", 1);
    expect_status(&server, "\"signal\":11", 1);
    expect_status(&server, "\"serving\":\"imap alice@example.test FETCH\"", 1);
    expect_status(&server, "\"state\":\"ready\"", 6);
    expect_status(&server, "\"process_crashes\":1", 1);
    expect_status(&server, "\"process_starts\":6", 1);
    assert_true(log_has(&server, "event=child_crashed role=chapar-session"));
    /* Nobody else noticed; the login got a channel to the new process. */
    assert_int_equal(recv(other.socket, &byte, 1, MSG_DONTWAIT), -1);
    struct greeting again = connect_imap(server.port);
    assert_int_equal(again.pid, other.pid);
    assert_int_equal(again.peers, 4);
    /* Its slot is used again. */
    char slot[64];
    snprintf(slot, sizeof(slot), "\"slot\":%u,", victim.slot);
    assert_int_equal(occurrences(status(&server), slot), 1);
    close(victim.socket);
    close(other.socket);
    close(again.socket);
    stop_server(&server);
}

static void test_exit_and_breach_are_crashes(void **state)
{
    (void)state;
    struct server server;
    start_server(&server, default_options);
    struct greeting victim = connect_imap(server.port);
    assert_int_equal(write(victim.socket, "breach", 6), 6);
    expect_status(&server, "\"signal\":9", 1);
    assert_true(log_has(&server, "event=child_breach"));
    expect_status(&server, "\"state\":\"ready\"", 6);
    struct greeting next = connect_imap(server.port);
    assert_int_equal(write(next.socket, "exit", 4), 4);
    expect_status(&server, "\"signal\":0,\"status\":3", 1);
    expect_status(&server, "\"restarts\":2,\"crashes\":2", 1);
    close(victim.socket);
    close(next.socket);
    stop_server(&server);
}

static void say_lost(const struct greeting *teller, enum ipc_channel_kind kind, uint32_t slot)
{
    char text[64];
    int size = snprintf(text, sizeof(text), "lost %d %u\n", kind, slot);
    assert_int_equal(write(teller->socket, text, (size_t)size), size);
}

static void expect_end(const struct greeting *child)
{
    char byte;
    assert_true(read(child->socket, &byte, 1) <= 0);
    close(child->socket);
}

/* Whichever side tells, the process that strangers reach first is replaced, and then has all
 * channels anew. */
static void test_replaces_who_broke_a_channel(void **state)
{
    (void)state;
    struct server server;
    start_server(&server, default_options);
    struct greeting session = connect_lmtp(&server), login = connect_imap(server.port);
    say_lost(&session, IPC_CHANNEL_LOGIN_SESSION, login.slot);
    expect_end(&login);
    expect_status(&server, "\"state\":\"ready\"", 6);
    assert_true(log_has(&server, "event=channel_breach told_by=chapar-session"));
    login = connect_imap(server.port);
    assert_int_equal(login.peers, 3);
    say_lost(&login, IPC_CHANNEL_LOGIN_SESSION, session.slot);
    expect_end(&login);
    expect_status(&server, "\"state\":\"ready\"", 6);
    /* Nobody in that slot: it has gone for good. */
    say_lost(&session, IPC_CHANNEL_LOGIN_SESSION, SERVICE_SLOTS - 1);
    /* No such channel joins the two. */
    assert_false(log_has(&server, "event=child_breach"));
    say_lost(&session, IPC_CHANNEL_LOGIN_AUTH, session.slot);
    expect_end(&session);
    expect_status(&server, "\"state\":\"ready\"", 6);
    assert_true(log_has(&server, "event=child_breach role=chapar-session"));
    stop_server(&server);
}

/* Of chapar-send it is the answering side, so that no session ends for what a mail server has made
 * of chapar-send. */
static void test_replaces_chapar_send(void **state)
{
    (void)state;
    struct server server;
    start_server(&server, default_options);
    struct greeting session = connect_lmtp(&server);
    const char *sender = strstr(status(&server), "\"role\":\"chapar-send\",\"slot\":");
    assert_non_null(sender);
    uint32_t slot = (uint32_t)strtoul(strstr(sender, "slot") + 6, NULL, 10);
    say_lost(&session, IPC_CHANNEL_SESSION_SEND, slot);
    expect_status(&server, "\"signal\":9", 1);
    expect_status(&server, "\"state\":\"ready\"", 6);
    assert_true(log_has(&server, "event=channel_breach told_by=chapar-session"));
    assert_true(log_has(&server, "event=child_crashed role=chapar-send"));
    char byte;
    assert_int_equal(recv(session.socket, &byte, 1, MSG_DONTWAIT), -1);
    close(session.socket);
    session = connect_lmtp_peers(&server, 4); /* auth, login, two of send's */
    close(session.socket);
    stop_server(&server);
}

static void test_without_outgoing_server(void **state)
{
    (void)state;
    struct server server;
    start_server(&server, "session_processes = 2\noutgoing_server = \"\"\n");
    expect_status(&server, "\"state\":\"ready\"", 5);
    assert_int_equal(occurrences(status(&server), "chapar-send"), 0);
    struct greeting session = connect_lmtp_peers(&server, 2); /* auth, login */
    /* A reload starts one, and another one ends it. */
    write_config(&server, "session_processes = 2\noutgoing_server = \"127.0.0.1:25\"\n");
    kill(server.pid, SIGHUP);
    expect_notice(&server, "RELOADING=1");
    expect_notice(&server, "READY=1");
    expect_status(&server, "\"role\":\"chapar-send\"", 1);
    write_config(&server, "session_processes = 2\noutgoing_server = \"\"\n");
    kill(server.pid, SIGHUP);
    expect_notice(&server, "RELOADING=1");
    expect_notice(&server, "READY=1");
    expect_status(&server, "\"role\":\"chapar-send\"", 0);
    assert_false(log_has(&server, "child_crashed"));
    close(session.socket);
    stop_server(&server);
}

static void test_gives_up_a_hopeless_start(void **state)
{
    (void)state;
    struct server server;
    prepare(&server, "session_processes = 1\nhostname = \"fails\"\n");
    launch(&server);
    int status = wait_for_end(&server);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    assert_true(log_has(&server, "event=start_given_up"));
    clean_up(&server);
}

static void test_passes_admin_connections_on(void **state)
{
    (void)state;
    struct server server;
    start_server(&server, default_options);
    static const struct {
        enum admin_service service;
        const char *role;
    } services[] = {{ADMIN_SERVICE_SESSION, "chapar-session "},
                    {ADMIN_SERVICE_AUTH, "chapar-auth "}};
    struct buffer body;
    buffer_init(&body, IPC_BODY_MAXIMUM);
    for (size_t i = 0; i < 2; i++) {
        int connection = admin_connect(&server, services[i].service);
        assert_int_equal(ipc_send(connection, IPC_ADMIN_CALL, SLICE("\0\0\0\0\0\0\0\0"), NULL, 0),
                         0);
        struct ipc_message message;
        struct ipc_reader reader;
        assert_int_equal(ipc_receive(connection, &body, &message), 0);
        assert_int_equal(message.type, IPC_ADMIN_RESULT);
        ipc_reader_init(&reader, message.body);
        assert_int_equal(ipc_get_u32(&reader), 0);
        assert_true(
            slice_starts_with(ipc_get_bytes(&reader, 1000), slice_from_string(services[i].role)));
        close(connection);
    }
    buffer_release(&body);
    stop_server(&server);
}

/* The old process keeps its connection, new ones go to the new one. */
static void test_reloads(void **state)
{
    (void)state;
    struct server server;
    start_server(&server, default_options);
    struct greeting before = connect_imap(server.port);
    uint16_t old_port = server.port;
    server.port = free_port();
    write_config(&server, default_options);
    kill(server.pid, SIGHUP);
    expect_notice(&server, "RELOADING=1");
    expect_notice(&server, "READY=1");
    struct greeting after = connect_imap(server.port);
    assert_true(after.socket >= 0);
    assert_int_not_equal(after.pid, before.pid);
    assert_int_not_equal(after.slot, before.slot);
    assert_int_equal(after.peers, 3);
    expect_status(&server, "\"generation\":2,\"pid\"", 5); /* chapard, login, two sessions, send */
    expect_status(&server, "\"state\":\"draining\"", 1);   /* the old login */
    char byte;
    assert_int_equal(recv(before.socket, &byte, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
    /* A connection may still come into the queue of a listener that is closed the moment after:
     * nobody greets it. */
    for (int i = 0; i < 500 && listens(old_port); i++)
        nap();
    assert_false(listens(old_port));
    close(before.socket);
    expect_status(&server, "\"state\":\"draining\"", 0);
    assert_false(log_has(&server, "child_crashed"));
    close(after.socket);
    stop_server(&server);
}

static void expect_refused_reload(struct server *server, const char *why)
{
    struct greeting before = connect_imap(server->port);
    kill(server->pid, SIGHUP);
    expect_notice(server, "RELOADING=1");
    expect_notice(server, "READY=1");
    struct greeting after = connect_imap(server->port);
    assert_int_equal(after.pid, before.pid);
    assert_true(log_has(server, why));
    close(before.socket);
    close(after.socket);
}

static void test_refuses_a_wrong_reload(void **state)
{
    (void)state;
    struct server server;
    start_server(&server, default_options);
    write_config(&server, "nonsense = 1\n");
    expect_refused_reload(&server, "config_problem");
    write_config(&server, "engine = \"other\"\n");
    expect_refused_reload(&server, "engine");
    write_config(&server, "imaps_listen = {\"127.0.0.1:1\"}\n");
    expect_refused_reload(&server, "reload_refused");
    /* A crash under a wrong file: the new process gets the configuration in force. */
    struct greeting victim = connect_imap(server.port);
    assert_int_equal(write(victim.socket, "crash", 5), 5);
    expect_status(&server, "\"restarts\":1,\"crashes\":1", 1);
    expect_status(&server, "\"state\":\"ready\"", 6);
    close(victim.socket);
    stop_server(&server);
}

static void test_gives_up_a_hopeless_reload(void **state)
{
    (void)state;
    struct server server;
    start_server(&server, default_options);
    write_config(&server, "session_processes = 2\nhostname = \"fails\"\n");
    expect_refused_reload(&server, "event=reload_failed");
    expect_status(&server, "\"role\"", 6);
    write_config(&server, default_options);
    kill(server.pid, SIGHUP);
    expect_notice(&server, "RELOADING=1");
    expect_notice(&server, "READY=1");
    assert_true(log_has(&server, "event=reloaded"));
    stop_server(&server);
}

static void test_kills_what_does_not_end(void **state)
{
    (void)state;
    struct server server;
    start_server(&server, "session_processes = 1\ndrain_time = 0\nhostname = \"stuck\"\n");
    kill(server.pid, SIGTERM);
    assert_int_equal(wait_for_end(&server), 0);
    assert_true(log_has(&server, "event=child_killed"));
    assert_false(log_has(&server, "child_crashed"));
    clean_up(&server);
}

/* The first one must not even notice: it can still start processes. */
static void test_only_one_on_the_same_data(void **state)
{
    (void)state;
    struct server server;
    start_server(&server, default_options);
    pid_t first = server.pid;
    int status;
    launch(&server);
    assert_int_equal(waitpid(server.pid, &status, 0), server.pid);
    assert_int_equal(WEXITSTATUS(status), 1);
    assert_true(log_has(&server, "another chapard runs on this data"));
    server.pid = first;
    struct greeting victim = connect_imap(server.port);
    assert_int_equal(write(victim.socket, "crash", 5), 5);
    expect_status(&server, "\"restarts\":1,\"crashes\":1", 1);
    expect_status(&server, "\"state\":\"ready\"", 6);
    close(victim.socket);
    stop_server(&server);
}

/* The children drain and end by themselves. */
static void test_chapard_is_killed(void **state)
{
    (void)state;
    struct server server;
    start_server(&server, default_options);
    struct greeting login = connect_imap(server.port);
    close(login.socket);
    kill(server.pid, SIGKILL);
    wait_for_end(&server);
    for (int i = 0; i < 500 && kill(login.pid, 0) == 0; i++) {
        waitpid(login.pid, NULL, WNOHANG);
        nap();
    }
    assert_int_equal(kill(login.pid, 0), -1);
    assert_true(log_has(&server, "event=chapard_gone"));
    clean_up(&server);
}

static void test_children_refuse_to_be_started_by_hand(void **state)
{
    (void)state;
    int ends[2];
    char text[256] = "";
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], STDERR_FILENO);
        execl(FAKE_DIRECTORY "/chapar-login", "chapar-login", "-c", "/dev/null", (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    assert_true(read(ends[0], text, sizeof(text) - 1) > 0);
    assert_string_equal(text, "chapar-login: is started by chapard, not by hand; see chapard(8)\n");
    int result;
    waitpid(pid, &result, 0);
    assert_int_equal(WEXITSTATUS(result), 1);
    close(ends[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_starts_and_stops),
        cmocka_unit_test(test_restarts_what_crashes),
        cmocka_unit_test(test_exit_and_breach_are_crashes),
        cmocka_unit_test(test_replaces_who_broke_a_channel),
        cmocka_unit_test(test_replaces_chapar_send),
        cmocka_unit_test(test_without_outgoing_server),
        cmocka_unit_test(test_gives_up_a_hopeless_start),
        cmocka_unit_test(test_passes_admin_connections_on),
        cmocka_unit_test(test_reloads),
        cmocka_unit_test(test_refuses_a_wrong_reload),
        cmocka_unit_test(test_gives_up_a_hopeless_reload),
        cmocka_unit_test(test_kills_what_does_not_end),
        cmocka_unit_test(test_only_one_on_the_same_data),
        cmocka_unit_test(test_chapard_is_killed),
        cmocka_unit_test(test_children_refuse_to_be_started_by_hand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
