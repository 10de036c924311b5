/*
 * A message through summary_build and back, and its surrogate, with what must hold for any bytes.
 */
#include "base/error.h"
#include "format/surrogate.h"

#include <stdlib.h>

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* Parentheses, quoted strings and literals must pair, so that the value is one IMAP list. */
static void check_list(struct slice text)
{
    size_t depth = 0, i = 0;
    check(text.size >= 2 && text.data[0] == '(');
    while (i < text.size) {
        char c = text.data[i++];
        check(c >= ' ' && c < 0x7f);
        if (c == '"') {
            for (; i < text.size && text.data[i] != '"'; i++) {
                check(text.data[i] != '\r' && text.data[i] != '\n' && text.data[i] > 0);
                i += text.data[i] == '\\';
            }
            check(i++ < text.size);
        } else if (c == '{') {
            char *end;
            size_t size = strtoul(text.data + i, &end, 10);
            i = (size_t)(end - text.data) + 3 + size;
            check(i <= text.size && memcmp(end, "}\r\n", 3) == 0);
            check(!memchr(end + 3, '\0', size));
        } else if (c == ')') {
            check(depth-- > 0);
            check(depth > 0 || i == text.size);
        } else {
            depth += c == '(';
        }
    }
    check(depth == 0);
}

static void check_parts(const struct summary *summary)
{
    check(summary->part_count >= 1);
    for (size_t i = 0; i < summary->part_count; i++) {
        struct summary_part part, parent;
        check(summary_part_at(summary, i, &part) == 0);
        check(summary_part_at(summary, part.parent, &parent) == 0);
        check(part.header_offset + part.header_size == part.body_offset);
        check(part.body_offset + part.body_size <= summary->size);
        if (i == 0)
            continue;
        check(parent.kind == SUMMARY_PART_MULTIPART || parent.kind == SUMMARY_PART_MESSAGE);
        check(part.header_offset >= parent.body_offset);
        check(part.body_offset + part.body_size <= parent.body_offset + parent.body_size);
    }
    struct summary_part none;
    check(summary_part_at(summary, summary->part_count, &none) == ERROR_NOT_FOUND);
}

/* What is told of each field, and of all, are lines of the header. */
static void check_fields(const struct summary *summary, struct slice header)
{
    struct buffer fields;
    enum summary_header known[SUMMARY_HEADER_COUNT];
    size_t count = 0;
    buffer_init(&fields, SUMMARY_SIZE_MAXIMUM);
    for (int i = 0; i < SUMMARY_HEADER_COUNT; i++) {
        enum summary_header wanted = (enum summary_header)i;
        buffer_clear(&fields);
        if (summary_fields(summary, &wanted, 1, &fields))
            continue;
        known[count++] = wanted;
        if (!fields.size)
            continue;
        const char *at = memmem(header.data, header.size, fields.data, fields.size);
        while (at && at != header.data && at[-1] != '\n')
            at = memmem(at + 1, (size_t)(header.data + header.size - at - 1), fields.data,
                        fields.size);
        check(at != NULL);
    }
    buffer_clear(&fields);
    check(summary_fields(summary, known, count, &fields) == 0);
    struct slice all = buffer_slice(&fields);
    while (all.size) {
        struct slice line = slice_sub(all, 0, slice_find(all, '\n') + 1);
        const char *at = memmem(header.data, header.size, line.data, line.size);
        check(at != NULL);
        header = slice_sub(header, (size_t)(at - header.data), SIZE_MAX);
        all = slice_sub(all, line.size, SIZE_MAX);
    }
    buffer_release(&fields);
}

static int read_message(void *arg, uint64_t offset, size_t size, struct buffer *bytes)
{
    const struct slice *message = arg;
    return buffer_append(bytes, slice_sub(*message, (size_t)offset, size));
}

/* The surrogate is as long as it is said to be, in pieces of any size, and the message itself where
 * none is needed. */
static void check_surrogate(const struct summary *summary, struct slice message)
{
    enum { PIECE = 7 };
    const struct surrogate_source source = {summary, read_message, &message};
    struct surrogate surrogate;
    struct buffer bytes;
    uint64_t size;
    size_t before;
    bool needed;
    buffer_init(&bytes, 64 * 1024 * 1024);
    surrogate_init(&surrogate, -1, SURROGATE_DOWNGRADED_MAXIMUM);
    do {
        before = bytes.size;
        check(surrogate_next(&surrogate, &source, PIECE, &bytes) == 0);
        check(bytes.size - before <= PIECE);
    } while (bytes.size > before);
    check(surrogate_size(&source, &size) == 0 && size == bytes.size);
    check(surrogate_is_needed(&source, 0, UINT64_MAX, &needed) == 0);
    check(needed || slice_equal(buffer_slice(&bytes), message));
    surrogate_release(&surrogate);
    buffer_release(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct buffer encoded;
    struct summary summary;
    arena_init(&arena, SUMMARY_MEMORY_MAXIMUM);
    buffer_init(&encoded, SUMMARY_SIZE_MAXIMUM);
    check(summary_build(slice_make(data, size), &arena, &encoded) == 0);
    check(summary_parse(buffer_slice(&encoded), &summary) == 0);
    check(summary.size == size && summary.header_size <= size);
    check_list(summary.envelope);
    check_list(summary.body);
    check_list(summary.bodystructure);
    check_parts(&summary);
    check_fields(&summary, slice_make(data, summary.header_size));
    check_surrogate(&summary, slice_make(data, size));

    /* Bytes that are no summary, or a damaged one, must not be read past their end. */
    if (summary_parse(slice_make(data, size), &summary) == 0)
        for (size_t i = 0; i < summary.part_count; i++) {
            struct summary_part part;
            summary_part_at(&summary, i, &part);
        }
    buffer_release(&encoded);
    arena_release(&arena);
    return 0;
}
