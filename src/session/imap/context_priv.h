/*
 * Contexts: searches whose results the client is told changes of (RFC 5267 section 4.3).
 *
 * A context keeps the search program and which messages match; one of SORT their order, too. After
 * each sync of the selected mailbox, what has changed or arrived since is tried again, and the
 * difference is told in ESEARCH: ADDTO and REMOVEFROM.
 */
#ifndef SESSION_IMAP_CONTEXT_PRIV_H
#define SESSION_IMAP_CONTEXT_PRIV_H

#include "session/imap/sort_priv.h"

/* Beyond one of these there are no updates: NOUPDATE. */
enum {
    CONTEXTS_MAXIMUM = 8,                 /* of a session */
    CONTEXT_PROGRAM_MAXIMUM = 128 * 1024, /* bytes of a search program */
    CONTEXT_RANGES_MAXIMUM = 20000,       /* ranges of the UIDs that match */
    CONTEXT_SORTED_MAXIMUM = 50000,       /* messages in the result of a SORT */
};

/* Messages that one command is about, as they were when it began. */
struct context_state {
    uint64_t modseq;
    uint32_t uid_next;
};

/* A change of a sorted result that is not told yet. */
struct context_change {
    uint32_t position; /* from 1 */
    uint32_t uid;
    bool added;
};

struct search_context {
    struct search_context *next;
    char tag[IMAP_TAG_MAXIMUM + 1];
    bool uid;
    struct arena arena; /* of what the client asked for: */
    struct imap_search_key key;
    struct imap_sort_criterion *sort; /* NULL: it is SEARCH */
    size_t sort_count;
    struct imap_fetch_item *items; /* of messages that come and match (RFC 5465 section 7) */
    size_t item_count;

    struct range_set found; /* UIDs */
    uint32_t *order;        /* of SORT: the same in order */
    size_t order_count, order_room;
    struct context_state known; /* found is right up to here */

    /* the walk through what has changed, while it is under way: */
    bool walking;
    struct context_state target; /* what becomes known at its end */
    uint32_t next_uid;           /* from here on it goes on */
    struct search_node *root;    /* the program made ready; in the command's arena */

    /* found out, and not told yet */
    struct range_set added, removed; /* of SEARCH */
    struct buffer changes;           /* of SORT: struct context_change */
    struct range_set arrived;        /* UIDs whose items are told before */
    struct fetch_work *telling;
};

/* --- context.c --- */

/* Keeps the result of the SEARCH or SORT under way up to date from now on; `begun`: what it was
 * about. ERROR_LIMIT: there are no updates. */
int contexts_add(struct imap_session *session, const struct search_node *root,
                 const struct range_set *found, const struct sort_list *sorted,
                 const struct context_state *begun);

/* --- context_program.c --- */

/* Copies a program into the context's arena. Message numbers become the UIDs that they mean now
 * (section 4.3). ERROR_LIMIT. */
int context_copy_program(struct search_context *context, const struct imap_search *search,
                         const struct search_node *root);

/* --- context_result.c --- */

/* Notes that a message, which is the slice's entry, matches or does not any more. ERROR_LIMIT,
 * ERROR_MEMORY. */
int context_add(struct search_context *context, struct search_slice *slice,
                const struct entry *entry);
int context_remove(struct search_context *context, uint32_t uid);
/* The same of all that are in the set. */
int context_remove_all(struct search_context *context, const struct range_set *uids);
bool context_has_changes(const struct search_context *context);
/* Tells what was noted. */
void context_tell(struct imap_session *session, struct search_context *context);

#endif
