/*
 * The part of a message that an IMAP URL names (RFC 5092 section 6), for CATENATE and URLFETCH:
 * what FETCH BODY.PEEK[] of it would give to who has enabled UTF8=ACCEPT.
 */
#ifndef SESSION_IMAP_URL_PART_PRIV_H
#define SESSION_IMAP_URL_PART_PRIV_H

#include "proto/imap/url.h"
#include "session/imap/session_priv.h"

struct url_part {
    struct account_id account; /* for who reads it in several snapshots; not looked at */
    collection_id mailbox;
    struct entry entry;
    struct slice fields; /* the bytes themselves, of HEADER.FIELDS: in the arena */
    bool is_fields;
    uint64_t offset, left; /* of the message's bytes, or of these; still to be read */
    /* The header that says what the bytes are: of the part, or of the message that they are the
     * text of. Its size is 0 where there is none. */
    uint64_t header_offset, header_size;
    enum summary_encoding encoding; /* of the part, when it is one */
};

/* Finds it in the mailbox of the snapshot. ERROR_NOT_FOUND: no such message or part, or another
 * UIDVALIDITY. ERROR_LIMIT of the arena. Others of the store. */
int url_part_find(struct mailbox_snapshot *snapshot, const struct imap_url *url,
                  struct arena *arena, struct url_part *part);

/* Appends the next piece, of SESSION_PIECE bytes at most, in a snapshot of the same mailbox. */
int url_part_read(struct mailbox_snapshot *snapshot, struct url_part *part, struct buffer *piece);

#endif
