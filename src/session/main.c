/*
 * chapar-session: serves authenticated streams (IMAP), LMTP and the MTA's questions from the store.
 *
 *     chapar-session -c FILE            (started by chapard, chapard(8))
 *
 * One loop owns every socket; a bounded pool of threads runs the commands (session_threads).
 * Streams come from chapar-login with a ticket that chapar-auth redeems; connections of the MTA on
 * this machine (LMTP, questions about recipients) are accepted here. The process sees its mail root
 * and nothing else.
 *
 * Order: listeners and shared memory from chapard, and of a cluster (engine = "rados") how to reach
 * it
 * -> confinement -> the store, within the mail root or the cluster -> the loop -> drained: the
 * store is brought to rest and closed.
 */
#include "base/error.h"
#include "base/log.h"
#include "blob/blob.h"
#include "kv/kv.h"
#include "kv/notice_ring.h"
#include "rados/cluster.h"
#include "session/admin.h"
#include "session/handover.h"
#include "session/sender.h"
#include "store/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct session {
    struct service *service;
    struct notice_ring *notices;
    struct cluster *cluster; /* NULL: the data is on this machine */
    struct kv_engine *kv;
    struct blob_engine *blob;
    struct store *store;
    int spool_directory;
    struct worker *worker;
    struct handover *handover;
    struct sender *sender;
    struct admin *admin;
};

static const struct handover_protocol protocols[] = {{PROTOCOL_IMAP, &imap_protocol},
                                                     {PROTOCOL_POP3, &pop3_protocol},
                                                     {PROTOCOL_MANAGESIEVE, &managesieve_protocol},
                                                     {PROTOCOL_LMTP, &lmtp_protocol},
                                                     {0, NULL}};

/* --- what chapard asks --- */

static void on_peer(struct service *service, enum ipc_channel_kind kind, uint32_t slot, int socket)
{
    struct session *session = service_state(service);
    int error = ERROR_INVALID;
    if (kind == IPC_CHANNEL_LOGIN_SESSION)
        error = handover_login(session->handover, slot, socket);
    else if (kind == IPC_CHANNEL_SESSION_SEND)
        error = sender_peer(session->sender, slot, socket);
    else if (kind == IPC_CHANNEL_SESSION_AUTH)
        error = handover_auth(session->handover, slot, socket);
    else
        close(socket);
    if (error)
        log_error("peer", LOG_NUMBER("kind", kind), LOG_TEXT("reason", error_name(error)));
}

static void on_peer_lost(enum ipc_channel_kind kind, uint32_t slot, int error, void *arg)
{
    struct session *session = arg;
    service_peer_lost(session->service, kind, slot, error);
}

static void on_admin(struct service *service, uint32_t uid, int socket)
{
    struct session *session = service_state(service);
    log_info("admin_connection", LOG_NUMBER("uid", uid));
    admin_accept(session->admin, socket);
}

static void on_drain(struct service *service, uint32_t seconds)
{
    struct session *session = service_state(service);
    worker_drain(session->worker, seconds);
    handover_drain(session->handover);
    sender_drain(session->sender, seconds);
}

static void on_sender_ended(void *arg)
{
    struct session *session = arg;
    service_stop(session->service);
}

/* Whoever could tell the sender of an account has ended: streams, and now operations. */
static void on_admin_ended(void *arg)
{
    struct session *session = arg;
    sender_end(session->sender);
}

static void on_drained(void *arg)
{
    struct session *session = arg;
    handover_end(session->handover);
    admin_end(session->admin);
}

static void on_due(struct account_id account, enum due_kind kind, void *arg)
{
    struct session *session = arg;
    sender_due(session->sender, kind, account);
}

/* --- before confinement --- */

/* Before anything runs in the pool: three more are for maintenance, administration and the sender.
 */
static void set_threads(const struct config *config)
{
    char text[24];
    long long threads = WORKER_POOL * config->session_threads + 3;
    snprintf(text, sizeof(text), "%lld", threads);
    setenv("UV_THREADPOOL_SIZE", text, 1);
}

