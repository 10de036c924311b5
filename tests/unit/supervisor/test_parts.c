#include "../check.h"

#include "base/counters.h"
#include "base/error.h"
#include "kv/notice_ring.h"
#include "supervisor/supervisor_priv.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char directory[64];

static int make_directory(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/supervisor-test-XXXXXX");
    return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
    (void)state;
    return rmdir(directory);
}

static void test_backoff_doubles_to_its_maximum(void **state)
{
    (void)state;
    assert_int_equal(child_backoff(1), 100);
    assert_int_equal(child_backoff(2), 200);
    assert_int_equal(child_backoff(5), 1600);
    assert_int_equal(child_backoff(9), 25600);
    assert_int_equal(child_backoff(10), 30000);
    assert_int_equal(child_backoff(4000000000u), 30000);
}

/* The supervisor does not link the storage code, but makes memory for it. */
static void test_shared_memory_is_enough_for_notices(void **state)
{
    (void)state;
    struct shared shared;
    struct notice_ring *ring = NULL;
    assert_int_equal(SERVICE_SLOTS, NOTICE_SLOTS);
    assert_true((int)SERVICE_SLOTS <= (int)COUNTER_SLOTS);
    assert_int_equal(shared_create(&shared), 0);
    assert_int_equal(notice_ring_attach(shared.notices, shared.wake, 5, &ring), 0);
    notice_ring_want(ring, 7);
    notice_ring_post(ring, 7);
    uint64_t count = 0;
    assert_int_equal(read(shared.wake[5], &count, sizeof(count)), sizeof(count));
    notice_ring_detach(&ring);
    assert_int_equal(ftruncate(shared.notices, 0), -1); /* sealed */
    shared_release(&shared);
}

static void write_note(const struct shared *shared, uint32_t slot, int thread, const char *text,
                       size_t size)
{
    off_t offset = (off_t)slot * CRASH_NOTE_STRIDE + thread * CRASH_NOTE_MAXIMUM;
    assert_int_equal(pwrite(shared->notes, text, size, offset), size);
}

static void test_notes_are_joined_and_forgotten(void **state)
{
    (void)state;
    struct shared shared;
    char text[SERVING_MAXIMUM], wild[CRASH_NOTE_MAXIMUM];
    assert_int_equal(shared_create(&shared), 0);
    write_note(&shared, 3, 0, "imap alice FETCH", 17);
    write_note(&shared, 3, 4, "lmtp", 5);
    write_note(&shared, 4, 0, "another process", 16);
    shared_take_notes(&shared, 3, text);
    assert_string_equal(text, "imap alice FETCH; lmtp");
    shared_take_notes(&shared, 3, text);
    assert_string_equal(text, "");
    /* Notes without an end, in every thread: bounded all the same. */
    memset(wild, 'x', sizeof(wild));
    for (int i = 0; i < CRASH_NOTES; i++)
        write_note(&shared, SERVICE_SLOTS - 1, i, wild, sizeof(wild));
    shared_take_notes(&shared, SERVICE_SLOTS - 1, text);
    assert_true(strlen(text) > CRASH_NOTE_MAXIMUM && strlen(text) < SERVING_MAXIMUM);
    shared_release(&shared);
}

static void test_unix_listener(void **state)
{
    (void)state;
    char path[128];
    struct stat status;
    snprintf(path, sizeof(path), "%s/socket", directory);
    int first = listen_unix(path, SOCK_STREAM, 0620, "");
    assert_true(first >= 0);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0620);
    assert_int_equal(listen_unix(path, SOCK_STREAM, 0620, ""), ERROR_BUSY); /* alive */
    close(first);
    int second = listen_unix(path, SOCK_STREAM, 0600, ""); /* stale: taken over */
    assert_true(second >= 0);
    close(second);
    unlink(path);
    assert_int_equal(listen_unix(path, SOCK_STREAM, 0600, "no-such-group-here"), ERROR_NOT_FOUND);
    assert_int_equal(stat(path, &status), -1);
    int file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    close(file);
    assert_int_equal(listen_unix(path, SOCK_STREAM, 0600, ""), ERROR_EXISTS); /* no socket */
    unlink(path);
    char long_path[200];
    memset(long_path, 'x', sizeof(long_path) - 1);
    long_path[sizeof(long_path) - 1] = '\0';
    assert_int_equal(listen_unix(long_path, SOCK_STREAM, 0600, ""), ERROR_LIMIT);
}

