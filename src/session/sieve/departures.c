/*
 * What scripts want sent: redirected messages, responses of vacation, notifications.
 */
#include "base/counters.h"
#include "base/error.h"
#include "session/sieve/filter_priv.h"

/* --- what the mail server has to know --- */

static bool has_eight_bits(struct slice text)
{
    for (size_t i = 0; i < text.size; i++)
        if ((unsigned char)text.data[i] >= 0x80)
            return true;
    return false;
}

static struct slice header_of(struct slice message)
{
    const char *end = memmem(message.data, message.size, "\r\n\r\n", 4);
    return end ? slice_make(message.data, (size_t)(end - message.data)) : message;
}

/* From its pieces: the first two begin with the header. */
static void describe(struct departure *departure)
{
    struct outgoing_envelope *envelope = &departure->envelope;
    for (size_t i = 0; i < DEPARTURE_PIECES; i++)
        envelope->eight_bit = envelope->eight_bit || has_eight_bits(departure->pieces[i]);
    envelope->utf8 = envelope->eight_bit && (has_eight_bits(departure->pieces[0]) ||
                                             has_eight_bits(header_of(departure->pieces[1])));
    envelope->utf8 = envelope->utf8 || has_eight_bits(envelope->sender);
    for (size_t i = 0; i < envelope->recipient_count; i++)
        envelope->utf8 = envelope->utf8 || has_eight_bits(envelope->recipients[i].address);
}

struct departure *filter_departure(struct filter *filter, enum outgoing_kind kind)
{
    if (!filter->facts.sends || filter->departure_count == DEPARTURES_MAXIMUM)
        return NULL;
    size_t at = filter->departure_count;
    struct departure *departure = &filter->departures[at];
    *departure = (struct departure){
        .envelope = {.kind = kind, .sender = SLICE(""), .recipients = filter->recipients[at]}};
    return departure;
}

const char *filter_no_departure(const struct filter *filter)
{
    return filter->facts.sends
               ? "too many messages are to be sent"
               : "this server sends no mail, so nothing can be redirected or answered";
}

int filter_add_recipient(struct filter *filter, struct departure *departure, struct slice address)
{
    struct outgoing_recipient *recipients = filter->recipients[departure - filter->departures];
    recipients[departure->envelope.recipient_count++] =
        (struct outgoing_recipient){.address = arena_copy(&filter->arena, address)};
    return arena_failed(&filter->arena) ? ERROR_LIMIT : 0;
}

void filter_add_departure(struct filter *filter, struct departure *departure)
{
    describe(departure);
    if (departure == &filter->departures[filter->departure_count])
        filter->departure_count++;
}

/* --- redirect --- */

/* Return-Path is for who has the message delivered for good (RFC 5321 section 4.4); the rest says
 * that it has been here, which ends loops. */
static struct slice trace_without_return_path(const struct filter *filter)
{
    struct slice prefix = filter->facts.prefix;
    if (!slice_equal_nocase(slice_sub(prefix, 0, 12), SLICE("Return-Path:")))
        return prefix;
    return slice_sub(prefix, slice_find(prefix, '\n') + 1, SIZE_MAX);
}

static void describe_redirect(const struct filter *filter, const struct sieve_action *action,
                              struct outgoing_envelope *envelope)
{
    static const struct {
        unsigned asked, passed;
    } bits[] = {{SIEVE_NOTIFY_SUCCESS, OUTGOING_NOTIFY_SUCCESS},
                {SIEVE_NOTIFY_FAILURE, OUTGOING_NOTIFY_FAILURE},
                {SIEVE_NOTIFY_DELAY, OUTGOING_NOTIFY_DELAY}};
    const struct filter_facts *facts = &filter->facts;
    envelope->sender = facts->sender;
    envelope->notify = facts->notify;
    envelope->ret = action->ret ? (uint8_t)action->ret : facts->ret;
    if (action->notify_given)
        envelope->notify = action->notify ? 0 : OUTGOING_NOTIFY_NEVER;
    for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]) && action->notify_given; i++)
        if (action->notify & bits[i].asked)
            envelope->notify |= (uint8_t)bits[i].passed;
    if (!action->by_given)
        return;
    envelope->by_mode = (uint8_t)action->by_mode;
    envelope->by_trace = action->by_trace;
    envelope->by_until = store_now(facts->view) + action->by_time;
}

static bool goes_the_same_way(const struct departure *departure,
                              const struct outgoing_envelope *envelope, struct slice text)
{
    const struct outgoing_envelope *other = &departure->envelope;
    return other->kind == OUTGOING_REDIRECT && departure->pieces[1].data == text.data &&
           other->notify == envelope->notify && other->ret == envelope->ret &&
           other->by_mode == envelope->by_mode && other->by_trace == envelope->by_trace &&
           other->by_until == envelope->by_until &&
           other->recipient_count < FILTER_RECIPIENTS_MAXIMUM;
}

static bool is_recipient(const struct filter *filter, struct slice text, struct slice address)
{
    for (size_t i = 0; i < filter->departure_count; i++) {
        const struct departure *departure = &filter->departures[i];
        const struct outgoing_envelope *envelope = &departure->envelope;
        if (envelope->kind != OUTGOING_REDIRECT || departure->pieces[1].data != text.data)
            continue;
        for (size_t j = 0; j < envelope->recipient_count; j++)
            if (slice_equal(envelope->recipients[j].address, address))
                return true;
    }
    return false;
}

