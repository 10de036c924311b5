/*
 * The report to the sender of a message that `reject` refuses in words that a reply of LMTP cannot
 * have (RFC 5429 section 2.2.1): a disposition notification (RFC 8098) with the message in it, or
 * its header when it is large.
 */
#include "base/counters.h"
#include "base/error.h"
#include "format/base64.h"
#include "format/date.h"
#include "format/downgrade.h"
#include "format/mime.h"
#include "session/sieve/filter_priv.h"

enum {
    RETURNED_MAXIMUM = 64 * 1024, /* bytes of a message that is returned whole */
    RETURNED_HEADER_MAXIMUM = 64 * 1024,
    TEXT_LINE = 76, /* characters of a line of base64 */
};

static const char introduction[] =
    "The message was refused by the recipient's mail filtering program.\r\n"
    "The reason given was as follows:\r\n\r\n";

/* --- what the header says --- */

struct fields {
    struct slice message_id, automatic;
};

static struct slice trim(struct slice text)
{
    while (text.size && strchr(" \t\r\n", text.data[0]))
        text = slice_sub(text, 1, SIZE_MAX);
    while (text.size && strchr(" \t\r\n", text.data[text.size - 1]))
        text.size--;
    return text;
}

static struct fields read_fields(struct slice message)
{
    static const struct mime_limits limits = {1, 1, SIZE_MAX, SIZE_MAX};
    struct mime_parser parser;
    struct mime_event event;
    struct fields fields = {{0}, {0}};
    mime_parser_init(&parser, message, &limits);
    while (mime_next(&parser, &event) && event.kind != MIME_PART_BODY) {
        if (event.kind != MIME_FIELD)
            continue;
        if (slice_equal_nocase(event.name, SLICE("Message-ID")))
            fields.message_id = trim(event.value);
        else if (slice_equal_nocase(event.name, SLICE("Auto-Submitted")))
            fields.automatic = trim(event.value);
    }
    return fields;
}

/* RFC 8098 section 2.1 and RFC 3834 section 2: nobody is told who is nobody, or a program. */
static bool is_to_be_told(const struct filter *filter, const struct fields *fields)
{
    return filter->facts.sender.size && filter->facts.sender.size <= OUTGOING_ADDRESS_MAXIMUM &&
           (!fields->automatic.size || slice_equal_nocase(fields->automatic, SLICE("no")));
}

/* --- the report --- */

/* Encoded, so that any mail server takes it. */
static void append_text(struct slice text, struct buffer *body)
{
    for (; text.size; text = slice_sub(text, TEXT_LINE / 4 * 3, SIZE_MAX)) {
        base64_encode(slice_sub(text, 0, TEXT_LINE / 4 * 3), body);
        buffer_append_string(body, "\r\n");
    }
}

static void append_header(const struct filter *filter, const char *boundary, struct buffer *header)
{
    const struct filter_facts *facts = &filter->facts;
    buffer_append_string(header, "Date: ");
    date_format_rfc5322(facts->date, header);
    buffer_append_format(header,
                         "\r\nFrom: <%.*s>\r\nTo: <%.*s>\r\n"
                         "Subject: Your message was refused\r\n"
                         "Auto-Submitted: auto-replied (rejected)\r\n",
                         SLICE_FORMAT(facts->recipient), SLICE_FORMAT(facts->sender));
    buffer_append_format(header,
                         "MIME-Version: 1.0\r\n"
                         "Content-Type: multipart/report; "
                         "report-type=disposition-notification;\r\n\tboundary=\"%s\"\r\n\r\n",
                         boundary);
}

static void append_notification(const struct filter *filter, const struct fields *fields,
                                struct buffer *body)
{
    const struct filter_facts *facts = &filter->facts;
    buffer_append_format(body,
                         "Content-Type: message/disposition-notification\r\n\r\n"
                         "Reporting-UA: %s; Chapar\r\n"
                         "Final-Recipient: rfc822; %.*s\r\n",
                         facts->hostname, SLICE_FORMAT(facts->recipient));
    /* message/disposition-notification is ASCII (RFC 6533 section 4). */
    if (fields->message_id.size && fields->message_id.size < 900 &&
        downgrade_is_ascii(fields->message_id))
        buffer_append_format(body, "Original-Message-ID: %.*s\r\n",
                             SLICE_FORMAT(fields->message_id));
    buffer_append_string(body, "Disposition: automatic-action/MDN-sent-automatically; deleted\r\n");
}

