/*
 * The message to the owner about an error in a script.
 */
#include "base/error.h"
#include "format/date.h"
#include "session/sieve/filter_priv.h"

static void append_header(struct filter *filter, struct buffer *text)
{
    const struct filter_facts *facts = &filter->facts;
    buffer_append_format(text, "From: Mail filter <MAILER-DAEMON@%s>\r\nTo: ", facts->hostname);
    buffer_append(text, filter->address);
    buffer_append_string(text, "\r\nDate: ");
    date_format_rfc5322(facts->date, text);
    buffer_append_format(text,
                         "\r\nMessage-ID: <%s.filter@%s>\r\n"
                         "Subject: There is an error in your mail filter\r\n"
                         "Auto-Submitted: auto-generated\r\n"
                         "MIME-Version: 1.0\r\n"
                         "Content-Type: text/plain; charset=utf-8\r\n"
                         "Content-Transfer-Encoding: 8bit\r\n\r\n",
                         facts->id, facts->hostname);
}

/* What a stranger chose. */
static void append_clean(struct buffer *text, struct slice address)
{
    for (size_t i = 0; i < address.size; i++)
        buffer_append_byte(text, (unsigned char)address.data[i] < ' ' ? '?' : address.data[i]);
}

static void append_body(struct filter *filter, struct buffer *text)
{
    if (filter->event) {
        buffer_append_string(text,
                             "Your mail filter could not deal with what happened to a message "
                             "in\r\nthe mailbox \"");
        event_environment(filter, SLICE("imap.mailbox"), text);
        buffer_append_string(text, "\". It has been kept as it is. In the script \"");
    } else {
        buffer_append_string(text, "Your mail filter could not deal with a message from <");
        append_clean(text, filter->facts.sender);
        buffer_append_string(text, ">,\r\nwhich has been kept. In the script \"");
    }
    buffer_append(text, filter->problem_script);
    buffer_append_string(text, "\"");
    if (filter->problem_line)
        buffer_append_format(text, ", line %u", filter->problem_line);
    buffer_append_format(text,
                         ":\r\n\r\n    %s\r\n\r\n"
                         "You are told so once a day at most; there may be other errors.\r\n",
                         filter->problem);
}

int filter_add_notice(struct filter *filter)
{
    struct buffer *text = &filter->notice_bytes;
    const struct collection *inbox = NULL;
    int error = filter_load_mailboxes(filter);
    if (error)
        return error;
    for (size_t i = 0; i < filter->collection_count; i++)
        if (filter->collections[i].role == ROLE_INBOX)
            inbox = &filter->collections[i];
    if (!inbox)
        return 0;
    append_header(filter, text);
    append_body(filter, text);
    error = buffer_error(text);
    if (!error)
        error = prepared_message_create(buffer_slice(text), &filter->notice);
    if (error)
        return error;
    filter->filings[filter->filing_count++] =
        (struct filing){.mailbox = inbox->id,
                        .append = {.message = filter->notice, .internal_date = filter->facts.date},
                        .once = {remember_number("filter-notice", SLICE("")),
                                 store_now(filter->facts.view) + FILTER_NOTICE_SECONDS}};
    return 0;
}
