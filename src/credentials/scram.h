/*
 * The keys a server keeps for SCRAM-SHA-256 (RFC 5802 section 3, RFC 7677).
 *
 *     SaltedPassword = Hi(password, salt, iterations)      PBKDF2 with HMAC-SHA-256, one block
 *     StoredKey      = SHA-256(HMAC(SaltedPassword, "Client Key"))
 *     ServerKey      = HMAC(SaltedPassword, "Server Key")
 *
 * Who has them can check a client's proof and prove to be the server, but cannot log in.
 */
#ifndef CREDENTIALS_SCRAM_H
#define CREDENTIALS_SCRAM_H

#include "base/slice.h"

enum { SCRAM_KEY_SIZE = 32, SCRAM_SALT_SIZE = 16, SCRAM_SALT_MAXIMUM = 64 };

struct scram_keys {
    uint32_t iterations;
    uint8_t salt[SCRAM_SALT_MAXIMUM];
    uint8_t salt_size;
    uint8_t stored_key[SCRAM_KEY_SIZE];
    uint8_t server_key[SCRAM_KEY_SIZE];
};

/* Computes stored_key and server_key from the salt and iterations that are set. The password is
 * prepared already (RFC 8265). Slow on purpose: two HMACs' inner rounds an iteration. */
void scram_derive(struct slice password, struct scram_keys *keys);

/* Whether the client's proof of an exchange is right (section 3); then `signature` is the server's,
 * which proves that it knows the keys. auth_message: client-first-message-bare,
 * server-first-message and client-final-message-without-proof, with commas between. */
bool scram_verify(const struct scram_keys *keys, struct slice auth_message,
                  const uint8_t proof[SCRAM_KEY_SIZE], uint8_t signature[SCRAM_KEY_SIZE]);

#endif
