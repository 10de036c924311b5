#include "credentials/credentials.h"

#include "base/error.h"
#include "credentials/password_priv.h"
#include "credentials/record_priv.h"
#include "kv/kv.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>

#define KEY_PREFIX "name/"
#define DECOY_KEY  "decoy"

enum { DECOY_SIZE = crypto_auth_hmacsha256_KEYBYTES };

struct credentials {
    struct kv *kv;
    struct credentials_cost cost;
    uint8_t decoy[DECOY_SIZE]; /* what names without a record get their keys from */
};

/* A name's key. No NUL behind it: keys are counted bytes. */
struct key {
    char bytes[sizeof KEY_PREFIX - 1 + CREDENTIALS_NAME_MAXIMUM];
    size_t size;
};

static int make_decoy(struct kv_transaction *transaction, void *arg)
{
    uint8_t *decoy = arg;
    struct buffer value;
    buffer_init(&value, DECOY_SIZE);
    int error = kv_get(transaction, SLICE(DECOY_KEY), &value);
    if (error == ERROR_NOT_FOUND) {
        randombytes_buf(decoy, DECOY_SIZE);
        error = kv_put(transaction, SLICE(DECOY_KEY), slice_make(decoy, DECOY_SIZE));
    } else if (!error) {
        error = value.size == DECOY_SIZE ? 0 : ERROR_CORRUPT;
        if (!error)
            memcpy(decoy, value.data, DECOY_SIZE);
    }
    buffer_release(&value);
    return error == ERROR_LIMIT ? ERROR_CORRUPT : error;
}

/* It is read, and made by the first process that finds none. */
static int read_decoy(struct credentials *credentials)
{
    struct kv_transaction *transaction;
    struct buffer value;
    buffer_init(&value, DECOY_SIZE);
    int error = kv_read_begin(credentials->kv, &transaction);
    if (error)
        return error;
    error = kv_get(transaction, SLICE(DECOY_KEY), &value);
    kv_read_end(&transaction);
    if (!error && value.size == DECOY_SIZE)
        memcpy(credentials->decoy, value.data, DECOY_SIZE);
    else
        error = kv_update(credentials->kv, KV_DURABLE, make_decoy, credentials->decoy);
    buffer_release(&value);
    return error;
}

int credentials_open(struct kv_engine *engine, const struct credentials_cost *cost,
                     struct credentials **credentials)
{
    if (sodium_init() < 0)
        return ERROR_UNSUPPORTED;
    struct credentials *opened = malloc(sizeof *opened);
    if (!opened)
        return ERROR_MEMORY;
    opened->cost = *cost;
    int error = kv_open(engine, "credentials", KV_CREATE, &opened->kv);
    if (!error && (error = read_decoy(opened)))
        kv_close(&opened->kv);
    if (error)
        free(opened);
    else
        *credentials = opened;
    return error;
}

void credentials_close(struct credentials **credentials)
{
    if (*credentials) {
        kv_close(&(*credentials)->kv);
        sodium_memzero((*credentials)->decoy, DECOY_SIZE);
    }
    free(*credentials);
    *credentials = NULL;
}

static int make_key(struct slice name, struct key *key)
{
    if (name.size == 0 || slice_find(name, '\0') < name.size)
        return ERROR_SYNTAX;
    if (name.size > CREDENTIALS_NAME_MAXIMUM)
        return ERROR_LIMIT;
    memcpy(key->bytes, KEY_PREFIX, sizeof KEY_PREFIX - 1);
    memcpy(key->bytes + sizeof KEY_PREFIX - 1, name.data, name.size);
    key->size = sizeof KEY_PREFIX - 1 + name.size;
    return 0;
}

static void release_secret(struct buffer *buffer)
{
    if (buffer->data)
        sodium_memzero(buffer->data, buffer->capacity);
    buffer_release(buffer);
}

/* --- changing --- */

struct change {
    struct key key;
    struct buffer value;
    struct buffer expected; /* of a renewal: the record that was verified */
    bool renewal;
    const uint8_t *account;
};

