#include "base/network.h"

#include "base/error.h"

#include <arpa/inet.h>
#include <stdlib.h>

enum { TEXT_MAXIMUM = INET6_ADDRSTRLEN };

static unsigned bits_of(int family)
{
    return family == AF_INET ? 32 : 128;
}

static bool parse_address(const char *text, struct network *network)
{
    struct network made = {.family = strchr(text, ':') ? AF_INET6 : AF_INET};
    if (inet_pton(made.family, text, made.bytes) != 1)
        return false;
    made.bits = bits_of(made.family);
    *network = made;
    return true;
}

static bool parse_bits(const char *text, unsigned maximum, unsigned *bits)
{
    char *end;
    if (*text < '0' || *text > '9' || strlen(text) > 3)
        return false;
    unsigned long value = strtoul(text, &end, 10);
    *bits = (unsigned)value;
    return !*end && value <= maximum;
}

static uint8_t mask_of(unsigned bits, size_t byte)
{
    if (bits >= 8 * (byte + 1))
        return 0xff;
    return bits <= 8 * byte ? 0 : (uint8_t)(0xff << (8 * (byte + 1) - bits));
}

int network_parse(const char *text, struct network *network)
{
    char address[TEXT_MAXIMUM];
    struct network made;
    struct slice whole = slice_from_string(text);
    struct slice front = slice_sub(whole, 0, slice_find(whole, '/'));
    if (front.size == 0 || front.size >= sizeof(address))
        return ERROR_SYNTAX;
    memcpy(address, front.data, front.size);
    address[front.size] = '\0';
    if (!parse_address(address, &made))
        return ERROR_SYNTAX;
    if (front.size < whole.size && !parse_bits(text + front.size + 1, made.bits, &made.bits))
        return ERROR_SYNTAX;
    for (size_t i = 0; i < sizeof(made.bytes); i++)
        if (made.bytes[i] & ~mask_of(made.bits, i))
            return ERROR_SYNTAX;
    *network = made;
    return 0;
}

bool network_contains(const struct network *network, const char *address)
{
    struct network other;
    if (!parse_address(address, &other) || other.family != network->family)
        return false;
    for (size_t i = 0; i < sizeof(other.bytes); i++)
        if ((other.bytes[i] & mask_of(network->bits, i)) != network->bytes[i])
            return false;
    return true;
}

bool network_list_contains(const struct config_list *networks, const char *address)
{
    struct network network;
    for (size_t i = 0; i < networks->count; i++)
        if (!network_parse(networks->items[i], &network) && network_contains(&network, address))
            return true;
    return false;
}
