/*
 * How many connections each client has before login, so that one alone cannot take all there are.
 * A client is an IPv4 address or a /64 of IPv6: whoever has one address of that has them all.
 */
#include "front/login/login_priv.h"

#include <arpa/inet.h>
#include <search.h>
#include <stdlib.h>

enum { NETWORK_SIZE = 8 }; /* bytes of a /64 */

struct client {
    char network[sizeof(struct in6_addr)];
    size_t connections;
};

static int compare(const void *a, const void *b)
{
    const struct client *left = a, *right = b;
    return memcmp(left->network, right->network, sizeof left->network);
}

/* IPv4 as IPv6 maps it (RFC 4291 section 2.5.5.2). What is no address is all one client. */
static struct client client_of(const char *address)
{
    struct client client = {.connections = 0};
    if (inet_pton(AF_INET6, address, client.network) == 1)
        memset(client.network + NETWORK_SIZE, 0, sizeof client.network - NETWORK_SIZE);
    else if (inet_pton(AF_INET, address, client.network + 12) == 1)
        memset(client.network + 10, 0xff, 2);
    return client;
}

static struct client *add(struct login *login, const struct client *key)
{
    struct client *made = malloc(sizeof *made);
    if (!made)
        return NULL;
    *made = *key;
    if (!tsearch(made, &login->clients, compare)) {
        free(made);
        return NULL;
    }
    return made;
}

struct client *clients_enter(struct login *login, const char *address)
{
    struct client key = client_of(address);
    void *node = tfind(&key, &login->clients, compare);
    struct client *client = node ? *(struct client **)node : add(login, &key);
    if (!client || client->connections >= (size_t)login->config->login_client_connections)
        return NULL;
    client->connections++;
    return client;
}

void clients_leave(struct login *login, struct client *client)
{
    if (--client->connections)
        return;
    tdelete(client, &login->clients, compare);
    free(client);
}
