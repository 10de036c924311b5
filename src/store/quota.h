/*
 * Quota (RFC 9208): what an account may use, and what it uses.
 *
 * There is one quota root for each account, and every collection of the account is under it: the
 * account is the unit that is paid for, moved and backed up, so a limit on a part of it would only
 * make people move messages about. That one root is also what lets usage be counted exactly: the
 * sums are in the account's own record and change in the transaction that changes what they count.
 *
 * A message counts once for each entry it is in (a copy costs what it shows), though it is stored
 * once. What is retained after it was expunged or deleted (store/retained.h) does not count.
 * Moving within the account is free, also when the quota is used up.
 *
 * Calls that would pass a limit change nothing and give ERROR_QUOTA: append and delivery, copy,
 * making collections, bringing back what was retained, annotations. A limit below what is used
 * already only refuses more.
 */
#ifndef STORE_QUOTA_H
#define STORE_QUOTA_H

#include "store/collection.h"

struct quota {
    uint64_t usage[QUOTA_RESOURCES];  /* by enum quota_resource; bytes or a count */
    uint64_t limits[QUOTA_RESOURCES]; /* 0: none */
};

/* The quota root of a collection (0: of the account itself, for its owner). ERROR_NOT_FOUND,
 * ERROR_DENIED without RIGHT_READ (RFC 9208 section 4.1.2 lets who may read ask), but for
 * administrators, who may ask for every root. */
int quota_get(struct store_view *view, collection_id collection, struct quota *quota);

/* Whether one message more, of so many bytes (0: not known), is within the limits. */
bool quota_has_room(const struct quota *quota, uint64_t bytes);

/* Sets the limits of the resources whose bit (1 << resource) is in `resources`; 0 takes a limit
 * away. Durable. ERROR_DENIED unless WHO_SYSTEM or an administrator, ERROR_INVALID for an unknown
 * bit. */
int quota_set(struct store_view *view, uint32_t resources, const uint64_t limits[QUOTA_RESOURCES]);

/* "STORAGE" and so on (RFC 9208 section 5), in any case. STORAGE and ANNOTATION-STORAGE are said
 * in bytes here, in units of 1024 bytes by IMAP. ERROR_NOT_FOUND. */
const char *quota_resource_name(enum quota_resource resource);
int quota_resource_parse(struct slice name, enum quota_resource *resource);

#endif
