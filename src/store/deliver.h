/*
 * Delivery: a message arrives, and is stored in mailboxes of an account. One durable transaction
 * does all that one delivery asks for: the message in several mailboxes or in several versions, and
 * what is to be remembered of it.
 *
 * Only WHO_SYSTEM delivers: ERROR_DENIED.
 */
#ifndef STORE_DELIVER_H
#define STORE_DELIVER_H

#include "store/message.h"
#include "store/outgoing.h"
#include "store/snooze.h"

enum {
    FILINGS_MAXIMUM = 80,    /* of one delivery */
    REMEMBERED_MAXIMUM = 80, /* likewise */
    DEPARTURES_MAXIMUM = 20, /* likewise */
    DEPARTURE_PIECES = 3,
};

/* Something that is remembered of an account until a time: that a duplicate came, that somebody has
 * been told. It is a number, which remember_number makes. */
struct remembered {
    uint64_t what;
    int64_t until; /* seconds since 1970, by the store's clock */
};

/* The message in one mailbox. */
struct filing {
    collection_id mailbox;
    /* Its keywords that the mailbox cannot have (KEYWORDS_MAXIMUM) are left out: nothing is refused
     * for them. Two filings of one message with one prefix share it. */
    struct append append;
    struct remembered once; /* not 0: only when that is not remembered; it is from then on */
    /* Not NULL: it sleeps there, and wakes so. Where SNOOZED_MAXIMUM sleep, it is awake at once:
     * it is filed where it would go, with the flags that it would have. */
    const struct snooze *snooze;
};

/* A message that goes out, to be sent by who sends (store/outgoing.h). Its bytes are the pieces,
 * one behind the other, in lines that end in CRLF. */
struct departure {
    struct outgoing_envelope envelope;
    struct slice pieces[DEPARTURE_PIECES];
    struct remembered once; /* as of a filing */
};

struct delivery_plan {
    const struct filing *filings;
    size_t filing_count; /* 0: it is to be stored nowhere */
    const struct departure *departures;
    size_t departure_count;
    const struct remembered *remembered;
    size_t remembered_count;
    uint64_t delivery; /* prepared_message_delivery's, or 0 */
    bool ignore_quota; /* never ERROR_QUOTA for messages; they count all the same */
};

/* Does all of it, with one flush, or nothing. ERROR_EXISTS: plan->delivery was made within
 * store_options.keep_delivered; ERROR_BUSY: a mailbox has gone since it was looked up (the caller
 * looks again), or no redirect can be taken for now, as too many wait; ERROR_QUOTA; ERROR_LIMIT (a
 * mailbox is full, or the plan too large). Other departures than redirects are left out when
 * too many wait. */
int store_deliver(struct store_view *view, const struct delivery_plan *plan);

/* The number of something about the account: of a kind ("duplicate"), and which one. */
uint64_t remember_number(const char *kind, struct slice which);

/* Whether it is remembered and its time has not passed. */
int store_remembers(struct store_view *view, uint64_t what, bool *remembered);

/* The store's time, which `until` is said by. */
int64_t store_now(const struct store_view *view);

#endif
