/*
 * The keys of the account's space: every family there is. The directory's are in
 * directory_priv.h.
 *
 * A key is a letter that names the family, then numbers or text. Numbers are written so that
 * memcmp orders them as numbers and no byte is NUL: first 0x80 + the count of groups, then the
 * groups of 7 bits, most significant first, each with its high bit set. Bytes that may be
 * anything (a hash) are written as groups of 7 bits too. docs/format.md says the same for people
 * who have only the disk.
 *
 * In the account's space:
 *
 *     a                             account record
 *     c COLLECTION                  collection record
 *     d COLLECTION                  page directory: all pages but the last
 *     e COLLECTION MODSEQ UID       entries expunged at MODSEQ, from UID on
 *     f SCRIPT                      text of a Sieve script
 *     g COLLECTION                  a deleted collection
 *     h HASH64                      number of the message with this hash (its first 64 bits)
 *     i HASH64                      thread of this message id with this subject
 *     j                             names of the Sieve scripts, and which is active
 *     k COLLECTION                  keyword names
 *     l COLLECTION                  access control list
 *     m MESSAGE                     message record
 *     b MESSAGE                     inline body
 *     n TYPE PARENT name            collection of that type and name below the parent
 *     o COLLECTION OWNER name        annotation of the collection (0: of the account)
 *     p COLLECTION BASE             entry page; BASE is the UID it began with
 *     q COLLECTION UID OWNER name    annotation of the entry
 *     r COLLECTION HEX32            what that account has seen of another's mailbox
 *     s MESSAGE                     summary
 *     t THREAD MESSAGE              a message of the thread
 *     u HEX32                       subscriptions of that account
 *     v COLLECTION MODSEQ UID       tombstones: what was expunged at MODSEQ, from UID on
 *     w HASH64                      until when something is remembered
 *     x MODSEQ KIND NUMBER          tombstone of what was destroyed at MODSEQ
 *     y DAY                         modseq before the first change of that day
 *     z HASH64                      when this delivery was made
 *     B NUMBER                      bytes of a message on its way out
 *     J HEX32                       messages have come by the move of that id
 *     K COLLECTION                  key that signs URLs of messages
 *     O NUMBER                      a message on its way out (outgoing_priv.h)
 *     Q COLLECTION UID OWNER        which annotations of the entry were changed last
 *     R                             until when what has been sent takes up the hourly rate
 *     S COLLECTION UID              how this entry wakes (snooze_priv.h)
 */
#ifndef STORE_KEY_PRIV_H
#define STORE_KEY_PRIV_H

#include "store/collection.h"

enum key_family {
    KEY_ACCOUNT = 'a',
    KEY_BODY = 'b',
    KEY_COLLECTION = 'c',
    KEY_DIRECTORY = 'd',
    KEY_EXPUNGED = 'e',
    KEY_SCRIPT = 'f',
    KEY_DELETED = 'g',
    KEY_HASH = 'h',
    KEY_THREAD_ID = 'i',
    KEY_SCRIPTS = 'j',
    KEY_KEYWORDS = 'k',
    KEY_ACL = 'l',
    KEY_MESSAGE = 'm',
    KEY_NAME = 'n',
    KEY_ANNOTATION = 'o',
    KEY_PAGE = 'p',
    KEY_MESSAGE_ANNOTATION = 'q',
    KEY_SEEN = 'r',
    KEY_SUMMARY = 's',
    KEY_THREAD = 't',
    KEY_SUBSCRIPTIONS = 'u',
    KEY_VANISHED = 'v',
    KEY_REMEMBERED = 'w',
    KEY_DESTROYED = 'x',
    KEY_DAY = 'y',
    KEY_DELIVERED = 'z',
    KEY_OUTGOING_BODY = 'B',
    KEY_INTENT = 'J',
    KEY_ACCESS_KEY = 'K',
    KEY_OUTGOING = 'O',
    KEY_ANNOTATION_CHANGES = 'Q',
    KEY_OUTGOING_RATE = 'R',
    KEY_SNOOZED = 'S',
};

enum {
    KEY_NUMBER_MAXIMUM = 11, /* bytes of one number */
    KEY_MAXIMUM = 1 + 2 * KEY_NUMBER_MAXIMUM + COLLECTION_NAME_MAXIMUM,
};

/* Where a key is built. The slices that the builders return point into it. */
struct key {
    char bytes[KEY_MAXIMUM];
    size_t size;
};

