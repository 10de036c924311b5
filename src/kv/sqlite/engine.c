#include "base/error.h"
#include "kv/sqlite/sqlite_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 4096 };

static pthread_once_t configured = PTHREAD_ONCE_INIT;

/* For the whole process: connections are used by one thread at a time; no counters that every
 * allocation would lock; page memory as it is needed instead of 20 pages ahead for each
 * connection. Without effect when the process has used SQLite before. The seed of SQLite's random
 * numbers is read now, as /dev/urandom may be out of reach once the process is confined. */
static void configure(void)
{
    char byte;
    sqlite3_config(SQLITE_CONFIG_MULTITHREAD);
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, 0);
    sqlite3_randomness(sizeof(byte), &byte);
    log_file_register();
}

/* Where VACUUM writes: the one place that a confined process may write to. For the whole process.
 */
static void set_temporary_directory(const char *directory)
{
    sqlite3_free(sqlite3_temp_directory);
    sqlite3_temp_directory = sqlite3_mprintf("%s", directory);
}

int kv_sqlite_create(const char *directory, struct kv_engine **engine)
{
    size_t size = strlen(directory) + 1;
    if (size + KV_NAME_MAXIMUM + sizeof("/.db.new-journal") > PATH_SIZE)
        return ERROR_INVALID;
    pthread_once(&configured, configure);
    struct sqlite_engine *made = malloc(sizeof(*made) + size);
    if (!made)
        return ERROR_MEMORY;
    made->engine = (struct kv_engine){.operations = &sqlite_operations,
                                      .busy_timeout_ms = KV_BUSY_TIMEOUT * 1000};
    memcpy(made->directory, directory, size);
    set_temporary_directory(directory);
    *engine = &made->engine;
    return 0;
}

void sqlite_engine_free(struct kv_engine *engine)
{
    free(engine);
}

/* --- files --- */

static void path_of(const struct kv_engine *engine, const char *name, const char *suffix,
                    char path[PATH_SIZE])
{
    snprintf(path, PATH_SIZE, "%s/%s%s", ((const struct sqlite_engine *)engine)->directory, name,
             suffix);
}

static void remove_files(const struct kv_engine *engine, const char *name,
                         const char *const *suffixes)
{
    char path[PATH_SIZE];
    for (; *suffixes; suffixes++) {
        path_of(engine, name, *suffixes, path);
        unlink(path);
    }
}

int sqlite_file_error(int errnum)
{
    int error = error_from_errno(errnum);
    return error == ERROR_SPACE || error == ERROR_MEMORY || error == ERROR_BUSY ? error : ERROR_IO;
}

static int exists(const struct kv_engine *engine, const char *name)
{
    char path[PATH_SIZE];
    path_of(engine, name, ".db", path);
    if (access(path, F_OK) == 0)
        return 0;
    return errno == ENOENT || errno == ENOTDIR ? ERROR_NOT_FOUND : sqlite_file_error(errno);
}

static int flush_folder(const char *path)
{
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return sqlite_file_error(errno);
    int error = fsync(folder) ? sqlite_file_error(errno) : 0;
    close(folder);
    return error;
}

/* Makes the folders of the name that are missing. Each parent is flushed even when nothing was
 * made: another process may have made it and not flushed it yet. */
static int make_folders(const struct kv_engine *engine, const char *name)
{
    char path[PATH_SIZE];
    path_of(engine, name, "", path);
    char *part = path + strlen(((const struct sqlite_engine *)engine)->directory);
    for (char *slash; (slash = strchr(part + 1, '/')); part = slash) {
        *slash = '\0';
        if (mkdir(path, 0700) && errno != EEXIST)
            return sqlite_file_error(errno);
        *slash = '/';
        *part = '\0';
        int error = flush_folder(path);
        *part = '/';
        if (error)
            return error;
    }
    return 0;
}

/* Opens the folder the space's files are in, locked: making and removing spaces in it goes on one
 * at a time, among all processes. Returns a descriptor; closing it unlocks. */
static int lock_folder(const struct kv_engine *engine, const char *name)
{
    char path[PATH_SIZE];
    path_of(engine, name, "", path);
    *strrchr(path, '/') = '\0';
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return errno == ENOENT || errno == ENOTDIR ? ERROR_NOT_FOUND : sqlite_file_error(errno);
    while (flock(folder, LOCK_EX)) {
        if (errno != EINTR) {
            int error = sqlite_file_error(errno);
            close(folder);
            return error;
        }
    }
    return folder;
}

/* The file is made complete under another name. Files of that name, and a log without a file, are
 * what a crash has left. */
static int make_locked(const struct kv_engine *engine, const char *name, int folder)
{
    static const char *const left_over[] = {".db-wal",     ".db-shm",     ".db.new",
                                            ".db.new-wal", ".db.new-shm", NULL};
    char path[PATH_SIZE];
    char path_new[PATH_SIZE];
    path_of(engine, name, ".db", path);
    path_of(engine, name, ".db.new", path_new);
    remove_files(engine, name, left_over);
    int error = connection_make_file(path_new);
    if (!error && (rename(path_new, path) || fsync(folder)))
        error = sqlite_file_error(errno);
    if (error)
        remove_files(engine, name, left_over + 2);
    return error;
}

