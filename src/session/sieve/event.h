/*
 * Sieve for IMAP events (RFC 6785): a message was appended or copied to a mailbox, or its flags
 * were changed, and a script is to be run for it.
 *
 *     command commits ──> event_run, for each message ──> the command is answered
 *
 * The command has been committed when this is called, and nothing here takes it back: whatever a
 * script does or fails to do, the message is there. Who calls answers the command afterwards, so
 * its OK says that the scripts have run. A process that is killed between the two runs no script
 * for the messages that are left, as if none had been set; that is the only way in which an event
 * is missed.
 *
 * Scripts: the administrator's of all domains, that of the domain, then the one that the mailbox's
 * annotation names, or else the account's (store/event.h). Each runs if the one before it has kept
 * the message (explicitly or not). They act for the account whose mailbox it is.
 *
 * What they want of one message:
 *
 *     fileinto, redirect, notify, duplicates ──one durable transaction──> then flags of the message
 *
 * All of the first or nothing is done. Only then is the message marked: with the flags of a keep,
 * or with \Deleted when none is in effect (sections 2.2.4, 3.3 to 3.5); it is never expunged here,
 * and a keep never changes what is stored (section 3.1). So what was to go elsewhere is there
 * before the message is marked. Where the mailbox of a fileinto is not there, or cannot be made,
 * the message is kept. An error of the store that passes is tried again, EVENT_TRIES times in all;
 * after others, or too many, it is logged (event=sieve_failed). After an error in a script that is
 * logged (event=sieve), and the owner finds a message in INBOX, once a day at most, as at delivery
 * (session/sieve/filter.h). After either the message stays as the command has left it.
 *
 * What a script does is no event: it runs no further script. One exception is section 2.2.3's:
 * flags that a keep changes after APPEND or COPY are a change of flags, and run the script once
 * more; what it does then runs nothing.
 *
 * It blocks on the store: some reads, and what the script wants written. Who has many messages
 * calls it slice by slice.
 */
#ifndef SESSION_SIEVE_EVENT_H
#define SESSION_SIEVE_EVENT_H

#include "session/sieve/programs.h"
#include "store/message.h"

enum { EVENT_TRIES = 3 };

enum event_cause { EVENT_APPEND, EVENT_COPY, EVENT_FLAG };

/* What has happened. Nothing is owned. */
struct event {
    struct programs *programs;
    struct store *store;
    const char *hostname;
    bool sends;                /* as struct filter_facts has it */
    const char *user;          /* who did it: the login name, */
    struct account_id user_id; /* and the account */
    struct account_id account; /* whose mailbox it is */
    collection_id mailbox;     /* that the message is in now */
    collection_id source;      /* COPY: where it came from, in the same account; else 0 */
    enum event_cause cause;
    uint32_t changed_flags; /* FLAG: those that differ (struct flag_difference) */
    struct keyword_set changed_keywords;
};

/* Whether the administrator has scripts for events. Reads nothing but the directory, once in a
 * second at most for the whole process (store/site_script.h). */
bool event_of_site(struct store *store);

/* Runs what is to be run for one message of the mailbox. ERROR_NOT_FOUND: no script is to be run,
 * for none of its messages. Everything else that goes wrong is logged, and 0 is returned: a message
 * that has gone meanwhile is none. */
int event_run(const struct event *event, uint32_t uid);

#endif
