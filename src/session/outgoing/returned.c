/*
 * The report to the owner of an account about a message that could not be redirected: who was not
 * reached and why (RFC 3464), and the message itself.
 */
#include "base/error.h"
#include "format/date.h"
#include "session/outgoing/sender_priv.h"
#include "store/deliver.h"
#include "store/directory.h"

enum {
    REPORT_MEMORY = 64 * 1024,
    REPORT_REMEMBERED = 30 * 24 * 60 * 60, /* seconds in which it is not made twice */
};

struct report {
    const struct sender *sender;
    const struct sending *sending;
    struct store_view *view;
    struct arena arena;
    struct slice owner; /* the account's address */
    char boundary[64];
    struct buffer text; /* the whole message */
};

static bool is_refused(const struct sending *sending, size_t index)
{
    return sending->message.envelope.recipients[index].state == OUTGOING_WAITING &&
           sending->results[index].state == OUTGOING_REFUSED;
}

static size_t recipient_count(const struct report *report)
{
    return report->sending->message.envelope.recipient_count;
}

static struct slice address_at(const struct report *report, size_t index)
{
    return report->sending->message.envelope.recipients[index].address;
}

static void append_header(struct report *report)
{
    struct buffer *text = &report->text;
    char id[ACCOUNT_ID_TEXT + 1];
    const char *hostname = report->sender->options.config->hostname;
    account_id_format(report->sending->account, id);
    buffer_append_format(text,
                         "From: Mail delivery <MAILER-DAEMON@%s>\r\nTo: <%.*s>\r\nDate: ", hostname,
                         SLICE_FORMAT(report->owner));
    date_format_rfc5322(store_now(report->view), text);
    buffer_append_format(text,
                         "\r\nMessage-ID: <%llu.returned.%s@%s>\r\n"
                         "Subject: A message could not be redirected\r\n"
                         "Auto-Submitted: auto-replied\r\n"
                         "MIME-Version: 1.0\r\n"
                         "Content-Type: multipart/report; report-type=delivery-status;\r\n"
                         "\tboundary=\"%s\"\r\n\r\n",
                         (unsigned long long)report->sending->message.number, id, hostname,
                         report->boundary);
}

static void append_explanation(struct report *report)
{
    struct buffer *text = &report->text;
    buffer_append_format(text,
                         "--%s\r\nContent-Type: text/plain; charset=utf-8\r\n"
                         "Content-Transfer-Encoding: 8bit\r\n\r\n"
                         "Your mail filter redirects a message that could not be sent to\r\n\r\n",
                         report->boundary);
    for (size_t i = 0; i < recipient_count(report); i++)
        if (is_refused(report->sending, i))
            buffer_append_format(text, "    <%.*s>: %.*s\r\n", SLICE_FORMAT(address_at(report, i)),
                                 SLICE_FORMAT(report->sending->results[i].reply));
    buffer_append_string(text, "\r\nThe message is attached.\r\n");
}

/* "5.1.1" of "550 5.1.1 No such user"; 5.0.0 when nothing is said (RFC 3463). */
static void append_status(struct report *report, struct slice reply)
{
    size_t space = slice_find(reply, ' ');
    struct slice code = slice_sub(reply, space + 1, SIZE_MAX);
    size_t size = 0, dots = 0;
    while (size < code.size && size < 12 &&
           ((code.data[size] >= '0' && code.data[size] <= '9') || code.data[size] == '.'))
        dots += code.data[size++] == '.';
    if (dots == 2 && (code.data[0] == '4' || code.data[0] == '5') && code.data[1] == '.')
        buffer_append_format(&report->text, "Status: %.*s\r\n", (int)size, code.data);
    else
        buffer_append_string(&report->text, "Status: 5.0.0\r\n");
}

