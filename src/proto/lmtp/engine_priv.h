/*
 * What the engine's files share: the arguments of MAIL, RCPT and BDAT, and the message's bytes.
 */
#ifndef PROTO_LMTP_ENGINE_PRIV_H
#define PROTO_LMTP_ENGINE_PRIV_H

#include "proto/lmtp/engine.h"

#include <netinet/in.h>

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

/* --- parameters.c --- */

/* The parameters behind the path of MAIL, or of RCPT, and what XCLIENT has. NULL, or the reply they
 * deserve. */
const char *lmtp_mail_parameters(struct lmtp *lmtp, struct slice text);
const char *lmtp_rcpt_parameters(struct lmtp *lmtp, struct slice text);
const char *lmtp_xclient_parameters(struct lmtp *lmtp, struct slice text);

/* Up to 20 digits (RFC 1870 section 6, RFC 3030 section 2); UINT64_MAX when it is more than that.
 * ERROR_SYNTAX. */
int lmtp_number_parse(struct slice digits, uint64_t *number);

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

/* The same of a chunk: dots mean nothing, and the caller knows where it ends. */
enum lmtp_data_event lmtp_chunk_next(int *state, struct slice *input, struct slice *piece);

#endif
