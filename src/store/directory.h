/*
 * The directory: which domains, accounts, aliases and groups there are, and what an address stands
 * for. It is one key-value space that all accounts share (docs/format.md).
 *
 *     address ──> account
 *             ──> alias ──> accounts, groups, other aliases
 *             ──> group ──> members: accounts, other groups
 *
 * An address stands for one of the three. Each of them has a random id that never changes: an
 * account that is renamed stays in its groups and behind its aliases, and what is removed leaves
 * them in the same transaction. An alias whose last target goes, goes too. A group without members
 * stays, and takes no mail.
 *
 * Sieve scripts of the administrator are there too (store/site_script.h), those of a domain until
 * it is deleted.
 *
 * Names are made only in a domain that has been added; the default domain is there without.
 *
 * Every call blocks on the disk, changes everything in one durable transaction, is seen at once by
 * every process, and takes addresses in any case, without a domain in the default one. Only
 * WHO_SYSTEM may, but for store_account_find and store_account_page: ERROR_DENIED. ERROR_SYNTAX for
 * what is no address. Lists are in the order of their addresses, in the caller's arena; ERROR_LIMIT
 * when that is full.
 */
#ifndef STORE_DIRECTORY_H
#define STORE_DIRECTORY_H

#include "store/store.h"

enum {
    ADDRESS_MAXIMUM = 320, /* bytes of local@domain (RFC 3696 erratum 1690: 64 + 1 + 255) */
    /* Groups in one another from the outermost to the innermost, and likewise aliases: steps. */
    DIRECTORY_DEPTH_MAXIMUM = 8,
    GROUP_MEMBERS_MAXIMUM = 10000, /* of one group */
    ALIAS_TARGETS_MAXIMUM = 100,   /* of one alias */
    /* Groups and aliases that have one account, group or alias itself as member or target. */
    DIRECTORY_HOLDERS_MAXIMUM = 1000,
    RESOLVED_ACCOUNTS_MAXIMUM = 1000, /* accounts that one address may stand for, to get mail */
    RESOLVED_LISTS_MAXIMUM = 1000,    /* aliases and groups passed on the way to them */
};

enum directory_kind { DIRECTORY_ACCOUNT = 1, DIRECTORY_GROUP, DIRECTORY_ALIAS };

/* What an address stands for. */
struct directory_entry {
    enum directory_kind kind;
    struct account_id id;
    struct slice address;
    int64_t created; /* seconds since 1970 */
    size_t members;  /* of a group or an alias: members or targets */
    bool shared;     /* of an account: it is nobody's own */
};

/* Normalises "Alice@Example.TEST" (or "alice": the default domain's) to "alice@example.test".
 * ERROR_SYNTAX for what is no address, ERROR_LIMIT. Does not look it up. */
int store_normalise_address(struct store *store, struct slice address, struct buffer *normal);

/* What the address itself stands for (no detail is cut off, no alias followed). ERROR_NOT_FOUND. */
int store_directory_find(struct store *store, struct who who, struct slice address,
                         struct arena *arena, struct directory_entry *entry);

/* Every entry of the kind. */
int store_directory_list(struct store *store, struct who who, enum directory_kind kind,
                         struct arena *arena, struct directory_entry **entries, size_t *count);

/* --- domains --- */

struct domain_info {
    struct slice name;
    int64_t created;   /* seconds since 1970; 0: it is there only as the default */
    bool default_here; /* the domain of names that have none */
};

/* ERROR_EXISTS. */
int store_domain_add(struct store *store, struct who who, struct slice domain);

/* ERROR_NOT_FOUND; ERROR_CONFLICT: there are addresses in it; ERROR_INVALID: it is the default. */
int store_domain_delete(struct store *store, struct who who, struct slice domain);

int store_domain_list(struct store *store, struct who who, struct arena *arena,
                      struct domain_info **domains, size_t *count);

/* Whether names may be made in the address's domain: 0 or ERROR_NOT_FOUND. */
int store_domain_check(struct store *store, struct who who, struct slice address);

/* --- accounts --- */

struct account_info {
    struct account_id id;
    struct slice address; /* the login name; in the arena of the call */
    int64_t created;      /* seconds since 1970 */
    bool shared;          /* it is nobody's own: nobody logs in to it, and its mailboxes are those
                           * who its lists name share */
};

/* Makes an account with INBOX and the mailboxes of the template (Drafts, Sent, Junk, Trash,
 * Archive with their special uses, subscribed). ERROR_EXISTS; ERROR_NOT_FOUND: no such domain. */
int store_account_create(struct store *store, struct who who, struct slice address,
                         struct account_id *id);

/* Removes the name and all data. ERROR_NOT_FOUND. */
int store_account_delete(struct store *store, struct who who, struct account_id id);

