/*
 * blob/pack: bodies in files. Format version 1.
 *
 * DIRECTORY/ACCOUNT.packs/<pack number, 16 hex digits>.pack is a header and one or more records.
 * A pack never changes once it has its name. Numbers are big-endian.
 *
 *     pack header, 24 bytes
 *         0  8  "CHAPPACK"
 *         8  4  version: 1
 *        12  4  0
 *        16  8  pack number
 *
 *     record, 72 bytes and the stored bytes; blob_id.offset is where it begins
 *         0  4  "BLOB"
 *         4  1  encoding of the stored bytes: 0 as they are; others are not known to version 1
 *         5  3  0
 *         8  8  size of the body
 *        16  8  size of the stored bytes
 *        24 32  BLAKE2b-256 of the body (not of the stored bytes: it proves the decoding too)
 *        56 16  BLAKE2b-128 of the pack number, the record's offset (8 bytes each) and the 56
 *               bytes above: a record that lies elsewhere than it was written is damaged
 *
 * BLAKE2b, as it is in libsodium, which every process has, about as fast as a CRC without
 * instructions for it, and good enough that equal sums mean equal bodies.
 *
 * A pack is written as "<number>.new", flushed, renamed, and its folder flushed. What a crash
 * leaves under such a name is removed by blob_each a day later.
 */
#include "base/error.h"
#include "blob/engine_priv.h"

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    PATH_SIZE = 4096,
    NAME_SIZE = 24, /* "0123456789abcdef.pack" */
    NUMBER_DIGITS = 16,
    VERSION = 1,
    PACK_HEADER = 24,
    RECORD_HEADER = 72,
    RECORD_SUMMED = 56,
    BODY_SUM = 32,
    HEADER_SUM = 16,
    ENCODING_NONE = 0,
    READ_SIZE = 16 * 1024,
    LEFT_OVER_SECONDS = 24 * 60 * 60,
};

struct pack_engine {
    struct blob_engine engine;
    char directory[];
};

struct record {
    unsigned encoding;
    uint64_t body_size;
    uint64_t stored_size;
    unsigned char body_sum[BODY_SUM];
};

/* --- the format --- */

static void put_number(char *bytes, uint64_t number)
{
    number = htobe64(number);
    memcpy(bytes, &number, sizeof(number));
}

static uint64_t get_number(const char *bytes)
{
    uint64_t number;
    memcpy(&number, bytes, sizeof(number));
    return be64toh(number);
}

static void write_pack_header(char bytes[PACK_HEADER], uint64_t pack)
{
    memcpy(bytes, "CHAPPACK", 8);
    put_number(bytes + 8, (uint64_t)VERSION << 32);
    put_number(bytes + 16, pack);
}

static void sum_header(const char bytes[RECORD_HEADER], uint64_t pack, uint64_t offset,
                       unsigned char sum[HEADER_SUM])
{
    char place[16];
    crypto_generichash_state state;
    put_number(place, pack);
    put_number(place + 8, offset);
    crypto_generichash_init(&state, NULL, 0, HEADER_SUM);
    crypto_generichash_update(&state, (const unsigned char *)place, sizeof(place));
    crypto_generichash_update(&state, (const unsigned char *)bytes, RECORD_SUMMED);
    crypto_generichash_final(&state, sum, HEADER_SUM);
}

static void write_record_header(char bytes[RECORD_HEADER], const struct record *record,
                                uint64_t pack, uint64_t offset)
{
    memset(bytes, 0, RECORD_HEADER);
    memcpy(bytes, "BLOB", 4);
    bytes[4] = (char)record->encoding;
    put_number(bytes + 8, record->body_size);
    put_number(bytes + 16, record->stored_size);
    memcpy(bytes + 24, record->body_sum, BODY_SUM);
    sum_header(bytes, pack, offset, (unsigned char *)bytes + RECORD_SUMMED);
}

static int read_record_header(const char bytes[RECORD_HEADER], uint64_t pack, uint64_t offset,
                              struct record *record)
{
    unsigned char sum[HEADER_SUM];
    sum_header(bytes, pack, offset, sum);
    if (memcmp(bytes, "BLOB", 4) != 0 || memcmp(bytes + RECORD_SUMMED, sum, HEADER_SUM) != 0)
        return ERROR_CORRUPT;
    record->encoding = (unsigned char)bytes[4];
    record->body_size = get_number(bytes + 8);
    record->stored_size = get_number(bytes + 16);
    memcpy(record->body_sum, bytes + 24, BODY_SUM);
    if (record->encoding != ENCODING_NONE || record->stored_size != record->body_size)
        return ERROR_CORRUPT;
    return 0;
}

