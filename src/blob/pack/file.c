#include "base/counters.h"
#include "base/error.h"
#include "blob/pack/pack_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { NUMBER_DIGITS = 16 };

int file_error(int errnum)
{
    int error = error_from_errno(errnum);
    switch (error) {
    case ERROR_SPACE:
    case ERROR_MEMORY:
    case ERROR_NOT_FOUND:
        return error;
    default:
        return ERROR_IO;
    }
}

int read_at(int file, uint64_t offset, char *bytes, size_t size)
{
    counters_add(COUNTER_BLOB_READ_BYTES, (int64_t)size);
    while (size > 0) {
        ssize_t got = pread(file, bytes, size, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 && errno != EINVAL ? file_error(errno) : ERROR_CORRUPT;
        bytes += got;
        offset += (uint64_t)got;
        size -= (size_t)got;
    }
    return 0;
}

static int read_source(struct record_source *source, uint64_t offset, char *bytes, size_t size)
{
    return read_at(((struct file_source *)source)->file, offset, bytes, size);
}

struct file_source file_source(int file, uint64_t size)
{
    return (struct file_source){{read_source, size}, file};
}

int write_at(int file, uint64_t offset, struct slice bytes)
{
    while (bytes.size > 0) {
        ssize_t written = pwrite(file, bytes.data, bytes.size, (off_t)offset);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return written < 0 ? file_error(errno) : ERROR_IO;
        offset += (uint64_t)written;
        bytes = slice_sub(bytes, (size_t)written, SIZE_MAX);
    }
    return 0;
}

/* --- names --- */

void pack_path(const struct blob_engine *engine, const char *account, char path[PATH_SIZE])
{
    snprintf(path, PATH_SIZE, "%s/%s.packs", ((const struct pack_engine *)engine)->directory,
             account);
}

void pack_name(uint64_t pack, const char *suffix, char name[NAME_SIZE])
{
    snprintf(name, NAME_SIZE, "%016llx.%s", (unsigned long long)pack, suffix);
}

bool pack_name_parse(const char *name, const char *suffix, uint64_t *pack)
{
    if (strspn(name, "0123456789abcdef") != NUMBER_DIGITS || name[NUMBER_DIGITS] != '.' ||
        strcmp(name + NUMBER_DIGITS + 1, suffix) != 0)
        return false;
    *pack = strtoull(name, NULL, 16);
    return *pack != 0;
}

/* --- folders --- */

int open_folder(const struct blob_engine *engine, const char *account)
{
    char path[PATH_SIZE];
    pack_path(engine, account, path);
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return folder < 0 ? file_error(errno) : folder;
}

static int flush_folder(const char *path)
{
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return file_error(errno);
    int error = fsync(folder) ? file_error(errno) : 0;
    close(folder);
    return error;
}

/* Makes the account's folder and those above it, each one's parent flushed. */
static int make_folder(const struct blob_engine *engine, const char *account)
{
    char path[PATH_SIZE];
    pack_path(engine, account, path);
    size_t size = strlen(path);
    char *parent_end = path + strlen(((const struct pack_engine *)engine)->directory);
    for (char *end = parent_end; end < path + size; parent_end = end) {
        end = strchrnul(end + 1, '/');
        *end = '\0';
        if (mkdir(path, 0700) && errno != EEXIST)
            return file_error(errno);
        *parent_end = '\0';
        int error = flush_folder(path);
        *parent_end = '/';
        if (error) {
            rmdir(path); /* or the next to come takes it for flushed */
            return error;
        }
        if (end < path + size)
            *end = '/';
    }
    return 0;
}

int open_or_make_folder(const struct blob_engine *engine, const char *account)
{
    int folder = open_folder(engine, account);
    if (folder != ERROR_NOT_FOUND)
        return folder;
    int error = make_folder(engine, account);
    return error ? error : open_folder(engine, account);
}

int open_directory(const struct blob_engine *engine, const char *account, DIR **directory)
{
    int folder = open_folder(engine, account);
    if (folder < 0)
        return folder;
    *directory = fdopendir(folder);
    if (*directory)
        return 0;
    close(folder);
    return ERROR_MEMORY;
}

/* --- packs --- */

int open_pack(int folder, uint64_t pack, int flags, struct stat *status)
{
    char name[NAME_SIZE];
    pack_name(pack, "pack", name);
    int file = openat(folder, name, flags | O_CLOEXEC);
    if (file < 0)
        return file_error(errno);
    if (fstat(file, status) == 0)
        return file;
    int error = file_error(errno);
    close(file);
    return error;
}

int check_pack_header(int file, uint64_t pack)
{
    char header[PACK_HEADER];
    char expected[PACK_HEADER];
    int error = read_at(file, 0, header, PACK_HEADER);
    pack_header_write(expected, pack);
    return error || memcmp(header, expected, PACK_HEADER) == 0 ? error : ERROR_CORRUPT;
}

/* Where it fails, the next to write to the pack writes behind what is there, which is flushed with
 * it: nothing acknowledged depends on it. */
void seal_pack(int file)
{
    int failed = fchmod(file, 0400);
    (void)failed;
}

bool is_sealed(const struct stat *status)
{
    return !(status->st_mode & S_IWUSR);
}
