#include "store/urlauth.h"

#include "base/error.h"
#include "store/acl_priv.h"
#include "store/directory.h"
#include "store/mailbox_priv.h"

#include <sodium.h>
#include <stdlib.h>

enum { ALGORITHM = 1, PATH_MEMORY_MAXIMUM = 64 * 1024 };

_Static_assert(ACCESS_KEY_SIZE == crypto_auth_hmacsha256_KEYBYTES, "the key is HMAC's");
_Static_assert(URLAUTH_TOKEN_SIZE == 1 + crypto_auth_hmacsha256_BYTES, "the token is HMAC's");

static void make_token(const uint8_t key[ACCESS_KEY_SIZE], uint32_t uid_validity, struct slice rump,
                       uint8_t token[URLAUTH_TOKEN_SIZE])
{
    crypto_auth_hmacsha256_state state;
    uint32_t validity = htole32(uid_validity);
    token[0] = ALGORITHM;
    crypto_auth_hmacsha256_init(&state, key, ACCESS_KEY_SIZE);
    crypto_auth_hmacsha256_update(&state, (const uint8_t *)&validity, sizeof(validity));
    crypto_auth_hmacsha256_update(&state, (const uint8_t *)rump.data, rump.size);
    crypto_auth_hmacsha256_final(&state, token + 1);
}

/* --- keys --- */

static bool may_sign(const struct store_view *view)
{
    return view->who.kind == WHO_KIND_SYSTEM || view_is_owner(view);
}

static int read_key(struct kv_transaction *transaction, collection_id mailbox, struct buffer *value,
                    uint8_t bytes[ACCESS_KEY_SIZE])
{
    struct key key;
    int error = value_get(transaction, key_of_collection(&key, KEY_ACCESS_KEY, mailbox), value);
    if (!error)
        error = access_key_record_read(buffer_slice(value), bytes);
    if (value->size)
        sodium_memzero(value->data, value->size);
    return error;
}

struct sign_call {
    collection_id mailbox;
    struct slice rump;
    uint8_t *token;
};

static int find_validity(struct change *change, collection_id mailbox, uint32_t *uid_validity)
{
    struct collection_record record = {0};
    int error = collection_read(change->transaction, mailbox, &change->value, &record);
    if (!error && record.type != COLLECTION_MAILBOX)
        error = ERROR_NOT_FOUND;
    *uid_validity = record.uid_validity;
    return error;
}

static int make_key(struct change *change, collection_id mailbox, uint8_t bytes[ACCESS_KEY_SIZE])
{
    struct key key;
    randombytes_buf(bytes, ACCESS_KEY_SIZE);
    access_key_record_write(bytes, &change->value);
    change->quiet = true;
    return change_put(change, key_of_collection(&key, KEY_ACCESS_KEY, mailbox), &change->value);
}

/* In the transaction: a session that is about to end since the account is shared now must not make
 * a key behind the one that has taken all away. */
static int check_signer(const struct store_view *view)
{
    if (!may_sign(view))
        return ERROR_DENIED;
    return view->who.kind == WHO_KIND_SYSTEM ? 0
                                             : store_account_check(view->store, view->account->id);
}

static int sign(struct change *change, void *arg)
{
    struct sign_call *call = arg;
    uint8_t key[ACCESS_KEY_SIZE];
    uint32_t uid_validity;
    int error = check_signer(change->view);
    if (error)
        return error;
    error = find_validity(change, call->mailbox, &uid_validity);
    if (error)
        return error;
    error = read_key(change->transaction, call->mailbox, &change->value, key);
    if (error == ERROR_NOT_FOUND)
        error = make_key(change, call->mailbox, key);
    if (!error)
        make_token(key, uid_validity, call->rump, call->token);
    sodium_memzero(key, sizeof(key));
    return error;
}

int urlauth_sign(struct store_view *view, collection_id mailbox, struct slice rump,
                 uint8_t token[URLAUTH_TOKEN_SIZE])
{
    uint8_t made[URLAUTH_TOKEN_SIZE];
    struct sign_call call = {mailbox, rump, made};
    if (rump.size > URLAUTH_RUMP_MAXIMUM)
        return ERROR_LIMIT;
    int error = view_change(view, KV_DURABLE, sign, &call);
    if (!error)
        memcpy(token, made, sizeof(made));
    return error;
}

static int reset(struct change *change, void *arg)
{
    collection_id mailbox = *(collection_id *)arg;
    struct key key;
    uint32_t uid_validity;
    if (!may_sign(change->view))
        return ERROR_DENIED;
    change->quiet = true;
    if (!mailbox)
        return change_delete_all(change, key_numbers(&key, KEY_ACCESS_KEY, 0, NULL));
    int error = find_validity(change, mailbox, &uid_validity);
    if (!error)
        error = change_delete(change, key_of_collection(&key, KEY_ACCESS_KEY, mailbox));
    return error;
}

