/*
 * LMTP (RFC 2033) as a stream's protocol: the engine of proto/lmtp, deciding about recipients and
 * delivering with the store.
 *
 *     reading  --the message is complete-->  delivering, one recipient a step  -->  reading
 *
 * Who connects is trusted (loopback, or a Unix socket's permissions), or comes from chapar-login as
 * somebody who may deliver (front/auth/deliver.c): what is stored is stored by the system.
 */
#include "base/clock.h"
#include "base/counters.h"
#include "base/error.h"
#include "base/gate.h"
#include "base/network.h"
#include "session/lmtp/lmtp_priv.h"

#include <stdlib.h>

struct lmtp_session {
    struct lmtp engine;
    struct delivery delivery;
    bool greeted;
};

static unsigned permissions(const struct stream *stream)
{
    const struct config *config = stream->config;
    bool trusted = network_list_contains(&config->lmtp_trusted, stream->client);
    unsigned bits = trusted ? LMTP_PERMIT_XCLIENT : 0;
    if (config->lmtp_ignore_quota && (trusted || !stream->tag))
        bits |= LMTP_PERMIT_IGNOREQUOTA;
    return bits;
}

static int lmtp_open(struct stream *stream)
{
    const struct config *config = stream->config;
    /* The replies of a whole transaction must fit into the output. */
    size_t recipients = STREAM_OUTPUT_MAXIMUM / LMTP_REPLY_MAXIMUM;
    if ((size_t)config->lmtp_recipients < recipients)
        recipients = (size_t)config->lmtp_recipients;
    struct lmtp_limits limits = {(uint64_t)config->message_size, recipients};
    struct lmtp_session *session = calloc(1, sizeof(*session));
    if (!session)
        return ERROR_MEMORY;
    lmtp_init(&session->engine, config->hostname, &limits);
    session->engine.permissions = permissions(stream);
    delivery_init(&session->delivery, stream, &session->engine);
    stream->state = session;
    return 0;
}

static void lmtp_close(struct stream *stream, const char *why)
{
    struct lmtp_session *session = stream->state;
    (void)why;
    delivery_clear(&session->delivery);
    lmtp_release(&session->engine);
    free(session);
    stream->state = NULL;
}

static uint32_t lmtp_idle_limit(const struct stream *stream)
{
    return (uint32_t)stream->config->lmtp_timeout;
}

/* Counts a recipient by the reply it got: the engine knows which errors pass. */
static void count_reply(const struct buffer *output, size_t before)
{
    char first = output->size > before ? output->data[before] : '\0';
    if (first == '4')
        counters_add(COUNTER_LMTP_DEFERRED, 1);
    else if (first == '5')
        counters_add(COUNTER_LMTP_REFUSED, 1);
}

static void decide_recipient(struct stream *stream, struct lmtp_session *session)
{
    size_t before = stream->output.size;
    int error = delivery_add(&session->delivery, buffer_slice(&session->engine.address));
    lmtp_recipient_reply(&session->engine, error, &stream->output);
    count_reply(&stream->output, before);
    stream->commands++;
}

static void deliver_next(struct stream *stream, struct lmtp_session *session)
{
    size_t before = stream->output.size;
    struct slice reason;
    int error;
    if (!delivery_step(&session->delivery, &error, &reason))
        return;
    bool last = session->delivery.next == NULL;
    if (reason.data)
        lmtp_rejected(&session->engine, reason, &stream->output);
    else
        lmtp_delivered(&session->engine, error, &stream->output);
    count_reply(&stream->output, before);
    if (!error) {
        counters_add(COUNTER_LMTP_DELIVERED, 1);
        stream->stored++;
    }
    if (last)
        delivery_clear(&session->delivery);
}

static void begin_delivery(struct stream *stream, struct lmtp_session *session)
{
    delivery_begin(&session->delivery);
    counters_add(COUNTER_LMTP_TRANSACTIONS, 1);
    stream->commands++;
}

/* One step of the engine. True while it has more to do with the input it has. */
static bool advance(struct stream *stream, struct lmtp_session *session, enum stream_need *need)
{
    switch (lmtp_consume(&session->engine, &stream->input, &stream->output)) {
    case LMTP_RECIPIENT:
        decide_recipient(stream, session);
        return true;
    case LMTP_DATA:
        delivery_data(&session->delivery, session->engine.data);
        return true;
    case LMTP_DELIVER:
        begin_delivery(stream, session);
        return true;
    case LMTP_RESET:
        delivery_clear(&session->delivery);
        return true;
    case LMTP_CLOSE:
        *need = STREAM_NEED_CLOSE;
        return false;
    case LMTP_MORE:
        *need = stream->input_ended ? STREAM_NEED_CLOSE : STREAM_NEED_INPUT;
        return false;
    }
    return false;
}

/* What has been begun is finished; what would come besides is for later, or another process. */
static bool is_too_much(const struct stream *stream, const struct lmtp_session *session)
{
    return !session->delivery.first && stream->input.size > 0 &&
           delivery_pending() >= (uint64_t)stream->config->lmtp_pending;
}

/* Says goodbye when it is time to. */
static bool ends(struct stream *stream, struct lmtp_session *session)
{
    if (stream->timed_out)
        lmtp_bye(&session->engine, "4.4.2", "nothing came within lmtp_timeout", &stream->output);
    else if (stream->draining && !session->delivery.first)
        lmtp_bye(&session->engine, "4.3.2", "the server is shutting down", &stream->output);
    else if (is_too_much(stream, session))
        lmtp_bye(&session->engine, "4.3.2", "too many messages are coming in, try again later",
                 &stream->output);
    else
        return false;
    return true;
}

/* The greeting, or the answer to the command that chapar-login has handed it over with. */
static int greet(struct stream *stream, struct lmtp_session *session)
{
    session->greeted = true;
    if (stream->tag)
        return lmtp_resume(&session->engine, slice_from_string(stream->tag), &stream->output);
    lmtp_greet(&session->engine, &stream->output);
    return 0;
}

static enum stream_need lmtp_run(struct stream *stream)
{
    struct lmtp_session *session = stream->state;
    uint64_t start = clock_monotonic_us();
    enum stream_need need = STREAM_NEED_OUTPUT;
    if (!session->greeted && greet(stream, session))
        return STREAM_NEED_CLOSE;
    while (stream->output.size <= STREAM_OUTPUT_MARK &&
           clock_monotonic_us() - start < STREAM_SLICE_US) {
        if (session->delivery.next && gate_is_closed())
            return STREAM_NEED_GATE;
        if (session->delivery.next)
            deliver_next(stream, session);
        else if (ends(stream, session))
            return STREAM_NEED_CLOSE;
        else if (!advance(stream, session, &need))
            return need;
    }
    return STREAM_NEED_OUTPUT;
}

static void lmtp_refuse(struct slice tag, enum language language, int error, struct buffer *output)
{
    (void)language;
    (void)tag;
    buffer_append_format(output, "421 4.3.2 %s\r\n",
                         error == ERROR_LIMIT ? "too many connections, try again later"
                                              : "try again later");
}

const struct stream_protocol lmtp_protocol = {.name = "lmtp",
                                              .open = lmtp_open,
                                              .run = lmtp_run,
                                              .serves_nobody = true,
                                              .refuse = lmtp_refuse,
                                              .idle_limit = lmtp_idle_limit,
                                              .idle_limit_name = "lmtp_timeout",
                                              .close = lmtp_close};
