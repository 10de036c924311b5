#include "base/clock.h"
#include "base/counters.h"
#include "ipc/confine.h"
#include "supervisor/supervisor_priv.h"

#include <inttypes.h>
#include <unistd.h>

static const char *const state_names[] = {"starting", "ready", "draining", "waiting"};

/* A JSON string (RFC 8259 section 7); bytes beyond ASCII that are not ours to judge become "?". */
static void put_text(struct buffer *json, const char *text)
{
    buffer_append_byte(json, '"');
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            buffer_append_format(json, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            buffer_append_format(json, "\\u%04x", c);
        else
            buffer_append_byte(json, c < 0x80 ? (char)c : '?');
    }
    buffer_append_byte(json, '"');
}

static const char *truth(bool value)
{
    return value ? "true" : "false";
}

static uint64_t seconds_since(uint64_t start_us)
{
    return (clock_monotonic_us() - start_us) / 1000000;
}

/* What the kernel says; nothing where it says nothing. */
static void put_confinement(struct buffer *json, pid_t pid)
{
    struct confinement_state state;
    if (!pid || confine_inspect(pid, &state))
        return;
    buffer_append_format(json, ",\"uid\":%u,\"gid\":%u,\"capabilities\":\"%016" PRIx64 "\"",
                         state.uid, state.gid, state.capabilities);
    buffer_append_format(json, ",\"no_new_privs\":%s,\"seccomp\":%d,\"seccomp_filters\":%u",
                         truth(state.no_new_privs), state.seccomp, state.seccomp_filters);
    buffer_append_format(json, ",\"chrooted\":%s,\"resident_bytes\":%" PRIu64,
                         state.root_known ? truth(state.chrooted) : "null", state.resident_bytes);
}

static void put_crash(struct buffer *json, const struct crash *crash)
{
    if (!crash->time) {
        buffer_append_string(json, ",\"last_crash\":null");
        return;
    }
    buffer_append_format(json, ",\"last_crash\":{\"time\":%" PRId64 ",\"signal\":%d,\"status\":%d",
                         crash->time, crash->signal, crash->status);
    buffer_append_string(json, ",\"serving\":");
    put_text(json, crash->serving);
    buffer_append_byte(json, '}');
}

static void put_child(struct buffer *json, const struct child *child)
{
    buffer_append_format(json, ",{\"role\":\"%s\",\"slot\":%u,\"generation\":%u",
                         process_role_name(child->role), child->slot, child->generation);
    buffer_append_format(json, ",\"pid\":%d,\"state\":\"%s\",\"uptime_seconds\":%" PRIu64,
                         (int)child->pid, state_names[child->state],
                         child->pid ? seconds_since(child->started_us) : 0);
    buffer_append_format(json, ",\"restarts\":%u,\"crashes\":%u", child->restarts, child->crashes);
    put_crash(json, &child->last_crash);
    put_confinement(json, child->pid);
    buffer_append_format(json, ",\"landlock\":%u}", child->landlock);
}

static void put_processes(struct buffer *json, struct supervisor *supervisor)
{
    buffer_append_format(json,
                         ",\"processes\":[{\"role\":\"%s\",\"slot\":0,\"generation\":%u"
                         ",\"pid\":%d,\"state\":\"%s\",\"uptime_seconds\":%" PRIu64
                         ",\"restarts\":0,\"crashes\":0,\"last_crash\":null",
                         process_role_name(PROCESS_SUPERVISOR), supervisor->accepted, (int)getpid(),
                         supervisor->ready ? "ready" : "starting",
                         seconds_since(supervisor->started_us));
    put_confinement(json, getpid());
    buffer_append_string(json, ",\"landlock\":0}");
    struct child *child;
    for (child = TAILQ_FIRST(&supervisor->children); child; child = TAILQ_NEXT(child, link))
        put_child(json, child);
    buffer_append_byte(json, ']');
}

static void put_listeners(struct buffer *json, struct supervisor *supervisor)
{
    const char *separator = "";
    struct listener *listener;
    buffer_append_string(json, ",\"listeners\":[");
    for (listener = TAILQ_FIRST(&supervisor->listeners); listener;
         listener = TAILQ_NEXT(listener, link)) {
        buffer_append_format(json, "%s{\"service\":\"%s\",\"address\":", separator,
                             listener->service);
        put_text(json, listener->text);
        buffer_append_byte(json, '}');
        separator = ",";
    }
    buffer_append_byte(json, ']');
}

void status_write(struct supervisor *supervisor, struct buffer *json)
{
    buffer_append_format(json, "{\"version\":\"%s\",\"uptime_seconds\":%" PRIu64, CHAPAR_VERSION,
                         seconds_since(supervisor->started_us));
    buffer_append_format(json, ",\"generation\":%u", supervisor->accepted);
    buffer_append_format(json, ",\"freeze\":\"%s\"", freeze_state(supervisor->freeze));
    put_processes(json, supervisor);
    put_listeners(json, supervisor);
    buffer_append_string(json, ",\"counters\":{");
    for (int i = 0; i < COUNTER_COUNT; i++)
        buffer_append_format(json, "%s\"%s\":%" PRId64, i ? "," : "", counter_descriptions[i].name,
                             counters_sum((enum counter)i));
    buffer_append_string(json, "}}");
}
