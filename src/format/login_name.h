/*
 * Login names and addresses of accounts: one normal form, so that the credentials and the
 * directory mean the same account by the same bytes.
 *
 * Pure: no look-up, no allocation but the buffer's.
 */
#ifndef FORMAT_LOGIN_NAME_H
#define FORMAT_LOGIN_NAME_H

#include "base/buffer.h"
#include "base/config.h"

enum {
    ADDRESS_LOCAL_MAXIMUM = 64,   /* bytes before the '@' (RFC 5321 section 4.5.3.1.1) */
    ADDRESS_DOMAIN_MAXIMUM = 255, /* bytes behind it (RFC 5321 section 4.5.3.1.2) */
};

/* Appends the normal form of "Alice@Example.TEST": ASCII letters in lower case,
 * "alice@example.test". A name without '@' gets the default domain (NULL or empty: there is none,
 * ERROR_SYNTAX).
 *
 * The local part is made of the characters of an atom and dots (RFC 5321 section 4.1.2: the
 * quoted form is not taken), the domain of letters, digits, hyphens and dots, no label empty or
 * with a hyphen at an end. ERROR_SYNTAX for anything else, 8-bit bytes included; ERROR_LIMIT
 * beyond the lengths above, or when the buffer's maximum would be passed. */
int address_normalise(struct slice name, const char *default_domain, struct buffer *normal);

/* Whether a normal name is in a list of an option, which says names as people write them. What is
 * no name there means nobody. */
bool address_is_listed(const struct config_list *list, const char *default_domain,
                       struct slice name);

#endif
