/*
 * The keys and records of the directory's space, and what its files share.
 *
 *   record_directory.c    keys and records
 *   directory.c           finding and listing, and what a change is made of
 *   directory_account.c   accounts
 *   directory_domain.c    domains
 *   directory_list.c      aliases and groups
 *   directory_walk.c      from an address down to accounts, from an account up to groups
 *   shared.c              which accounts share with whom
 *   site_script.c         Sieve scripts of the administrator
 *   due.c                 which accounts have something to be done at a time
 *   check_directory.c     the check
 *
 * Keys: a letter, then a name, or ids in 32 hexadecimal digits. KIND is a, g or t again.
 *
 *     a ID             account: its address and when it was made
 *     g ID             group: the same, and how many members it has
 *     t ID             alias: the same, and how many targets it has
 *     n address        what the address stands for
 *     d domain         domain: when it was added
 *     f PLACE domain / name   a Sieve script: what is known of it
 *     e PLACE domain / name   its text
 *     m ID KIND ID     the group or alias has this member or target
 *     r ID KIND ID     the same from the other side: the member or target, then who has it
 *     j ID             a move between accounts that is under way (intent_priv.h)
 *     o ID             the account may have mail on its way out (due.c)
 *     w ID             the account may have messages that wake at a time (due.c)
 *     v s name         an annotation of the server (server_annotation.c)
 *     s SUBJECT ID ID  an access control list of the second, an account, names the subject: a ID an
 *                      account, g ID a group, e 0 anyone, n 0 anonymous
 *
 * The kind is in the key so that, of many members, the groups are read alone.
 */
#ifndef STORE_DIRECTORY_PRIV_H
#define STORE_DIRECTORY_PRIV_H

#include "store/directory.h"
#include "store/due.h"
#include "store/site_script.h"
#include "store/store_priv.h"

/* --- keys --- */

struct directory_key {
    char bytes[2 + ADDRESS_MAXIMUM + 1 + SITE_SCRIPT_NAME_MAXIMUM];
    size_t size;
};

enum directory_side { DIRECTORY_MEMBERS = 'm', DIRECTORY_HOLDERS = 'r' };

/* What something is. */
struct directory_name {
    enum directory_kind kind;
    struct account_id id;
};
static inline bool directory_name_equal(struct directory_name a, struct directory_name b)
{
    return a.kind == b.kind && account_id_equal(a.id, b.id);
}

char directory_letter(enum directory_kind kind);

struct slice directory_key_entry(struct directory_key *key, struct directory_name name);
struct slice directory_key_name(struct directory_key *key, struct slice address);
struct slice directory_key_domain(struct directory_key *key, struct slice domain);
struct slice directory_key_edge(struct directory_key *key, enum directory_side side,
                                struct account_id from, struct directory_name to);
/* The prefix of all edges of `from`; with a kind, of those to that kind. */
struct slice directory_key_edges(struct directory_key *key, enum directory_side side,
                                 struct account_id from, enum directory_kind kind);

/* The prefix of all accounts that name the subject, and the key of one. */
struct slice directory_key_sharers(struct directory_key *key, struct acl_subject subject);
struct slice directory_key_shared(struct directory_key *key, struct acl_subject subject,
                                  struct account_id owner);

/* f or e, by place, domain and name. An included one's without a name: the prefix of all of the
 * domain. */
struct slice directory_key_script(struct directory_key *key, char letter,
                                  const struct site_script *script);
/* Sets these three, which point into the key. ERROR_CORRUPT. */
int directory_key_script_read(struct slice key, struct site_script *script);
/* NULL: the prefix of all. */
struct slice directory_key_intent(struct directory_key *key, const struct account_id *id);
/* NULL: the prefix of all. */
struct slice directory_key_due(struct directory_key *key, enum due_kind kind,
                               const struct account_id *id);

struct slice directory_key_annotation(struct directory_key *key, struct slice name);

/* ERROR_CORRUPT when the key is no entry's or edge's. */
int directory_key_entry_read(struct slice key, struct directory_name *name);
int directory_key_edge_read(struct slice key, struct account_id *from, struct directory_name *to);
int directory_key_shared_read(struct slice key, struct acl_subject *subject,
                              struct account_id *owner);

/* --- records: readers and writers as record_priv.h has them --- */

/* Keys a, g, t; kind and id are the key's, the address points into the value. */
int directory_entry_read(struct slice key, struct slice value, struct directory_entry *entry);
void directory_entry_write(const struct directory_entry *entry, struct buffer *value);

/* Key n. */
int directory_name_read(struct slice value, struct directory_name *name);
void directory_name_write(struct directory_name name, struct buffer *value);

/* Key d. */
int directory_domain_read(struct slice value, int64_t *created);
void directory_domain_write(int64_t created, struct buffer *value);

