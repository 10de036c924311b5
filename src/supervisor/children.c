/*
 * A child's life:
 *
 *   STARTING -- READY --> READY -- child_drain --> DRAINING -- exit --> gone
 *      |                    |
 *      +------- exit -------+--> WAITING (backoff) --> STARTING
 *
 * Its record and slot stay while it waits; a child that ends while draining is gone for good.
 * Everything it is told goes over its control channel, queued if need be; PEER may come at any
 * time, so processes need not be started in any order.
 */
#include "base/clock.h"
#include "base/counters.h"
#include "base/error.h"
#include "base/gate.h"
#include "base/log.h"
#include "supervisor/supervisor_priv.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static void start(struct child *child);

unsigned child_backoff(unsigned failures)
{
    unsigned delay = BACKOFF_FIRST;
    for (; failures > 1 && delay < BACKOFF_MAXIMUM; failures--)
        delay *= 2;
    return delay < BACKOFF_MAXIMUM ? delay : BACKOFF_MAXIMUM;
}

void child_kill(struct child *child)
{
    if (child->pid)
        kill(child->pid, SIGKILL);
}

/* --- what it is told --- */

static void tell(struct child *child, enum ipc_type type, struct buffer *body,
                 const int *descriptors, size_t count)
{
    if (child->control)
        ipc_channel_send(child->control, type, body, descriptors, count);
    if (body)
        buffer_clear(body);
}

static void tell_shared(struct child *child, struct buffer *body)
{
    struct shared *shared = &child->supervisor->shared;
    int memory[] = {shared->counters, shared->notices, shared->notes, shared->gate};
    ipc_put_u32(body, child->slot);
    ipc_put_u32(body, child->generation);
    tell(child, IPC_SHARED, body, memory, 4);
    for (uint32_t i = 0; i < SERVICE_SLOTS && process_role_stores(child->role); i++) {
        ipc_put_u32(body, i);
        tell(child, IPC_WAKE, body, &shared->wake[i], 1);
    }
}

static void tell_listeners(struct child *child, struct buffer *body)
{
    struct listener *listener;
    for (listener = TAILQ_FIRST(&child->supervisor->listeners); listener;
         listener = TAILQ_NEXT(listener, link)) {
        bool mta = strcmp(listener->service, "lmtp") == 0 || strcmp(listener->service, "mta") == 0;
        bool current =
            child->generation > child->supervisor->accepted ? listener->newest : listener->accepted;
        if (!current || child->role != (mta ? PROCESS_SESSION : PROCESS_LOGIN))
            continue;
        ipc_put_bytes(body, slice_from_string(listener->service));
        ipc_put_bytes(body, slice_from_string(listener->text));
        tell(child, IPC_LISTENER, body, &listener->socket, 1);
    }
}

/* exposed: the side that strangers reach first, which is replaced when the channel was lost. */
static const struct pair {
    enum ipc_channel_kind kind;
    enum process_role asking, answering, exposed;
} pairs[] = {
    {IPC_CHANNEL_LOGIN_AUTH, PROCESS_LOGIN, PROCESS_AUTH, PROCESS_LOGIN},
    {IPC_CHANNEL_SESSION_AUTH, PROCESS_SESSION, PROCESS_AUTH, PROCESS_SESSION},
    {IPC_CHANNEL_LOGIN_SESSION, PROCESS_LOGIN, PROCESS_SESSION, PROCESS_LOGIN},
    {IPC_CHANNEL_SESSION_SEND, PROCESS_SESSION, PROCESS_SEND, PROCESS_SEND},
};

static void tell_peer(struct child *child, enum ipc_channel_kind kind, uint32_t slot, int socket)
{
    struct buffer body;
    buffer_init(&body, 64);
    ipc_put_u8(&body, (uint8_t)kind);
    ipc_put_u32(&body, slot);
    tell(child, IPC_PEER, &body, &socket, 1);
    buffer_release(&body);
    close(socket);
}

static void connect_pair(struct child *asking, struct child *answering, enum ipc_channel_kind kind)
{
    int sockets[2];
    int error = ipc_pair(sockets);
    if (error) {
        log_error("pair_failed", LOG_TEXT("error", error_name(error)));
        return;
    }
    tell_peer(asking, kind, answering->slot, sockets[0]);
    tell_peer(answering, kind, asking->slot, sockets[1]);
}