/* Whether the record is there, and says that the name is closed for this account. */
static bool is_closed(struct slice value, const uint8_t account[16])
{
    struct credentials_record record = {0};
    bool closed = record_decode(value, &record) == 0 && record.closed &&
                  memcmp(record.account, account, sizeof record.account) == 0;
    sodium_memzero(&record, sizeof record);
    return closed;
}

static int put_record(struct kv_transaction *transaction, void *arg)
{
    const struct change *change = arg;
    struct slice key = slice_make(change->key.bytes, change->key.size);
    struct buffer now;
    buffer_init(&now, RECORD_MAXIMUM);
    int error = kv_get(transaction, key, &now);
    if (change->renewal) {
        if (!error && !slice_equal(buffer_slice(&now), buffer_slice(&change->expected)))
            error = ERROR_CONFLICT;
    } else if (!error && is_closed(buffer_slice(&now), change->account)) {
        error = ERROR_DENIED;
    } else if (error == ERROR_NOT_FOUND || error == ERROR_LIMIT) {
        error = 0; /* a first password, or one for a record that cannot be read */
    }
    release_secret(&now);
    return error ? error : kv_put(transaction, key, buffer_slice(&change->value));
}

/* The slow part: both verifiers of a prepared password. */
static int make_record(const struct credentials *credentials, const uint8_t account[16],
                       const struct prepared_password *password, struct buffer *value)
{
    struct credentials_record record = {.scram.iterations = credentials->cost.scram_iterations,
                                        .scram.salt_size = SCRAM_SALT_SIZE};
    char argon2[crypto_pwhash_STRBYTES];
    _Static_assert(crypto_pwhash_STRBYTES <= sizeof record.argon2, "the verifier fits");
    if (crypto_pwhash_str_alg(argon2, password->bytes, password->size,
                              credentials->cost.argon2_passes,
                              credentials->cost.argon2_memory * 1024, crypto_pwhash_ALG_ARGON2ID13))
        return ERROR_MEMORY;
    memcpy(record.argon2, argon2, sizeof argon2);
    memcpy(record.account, account, sizeof record.account);
    randombytes_buf(record.scram.salt, SCRAM_SALT_SIZE);
    scram_derive(slice_make(password->bytes, password->size), &record.scram);
    int error = record_encode(&record, value);
    sodium_memzero(&record, sizeof record);
    return error;
}

static int set_prepared(struct credentials *credentials, const uint8_t account[16],
                        const struct prepared_password *password, struct change *change)
{
    change->account = account;
    buffer_init(&change->value, RECORD_MAXIMUM);
    int error = make_record(credentials, account, password, &change->value);
    if (!error)
        error = kv_update(credentials->kv, KV_DURABLE, put_record, change);
    release_secret(&change->value);
    return error;
}

int credentials_set(struct credentials *credentials, struct slice name, const uint8_t account[16],
                    struct slice password)
{
    struct change change = {0};
    struct prepared_password prepared;
    int error = make_key(name, &change.key);
    if (!error)
        error = password_prepare(password, &prepared);
    if (error)
        return error;
    error = prepared.characters < CREDENTIALS_PASSWORD_MINIMUM
                ? ERROR_LIMIT
                : set_prepared(credentials, account, &prepared, &change);
    sodium_memzero(&prepared, sizeof prepared);
    return error;
}

static int delete_record(struct kv_transaction *transaction, void *arg)
{
    const struct key *key = arg;
    struct slice bytes = slice_make(key->bytes, key->size);
    struct buffer value;
    buffer_init(&value, RECORD_MAXIMUM);
    int error = kv_get(transaction, bytes, &value);
    release_secret(&value);
    return error == 0 || error == ERROR_LIMIT ? kv_delete(transaction, bytes) : error;
}

int credentials_delete(struct credentials *credentials, struct slice name)
{
    struct key key;
    if (make_key(name, &key))
        return ERROR_NOT_FOUND;
    return kv_update(credentials->kv, KV_DURABLE, delete_record, &key);
}

struct closing {
    struct key key;
    const uint8_t *account;
    bool closed;
};

