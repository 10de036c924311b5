/*
 * Directly on the data, when no server runs on this machine. Started by root, each part is done as
 * the user whose data it is, so that no file is left that the server cannot open.
 */
#include "base/error.h"
#include "blob/blob.h"
#include "cli/backend_priv.h"
#include "credentials/credentials.h"
#include "format/login_name.h"
#include "ipc/confine.h"
#include "kv/kv.h"
#include "rados/cluster.h"
#include "store/transfer.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/capability.h>
#include <unistd.h>

enum { ARENA_MAXIMUM = 1 << 20, OPEN_ACCOUNTS = 4 };

struct offline {
    struct backend backend;
    struct cluster *mail_cluster, *auth_cluster; /* NULL: the data is on this machine */
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

/* The key of the cluster's user is read as who called. */
static int connect_to(const struct config *config, const char *user, struct cluster **cluster)
{
    int error = cluster_from_config(config, user, cluster);
    return !error && *cluster ? cluster_connect(*cluster) : error;
}

static int open_mail_cluster(struct offline *offline)
{
    int error = kv_rados_create(offline->mail_cluster, CLUSTER_MAIL,
                                (size_t)offline->backend.config->rados_cache, &offline->mail_kv);
    return error ? error
                 : blob_rados_create(offline->mail_cluster, CLUSTER_BLOBS, &offline->mail_blob);
}

static int open_mail_files(struct offline *offline)
{
    char directory[PATH_MAX];
    snprintf(directory, sizeof(directory), "%s/mail", offline->backend.config->data_directory);
    int error = kv_sqlite_create(directory, &offline->mail_kv);
    return error ? error : blob_pack_create(directory, &offline->mail_blob);
}

static int open_store(struct offline *offline)
{
    const struct config *config = offline->backend.config;
    int error = connect_to(config, "", &offline->mail_cluster);
    if (!error)
        error = become(config->session_user);
    if (!error)
        error = offline->mail_cluster ? open_mail_cluster(offline) : open_mail_files(offline);
    struct store_options options = {.kv = offline->mail_kv,
                                    .blob = offline->mail_blob,
                                    .open_accounts = OPEN_ACCOUNTS,
                                    .default_domain = config->default_domain,
                                    .keep_expunged = config->keep_expunged,
                                    .keep_changes = config->keep_changes,
                                    .keep_delivered = config->lmtp_duplicate_time,
                                    .outgoing_rate = (uint32_t)config->outgoing_rate,
                                    .limits = {
                                        [QUOTA_STORAGE] = (uint64_t)config->quota_storage,
                                        [QUOTA_MESSAGE] = (uint64_t)config->quota_messages,
                                    }};
    size_t finished;
    if (!error)
        error = store_open(&options, &offline->store);
    if (!error)
        error = store_recover(offline->store, &finished);
    become_root();
    return error;
}

static int open_auth_engine(struct offline *offline)
{
    char directory[PATH_MAX];
    if (offline->auth_cluster)
        return kv_rados_create(offline->auth_cluster, CLUSTER_AUTH, 0, &offline->auth_kv);
    snprintf(directory, sizeof(directory), "%s/auth", offline->backend.config->data_directory);
    return kv_sqlite_create(directory, &offline->auth_kv);
}

static int open_credentials(struct offline *offline)
{
    const struct config *config = offline->backend.config;
    struct credentials_cost cost = {.argon2_memory = (uint64_t)config->password_memory,
                                    .argon2_passes = (uint64_t)config->password_passes,
                                    .scram_iterations = (uint32_t)config->scram_iterations};
    int error = connect_to(config, config->rados_auth_user, &offline->auth_cluster);
    if (!error)
        error = become(config->auth_user);
    if (!error)
        error = open_auth_engine(offline);
    if (!error)
        error = credentials_open(offline->auth_kv, &cost, &offline->credentials);
    become_root();
    return error;
}

struct offline_call {
    struct admin_call call;
    const struct answer *answer;
};

static int take_row(struct admin_call *call, const struct admin_field *fields, size_t count)
{
    const struct answer *answer = ((struct offline_call *)call)->answer;
    return answer->row(fields, count, answer->arg);
}

static int take_progress(struct admin_call *call, uint64_t done, uint64_t total)
{
    const struct answer *answer = ((struct offline_call *)call)->answer;
    if (answer->progress)
        answer->progress(done, total, answer->arg);
    return 0;
}

/* Nobody is logged in. */
static void take_gone(struct admin_call *call, struct account_id account)
{
    (void)call, (void)account;
}

static int offline_call(struct backend *backend, const char *operation,
                        const struct admin_argument *arguments, size_t count,
                        const struct answer *answer)
{
    struct offline *offline = (struct offline *)backend;
    struct offline_call call = {.call = {.store = offline->store,
                                         .arguments = arguments,
                                         .argument_count = count,
                                         .row = take_row,
                                         .progress = take_progress,
                                         .account_gone = take_gone},
                                .answer = answer};
    int error = become(backend->config->session_user);
    if (!error)
        error = admin_run(slice_from_string(operation), &call.call);
    become_root();
    snprintf(backend->detail, sizeof(backend->detail), "%s", call.call.detail);
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

static int offline_password_rename(struct backend *backend, const struct account_info *account,
                                   struct slice name)
{
    struct offline *offline = (struct offline *)backend;
    struct buffer normal;
    buffer_init(&normal, ADDRESS_MAXIMUM);
    int error = address_normalise(name, backend->config->default_domain, &normal);
    if (!error)
        error = become(backend->config->auth_user);
    if (!error)
        error = credentials_rename(offline->credentials, account->id.bytes, buffer_slice(&normal),
                                   account->address);
    become_root();
    buffer_release(&normal);
    return error;
}

static int offline_password_close(struct backend *backend, const struct account_info *account,
                                  bool closed)
{
    struct offline *offline = (struct offline *)backend;
    int error = become(backend->config->auth_user);
    if (!error)
        error = credentials_close_name(offline->credentials, account->address, account->id.bytes,
                                       closed);
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
    cluster_free(&offline->mail_cluster);
    cluster_free(&offline->auth_cluster);
    free(offline);
}

static const struct backend_operations offline_operations = {
    .call = offline_call,
    .password_set = offline_password_set,
    .password_delete = offline_password_delete,
    .password_rename = offline_password_rename,
    .password_close = offline_password_close,
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