void children_connect(struct child *one, struct child *other)
{
    if (!one->control || !other->control)
        return;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        if (one->role == pairs[i].asking && other->role == pairs[i].answering)
            connect_pair(one, other, pairs[i].kind);
        else if (other->role == pairs[i].asking && one->role == pairs[i].answering)
            connect_pair(other, one, pairs[i].kind);
    }
}

static bool can_ask(const struct child *asking, const struct child *answering)
{
    return answering->state != CHILD_DRAINING &&
           (answering->generation == asking->generation ||
            (answering->generation > asking->generation &&
             answering->generation <= answering->supervisor->accepted));
}

/* Streams go to sessions that stay, and messages to a chapar-send that stays: of the own
 * generation, or of an accepted newer one. */
static bool are_peers(const struct child *one, const struct child *other)
{
    if (one->role == PROCESS_AUTH || other->role == PROCESS_AUTH)
        return true;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        if (one->role == pairs[i].asking && other->role == pairs[i].answering)
            return can_ask(one, other);
        if (other->role == pairs[i].asking && one->role == pairs[i].answering)
            return can_ask(other, one);
    }
    return false;
}

static void set_up(struct child *child)
{
    struct buffer body;
    buffer_init(&body, IPC_BODY_MAXIMUM);
    tell_shared(child, &body);
    tell_listeners(child, &body);
    struct child *other;
    for (other = TAILQ_FIRST(&child->supervisor->children); other; other = TAILQ_NEXT(other, link))
        if (other != child && are_peers(child, other))
            children_connect(child, other);
    tell(child, IPC_START, &body, NULL, 0);
    buffer_release(&body);
}

/* --- what it says --- */

static int is_ready(struct child *child, struct ipc_channel *channel, struct ipc_reader *reader)
{
    child->landlock = ipc_get_u32(reader);
    ipc_get_u8(reader); /* chroot: status.c reads it back from the kernel */
    if (ipc_reader_finish(reader))
        return ERROR_PROTOCOL;
    uv_timer_stop(&child->timer);
    child->state = CHILD_READY;
    ipc_channel_set_state(channel, IPC_STATE_RUNNING);
    log_debug("child_ready", LOG_TEXT("role", process_role_name(child->role)),
              LOG_NUMBER("slot", child->slot), LOG_NUMBER("child", child->pid));
    supervisor_child_ready(child->supervisor);
    return 0;
}

static struct child *find_child(struct supervisor *supervisor, uint32_t slot)
{
    struct child *child = TAILQ_FIRST(&supervisor->children);
    while (child && child->slot != slot)
        child = TAILQ_NEXT(child, link);
    return child;
}

/* The exposed one of the two sides of a channel of that kind. NULL: it cannot join them. */
static struct child *exposed_side(struct child *one, struct child *other, unsigned kind)
{
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        const struct pair *pair = &pairs[i];
        if (pair->kind == kind && ((one->role == pair->asking && other->role == pair->answering) ||
                                   (other->role == pair->asking && one->role == pair->answering)))
            return one->role == pair->exposed ? one : other;
    }
    return NULL;
}

/* A peer that has gone for good meanwhile needs no new channel. */
static int lost_peer(struct child *child, struct ipc_channel *channel, struct ipc_reader *reader)
{
    (void)channel;
    unsigned kind = ipc_get_u8(reader);
    uint32_t slot = ipc_get_u32(reader);
    int error = -(int)(ipc_get_u32(reader) & 0xffff);
    if (ipc_reader_finish(reader))
        return ERROR_PROTOCOL;
    struct child *peer = find_child(child->supervisor, slot);
    if (!peer)
        return 0;
    struct child *replaced = exposed_side(child, peer, kind);
    if (!replaced)
        return ERROR_PROTOCOL;
    log_error("channel_breach", LOG_TEXT("told_by", process_role_name(child->role)),
              LOG_NUMBER("teller", child->pid), LOG_TEXT("role", process_role_name(replaced->role)),
              LOG_NUMBER("child", replaced->pid), LOG_TEXT("error", error_name(error)));
    child_kill(replaced);
    return 0;
}

static int received(struct ipc_channel *channel, struct ipc_message *message, void *arg)
{
    struct ipc_reader reader;
    ipc_reader_init(&reader, message->body);
    return message->type == IPC_READY ? is_ready(arg, channel, &reader)
                                      : lost_peer(arg, channel, &reader);
}

