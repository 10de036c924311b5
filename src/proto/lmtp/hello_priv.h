/*
 * The beginning of a session, for both engines: before login (login.h) and of delivery (engine.h).
 */
#ifndef PROTO_LMTP_HELLO_PRIV_H
#define PROTO_LMTP_HELLO_PRIV_H

#include "base/buffer.h"

/* "220 mail.example.org LMTP ready" */
void lmtp_hello_greet(const char *hostname, struct buffer *output);

/* Whether LHLO's argument is a name: printable, without spaces, LMTP_ADDRESS_MAXIMUM bytes. */
bool lmtp_hello_is_name(struct slice argument);

/* LHLO's answer: the extensions that every session has. more: others, each "NAME arguments\n" and
 * in the order of the alphabet behind them. */
void lmtp_hello_answer(const char *hostname, uint64_t message, const char *more,
                       struct buffer *output);

#endif
