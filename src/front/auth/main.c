/*
 * chapar-auth: checks passwords, and says who a stream belongs to.
 *
 * Started by chapard alone. It asks nobody and reaches no network (but the cluster, where that
 * holds the credentials: engine = "rados"); chapar-login asks it whether a name and password go
 * together, and gets a ticket; chapar-session redeems the ticket. The administrator's command sets
 * and deletes passwords through it. It opens the credentials' own key space and nothing else.
 *
 * Argon2id runs in the thread pool, two at a time with a bounded queue before them; a password
 * verified within password_cache_time is answered from memory and never waits behind them.
 *
 * Options of chapar.conf: default_domain, lmtp_accounts, lmtp_trusted, password_memory,
 * password_passes, scram_iterations, password_cache_time.
 */
#include "front/auth/auth_priv.h"

#include "base/error.h"
#include "base/log.h"
#include "kv/kv.h"
#include "rados/cluster.h"

#include <sodium.h>

struct program {
    struct auth auth;
    struct cluster *cluster; /* NULL: the credentials are on this machine */
    struct kv_engine *engine;
    struct service *service;
};

static void on_peer(struct service *service, enum ipc_channel_kind kind, uint32_t slot, int socket)
{
    struct program *program = service_state(service);
    peers_add(&program->auth, kind, slot, socket);
}

static void on_admin(struct service *service, uint32_t uid, int socket)
{
    struct program *program = service_state(service);
    log_debug("admin", LOG_NUMBER("uid", uid));
    peers_add(&program->auth, IPC_CHANNEL_ADMIN, 0, socket);
}

static void on_peer_lost(enum ipc_channel_kind kind, uint32_t slot, int error, void *arg)
{
    struct program *program = arg;
    service_peer_lost(program->service, kind, slot, error);
}

static void drained(void *arg)
{
    struct program *program = arg;
    service_stop(program->service);
}

static void on_drain(struct service *service, uint32_t seconds)
{
    struct program *program = service_state(service);
    auth_drain(&program->auth, seconds, drained, program);
}

static void allow_ports(unsigned first, unsigned last, void *arg)
{
    service_allow_ports(arg, first, last);
}

static int prepare_cluster(struct program *program)
{
    const struct config *config = service_config(program->service);
    int error = cluster_from_config(config, config->rados_auth_user, &program->cluster);
    if (error)
        log_error("cluster", LOG_TEXT("reason", error_name(error)),
                  LOG_TEXT("config", config->rados_config));
    else if (program->cluster)
        cluster_each_ports(program->cluster, allow_ports, program->service);
    return error;
}

static int open_engine(struct program *program)
{
    if (!program->cluster)
        return kv_sqlite_create(service_root(program->service), &program->engine);
    int error = cluster_connect(program->cluster);
    return error ? error : kv_rados_create(program->cluster, CLUSTER_AUTH, 0, &program->engine);
}

/* After confinement: the key space's paths are those inside the new root. */
static int open_credentials(struct program *program)
{
    const struct config *config = service_config(program->service);
    struct credentials_cost cost = {
        .argon2_memory = (uint64_t)config->password_memory,
        .argon2_passes = (uint64_t)config->password_passes,
        .scram_iterations = (uint32_t)config->scram_iterations,
    };
    int error = open_engine(program);
    if (!error)
        error = credentials_open(program->engine, &cost, &program->auth.credentials);
    if (error)
        log_error("credentials_failed", LOG_TEXT("reason", error_name(error)));
    return error;
}

/* A job that outlived the drain's deadline still uses the credentials: then they end with the
 * process. */
static int run(struct program *program)
{
    struct auth *auth = &program->auth;
    if (prepare_cluster(program) || service_confine(program->service) || open_credentials(program))
        return 1;
    int status = service_run(program->service);
    if (jobs_idle(&auth->jobs)) {
        credentials_close(&auth->credentials);
        kv_engine_free(&program->engine);
        cluster_free(&program->cluster);
    }
    return status;
}

int main(int count, char **arguments)
{
    static const struct service_handlers handlers = {on_peer, on_admin, on_drain};
    static struct program program;
    if (sodium_init() < 0)
        return 1;
    if (service_start(count, arguments, PROCESS_AUTH, &handlers, &program, &program.service))
        return 1;
    const struct config *config = service_config(program.service);
    if (auth_init(&program.auth, service_loop(program.service), config->default_domain,
                  (uint64_t)config->password_cache_time))
        return 1;
    program.auth.lmtp_accounts = config->lmtp_accounts;
    program.auth.lmtp_trusted = config->lmtp_trusted;
    program.auth.peer_lost = on_peer_lost;
    program.auth.peer_lost_arg = &program;
    return run(&program);
}
