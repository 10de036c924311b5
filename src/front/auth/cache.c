#include "front/auth/cache_priv.h"

#include "base/error.h"

#include <sodium.h>
#include <stdlib.h>

enum { SETS = CACHE_ENTRIES / CACHE_WAYS, HASH_SIZE = 32 };

struct entry {
    uint64_t name; /* keyed hash, to find and forget by; the verifier decides */
    uint64_t expires;
    uint8_t verifier[HASH_SIZE];
    uint8_t account[16];
};

struct cache {
    uint8_t name_key[crypto_shorthash_KEYBYTES];
    uint8_t key[crypto_generichash_KEYBYTES];
    uint64_t lifetime; /* microseconds */
    uint64_t generation;
    struct entry entries[SETS][CACHE_WAYS];
};

int cache_create(uint64_t lifetime, struct cache **cache)
{
    struct cache *made = calloc(1, sizeof *made);
    if (!made)
        return ERROR_MEMORY;
    /* May be refused by RLIMIT_MEMLOCK; core dumps are off either way. */
    (void)sodium_mlock(made->name_key, sizeof made->name_key + sizeof made->key);
    randombytes_buf(made->name_key, sizeof made->name_key);
    randombytes_buf(made->key, sizeof made->key);
    made->lifetime = lifetime * 1000 * 1000;
    *cache = made;
    return 0;
}

void cache_free(struct cache **cache)
{
    if (*cache) {
        (void)sodium_munlock((*cache)->name_key, sizeof(*cache)->name_key + sizeof(*cache)->key);
        sodium_memzero(*cache, sizeof **cache);
    }
    free(*cache);
    *cache = NULL;
}

static uint64_t hash_name(const struct cache *cache, struct slice name)
{
    uint8_t hash[crypto_shorthash_BYTES];
    uint64_t number;
    crypto_shorthash(hash, (const uint8_t *)name.data, name.size, cache->name_key);
    memcpy(&number, hash, sizeof number);
    return number;
}

/* The name's size goes first, so that no other division of the same bytes gives the same hash. */
static void hash_password(const struct cache *cache, struct slice name, struct slice password,
                          uint8_t verifier[HASH_SIZE])
{
    crypto_generichash_state state;
    uint64_t size = name.size;
    crypto_generichash_init(&state, cache->key, sizeof cache->key, HASH_SIZE);
    crypto_generichash_update(&state, (const uint8_t *)&size, sizeof size);
    crypto_generichash_update(&state, (const uint8_t *)name.data, name.size);
    crypto_generichash_update(&state, (const uint8_t *)password.data, password.size);
    crypto_generichash_final(&state, verifier, HASH_SIZE);
    sodium_memzero(&state, sizeof state);
}

/* The name's entry, or NULL. */
static struct entry *find_name(struct cache *cache, uint64_t name)
{
    struct entry *set = cache->entries[name % SETS];
    for (int i = 0; i < CACHE_WAYS; i++)
        if (set[i].name == name && set[i].expires)
            return &set[i];
    return NULL;
}

bool cache_find(struct cache *cache, struct slice name, struct slice password, uint64_t now,
                uint8_t account[16])
{
    uint8_t verifier[HASH_SIZE];
    struct entry *entry = find_name(cache, hash_name(cache, name));
    if (!entry)
        return false;
    if (entry->expires <= now) {
        sodium_memzero(entry, sizeof *entry);
        return false;
    }
    hash_password(cache, name, password, verifier);
    bool found = sodium_memcmp(verifier, entry->verifier, HASH_SIZE) == 0;
    if (found)
        memcpy(account, entry->account, sizeof entry->account);
    sodium_memzero(verifier, sizeof verifier);
    return found;
}

/* The name's own entry, or the one that expires first: a free one expires at 0. */
static struct entry *find_room(struct cache *cache, uint64_t name)
{
    struct entry *room = find_name(cache, name);
    if (room)
        return room;
    struct entry *set = cache->entries[name % SETS];
    room = set;
    for (int i = 1; i < CACHE_WAYS; i++)
        if (set[i].expires < room->expires)
            room = &set[i];
    return room;
}

void cache_remember(struct cache *cache, struct slice name, struct slice password,
                    const uint8_t account[16], uint64_t generation, uint64_t now)
{
    if (!cache->lifetime || generation != cache->generation)
        return;
    uint64_t hash = hash_name(cache, name);
    struct entry *entry = find_room(cache, hash);
    entry->name = hash;
    entry->expires = now + cache->lifetime;
    hash_password(cache, name, password, entry->verifier);
    memcpy(entry->account, account, sizeof entry->account);
}

void cache_forget(struct cache *cache, struct slice name)
{
    struct entry *entry = find_name(cache, hash_name(cache, name));
    cache->generation++;
    if (entry)
        sodium_memzero(entry, sizeof *entry);
}

uint64_t cache_generation(const struct cache *cache)
{
    return cache->generation;
}
