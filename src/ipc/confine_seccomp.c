/*
 * System call filters. Children: what is listed is allowed, all else fails with EPERM. chapard:
 * everything is allowed but what is listed, as its children inherit its filter and have yet to set
 * themselves up.
 */
#include "base/error.h"
#include "ipc/confine_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#ifdef __has_feature
#if __has_feature(address_sanitizer) && !defined(__SANITIZE_ADDRESS__)
#define __SANITIZE_ADDRESS__ 1
#endif
#if __has_feature(thread_sanitizer) && !defined(__SANITIZE_THREAD__)
#define __SANITIZE_THREAD__ 1
#endif
#endif

#define CALL(name)    SCMP_SYS(name)
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* Memory, threads, time, signals of its own, and the descriptors it holds: every child. */
static const int base_calls[] = {
    /* descriptors */
    CALL(read),
    CALL(write),
    CALL(readv),
    CALL(writev),
    CALL(close),
    CALL(fcntl),
    CALL(dup),
    CALL(dup2),
    CALL(dup3),
    CALL(lseek),
    CALL(fstat),
    CALL(pipe2),
    CALL(eventfd2),
    CALL(poll),
    CALL(ppoll),
    CALL(epoll_create1),
    CALL(epoll_ctl),
    CALL(epoll_wait),
    CALL(epoll_pwait),
    CALL(epoll_pwait2),
    /* sockets it was given */
    CALL(recvmsg),
    CALL(recvfrom),
    CALL(shutdown),
    CALL(getsockname),
    CALL(getpeername),
    CALL(getsockopt),
    CALL(setsockopt),
    /* memory */
    CALL(brk),
    CALL(munmap),
    CALL(mremap),
    CALL(madvise),
    CALL(mlock),
    CALL(munlock),
    /* threads */
    CALL(futex),
    CALL(set_robust_list),
    CALL(get_robust_list),
    CALL(rseq),
    CALL(sched_yield),
    CALL(sched_getaffinity),
    CALL(set_tid_address),
    CALL(membarrier),
    CALL(gettid),
    CALL(getcpu),
    /* signals */
    CALL(rt_sigaction),
    CALL(rt_sigprocmask),
    CALL(rt_sigreturn),
    CALL(rt_sigpending),
    CALL(rt_sigsuspend),
    CALL(rt_sigtimedwait),
    CALL(sigaltstack),
    CALL(restart_syscall),
    /* time, chance, itself */
    CALL(clock_gettime),
    CALL(clock_getres),
    CALL(clock_nanosleep),
    CALL(nanosleep),
    CALL(gettimeofday),
    CALL(time),
    CALL(getrandom),
    CALL(getpid),
    CALL(getppid),
    CALL(getuid),
    CALL(geteuid),
    CALL(getgid),
    CALL(getegid),
    CALL(getrlimit),
    CALL(getrusage),
    CALL(sysinfo),
    CALL(uname),
    CALL(exit),
    CALL(exit_group),
};

/* Files and directories, as SQLite and the packs use them. Landlock says which. */
static const int file_calls[] = {
    CALL(open),       CALL(openat),     CALL(stat),      CALL(lstat),           CALL(newfstatat),
    CALL(statx),      CALL(access),     CALL(faccessat), CALL(faccessat2),      CALL(readlink),
    CALL(readlinkat), CALL(getcwd),     CALL(pread64),   CALL(pwrite64),        CALL(preadv),
    CALL(pwritev),    CALL(fsync),      CALL(fdatasync), CALL(sync_file_range), CALL(ftruncate),
    CALL(truncate),   CALL(fallocate),  CALL(fadvise64), CALL(unlink),          CALL(unlinkat),
    CALL(rename),     CALL(renameat),   CALL(renameat2), CALL(mkdir),           CALL(mkdirat),
    CALL(rmdir),      CALL(getdents64), CALL(flock),     CALL(fchmod),          CALL(fchown),
    CALL(fstatfs),    CALL(umask),
};

/* Files that it was given open. */
static const int given_file_calls[] = {CALL(pread64)};

