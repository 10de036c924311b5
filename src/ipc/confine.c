#include "base/error.h"
#include "ipc/confine_priv.h"

#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { CAPABILITIES_MAXIMUM = 16 };

/* What chapard keeps when root starts it, and what for. Its children inherit it and give all of it
 * up once they are set up. */
static const cap_value_t supervisor_capabilities[] = {
    CAP_SETUID,           /* children become their users */
    CAP_SETGID,           /* and groups */
    CAP_SYS_CHROOT,       /* and change their root */
    CAP_KILL,             /* SIGKILL to a child that does not end */
    CAP_CHOWN,            /* data directories are given to their users */
    CAP_DAC_OVERRIDE,     /* and made where root may not write by mode alone */
    CAP_DAC_READ_SEARCH,  /* TLS keys and the configuration may be readable by others only */
    CAP_FOWNER,           /* modes of Unix sockets */
    CAP_NET_BIND_SERVICE, /* listeners that a reload adds */
    CAP_SYS_PTRACE,       /* /proc/PID/root, for `chapar status` */
};

/* The table of the header's comment. */
static const struct row {
    enum process_role role;
    bool changes_root, changes_user;
    enum confine_files files;
    const cap_value_t *capabilities;
    size_t capability_count;
} rows[] = {
    {PROCESS_SUPERVISOR, false, false, CONFINE_FILES_ALL, supervisor_capabilities,
     sizeof(supervisor_capabilities) / sizeof(supervisor_capabilities[0])},
    {PROCESS_AUTH, true, true, CONFINE_FILES_TREE, NULL, 0},
    {PROCESS_SESSION, true, true, CONFINE_FILES_TREE, NULL, 0},
    {PROCESS_LOGIN, true, true, CONFINE_FILES_NONE, NULL, 0},
    {PROCESS_SEND, true, true, CONFINE_FILES_NONE, NULL, 0},
};

/* The leak checker traces its own process, which a confined one may not. */
int __lsan_is_turned_off(void);
static bool confined;
int __lsan_is_turned_off(void)
{
    return confined;
}

int confine_user(const char *user, uid_t *uid, gid_t *gid)
{
    struct passwd entry, *found = NULL;
    char room[16384];
    if (user[0] == '#') {
        char *end;
        errno = 0;
        unsigned long number = strtoul(user + 1, &end, 10);
        if (errno || end == user + 1 || *end || number >= UINT32_MAX)
            return ERROR_NOT_FOUND;
        getpwuid_r((uid_t)number, &entry, room, sizeof(room), &found);
        *uid = (uid_t)number;
        *gid = found ? found->pw_gid : (gid_t)number;
        return 0;
    }
    getpwnam_r(user, &entry, room, sizeof(room), &found);
    if (!found)
        return ERROR_NOT_FOUND;
    *uid = found->pw_uid;
    *gid = found->pw_gid;
    return 0;
}

/* Landlock and capabilities are a thread's own: a thread started before would stay free. The thread
 * sanitizer's own thread cannot be helped. */
static int check_single_thread(void)
{
#ifdef __SANITIZE_THREAD__
    return 0;
#else
    DIR *tasks = opendir("/proc/self/task");
    if (!tasks)
        return 0;
    int count = 0;
    for (struct dirent *entry; (entry = readdir(tasks));)
        count += entry->d_name[0] != '.';
    closedir(tasks);
    return count == 1 ? 0 : ERROR_DENIED;
#endif
}

static int limit_resources(void)
{
    struct rlimit none = {0, 0};
    return setrlimit(RLIMIT_CORE, &none) ? ERROR_DENIED : 0;
}

static int change_root(const char *root)
{
    return chroot(root) || chdir("/") ? ERROR_DENIED : 0;
}

static int switch_user(uid_t uid, gid_t gid)
{
    if (setgroups(1, &gid) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
        return ERROR_DENIED;
    /* It must not be possible to go back. */
    return uid != 0 && (setuid(0) == 0 || setgid(0) == 0) ? ERROR_DENIED : 0;
}

static bool keeps(const struct row *row, cap_value_t capability)
{
    for (size_t i = 0; i < row->capability_count; i++)
        if (row->capabilities[i] == capability)
            return true;
    return false;
}

/* The bounding set, as far as this process may change it: what no program it starts can have. */
static void limit_bounding_set(const struct row *row)
{
    for (cap_value_t i = 0; prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0; i++)
        if (!keeps(row, i))
            prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
}

static int limit_capabilities(const struct row *row)
{
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    limit_bounding_set(row);
    cap_t wanted = cap_init(), now = cap_get_proc();
    bool done = wanted && now;
    for (size_t i = 0; done && i < row->capability_count; i++) {
        cap_value_t one = row->capabilities[i];
        cap_flag_value_t held = CAP_CLEAR;
        done = !cap_get_flag(now, one, CAP_PERMITTED, &held) &&
               !cap_set_flag(wanted, CAP_PERMITTED, 1, &one, held) &&
               !cap_set_flag(wanted, CAP_EFFECTIVE, 1, &one, held);
    }
    done = done && !cap_set_proc(wanted);
    cap_free(wanted);
    cap_free(now);
    return done ? 0 : ERROR_DENIED;
}

static int stay_small(bool child)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return ERROR_DENIED;
    return child && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) ? ERROR_DENIED : 0;
}

int confine(const struct confinement_request *request, struct confinement_result *result,
            const char **step)
{
    const struct row *row = &rows[request->role];
    struct confinement_result made = {0};
    bool root = geteuid() == 0;
    uid_t uid = 0;
    gid_t gid = 0;
    *step = "user";
    int error = root && row->changes_user ? confine_user(request->user, &uid, &gid) : 0;
    if (error)
        return error;

#define STEP(name, call)                                                                           \
    do {                                                                                           \
        *step = (name);                                                                            \
        error = (call);                                                                            \
        if (error)                                                                                 \
            return error;                                                                          \
    } while (0)
    STEP("threads", check_single_thread());
    STEP("resource limits", limit_resources());
    if (root && row->changes_root) {
        STEP("chroot", change_root(request->root));
        made.chrooted = true;
    }
    if (root && row->changes_user) {
        STEP("user", switch_user(uid, gid));
        made.user_switched = true;
    }
    STEP("capabilities", limit_capabilities(row));
    STEP("no_new_privs", stay_small(request->role != PROCESS_SUPERVISOR));
    const char *tree = made.chrooted ? "/" : request->root;
    STEP("landlock", confine_landlock(row->files, tree, request->ports, &made.landlock));
    confined = true;
    STEP("seccomp", confine_seccomp(request->role, request->ports));
#undef STEP
    *step = "";
    *result = made;
    return 0;
}