static int close_record(struct kv_transaction *transaction, void *arg)
{
    const struct closing *closing = arg;
    struct slice key = slice_make(closing->key.bytes, closing->key.size);
    struct credentials_record record = {.closed = true};
    struct buffer value;
    buffer_init(&value, RECORD_MAXIMUM);
    memcpy(record.account, closing->account, sizeof record.account);
    int error = closing->closed ? record_encode(&record, &value) : kv_get(transaction, key, &value);
    if (!error && closing->closed)
        error = kv_put(transaction, key, buffer_slice(&value));
    else if (!error && is_closed(buffer_slice(&value), closing->account))
        error = kv_delete(transaction, key);
    release_secret(&value);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

int credentials_close_name(struct credentials *credentials, struct slice name,
                           const uint8_t account[16], bool closed)
{
    struct closing closing = {.account = account, .closed = closed};
    int error = make_key(name, &closing.key);
    return error ? error : kv_update(credentials->kv, KV_DURABLE, close_record, &closing);
}

struct rename {
    struct key from, to;
    const uint8_t *account;
};

static int rename_record(struct kv_transaction *transaction, void *arg)
{
    const struct rename *rename = arg;
    struct slice from = slice_make(rename->from.bytes, rename->from.size);
    struct slice to = slice_make(rename->to.bytes, rename->to.size);
    struct credentials_record record = {0};
    struct buffer value;
    buffer_init(&value, RECORD_MAXIMUM);
    int error = kv_get(transaction, from, &value);
    if (!error)
        error = record_decode(buffer_slice(&value), &record);
    if (!error && memcmp(record.account, rename->account, sizeof record.account) != 0)
        error = ERROR_NOT_FOUND;
    if (!error)
        error = kv_delete(transaction, from);
    if (!error)
        error = kv_put(transaction, to, buffer_slice(&value));
    sodium_memzero(&record, sizeof record);
    release_secret(&value);
    return error == ERROR_LIMIT ? ERROR_CORRUPT : error;
}

int credentials_rename(struct credentials *credentials, const uint8_t account[16],
                       struct slice name, struct slice to)
{
    struct rename rename = {.account = account};
    int error = make_key(to, &rename.to);
    if (error)
        return error;
    if (make_key(name, &rename.from))
        return ERROR_NOT_FOUND;
    return kv_update(credentials->kv, KV_DURABLE, rename_record, &rename);
}

/* --- verifying --- */

static int read_record(struct credentials *credentials, const struct key *key, struct buffer *value)
{
    struct kv_transaction *transaction;
    int error = kv_read_begin(credentials->kv, &transaction);
    if (error)
        return error;
    error = kv_get(transaction, slice_make(key->bytes, key->size), value);
    kv_read_end(&transaction);
    return error == ERROR_LIMIT ? ERROR_CORRUPT : error;
}

/* What a verification costs, for names that have no verifier: the time of the answer must not
 * tell whether a name exists. */
static int waste_work(const struct credentials *credentials, struct slice password)
{
    static const uint8_t salt[crypto_pwhash_SALTBYTES];
    uint8_t hash[crypto_pwhash_BYTES_MIN + 16];
    int failed =
        crypto_pwhash(hash, sizeof hash, password.data ? password.data : "", password.size, salt,
                      credentials->cost.argon2_passes, credentials->cost.argon2_memory * 1024,
                      crypto_pwhash_ALG_ARGON2ID13);
    sodium_memzero(hash, sizeof hash);
    return failed ? ERROR_MEMORY : ERROR_DENIED;
}

/* The record's password was given, so it can be kept at today's cost. A failure changes nothing
 * for this login. */
static void renew(struct credentials *credentials, const struct credentials_record *record,
                  const struct prepared_password *password, struct change *change)
{
    const struct credentials_cost *cost = &credentials->cost;
    if (!crypto_pwhash_str_needs_rehash(record->argon2, cost->argon2_passes,
                                        cost->argon2_memory * 1024) &&
        record->scram.iterations >= cost->scram_iterations)
        return;
    change->renewal = true;
    (void)set_prepared(credentials, record->account, password, change);
}

/* A password that is not the right one is EINVAL; otherwise there was no memory to find out, and
 * nobody must be told that a right one is wrong. */
static int verify_argon2(const char *verifier, const struct prepared_password *password)
{
    errno = 0;
    if (crypto_pwhash_str_verify(verifier, password->bytes, password->size) == 0)
        return 0;
    return errno == EINVAL ? ERROR_DENIED : ERROR_MEMORY;
}

static int verify_prepared(struct credentials *credentials,
                           const struct prepared_password *password, struct change *change,
                           uint8_t account[16])
{
    struct credentials_record record;
    int error = read_record(credentials, &change->key, &change->expected);
    if (error == ERROR_NOT_FOUND)
        return waste_work(credentials, slice_make(password->bytes, password->size));
    if (!error)
        error = record_decode(buffer_slice(&change->expected), &record);
    if (error)
        return error;
    if (record.closed)
        return waste_work(credentials, slice_make(password->bytes, password->size));
    error = verify_argon2(record.argon2, password);
    if (!error) {
        memcpy(account, record.account, sizeof record.account);
        renew(credentials, &record, password, change);
    }
    sodium_memzero(&record, sizeof record);
    return error;
}

int credentials_verify(struct credentials *credentials, struct slice name, struct slice password,
                       uint8_t account[16])
{
    struct change change = {0};
    struct prepared_password prepared;
    int error;
    if (make_key(name, &change.key) || password_prepare(password, &prepared)) {
        error = waste_work(credentials, slice_sub(password, 0, CREDENTIALS_PASSWORD_MAXIMUM));
    } else {
        buffer_init(&change.expected, RECORD_MAXIMUM);
        error = verify_prepared(credentials, &prepared, &change, account);
        release_secret(&change.expected);
    }
    sodium_memzero(&prepared, sizeof prepared);
    return error;
}

/* --- SCRAM --- */

static void decoy_hash(const struct credentials *credentials, const char *what, struct slice name,
                       uint8_t hash[SCRAM_KEY_SIZE])
{
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, credentials->decoy, DECOY_SIZE);
    crypto_auth_hmacsha256_update(&state, (const uint8_t *)what, strlen(what) + 1);
    crypto_auth_hmacsha256_update(&state, (const uint8_t *)name.data, name.size);
    crypto_auth_hmacsha256_final(&state, hash);
    sodium_memzero(&state, sizeof state);
}

