/*
 * POP3 after login: what its files share.
 *
 *   maildrop.c  INBOX as it was at login: numbers, what is marked deleted, the UPDATE at the end
 *   commands.c  one function for each command
 *   surrogate.c what is sent of a message: to who has not said UTF8, of an internationalized one
 *               its surrogate
 *   pop3.c      the stream's protocol
 *
 * A session is between commands, or in one that goes on in slices (a list, a message, STAT where
 * there may be surrogates), or in UPDATE:
 *
 *     READING --command--> answered at once --> READING
 *        |  +-----------> LISTING, COUNTING, SENDING --> READING
 *        +-----QUIT-----> UPDATING ----------> closed
 */
#ifndef SESSION_POP3_PRIV_H
#define SESSION_POP3_PRIV_H

#include "base/range_set.h"
#include "format/surrogate.h"
#include "proto/pop3/command.h"
#include "proto/pop3/writer.h"
#include "session/serve/serve.h"
#include "store/message.h"

enum {
    POP3_RANGES_MAXIMUM = 1024 * 1024, /* ranges of each set of a session */
    POP3_PIECE = 64 * 1024,            /* bytes of a message read at a time */
    POP3_SURROGATE_MEMORY = 64 * 1024, /* bytes of a surrogate's header that are not in a file */
};

/* INBOX as the client sees it: message i is the i-th UID of `uids`, whatever comes or goes
 * meanwhile. */
struct maildrop {
    collection_id mailbox;
    uint32_t uid_validity;
    struct range_set uids;
    struct range_set deleted;   /* UIDs with a DELE */
    struct range_set retrieved; /* UIDs with a RETR */
    uint64_t size;              /* bytes of all, as they are stored */
    uint64_t deleted_size;      /* of those with a DELE */
    bool has_internationalized; /* there may be messages with surrogates (RFC 6858) */
};

void maildrop_init(struct maildrop *maildrop);
void maildrop_release(struct maildrop *maildrop);

/* Looks at the mailbox. To be called once. */
int maildrop_open(struct maildrop *maildrop, struct store_view *view);

/* The UID of a message that is there and not marked; 0: there is none of that number. */
uint32_t maildrop_uid(struct maildrop *maildrop, uint32_t number);

/* Marks it. ERROR_NOT_FOUND: it has gone meanwhile. */
int maildrop_delete(struct maildrop *maildrop, struct mailbox_snapshot *snapshot, uint32_t uid);

/* Takes the marks away. */
void maildrop_reset(struct maildrop *maildrop);

/* The entry of one message. ERROR_NOT_FOUND: it has gone meanwhile. */
int maildrop_entry(struct mailbox_snapshot *snapshot, uint32_t uid, struct entry *entry);

/* RFC 1939 section 6: removes what is marked, and says \Seen of what was retrieved and stays. */
int maildrop_update(struct maildrop *maildrop, struct store_view *view);

/* --- a session --- */

enum pop3_phase { POP3_READING, POP3_LISTING, POP3_COUNTING, POP3_SENDING, POP3_UPDATING };

struct pop3_session {
    struct turns turns; /* the first member */
    struct line_reader reader;
    struct maildrop maildrop;
    enum pop3_phase phase;
    bool utf8;
    enum language language; /* that is spoken */
    int bad_count;

    /* LISTING, COUNTING */
    bool unique_ids; /* UIDL, not LIST */
    uint32_t next;   /* the UID to begin with */
    uint64_t octets; /* counted */

    /* SENDING */
    struct entry entry;
    uint64_t offset; /* bytes of it that were read */
    struct surrogate surrogate;
    struct pop3_message message;
};

/* INBOX of the account as its owner sees it. */
int pop3_snapshot(struct pop3_session *session, struct mailbox_snapshot **snapshot);

/* -ERR [SYS/TEMP] or [SYS/PERM] (RFC 3206); logged. */
void pop3_fail(struct pop3_session *session, int error);

/* --- surrogate.c: RFC 6856 section 2.1, RFC 6858 --- */

/* How many octets of the message RETR sends. Of a surrogate that cannot be made it is the stored
 * size: RETR says what is wrong. */
uint64_t pop3_size(const struct pop3_session *session, struct mailbox_snapshot *snapshot,
                   const struct entry *entry);

/* Sends session->entry, a slice of it at a time. An error leaves the message cut off: the session
 * must end. pop3_sending_end may come twice, or without a beginning, when the session ends. */
void pop3_sending_begin(struct pop3_session *session);
int pop3_sending_go_on(struct pop3_session *session, struct mailbox_snapshot *snapshot, bool *done);
void pop3_sending_end(struct pop3_session *session);

/* --- commands.c --- */

/* Answers, or begins what goes on in another phase. */
void pop3_run_command(struct pop3_session *session, const struct pop3_command *command);

/* One slice of the phase. */
void pop3_go_on(struct pop3_session *session);

#endif
