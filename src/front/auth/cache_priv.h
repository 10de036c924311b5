/*
 * Remembered passwords: mail programs open many short connections, and each would pay for
 * Argon2id. What is kept is a keyed hash of name and password (BLAKE2b under a random key made at
 * start), in memory only; without the key, which never leaves it, the hash tells nothing.
 *
 * One password a name. CACHE_ENTRIES in all; where there is no room the one that expires first
 * goes. A name is forgotten when its password changes; a verification that was under way
 * meanwhile is not remembered (generation).
 *
 * The loop's thread alone. Times are clock_monotonic_us.
 */
#ifndef FRONT_AUTH_CACHE_PRIV_H
#define FRONT_AUTH_CACHE_PRIV_H

#include "base/slice.h"

enum {
    CACHE_ENTRIES = 32768, /* 64 bytes each */
    CACHE_WAYS = 8,        /* entries a name may be in */
};

struct cache;

/* lifetime in seconds; 0: nothing is remembered. ERROR_MEMORY. */
int cache_create(uint64_t lifetime, struct cache **cache);
void cache_free(struct cache **cache);

/* Whether this is the name's remembered password; then *account is set. */
bool cache_find(struct cache *cache, struct slice name, struct slice password, uint64_t now,
                uint8_t account[16]);

/* generation: cache_generation's answer when the verification began. */
void cache_remember(struct cache *cache, struct slice name, struct slice password,
                    const uint8_t account[16], uint64_t generation, uint64_t now);

void cache_forget(struct cache *cache, struct slice name);

uint64_t cache_generation(const struct cache *cache);

#endif
