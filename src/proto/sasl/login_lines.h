/*
 * An engine before login (login.h) whose commands, and the client's responses, are one line each
 * (POP3, LMTP): it has a reader of lines, and keeps a name that a command gave (USER, LHLO).
 *
 * A protocol embeds a struct login_lines as the first member of its own, and has these functions in
 * its table: release, step, wipe_line, tls_started below, and login_engine_bad as exchange_failed.
 */
#ifndef PROTO_SASL_LOGIN_LINES_H
#define PROTO_SASL_LOGIN_LINES_H

#include "proto/sasl/line.h"
#include "proto/sasl/login.h"

/* A line that is no response. */
typedef enum login_action login_take_line(struct login_engine *engine, struct slice line,
                                          struct buffer *output);

struct login_lines_options {
    const struct login_functions *functions;
    login_take_line *take;
    size_t line_maximum; /* bytes of a line without its end, and of a response, decoded */
    size_t name_maximum;
    size_t tag_maximum; /* of the exchange */
};

struct login_lines {
    struct login_engine engine; /* the first member */
    login_take_line *take;
    struct line_reader reader;
    struct buffer name; /* empty: none, as after TLS has begun (RFC 2595 section 4, RFC 3207
                              section 4.2) */
};

/* Memory: twice line_maximum, name_maximum and tag_maximum. */
void login_lines_init(struct login_lines *lines, const struct login_lines_options *protocol,
                      const struct login_options *options, bool tls);

/* For the protocol's table. */
void login_lines_release(struct login_engine *engine);
bool login_lines_step(struct login_engine *engine, struct slice *input, struct buffer *output,
                      enum login_action *action);
void login_lines_wipe(struct login_engine *engine);
void login_lines_tls_started(struct login_engine *engine, struct buffer *output);

/* The response that came with a command, where "=" is an empty one (RFC 4954 section 4, RFC 5034
 * section 4). */
struct slice login_lines_initial(struct slice argument);

#endif