/* Key f: all but what is in the key. Key e: script_record_read. */
int site_script_record_read(struct slice value, struct site_script *script);
void site_script_record_write(const struct site_script *script, struct buffer *value);

/* Keys m, r and s: the key says all. */
int directory_edge_read(struct slice value);
void directory_edge_write(struct buffer *value);

/* Keys o, w. */
int due_note_read(struct slice value, struct due_note *note);
void due_note_write(const struct due_note *note, struct buffer *value);

/* Key j. */
struct intent {
    struct account_id id; /* as random as an account's */
    struct account_id source, target;
    collection_id mailbox; /* of the source */
    int64_t begun;         /* seconds since 1970 */
    struct range_set uids; /* that leave it */
};

enum { INTENT_RANGES_MAXIMUM = 10000 /* TRANSFER_MESSAGES_MAXIMUM of them, apart */ };
/* All but the id, which is in the key; the UIDs are added to the set. */
int intent_record_read(struct slice value, struct intent *intent);
void intent_record_write(const struct intent *intent, struct buffer *value);

/* --- in a transaction (directory.c) --- */

/* What a normal address stands for. ERROR_NOT_FOUND. */
int directory_look_up(struct kv_transaction *transaction, struct slice address,
                      struct directory_name *name);

/* The entry; its address points into `value`, which is cleared first. */
int directory_get(struct kv_transaction *transaction, struct directory_name name,
                  struct buffer *value, struct directory_entry *entry);

/* Writes entry, or entry and name. The entry's address may point into anything but `value`. */
int directory_put(struct kv_transaction *transaction, const struct directory_entry *entry,
                  struct buffer *value);
int directory_put_name(struct kv_transaction *transaction, struct slice address,
                       struct directory_name name);

/* A new entry: ERROR_EXISTS when the address stands for something, ERROR_NOT_FOUND without its
 * domain. */
int directory_add(struct store *store, struct kv_transaction *transaction,
                  const struct directory_entry *entry);

/* The entry with all edges of both sides, and aliases that lose their last target by it. */
int directory_remove(struct kv_transaction *transaction, struct directory_name name);

/* Makes `member` a member or target of `holder`: both sides, counted, within the limits of both.
 * ERROR_EXISTS, ERROR_INVALID: a loop, ERROR_LIMIT. (directory_list.c) */
int directory_connect(struct kv_transaction *transaction, struct directory_name holder,
                      struct directory_name member);

/* Takes one edge away, both sides, and counts. *left: how many the holder still has. */
int directory_disconnect(struct kv_transaction *transaction, struct directory_name holder,
                         struct directory_name member, size_t *left);

/* Appends a struct directory_name for each edge of `from`; kind 0: of every kind. ERROR_LIMIT from
 * the buffer. */
int directory_edges(struct kv_transaction *transaction, enum directory_side side,
                    struct account_id from, enum directory_kind kind, struct buffer *names);
static inline size_t directory_names_count(const struct buffer *names)
{
    return names->size / sizeof(struct directory_name);
}
struct directory_name directory_names_at(const struct buffer *names, size_t index);
bool directory_names_have(const struct buffer *names, struct directory_name name);

/* Whether names may be made in the normal address's domain: 0 or ERROR_NOT_FOUND. */
int directory_require_domain(struct store *store, struct kv_transaction *transaction,
                             struct slice address);
struct slice directory_domain_of(struct slice address);

/* Takes all scripts of the normal domain away. (site_script.c) */
int directory_scripts_delete(struct kv_transaction *transaction, struct slice domain);

/* Notes, durably, that the account is going to have something of the kind. Before the account's own
 * transaction. (due.c) */
int due_note_begin(struct store *store, enum due_kind kind, struct account_id account);

/* Runs fn in a durable transaction, or in a snapshot. ERROR_DENIED unless WHO_SYSTEM. */
int directory_update(struct store *store, struct who who,
                     int (*fn)(struct kv_transaction *transaction, void *arg), void *arg);
int directory_read(struct store *store, struct who who,
                   int (*fn)(struct kv_transaction *transaction, void *arg), void *arg);

/* The same for the store's own sake, whoever asks: what is told of it is for the caller to see to.
 */
int directory_read_as_system(struct store *store,
                             int (*fn)(struct kv_transaction *transaction, void *arg), void *arg);

/* Fills an entry read into the arena. */
int directory_copy(struct arena *arena, const struct directory_entry *from,
                   struct directory_entry *to);

/* Cuts "+detail" out of a normal address. False when there is none. */
bool directory_cut_detail(struct buffer *address);

/* Steps of the longest chain of `kind` from the entry, on that side. ERROR_INVALID: it meets
 * `avoid`; ERROR_LIMIT: it is longer than DIRECTORY_DEPTH_MAXIMUM, or too wide. (directory_walk.c)
 */
int directory_measure(struct kv_transaction *transaction, enum directory_side side,
                      struct directory_name from, struct directory_name avoid, size_t *steps);

#endif