int urlauth_reset(struct store_view *view, collection_id mailbox)
{
    return view_change(view, KV_DURABLE, reset, &mailbox);
}

/* --- who has a URL --- */

struct urlauth_reader {
    struct store_view *view; /* the owner's */
    struct mailbox_snapshot *snapshot;
};

/* An address is found for the account that has it, and for nobody else. */
static bool has_address(struct store *store, struct who who, struct slice address)
{
    struct account_id id;
    return who.kind == WHO_KIND_ACCOUNT && address.size &&
           store_account_find(store, who, address, &id) == 0;
}

static bool is_for(struct store *store, struct who who, const struct urlauth_claim *claim)
{
    if (who.kind == WHO_KIND_SYSTEM)
        return claim->access != URLAUTH_NOBODY;
    switch (claim->access) {
    case URLAUTH_NOBODY:
        return false;
    case URLAUTH_ANONYMOUS:
        return who.kind == WHO_KIND_ANONYMOUS || who.kind == WHO_KIND_ACCOUNT;
    case URLAUTH_AUTHUSER:
        return who.kind == WHO_KIND_ACCOUNT;
    case URLAUTH_USER:
        return has_address(store, who, claim->user);
    case URLAUTH_SUBMIT:
        return has_address(store, who, slice_from_string(store->submission));
    }
    return false;
}

/* ERROR_DENIED: there is no such mailbox of its own. */
static int find_mailbox(struct urlauth_reader *reader, struct store *store,
                        const struct urlauth_claim *claim, struct collection *mailbox)
{
    struct account_id owner = {{0}};
    struct arena arena;
    arena_init(&arena, PATH_MEMORY_MAXIMUM);
    int error = store_account_find(store, WHO_SYSTEM, claim->owner, &owner);
    if (!error)
        error = store_view_open(store, who_account(owner), owner, &reader->view);
    if (!error)
        error = collection_find(reader->view, COLLECTION_MAILBOX, claim->mailbox, &arena, mailbox);
    arena_release(&arena);
    return error == ERROR_NOT_FOUND || error == ERROR_SYNTAX || error == ERROR_LIMIT ? ERROR_DENIED
                                                                                     : error;
}

static int load_key(struct urlauth_reader *reader, collection_id mailbox,
                    uint8_t key[ACCESS_KEY_SIZE])
{
    struct kv_transaction *transaction;
    struct buffer value;
    int error = view_read(reader->view, &transaction);
    if (error)
        return error;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    error = read_key(transaction, mailbox, &value, key);
    buffer_release(&value);
    view_read_end(reader->view, &transaction);
    return error == ERROR_NOT_FOUND ? ERROR_DENIED : error;
}

/* Where there is no mailbox or no key, the token is computed with one that nobody knows (RFC 4467
 * section 6). */
static int verify(struct urlauth_reader *reader, struct store *store,
                  const struct urlauth_claim *claim)
{
    struct collection mailbox = {0};
    uint8_t key[ACCESS_KEY_SIZE], token[URLAUTH_TOKEN_SIZE];
    randombytes_buf(key, sizeof(key));
    int error = find_mailbox(reader, store, claim, &mailbox);
    if (!error)
        error = load_key(reader, mailbox.id, key);
    make_token(key, mailbox.uid_validity, claim->rump, token);
    sodium_memzero(key, sizeof(key));
    bool equal = claim->token.size == sizeof(token) &&
                 sodium_memcmp(claim->token.data, token, sizeof(token)) == 0;
    if (!error && !equal)
        error = ERROR_DENIED;
    if (!error)
        error = mailbox_snapshot_open(reader->view, mailbox.id, &reader->snapshot);
    return error == ERROR_NOT_FOUND ? ERROR_DENIED : error;
}

int urlauth_open(struct store *store, struct who who, const struct urlauth_claim *claim,
                 struct urlauth_reader **reader)
{
    if (!is_for(store, who, claim) || (claim->expires && store->clock() > claim->expire) ||
        claim->rump.size > URLAUTH_RUMP_MAXIMUM)
        return ERROR_DENIED;
    struct urlauth_reader *made = calloc(1, sizeof(*made));
    if (!made)
        return ERROR_MEMORY;
    int error = verify(made, store, claim);
    if (error)
        urlauth_close(&made);
    else
        *reader = made;
    return error;
}

void urlauth_close(struct urlauth_reader **reader)
{
    struct urlauth_reader *open = *reader;
    if (!open)
        return;
    if (open->snapshot)
        mailbox_snapshot_close(&open->snapshot);
    if (open->view)
        store_view_close(&open->view);
    free(open);
    *reader = NULL;
}

struct mailbox_snapshot *urlauth_snapshot(const struct urlauth_reader *reader)
{
    return reader->snapshot;
}
