/*
 * Trace fields: what this server writes in front of a message, and what it finds there of its own.
 *
 * An MTA may write Delivered-To as well (Postfix's flags=D), so a Delivered-To is this server's own
 * only when this server's Received follows it, as trace_prefix puts it.
 */
#include "format/date.h"
#include "session/lmtp/lmtp_priv.h"

/* In Received, behind the server's name: tells our delivery from the MTA's on the same host. */
#define OWN_MARK " (Chapar) with "

/* The next whole field with its folded lines; false at the header's end. */
static bool next_field(struct slice *rest, struct slice *field)
{
    size_t end = 0;
    do {
        end += slice_find(slice_sub(*rest, end, rest->size), '\n') + 1;
    } while (end < rest->size && (rest->data[end] == ' ' || rest->data[end] == '\t'));
    *field = slice_sub(*rest, 0, end);
    *rest = slice_sub(*rest, end, rest->size);
    return field->size > 0 && field->data[0] != '\r' && field->data[0] != '\n';
}

static struct slice trim(struct slice text)
{
    while (text.size && strchr(" \t\r\n", text.data[0]))
        text = slice_sub(text, 1, text.size);
    while (text.size && strchr(" \t\r\n", text.data[text.size - 1]))
        text.size--;
    return text;
}

static bool is_field(struct slice field, struct slice name)
{
    return slice_equal_nocase(trim(slice_sub(field, 0, slice_find(field, ':'))), name);
}

static struct slice value_of(struct slice field)
{
    return trim(slice_sub(field, slice_find(field, ':') + 1, field.size));
}

static bool is_own(struct slice received, const char *hostname)
{
    char mark[512];
    int size = snprintf(mark, sizeof(mark), "by %s" OWN_MARK, hostname);
    return size > 0 && (size_t)size < sizeof(mark) &&
           memmem(received.data, received.size, mark, (size_t)size);
}

/* Counts, and looks for the address (NULL: for none). */
static bool scan(struct trace *trace, const struct slice *address)
{
    struct slice rest = trace->header, field, before = {NULL, 0};
    trace->received = trace->own = 0;
    for (; rest.size && next_field(&rest, &field); before = field) {
        if (!is_field(field, SLICE("Received")))
            continue;
        if (++trace->received > TRACE_RECEIVED_MAXIMUM)
            return true;
        if (!is_field(before, SLICE("Delivered-To")) || !is_own(field, trace->hostname))
            continue;
        trace->own++;
        if (address && slice_equal_nocase(value_of(before), *address))
            return true;
    }
    return false;
}

void trace_read(struct slice message, const char *hostname, struct trace *trace)
{
    trace->header = slice_sub(message, 0, TRACE_HEADER_MAXIMUM);
    trace->hostname = hostname;
    scan(trace, NULL);
}

bool trace_is_loop(const struct trace *trace, struct slice address)
{
    struct trace copy = *trace;
    if (trace->received > TRACE_RECEIVED_MAXIMUM)
        return true;
    return trace->own > 0 && scan(&copy, &address);
}

static void append_clean(struct buffer *prefix, struct slice text)
{
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        buffer_append_byte(prefix, c < ' ' || c == 0x7f ? '?' : text.data[i]);
    }
}

int trace_prefix(const struct trace_facts *facts, struct buffer *prefix)
{
    buffer_append_string(prefix, "Return-Path: <");
    append_clean(prefix, facts->sender);
    buffer_append_string(prefix, ">\r\nDelivered-To: ");
    append_clean(prefix, facts->recipient);
    buffer_append_string(prefix, "\r\nReceived: from ");
    append_clean(prefix, slice_sub(facts->client_name, 0, DELIVERY_NAME_MAXIMUM));
    /* RFC 6531 section 4.3: which LMTP this is. */
    buffer_append_format(prefix, " (%.*s)\r\n\tby %s" OWN_MARK "%sLMTP%s%s id %s\r\n\tfor <",
                         SLICE_FORMAT(facts->client), facts->hostname, facts->utf8 ? "UTF8" : "",
                         facts->tls ? "S" : "", facts->authenticated ? "A" : "", facts->id);
    append_clean(prefix, facts->recipient);
    buffer_append_string(prefix, ">; ");
    date_format_rfc5322(facts->date, prefix);
    return buffer_append_string(prefix, "\r\n");
}
