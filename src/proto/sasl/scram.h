/*
 * The messages of SCRAM (RFC 5802 section 7), the server's side:
 *
 *     client first   n,,n=user,r=NONCE           header and bare message
 *     server first   r=NONCE+OURS,s=SALT,i=4096
 *     client final   c=BINDING,r=NONCE+OURS,p=PROOF
 *     server final   v=SIGNATURE
 *
 * Text alone: keys and proofs are credentials/scram.h's. Slices point into the message.
 */
#ifndef PROTO_SASL_SCRAM_H
#define PROTO_SASL_SCRAM_H

#include "base/buffer.h"

enum {
    SASL_SCRAM_MESSAGE_MAXIMUM = 2048, /* bytes of a client's message */
    SASL_SCRAM_NONCE_MAXIMUM = 256,    /* bytes of its part of the nonce */
};

struct sasl_scram_first {
    char binding;               /* n: the client knows no channel binding; y: it does, but believes
                                   that the server does not; p: it uses binding_name */
    struct slice binding_name;  /* such as "tls-exporter" */
    struct slice authorization; /* for sasl_scram_name; empty: the same as name */
    struct slice name;          /* for sasl_scram_name */
    struct slice nonce;
    struct slice header; /* what stands before bare: what the final message's binding begins with */
    struct slice bare;
};

/* ERROR_SYNTAX (also for an extension that must be known, "m="); ERROR_LIMIT. */
int sasl_scram_first_parse(struct slice message, struct sasl_scram_first *first);

/* Appends a name with its "=2C" and "=3D" replaced. ERROR_SYNTAX: another "=", or no UTF-8. */
int sasl_scram_name(struct slice escaped, struct buffer *name);

struct sasl_scram_final {
    struct slice binding; /* base64 */
    struct slice nonce;   /* both parts */
    struct slice proof;   /* base64 */
    struct slice without_proof;
};

/* ERROR_SYNTAX, ERROR_LIMIT. */
int sasl_scram_final_parse(struct slice message, struct sasl_scram_final *final);

#endif
