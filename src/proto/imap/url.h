/*
 * IMAP URLs of a message or a part of one (RFC 5092 section 6), as CATENATE (RFC 4469) and URLAUTH
 * (RFC 4467) take them:
 *
 *     /Drafts;UIDVALIDITY=385759045/;UID=20/;SECTION=1.2/;PARTIAL=0.1024
 *     imap://joe@example.com/INBOX/;UID=20/;SECTION=1.2;EXPIRE=...;URLAUTH=user+fred:INTERNAL:91...
 *
 * URLs of anything else (a server, a mailbox, a search) are refused, and so are relative-path
 * references, which nobody may accept (section 7.2). Pure: nothing here knows who may use a URL.
 */
#ifndef PROTO_IMAP_URL_H
#define PROTO_IMAP_URL_H

#include "proto/imap/command.h"

enum { IMAP_URL_MAXIMUM = 4096 /* bytes of a URL */ };

/* Whom a URL is for (RFC 5092 section 6.1.2). */
enum imap_url_access {
    IMAP_URL_NOBODY, /* it has no ";URLAUTH=" */
    IMAP_URL_ANONYMOUS,
    IMAP_URL_AUTHUSER,
    IMAP_URL_USER,   /* access_user */
    IMAP_URL_SUBMIT, /* on behalf of access_user */
};

struct imap_url {
    bool absolute;         /* "imap://", and what is of the server: */
    struct slice user;     /* decoded; empty: none is named */
    struct slice host;     /* with its port, as written */
    struct slice mailbox;  /* decoded: UTF-8, as imap_command has names */
    uint32_t uid_validity; /* 0: any */
    uint32_t uid;
    /* Kind IMAP_FETCH_SECTION: what BODY.PEEK[section]<partial> would be. A PARTIAL without a size
     * goes to the end. */
    struct imap_fetch_item section;
    bool expires;
    int64_t expire; /* seconds since 1970 */
    enum imap_url_access access;
    struct slice access_user; /* decoded */
    /* The URL up to the access, that is without ":mechanism:token": what is signed. A slice of the
     * text that was parsed. */
    struct slice rump;
    struct slice mechanism; /* empty: only a rump is there */
    struct slice token;     /* hexadecimal digits, 32 at least */
};

/* What it makes is in the arena, or points into the text. ERROR_SYNTAX; ERROR_LIMIT: longer than
 * IMAP_URL_MAXIMUM, or the arena is full. */
int imap_url_parse(struct slice text, struct arena *arena, struct imap_url *url);

#endif
