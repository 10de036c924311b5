#include "base/clock.h"
#include "base/counters.h"
#include "base/error.h"
#include "base/gate.h"
#include "blob/blob.h"
#include "store/store_priv.h"

#include <stdlib.h>

/* With two connections of 256 KiB (kv/sqlite), or one, in between two rounds of store_maintain; of
 * half of the accounts that may stay open at the most, so that there is room for others. */
enum { ACCOUNTS_KEPT_WARM = 128 };

/* --- the table and the list of unused ones; all under the store's lock --- */

static struct account **bucket_of(struct store *store, struct account_id id)
{
    return &store->buckets[(id.bytes[0] | (unsigned)id.bytes[1] << 8) % ACCOUNT_BUCKETS];
}

static struct account *find(struct store *store, struct account_id id)
{
    struct account *account = *bucket_of(store, id);
    while (account && !account_id_equal(account->id, id))
        account = account->bucket_next;
    return account;
}

static void table_remove(struct account *account)
{
    struct account **link = bucket_of(account->store, account->id);
    while (*link && *link != account)
        link = &(*link)->bucket_next;
    if (*link)
        *link = account->bucket_next;
}

static void unused_append(struct account *account)
{
    struct store *store = account->store;
    account->unused_previous = store->unused_last;
    account->unused_next = NULL;
    *(store->unused_last ? &store->unused_last->unused_next : &store->unused_first) = account;
    store->unused_last = account;
    store->unused++;
}

static void unused_remove(struct account *account)
{
    struct store *store = account->store;
    struct account *previous = account->unused_previous, *next = account->unused_next;
    *(previous ? &previous->unused_next : &store->unused_first) = next;
    *(next ? &next->unused_previous : &store->unused_last) = previous;
    store->unused--;
}

/* --- opening and closing --- */

void account_space_name(struct account_id id, char name[SPACE_NAME_MAXIMUM])
{
    char text[ACCOUNT_ID_TEXT + 1];
    account_id_format(id, text);
    snprintf(name, SPACE_NAME_MAXIMUM, "accounts/%.2s/%s", text, text);
}

/* Not under the lock: closing may write. */
static void account_close(struct account *account)
{
    struct store *store = account->store;
    if (account->kv) {
        kv_close(&account->kv);
        counters_add(COUNTER_STORE_OPEN_ACCOUNTS, -1);
    }
    /* What fails here is an orphan without a name, which a check finds. */
    if (account->doomed) {
        kv_destroy(store->kv, account->space);
        blob_destroy(store->blob, account->space);
    }
    free(account);
}

static struct account *account_new(struct store *store, struct account_id id)
{
    struct account *account = calloc(1, sizeof(*account));
    if (!account)
        return NULL;
    account->store = store;
    account->id = id;
    account->opening = true;
    account_space_name(id, account->space);
    account->bucket_next = *bucket_of(store, id);
    *bucket_of(store, id) = account;
    return account;
}

/* Under the lock, which is let go while the space opens. */
static int open_space(struct account *account, unsigned flags)
{
    struct store *store = account->store;
    pthread_mutex_unlock(&store->lock);
    struct kv *kv = NULL;
    int error = kv_open(store->kv, account->space, flags, &kv);
    pthread_mutex_lock(&store->lock);
    account->kv = kv;
    account->error = error;
    account->opening = false;
    if (error)
        table_remove(account);
    else
        counters_add(COUNTER_STORE_OPEN_ACCOUNTS, 1);
    pthread_cond_broadcast(&store->opened);
    return error;
}

int account_take(struct store *store, struct account_id id, unsigned flags, struct account **taken)
{
    pthread_mutex_lock(&store->lock);
    int error = 0;
    struct account *account = find(store, id);
    if (!account) {
        account = account_new(store, id);
        if (account) {
            account->references = 1;
            error = open_space(account, flags);
        }
    } else {
        if (account->references++ == 0)
            unused_remove(account);
        while (account->opening)
            pthread_cond_wait(&store->opened, &store->lock);
        error = account->error;
    }
    pthread_mutex_unlock(&store->lock);
    if (!account)
        return ERROR_MEMORY;
    if (error)
        account_give(account);
    else
        *taken = account;
    return error;
}