/* RFC 3464 section 2. */
static void append_status_part(struct report *report)
{
    struct buffer *text = &report->text;
    buffer_append_format(text,
                         "\r\n--%s\r\nContent-Type: message/delivery-status\r\n\r\n"
                         "Reporting-MTA: dns; %s\r\nArrival-Date: ",
                         report->boundary, report->sender->options.config->hostname);
    date_format_rfc5322(report->sending->message.created, text);
    buffer_append_string(text, "\r\n");
    for (size_t i = 0; i < recipient_count(report); i++) {
        if (!is_refused(report->sending, i))
            continue;
        struct slice reply = report->sending->results[i].reply;
        buffer_append_format(text, "\r\nFinal-Recipient: rfc822; %.*s\r\nAction: failed\r\n",
                             SLICE_FORMAT(address_at(report, i)));
        append_status(report, reply);
        if (reply.size && reply.data[0] >= '0' && reply.data[0] <= '9')
            buffer_append_format(text, "Diagnostic-Code: smtp; %.*s\r\n", SLICE_FORMAT(reply));
    }
}

static int append_message(struct report *report)
{
    struct buffer *text = &report->text;
    buffer_append_format(text, "\r\n--%s\r\nContent-Type: message/rfc822\r\n\r\n",
                         report->boundary);
    int error = outgoing_read(report->view, report->sending->message.number, text);
    buffer_append_format(text, "\r\n--%s--\r\n", report->boundary);
    return error ? error : buffer_error(text);
}

static int find_owner(struct report *report)
{
    struct account_info info;
    int error = store_account_get(report->sender->options.store, WHO_SYSTEM,
                                  report->sending->account, &report->arena, &info);
    if (!error)
        report->owner = info.address;
    return error;
}

static int compose(struct report *report)
{
    int error = find_owner(report);
    if (error)
        return error;
    snprintf(report->boundary, sizeof(report->boundary), "returned-%llx-%llx",
             (unsigned long long)report->sending->message.number,
             (unsigned long long)report->sending->message.created);
    append_header(report);
    append_explanation(report);
    append_status_part(report);
    return append_message(report);
}

/* Once for these recipients, though the process may be killed before it is noted that the message
 * cannot go to them. */
static int find_once(const struct report *report, struct remembered *once)
{
    struct buffer which;
    buffer_init(&which, REPORT_MEMORY);
    buffer_append_format(&which, "%llu", (unsigned long long)report->sending->message.number);
    for (size_t i = 0; i < recipient_count(report); i++)
        if (is_refused(report->sending, i))
            buffer_append_format(&which, " %zu", i);
    int error = buffer_error(&which);
    *once = (struct remembered){remember_number("returned", buffer_slice(&which)),
                                store_now(report->view) + REPORT_REMEMBERED};
    buffer_release(&which);
    return error;
}

static int deliver(struct report *report)
{
    struct collection inbox;
    struct prepared_message *message = NULL;
    struct remembered once;
    int error =
        collection_find(report->view, COLLECTION_MAILBOX, SLICE("INBOX"), &report->arena, &inbox);
    if (!error)
        error = find_once(report, &once);
    if (!error)
        error = prepared_message_create(buffer_slice(&report->text), &message);
    if (error)
        return error;
    const struct filing filing = {
        .mailbox = inbox.id,
        .append = {.message = message, .internal_date = store_now(report->view)},
        .once = once};
    const struct delivery_plan plan = {.filings = &filing, .filing_count = 1};
    error = store_deliver(report->view, &plan);
    prepared_message_free(&message);
    return error;
}

int return_to_owner(const struct sender *sender, struct store_view *view,
                    const struct sending *sending)
{
    struct report report = {.sender = sender, .sending = sending, .view = view};
    arena_init(&report.arena, REPORT_MEMORY);
    buffer_init(&report.text, SIZE_MAX - 1);
    int error = compose(&report);
    if (!error)
        error = deliver(&report);
    buffer_release(&report.text);
    arena_release(&report.arena);
    return error;
}
