/*
 * Access control lists: who, beside its owner, may do what with a collection (RFC 4314).
 *
 * The owner of an account has every right to all of it, always. Others have those that a
 * collection's list gives to them, to a group they are in (directly or through other groups) or to
 * anyone, without those that it takes away from any of these. A list names accounts and groups by
 * their ids: who is renamed keeps the rights, who is gone is not shown any more. What is made below
 * a collection begins with the list of that. Administrators (struct who) have four rights besides,
 * whatever the list says.
 *
 * With every list go entries of the directory that say which accounts share something with whom,
 * so that what is shared with somebody is found by his own entries and those of his groups.
 */
#ifndef STORE_ACL_H
#define STORE_ACL_H

#include "store/collection.h"
#include "store/directory.h"

enum {
    ACL_ENTRIES_MAXIMUM = 1000,                   /* of one collection */
    ACL_IDENTIFIER_MAXIMUM = ADDRESS_MAXIMUM + 1, /* bytes, with the "-" of negative rights */
    RIGHTS_TEXT = 14,                             /* letters of all rights, c and d among them */
    GROUPS_OF_ACCOUNT_MAXIMUM = 1000,             /* groups that count for one account */
};

/* --- rights as text (RFC 4314 section 2.1) --- */

/* "lrs" to RIGHT bits; c is k and x, d is t and e (section 2.1.1). ERROR_SYNTAX. */
int rights_parse(struct slice text, uint32_t *rights);

/* In the order of the RFC, with c and d where one of theirs is there; NUL-terminated. */
void rights_format(uint32_t rights, char text[RIGHTS_TEXT + 1]);

/* --- lists --- */

struct acl_entry {
    struct slice identifier; /* "bob@example.test", a group's address, "anyone", "anonymous"; with
                                "-" in front the rights are taken away (section 2) */
    uint32_t rights;         /* enum right bits */
};

/* The list, the owner with all rights first, in the arena. ERROR_NOT_FOUND, ERROR_DENIED without
 * RIGHT_ADMINISTER, ERROR_LIMIT from the arena. */
int acl_get(struct store_view *view, collection_id collection, struct arena *arena,
            struct acl_entry **list, size_t *count);

enum acl_operation { ACL_REPLACE, ACL_ADD, ACL_REMOVE };

/* Changes what the identifier has; without any right left its entry goes. A name without a domain
 * is in the default one. Durable. ERROR_NOT_FOUND: no such collection; ERROR_INVALID: nobody has
 * this name, or it is the owner's; ERROR_DENIED without RIGHT_ADMINISTER;
 * ERROR_UNSUPPORTED: with store_options.keep_from_anyone only WHO_SYSTEM and administrators give
 * anything to anyone or the anonymous (everybody may take it from them); ERROR_LIMIT: too many
 * entries; ERROR_BUSY: another change of a list took too long. */
int acl_set(struct store_view *view, collection_id collection, struct slice identifier,
            enum acl_operation operation, uint32_t rights);

/* Whether such an identifier may stand in a list of the view's account (LISTRIGHTS, section 3.7),
 * and which rights it has always: all, for the owner. ERROR_INVALID, ERROR_NOT_FOUND, ERROR_DENIED
 * as acl_set. */
int acl_granted_always(struct store_view *view, collection_id collection, struct slice identifier,
                       uint32_t *rights);

/* Whether a message that is addressed to the mailbox itself ("alice+lists@") may go into it (RFC
 * 4314 section 2.1, p): it is the owner's address, so it may, unless the list takes p away from
 * anyone or the anonymous, who may have sent it. ERROR_DENIED unless WHO_SYSTEM; ERROR_NOT_FOUND.
 */
int acl_takes_post(struct store_view *view, collection_id collection, bool *takes);

/* --- what is shared with somebody --- */

/* The accounts that name the account, one of its groups, or anyone in a list, by address, shared
 * accounts behind the others, in the arena. What it may do there says a view of each: perhaps
 * nothing any more. Reads the entries of the account and of its groups, and of those accounts,
 * however many others there are. ERROR_DENIED: who is neither the account nor WHO_SYSTEM;
 * ERROR_LIMIT from the arena. */
int store_shared_with(struct store *store, struct who who, struct account_id account,
                      struct arena *arena, struct account_info **list, size_t *count);

/* The account of this very address (in any spelling), of those that who may know of: that share
 * something with it as above, and to administrators and the system all. shared: whether it is
 * nobody's own. ERROR_NOT_FOUND. */
int store_shared_find(struct store *store, struct who who, struct slice address,
                      struct account_id *owner, bool *shared);

#endif
