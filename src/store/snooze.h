/*
 * Messages that sleep: a delivery puts one into the mailbox whose role is ROLE_SNOOZED, with a
 * record that says when it wakes and where it goes then (draft-ietf-extra-sieve-snooze-07 section
 * 4).
 *
 *     store_deliver(filing.snooze) --> asleep --snooze_wake, from `until` on--> in its mailbox
 *
 * The record is written in the delivery's own transaction, and goes in the one that moves the
 * message: so a message is asleep or awake, never both and never neither, and is woken once,
 * whoever is first of all processes and nodes. The directory knows which accounts have such
 * messages (store/due.h).
 *
 * What is asleep is a message like any other: it can be read, and it counts for the quota. Who
 * moves it away wakes it thereby, a copy of it is awake (both have no record), and one that is
 * expunged, or whose mailbox is deleted, never wakes: brought back, it stays where it was.
 *
 * Only WHO_SYSTEM: ERROR_DENIED.
 */
#ifndef STORE_SNOOZE_H
#define STORE_SNOOZE_H

#include "store/due.h"
#include "store/message.h"

enum {
    SNOOZED_MAXIMUM = 1000,       /* messages asleep in one account */
    SNOOZE_KEYWORDS_MAXIMUM = 64, /* that are set, and as many that are taken away */
    SNOOZE_ID_MAXIMUM = 64,       /* bytes of a MAILBOXID */
    SNOOZE_AGAIN = 3600,          /* seconds until one is tried again that could not be moved */
};

/* How a message wakes. */
struct snooze {
    int64_t until; /* seconds since 1970 */
    struct slice
        mailbox_id; /* where it goes: the mailbox with this MAILBOXID, when there is one; */
    enum collection_role
        role;             /* the one with this role, when there is one (ROLE_NONE: not asked); */
    struct slice mailbox; /* the one of this path; else INBOX */
    bool create;          /* make that one when it is missing, with the role if nobody has it */
    uint32_t add, remove; /* enum entry_flag bits; what is in both is set */
    const struct slice *add_keywords, *remove_keywords;
    size_t add_count, remove_count;
};

/* One that sleeps. */
struct snoozed {
    collection_id mailbox;
    uint32_t uid;
    struct snooze snooze;
};

/* All of them, by mailbox and UID, in the arena. */
int snooze_list(struct store_view *view, struct arena *arena, struct snoozed **list, size_t *count);

/* Wakes what is due, each in a durable transaction of its own. *woken: how many; *next: when the
 * next is due, 0: none sleeps. One that cannot be moved for good is tried again after SNOOZE_AGAIN;
 * what it failed of is returned when all others have been looked at. Errors that pass end it. */
int snooze_wake(struct store_view *view, size_t *woken, int64_t *next);

#endif
