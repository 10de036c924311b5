/*
 * URLs that let others read a message (RFC 4467): a mailbox' secret key signs them, and whoever
 * brings one reads with the rights of the account that made it, as they are then.
 *
 * A URL is of a mailbox of the account's own. The key is made by the first signature and never
 * leaves the store; with another key all URLs of the mailbox are void. What is signed is the text
 * of the URL up to the access identifier, byte for byte, together with the mailbox' UIDVALIDITY:
 * so a URL is void, too, when the mailbox has another name, or when another one has its name.
 */
#ifndef STORE_URLAUTH_H
#define STORE_URLAUTH_H

#include "store/message.h"

/* A token: the algorithm (1; RFC 4467 section 2.4.1), HMAC-SHA-256 (32). */
enum { URLAUTH_TOKEN_SIZE = 33, URLAUTH_RUMP_MAXIMUM = 4096 };

/* Signs the URL, and makes the mailbox' key if it has none; durable. The account's owner alone,
 * while it is not shared: ERROR_DENIED. ERROR_NOT_FOUND, ERROR_LIMIT. */
int urlauth_sign(struct store_view *view, collection_id mailbox, struct slice rump,
                 uint8_t token[URLAUTH_TOKEN_SIZE]);

/* Forgets the key of a mailbox, or of all (0): the next signature makes another. Durable. The
 * account's owner alone: ERROR_DENIED. ERROR_NOT_FOUND. */
int urlauth_reset(struct store_view *view, collection_id mailbox);

/* Whom the URL is for (RFC 4467 section 3). */
enum urlauth_access {
    URLAUTH_NOBODY,
    URLAUTH_ANONYMOUS, /* whoever has a session */
    URLAUTH_AUTHUSER,  /* every account */
    URLAUTH_USER,      /* the account with the address `user` */
    URLAUTH_SUBMIT,    /* the account of store_options.submission; it asks for the user itself */
};

/* What a URL says. Only `rump` and `token` are proof: the others must have been read from the rump.
 */
struct urlauth_claim {
    struct slice owner;   /* address of the account that made it */
    struct slice mailbox; /* path */
    enum urlauth_access access;
    struct slice user;
    bool expires;
    int64_t expire; /* seconds since 1970: the last at which it is valid */
    struct slice rump;
    struct slice token; /* bytes */
};

/* A mailbox opened by a URL, to be read and nothing else. Keep it as short as a snapshot. */
struct urlauth_reader;

/* Looks whether the claim is true and `who` one that it is for. ERROR_DENIED, whatever it is that
 * is wrong, so that nobody learns which addresses and mailboxes there are; comparing takes the same
 * time wherever a token differs. */
int urlauth_open(struct store *store, struct who who, const struct urlauth_claim *claim,
                 struct urlauth_reader **reader);
void urlauth_close(struct urlauth_reader **reader);

/* Of the mailbox; until the reader is closed. */
struct mailbox_snapshot *urlauth_snapshot(const struct urlauth_reader *reader);

#endif