/* The directory's owner has put a link to another file, or the file, in the socket's place. */
static void test_access_is_given_to_sockets_alone(void **state)
{
    (void)state;
    char path[128], link[128];
    struct stat status;
    snprintf(path, sizeof(path), "%s/secret", directory);
    snprintf(link, sizeof(link), "%s/socket", directory);
    close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    assert_int_equal(symlink(path, link), 0);
    assert_int_equal(listen_set_access(link, 0666, ""), ERROR_DENIED);
    assert_int_equal(listen_set_access(path, 0666, ""), ERROR_DENIED);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    unlink(link);
    unlink(path);
    assert_int_equal(listen_set_access(path, 0666, ""), ERROR_NOT_FOUND);
}

/* Descriptor 3 is where systemd's sockets begin. */
static void test_systemd_sockets(void **state)
{
    (void)state;
    int spared = fcntl(3, F_DUPFD_CLOEXEC, 10), spared_next = fcntl(4, F_DUPFD_CLOEXEC, 10);
    int made = socket(AF_UNIX, SOCK_STREAM, 0);
    dup2(made, 3);
    dup2(made, 4);
    char pid[16];
    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", "2", 1);
    setenv("LISTEN_FDNAMES", "imap:lmtp", 1);
    struct systemd_sockets sockets;
    systemd_sockets_take(&sockets);
    assert_int_equal(sockets.count, 2);
    assert_string_equal(sockets.names[0], "imap");
    assert_string_equal(sockets.names[1], "lmtp");
    assert_true(fcntl(4, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(4, F_GETFL) & O_NONBLOCK);
    assert_null(getenv("LISTEN_FDS"));

    struct listener_list listeners = TAILQ_HEAD_INITIALIZER(listeners);
    char name[] = "systemd:lmtp", other[] = "systemd:http";
    char *item[] = {name}, *missing[] = {other};
    struct config config = {.lmtp_listen = {item, 1}};
    assert_int_equal(listeners_open(&listeners, &config, &sockets), 0);
    listeners_accept(&listeners);
    struct listener *listener = TAILQ_FIRST(&listeners);
    assert_non_null(listener);
    assert_string_equal(listener->service, "lmtp");
    config.imap_listen = (struct config_list){missing, 1};
    assert_int_equal(listeners_open(&listeners, &config, &sockets), ERROR_NOT_FOUND);
    assert_ptr_equal(TAILQ_FIRST(&listeners), listener); /* as before */
    assert_true(listener->accepted);
    listeners_close(&listeners);

    setenv("LISTEN_PID", "1", 1);
    setenv("LISTEN_FDS", "2", 1);
    systemd_sockets_take(&sockets); /* not meant for this process */
    assert_int_equal(sockets.count, 0);
    close(made);
    if (spared >= 0)
        dup2(spared, 3);
    if (spared_next >= 0)
        dup2(spared_next, 4);
    close(spared >= 0 ? spared : 3);
    close(spared_next >= 0 ? spared_next : 4);
}

static void test_listeners_across_a_reload(void **state)
{
    (void)state;
    char texts[3][128];
    struct listener_list listeners = TAILQ_HEAD_INITIALIZER(listeners);
    struct systemd_sockets none = {0};
    for (int i = 0; i < 3; i++)
        snprintf(texts[i], sizeof(texts[i]), "unix:%s/%d", directory, i);
    char *first[] = {texts[0], texts[1]}, *second[] = {texts[1], texts[2]};
    char group[] = "";
    struct config config = {
        .lmtp_listen = {first, 2}, .lmtp_socket_group = group, .lmtp_socket_mode = 0600};
    assert_int_equal(listeners_open(&listeners, &config, &none), 0);
    listeners_accept(&listeners);
    struct listener *kept = TAILQ_LAST(&listeners, listener_list);
    int kept_socket = kept->socket;

    config.lmtp_listen = (struct config_list){second, 2};
    assert_int_equal(listeners_open(&listeners, &config, &none), 0);
    assert_false(TAILQ_FIRST(&listeners)->newest); /* open still, for the old generation */
    assert_int_equal(access(texts[0] + 5, F_OK), 0);
    listeners_give_up(&listeners);
    assert_int_equal(access(texts[2] + 5, F_OK), -1);

    assert_int_equal(listeners_open(&listeners, &config, &none), 0);
    listeners_accept(&listeners);
    assert_int_equal(access(texts[0] + 5, F_OK), -1);
    assert_ptr_equal(TAILQ_FIRST(&listeners), kept);
    assert_int_equal(kept->socket, kept_socket);
    listeners_close(&listeners);
    assert_int_equal(access(texts[1] + 5, F_OK), -1);
    assert_int_equal(access(texts[2] + 5, F_OK), -1);
}

/* What is written for children says the same as what was read. */
static void test_active_configuration(void **state)
{
    (void)state;
    char path[128], active[128];
    snprintf(path, sizeof(path), "%s/chapar.conf", directory);
    snprintf(active, sizeof(active), "%s/active.conf", directory);
    FILE *file = fopen(path, "w");
    fputs("data_directory = \"data\"\nhostname = \"mail \\\"x\\\" \\\\\"\n"
          "lmtp_listen = {\"unix:lmtp\", \"127.0.0.1:24\"}\nmessage_size = 1M\n"
          "lmtp_socket_mode = 0620\nplaintext_login = true\n",
          file);
    fclose(file);
    struct config *read_first = NULL, *read_back = NULL;
    struct buffer problems, texts[2];
    buffer_init(&problems, 10000);
    assert_int_equal(config_read(path, &read_first, &problems), 0);
    assert_int_equal(config_write_active(read_first, active), 0);
    assert_int_equal(config_read(active, &read_back, &problems), 0);
    for (const struct config_option *option = config_options; option->name; option++) {
        buffer_init(&texts[0], 10000);
        buffer_init(&texts[1], 10000);
        config_format(read_first, option, &texts[0]);
        config_format(read_back, option, &texts[1]);
        assert_string_equal(texts[0].data, texts[1].data);
        buffer_release(&texts[0]);
        buffer_release(&texts[1]);
    }
    config_free(&read_first);
    config_free(&read_back);
    buffer_release(&problems);
    unlink(path);
    unlink(active);
}

/* chapard's ends of what the parts call when a process comes or goes. */
void supervisor_child_ready(struct supervisor *supervisor)
{
    (void)supervisor;
}

void supervisor_child_gone(struct supervisor *supervisor)
{
    (void)supervisor;
}

void supervisor_child_fails(struct supervisor *supervisor)
{
    (void)supervisor;
}

void supervisor_set_log(const struct config *config)
{
    (void)config;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backoff_doubles_to_its_maximum),
        cmocka_unit_test(test_shared_memory_is_enough_for_notices),
        cmocka_unit_test(test_notes_are_joined_and_forgotten),
        cmocka_unit_test(test_unix_listener),
        cmocka_unit_test(test_access_is_given_to_sockets_alone),
        cmocka_unit_test(test_systemd_sockets),
        cmocka_unit_test(test_listeners_across_a_reload),
        cmocka_unit_test(test_active_configuration),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