static const int accept_calls[] = {CALL(accept), CALL(accept4)};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
/* What the sanitizers' own run-time needs, in builds for tests only. */
static const int sanitizer_calls[] = {CALL(personality), CALL(pipe), CALL(mincore), CALL(readlink),
                                      CALL(readlinkat)};
#endif

/* What neither chapard nor any of its children ever needs: other processes' memory, mounts, modules
 * and other machinery of the kernel, its clock, new namespaces. */
static const int supervisor_forbidden[] = {
    CALL(ptrace),
    CALL(process_vm_readv),
    CALL(process_vm_writev),
    CALL(process_madvise),
    CALL(kcmp),
    CALL(pidfd_getfd),
    CALL(mount),
    CALL(umount2),
    CALL(pivot_root),
    CALL(open_tree),
    CALL(move_mount),
    CALL(fsopen),
    CALL(fsconfig),
    CALL(fsmount),
    CALL(fspick),
    CALL(mount_setattr),
    CALL(init_module),
    CALL(finit_module),
    CALL(delete_module),
    CALL(kexec_load),
    CALL(kexec_file_load),
    CALL(bpf),
    CALL(perf_event_open),
    CALL(keyctl),
    CALL(add_key),
    CALL(request_key),
    CALL(userfaultfd),
    CALL(io_uring_setup),
    CALL(io_uring_enter),
    CALL(io_uring_register),
    CALL(swapon),
    CALL(swapoff),
    CALL(reboot),
    CALL(sethostname),
    CALL(setdomainname),
    CALL(settimeofday),
    CALL(clock_settime),
    CALL(clock_adjtime),
    CALL(adjtimex),
    CALL(acct),
    CALL(quotactl),
    CALL(iopl),
    CALL(ioperm),
    CALL(syslog),
    CALL(unshare),
    CALL(setns),
    CALL(open_by_handle_at),
    CALL(name_to_handle_at),
    CALL(vhangup),
    CALL(modify_ldt),
    CALL(uselib),
    CALL(move_pages),
    CALL(migrate_pages),
};

static int add_calls(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t count)
{
    int result = 0;
    for (size_t i = 0; !result && i < count; i++)
        if (calls[i] >= 0) /* the machine has it */
            result = seccomp_rule_add(filter, action, calls[i], 0);
    return result;
}

/* One argument of a call, and what it must be under a mask. */
struct limited_call {
    int call;
    unsigned argument;
    uint64_t mask, value;
};

static int add_limited(scmp_filter_ctx filter, const struct limited_call *limited, size_t count)
{
    int result = 0;
    for (size_t i = 0; !result && i < count; i++)
        result = seccomp_rule_add(
            filter, SCMP_ACT_ALLOW, limited[i].call, 1,
            SCMP_CMP64(limited[i].argument, SCMP_CMP_MASKED_EQ, limited[i].mask, limited[i].value));
    return result;
}

/* Thread: shares everything with its maker, and is no new process. */
#define THREAD_FLAGS                                                                               \
    (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)
#define NAMESPACE_FLAGS                                                                            \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |  \
     CLONE_NEWNET | CLONE_PTRACE)

static int add_limited_base(scmp_filter_ctx filter)
{
    const struct limited_call limited[] = {
        {CALL(mmap), 2, PROT_EXEC, 0},
        {CALL(mprotect), 2, PROT_EXEC, 0},
        {CALL(clone), 0, THREAD_FLAGS | NAMESPACE_FLAGS, THREAD_FLAGS},
        {CALL(newfstatat), 3, AT_EMPTY_PATH, AT_EMPTY_PATH}, /* libc's fstat */
        {CALL(prlimit64), 2, UINT64_MAX, 0},                 /* read, not set */
        {CALL(tgkill), 0, UINT32_MAX, (uint64_t)getpid()},   /* abort() */
        {CALL(prctl), 0, UINT32_MAX, PR_SET_NAME},
        {CALL(ioctl), 1, UINT32_MAX, FIONBIO},
        {CALL(ioctl), 1, UINT32_MAX, FIOCLEX},
        {CALL(ioctl), 1, UINT32_MAX, FIONREAD},
        {CALL(sendmsg), 2, MSG_FASTOPEN, 0}, /* with it a send connects */
    };
    int result = add_limited(filter, limited, LENGTH(limited));
    /* send(): nowhere but to where the socket is connected. */
    if (!result)
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, CALL(sendto), 2,
                                  SCMP_CMP64(3, SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, 0),
                                  SCMP_CMP64(4, SCMP_CMP_EQ, 0));
    /* libc then falls back to clone, whose flags the filter can see. */
    return result ? result : seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), CALL(clone3), 0);
}