/* Made for every name, so that it takes the same time whether there is a record or not. */
static void make_decoy_keys(const struct credentials *credentials, struct slice name,
                            struct scram_keys *keys)
{
    uint8_t salt[SCRAM_KEY_SIZE];
    *keys = (struct scram_keys){.iterations = credentials->cost.scram_iterations,
                                .salt_size = SCRAM_SALT_SIZE};
    decoy_hash(credentials, "salt", name, salt);
    memcpy(keys->salt, salt, SCRAM_SALT_SIZE);
    decoy_hash(credentials, "stored key", name, keys->stored_key);
    decoy_hash(credentials, "server key", name, keys->server_key);
}

int credentials_scram(struct credentials *credentials, struct slice name, struct scram_keys *keys,
                      bool *known, uint8_t account[16])
{
    struct credentials_record record = {0};
    struct scram_keys found;
    struct buffer value;
    struct key key;
    buffer_init(&value, RECORD_MAXIMUM);
    make_decoy_keys(credentials, name, &found);
    int error = make_key(name, &key) ? ERROR_NOT_FOUND : read_record(credentials, &key, &value);
    bool there = error == 0;
    if (there)
        error = record_decode(buffer_slice(&value), &record);
    there = there && !record.closed;
    if (there && !error) {
        found = record.scram;
        memcpy(account, record.account, sizeof record.account);
    }
    if (!error || error == ERROR_NOT_FOUND) {
        *keys = found;
        *known = there;
        error = 0;
    }
    sodium_memzero(&record, sizeof record);
    sodium_memzero(&found, sizeof found);
    release_secret(&value);
    return error;
}
