#include "base/error.h"
#include "ipc/confine.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* The value behind "Name:\t" in the text of /proc/PID/status; "" where there is none. */
static const char *field(const char *text, const char *name)
{
    size_t size = strlen(name);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, size) == 0 && line[size] == ':')
            return line + size + 1;
    }
    return "";
}

static int read_status(pid_t pid, char *text, size_t size)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return errno == ENOENT ? ERROR_NOT_FOUND : error_from_errno(errno);
    size_t got = fread(text, 1, size - 1, file);
    text[got] = '\0';
    fclose(file);
    return got ? 0 : ERROR_NOT_FOUND;
}

static void inspect_root(pid_t pid, struct confinement_state *state)
{
    char path[64];
    struct stat own, theirs;
    snprintf(path, sizeof(path), "/proc/%d/root/.", (int)pid);
    state->root_known = stat("/", &own) == 0 && stat(path, &theirs) == 0;
    state->chrooted =
        state->root_known && (own.st_dev != theirs.st_dev || own.st_ino != theirs.st_ino);
}

int confine_inspect(pid_t pid, struct confinement_state *state)
{
    char text[8192];
    int error = read_status(pid, text, sizeof(text));
    if (error)
        return error;
    struct confinement_state made = {
        .uid = (uid_t)strtoul(field(text, "Uid"), NULL, 10),
        .gid = (gid_t)strtoul(field(text, "Gid"), NULL, 10),
        .capabilities = strtoull(field(text, "CapEff"), NULL, 16),
        .no_new_privs = strtoul(field(text, "NoNewPrivs"), NULL, 10) == 1,
        .seccomp = (int)strtol(field(text, "Seccomp"), NULL, 10),
        .seccomp_filters = (unsigned)strtoul(field(text, "Seccomp_filters"), NULL, 10),
        .resident_bytes = strtoull(field(text, "VmRSS"), NULL, 10) * 1024,
    };
    inspect_root(pid, &made);
    *state = made;
    return 0;
}
