/*
 * What the MTA asks about recipients (proto/mta), answered from the directory and the accounts'
 * quotas, as a stream's protocol.
 *
 * Who connects is trusted as with LMTP (loopback, or a Unix socket's permissions), and learns which
 * addresses there are. Nothing is changed. A refused connection or one that is closed makes the MTA
 * defer the recipient.
 */
#include "base/clock.h"
#include "base/counters.h"
#include "base/error.h"
#include "proto/mta/engine.h"
#include "session/stream.h"
#include "store/directory.h"
#include "store/quota.h"

#include <stdlib.h>

enum { MTA_SCRATCH = 256 * 1024 }; /* bytes that finding one recipient's accounts may take */

struct mta_session {
    struct mta engine;
    struct arena scratch;
};

static int mta_open(struct stream *stream)
{
    struct mta_session *session = calloc(1, sizeof(*session));
    if (!session)
        return ERROR_MEMORY;
    mta_init(&session->engine);
    arena_init(&session->scratch, MTA_SCRATCH);
    stream->state = session;
    return 0;
}

static void mta_close(struct stream *stream, const char *why)
{
    struct mta_session *session = stream->state;
    (void)why;
    mta_release(&session->engine);
    arena_release(&session->scratch);
    free(session);
    stream->state = NULL;
}

static uint32_t mta_idle_limit(const struct stream *stream)
{
    return (uint32_t)stream->config->lmtp_timeout;
}

/* --- the answers --- */

static int find_domain(struct store *store, struct slice domain)
{
    struct buffer address;
    buffer_init(&address, ADDRESS_MAXIMUM);
    buffer_append_format(&address, "postmaster@%.*s", SLICE_FORMAT(domain));
    int error = buffer_error(&address) ? ERROR_NOT_FOUND : 0;
    if (!error)
        error = store_domain_check(store, WHO_SYSTEM, buffer_slice(&address));
    buffer_release(&address);
    return error;
}

static int check_room(struct store *store, struct account_id account, uint64_t size)
{
    struct store_view *view;
    struct quota quota;
    int error = store_view_open(store, WHO_SYSTEM, account, &view);
    if (error)
        return error;
    error = quota_get(view, 0, &quota);
    if (!error && !quota_has_room(&quota, size))
        error = ERROR_QUOTA;
    store_view_close(&view);
    return error;
}

/* There is room when one of the accounts behind the address has room: the others do not keep it
 * from its message. */
static int find_room(struct stream *stream, const struct resolution *resolution, uint64_t size)
{
    int error = ERROR_NOT_FOUND;
    if (size > (uint64_t)stream->config->message_size)
        return ERROR_LIMIT;
    for (size_t i = 0; i < resolution->count && error; i++) {
        int found = check_room(stream->store, resolution->accounts[i], size);
        if (found != ERROR_NOT_FOUND)
            error = found;
    }
    return error;
}

static int decide(struct stream *stream, struct mta_session *session)
{
    const struct mta *engine = &session->engine;
    struct resolution resolution;
    if (engine->question == MTA_DOMAIN)
        return find_domain(stream->store, engine->key);
    arena_clear(&session->scratch);
    int error =
        store_resolve(stream->store, WHO_SYSTEM, engine->key, &session->scratch, &resolution);
    /* An address that stands for too many is there, but gets no mail now: TEMP, DUNNO. */
    if (engine->question == MTA_RECIPIENT || error)
        return error == ERROR_LIMIT && engine->question == MTA_ROOM ? ERROR_NOT_FOUND : error;
    return find_room(stream, &resolution, engine->size);
}

/* --- the stream --- */

static enum stream_need step(struct stream *stream, struct mta_session *session)
{
    switch (mta_consume(&session->engine, &stream->input, &stream->output)) {
    case MTA_ASKING:
        mta_answer(&session->engine, decide(stream, session), &stream->output);
        arena_release(&session->scratch);
        counters_add(COUNTER_MTA_QUESTIONS, 1);
        stream->commands++;
        return STREAM_NEED_OUTPUT;
    case MTA_MORE:
        return stream->input_ended || stream->draining ? STREAM_NEED_CLOSE : STREAM_NEED_INPUT;
    case MTA_CLOSE:
        break;
    }
    return STREAM_NEED_CLOSE;
}

static enum stream_need mta_run(struct stream *stream)
{
    struct mta_session *session = stream->state;
    uint64_t start = clock_monotonic_us();
    enum stream_need need = STREAM_NEED_OUTPUT;
    if (stream->timed_out)
        return STREAM_NEED_CLOSE;
    while (need == STREAM_NEED_OUTPUT && stream->output.size <= STREAM_OUTPUT_MARK &&
           clock_monotonic_us() - start < STREAM_SLICE_US)
        need = step(stream, session);
    return need;
}

const struct stream_protocol mta_protocol = {.name = "mta",
                                             .open = mta_open,
                                             .run = mta_run,
                                             .idle_limit = mta_idle_limit,
                                             .idle_limit_name = "lmtp_timeout",
                                             .close = mta_close};
