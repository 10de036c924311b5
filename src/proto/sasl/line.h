/*
 * Lines, for protocols whose commands and responses are one line each (POP3, LMTP). A line may be a
 * password: it is wiped when it has been used.
 */
#ifndef PROTO_SASL_LINE_H
#define PROTO_SASL_LINE_H

#include "base/buffer.h"

enum {
    LINE_DISCARD_MAXIMUM = 1024 * 1024, /* bytes of a line that is too long before the end */
};

struct line_reader {
    struct buffer line; /* what came of it so far */
    size_t maximum;     /* bytes of a line without its end */
    uint64_t discarded; /* bytes of a line that is too long */
    bool taken;         /* the line was returned: forgotten with the next call */
};

enum line_event {
    LINE_MORE,     /* needs more input */
    LINE_COMPLETE, /* *line, without CRLF or a bare LF, valid until the next call */
    LINE_TOO_LONG, /* a line over the maximum has ended */
    LINE_FLOOD,    /* over LINE_DISCARD_MAXIMUM bytes without an end: give up */
};

void line_reader_init(struct line_reader *reader, size_t maximum);

/* Wipes. It can be used again. */
void line_reader_release(struct line_reader *reader);

/* Takes what it needs from the front of *input. */
enum line_event line_reader_next(struct line_reader *reader, struct slice *input,
                                 struct slice *line);

#endif