void account_give(struct account *account)
{
    struct store *store = account->store;
    struct account *closing = NULL;
    pthread_mutex_lock(&store->lock);
    if (--account->references == 0) {
        if (account->error || account->doomed) {
            closing = account;
        } else {
            unused_append(account);
            /* To close may be to write: not now, in a freeze. */
            if (store->unused > store->open_accounts && !gate_is_closed()) {
                closing = store->unused_first;
                unused_remove(closing);
                table_remove(closing);
            }
        }
    }
    pthread_mutex_unlock(&store->lock);
    if (closing)
        account_close(closing);
}

void account_doom(struct account *account)
{
    struct store *store = account->store;
    pthread_mutex_lock(&store->lock);
    if (!account->doomed)
        table_remove(account);
    account->doomed = true;
    pthread_mutex_unlock(&store->lock);
}

/* --- maintenance --- */

static void used_push(struct account *account)
{
    account->used_next = account->store->used;
    account->store->used = account;
}

/* The list holds references: when it is full, only those must be in it that are to be flushed. The
 * others are tidied up when they are closed. */
void account_mark_used(struct account *account)
{
    struct store *store = account->store;
    pthread_mutex_lock(&store->lock);
    account->used_again = true;
    if (!account->used && (store->used_count < store->open_accounts || account->relaxed)) {
        account->used = true;
        account->references++;
        store->used_count++;
        used_push(account);
    }
    pthread_mutex_unlock(&store->lock);
}

void account_mark_changed(struct account *account, enum kv_durability durability)
{
    if (durability == KV_RELAXED)
        account->relaxed = true;
    counters_add(durability == KV_RELAXED ? COUNTER_STORE_COMMITS_RELAXED
                                          : COUNTER_STORE_COMMITS_DURABLE,
                 1);
    account_mark_used(account);
}

bool account_next_unpurged(struct store *store, int64_t now, int64_t before, struct account_id *id)
{
    bool found = false;
    pthread_mutex_lock(&store->lock);
    for (size_t i = 0; i < ACCOUNT_BUCKETS && !found; i++) {
        for (struct account *account = store->buckets[i]; account && !found;
             account = account->bucket_next) {
            found = !account->opening && account->purged <= before;
            if (found) {
                account->purged = now;
                *id = account->id;
            }
        }
    }
    pthread_mutex_unlock(&store->lock);
    return found;
}

bool account_next_unseen(struct store *store, struct account_id *id)
{
    bool found = false;
    pthread_mutex_lock(&store->lock);
    for (size_t i = 0; i < ACCOUNT_BUCKETS && !found; i++) {
        for (struct account *account = store->buckets[i]; account && !found;
             account = account->bucket_next) {
            found = !account->opening && !account->summaries_seen;
            if (found) {
                account->summaries_seen = true;
                *id = account->id;
            }
        }
    }
    pthread_mutex_unlock(&store->lock);
    return found;
}

void account_mark_due(struct account *account, enum account_job job)
{
    struct store *store = account->store;
    int64_t now = store->clock();
    pthread_mutex_lock(&store->lock);
    if (!account->since[job])
        account->since[job] = now;
    pthread_mutex_unlock(&store->lock);
}

bool account_next_due(struct store *store, enum account_job job, int64_t before,
                      struct account_id *id)
{
    bool found = false;
    pthread_mutex_lock(&store->lock);
    for (size_t i = 0; i < ACCOUNT_BUCKETS && !found; i++) {
        for (struct account *account = store->buckets[i]; account && !found;
             account = account->bucket_next) {
            found = account->since[job] && account->since[job] <= before;
            if (found) {
                account->since[job] = 0;
                *id = account->id;
            }
        }
    }
    pthread_mutex_unlock(&store->lock);
    return found;
}

