/*
 * Sieve when a message is delivered to an account: runs the scripts there are for it, and says what
 * is to be stored where. It stores nothing itself but for mailboxes that a script makes.
 *
 *     error = filter_create(&facts, &filter);
 *     filter_plan(filter, delivery, bare) --> store_deliver, then ask filter_rejects
 *     filter_free(&filter);
 *
 * Scripts run in the order of store/site_script.h as long as each keeps the message; what one has
 * changed of it is what the next one sees, and what is stored. Each has the limits of
 * sieve/sieve.h.
 *
 * What is to be sent (redirected, answered, notified of) is part of the plan: it is in the store
 * with the delivery's own commit, and sent later (session/outgoing).
 *
 * No message is lost to a script: after an error in one it is kept, and the owner finds a message
 * in INBOX, once a day at most, that says which script and line it was. What cannot be done for
 * want of the mailbox is done with the inbox's. Errors in scripts of the administrator are logged.
 * Where scripts cannot even be read, it is as if there were none, and that is logged.
 */
#ifndef SESSION_SIEVE_FILTER_H
#define SESSION_SIEVE_FILTER_H

#include "session/sieve/programs.h"
#include "store/deliver.h"

enum {
    FILTER_RECIPIENTS_MAXIMUM = 8,            /* that one message is sent to together */
    FILTER_MEMORY_MAXIMUM = 24 * 1024 * 1024, /* bytes; the names of all mailboxes are in it */
    FILTER_VERSIONS_MAXIMUM = 6, /* of one message: as it came, and as scripts have changed it */
    FILTER_CHANGED_MAXIMUM =
        64 * 1024 * 1024,                 /* bytes of several changed ones; one may be larger */
    FILTER_NOTICE_SECONDS = 24 * 60 * 60, /* between two messages about errors */
};

/* What is known of a delivery. Nothing is owned, all must outlive the filter. */
struct filter_facts {
    struct programs *programs;
    struct store *store;
    struct store_view *view; /* the system's, of the account */
    struct account_id account;
    struct slice message;              /* as it came, without this server's trace fields */
    struct prepared_message *prepared; /* the same */
    struct slice prefix;               /* the trace fields, for whatever is stored */
    int64_t date;                      /* of what is stored: seconds since 1970 */
    struct slice sender;               /* the envelope's; empty: the null reverse-path */
    struct slice recipient;            /* local@domain */
    struct slice original;             /* with its detail as RCPT had it; data NULL: the same */
    uint8_t notify, ret;               /* RFC 3461, as store/outgoing.h's envelope has them */
    bool sends;                        /* there is a mail server that takes what is sent */
    const char *hostname;
    const char *id;     /* of the delivery, for logs */
    collection_id keep; /* where it goes that is kept */
};

struct filter;

/* Runs the scripts. The store's errors that pass, and ERROR_NOT_FOUND: the account has gone. Blocks
 * on the store. */
int filter_create(const struct filter_facts *facts, struct filter **filter);
void filter_free(struct filter **filter);

/* What is to be stored; valid until the filter is freed. With `bare`, without the message about an
 * error: for when there is no room for it. */
struct delivery_plan filter_plan(const struct filter *filter, uint64_t delivery, bool bare);

/* Whether a script refuses the message (RFC 5429): its reason, one line or several, in ASCII. */
bool filter_rejects(const struct filter *filter, struct slice *reason);

/* What filters in front of the server have said in the header (RFC 5235), for scripts that ask:
 * appends the likeliness of spam in percent, or a level of virus 1 (none) to 5 (there is one), in
 * digits. ERROR_NOT_FOUND: nothing is said. */
int spam_score_of(struct slice message, struct buffer *percent);
int virus_level_of(struct slice message, struct buffer *level);

#endif