/* A header that is not ASCII has media types of its own (RFC 6533 section 5), which may be encoded
 * as message/rfc822 may not be (RFC 6532 section 3.7): then any mail server takes it, too. */
static void append_returned(struct slice message, struct buffer *body)
{
    const char *end = memmem(message.data, message.size, "\r\n\r\n", 4);
    size_t size = end ? (size_t)(end - message.data) + 2 : message.size;
    struct slice header = slice_sub(message, 0, size);
    bool whole = message.size <= RETURNED_MAXIMUM, ascii = downgrade_is_ascii(header);
    struct slice returned = whole                                   ? message
                            : header.size < RETURNED_HEADER_MAXIMUM ? header
                                                                    : SLICE("");
    const char *type = ascii ? (whole ? "message/rfc822" : "text/rfc822-headers")
                             : (whole ? "message/global" : "message/global-headers");
    const char *encoding = !ascii ? "base64" : downgrade_is_ascii(returned) ? "7bit" : "8bit";
    buffer_append_format(body, "Content-Type: %s\r\nContent-Transfer-Encoding: %s\r\n\r\n", type,
                         encoding);
    if (ascii)
        buffer_append(body, returned);
    else
        append_text(returned, body);
}

static void append_body(const struct filter *filter, const struct sieve_action *action,
                        const char *boundary, struct buffer *body)
{
    struct buffer text;
    struct fields fields = read_fields(filter->facts.message);
    buffer_init(&text, SIZE_MAX - 1);
    buffer_append_string(&text, introduction);
    buffer_append(&text, action->text);
    buffer_append_string(&text, "\r\n");
    buffer_append_format(body,
                         "--%s\r\nContent-Type: text/plain; charset=utf-8\r\n"
                         "Content-Transfer-Encoding: base64\r\n\r\n",
                         boundary);
    append_text(buffer_slice(&text), body);
    buffer_release(&text);
    buffer_append_format(body, "\r\n--%s\r\n", boundary);
    append_notification(filter, &fields, body);
    buffer_append_format(body, "\r\n--%s\r\n", boundary);
    append_returned(filter->facts.message, body);
    buffer_append_format(body, "\r\n--%s--\r\n", boundary);
}

static int compose(struct filter *filter, const struct sieve_action *action,
                   struct departure *departure)
{
    struct buffer header, body;
    char boundary[64];
    snprintf(boundary, sizeof(boundary), "report-%s", filter->facts.id);
    buffer_init(&header, SIZE_MAX - 1);
    buffer_init(&body, SIZE_MAX - 1);
    append_header(filter, boundary, &header);
    append_body(filter, action, boundary, &body);
    int error = buffer_error(&header) ? buffer_error(&header) : buffer_error(&body);
    departure->pieces[0] = filter_message_id(filter, "rejected");
    departure->pieces[1] = arena_copy(&filter->arena, buffer_slice(&header));
    departure->pieces[2] = arena_copy(&filter->arena, buffer_slice(&body));
    if (!error && (!departure->pieces[0].data || arena_failed(&filter->arena)))
        error = ERROR_LIMIT;
    buffer_release(&header);
    buffer_release(&body);
    return error;
}

int filter_report_rejection(struct filter *filter, const struct sieve_action *action)
{
    struct fields fields = read_fields(filter->facts.message);
    counters_add(COUNTER_SIEVE_REJECTED, 1);
    if (!is_to_be_told(filter, &fields))
        return 0;
    struct departure *departure = filter_departure(filter, OUTGOING_REPORT);
    if (!departure)
        return filter_keep_instead(filter, action, filter_no_departure(filter));
    departure->envelope.notify = OUTGOING_NOTIFY_NEVER;
    int error = filter_add_recipient(filter, departure, filter->facts.sender);
    if (!error)
        error = compose(filter, action, departure);
    if (!error)
        filter_add_departure(filter, departure);
    return error;
}
