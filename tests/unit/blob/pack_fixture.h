/*
 * An engine of packs in a directory of its own, and bytes to put into it.
 */
#ifndef TESTS_UNIT_BLOB_PACK_FIXTURE_H
#define TESTS_UNIT_BLOB_PACK_FIXTURE_H

#include "base/error.h"
#include "blob/blob.h"

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

#define ACCOUNT "accounts/1f/1f0c"

enum { NOISE = 6 * 1024 * 1024 };

struct fixture {
    char directory[64];
    struct blob_engine *engine;
    char *noise; /* NOISE bytes that cannot be compressed */
};

static inline int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    uint64_t chance = 88172645463325252u;
    f->noise = malloc(NOISE);
    for (size_t i = 0; i < NOISE; i += sizeof(chance)) {
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        memcpy(f->noise + i, &chance, sizeof(chance));
    }
    snprintf(f->directory, sizeof(f->directory), "/tmp/chapar-blob-XXXXXX");
    assert_non_null(mkdtemp(f->directory));
    *state = f;
    return blob_pack_create(f->directory, &f->engine);
}

static inline int remove_entry(const char *path, const struct stat *status, int type,
                               struct FTW *ftw)
{
    (void)status, (void)type, (void)ftw;
    return remove(path);
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;
    blob_engine_free(&f->engine);
    nftw(f->directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(f->noise);
    free(f);
    return 0;
}

static inline struct blob_id put(struct fixture *f, struct slice body)
{
    struct blob_id id = {0};
    assert_int_equal(blob_put(f->engine, ACCOUNT, body, &id), 0);
    return id;
}

/* What a range of the blob is, or the error of reading it. */
static inline int read_range(struct fixture *f, struct blob_id id, uint64_t offset, size_t size,
                             struct slice expected)
{
    struct buffer bytes;
    buffer_init(&bytes, 64 * 1024 * 1024);
    int error = blob_get(f->engine, ACCOUNT, id, offset, size, &bytes);
    if (error)
        assert_int_equal(bytes.size, 0);
    else
        assert_true(slice_equal(buffer_slice(&bytes), expected));
    buffer_release(&bytes);
    return error;
}

static inline void path_of(const struct fixture *f, uint64_t pack, const char *suffix,
                           char path[256])
{
    snprintf(path, 256, "%s/" ACCOUNT ".packs/%016llx.%s", f->directory, (unsigned long long)pack,
             suffix);
}

static inline struct stat status_of(const struct fixture *f, uint64_t pack)
{
    char path[256];
    struct stat status = {0};
    path_of(f, pack, "pack", path);
    assert_int_equal(stat(path, &status), 0);
    return status;
}

static inline void flip(const char *path, uint64_t offset)
{
    char byte;
    int file = open(path, O_RDWR);
    assert_int_equal(pread(file, &byte, 1, (off_t)offset), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(file, &byte, 1, (off_t)offset), 1);
    close(file);
}

static inline void append_to(const char *path, const char *bytes, size_t size)
{
    int file = open(path, O_WRONLY | O_APPEND | O_CREAT, 0600);
    assert_int_equal(write(file, bytes, size), size);
    close(file);
}

/* Blobs as blob_each shows them. */
struct seen {
    struct blob_id ids[1000];
    size_t count;
    uint64_t bytes;
    int result;
};

static inline int see(struct blob_id id, void *arg)
{
    struct seen *seen = arg;
    assert_true(seen->count < 1000);
    seen->ids[seen->count++] = id;
    seen->bytes += id.size;
    return 0;
}

static inline struct seen each(struct fixture *f)
{
    struct seen seen = {0};
    seen.result = blob_each(f->engine, ACCOUNT, see, &seen);
    return seen;
}

#endif