/* --- files --- */

static int file_error(int errnum)
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

/* The end of the file before the size is read is ERROR_CORRUPT. */
static int read_at(int file, uint64_t offset, char *bytes, size_t size)
{
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

static int write_all(int file, struct iovec *parts, int count)
{
    while (count > 0) {
        ssize_t written = writev(file, parts, count);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return file_error(errno);
        while (count > 0 && (size_t)written >= parts->iov_len) {
            written -= (ssize_t)parts->iov_len;
            parts++;
            count--;
        }
        if (count > 0) {
            parts->iov_base = (char *)parts->iov_base + written;
            parts->iov_len -= (size_t)written;
        }
    }
    return 0;
}

static void path_of(const struct blob_engine *engine, const char *account, char path[PATH_SIZE])
{
    snprintf(path, PATH_SIZE, "%s/%s.packs", ((const struct pack_engine *)engine)->directory,
             account);
}

static void name_of(uint64_t pack, const char *suffix, char name[NAME_SIZE])
{
    snprintf(name, NAME_SIZE, "%016llx.%s", (unsigned long long)pack, suffix);
}

/* Returns a descriptor. */
static int open_folder(const struct blob_engine *engine, const char *account)
{
    char path[PATH_SIZE];
    path_of(engine, account, path);
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
    path_of(engine, account, path);
    size_t size = strlen(path);
    char *parent_end = path + strlen(((const struct pack_engine *)engine)->directory);
    for (char *end = parent_end; end < path + size; parent_end = end) {
        end = strchrnul(end + 1, '/');
        *end = '\0';
        if (mkdir(path, 0700) && errno != EEXIST)
            return file_error(errno);
        *parent_end = '\0';
        int error = flush_folder(path);
        if (error)
            return error;
        *parent_end = '/';
        if (end < path + size)
            *end = '/';
    }
    return 0;
}

static int open_or_make_folder(const struct blob_engine *engine, const char *account)
{
    int folder = open_folder(engine, account);
    if (folder != ERROR_NOT_FOUND)
        return folder;
    int error = make_folder(engine, account);
    return error ? error : open_folder(engine, account);
}

/* --- writing --- */

static int write_file(int folder, const char *name, struct iovec *parts, int count)
{
    int file = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0)
        return file_error(errno);
    int error = write_all(file, parts, count);
    if (!error && fdatasync(file))
        error = file_error(errno);
    close(file);
    if (error)
        unlinkat(folder, name, 0);
    return error;
}

static int write_pack(int folder, uint64_t pack, struct slice body)
{
    struct record record = {ENCODING_NONE, body.size, body.size, {0}};
    char head[PACK_HEADER + RECORD_HEADER];
    crypto_generichash(record.body_sum, BODY_SUM, (const unsigned char *)body.data, body.size, NULL,
                       0);
    write_pack_header(head, pack);
    write_record_header(head + PACK_HEADER, &record, pack, PACK_HEADER);
    struct iovec parts[] = {{head, sizeof(head)}, {(void *)(uintptr_t)body.data, body.size}};

    char name_new[NAME_SIZE];
    char name[NAME_SIZE];
    name_of(pack, "new", name_new);
    name_of(pack, "pack", name);
    int error = write_file(folder, name_new, parts, 2);
    if (error)
        return error;
    if (renameat(folder, name_new, folder, name)) {
        error = file_error(errno);
        unlinkat(folder, name_new, 0);
    } else if (fsync(folder)) {
        error = file_error(errno);
        unlinkat(folder, name, 0);
    }
    return error;
}

static int put(struct blob_engine *engine, const char *account, struct slice body,
               struct blob_id *id)
{
    int folder = open_or_make_folder(engine, account);
    if (folder < 0)
        return folder;
    uint64_t pack = blob_new_number();
    int error = write_pack(folder, pack, body);
    close(folder);
    if (!error)
        *id = (struct blob_id){pack, PACK_HEADER, body.size};
    return error;
}

/* --- reading --- */

