/*
 * Landlock through raw system calls: libc has no wrappers, and the headers of Debian 12 end at
 * ABI 2 while kernels go on. Each row below says since which ABI the kernel knows a right; what it
 * does not know is left out.
 */
#include "base/error.h"
#include "ipc/confine_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* From newer kernels' linux/landlock.h. */
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15)
#endif
#ifndef LANDLOCK_ACCESS_NET_BIND_TCP
#define LANDLOCK_ACCESS_NET_BIND_TCP    (1ULL << 0)
#define LANDLOCK_ACCESS_NET_CONNECT_TCP (1ULL << 1)
#endif
#ifndef LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET
#define LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET (1ULL << 0)
#define LANDLOCK_SCOPE_SIGNAL               (1ULL << 1)
#endif

#ifndef LANDLOCK_RULE_NET_PORT
#define LANDLOCK_RULE_NET_PORT 2
#endif

/* struct landlock_net_port_attr of ABI 4. */
struct port_rule {
    uint64_t allowed_access, port;
};

/* struct landlock_ruleset_attr of ABI 6. */
struct ruleset {
    uint64_t files, network, scopes;
};

enum ruleset_field { FILES, NETWORK, SCOPES };

/* Everything is handled, that is forbidden; `tree` is given back below the root. */
static const struct {
    int abi;
    enum ruleset_field field;
    bool tree;
    uint64_t right;
} rights[] = {
    {1, FILES, false, LANDLOCK_ACCESS_FS_EXECUTE},
    {1, FILES, true, LANDLOCK_ACCESS_FS_WRITE_FILE},
    {1, FILES, true, LANDLOCK_ACCESS_FS_READ_FILE},
    {1, FILES, true, LANDLOCK_ACCESS_FS_READ_DIR},
    {1, FILES, true, LANDLOCK_ACCESS_FS_REMOVE_DIR},
    {1, FILES, true, LANDLOCK_ACCESS_FS_REMOVE_FILE},
    {1, FILES, false, LANDLOCK_ACCESS_FS_MAKE_CHAR},
    {1, FILES, true, LANDLOCK_ACCESS_FS_MAKE_DIR},
    {1, FILES, true, LANDLOCK_ACCESS_FS_MAKE_REG},
    {1, FILES, false, LANDLOCK_ACCESS_FS_MAKE_SOCK},
    {1, FILES, false, LANDLOCK_ACCESS_FS_MAKE_FIFO},
    {1, FILES, false, LANDLOCK_ACCESS_FS_MAKE_BLOCK},
    {1, FILES, false, LANDLOCK_ACCESS_FS_MAKE_SYM},
    {2, FILES, true, LANDLOCK_ACCESS_FS_REFER},
    {3, FILES, true, LANDLOCK_ACCESS_FS_TRUNCATE},
    {4, NETWORK, false, LANDLOCK_ACCESS_NET_BIND_TCP},
    {4, NETWORK, false, LANDLOCK_ACCESS_NET_CONNECT_TCP},
    {5, FILES, false, LANDLOCK_ACCESS_FS_IOCTL_DEV},
    {6, SCOPES, false, LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET},
    {6, SCOPES, false, LANDLOCK_SCOPE_SIGNAL},
};

/* The kernel refuses a structure longer than it knows unless the rest is zero; so it may be whole
 * for every ABI. */
static uint64_t fill(struct ruleset *ruleset, int abi)
{
    uint64_t *fields[] = {
        [FILES] = &ruleset->files, [NETWORK] = &ruleset->network, [SCOPES] = &ruleset->scopes};
    uint64_t tree = 0;
    for (size_t i = 0; i < sizeof(rights) / sizeof(rights[0]); i++) {
        if (rights[i].abi > abi)
            continue;
        *fields[rights[i].field] |= rights[i].right;
        tree |= rights[i].tree ? rights[i].right : 0;
    }
    return tree;
}

static int allow_tree(int ruleset, const char *root, uint64_t tree)
{
    int directory = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0)
        return -1;
    struct landlock_path_beneath_attr rule = {.allowed_access = tree, .parent_fd = directory};
    long result = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    close(directory);
    return result ? -1 : 0;
}

static int allow_ports(int ruleset, const struct confinement_ports *ports)
{
    for (size_t i = 0; i < ports->count; i++) {
        for (uint32_t port = ports->ranges[i].first; port <= ports->ranges[i].last; port++) {
            struct port_rule rule = {LANDLOCK_ACCESS_NET_CONNECT_TCP, port};
            if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_NET_PORT, &rule, 0))
                return -1;
        }
    }
    return 0;
}

static int restrict_self(enum confine_files files, const char *root,
                         const struct confinement_ports *ports, int abi)
{
    struct ruleset attributes = {0};
    uint64_t tree = fill(&attributes, abi);
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes), 0);
    if (ruleset < 0)
        return -1;
    int result = files == CONFINE_FILES_TREE ? allow_tree(ruleset, root, tree) : 0;
    if (!result && ports && attributes.network)
        result = allow_ports(ruleset, ports);
    if (!result)
        result = syscall(SYS_landlock_restrict_self, ruleset, 0) ? -1 : 0;
    close(ruleset);
    return result;
}

/* An operation the file system itself would allow: opening "/", or making a FIFO in the root. */
static bool holds(enum confine_files files, const char *root)
{
    if (files == CONFINE_FILES_NONE) {
        int directory = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (directory < 0)
            return errno == EACCES;
        close(directory);
        return false;
    }
    char path[4200];
    snprintf(path, sizeof(path), "%s/.probe.%d", root, (int)getpid());
    if (mkfifo(path, 0600))
        return errno == EACCES;
    unlink(path);
    return false;
}

int confine_landlock(enum confine_files files, const char *root,
                     const struct confinement_ports *ports, int *abi)
{
    *abi = 0;
    if (files == CONFINE_FILES_ALL)
        return 0;
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (version < 0)
        return errno == ENOSYS || errno == EOPNOTSUPP ? 0 : ERROR_DENIED;
    if (restrict_self(files, root, ports, (int)version) || !holds(files, root))
        return ERROR_DENIED;
    *abi = (int)version;
    return 0;
}