/* Family and numbers. Fewer numbers than the family has give the prefix of all that begin so. */
struct slice key_numbers(struct key *key, enum key_family family, size_t count,
                         const uint64_t *numbers);

/* Reads a number off the front of what is left of a key. ERROR_CORRUPT. */
int key_read_number(struct slice *rest, uint64_t *number);

static inline struct slice key_account(struct key *key)
{
    return key_numbers(key, KEY_ACCOUNT, 0, NULL);
}

/* c, d, g, k, K, l, and the prefixes of e, p and v. */
static inline struct slice key_of_collection(struct key *key, enum key_family family,
                                             collection_id collection)
{
    return key_numbers(key, family, 1, (uint64_t[]){collection});
}

/* m, b, s; O, B. */
static inline struct slice key_of_message(struct key *key, enum key_family family, uint64_t message)
{
    return key_numbers(key, family, 1, (uint64_t[]){message});
}

static inline struct slice key_page(struct key *key, collection_id collection, uint32_t base)
{
    return key_numbers(key, KEY_PAGE, 2, (uint64_t[]){collection, base});
}

static inline struct slice key_vanished(struct key *key, collection_id collection, uint64_t modseq,
                                        uint32_t uid)
{
    return key_numbers(key, KEY_VANISHED, 3, (uint64_t[]){collection, modseq, uid});
}

static inline struct slice key_expunged(struct key *key, collection_id collection, uint64_t modseq,
                                        uint32_t uid)
{
    return key_numbers(key, KEY_EXPUNGED, 3, (uint64_t[]){collection, modseq, uid});
}

static inline struct slice key_day(struct key *key, uint64_t day)
{
    return key_numbers(key, KEY_DAY, 1, (uint64_t[]){day});
}

static inline struct slice key_thread(struct key *key, uint64_t thread, uint64_t message)
{
    return key_numbers(key, KEY_THREAD, 2, (uint64_t[]){thread, message});
}

/* What the change log keeps tombstones of, and what NUMBER is: the collection; something that tells
 * records of one modseq apart, since each is of many messages (messages_record_read): the
 * collection and a UID of it, or of those that went into another thread the number of the first. */
enum destroyed_kind { DESTROYED_COLLECTION = 1, DESTROYED_MESSAGE };
static inline uint64_t destroyed_place(collection_id collection, uint32_t uid)
{
    return (uint64_t)collection << 32 | uid;
}

static inline struct slice key_destroyed(struct key *key, uint64_t modseq, enum destroyed_kind kind,
                                         uint64_t number)
{
    return key_numbers(key, KEY_DESTROYED, 3, (uint64_t[]){modseq, kind, number});
}

/* The first 64 bits of a SHA-256. */
struct slice key_hash(struct key *key, const uint8_t sha256[32]);

struct slice key_thread_id(struct key *key, uint64_t hash);
int key_read_thread_id(struct slice key, uint64_t *hash);

enum { KEY_DELIVERED_SIZE = 11 /* of both */ };
struct slice key_delivered(struct key *key, uint64_t delivery);
struct slice key_remembered(struct key *key, uint64_t what);

/* The name of one level: at most COLLECTION_NAME_MAXIMUM bytes; empty: the prefix of all names
 * below the parent. Each type has a tree of its own. */
struct slice key_name(struct key *key, enum collection_type type, collection_id parent,
                      struct slice name);

/* o, or q where uid is not 0. OWNER is "s" for a shared one (owner NULL), "p" and the account's id
 * for its private one. An empty name: the prefix of all that owner's. */
struct slice key_annotation(struct key *key, collection_id collection, uint32_t uid,
                            const struct account_id *owner, struct slice name);
/* The prefix of everybody's, and one with what stands behind it. */
struct slice key_annotations(struct key *key, collection_id collection, uint32_t uid);
/* Q; of all owners, the second. */
struct slice key_annotation_changes(struct key *key, collection_id collection, uint32_t uid,
                                    const struct account_id *owner);
struct slice key_annotations_changes(struct key *key, collection_id collection, uint32_t uid);
struct slice key_annotation_tail(struct key *key, collection_id collection, uint32_t uid,
                                 struct slice tail);

/* r; NULL: the prefix of all accounts'. */
struct slice key_seen(struct key *key, collection_id collection, const struct account_id *who);

/* u, J. */
struct slice key_of_account(struct key *key, enum key_family family, struct account_id id);

#endif
