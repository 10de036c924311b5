/*
 * SEARCH: what cmd_search.c and search_match.c share.
 */
#ifndef SESSION_IMAP_SEARCH_PRIV_H
#define SESSION_IMAP_SEARCH_PRIV_H

#include "session/imap/session_priv.h"

/* Numbers of a response, between two looks at whether the slice is over. */
enum { SEARCH_WRITTEN_AT_ONCE = 32 };

/* What a key needs to look at, cheapest first: children are tried in this order. */
enum search_cost { COST_ENTRY, COST_SUMMARY, COST_HEADER, COST_BODY };

/* A key made ready: sets resolved, texts folded. In the command's arena. */
struct search_node {
    const struct imap_search_key *key;
    enum search_cost cost;
    struct range_set uids; /* SEQUENCE, UID; its ranges are in the arena too: only to be read */
    int keyword;           /* KEYWORD: bit, or -1: no message has it */
    int header;            /* HEADER: enum summary_header, or -1: read from the message */
    struct slice needle;   /* search key of the text */
    int64_t date;          /* the key's; OLDER, YOUNGER: what is that long ago */
    uint64_t thread;       /* THREADID; 0: not one of a thread */
    struct search_node *children;
    size_t child_count;
};

/* --- filter.c: FILTER (RFC 5466) --- */

struct search_filters {
    struct imap_search_key key; /* the program, without FILTER; in the command's arena */
    bool modseq;                /* a MODSEQ key is in it */
    struct slice undefined;     /* the filter that there is none of */
};
/* ERROR_NOT_FOUND: `undefined` says which; ERROR_LIMIT: all of it is too large. */
int filters_expand(struct imap_session *session, const struct imap_search *search,
                   struct search_filters *filters);
/* Whether it is the name of an annotation that has a program as its value. */
bool filter_is_value(struct slice name);

/* --- search_match.c --- */

/* ERROR_INVALID for what the sequence set cannot be, ERROR_LIMIT over the command's budget. */
int search_prepare(struct imap_session *session, const struct imap_search_key *key,
                   const struct keyword_names *names, struct search_node *node);

/* The flags that whatever matches has, and those that it lacks; both are added to. */
void search_find_flags(const struct search_node *node, uint32_t *with, uint32_t *without);

/* What lives within one slice. */
struct search_slice {
    struct imap_session *session;
    struct mailbox_snapshot *snapshot;
    const struct entry *entry;
    struct summary summary;
    bool has_summary, has_header;
    bool failed;              /* something could not be read: it did not match */
    struct arena annotations; /* of one entry */
    struct buffer encoded, header, text, scratch, raw, decoded, key;
};
void search_slice_init(struct search_slice *slice, struct imap_session *session,
                       struct mailbox_snapshot *snapshot);
void search_slice_release(struct search_slice *slice);

/* The value of an annotation; data NULL: there is none, or it cannot be read. Valid up to the next
 * call. */
struct slice search_annotation(struct search_slice *slice, struct slice entry, bool shared);

/* Reads the entry's summary, once. False: it cannot be read; `failed` is set. */
bool search_load_summary(struct search_slice *slice);

/* Whether the response has UIDs: ESEARCH's always (RFC 7377 section 2.1). */
static inline bool search_has_uids(const struct imap_session *session)
{
    return session->command->uid || session->command->id == IMAP_ESEARCH;
}

/* A UID as the response names it: as it is, or the message's number. */
static inline uint32_t search_number(struct imap_session *session, uint32_t uid)
{
    return search_has_uids(session) ? uid : range_set_position(&session->mailbox.uids, uid);
}

/* --- multisearch.c: the mailboxes of ESEARCH (RFC 7377) --- */

struct search_target {
    struct account_id account;
    collection_id id;
    struct slice path; /* as the client names it */
    uint32_t uid_validity;
};
struct search_targets {
    struct search_target *list; /* in the command's arena */
    size_t count;
};
/* Those that the sources mean and that may be read, each once. ERROR_LIMIT: there are too many. */
int search_find_targets(struct imap_session *session, const struct imap_notify *sources,
                        struct search_targets *targets);

/* Whether the entry matches. It is then the slice's. */
bool search_matches(struct search_slice *slice, const struct search_node *node,
                    const struct entry *entry);

#endif
