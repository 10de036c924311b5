/*
 * The bytes of a message: dots unstuffed, bare LF made CRLF, and the end found.
 *
 *     LINE_START --'.'--> DOT --CR--> DOT_CR --LF--> the end
 *         ^                |             |
 *         +- LF -- CR <----+--- TEXT <---+
 *
 * Only CRLF begins a line. So a dot behind a bare LF or a bare CR is a byte as any other: it is
 * neither unstuffed nor does it end anything, whatever another server may think of it.
 */
#include "proto/lmtp/engine_priv.h"

enum { LINE_START, TEXT, CR, DOT, DOT_CR };

int lmtp_data_begin(void)
{
    return LINE_START;
}

static struct slice take(struct slice *input, size_t size)
{
    struct slice taken = slice_sub(*input, 0, size);
    *input = slice_sub(*input, size, SIZE_MAX);
    return taken;
}

/* How many bytes from the front can be handed on as they are: up to a dot that begins a line, when
 * dots are stuffed, or a bare LF. Sets the state behind them. */
static size_t scan_run(int *state, struct slice input, bool stuffed)
{
    size_t at = 0;
    while (at < input.size) {
        if (stuffed && *state == LINE_START && input.data[at] == '.')
            return at;
        size_t lf = at + slice_find(slice_sub(input, at, SIZE_MAX), '\n');
        bool cr = lf > at ? input.data[lf - 1] == '\r' : *state == CR;
        if (lf == input.size) {
            *state = cr ? CR : TEXT;
            return lf;
        }
        if (!cr) {
            *state = TEXT;
            return lf;
        }
        *state = LINE_START;
        at = lf + 1;
    }
    return at;
}

/* Behind a line's first dot, which is not part of the message. */
static enum lmtp_data_event step_dot(int *state, struct slice *input, struct slice *piece)
{
    bool dot_cr = *state == DOT_CR;
    char byte = input->data[0];
    if (!dot_cr && byte == '\r') {
        take(input, 1);
        *state = DOT_CR;
        return LMTP_DATA_MORE;
    }
    if (dot_cr && byte == '\n') {
        take(input, 1);
        *state = LINE_START;
        return LMTP_DATA_END;
    }
    /* The CR that was held back belongs to the text. */
    *state = dot_cr ? CR : TEXT;
    *piece = dot_cr ? SLICE("\r") : take(input, byte == '\n' ? 0 : 1);
    return piece->size ? LMTP_DATA_PIECE : LMTP_DATA_MORE;
}

enum lmtp_data_event lmtp_data_next(int *state, struct slice *input, struct slice *piece)
{
    while (input->size) {
        if (*state == DOT || *state == DOT_CR) {
            enum lmtp_data_event event = step_dot(state, input, piece);
            if (event != LMTP_DATA_MORE)
                return event;
            continue;
        }
        struct slice run = take(input, scan_run(state, *input, true));
        if (run.size) {
            *piece = run;
            return LMTP_DATA_PIECE;
        }
        if (take(input, 1).data[0] == '.') {
            *state = DOT;
            continue;
        }
        /* A bare LF. What follows is not at the start of a line. */
        *piece = SLICE("\r\n");
        *state = TEXT;
        return LMTP_DATA_PIECE;
    }
    return LMTP_DATA_MORE;
}

enum lmtp_data_event lmtp_chunk_next(int *state, struct slice *input, struct slice *piece)
{
    if (input->size == 0)
        return LMTP_DATA_MORE;
    *piece = take(input, scan_run(state, *input, false));
    if (piece->size == 0) { /* a bare LF */
        take(input, 1);
        *piece = SLICE("\r\n");
        *state = TEXT;
    }
    return LMTP_DATA_PIECE;
}
