/*
 * Sieve scripts of the administrator, in the directory: of a domain, or of all domains.
 *
 *     all: before ──> domain: before ──> the user's active one ──> domain: after ──> all: after
 *
 * They are run in this order for what is delivered to an account, as long as each keeps the
 * message. Others have a name and run where scripts include them (RFC 6609, `:global`): a domain's,
 * or else one of all domains.
 *
 * More are run for IMAP events (RFC 6785), that of all domains, the domain's, and then the user's
 * for the mailbox (store/event.h), with the same rule.
 *
 * One is there from the beginning, before the users' in all domains: it files what a filter in
 * front of the server calls spam into the mailbox that is \Junk. To put another one there replaces
 * it, to delete it leaves none, and to activate it when there is none brings it back.
 *
 * The store does not read them; who puts one has compiled it. Only WHO_SYSTEM may: ERROR_DENIED.
 * Changes are durable and seen at once by every process. Domains may be in any case: ERROR_SYNTAX
 * for what is none.
 */
#ifndef STORE_SITE_SCRIPT_H
#define STORE_SITE_SCRIPT_H

#include "store/script.h"

enum site_place {
    SITE_BEFORE = 'b',
    SITE_AFTER = 'a',
    SITE_INCLUDED = 'i', /* by name */
    SITE_EVENT = 'v',    /* for IMAP events */
};

enum {
    SITE_SCRIPT_NAME_MAXIMUM = 60, /* bytes of an included one's; else as script_name_is_valid */
    SITE_SCRIPTS_AROUND = 4,       /* run for one account, beside its own */
    SITE_SCRIPTS_OF_EVENTS = 2,    /* the same for one event */
    SITE_EVENTS_SECONDS = 1,       /* see site_has_events */
};

struct site_script {
    enum site_place place;
    struct slice domain; /* empty: of all domains */
    struct slice name;   /* of an included one; else empty */
    size_t size;         /* bytes of its text */
    uint64_t version;    /* tells its text from others: equal for equal ones */
    int64_t changed;     /* seconds since 1970 when it was put; 0: it came with the server */
    bool active;         /* false: it is kept, and not run */
};

/* Which one is meant: place, domain and name of a struct site_script; the rest does not matter. */

/* All there are, also the one that came with the server: by place, domain and name, in the arena.
 * ERROR_LIMIT from the arena. */
int site_script_list(struct store *store, struct who who, struct arena *arena,
                     struct site_script **list, size_t *count);

/* Fills in the rest. ERROR_NOT_FOUND. */
int site_script_find(struct store *store, struct who who, struct site_script *script);

/* Appends the text. ERROR_NOT_FOUND: it has gone, or has another version since it was found. */
int site_script_read(struct store *store, struct who who, const struct site_script *script,
                     struct buffer *text);

/* The active ones that are run for accounts of that domain, in their order, in one snapshot:
 * *before of them before the user's. Their domains are the caller's `domain`, which is in normal
 * form here. */
int site_scripts_around(struct store *store, struct who who, struct slice domain,
                        struct site_script list[SITE_SCRIPTS_AROUND], size_t *count,
                        size_t *before);

/* The active ones for events in accounts of that domain, as site_scripts_around gives others. */
int site_scripts_of_events(struct store *store, struct who who, struct slice domain,
                           struct site_script list[SITE_SCRIPTS_OF_EVENTS], size_t *count);

/* Whether there may be any for events, of whatever domain. The directory is asked once within
 * SITE_EVENTS_SECONDS, however often this is called; this process's own changes count at once. */
int site_has_events(struct store *store, struct who who, bool *has);

/* Makes it, or replaces it; it is active then. ERROR_NOT_FOUND: no such domain; ERROR_SYNTAX: its
 * name; ERROR_QUOTA: larger than SCRIPT_TEXT_MAXIMUM. */
int site_script_put(struct store *store, struct who who, const struct site_script *script,
                    struct slice text);

/* ERROR_NOT_FOUND. */
int site_script_delete(struct store *store, struct who who, const struct site_script *script);

/* Has it run, or not. ERROR_NOT_FOUND; ERROR_INVALID of one that is included. */
int site_script_activate(struct store *store, struct who who, const struct site_script *script,
                         bool active);

#endif
