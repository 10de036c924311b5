/*
 * Commands after login and before it: the same bytes whole, byte by byte and in pieces give the
 * same events, whatever they are. The first byte chooses limits, states and the caller's answer
 * to APPEND.
 */
#include "../../unit/proto/imap_events.h"

#include <stdlib.h>

static void run(const struct imap_limits *limits, struct slice input, size_t piece, bool refuse,
                struct buffer *events)
{
    struct imap_reader reader;
    imap_reader_init(&reader, limits);
    buffer_init(events, 256 * 1024 * 1024);
    imap_events_run(&reader, input, piece, refuse, events);
    imap_reader_release(&reader);
    if (!imap_reader_is_idle(&reader) || buffer_error(events))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    bool small = data[0] & 1, refuse = data[0] & 2, before = data[0] & 4;
    struct imap_limits limits = {
        .line = small ? 60 : 8192,
        .literals = small ? 20 : 4096,
        .arena = small ? 600 : 256 * 1024,
        .message = small ? 30 : 100000,
        .states = before ? IMAP_STATE_NOT_AUTHENTICATED : 7,
    };
    struct slice input = slice_make(data + 1, size - 1);
    struct buffer whole, bytes, pieces;
    run(&limits, input, SIZE_MAX, refuse, &whole);
    run(&limits, input, 1, refuse, &bytes);
    run(&limits, input, 1 + data[0] / 8, refuse, &pieces);
    if (!slice_equal(buffer_slice(&whole), buffer_slice(&bytes)) ||
        !slice_equal(buffer_slice(&whole), buffer_slice(&pieces)))
        abort();
    buffer_release(&whole);
    buffer_release(&bytes);
    buffer_release(&pieces);
    return 0;
}
