#include "base/spool.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

/* What is gathered before one write to the file. */
enum { WRITE_SIZE = 64 * 1024 };

void spool_init(struct spool *spool, int directory, size_t memory_maximum, uint64_t maximum)
{
    *spool = (struct spool){
        .directory = directory, .memory_maximum = memory_maximum, .maximum = maximum, .file = -1};
    buffer_init(&spool->memory, memory_maximum > WRITE_SIZE ? memory_maximum : WRITE_SIZE);
}

static void unmap(struct spool *spool)
{
    if (spool->mapping)
        munmap(spool->mapping, spool->size);
    spool->mapping = NULL;
}

void spool_release(struct spool *spool)
{
    unmap(spool);
    if (spool->file >= 0)
        close(spool->file);
    buffer_release(&spool->memory);
    uint64_t keep_free = spool->keep_free;
    spool_init(spool, spool->directory, spool->memory_maximum, spool->maximum);
    spool->keep_free = keep_free;
}

void spool_keep_free(struct spool *spool, uint64_t bytes)
{
    spool->keep_free = bytes;
}

static int write_out(struct spool *spool, struct slice bytes)
{
    while (bytes.size > 0) {
        ssize_t written = write(spool->file, bytes.data, bytes.size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return error_from_errno(errno);
        bytes = slice_sub(bytes, (size_t)written, bytes.size);
    }
    return 0;
}

static int flush(struct spool *spool)
{
    int error = write_out(spool, buffer_slice(&spool->memory));
    buffer_clear(&spool->memory);
    return error;
}

static int append_to_file(struct spool *spool, struct slice bytes)
{
    if (spool->file < 0) {
        spool->file = openat(spool->directory, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (spool->file < 0)
            return error_from_errno(errno);
    }
    if (spool->memory.size + bytes.size > WRITE_SIZE) {
        int error = flush(spool);
        if (error)
            return error;
    }
    if (bytes.size > WRITE_SIZE)
        return write_out(spool, bytes);
    return buffer_append(&spool->memory, bytes);
}

int spool_append(struct spool *spool, struct slice bytes)
{
    if (spool->error)
        return spool->error;
    unmap(spool);
    if (bytes.size > spool->maximum - spool->size)
        spool->error = ERROR_LIMIT;
    else if (spool->file < 0 && spool->size + bytes.size <= spool->memory_maximum)
        spool->error = buffer_append(&spool->memory, bytes);
    else if (spool->directory < 0)
        spool->error = ERROR_LIMIT;
    else
        spool->error = append_to_file(spool, bytes);
    if (!spool->error)
        spool->size += bytes.size;
    return spool->error;
}

/* A file system that does not tell is taken to have room. */
static bool has_room(const struct spool *spool)
{
    struct statfs status;
    if (spool->keep_free == 0 || spool->directory < 0 || fstatfs(spool->directory, &status))
        return true;
    uint64_t unit = (uint64_t)(status.f_frsize ? status.f_frsize : status.f_bsize);
    return (uint64_t)status.f_bavail * unit >= spool->keep_free;
}

int spool_view(struct spool *spool, struct slice *bytes)
{
    if (!spool->error && !has_room(spool))
        spool->error = ERROR_SPACE;
    if (spool->error)
        return spool->error;
    if (spool->file < 0) {
        *bytes = buffer_slice(&spool->memory);
        return 0;
    }
    if (!spool->mapping) {
        int error = flush(spool);
        if (error)
            return spool->error = error;
        void *mapping = mmap(NULL, spool->size, PROT_READ, MAP_PRIVATE, spool->file, 0);
        if (mapping == MAP_FAILED)
            return spool->error = error_from_errno(errno);
        spool->mapping = mapping;
    }
    *bytes = slice_make(spool->mapping, spool->size);
    return 0;
}
