/*
 * What surrounds a Sieve script: the message and its envelope, the questions a script may ask, and
 * the actions it wants.
 *
 * All slices handed to a host live until its function returns. Texts are UTF-8, line ends CRLF.
 */
#ifndef SIEVE_HOST_H
#define SIEVE_HOST_H

#include "base/buffer.h"

/* The message at hand. Everything stays the caller's and must outlive the run. */
struct sieve_input {
    struct slice message;
    struct slice envelope_from; /* without <>; data == NULL: not known, so a test of it is false;
                                   empty: the null reverse-path */
    struct slice envelope_to;   /* the recipient that this run is for; the same */
    struct slice original_to;   /* the recipient with its detail as RCPT had it, when it differs */
    const struct slice
        *addresses; /* the user's own addresses, for vacation; envelope_to counts too */
    size_t address_count;
    /* Whether it is run for an IMAP event (RFC 6785), and not for a delivery: then there is no
     * envelope, what answers the sender is an error, and the message has flags already, which
     * imap4flags begins with and every keep says as they are to be. */
    bool event;
    const struct slice *flags;
    size_t flag_count;
};

enum sieve_action_kind {
    SIEVE_KEEP,     /* into the inbox; also when nothing cancelled the implicit keep */
    SIEVE_FILEINTO, /* target: the mailbox */
    SIEVE_REDIRECT, /* target: the address */
    SIEVE_DISCARD,  /* nothing is to be done; for logs */
    SIEVE_REJECT,   /* text: the reason; ereject says that the protocol's refusal is preferred */
    SIEVE_EREJECT,
    SIEVE_VACATION, /* header and body are the response, target whom it goes to */
    SIEVE_NOTIFY,   /* target: the method's URI, text: the message; for mailto, header and body are
                       what is to be sent, to the recipients */
    SIEVE_SNOOZE,   /* as fileinto, but `until` then; flags are those that it has before */
};

/* redirect-dsn (RFC 6009 section 3): which DSNs are asked for. */
enum sieve_notify { SIEVE_NOTIFY_SUCCESS = 1, SIEVE_NOTIFY_FAILURE = 2, SIEVE_NOTIFY_DELAY = 4 };

/* One action. What does not belong to its kind is zero or empty. */
struct sieve_action {
    enum sieve_action_kind kind;
    unsigned line; /* of the script; 0: the implicit keep */
    struct slice
        header;        /* the message (or the response) as it was when the action was asked for, */
    struct slice body; /*  edits included: header with its empty line, then body */
    struct slice target;
    struct slice text;
    /* keep, fileinto, and the copy of a response or notification (RFC 8580) */
    bool flags_given; /* the flags are to be set, be there any or none (RFC 5232 section 5) */
    const struct slice *flags;
    size_t flag_count;
    bool create;              /* fileinto, snooze: make the mailbox (RFC 5490 section 3.2) */
    struct slice mailbox_id;  /* likewise: prefer this one (RFC 9042 section 3) */
    struct slice special_use; /* likewise: prefer one with this use (RFC 8579 section 4) */
    struct slice fcc;         /* vacation, notify: the mailbox to file a copy in; create, flags,
                                 mailbox_id and special_use are the copy's then */
    /* snooze (draft-ietf-extra-sieve-snooze-07) */
    int64_t until;                                /* seconds since 1970 */
    const struct slice *add_flags, *remove_flags; /* then; what is in both is set */
    size_t add_count, remove_count;
    /* redirect */
    bool list;         /* target is a list's URI (RFC 6134 section 2.4) */
    bool notify_given; /* an empty set is NEVER (RFC 3461 section 4.1) */
    unsigned notify;   /* enum sieve_notify */
    char ret;          /* 'F' full, 'H' headers, 0 not given */
    bool by_given;     /* deliver-by (RFC 6009 section 4, RFC 2852) */
    int64_t by_time;   /* seconds from now */
    char by_mode;      /* 'N' or 'R' */
    bool by_trace;
    /* vacation, notify */
    struct slice from;
    struct slice subject;
    struct slice handle; /* vacation: what tells responses apart, a digest of it or :handle */
    uint64_t seconds;    /* vacation: no second response to target within this time */
    const struct slice *recipients; /* notify by mailto: bare addresses */
    size_t recipient_count;
    unsigned importance;         /* notify: 1 high, 2 normal, 3 low */
    const struct slice *options; /* notify: "name=value" each */
    size_t option_count;
};

struct sieve_program;

/* All but `perform` may be NULL. */
struct sieve_host {
    void *arg;

    /* Does one action. What it returns other than 0 ends sieve_run, which returns it. */
    int (*perform)(void *arg, const struct sieve_action *action);

    /* Questions. A function that is NULL answers as an empty house would: no such mailbox, no
     * such script, not seen before. They return 0, or an error that ends the run as a run-time
     * error. */

    /* Whether a mailbox exists and mail can be put into it (RFC 5490 section 3.1). */
    int (*mailbox_exists)(void *arg, struct slice name, bool *exists);
    /* The same by its MAILBOXID (RFC 9042 section 4). */
    int (*mailbox_id_exists)(void *arg, struct slice id, bool *exists);
    /* Whether a mailbox has the special use; name.data == NULL: whether any has
     * (RFC 8579 section 3.1). */
    int (*special_use_exists)(void *arg, struct slice name, struct slice use, bool *exists);
    /* Appends an annotation's value; mailbox.data == NULL: a server's. ERROR_NOT_FOUND: none
     * (RFC 5490). */
    int (*metadata)(void *arg, struct slice mailbox, struct slice name, struct buffer *value);
    /* Appends an environment item's value (RFC 5183, RFC 6785). ERROR_NOT_FOUND: no such item. */
    int (*environment)(void *arg, struct slice name, struct buffer *value);
    /* The time now, seconds since 1970, and the local zone in minutes east of UTC. NULL: the
     * system's clock, UTC. */
    int64_t (*now)(void *arg, int *zone);
    /* Whether the key was marked within its time (RFC 7352). */
    int (*duplicate_seen)(void *arg, struct slice key, bool *seen);
    /* Marks the key for some seconds. Called after the script's end without an error. */
    int (*duplicate_mark)(void *arg, struct slice key, uint64_t seconds);
    /* An included script (RFC 6609), which stays the host's until the run ends. ERROR_NOT_FOUND. */
    int (*script)(void *arg, bool global, struct slice name, const struct sieve_program **program);
    /* Whether the external list has the value (RFC 6134). ERROR_NOT_FOUND: no such list. */
    int (*list_contains)(void *arg, struct slice list, struct slice value, bool *contains);
    /* Whether there is such a list (RFC 6134 section 2.8). */
    int (*list_valid)(void *arg, struct slice list, bool *valid);
    /* For methods of notify other than mailto, which is the engine's: whether the URI can be served
     * (RFC 5435 section 4), and what a capability of it is (section 5; ERROR_NOT_FOUND). */
    int (*notify_valid)(void *arg, struct slice uri, bool *valid);
    int (*notify_capability)(void *arg, struct slice uri, struct slice name, struct buffer *value);
    /* What the filters in front of the server found (RFC 5235): appends spam's likeliness in
     * percent, or the virus level 1 to 5, in digits. ERROR_NOT_FOUND: not tested. */
    int (*spam_score)(void *arg, struct buffer *percent);
    int (*virus_level)(void *arg, struct buffer *level);

    /* Told of each step when not NULL: a line of the script and what was found there. */
    void (*trace)(void *arg, unsigned line, struct slice text);
};

#endif
