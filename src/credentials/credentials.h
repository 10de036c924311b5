/*
 * Credentials: login name -> account and verifiers of its password. A key-value space of its own,
 * which only chapar-auth (and the administrator's command, when no server runs) opens.
 *
 * A record holds an Argon2id verifier (RFC 9106) for PLAIN and LOGIN, and SCRAM-SHA-256 keys
 * (RFC 5802 section 3, RFC 7677: salt, iterations, StoredKey, ServerKey), so that SCRAM can be
 * offered without asking for the password again. The password itself is kept nowhere. Passwords
 * are prepared with SASLprep's successor (RFC 8265 OpaqueString: NFC, no control characters).
 * A name whose account nobody may log in to is closed: no password fits it, and none can be set.
 * Beside the names there is one random key, from which the salts come that names without a record
 * are said to have.
 *
 * Names are normalised addresses (store_normalise_address). Thread-safe.
 */
#ifndef CREDENTIALS_CREDENTIALS_H
#define CREDENTIALS_CREDENTIALS_H

#include "credentials/scram.h"

struct kv_engine;
struct credentials;

enum {
    CREDENTIALS_PASSWORD_MINIMUM = 8,    /* characters */
    CREDENTIALS_PASSWORD_MAXIMUM = 1024, /* bytes */
    CREDENTIALS_NAME_MAXIMUM = 320,
};

struct credentials_cost {
    uint64_t argon2_memory; /* KiB */
    uint64_t argon2_passes;
    uint32_t scram_iterations;
};

/* Opens the space "credentials" of the engine (not owned), making it when missing. */
int credentials_open(struct kv_engine *engine, const struct credentials_cost *cost,
                     struct credentials **credentials);
void credentials_close(struct credentials **credentials);

/* Sets or replaces. Durable. Slow on purpose (Argon2id). ERROR_SYNTAX: not a permitted password;
 * ERROR_LIMIT: too short or too long; ERROR_DENIED: the name is closed. */
int credentials_set(struct credentials *credentials, struct slice name, const uint8_t account[16],
                    struct slice password);

/* Closes the name, whose password goes; or opens it again, without one, when it is closed for this
 * account. Durable. */
int credentials_close_name(struct credentials *credentials, struct slice name,
                           const uint8_t account[16], bool closed);

/* Also of a closed name. ERROR_NOT_FOUND. Durable. */
int credentials_delete(struct credentials *credentials, struct slice name);

/* The name's password, or that it is closed, becomes the other name's, in one transaction.
 * `account` must be the record's: ERROR_NOT_FOUND when the name has none, or is another account's.
 * What the other name had is replaced: the directory knows whose it is. Durable. */
int credentials_rename(struct credentials *credentials, const uint8_t account[16],
                       struct slice name, struct slice to);

/* Checks a password. ERROR_DENIED for a wrong name or password alike, after the same work.
 * Slow on purpose. */
int credentials_verify(struct credentials *credentials, struct slice name, struct slice password,
                       uint8_t account[16]);

/* The keys of a name, for an exchange of SCRAM. Nobody must learn from them whether the name exists
 * (RFC 5802 section 9): one without a record has keys too, always the same, that no proof fits.
 * Then *known is false and account untouched. */
int credentials_scram(struct credentials *credentials, struct slice name, struct scram_keys *keys,
                      bool *known, uint8_t account[16]);

#endif
