/*
 * What the engine's files share: the arguments of MAIL and RCPT, and the message's bytes.
 */
#ifndef PROTO_LMTP_ENGINE_PRIV_H
#define PROTO_LMTP_ENGINE_PRIV_H

#include "proto/lmtp/engine.h"

/* --- path.c --- */

/* A path at the front of *text (RFC 5321 section 4.1.2): "<", an address or nothing, ">". Its
 * address goes to `address`, without the brackets and a source route; unquote: without the quotes
 * of its local part. *text then begins behind it. ERROR_SYNTAX, ERROR_LIMIT. */
int lmtp_path_parse(struct slice *text, bool unquote, struct buffer *address);

/* One parameter of MAIL or RCPT: "KEYWORD" or "KEYWORD=value". */
struct lmtp_parameter {
    struct slice keyword, value;
};

/* The next one from the front of *text: 1, 0 at the end, or ERROR_SYNTAX. */
int lmtp_parameter_next(struct slice *text, struct lmtp_parameter *parameter);

/* --- data.c --- */

enum lmtp_data_event {
    LMTP_DATA_MORE,  /* the input is used up */
    LMTP_DATA_PIECE, /* *piece is the next part of the message */
    LMTP_DATA_END,   /* the message is complete */
};

/* *state for the beginning of a message's data. */
int lmtp_data_begin(void);

/* Takes bytes from the front of *input. The piece points into the input, or to a constant. */
enum lmtp_data_event lmtp_data_next(int *state, struct slice *input, struct slice *piece);

#endif