static void out_of_time(uv_timer_t *timer)
{
    struct child *child = timer->data;
    log_error("child_stuck", LOG_TEXT("role", process_role_name(child->role)),
              LOG_NUMBER("slot", child->slot), LOG_NUMBER("child", child->pid));
    child_kill(child);
}

/* It is ending, we hope; what it broke it must not live on with. */
static void closed(struct ipc_channel *channel, int error, void *arg)
{
    struct child *child = arg;
    (void)channel;
    ipc_channel_free(&child->control);
    if (error != ERROR_CLOSED) {
        log_error("child_breach", LOG_TEXT("role", process_role_name(child->role)),
                  LOG_NUMBER("child", child->pid), LOG_TEXT("error", error_name(error)));
        child_kill(child);
    } else if (child->pid) {
        uv_timer_start(&child->timer, out_of_time, CLOSE_TIMEOUT, 0);
    }
}

/* --- its end --- */

static void timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void remove_child(struct child *child)
{
    struct supervisor *supervisor = child->supervisor;
    TAILQ_REMOVE(&supervisor->children, child, link);
    ipc_channel_free(&child->control);
    uv_close((uv_handle_t *)&child->timer, timer_closed);
    supervisor_child_gone(supervisor);
}

static void backoff_over(uv_timer_t *timer)
{
    struct child *child = timer->data;
    child->restarts++;
    start(child);
}

static void wait_and_restart(struct child *child)
{
    uint64_t life = (clock_monotonic_us() - child->started_us) / 1000;
    child->failures = life >= LIFE_GOOD ? 1 : child->failures + 1;
    child->state = CHILD_WAITING;
    uv_timer_start(&child->timer, backoff_over, child_backoff(child->failures), 0);
    if (child->failures > START_FAILURES_MAXIMUM)
        supervisor_child_fails(child->supervisor);
}

static void note_crash(struct child *child, int64_t status, int signal)
{
    struct crash *crash = &child->last_crash;
    child->crashes++;
    *crash = (struct crash){.time = clock_wall(), .signal = signal, .status = (int)status};
    shared_take_notes(&child->supervisor->shared, child->slot, crash->serving);
    counters_add_to_slot((int)child->slot, COUNTER_PROCESS_CRASHES, 1);
    log_error("child_crashed", LOG_TEXT("role", process_role_name(child->role)),
              LOG_NUMBER("slot", child->slot), LOG_NUMBER("child", child->pid),
              LOG_NUMBER("signal", signal), LOG_NUMBER("status", status),
              LOG_TEXT("serving", crash->serving));
}

static void process_closed(uv_handle_t *handle)
{
    free(handle);
}

static void exited(uv_process_t *process, int64_t status, int signal)
{
    struct child *child = process->data;
    bool asked = child->state == CHILD_DRAINING;
    uv_close((uv_handle_t *)process, process_closed);
    counters_reset_current((int)child->slot);
    gate_clear_slot((int)child->slot);
    if (!(asked && (child->killed || (status == 0 && signal == 0))))
        note_crash(child, status, signal);
    else
        log_debug("child_ended", LOG_TEXT("role", process_role_name(child->role)),
                  LOG_NUMBER("slot", child->slot), LOG_NUMBER("child", child->pid));
    child->pid = 0;
    ipc_channel_free(&child->control);
    uv_timer_stop(&child->timer);
    if (asked)
        remove_child(child);
    else
        wait_and_restart(child);
}

void child_drain(struct child *child, uint32_t seconds)
{
    enum child_state before = child->state;
    child->state = CHILD_DRAINING;
    if (before == CHILD_WAITING) {
        remove_child(child);
        return;
    }
    if (before == CHILD_STARTING || !child->control) {
        child->killed = true;
        child_kill(child);
        return;
    }
    struct buffer body;
    buffer_init(&body, 64);
    ipc_put_u32(&body, seconds);
    tell(child, IPC_DRAIN, &body, NULL, 0);
    ipc_channel_set_state(child->control, IPC_STATE_DRAINING);
    buffer_release(&body);
}

/* --- its start --- */

