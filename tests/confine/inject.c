/*
 * Makes a running process do one system call, and says what came of it: a test's way to show from
 * inside a confined process that what it must not do fails.
 *
 * Usage: inject PID CALL [ARGUMENT]
 *   inject PID open /etc/passwd    openat, read-only
 *   inject PID create FILE         openat, made anew
 *   inject PID execve /bin/true
 *   inject PID unlink FILE
 *   inject PID chroot DIR | mknod FILE
 *   inject PID socket inet|inet6|unix
 *   inject PID connect             TCP to 127.0.0.1:1, on a socket made first; or why there is none
 *   inject PID ptrace | fork | setuid | kill | mprotect-exec | getpid
 *
 * Prints "OK" or the name of the error (EPERM, EACCES, ...) and exits with 0 if the call was made.
 * Exits with 2 for a wrong command line, 1 when the process could not be attached to (root is
 * needed: confined processes are not dumpable), 77 on machines whose registers it does not know.
 *
 * It stops the process with PTRACE_SEIZE, puts the arguments below its stack pointer, runs a
 * system call instruction found in the process's own code, and puts registers and memory back. A
 * system call that was interrupted is restarted by the kernel as after any stop.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__x86_64__) || defined(__aarch64__)

enum {
    ATTACH_FAILED = 1,
    USAGE = 2,
    ROOM = 512,         /* bytes lent from the stack */
    BELOW_STACK = 4096, /* clear of the red zone */
};

#ifdef __x86_64__
typedef struct user_regs_struct registers;
static const uint8_t call_instruction[] = {0x0f, 0x05}; /* syscall */
#define STACK(r) ((r)->rsp)
#else
typedef struct user_regs_struct registers;
static const uint8_t call_instruction[] = {0x01, 0x00, 0x00, 0xd4}; /* svc #0 */
#define STACK(r) ((r)->sp)
#endif

struct target {
    pid_t pid;
    int memory; /* /proc/PID/mem */
    registers saved;
    uint64_t room, instruction;
    uint8_t saved_room[ROOM];
};

static long get_registers(struct target *target, registers *set)
{
    struct iovec part = {set, sizeof(*set)};
    return ptrace(PTRACE_GETREGSET, target->pid, (void *)NT_PRSTATUS, &part);
}

static long set_registers(struct target *target, registers *set)
{
    struct iovec part = {set, sizeof(*set)};
    return ptrace(PTRACE_SETREGSET, target->pid, (void *)NT_PRSTATUS, &part);
}

static void prepare_call(registers *set, uint64_t instruction, long number,
                         const uint64_t arguments[6])
{
#ifdef __x86_64__
    set->rip = instruction;
    set->rax = (uint64_t)number;
    set->orig_rax = (uint64_t)-1; /* no restart of the interrupted call now */
    set->rdi = arguments[0];
    set->rsi = arguments[1];
    set->rdx = arguments[2];
    set->r10 = arguments[3];
    set->r8 = arguments[4];
    set->r9 = arguments[5];
#else
    set->pc = instruction;
    set->regs[8] = (uint64_t)number;
    for (int i = 0; i < 6; i++)
        set->regs[i] = arguments[i];
#endif
}

static long result_of(const registers *set)
{
#ifdef __x86_64__
    return (long)set->rax;
#else
    return (long)set->regs[0];
#endif
}

/* The first system call instruction in an executable mapping between these addresses. */
static uint64_t search_mapping(struct target *target, uint64_t start, uint64_t end)
{
    static uint8_t block[1 << 16];
    for (uint64_t at = start; at < end; at += sizeof(block) - 8) {
        size_t wanted = end - at < sizeof(block) ? (size_t)(end - at) : sizeof(block);
        ssize_t got = pread(target->memory, block, wanted, (off_t)at);
        if (got <= 0)
            return 0;
        uint8_t *hit = memmem(block, (size_t)got, call_instruction, sizeof(call_instruction));
        if (hit)
            return at + (uint64_t)(hit - block);
    }
    return 0;
}

static uint64_t find_instruction(struct target *target)
{
    char path[64], line[PATH_MAX + 128];
    uint64_t found = 0;
    snprintf(path, sizeof(path), "/proc/%d/maps", (int)target->pid);
    FILE *maps = fopen(path, "re");
    while (maps && !found && fgets(line, sizeof(line), maps)) {
        char *rest;
        uint64_t start = strtoull(line, &rest, 16);
        uint64_t end = *rest == '-' ? strtoull(rest + 1, &rest, 16) : start;
        /* Not the vdso's: some of its instructions only look like one. */
        if (strncmp(rest, " r-xp", 5) == 0 && !strchr(line, '['))
            found = search_mapping(target, start, end);
    }
    if (maps)
        fclose(maps);
    return found;
}

/* Waits for the next stop; false when the process has gone. */
static bool wait_stop(struct target *target, int *status)
{
    return waitpid(target->pid, status, __WALL) == target->pid && WIFSTOPPED(*status);
}

static bool attach(struct target *target)
{
    int status;
    char path[64];
    if (ptrace(PTRACE_SEIZE, target->pid, NULL, NULL))
        return false;
    if (ptrace(PTRACE_INTERRUPT, target->pid, NULL, NULL) || !wait_stop(target, &status))
        return false;
    snprintf(path, sizeof(path), "/proc/%d/mem", (int)target->pid);
    target->memory = open(path, O_RDWR | O_CLOEXEC);
    if (target->memory < 0 || get_registers(target, &target->saved))
        return false;
    target->room = (STACK(&target->saved) - BELOW_STACK) & ~UINT64_C(63);
    target->instruction = find_instruction(target);
    return target->instruction &&
           pread(target->memory, target->saved_room, ROOM, (off_t)target->room) == ROOM;
}

