/*
 * What a mail server (MTA) asks about recipients before it takes a message, as an engine: begin /
 * consume / answer, no socket, no storage. Two protocols of Postfix on one connection:
 *
 *     socketmap_table(5)        "15:domains a.example,"       is there such a domain, a recipient?
 *                               "12:OK a.example," or "9:NOTFOUND ,"
 *     SMTPD_POLICY_README       "request=smtpd_access_policy\n...\n\n"     has the recipient room?
 *                               "action=DUNNO\n\n", or "action=452 4.2.2 Mailbox full\n\n"
 *
 *     action = mta_consume(&mta, &input, &output);
 *
 * A request that begins with a digit is a socketmap's, one with a letter a policy's. The maps are
 * "recipients" and "domains"; of any other, the answer is PERM.
 *
 * A policy's answer refuses only what the MTA cannot know from the maps: a full mailbox, a message
 * larger than is taken. To all else it is DUNNO, so that it may stand in front of other rules and
 * be asked about mail for other servers. Only the state RCPT is looked at.
 *
 * Who does not keep to the protocols is disconnected: the MTA takes that for a failure that passes.
 */
#ifndef PROTO_MTA_ENGINE_H
#define PROTO_MTA_ENGINE_H

#include "base/buffer.h"

enum {
    MTA_LOOKUP_MAXIMUM = 1024,     /* bytes of a socketmap's request, in its netstring */
    MTA_POLICY_MAXIMUM = 16384,    /* bytes of a policy's request; Postfix sends about 1000 */
    MTA_REPLY_MAXIMUM = 1024 + 64, /* bytes of an answer */
};

enum mta_question {
    MTA_RECIPIENT, /* is the address somebody's here? */
    MTA_DOMAIN,    /* is the domain one of ours? */
    MTA_ROOM,      /* would a message of `size` be taken for the address now? */
};

enum mta_action {
    MTA_MORE,   /* needs more input */
    MTA_ASKING, /* answer mta->question about mta->key: call mta_answer */
    MTA_CLOSE,  /* send output and close */
};

struct mta {
    int state; /* private to the folder, as are the next two */
    struct buffer text;
    size_t left; /* of a netstring */
    /* what the caller may read while it is asked: */
    enum mta_question question;
    struct slice key; /* the address or the domain, as it came */
    uint64_t size;    /* MTA_ROOM: bytes as the client said; 0: it did not */
};

void mta_init(struct mta *mta);
void mta_release(struct mta *mta);

/* Takes what it needs from the front of *input. It stops with MTA_MORE and input left when output
 * has less than MTA_REPLY_MAXIMUM bytes of room. */
enum mta_action mta_consume(struct mta *mta, struct slice *input, struct buffer *output);

/* The answer to MTA_ASKING. Of a map: 0: OK with the key; ERROR_NOT_FOUND and ERROR_SYNTAX:
 * NOTFOUND; any other: TEMP. Of a policy: ERROR_QUOTA: 452 4.2.2; ERROR_LIMIT: 552 5.3.4 (too large
 * for this server); a temporary one: 451 4.3.0; 0 and any other: DUNNO. */
void mta_answer(struct mta *mta, int error, struct buffer *output);

#endif