static int make(const struct kv_engine *engine, const char *name)
{
    int error = make_folders(engine, name);
    if (error)
        return error;
    int folder = lock_folder(engine, name);
    if (folder < 0)
        return folder;
    error = exists(engine, name);
    if (error == ERROR_NOT_FOUND)
        error = make_locked(engine, name, folder);
    close(folder);
    return error;
}

/* --- operations --- */

static struct sqlite_kv *kv_new(struct kv_engine *engine, const char *name)
{
    char path[PATH_SIZE];
    path_of(engine, name, ".db", path);
    size_t size = strlen(path) + 1;
    struct sqlite_kv *kv = calloc(1, sizeof(*kv) + size);
    if (!kv)
        return NULL;
    kv->kv.engine = engine;
    turn_init(&kv->turn);
    pthread_mutex_init(&kv->lock, NULL);
    memcpy(kv->path, path, size);
    return kv;
}

int sqlite_open(struct kv_engine *engine, const char *name, unsigned flags, struct kv **kv)
{
    int error = exists(engine, name);
    if (error == ERROR_NOT_FOUND && (flags & KV_CREATE))
        error = make(engine, name);
    if (error)
        return error;
    struct sqlite_kv *opened = kv_new(engine, name);
    if (!opened)
        return ERROR_MEMORY;
    struct connection *connection;
    error = connection_take(opened, &connection);
    if (error) {
        sqlite_close(&opened->kv);
        return error;
    }
    connection_give(opened, connection);
    *kv = &opened->kv;
    return 0;
}

void sqlite_close(struct kv *kv)
{
    struct sqlite_kv *closed = (struct sqlite_kv *)kv;
    connection_close_idle(closed, 0);
    turn_release(&closed->turn);
    pthread_mutex_destroy(&closed->lock);
    free(closed);
}

/* The database goes first, in one step; a log that a crash leaves behind is removed when the
 * space is made anew, a lock's file does no harm. */
int sqlite_destroy(struct kv_engine *engine, const char *name)
{
    static const char *const others[] = {".db-wal", ".db-shm", ".lock", NULL};
    int folder = lock_folder(engine, name);
    if (folder < 0)
        return folder;
    char path[PATH_SIZE];
    path_of(engine, name, ".db", path);
    int error = 0;
    if (unlink(path))
        error = errno == ENOENT ? ERROR_NOT_FOUND : sqlite_file_error(errno);
    if (!error)
        remove_files(engine, name, others);
    if (!error && fsync(folder))
        error = sqlite_file_error(errno);
    close(folder);
    return error;
}

struct walk {
    const char *prefix;
    int (*fn)(const char *name, void *arg);
    void *arg;
    char name[KV_NAME_MAXIMUM + sizeof("/.db")];
};

static int walk_folder(struct walk *walk, int folder, size_t size);

/* Whether what lies below the name may begin with the prefix. */
static bool may_hold(const struct walk *walk, size_t size)
{
    size_t prefix_size = strlen(walk->prefix);
    return memcmp(walk->name, walk->prefix, size < prefix_size ? size : prefix_size) == 0;
}

static int walk_entry(struct walk *walk, int folder, size_t size, const char *entry)
{
    size_t entry_size = strlen(entry);
    if (size + entry_size + 1 >= sizeof(walk->name))
        return 0;
    memcpy(walk->name + size, entry, entry_size + 1);
    size += entry_size;
    const char *dot = strchr(entry, '.');
    if (dot && strcmp(dot, ".db") == 0 && dot != entry) {
        walk->name[size - 3] = '\0';
        bool wanted = strncmp(walk->name, walk->prefix, strlen(walk->prefix)) == 0;
        return wanted ? walk->fn(walk->name, walk->arg) : 0;
    }
    if (dot || !may_hold(walk, size))
        return 0;
    int inner = openat(folder, entry, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (inner < 0)
        return errno == ENOTDIR || errno == ENOENT || errno == ELOOP ? 0 : sqlite_file_error(errno);
    walk->name[size] = '/';
    return walk_folder(walk, inner, size + 1);
}

/* Takes over the descriptor. size: of the folder's name, its slash included. */
static int walk_folder(struct walk *walk, int folder, size_t size)
{
    DIR *directory = fdopendir(folder);
    if (!directory) {
        close(folder);
        return ERROR_MEMORY;
    }
    int result = 0;
    const struct dirent *entry;
    while (!result && (entry = readdir(directory)))
        result = walk_entry(walk, dirfd(directory), size, entry->d_name);
    closedir(directory);
    return result;
}

int sqlite_each_space(struct kv_engine *engine, const char *prefix,
                      int (*fn)(const char *name, void *arg), void *arg)
{
    struct walk walk = {.prefix = prefix, .fn = fn, .arg = arg};
    const char *directory = ((const struct sqlite_engine *)engine)->directory;
    int folder = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return sqlite_file_error(errno);
    return walk_folder(&walk, folder, 0);
}
