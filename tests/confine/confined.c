/*
 * Confines itself as a role, then tries what was asked for and says what came of it.
 *
 * Usage: confined ROLE ROOT USER OPERATION [ARGUMENT]...
 *   ROLE is auth, session or login, or "cluster": a session that may connect to port 9; an
 * OPERATION with its ARGUMENT ("-" for none) is a pair. Prints the result of the confinement and
 * one line "OPERATION: OK|ERROR" for each. "wait" prints "ready" and waits for a signal or the end
 * of standard input.
 */
#include "base/error.h"
#include "ipc/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CLUSTER_PORT = 9 };

/* Made before the confinement; the filter or Landlock answers. */
static int prepared_socket;

static int opened(int descriptor)
{
    if (descriptor >= 0)
        close(descriptor);
    return descriptor;
}

static int try_read(const char *path)
{
    return opened(open(path, O_RDONLY | O_CLOEXEC));
}

static int try_create(const char *path)
{
    return opened(open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600));
}

/* As SQLite and the spools use files. */
static int try_file_work(const char *directory)
{
    char path[512], moved[512];
    snprintf(path, sizeof(path), "%s/sub", directory);
    if (mkdir(path, 0700))
        return -1;
    snprintf(moved, sizeof(moved), "%s/sub/file", directory);
    snprintf(path, sizeof(path), "%s/file.new", directory);
    int file = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    if (file < 0 || pwrite(file, "text", 4, 0) != 4 || fdatasync(file) || ftruncate(file, 8192))
        return -1;
    struct flock lock = {.l_type = F_WRLCK};
    void *map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (fcntl(file, F_SETLK, &lock) || map == MAP_FAILED || munmap(map, 8192) || close(file))
        return -1;
    if (rename(path, moved)) /* across directories */
        return -1;
    int spool = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (opened(spool) < 0)
        return -1;
    struct stat status;
    if (stat(moved, &status) || truncate(moved, 0) || unlink(moved))
        return -1;
    snprintf(path, sizeof(path), "%s/sub", directory);
    return rmdir(path);
}

static int try_execve(const char *path)
{
    char *arguments[] = {(char *)path, NULL};
    return execve(path, arguments, NULL);
}

static int try_fork(const char *unused)
{
    (void)unused;
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    return pid;
}

static void *nothing(void *arg)
{
    return arg;
}

static int try_thread(const char *unused)
{
    (void)unused;
    pthread_t thread;
    errno = pthread_create(&thread, NULL, nothing, NULL);
    return errno ? -1 : pthread_join(thread, NULL);
}