static int add_base(scmp_filter_ctx filter)
{
    int result = add_calls(filter, SCMP_ACT_ALLOW, base_calls, LENGTH(base_calls));
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    if (!result)
        result = add_calls(filter, SCMP_ACT_ALLOW, sanitizer_calls, LENGTH(sanitizer_calls));
#endif
    return result ? result : add_limited_base(filter);
}

/* Pairs for the streams behind TLS; no other socket can be made. An end of a pair for datagrams
 * could send to any socket that has a name. */
static int add_socket_pairs(scmp_filter_ctx filter)
{
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, CALL(socketpair), 2,
                            SCMP_CMP64(0, SCMP_CMP_MASKED_EQ, UINT32_MAX, AF_UNIX),
                            SCMP_CMP64(1, SCMP_CMP_MASKED_EQ,
                                       UINT32_MAX & ~(uint64_t)(SOCK_NONBLOCK | SOCK_CLOEXEC),
                                       SOCK_STREAM));
}

/* Connections of its own, over TCP. */
static int add_connections(scmp_filter_ctx filter)
{
    static const int families[] = {AF_INET, AF_INET6};
    static const int calls[] = {CALL(connect), CALL(epoll_create)};
    int result = add_calls(filter, SCMP_ACT_ALLOW, calls, LENGTH(calls));
    for (size_t i = 0; !result && i < LENGTH(families); i++)
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, CALL(socket), 2,
                                  SCMP_CMP64(0, SCMP_CMP_MASKED_EQ, UINT32_MAX, families[i]),
                                  SCMP_CMP64(1, SCMP_CMP_MASKED_EQ,
                                             UINT32_MAX & ~(uint64_t)(SOCK_NONBLOCK | SOCK_CLOEXEC),
                                             SOCK_STREAM));
    return result;
}

static int add_role(scmp_filter_ctx filter, enum process_role role, bool connects)
{
    if (role == PROCESS_SUPERVISOR)
        return add_calls(filter, SCMP_ACT_ERRNO(EPERM), supervisor_forbidden,
                         LENGTH(supervisor_forbidden));
    int result = add_base(filter);
    if (!result && process_role_stores(role))
        result = add_calls(filter, SCMP_ACT_ALLOW, file_calls, LENGTH(file_calls));
    if (!result && (role == PROCESS_LOGIN || role == PROCESS_SESSION))
        result = add_calls(filter, SCMP_ACT_ALLOW, accept_calls, LENGTH(accept_calls));
    if (!result && role == PROCESS_SEND)
        result = add_calls(filter, SCMP_ACT_ALLOW, given_file_calls, LENGTH(given_file_calls));
    if (!result && role == PROCESS_LOGIN)
        result = add_socket_pairs(filter);
    if (!result && connects)
        result = add_connections(filter);
    return result;
}

int confine_seccomp(enum process_role role, bool connects)
{
    uint32_t otherwise = role == PROCESS_SUPERVISOR ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EPERM);
    scmp_filter_ctx filter = seccomp_init(otherwise);
    if (!filter)
        return ERROR_MEMORY;
    int result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    /* A search tree instead of a list: the filter runs at every system call. */
    if (!result)
        result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (!result)
        result = add_role(filter, role, connects);
    if (!result)
        result = seccomp_load(filter);
    seccomp_release(filter);
    return result ? ERROR_DENIED : 0;
}
