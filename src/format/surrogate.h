/*
 * Surrogates of internationalized messages (RFC 6858), for clients that can take ASCII headers
 * only: the message with each header that is not ASCII, its own and those of its parts, downgraded
 * (format/downgrade.h), and all else as it is.
 *
 *     struct surrogate surrogate;
 *     surrogate_init(&surrogate, directory, 256 * 1024);
 *     do
 *         error = surrogate_next(&surrogate, &source, 64 * 1024, &piece);
 *     while (!error && piece.size && ...);
 *     surrogate_release(&surrogate);
 *
 * It is read from front to back, so that nobody needs to hold or to copy a large message; between
 * two calls the source may be made anew. The same message always has the same surrogate.
 */
#ifndef FORMAT_SURROGATE_H
#define FORMAT_SURROGATE_H

#include "base/spool.h"
#include "format/summary.h"

enum {
    /* Bytes of a header that are looked at: of one that is longer, and not ASCII up to there, the
     * surrogate has no more than these. */
    SURROGATE_HEADER_MAXIMUM = 1024 * 1024,
    /* Bytes of a header's surrogate, which may be many times as long. ERROR_LIMIT. */
    SURROGATE_DOWNGRADED_MAXIMUM = 32 * 1024 * 1024,
};

/* A message. */
struct surrogate_source {
    const struct summary *summary;
    /* Appends its bytes from offset on, at most size. */
    int (*read)(void *arg, uint64_t offset, size_t size, struct buffer *bytes);
    void *arg;
};

/* Whether the range of the message has bytes of a header that is not ASCII. Errors are those of
 * read, and of a damaged summary. */
int surrogate_is_needed(const struct surrogate_source *source, uint64_t offset, uint64_t size,
                        bool *needed);

/* How long the surrogate is. Only headers are read. */
int surrogate_size(const struct surrogate_source *source, uint64_t *size);

/* How far it has been read. A header is downgraded at once, and kept until it has been given: in
 * memory up to memory_maximum bytes, else in a file without a name in the directory (-1: memory
 * alone). */
struct surrogate {
    size_t part;         /* the first one whose header is ahead */
    uint64_t offset;     /* in the message: what has been given, or is in `header` */
    struct spool header; /* a downgraded one, of which so many bytes */
    uint64_t given;      /* have been given */
};
void surrogate_init(struct surrogate *surrogate, int directory, size_t memory_maximum);
void surrogate_release(struct surrogate *surrogate);

/* Appends what comes next, at most size bytes; none: that was all. ERROR_CORRUPT: the message is
 * shorter than its summary says. */
int surrogate_next(struct surrogate *surrogate, const struct surrogate_source *source, size_t size,
                   struct buffer *piece);

#endif