/* Gives it another address. keep_alias: the one it had becomes an alias of it. ERROR_NOT_FOUND: no
 * such account, or no such domain; ERROR_EXISTS: the address is taken. */
int store_account_rename(struct store *store, struct who who, struct account_id id,
                         struct slice address, bool keep_alias);

/* Makes it a shared one, or one that somebody may log in to; nothing when it is that already. What
 * was known to who logged in ends: the URLs that were signed, and store_account_check refuses.
 * Subscriptions, rights and mail stay. ERROR_NOT_FOUND. */
int store_account_set_shared(struct store *store, struct who who, struct account_id id,
                             bool shared);

/* Whether somebody may be logged in to the account: 0; ERROR_DENIED: it is shared;
 * ERROR_NOT_FOUND: it is not there any more. For who serves him: no `who`. */
int store_account_check(struct store *store, struct account_id id);

/* All accounts. */
int store_account_list(struct store *store, struct who who, struct arena *arena,
                       struct account_info **accounts, size_t *count);

/* Up to `maximum` (at least 1) of those whose addresses come behind `after`, a normal address or
 * empty: pages of all. Fewer: there are no more. For administrators, too. */
int store_account_page(struct store *store, struct who who, struct slice after, size_t maximum,
                       struct arena *arena, struct account_info **accounts, size_t *count);

/* One account by its id. ERROR_NOT_FOUND. */
int store_account_get(struct store *store, struct who who, struct account_id id,
                      struct arena *arena, struct account_info *info);

/* The account a login name or address belongs to. "local+detail@domain" finds local@domain when
 * nothing has the whole name. ERROR_NOT_FOUND: also when it is not an account's, and when it is
 * another's than the asking account. */
int store_account_find(struct store *store, struct who who, struct slice address,
                       struct account_id *id);

/* --- aliases and groups --- */

/* Adds targets to the alias, which is made when it is not there: all or none. ERROR_NOT_FOUND: a
 * target or the domain is not there; ERROR_EXISTS: the address is an account's or a group's, or has
 * the target already; ERROR_INVALID: it would lead back to itself, or there is no target;
 * ERROR_LIMIT. */
int store_alias_add(struct store *store, struct who who, struct slice address,
                    const struct slice *targets, size_t count);

/* Takes targets away, all or none; with count 0, or the last one, the alias goes.
 * ERROR_NOT_FOUND: no such alias, or target of it. */
int store_alias_delete(struct store *store, struct who who, struct slice address,
                       const struct slice *targets, size_t count);

/* Makes a group without members. ERROR_EXISTS; ERROR_NOT_FOUND: no such domain. */
int store_group_create(struct store *store, struct who who, struct slice address,
                       struct account_id *id);

/* Removes the group, not its members. ERROR_NOT_FOUND. */
int store_group_delete(struct store *store, struct who who, struct slice address);

/* Adds members, all or none. ERROR_NOT_FOUND: no such group, or no account or group of a member's
 * name; ERROR_EXISTS: it is one already; ERROR_INVALID: the group would be in itself;
 * ERROR_LIMIT. */
int store_group_add(struct store *store, struct who who, struct slice address,
                    const struct slice *members, size_t count);

/* Takes members away, all or none. ERROR_NOT_FOUND: no such group, or member of it. */
int store_group_remove(struct store *store, struct who who, struct slice address,
                       const struct slice *members, size_t count);

/* The members of a group, or the targets of an alias: accounts, then groups, then aliases, each by
 * address. ERROR_NOT_FOUND: the address is neither's. */
int store_directory_members(struct store *store, struct who who, struct slice address,
                            struct arena *arena, struct directory_entry **members, size_t *count);

/* The groups, then the aliases, that have the account (or group, or alias) itself as member or
 * target, each by address. */
int store_directory_holders(struct store *store, struct who who, struct account_id id,
                            struct arena *arena, struct directory_entry **holders, size_t *count);

/* The ids of all groups the account is in, and of those they are in, each once. Reads the keys of
 * the account and of these groups alone, however many others there are. ERROR_LIMIT: more than
 * `maximum`. For the store's own checks of rights: no `who`. */
int directory_groups_of(struct store *store, struct account_id account, struct account_id *groups,
                        size_t maximum, size_t *count);

/* --- delivery --- */

struct resolution {
    struct account_id *accounts; /* each once; in the arena */
    size_t count;                /* at least 1 */
    struct slice detail; /* of "local+detail@domain", cut off to find it: points into the address */
};

/* The accounts that mail to the address goes to, through detail, aliases and groups.
 * ERROR_NOT_FOUND: nobody; ERROR_LIMIT: more than RESOLVED_ACCOUNTS_MAXIMUM, or over more than
 * RESOLVED_LISTS_MAXIMUM aliases and groups. */
int store_resolve(struct store *store, struct who who, struct slice address, struct arena *arena,
                  struct resolution *resolution);

#endif