static int spawn(struct child *child, int control)
{
    struct supervisor *supervisor = child->supervisor;
    const char *directory = *supervisor->config->program_directory
                                ? supervisor->config->program_directory
                                : supervisor->program_directory;
    char path[4200];
    snprintf(path, sizeof(path), "%s/%s", directory, process_role_name(child->role));
    char option[] = "-c";
    char *arguments[] = {path, option, supervisor->active_path, NULL};
    uv_stdio_container_t descriptors[] = {
        {.flags = UV_IGNORE},
        {.flags = UV_INHERIT_FD, .data.fd = STDOUT_FILENO},
        {.flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO},
        {.flags = UV_INHERIT_FD, .data.fd = control},
    };
    uv_process_options_t options = {.file = path,
                                    .args = arguments,
                                    .exit_cb = exited,
                                    .stdio = descriptors,
                                    .stdio_count = 4,
                                    /* A terminal's Ctrl-C is for chapard alone. */
                                    .flags = UV_PROCESS_DETACHED};
    uv_process_t *process = calloc(1, sizeof(*process));
    if (!process)
        return ERROR_MEMORY;
    process->data = child;
    int result = uv_spawn(&supervisor->loop, process, &options);
    if (result) {
        log_error("spawn_failed", LOG_TEXT("program", path),
                  LOG_TEXT("reason", uv_strerror(result)));
        uv_close((uv_handle_t *)process, process_closed);
        return error_from_errno(-result);
    }
    child->pid = process->pid;
    return 0;
}

static int open_control(struct child *child, int socket)
{
    struct ipc_channel_options options = {.kind = IPC_CHANNEL_CONTROL,
                                          .state = IPC_STATE_SETUP,
                                          .received = received,
                                          .closed = closed,
                                          .arg = child};
    return ipc_channel_create(&child->supervisor->loop, socket, &options, &child->control);
}

static void start(struct child *child)
{
    int sockets[2];
    child->state = CHILD_STARTING;
    child->started_us = clock_monotonic_us();
    int error = ipc_pair(sockets);
    if (!error) {
        error = spawn(child, sockets[1]);
        close(sockets[1]);
        if (error || open_control(child, sockets[0])) {
            close(sockets[0]);
            child_kill(child); /* when it runs, exited() goes on from here */
        }
    }
    if (!child->pid) {
        wait_and_restart(child);
        return;
    }
    counters_add_to_slot((int)child->slot, COUNTER_PROCESS_STARTS, 1);
    uv_timer_start(&child->timer, out_of_time, START_TIMEOUT, 0);
    set_up(child);
}

static bool slot_is_free(struct supervisor *supervisor, uint32_t slot)
{
    struct child *child;
    for (child = TAILQ_FIRST(&supervisor->children); child; child = TAILQ_NEXT(child, link))
        if (child->slot == slot)
            return false;
    return true;
}

/* The lowest one; 0 is chapard's own. */
static uint32_t free_slot(struct supervisor *supervisor)
{
    uint32_t slot = 1;
    while (slot < SERVICE_SLOTS && !slot_is_free(supervisor, slot))
        slot++;
    return slot;
}

static int64_t wanted_count(const struct config *config, enum process_role role)
{
    if (role == PROCESS_LOGIN)
        return config->login_processes;
    if (role == PROCESS_SEND)
        return *config->outgoing_server ? 1 : 0;
    if (role != PROCESS_SESSION)
        return 1;
    if (config->session_processes)
        return config->session_processes;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores < 1 ? 1 : cores > 64 ? 64 : cores;
}

int children_start(struct supervisor *supervisor, enum process_role role, uint32_t generation)
{
    for (int64_t i = wanted_count(supervisor->config, role); i > 0; i--) {
        uint32_t slot = free_slot(supervisor);
        struct child *child = slot < SERVICE_SLOTS ? calloc(1, sizeof(*child)) : NULL;
        if (!child) {
            log_error("no_slot", LOG_TEXT("role", process_role_name(role)));
            return slot < SERVICE_SLOTS ? ERROR_MEMORY : ERROR_LIMIT;
        }
        *child = (struct child){
            .supervisor = supervisor, .role = role, .slot = slot, .generation = generation};
        uv_timer_init(&supervisor->loop, &child->timer);
        child->timer.data = child;
        TAILQ_INSERT_TAIL(&supervisor->children, child, link);
        start(child);
    }
    return 0;
}
