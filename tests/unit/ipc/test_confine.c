/*
 * The confinement of each role, tried from inside by tests/confine/confined, as root (when the
 * test is run by root) and as another user. What fails, fails with EPERM (seccomp) or EACCES
 * (Landlock); without Landlock in the kernel only seccomp is checked.
 */
#include "../check.h"

#include "base/error.h"
#include "ipc/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/landlock.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROLE_USER = 60011, OTHER_USER = 60010 };

struct run {
    pid_t pid;
    int output, input;
    char text[4096];
    size_t size;
};

static char directory[64], root[96];

static int make_root(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/confine-test-XXXXXX");
    if (!mkdtemp(directory))
        return -1;
    snprintf(root, sizeof(root), "%s/root", directory);
    return chmod(directory, 0777) || mkdir(root, 0777) || chmod(root, 0777);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

static int remove_root(void **state)
{
    (void)state;
    return nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void drop_root(void)
{
    if (geteuid() == 0 && (setgid(OTHER_USER) || setuid(OTHER_USER)))
        _exit(99);
}

static void start(struct run *run, bool as_root, const char *const *arguments)
{
    int output[2], input[2];
    *run = (struct run){.pid = -1};
    /* Opened first: the checkout may lie where only root may go. */
    int program = open(CONFINED, O_PATH | O_CLOEXEC);
    assert_true(program >= 0);
    assert_int_equal(pipe2(output, O_CLOEXEC), 0);
    assert_int_equal(pipe2(input, O_CLOEXEC), 0);
    run->pid = fork();
    if (run->pid == 0) {
        dup2(output[1], STDOUT_FILENO);
        dup2(input[0], STDIN_FILENO);
        if (!as_root)
            drop_root();
        fexecve(program, (char *const *)arguments, environ);
        _exit(98);
    }
    close(program);
    close(output[1]);
    close(input[0]);
    run->output = output[0];
    run->input = input[1];
}

/* Reads until the text has come, or the end. */
static void read_until(struct run *run, const char *text)
{
    ssize_t got;
    while (!(text && strstr(run->text, text)) &&
           (got = read(run->output, run->text + run->size, sizeof(run->text) - 1 - run->size)) > 0)
        run->size += (size_t)got;
}

static void finish(struct run *run)
{
    int status;
    close(run->input);
    read_until(run, NULL);
    assert_int_equal(waitpid(run->pid, &status, 0), run->pid);
    close(run->output);
    if (!WIFEXITED(status))
        print_error("ended by signal %d: %s\n", WTERMSIG(status), run->text);
    assert_true(WIFEXITED(status));
}

struct expectation {
    const char *operation, *argument;
    const char *result; /* with "!": anything but OK that says it was refused */
};

static bool is_refusal(const char *text)
{
    return strncmp(text, "EPERM\n", 6) == 0 || strncmp(text, "EACCES\n", 7) == 0;
}

static void check_line(const struct run *run, const struct expectation *expected)
{
    char wanted[96];
    snprintf(wanted, sizeof(wanted), "\n%s: ", expected->operation);
    const char *line = strstr(run->text, wanted);
    const char *result = line ? line + strlen(wanted) : "nothing";
    bool good = expected->result[0] == '!'
                    ? is_refusal(result)
                    : strncmp(result, expected->result, strlen(expected->result)) == 0;
    if (!good)
        print_error("%s %s: expected %s in\n%s", expected->operation, expected->argument,
                    expected->result, run->text);
    assert_true(good);
}

static void check_role(const char *role, const struct expectation *expected, size_t count)
{
    for (int as_root = geteuid() == 0; as_root >= 0; as_root--) {
        const char *arguments[64] = {CONFINED, role, root, "#60011"};
        size_t used = 4;
        char paths[16][128];
        for (size_t i = 0; i < count; i++) {
            /* "%" stands for the root as the process sees it. */
            const char *argument = expected[i].argument;
            snprintf(paths[i], sizeof(paths[i]), "%s%s", as_root ? "" : root, argument + 1);
            arguments[used++] = expected[i].operation;
            arguments[used++] = argument[0] == '%' ? paths[i] : argument;
        }
        struct run run;
        start(&run, as_root, arguments);
        finish(&run);
        char first[64];
        snprintf(first, sizeof(first), "confine: user %d chroot %d landlock ", as_root, as_root);
        if (strncmp(run.text, first, strlen(first)) != 0)
            print_error("%s", run.text);
        assert_int_equal(strncmp(run.text, first, strlen(first)), 0);
        for (size_t i = 0; i < count; i++)
            check_line(&run, &expected[i]);
    }
}

#define CHECK_ROLE(role, expected)                                                                 \
    check_role(role, expected, sizeof(expected) / sizeof(expected[0]))

/* What no child may do. A pair of the same operation cannot be told apart, so once each. */
static const struct expectation forbidden[] = {
    {"execve", "/bin/true", "EPERM"},
    {"fork", "-", "EPERM"},
    {"socket", "inet", "EPERM"},
    {"connect", "-", "EPERM"},
    {"fast-open", "-", "EPERM"},
    {"fast-open-message", "-", "EPERM"},
    {"datagram-pair", "-", "EPERM"},
    {"ptrace", "-", "EPERM"},
    {"kill", "-", "EPERM"},
    {"setuid", "-", "EPERM"},
    {"executable-memory", "-", "EPERM"},
    {"mkfifo", "%/fifo", "!"},
    {"symlink", "%/link", "!"},
    {"thread", "-", "OK"},
    {"library", "-", "OK"},
};

static void test_nobody_may(void **state)
{
    (void)state;
    CHECK_ROLE("login", forbidden);
    CHECK_ROLE("auth", forbidden);
    CHECK_ROLE("session", forbidden);
}

static void test_login(void **state)
{
    (void)state;
    static const struct expectation expected[] = {
        {"read", "/", "EPERM"},
        {"create", "%/file", "EPERM"},
        {"pair", "-", "OK"},
        {"accept", "-", "OK"},
    };
    CHECK_ROLE("login", expected);
}

static void test_auth(void **state)
{
    (void)state;
    static const struct expectation expected[] = {
        {"file-work", "%/.", "OK"},
        {"create", "/etc/chapar-test", "E"},
        {"accept", "-", "EPERM"},
        {"pair", "-", "EPERM"},
    };
    CHECK_ROLE("auth", expected);
}

static void test_session(void **state)
{
    (void)state;
    static const struct expectation expected[] = {
        {"file-work", "%/.", "OK"},
        {"create", "/etc/chapar-test", "E"},
        {"accept", "-", "OK"},
        {"pair", "-", "EPERM"},
    };
    CHECK_ROLE("session", expected);
}

/* Whose data is in a cluster: TCP, to its ports, as far as Landlock knows ports (ABI 4). */
static void test_cluster(void **state)
{
    (void)state;
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    const struct expectation expected[] = {
        {"socket", "unix", "EPERM"},
        {"datagram-socket", "-", "EPERM"},
        {"bind", "-", "EPERM"},
        {"reach", "-", "ECONNREFUSED"},
        {"reach-other", "-", abi >= 4 ? "EACCES" : "ECONNREFUSED"},
        {"fast-open", "-", "EPERM"},
        {"pair", "-", "EPERM"},
        {"execve", "/bin/true", "EPERM"},
    };
    CHECK_ROLE("cluster", expected);
}

/* chapar-send: TCP to the mail server's port, and nothing of the disk but what it is given. */
static void test_send(void **state)
{
    (void)state;
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    const struct expectation network[] = {
        {"reach", "-", "ECONNREFUSED"},
        {"reach-other", "-", abi >= 4 ? "EACCES" : "ECONNREFUSED"},
        {"socket", "unix", "EPERM"},
        {"datagram-socket", "-", "EPERM"},
        {"bind", "-", "EPERM"},
        {"accept", "-", "EPERM"},
        {"pair", "-", "EPERM"},
        {"fast-open", "-", "EPERM"},
        {"fast-open-message", "-", "EPERM"},
    };
    static const struct expectation rest[] = {
        {"read", "/", "EPERM"},    {"create", "%/file", "EPERM"},
        {"mkfifo", "%/fifo", "!"}, {"execve", "/bin/true", "EPERM"},
        {"fork", "-", "EPERM"},    {"ptrace", "-", "EPERM"},
        {"kill", "-", "EPERM"},    {"setuid", "-", "EPERM"},
        {"library", "-", "OK"},    {"executable-memory", "-", "EPERM"},
    };
    CHECK_ROLE("send", network);
    CHECK_ROLE("send", rest);
}

/* Outside the root: Landlock refuses what the user could read. */
static void test_outside_the_root(void **state)
{
    (void)state;
    const char *arguments[] = {CONFINED, "session", root, "#60011", "read", "/etc/passwd", NULL};
    struct run run;
    start(&run, false, arguments);
    finish(&run);
    assert_non_null(strstr(run.text, strstr(run.text, "landlock 1") ? "read: EACCES" : "read: "));
}

static void test_unknown_user(void **state)
{
    (void)state;
    uid_t uid;
    gid_t gid;
    assert_int_equal(confine_user("no-such-user-here", &uid, &gid), ERROR_NOT_FOUND);
    assert_int_equal(confine_user("#", &uid, &gid), ERROR_NOT_FOUND);
    assert_int_equal(confine_user("#12x", &uid, &gid), ERROR_NOT_FOUND);
    assert_int_equal(confine_user("#4294967295", &uid, &gid), ERROR_NOT_FOUND);
    assert_int_equal(confine_user("#61234", &uid, &gid), 0);
    assert_int_equal(uid, 61234);
    assert_int_equal(gid, 61234);
    assert_int_equal(confine_user("root", &uid, &gid), 0);
    assert_int_equal(uid, 0);
}

static void test_inspect(void **state)
{
    (void)state;
    bool as_root = geteuid() == 0;
    const char *arguments[] = {CONFINED, "login", root, "#60011", "wait", "-", NULL};
    struct run run;
    start(&run, as_root, arguments);
    read_until(&run, "ready");
    struct confinement_state found;
    assert_int_equal(confine_inspect(run.pid, &found), 0);
    assert_int_equal(found.uid, as_root ? ROLE_USER : getuid());
    assert_int_equal(found.capabilities, 0);
    assert_true(found.no_new_privs);
    assert_int_equal(found.seccomp, 2);
    assert_int_equal(found.seccomp_filters, 1);
    assert_true(found.resident_bytes > 0);
    assert_int_equal(found.root_known, as_root);
    assert_int_equal(found.chrooted, as_root);
    finish(&run);
    assert_int_equal(confine_inspect(run.pid, &found), ERROR_NOT_FOUND);
}

/* inject into a confined process, which afterwards is as it was. */
static void expect_injected(pid_t pid, const char *call, const char *argument, const char *expected)
{
    char number[16], text[64] = "";
    int output[2], status;
    snprintf(number, sizeof(number), "%d", (int)pid);
    assert_int_equal(pipe2(output, O_CLOEXEC), 0);
    pid_t injector = fork();
    if (injector == 0) {
        dup2(output[1], STDOUT_FILENO);
        execl(INJECT, INJECT, number, call, argument, (char *)NULL);
        _exit(98);
    }
    close(output[1]);
    ssize_t got = read(output[0], text, sizeof(text) - 1);
    close(output[0]);
    assert_int_equal(waitpid(injector, &status, 0), injector);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        skip();
    if (got <= 0 || strncmp(text, expected, strlen(expected)) != 0)
        print_error("%s %s: \"%s\", expected %s\n", call, argument, text, expected);
    assert_true(got > 0);
    assert_int_equal(strncmp(text, expected, strlen(expected)), 0);
}

static void test_injected_calls(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip(); /* the process is not dumpable, so it takes CAP_SYS_PTRACE */
    const char *arguments[] = {CONFINED, "session", root, "#60011", "wait", "-", NULL};
    struct run run;
    start(&run, true, arguments);
    read_until(&run, "ready");
    expect_injected(run.pid, "getpid", "-", "OK");
    expect_injected(run.pid, "execve", "/bin/true", "EPERM");
    expect_injected(run.pid, "open", "/etc/passwd", "E");
    expect_injected(run.pid, "open", "/", "OK");
    expect_injected(run.pid, "socket", "inet", "EPERM");
    expect_injected(run.pid, "socket", "unix", "EPERM");
    expect_injected(run.pid, "connect", "-", "EPERM");
    expect_injected(run.pid, "ptrace", "-", "EPERM");
    expect_injected(run.pid, "fork", "-", "EPERM");
    expect_injected(run.pid, "setuid", "-", "EPERM");
    expect_injected(run.pid, "kill", "-", "EPERM");
    expect_injected(run.pid, "chroot", "/", "EPERM");
    expect_injected(run.pid, "unlink", "/no-such-file", "ENOENT");
    expect_injected(run.pid, "mprotect-exec", "-", "EPERM");
    finish(&run);
    assert_non_null(strstr(run.text, "\nwait: OK"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nobody_may),
        cmocka_unit_test(test_login),
        cmocka_unit_test(test_auth),
        cmocka_unit_test(test_session),
        cmocka_unit_test(test_cluster),
        cmocka_unit_test(test_send),
        cmocka_unit_test(test_outside_the_root),
        cmocka_unit_test(test_unknown_user),
        cmocka_unit_test(test_inspect),
        cmocka_unit_test(test_injected_calls),
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