/* One that goes the same way, or a new one. NULL: there are too many. */
static struct departure *departure_for(struct filter *filter, const struct sieve_action *action,
                                       struct slice text)
{
    struct outgoing_envelope envelope = {0};
    describe_redirect(filter, action, &envelope);
    for (size_t i = 0; i < filter->departure_count; i++)
        if (goes_the_same_way(&filter->departures[i], &envelope, text))
            return &filter->departures[i];
    struct departure *departure = filter_departure(filter, OUTGOING_REDIRECT);
    if (!departure)
        return NULL;
    describe_redirect(filter, action, &departure->envelope);
    departure->pieces[0] = trace_without_return_path(filter);
    departure->pieces[1] = text;
    return departure;
}

static bool is_own(const struct filter *filter, struct slice address)
{
    return slice_equal_nocase(address, filter->address) ||
           slice_equal_nocase(address, filter->facts.recipient) ||
           slice_equal_nocase(address, filter->facts.original);
}

int filter_redirect(struct filter *filter, const struct sieve_action *action)
{
    const struct version *version;
    if (action->list)
        return filter_keep_instead(filter, action, "there are no lists to redirect to");
    if (action->target.size > OUTGOING_ADDRESS_MAXIMUM)
        return filter_keep_instead(filter, action, "redirect: the address is too long");
    if (is_own(filter, action->target)) /* it would come back, and be a loop */
        return filter_keep_instead(filter, action,
                                   "the message is redirected to its own recipient");
    int error = filter_find_version(filter, action, &version);
    if (error || is_recipient(filter, version->text, action->target))
        return error;
    struct departure *departure = departure_for(filter, action, version->text);
    if (!departure)
        return filter_keep_instead(filter, action, filter_no_departure(filter));
    error = filter_add_recipient(filter, departure, action->target);
    if (!error)
        filter_add_departure(filter, departure);
    counters_add(COUNTER_SIEVE_REDIRECTED, !error);
    return error;
}

/* --- responses and notifications --- */

struct slice filter_message_id(struct filter *filter, const char *what)
{
    char account[ACCOUNT_ID_TEXT + 1], text[512];
    const struct filter_facts *facts = &filter->facts;
    account_id_format(facts->account, account);
    int size = snprintf(text, sizeof(text), "Message-ID: <%s.%zu.%s.%s@%s>\r\n", facts->id,
                        filter->departure_count, what, account, facts->hostname);
    if (size < 0 || (size_t)size >= sizeof(text))
        return (struct slice){NULL, 0};
    return arena_copy(&filter->arena, slice_make(text, (size_t)size));
}

/* The message that the script has made, and its copy. */
static int send_made(struct filter *filter, const struct sieve_action *action,
                     struct departure *departure, const char *what)
{
    struct slice id = filter_message_id(filter, what);
    departure->pieces[0] = id;
    departure->pieces[1] = arena_copy(&filter->arena, action->header);
    departure->pieces[2] = arena_copy(&filter->arena, action->body);
    if (!id.data || arena_failed(&filter->arena))
        return ERROR_LIMIT;
    filter_add_departure(filter, departure);
    return action->fcc.size ? filter_file_copy(filter, action, id) : 0;
}

/* Whom it was, and with which response (RFC 5230 section 4.2). */
static int response_number(const struct sieve_action *action, uint64_t *number)
{
    struct buffer text;
    buffer_init(&text, action->target.size + action->handle.size + 1);
    for (size_t i = 0; i < action->target.size; i++) {
        char c = action->target.data[i];
        buffer_append_byte(&text, c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c);
    }
    buffer_append_byte(&text, '\0');
    int error = buffer_append(&text, action->handle);
    if (!error)
        *number = remember_number("vacation", buffer_slice(&text));
    buffer_release(&text);
    return error;
}

int filter_respond(struct filter *filter, const struct sieve_action *action)
{
    uint64_t number = 0;
    bool answered = false;
    if (action->target.size > OUTGOING_ADDRESS_MAXIMUM)
        return 0; /* nobody's */
    int error = response_number(action, &number);
    if (!error)
        error = store_remembers(filter->facts.view, number, &answered);
    if (error || answered)
        return error;
    struct departure *departure = filter_departure(filter, OUTGOING_RESPONSE);
    if (!departure) {
        filter_problem(filter, action->line, filter_no_departure(filter));
        return 0;
    }
    /* RFC 5230 section 5.1 */
    departure->envelope.notify = OUTGOING_NOTIFY_NEVER;
    departure->once =
        (struct remembered){number, store_now(filter->facts.view) + (int64_t)action->seconds};
    error = filter_add_recipient(filter, departure, action->target);
    if (!error)
        error = send_made(filter, action, departure, "vacation");
    counters_add(COUNTER_SIEVE_RESPONSES, !error);
    return error;
}

/* RFC 5436 section 2.3: who is told of a bounce must not answer to it. */
int filter_notify(struct filter *filter, const struct sieve_action *action)
{
    struct departure *departure = filter_departure(filter, OUTGOING_NOTIFICATION);
    if (!departure) {
        filter_problem(filter, action->line, filter_no_departure(filter));
        return 0;
    }
    if (filter->facts.sender.size)
        departure->envelope.sender = filter->facts.recipient;
    int error = 0;
    for (size_t i = 0; i < action->recipient_count && i < FILTER_RECIPIENTS_MAXIMUM && !error; i++)
        error = filter_add_recipient(filter, departure, action->recipients[i]);
    if (!error && !departure->envelope.recipient_count)
        return 0;
    if (!error)
        error = send_made(filter, action, departure, "notify");
    counters_add(COUNTER_SIEVE_NOTIFICATIONS, !error);
    return error;
}
