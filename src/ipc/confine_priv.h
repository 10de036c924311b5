/*
 * The parts of confine() that have a file of their own.
 */
#ifndef IPC_CONFINE_PRIV_H
#define IPC_CONFINE_PRIV_H

#include "ipc/confine.h"

/* Rights to files below the root, for Landlock. */
enum confine_files {
    CONFINE_FILES_ALL,  /* no Landlock at all: whatever the user may */
    CONFINE_FILES_NONE, /* no path whatever */
    CONFINE_FILES_TREE, /* regular files and directories below the root, no execute, nothing else */
};

/* Puts Landlock in force and shows that it holds by an operation that must fail. *abi: what the
 * kernel offers, 0: nothing (not an error). ERROR_DENIED: not put in force, or did not hold. */
int confine_landlock(enum confine_files files, const char *root,
                     const struct confinement_ports *ports, int *abi);

/* Puts the role's system call filter in force, for all threads. `connects`: it may make TCP sockets
 * and connect them. ERROR_DENIED. */
int confine_seccomp(enum process_role role, bool connects);

#endif
