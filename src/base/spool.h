/*
 * A spool: a message while it arrives, in memory while small, in an unlinked file when large.
 *
 * LMTP's DATA and IMAP's APPEND literal are written here piece by piece; when complete, the whole
 * is seen as one slice (a file is mapped, so its bytes are page cache, not heap).
 *
 *     spool_init(&spool, directory_fd, 256 * 1024, 50 * 1024 * 1024);
 *     spool_append(&spool, bytes) ...
 *     spool_keep_free(&spool, 64 * 1024 * 1024);
 *     spool_view(&spool, &message);
 *     spool_release(&spool);
 *
 * The file is opened with O_TMPFILE in the given directory: it has no name, and is gone with the
 * process that wrote it.
 */
#ifndef BASE_SPOOL_H
#define BASE_SPOOL_H

#include "base/buffer.h"

struct spool {
    int directory;         /* not owned; -1: never a file, `memory_maximum` is the limit */
    size_t memory_maximum; /* bytes kept in memory before a file is opened */
    uint64_t maximum;      /* bytes in all */
    uint64_t keep_free;    /* by spool_keep_free */
    uint64_t size;         /* bytes written */
    struct buffer memory;  /* everything while file < 0; the bytes not yet written otherwise */
    int file;              /* -1 while in memory */
    void *mapping;         /* by spool_view */
    int error;             /* sticky: ERROR_LIMIT, ERROR_SPACE, ERROR_IO, ERROR_MEMORY */
};

void spool_init(struct spool *spool, int directory, size_t memory_maximum, uint64_t maximum);

/* Frees everything and closes the file. The spool can be initialised again. */
void spool_release(struct spool *spool);

/* spool_view fails with ERROR_SPACE when less is free, for others than root, in the directory's
 * file system: who reads, and who removes something, needs room too. 0 (at first): whatever is
 * free. */
void spool_keep_free(struct spool *spool, uint64_t bytes);

/* Appends; returns the sticky error. Blocks on the disk once past memory_maximum. */
int spool_append(struct spool *spool, struct slice bytes);

/* All bytes as one slice, valid until the next append or release. Returns the sticky error. */
int spool_view(struct spool *spool, struct slice *bytes);

#endif
