/*
 * Networks of IP addresses, as an administrator writes them, and whether an address is in one.
 *
 * Pure: no look-up of names.
 */
#ifndef BASE_NETWORK_H
#define BASE_NETWORK_H

#include "base/config.h"

struct network {
    int family; /* AF_INET or AF_INET6 */
    uint8_t bytes[16];
    unsigned bits; /* of the address that count */
};

/* "192.0.2.1", "192.0.2.0/24", "2001:db8::1", "2001:db8::/32". ERROR_SYNTAX for anything else, and
 * for an address with bits that do not count and are not 0: who writes 192.0.2.7/24 means one of
 * two things. */
int network_parse(const char *text, struct network *network);

/* Whether the numeric address is in the network. An IPv4 address is in no IPv6 network; what is no
 * address, such as "local", is in none. */
bool network_contains(const struct network *network, const char *address);

/* Whether it is in one of them. An item that is no network is passed over. */
bool network_list_contains(const struct config_list *networks, const char *address);

#endif
