#include "format/surrogate.h"

#include "base/error.h"
#include "format/downgrade.h"

/* The first part from *index on whose header begins at `offset` or behind it. False: there is none.
 * *error is set when the summary cannot be read. */
static bool find_header(const struct surrogate_source *source, size_t *index, uint64_t offset,
                        struct summary_part *part, int *error)
{
    for (; *index < source->summary->part_count && !*error; ++*index) {
        *error = summary_part_at(source->summary, *index, part);
        if (!*error && part->header_size && part->header_offset >= offset)
            return true;
    }
    return false;
}

/* What is shown in place of the part's header; nothing where it is ASCII. */
static int downgrade(const struct surrogate_source *source, const struct summary_part *part,
                     struct buffer *downgraded, bool *ascii)
{
    struct buffer header;
    size_t size = part->header_size < SURROGATE_HEADER_MAXIMUM ? (size_t)part->header_size
                                                               : SURROGATE_HEADER_MAXIMUM;
    buffer_init(&header, SURROGATE_HEADER_MAXIMUM);
    int error = source->read(source->arg, part->header_offset, size, &header);
    *ascii = downgrade_is_ascii(buffer_slice(&header));
    if (!error && !*ascii && downgraded)
        error = downgrade_header(buffer_slice(&header), downgraded);
    buffer_release(&header);
    return error;
}

int surrogate_is_needed(const struct surrogate_source *source, uint64_t offset, uint64_t size,
                        bool *needed)
{
    struct summary_part part;
    bool ascii = true;
    int error = 0;
    for (size_t i = 0; i < source->summary->part_count && !error && ascii; i++) {
        error = summary_part_at(source->summary, i, &part);
        if (error || !part.header_size || part.header_offset + part.header_size <= offset ||
            (part.header_offset >= offset && part.header_offset - offset >= size))
            continue;
        error = downgrade(source, &part, NULL, &ascii);
    }
    if (!error)
        *needed = !ascii;
    return error;
}

int surrogate_size(const struct surrogate_source *source, uint64_t *size)
{
    struct summary_part part;
    struct buffer downgraded;
    uint64_t offset = 0, total = source->summary->size;
    bool ascii;
    int error = 0;
    buffer_init(&downgraded, SURROGATE_DOWNGRADED_MAXIMUM);
    for (size_t i = 0; find_header(source, &i, offset, &part, &error); i++) {
        buffer_clear(&downgraded);
        error = downgrade(source, &part, &downgraded, &ascii);
        offset = part.header_offset;
        if (error || ascii)
            continue;
        offset += part.header_size;
        total = total - part.header_size + downgraded.size;
    }
    buffer_release(&downgraded);
    if (!error)
        *size = total;
    return error;
}

/* --- reading --- */

void surrogate_init(struct surrogate *surrogate, int directory, size_t memory_maximum)
{
    *surrogate = (struct surrogate){0};
    spool_init(&surrogate->header, directory, memory_maximum, SURROGATE_DOWNGRADED_MAXIMUM);
}

void surrogate_release(struct surrogate *surrogate)
{
    spool_release(&surrogate->header);
}

/* One that is not ASCII is put into the spool; else it is text as all else is. */
static int take_header(struct surrogate *surrogate, const struct surrogate_source *source,
                       const struct summary_part *part)
{
    struct buffer downgraded;
    bool ascii;
    buffer_init(&downgraded, SURROGATE_DOWNGRADED_MAXIMUM);
    int error = downgrade(source, part, &downgraded, &ascii);
    if (!error && !ascii) {
        spool_release(&surrogate->header); /* which can be written again */
        error = spool_append(&surrogate->header, buffer_slice(&downgraded));
        surrogate->given = 0;
        surrogate->offset += part->header_size;
    }
    surrogate->part++;
    buffer_release(&downgraded);
    return error;
}

static int give_header(struct surrogate *surrogate, size_t size, struct buffer *piece)
{
    struct slice bytes;
    int error = spool_view(&surrogate->header, &bytes);
    if (error)
        return error;
    bytes = slice_sub(bytes, (size_t)surrogate->given, size);
    surrogate->given += bytes.size;
    return buffer_append(piece, bytes);
}

/* Up to the message's offset `end`. */
static int give_text(struct surrogate *surrogate, const struct surrogate_source *source,
                     uint64_t end, size_t size, struct buffer *piece)
{
    size_t before = piece->size;
    if (end - surrogate->offset < size)
        size = (size_t)(end - surrogate->offset);
    int error = source->read(source->arg, surrogate->offset, size, piece);
    surrogate->offset += size;
    return error || piece->size - before == size ? error : ERROR_CORRUPT;
}

int surrogate_next(struct surrogate *surrogate, const struct surrogate_source *source, size_t size,
                   struct buffer *piece)
{
    struct summary_part part;
    size_t before = piece->size;
    int error = 0;
    while (!error && piece->size == before) {
        if (surrogate->given < surrogate->header.size)
            return give_header(surrogate, size, piece);
        bool header = find_header(source, &surrogate->part, surrogate->offset, &part, &error);
        uint64_t end = header ? part.header_offset : source->summary->size;
        if (error || (!header && surrogate->offset >= end))
            return error;
        error = surrogate->offset < end ? give_text(surrogate, source, end, size, piece)
                                        : take_header(surrogate, source, &part);
    }
    return error;
}