/* Opens a pack and checks its header. Returns a descriptor. */
static int open_pack(int folder, uint64_t pack, uint64_t *size)
{
    char name[NAME_SIZE];
    char header[PACK_HEADER];
    char expected[PACK_HEADER];
    struct stat status;
    name_of(pack, "pack", name);
    int file = openat(folder, name, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return file_error(errno);
    int error = read_at(file, 0, header, PACK_HEADER);
    write_pack_header(expected, pack);
    if (!error && memcmp(header, expected, PACK_HEADER) != 0)
        error = ERROR_CORRUPT;
    if (!error && fstat(file, &status))
        error = file_error(errno);
    if (error) {
        close(file);
        return error;
    }
    *size = (uint64_t)status.st_size;
    return file;
}

/* The record at the offset, which lies in the file as a whole. */
static int find_record(int file, uint64_t file_size, uint64_t pack, uint64_t offset,
                       struct record *record)
{
    char header[RECORD_HEADER];
    if (offset < PACK_HEADER || offset > file_size || file_size - offset < RECORD_HEADER)
        return ERROR_CORRUPT;
    int error = read_at(file, offset, header, RECORD_HEADER);
    if (!error)
        error = read_record_header(header, pack, offset, record);
    if (!error && record->stored_size > file_size - offset - RECORD_HEADER)
        error = ERROR_CORRUPT;
    return error;
}

/* Opens a blob's pack and finds its record. Returns a descriptor. */
static int open_blob(int folder, struct blob_id id, struct record *record, uint64_t *file_size)
{
    int file = open_pack(folder, id.pack, file_size);
    if (file < 0)
        return file;
    int error = find_record(file, *file_size, id.pack, id.offset, record);
    if (!error && record->body_size != id.size)
        error = ERROR_CORRUPT;
    if (!error)
        return file;
    close(file);
    return error;
}

static int open_account_blob(struct blob_engine *engine, const char *account, struct blob_id id,
                             struct record *record)
{
    uint64_t file_size;
    int folder = open_folder(engine, account);
    if (folder < 0)
        return folder;
    int file = open_blob(folder, id, record, &file_size);
    close(folder);
    return file;
}

static int read_range(int file, uint64_t offset, size_t size, struct buffer *bytes)
{
    char *room = buffer_reserve(bytes, size);
    if (!room)
        return buffer_error(bytes);
    int error = read_at(file, offset, room, size);
    buffer_commit(bytes, error ? 0 : size);
    return error;
}

static int get(struct blob_engine *engine, const char *account, struct blob_id id, uint64_t offset,
               size_t size, struct buffer *bytes)
{
    struct record record;
    int file = open_account_blob(engine, account, id, &record);
    if (file < 0)
        return file;
    if (offset > id.size)
        offset = id.size;
    if (size > id.size - offset)
        size = (size_t)(id.size - offset);
    int error = read_range(file, id.offset + RECORD_HEADER + offset, size, bytes);
    close(file);
    return error;
}

static int verify_body(int file, struct blob_id id, const struct record *record)
{
    char bytes[READ_SIZE];
    unsigned char sum[BODY_SUM];
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, BODY_SUM);
    for (uint64_t done = 0; done < record->stored_size;) {
        uint64_t left = record->stored_size - done;
        size_t part = left < READ_SIZE ? (size_t)left : READ_SIZE;
        int error = read_at(file, id.offset + RECORD_HEADER + done, bytes, part);
        if (error)
            return error;
        crypto_generichash_update(&state, (const unsigned char *)bytes, part);
        done += part;
    }
    crypto_generichash_final(&state, sum, BODY_SUM);
    return memcmp(sum, record->body_sum, BODY_SUM) == 0 ? 0 : ERROR_CORRUPT;
}

static int verify(struct blob_engine *engine, const char *account, struct blob_id id)
{
    struct record record;
    int file = open_account_blob(engine, account, id, &record);
    if (file < 0)
        return file;
    int error = verify_body(file, id, &record);
    close(file);
    return error;
}

/* --- removing and finding --- */

/* The only record of a pack takes the pack with it. A pack of several keeps the bytes. */
static int drop(struct blob_engine *engine, const char *account, struct blob_id id)
{
    struct record record;
    uint64_t file_size;
    char name[NAME_SIZE];
    int folder = open_folder(engine, account);
    if (folder < 0)
        return folder;
    int file = open_blob(folder, id, &record, &file_size);
    int error = file < 0 ? file : 0;
    name_of(id.pack, "pack", name);
    if (!error && PACK_HEADER + RECORD_HEADER + record.stored_size == file_size &&
        unlinkat(folder, name, 0))
        error = file_error(errno);
    if (file >= 0)
        close(file);
    close(folder);
    return error;
}

