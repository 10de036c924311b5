/*
 * Confinement: what a process may still do, as one table and one function.
 *
 * Order, as the last step of a process's set-up: resource limits, chroot, groups and user,
 * capabilities, no_new_privs, not dumpable, Landlock, seccomp. Started without root, user switch
 * and chroot fall away with one log line by the caller (`result`); everything else stays on.
 *
 * | role    | files                   | sockets                      | may not                 |
 * |---------|-------------------------|------------------------------|-------------------------|
 * | chapard | everything its user may | opens listeners, never reads | (starts children)       |
 * | login   | none                    | accepts and uses those given | open, socket, connect   |
 * | auth    | its own directory       | those given                  | socket, connect, accept |
 * | session | the mail root           | accepts and uses those given | socket, connect         |
 * | send    | none; reads those given | those given; with `ports`    | open, accept            |
 *
 * With `ports` a process may connect over TCP: send, to the mail server; auth and session, whose
 * data is in a cluster. To which addresses the kernel cannot be told; to which ports Landlock sees
 * to from its ABI 4 on.
 *
 * None but chapard may execve. What is not permitted fails with EPERM (seccomp) or EACCES
 * (Landlock).
 */
#ifndef IPC_CONFINE_H
#define IPC_CONFINE_H

#include "ipc/service.h"

#include <sys/types.h>

enum { CONFINEMENT_PORTS_MAXIMUM = 32 };

struct confinement_ports {
    struct {
        uint16_t first, last;
    } ranges[CONFINEMENT_PORTS_MAXIMUM];
    size_t count;
};

struct confinement_request {
    enum process_role role;
    const char *root; /* the directory of the role's files; login, send: an empty directory */
    const char *user; /* name or "#UID" */
    const struct confinement_ports *ports; /* NULL: none */
};

struct confinement_result {
    bool user_switched;
    bool chrooted;
    int landlock; /* the ABI in force as probed by an open that must fail; 0: the kernel has none */
};

/* ERROR_NOT_FOUND: no such user; ERROR_DENIED: a step failed or did not hold when probed;
 * `step` says which. After a failure the process must exit. */
int confine(const struct confinement_request *request, struct confinement_result *result,
            const char **step);

/* Resolves "name" or "#1234". ERROR_NOT_FOUND. */
int confine_user(const char *user, uid_t *uid, gid_t *gid);

/* What the kernel says of a running process, for `chapar status`. */
struct confinement_state {
    uid_t uid;
    gid_t gid;
    uint64_t capabilities; /* effective */
    bool no_new_privs;
    int seccomp; /* 2: filter */
    unsigned seccomp_filters;
    bool chrooted;   /* its root is not ours */
    bool root_known; /* chrooted could be read */
    uint64_t resident_bytes;
};
int confine_inspect(pid_t pid, struct confinement_state *state);

#endif