static int maintain_account(struct account *account, bool warm)
{
    /* Taken back before the flush: a commit that comes meanwhile sets it again. */
    int error = 0;
    if (atomic_exchange(&account->relaxed, false))
        error = kv_sync(account->kv);
    int other = warm ? kv_maintain(account->kv) : kv_rest(account->kv);
    if (error) {
        account->relaxed = true;
        account_mark_changed(account, KV_RELAXED);
    }
    return error ? error : other;
}

/* Of an account that was taken out of the list. One that has been used since the last time stays in
 * it and keeps its memory, up to ACCOUNTS_KEPT_WARM of them: to read the pages that each delivery
 * needs anew, once a second, takes a tenth of a busy process's time. The others rest. */
static int look_after(struct account *account, size_t *kept)
{
    struct store *store = account->store;
    pthread_mutex_lock(&store->lock);
    bool warm =
        account->used_again && *kept < ACCOUNTS_KEPT_WARM && *kept < store->open_accounts / 2;
    account->used_again = false;
    pthread_mutex_unlock(&store->lock);

    int error = account->doomed ? 0 : maintain_account(account, warm);

    pthread_mutex_lock(&store->lock);
    /* What it was used for meanwhile may be commits that are to be flushed. */
    bool stays = (warm && !account->doomed) || account->used_again;
    if (stays)
        used_push(account);
    account->used = stays;
    store->used_count -= !stays;
    *kept += stays;
    pthread_mutex_unlock(&store->lock);
    if (!stays)
        account_give(account);
    return error;
}

int store_maintain(struct store *store)
{
    directory_let_go(store);
    if (gate_is_closed())
        return 0; /* next time */
    pthread_mutex_lock(&store->lock);
    struct account *account = store->used;
    store->used = NULL;
    bool directory = store->directory_changed;
    store->directory_changed = false;
    pthread_mutex_unlock(&store->lock);

    int error = directory ? kv_rest(store->directory) : 0;
    for (size_t kept = 0; account;) {
        struct account *next = account->used_next;
        int failed = look_after(account, &kept);
        error = error ? error : failed;
        account = next;
    }
    return error;
}

/* --- the store --- */

int store_open(const struct store_options *options, struct store **opened)
{
    struct store *store = calloc(1, sizeof(*store));
    if (!store)
        return ERROR_MEMORY;
    store->kv = options->kv;
    store->blob = options->blob;
    store->open_accounts = options->open_accounts;
    store->keep_expunged = options->keep_expunged;
    store->keep_changes = options->keep_changes;
    store->keep_delivered = options->keep_delivered;
    store->outgoing_rate = options->outgoing_rate;
    store->keep_from_anyone = options->keep_from_anyone;
    store->due = options->due;
    store->due_arg = options->due_arg;
    store->clock = options->clock ? options->clock : clock_wall;
    memcpy(store->limits, options->limits, sizeof(store->limits));
    pthread_mutex_init(&store->lock, NULL);
    pthread_mutex_init(&store->kept_lock, NULL);
    pthread_cond_init(&store->opened, NULL);
    int error = kv_open(store->kv, DIRECTORY_SPACE, KV_CREATE, &store->directory);
    if (!error && options->submission) {
        store->submission = strdup(options->submission);
        error = store->submission ? 0 : ERROR_MEMORY;
    }
    if (!error && options->default_domain) {
        store->default_domain = strdup(options->default_domain);
        error = store->default_domain ? 0 : ERROR_MEMORY;
    }
    if (error)
        store_close(&store);
    else
        *opened = store;
    return error;
}

void store_close(struct store **closed)
{
    struct store *store = *closed;
    if (!store)
        return;
    store_maintain(store);
    /* What could not be flushed is let go all the same. */
    while (store->used) {
        struct account *account = store->used;
        store->used = account->used_next;
        account_give(account);
    }
    while (store->unused_first) {
        struct account *account = store->unused_first;
        unused_remove(account);
        table_remove(account);
        account_close(account);
    }
    directory_let_go(store);
    pthread_mutex_destroy(&store->kept_lock);
    if (store->directory)
        kv_close(&store->directory);
    pthread_cond_destroy(&store->opened);
    pthread_mutex_destroy(&store->lock);
    free(store->default_domain);
    free(store->submission);
    free(store);
    *closed = NULL;
}