/* Calls fn for each record of a pack until it returns non-zero; returns that. A damaged record
 * ends the walk, as it is not known where the next begins, and sets *damaged to its error. */
static int each_in_pack(int folder, uint64_t pack, int (*fn)(struct blob_id id, void *arg),
                        void *arg, int *damaged)
{
    uint64_t size;
    int file = open_pack(folder, pack, &size);
    if (file < 0) {
        if (file != ERROR_NOT_FOUND) /* dropped meanwhile */
            *damaged = file;
        return 0;
    }
    int result = 0;
    uint64_t offset = PACK_HEADER;
    do {
        struct record record;
        int error = find_record(file, size, pack, offset, &record);
        if (error) {
            *damaged = error;
            break;
        }
        result = fn((struct blob_id){pack, offset, record.body_size}, arg);
        offset += RECORD_HEADER + record.stored_size;
    } while (!result && offset < size);
    close(file);
    return result;
}

/* Whether the name is that of a pack, or with "new" of one being written. */
static bool parse_name(const char *name, const char *suffix, uint64_t *pack)
{
    if (strspn(name, "0123456789abcdef") != NUMBER_DIGITS || name[NUMBER_DIGITS] != '.' ||
        strcmp(name + NUMBER_DIGITS + 1, suffix) != 0)
        return false;
    *pack = strtoull(name, NULL, 16);
    return *pack != 0;
}

static void remove_left_over(int folder, const char *name)
{
    struct stat status;
    if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
        status.st_mtime < time(NULL) - LEFT_OVER_SECONDS)
        unlinkat(folder, name, 0);
}

/* A damaged pack does not hide the others: its error is returned when fn has seen them all. */
static int each_in_folder(DIR *directory, int (*fn)(struct blob_id id, void *arg), void *arg)
{
    int damaged = 0;
    const struct dirent *entry;
    while ((entry = readdir(directory))) {
        uint64_t pack;
        if (parse_name(entry->d_name, "new", &pack))
            remove_left_over(dirfd(directory), entry->d_name);
        if (!parse_name(entry->d_name, "pack", &pack))
            continue;
        int result = each_in_pack(dirfd(directory), pack, fn, arg, &damaged);
        if (result)
            return result;
    }
    return damaged;
}

static int open_directory(struct blob_engine *engine, const char *account, DIR **directory)
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

static int each(struct blob_engine *engine, const char *account,
                int (*fn)(struct blob_id id, void *arg), void *arg)
{
    DIR *directory;
    int error = open_directory(engine, account, &directory);
    if (error)
        return error == ERROR_NOT_FOUND ? 0 : error;
    error = each_in_folder(directory, fn, arg);
    closedir(directory);
    return error;
}

static int destroy(struct blob_engine *engine, const char *account)
{
    DIR *directory;
    char path[PATH_SIZE];
    const struct dirent *entry;
    int error = open_directory(engine, account, &directory);
    if (error)
        return error == ERROR_NOT_FOUND ? 0 : error;
    while ((entry = readdir(directory))) {
        uint64_t pack;
        if (parse_name(entry->d_name, "pack", &pack) || parse_name(entry->d_name, "new", &pack))
            unlinkat(dirfd(directory), entry->d_name, 0);
    }
    closedir(directory);
    path_of(engine, account, path);
    return rmdir(path) && errno != ENOENT ? file_error(errno) : 0;
}

/* --- the engine --- */

static void engine_free(struct blob_engine *engine)
{
    free(engine);
}

static const struct blob_operations operations = {
    .engine_free = engine_free,
    .put = put,
    .get = get,
    .drop = drop,
    .verify = verify,
    .each = each,
    .destroy = destroy,
};

int blob_pack_create(const char *directory, struct blob_engine **engine)
{
    size_t size = strlen(directory) + 1;
    if (size + BLOB_ACCOUNT_MAXIMUM + sizeof("/.packs") > PATH_SIZE)
        return ERROR_INVALID;
    struct pack_engine *made = malloc(sizeof(*made) + size);
    if (!made || sodium_init() < 0) {
        free(made);
        return ERROR_MEMORY;
    }
    made->engine.operations = &operations;
    memcpy(made->directory, directory, size);
    *engine = &made->engine;
    return 0;
}
