#include "credentials/scram.h"

#include <sodium.h>

/* HMAC under a key whose two padded blocks have been hashed already: half the work of a fresh
 * one, and what makes the iterations cost what an attacker pays for them. */
static void hmac(const crypto_auth_hmacsha256_state *keyed, const void *bytes, size_t size,
                 uint8_t code[SCRAM_KEY_SIZE])
{
    crypto_auth_hmacsha256_state state = *keyed;
    crypto_auth_hmacsha256_update(&state, bytes, size);
    crypto_auth_hmacsha256_final(&state, code);
}

/* Hi() of RFC 5802 section 2.2. */
static void salted_password(struct slice password, const struct scram_keys *keys,
                            uint8_t salted[SCRAM_KEY_SIZE])
{
    crypto_auth_hmacsha256_state keyed;
    crypto_auth_hmacsha256_init(&keyed, (const uint8_t *)password.data, password.size);
    uint8_t first[SCRAM_SALT_MAXIMUM + 4];
    memcpy(first, keys->salt, keys->salt_size);
    memcpy(first + keys->salt_size, "\0\0\0\1", 4);
    uint8_t round[SCRAM_KEY_SIZE];
    hmac(&keyed, first, keys->salt_size + 4, round);
    memcpy(salted, round, SCRAM_KEY_SIZE);
    for (uint32_t i = 1; i < keys->iterations; i++) {
        hmac(&keyed, round, sizeof round, round);
        for (size_t j = 0; j < SCRAM_KEY_SIZE; j++)
            salted[j] ^= round[j];
    }
    sodium_memzero(&keyed, sizeof keyed);
    sodium_memzero(round, sizeof round);
}

void scram_derive(struct slice password, struct scram_keys *keys)
{
    uint8_t salted[SCRAM_KEY_SIZE], client[SCRAM_KEY_SIZE];
    salted_password(password, keys, salted);
    crypto_auth_hmacsha256_state keyed;
    crypto_auth_hmacsha256_init(&keyed, salted, sizeof salted);
    hmac(&keyed, "Client Key", 10, client);
    crypto_hash_sha256(keys->stored_key, client, sizeof client);
    hmac(&keyed, "Server Key", 10, keys->server_key);
    sodium_memzero(salted, sizeof salted);
    sodium_memzero(client, sizeof client);
    sodium_memzero(&keyed, sizeof keyed);
}

bool scram_verify(const struct scram_keys *keys, struct slice auth_message,
                  const uint8_t proof[SCRAM_KEY_SIZE], uint8_t signature[SCRAM_KEY_SIZE])
{
    const uint8_t *message = (const uint8_t *)auth_message.data;
    uint8_t client[SCRAM_KEY_SIZE], stored[SCRAM_KEY_SIZE];
    crypto_auth_hmacsha256(client, message, auth_message.size, keys->stored_key);
    for (size_t i = 0; i < SCRAM_KEY_SIZE; i++)
        client[i] ^= proof[i];
    crypto_hash_sha256(stored, client, sizeof client);
    bool right = sodium_memcmp(stored, keys->stored_key, SCRAM_KEY_SIZE) == 0;
    if (right)
        crypto_auth_hmacsha256(signature, message, auth_message.size, keys->server_key);
    sodium_memzero(client, sizeof client);
    return right;
}