static void allow_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit))
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* Replies are written in one piece: accepted sockets inherit it. */
static void set_listener_options(struct service *service)
{
    size_t count;
    struct service_listener *listeners = service_listeners(service, &count);
    for (size_t i = 0; i < count; i++) {
        int on = 1;
        setsockopt(listeners[i].socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }
}

static int attach_notices(struct session *session)
{
    const int *wake;
    int memory = service_notices(session->service, &wake);
    return notice_ring_attach(memory, wake, (int)service_slot(session->service), &session->notices);
}

static void allow_ports(unsigned first, unsigned last, void *arg)
{
    service_allow_ports(arg, first, last);
}

static int prepare_cluster(struct session *session)
{
    const struct config *config = service_config(session->service);
    int error = cluster_from_config(config, "", &session->cluster);
    if (error)
        log_error("cluster", LOG_TEXT("reason", error_name(error)),
                  LOG_TEXT("config", config->rados_config));
    else if (session->cluster)
        cluster_each_ports(session->cluster, allow_ports, session->service);
    return error;
}

/* --- after confinement --- */

static int open_spool(struct session *session, const char *root)
{
    struct buffer path;
    buffer_init(&path, 4096);
    buffer_append_format(&path, "%s/spool", root);
    int error = buffer_error(&path);
    if (!error && mkdir(path.data, 0700) && errno != EEXIST)
        error = error_from_errno(errno);
    if (!error) {
        session->spool_directory = open(path.data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (session->spool_directory < 0)
            error = error_from_errno(errno);
    }
    buffer_release(&path);
    return error;
}

static int open_files(struct session *session)
{
    const char *root = service_root(session->service);
    int error = kv_sqlite_create(root, &session->kv);
    return error ? error : blob_pack_create(root, &session->blob);
}

static int open_cluster(struct session *session)
{
    const struct config *config = service_config(session->service);
    int error = cluster_connect(session->cluster);
    if (!error)
        error = kv_rados_create(session->cluster, CLUSTER_MAIL, (size_t)config->rados_cache,
                                &session->kv);
    return error ? error : blob_rados_create(session->cluster, CLUSTER_BLOBS, &session->blob);
}

static int open_store(struct session *session)
{
    const struct config *config = service_config(session->service);
    int error = session->cluster ? open_cluster(session) : open_files(session);
    if (error)
        return error;
    kv_engine_set_notices(session->kv, session->notices);
    const struct store_options options = {.kv = session->kv,
                                          .blob = session->blob,
                                          .open_accounts = (size_t)config->open_accounts,
                                          .default_domain = config->default_domain,
                                          .submission = config->submission_user,
                                          .keep_expunged = config->keep_expunged,
                                          .keep_changes = config->keep_changes,
                                          .keep_delivered = config->lmtp_duplicate_time,
                                          .keep_from_anyone = !config->share_with_anyone,
                                          .outgoing_rate = (uint32_t)config->outgoing_rate,
                                          .due = on_due,
                                          .due_arg = session,
                                          .limits = {
                                              [QUOTA_STORAGE] = (uint64_t)config->quota_storage,
                                              [QUOTA_MESSAGE] = (uint64_t)config->quota_messages,
                                          }};
    return store_open(&options, &session->store);
}

/* LMTP and the MTA's questions; who asks and is turned away asks again. */
static int listen_all(struct session *session)
{
    static const char busy[] = "421 4.3.2 too many connections, try again later\r\n";
    size_t count;
    struct service_listener *listeners = service_listeners(session->service, &count);
    for (size_t i = 0; i < count; i++) {
        bool lmtp = listeners[i].protocol == PROTOCOL_LMTP;
        if (!lmtp && listeners[i].protocol != PROTOCOL_MTA)
            continue;
        int error = worker_listen(session->worker, listeners[i].socket,
                                  lmtp ? &lmtp_protocol : &mta_protocol, lmtp ? busy : "");
        if (error)
            return error;
        listeners[i].socket = -1;
    }
    return 0;
}

static int start_worker(struct session *session)
{
    uv_loop_t *loop = service_loop(session->service);
    const struct worker_options options = {.loop = loop,
                                           .config = service_config(session->service),
                                           .service = session->service,
                                           .store = session->store,
                                           .spool_directory = session->spool_directory,
                                           .notices = session->notices,
                                           .check_account = store_account_check,
                                           .drained = on_drained,
                                           .arg = session};
    int error = worker_create(&options, &session->worker);
    if (!error)
        error = listen_all(session);
    if (!error)
        error = handover_create(loop, session->worker, protocols, &session->handover);
    if (!error)
        handover_on_lost(session->handover, on_peer_lost, session);
    const struct sender_options sender = {.loop = loop,
                                          .config = service_config(session->service),
                                          .store = session->store,
                                          .worker = session->worker,
                                          .spool_directory = session->spool_directory,
                                          .lost = on_peer_lost,
                                          .ended = on_sender_ended,
                                          .arg = session};
    if (!error)
        error = sender_create(&sender, &session->sender);
    const struct admin_options admin = {.loop = loop,
                                        .store = session->store,
                                        .worker = session->worker,
                                        .ended = on_admin_ended,
                                        .arg = session};
    return error ? error : admin_create(&admin, &session->admin);
}

static int start(struct session *session)
{
    int error = open_spool(session, service_root(session->service));
    if (!error)
        error = open_store(session);
    if (!error)
        error = start_worker(session);
    if (error)
        log_error("start", LOG_TEXT("reason", error_name(error)),
                  LOG_TEXT("root", service_root(session->service)));
    return error;
}

/* The loop has ended. */
static void finish(struct session *session)
{
    admin_free(&session->admin);
    handover_free(&session->handover);
    sender_free(&session->sender);
    worker_free(&session->worker);
    int error = store_maintain(session->store);
    if (error)
        log_error("maintain", LOG_TEXT("reason", error_name(error)));
    store_close(&session->store);
    blob_engine_free(&session->blob);
    kv_engine_free(&session->kv);
    cluster_free(&session->cluster);
    notice_ring_detach(&session->notices);
    close(session->spool_directory);
}

int main(int count, char **arguments)
{
    static const struct service_handlers handlers = {on_peer, on_admin, on_drain};
    struct session session = {0};
    if (service_start(count, arguments, PROCESS_SESSION, &handlers, &session, &session.service))
        return 1;
    set_threads(service_config(session.service));
    allow_descriptors();
    set_listener_options(session.service);
    int error = attach_notices(&session);
    if (error)
        log_error("notices", LOG_TEXT("reason", error_name(error)));
    if (error || prepare_cluster(&session) || service_confine(session.service) || start(&session))
        return 1;
    int status = service_run(session.service);
    finish(&session);
    return status;
}