static bool detach(struct target *target)
{
    bool good = pwrite(target->memory, target->saved_room, ROOM, (off_t)target->room) == ROOM &&
                set_registers(target, &target->saved) == 0;
    close(target->memory);
    return ptrace(PTRACE_DETACH, target->pid, NULL, NULL) == 0 && good;
}

/* One call, by single steps: entry and exit belong to one step. A signal that comes meanwhile is
 * given to the process afterwards. */
static bool call(struct target *target, long number, const uint64_t arguments[6], long *result)
{
    registers set = target->saved;
    int status, pending = 0;
    prepare_call(&set, target->instruction, number, arguments);
    if (set_registers(target, &set))
        return false;
    do {
        if (ptrace(PTRACE_SINGLESTEP, target->pid, NULL, NULL) || !wait_stop(target, &status))
            return false;
        if (WSTOPSIG(status) != SIGTRAP)
            pending = WSTOPSIG(status);
    } while (WSTOPSIG(status) != SIGTRAP);
    if (get_registers(target, &set))
        return false;
    *result = result_of(&set);
    if (pending)
        kill(target->pid, pending);
    return true;
}

/* --- the calls --- */

struct request {
    const char *name;
    long number;
    uint64_t arguments[6];
    int text; /* which argument is the address of the text; -1: none */
};

#define AT_CWD ((uint64_t)(int64_t)AT_FDCWD)
static const struct request requests[] = {
    {"open", SYS_openat, {AT_CWD, 0, O_RDONLY | O_CLOEXEC}, 1},
    {"create", SYS_openat, {AT_CWD, 0, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600}, 1},
    {"execve", SYS_execve, {0, 0, 0}, 0},
    {"unlink", SYS_unlinkat, {AT_CWD, 0, 0}, 1},
    {"chroot", SYS_chroot, {0}, 0},
    {"mknod", SYS_mknodat, {AT_CWD, 0, 0010600, 0}, 1}, /* a FIFO */
    {"ptrace", SYS_ptrace, {PTRACE_TRACEME}, -1},
    {"fork", SYS_clone, {SIGCHLD}, -1},
    {"setuid", SYS_setuid, {0}, -1},
    {"kill", SYS_kill, {1, 0}, -1},
    {"getpid", SYS_getpid, {0}, -1},
    {"mprotect-exec", SYS_mprotect, {0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC}, -1},
};

static bool run_request(struct target *target, const struct request *request, const char *text,
                        long *result)
{
    uint64_t arguments[6];
    memcpy(arguments, request->arguments, sizeof(arguments));
    if (request->text >= 0) {
        size_t size = strlen(text) + 1;
        if (size > ROOM || pwrite(target->memory, text, size, (off_t)target->room) != (ssize_t)size)
            return false;
        arguments[request->text] = target->room;
    }
    return call(target, request->number, arguments, result);
}

static bool run_socket(struct target *target, int family, long *result)
{
    uint64_t arguments[6] = {(uint64_t)family, SOCK_STREAM | SOCK_CLOEXEC, 0};
    return call(target, SYS_socket, arguments, result);
}

static bool close_result(struct target *target, long descriptor)
{
    uint64_t arguments[6] = {(uint64_t)descriptor};
    long ignored;
    return descriptor < 0 || call(target, SYS_close, arguments, &ignored);
}

/* Without a socket of its own the call is tried on descriptor -1: a filter answers before the
 * kernel looks at it. */
static bool run_connect(struct target *target, long *result)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(1), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    long made;
    if (!run_socket(target, AF_INET, &made) ||
        pwrite(target->memory, &address, sizeof(address), (off_t)target->room) != sizeof(address))
        return false;
    uint64_t arguments[6] = {(uint64_t)(made < 0 ? -1 : made), target->room, sizeof(address)};
    return call(target, SYS_connect, arguments, result) && close_result(target, made);
}

static bool run(struct target *target, const char *name, const char *text, long *result)
{
    if (strcmp(name, "connect") == 0)
        return run_connect(target, result);
    if (strcmp(name, "socket") == 0) {
        int family = strcmp(text, "unix") == 0    ? AF_UNIX
                     : strcmp(text, "inet6") == 0 ? AF_INET6
                                                  : AF_INET;
        return run_socket(target, family, result) && close_result(target, *result);
    }
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        if (strcmp(requests[i].name, name) != 0)
            continue;
        struct request request = requests[i];
        if (request.number == SYS_mprotect)
            request.arguments[0] = target->room & ~UINT64_C(4095);
        bool good = run_request(target, &request, text, result);
        return good && request.number == SYS_openat ? close_result(target, *result) : good;
    }
    errno = EINVAL;
    return false;
}

int main(int count, char **arguments)
{
    if (count < 3 || count > 4) {
        fprintf(stderr, "usage: inject PID CALL [ARGUMENT]\n");
        return USAGE;
    }
    struct target target = {.pid = (pid_t)strtol(arguments[1], NULL, 10)};
    if (!attach(&target)) {
        fprintf(stderr, "inject: cannot attach to %s: %s\n", arguments[1], strerror(errno));
        return ATTACH_FAILED;
    }
    long result = 0;
    bool made = run(&target, arguments[2], count > 3 ? arguments[3] : "", &result);
    int why = errno;
    if (!detach(&target)) {
        fprintf(stderr, "inject: the process is not as it was\n");
        return ATTACH_FAILED;
    }
    if (!made) {
        fprintf(stderr, "inject: %s: %s\n", arguments[2], strerror(why));
        return USAGE;
    }
    printf("%s\n", result < 0 && result > -4096 ? strerrorname_np((int)-result) : "OK");
    return 0;
}

#else

int main(void)
{
    fprintf(stderr, "inject: not for this machine\n");
    return 77;
}

#endif