static int try_socket(const char *family)
{
    int number = strcmp(family, "unix") == 0 ? AF_UNIX : AF_INET;
    return opened(socket(number, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static int try_datagram_socket(const char *unused)
{
    (void)unused;
    return opened(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
}

/* Nobody listens there: that is said only to who may ask. */
static int reach(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int made = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int result = made < 0 ? -1 : connect(made, (const struct sockaddr *)&address, sizeof(address));
    int error = errno;
    opened(made);
    errno = error;
    return result;
}

static int try_reach(const char *unused)
{
    (void)unused;
    return reach(CLUSTER_PORT);
}

static int try_reach_other(const char *unused)
{
    (void)unused;
    return reach(CLUSTER_PORT + 2);
}

static int try_bind(const char *unused)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    (void)unused;
    return bind(prepared_socket, (const struct sockaddr *)&address, sizeof(address));
}

static int try_pair(const char *unused)
{
    (void)unused;
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
        return -1;
    return close(pair[0]) | close(pair[1]);
}

/* One end of such a pair can send to any socket with a name. */
static int try_datagram_pair(const char *unused)
{
    (void)unused;
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair))
        return -1;
    return close(pair[0]) | close(pair[1]);
}

static int try_connect(const char *unused)
{
    (void)unused;
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(1), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return connect(prepared_socket, (struct sockaddr *)&address, sizeof(address));
}

/* Data with the first packet connects too: without connect(), on a listener that was shut down. */
static int try_fast_open(const char *unused)
{
    (void)unused;
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(1), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    shutdown(prepared_socket, SHUT_RDWR);
    return (int)sendto(prepared_socket, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL,
                       (struct sockaddr *)&address, sizeof(address));
}

static int try_fast_open_message(const char *unused)
{
    (void)unused;
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(1), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char byte = 0;
    struct iovec part = {&byte, 1};
    struct msghdr header = {
        .msg_name = &address, .msg_namelen = sizeof(address), .msg_iov = &part, .msg_iovlen = 1};
    shutdown(prepared_socket, SHUT_RDWR);
    return (int)sendmsg(prepared_socket, &header, MSG_FASTOPEN | MSG_NOSIGNAL);
}

static int try_accept(const char *unused)
{
    (void)unused;
    int taken = accept4(prepared_socket, NULL, NULL, SOCK_CLOEXEC);
    return taken < 0 && errno == EAGAIN ? 0 : taken;
}

static int try_ptrace(const char *unused)
{
    (void)unused;
    return (int)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static int try_kill(const char *unused)
{
    (void)unused;
    return kill(getppid(), 0);
}

static int try_setuid(const char *unused)
{
    (void)unused;
    return setuid(0);
}

static int try_executable_memory(const char *unused)
{
    (void)unused;
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? -1 : munmap(memory, 4096);
}

static int try_mkfifo(const char *path)
{
    return mkfifo(path, 0600);
}

static int try_symlink(const char *path)
{
    return symlink("/etc/passwd", path);
}

/* What libc opens files for when it can, and must do without when it cannot. */
static int try_library(const char *unused)
{
    (void)unused;
    time_t now = time(NULL);
    struct tm local;
    char text[64];
    return localtime_r(&now, &local) && strftime(text, sizeof(text), "%A %d %B %Y", &local) &&
                   fprintf(stderr, "%s", "") >= 0
               ? 0
               : -1;
}

static int try_wait(const char *unused)
{
    char byte;
    (void)unused;
    printf("ready\n");
    fflush(stdout);
    return read(STDIN_FILENO, &byte, 1) < 0 ? -1 : 0;
}

static const struct {
    const char *name;
    int (*try)(const char *argument);
} operations[] = {
    {"read", try_read},
    {"create", try_create},
    {"file-work", try_file_work},
    {"execve", try_execve},
    {"fork", try_fork},
    {"thread", try_thread},
    {"socket", try_socket},
    {"pair", try_pair},
    {"connect", try_connect},
    {"accept", try_accept},
    {"ptrace", try_ptrace},
    {"kill", try_kill},
    {"setuid", try_setuid},
    {"executable-memory", try_executable_memory},
    {"mkfifo", try_mkfifo},
    {"symlink", try_symlink},
    {"library", try_library},
    {"wait", try_wait},
    {"fast-open", try_fast_open},
    {"fast-open-message", try_fast_open_message},
    {"datagram-pair", try_datagram_pair},
    {"datagram-socket", try_datagram_socket},
    {"reach", try_reach},
    {"reach-other", try_reach_other},
    {"bind", try_bind},
};

static void perform(const char *name, const char *argument)
{
    for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
        if (strcmp(operations[i].name, name) != 0)
            continue;
        errno = 0;
        int result = operations[i].try(argument);
        printf("%s: %s\n", name, result < 0 ? strerrorname_np(errno) : "OK");
        fflush(stdout);
    }
}

static enum process_role role_of(const char *name)
{
    return strcmp(name, "login") == 0  ? PROCESS_LOGIN
           : strcmp(name, "auth") == 0 ? PROCESS_AUTH
           : strcmp(name, "send") == 0 ? PROCESS_SEND
                                       : PROCESS_SESSION;
}

int main(int count, char **arguments)
{
    if (count < 4)
        return 2;
    prepared_socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    listen(prepared_socket, 1);
    const struct confinement_ports ports = {{{CLUSTER_PORT, CLUSTER_PORT}}, 1};
    struct confinement_request request = {role_of(arguments[1]), arguments[2], arguments[3], NULL};
    if (strcmp(arguments[1], "cluster") == 0 || request.role == PROCESS_SEND)
        request.ports = &ports;
    struct confinement_result result;
    const char *step = "";
    int error = confine(&request, &result, &step);
    if (error) {
        printf("confine: %s %s\n", step, error_name(error));
        return 1;
    }
    printf("confine: user %d chroot %d landlock %d\n", result.user_switched, result.chrooted,
           result.landlock > 0);
    fflush(stdout);
    for (int i = 4; i + 1 < count; i += 2)
        perform(arguments[i], arguments[i + 1]);
    return 0;
}
