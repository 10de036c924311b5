#include "proto/sasl/line.h"

void line_reader_init(struct line_reader *reader, size_t maximum)
{
    *reader = (struct line_reader){.maximum = maximum};
    buffer_init(&reader->line, maximum + 1); /* the CR */
}

static void wipe(struct line_reader *reader)
{
    if (reader->line.data)
        explicit_bzero(reader->line.data, reader->line.capacity);
    buffer_release(&reader->line);
    reader->taken = false;
}

void line_reader_release(struct line_reader *reader)
{
    wipe(reader);
}

static struct slice without_cr(struct slice line)
{
    bool cr = line.size && line.data[line.size - 1] == '\r';
    return slice_sub(line, 0, line.size - cr);
}

/* The rest of a line that is too long. */
static enum line_event discard(struct line_reader *reader, struct slice *input)
{
    size_t end = slice_find(*input, '\n');
    bool ended = end < input->size;
    reader->discarded += end;
    *input = slice_sub(*input, end + ended, SIZE_MAX);
    if (reader->discarded > LINE_DISCARD_MAXIMUM)
        return LINE_FLOOD;
    if (!ended)
        return LINE_MORE;
    reader->discarded = 0;
    return LINE_TOO_LONG;
}

enum line_event line_reader_next(struct line_reader *reader, struct slice *input,
                                 struct slice *line)
{
    if (reader->taken)
        wipe(reader);
    if (reader->discarded)
        return discard(reader, input);
    size_t end = slice_find(*input, '\n');
    bool ended = end < input->size;
    if (input->size == 0)
        return LINE_MORE;
    bool fits = buffer_append(&reader->line, slice_sub(*input, 0, end)) == 0;
    struct slice got = without_cr(buffer_slice(&reader->line));
    if (!fits || got.size > reader->maximum) {
        wipe(reader);
        reader->discarded = 1; /* what was gathered of it counts no more than that */
        return discard(reader, input);
    }
    *input = slice_sub(*input, end + ended, SIZE_MAX);
    if (!ended)
        return LINE_MORE;
    reader->taken = true;
    *line = got;
    return LINE_COMPLETE;
}
