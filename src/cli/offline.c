/*
 * Accounts directly on the data, when no server runs. Started by root, each part is done as the
 * user whose data it is, so that no file is left that the server cannot open.
 */
#include "base/error.h"
#include "blob/blob.h"
#include "cli/backend_priv.h"
#include "credentials/credentials.h"
#include "ipc/confine.h"
#include "kv/kv.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/capability.h>
#include <unistd.h>

enum { ARENA_MAXIMUM = 1 << 30, OPEN_ACCOUNTS = 4 };

struct offline {
    struct backend backend;
    struct kv_engine *mail_kv;
    struct blob_engine *mail_blob;
    struct store *store;
    struct kv_engine *auth_kv;
    struct credentials *credentials;
};

/* The way to the data may lead through directories that are open to root alone, such as its home:
 * looking is still permitted, writing is the user's. */
static int keep_looking(void)
{
    const cap_value_t search = CAP_DAC_READ_SEARCH;
    cap_t capabilities = cap_get_proc();
    bool done = capabilities &&
                cap_set_flag(capabilities, CAP_EFFECTIVE, 1, &search, CAP_SET) == 0 &&
                cap_set_proc(capabilities) == 0;
    cap_free(capabilities);
    return done ? 0 : ERROR_DENIED;
}

/* Becomes the user for a while; root comes back with become_root. */
static int become(const char *user)
{
    uid_t uid;
    gid_t gid;
    if (getuid() != 0)
        return 0;
    int error = confine_user(user, &uid, &gid);
    if (!error && (setegid(gid) < 0 || seteuid(uid) < 0))
        error = error_from_errno(errno);
    return error ? error : keep_looking();
}

static void become_root(void)
{
    if (getuid() == 0 && (seteuid(0) < 0 || setegid(0) < 0))
        abort(); /* cannot happen to a process whose real user is root */
}

static int open_store(struct offline *offline)
{
    const struct config *config = offline->backend.config;
    char directory[PATH_MAX];
    snprintf(directory, sizeof(directory), "%s/mail", config->data_directory);
    int error = become(config->session_user);
    if (!error)
        error = kv_sqlite_create(directory, &offline->mail_kv);
    if (!error)
        error = blob_pack_create(directory, &offline->mail_blob);
    struct store_options options = {.kv = offline->mail_kv,
                                    .blob = offline->mail_blob,
                                    .open_accounts = OPEN_ACCOUNTS,
                                    .default_domain = config->default_domain};
    if (!error)
        error = store_open(&options, &offline->store);
    become_root();
    return error;
}

static int open_credentials(struct offline *offline)
{
    const struct config *config = offline->backend.config;
    char directory[PATH_MAX];
    snprintf(directory, sizeof(directory), "%s/auth", config->data_directory);
    struct credentials_cost cost = {.argon2_memory = (uint64_t)config->password_memory,
                                    .argon2_passes = (uint64_t)config->password_passes,
                                    .scram_iterations = (uint32_t)config->scram_iterations};
    int error = become(config->auth_user);
    if (!error)
        error = kv_sqlite_create(directory, &offline->auth_kv);
    if (!error)
        error = credentials_open(offline->auth_kv, &cost, &offline->credentials);
    become_root();
    return error;
}

static int offline_account_find(struct backend *backend, struct slice address,
                                struct account_info *found)
{
    struct offline *offline = (struct offline *)backend;
    struct account_info *accounts;
    struct buffer normal;
    size_t count;
    buffer_init(&normal, ADDRESS_MAXIMUM);
    int error = store_normalise_address(offline->store, address, &normal);
    if (!error)
        error = backend->operations->account_list(backend, &accounts, &count);
    if (!error) {
        error = ERROR_NOT_FOUND;
        for (size_t i = 0; i < count; i++) {
            if (slice_equal(accounts[i].address, buffer_slice(&normal))) {
                *found = accounts[i];
                error = 0;
            }
        }
    }
    buffer_release(&normal);
    return error;
}

static int offline_account_add(struct backend *backend, struct slice address,
                               struct account_info *made)
{
    struct offline *offline = (struct offline *)backend;
    struct account_id id;
    int error = become(backend->config->session_user);
    if (!error)
        error = store_account_create(offline->store, WHO_SYSTEM, address, &id);
    become_root();
    return error ? error : offline_account_find(backend, address, made);
}

static int offline_account_delete(struct backend *backend, const struct account_info *account)
{
    struct offline *offline = (struct offline *)backend;
    int error = become(backend->config->session_user);
    if (!error)
        error = store_account_delete(offline->store, WHO_SYSTEM, account->id);
    become_root();
    return error;
}

static int offline_account_list(struct backend *backend, struct account_info **accounts,
                                size_t *count)
{
    struct offline *offline = (struct offline *)backend;
    int error = become(backend->config->session_user);
    if (!error)
        error = store_account_list(offline->store, WHO_SYSTEM, &backend->arena, accounts, count);
    become_root();
    return error;
}

static int offline_password_set(struct backend *backend, const struct account_info *account,
                                struct slice password)
{
    struct offline *offline = (struct offline *)backend;
    int error = become(backend->config->auth_user);
    if (!error)
        error =
            credentials_set(offline->credentials, account->address, account->id.bytes, password);
    become_root();
    return error;
}

static int offline_password_delete(struct backend *backend, struct slice name)
{
    struct offline *offline = (struct offline *)backend;
    int error = become(backend->config->auth_user);
    if (!error)
        error = credentials_delete(offline->credentials, name);
    become_root();
    return error;
}

static void offline_close(struct backend *backend)
{
    struct offline *offline = (struct offline *)backend;
    if (offline->store)
        store_close(&offline->store);
    if (offline->mail_blob)
        blob_engine_free(&offline->mail_blob);
    if (offline->mail_kv)
        kv_engine_free(&offline->mail_kv);
    if (offline->credentials)
        credentials_close(&offline->credentials);
    if (offline->auth_kv)
        kv_engine_free(&offline->auth_kv);
    free(offline);
}

static const struct backend_operations offline_operations = {
    .account_add = offline_account_add,
    .account_find = offline_account_find,
    .account_delete = offline_account_delete,
    .account_list = offline_account_list,
    .password_set = offline_password_set,
    .password_delete = offline_password_delete,
    .close = offline_close,
};

int backend_offline_open(const struct config *config, struct backend **backend)
{
    struct offline *offline = calloc(1, sizeof(*offline));
    if (!offline)
        return ERROR_MEMORY;
    struct backend *made = &offline->backend;
    made->operations = &offline_operations;
    made->config = config;
    arena_init(&made->arena, ARENA_MAXIMUM);
    int error = open_store(offline);
    if (!error)
        error = open_credentials(offline);
    if (error)
        backend_close(&made);
    else
        *backend = made;
    return error;
}
