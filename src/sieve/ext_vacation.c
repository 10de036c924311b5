/*
 * vacation (RFC 5230), vacation-seconds (RFC 6131), with :fcc (RFC 8580).
 *
 * Whether a response may be sent is decided here, but for how often: that is the host's, which
 * remembers whom it answered by target, handle and seconds.
 */
#include "base/error.h"
#include "format/date.h"
#include "format/text.h"
#include "sieve/fields_priv.h"
#include "sieve/mail_priv.h"

enum {
    VACATION_MIME = 1,
    VACATION_CREATE = 2,
    VACATION_DEFAULT = 7 * 86400,           /* seconds between responses to one sender */
    VACATION_MAXIMUM = 365 * 86400,         /* longer times become this */
    VACATION_ADDRESSES_MAXIMUM = 100,       /* of :addresses */
    VACATION_SUBJECT_MAXIMUM = 2 * 1024,    /* bytes of the original subject that are repeated */
    VACATION_REFERENCES_MAXIMUM = 8 * 1024, /* bytes of References that are repeated */
    VACATION_RESPONSE_MAXIMUM = 256 * 1024, /* bytes of a response */
};

static const struct tag vacation_tags[] = {
    {"days", EXT_BASE, TAG_SECONDS, 1, 86400},
    {"seconds", EXT_VACATION_SECONDS, TAG_SECONDS, 1, 1},
    {"subject", EXT_BASE, TAG_VALUE, 2, 0},
    {"from", EXT_BASE, TAG_VALUE, 3, 0},
    {"addresses", EXT_BASE, TAG_VALUE, 4, 0},
    {"mime", EXT_BASE, TAG_FLAG, 0, VACATION_MIME},
    {"handle", EXT_BASE, TAG_VALUE, 5, 0},
    {"fcc", EXT_FCC, TAG_VALUE, 7, 0},
    {"flags", EXT_IMAP4FLAGS, TAG_VALUE, 8, 0},
    {"create", EXT_MAILBOX, TAG_FLAG, 0, VACATION_CREATE},
    {"mailboxid", EXT_MAILBOXID, TAG_VALUE, 9, 0},
    {"specialuse", EXT_SPECIAL_USE, TAG_VALUE, 10, 0},
    {0},
};

static void check_vacation(struct validator *validator, struct command *command)
{
    check_address(validator, command, 3);
    check_address(validator, command, 4);
    check_fcc(validator, command, 7, 0, VACATION_CREATE);
    const struct tree_string *reason = operand_strings(command, 6);
    size_t blank = command->operands[0].word & VACATION_MIME ? reason->text.size : 0;
    for (size_t i = 0; i < blank; i++) {
        if ((unsigned char)reason->text.data[i] >= 0x80) {
            validator_error(validator, reason->line, reason->column,
                            "with :mime the text may have ASCII alone before its empty line");
            break;
        }
        if (i >= 3 && memcmp(reason->text.data + i - 3, "\r\n\r\n", 4) == 0)
            break;
    }
}

/* Section 4.6: mail that nobody wrote by hand is not answered. */
static bool is_automatic(struct run *run)
{
    static const char *const lists[] = {"List-Id",      "List-Help",  "List-Subscribe",
                                        "List-Post",    "List-Owner", "List-Unsubscribe",
                                        "List-Archive", NULL};
    const struct header *header = &run->message.fields;
    for (const char *const *name = lists; *name; name++) {
        struct slice list = slice_from_string(*name);
        if (header_find(header, list, name_hash(list)))
            return true;
    }
    struct slice automatic = {"Auto-Submitted", 14}, precedence = {"Precedence", 10};
    struct field *field = header_find(header, automatic, name_hash(automatic));
    if (field &&
        !slice_equal_nocase(slice_sub(field->raw, 0, slice_find(field->raw, ';')), SLICE("no")))
        return true;
    field = header_find(header, precedence, name_hash(precedence));
    return field && (slice_equal_nocase(field->raw, SLICE("bulk")) ||
                     slice_equal_nocase(field->raw, SLICE("list")) ||
                     slice_equal_nocase(field->raw, SLICE("junk")));
}

/* The same section: addresses that belong to programs. */
static bool is_program(struct slice address)
{
    static const char *const names[] = {"mailer-daemon", "listserv", "majordomo",
                                        "noreply",       "no-reply", NULL};
    struct slice local = message_address(address).local.text, request = {"-request", 8};
    for (const char *const *name = names; *name; name++)
        if (slice_equal_nocase(local, slice_from_string(*name)))
            return true;
    return slice_equal_nocase(slice_sub(local, 0, 6), SLICE("owner-")) ||
           (local.size > request.size &&
            slice_equal_nocase(slice_sub(local, local.size - request.size, SIZE_MAX), request));
}

/* Whether the address is one of the user's: the recipient, what the host knows, :addresses. */
static bool is_own(struct run *run, uint32_t more, struct slice address)
{
    const struct sieve_input *input = run->input;
    if (!address.size)
        return false;
    if (slice_equal_nocase(address, input->envelope_to) ||
        slice_equal_nocase(address, input->original_to))
        return true;
    for (size_t i = 0; i < input->address_count; i++)
        if (slice_equal_nocase(address, input->addresses[i]))
            return true;
    for (size_t i = 0; i < run_list_size(run, more); i++)
        if (bare_address(run_list_at(run, more, i), &run->scratch) &&
            slice_equal_nocase(address, buffer_slice(&run->scratch)))
            return true;
    return false;
}

/* Section 4.5: the message was sent to the user, not to a list or as a blind copy. */
static bool is_personal(struct run *run, uint32_t more)
{
    static const char *const names[] = {"To",        "Cc",         "Bcc", "Resent-To",
                                        "Resent-Cc", "Resent-Bcc", NULL};
    for (const char *const *name = names; *name; name++) {
        struct slice text = slice_from_string(*name);
        struct field *field = header_find(&run->message.fields, text, name_hash(text));
        for (; field; field = header_find_next(&run->message.fields, field)) {
            if (field_addresses(field, &run->arena))
                return run_fail(run, "the message's header is too large"), false;
            for (size_t i = 0; i < field->address_count; i++)
                if (is_own(run, more, field->addresses[i].all.text))
                    return true;
        }
    }
    return false;
}

/* Why no response is sent; NULL: one may be. */
static const char *reason_against(struct run *run, uint32_t addresses)
{
    struct slice from = run->input->envelope_from;
    if (!from.size)
        return "there is no sender to answer";
    if (is_program(from))
        return "the sender is a program";
    if (is_own(run, addresses, from))
        return "the sender is the user";
    if (is_automatic(run))
        return "the message is a list's or a program's";
    return is_personal(run, addresses) ? NULL : "the user is not among its recipients";
}

static struct slice field_text(struct run *run, const char *name)
{
    struct slice text = slice_from_string(name), none = {NULL, 0};
    struct field *field = header_find(&run->message.fields, text, name_hash(text));
    struct value *value = field ? run_field_value(run, field) : NULL;
    return value ? value->text : none;
}

static struct slice make_subject(struct run *run, uint32_t given)
{
    struct slice subject = field_text(run, "Subject");
    if (given != NO_CONSTANT)
        return run_string(run, given);
    if (!subject.size)
        return SLICE("Automated reply");
    struct buffer text;
    buffer_init(&text, VACATION_SUBJECT_MAXIMUM + 16);
    if (subject.size > VACATION_SUBJECT_MAXIMUM)
        subject.size = VACATION_SUBJECT_MAXIMUM;
    while (subject.size && !text_is_utf8(subject))
        subject.size--; /* cut within a character */
    buffer_append_string(&text, "Auto: ");
    buffer_append(&text, subject);
    struct slice copy = run_copy(run, buffer_slice(&text));
    buffer_release(&text);
    return copy;
}

/* Section 5.8. */
static void put_references(struct run *run, struct buffer *header)
{
    struct slice id = field_text(run, "Message-ID"), before = field_text(run, "References");
    if (!id.size || id.size > VACATION_REFERENCES_MAXIMUM)
        return;
    mail_put_field("In-Reply-To", id, header);
    struct buffer text;
    buffer_init(&text, 2 * VACATION_REFERENCES_MAXIMUM + 2);
    if (!before.size)
        before = field_text(run, "In-Reply-To");
    if (before.size && before.size <= VACATION_REFERENCES_MAXIMUM) {
        buffer_append(&text, before);
        buffer_append_byte(&text, ' ');
    }
    buffer_append(&text, id);
    mail_put_field("References", buffer_slice(&text), header);
    buffer_release(&text);
}

/* The response: header and body. */
static void compose(struct run *run, const uint32_t *operands, const struct sieve_action *action,
                    struct buffer *header, struct buffer *body)
{
    struct slice reason = run_string(run, operands[6]);
    buffer_append_string(header, "Date: ");
    date_format_rfc5322(run->started, header);
    buffer_append_string(header, "\r\n");
    mail_put_field("From", action->from, header);
    mail_put_field("To", action->target, header);
    mail_put_field("Subject", action->subject, header);
    put_references(run, header);
    buffer_append_string(header, "Auto-Submitted: auto-replied\r\n");
    if (!(operands[0] & VACATION_MIME)) {
        mail_put_text(reason, header, body);
        buffer_append_string(header, "\r\n");
        return;
    }
    /* The text has the header fields of its content, and an empty line behind them. */
    const char *end = memmem(reason.data, reason.size, "\r\n\r\n", 4);
    size_t size = end ? (size_t)(end - reason.data) + 4 : reason.size;
    if (slice_starts_with(reason, SLICE("\r\n")))
        size = 2;
    buffer_append_string(header, "MIME-Version: 1.0\r\n");
    buffer_append(header, slice_sub(reason, 0, size));
    if (!end && size != 2)
        buffer_append_string(header, "\r\n\r\n");
    buffer_append(body, slice_sub(reason, size, SIZE_MAX));
}

/* Section 4.2: without :handle, responses that differ are told apart by what they say. */
static struct slice make_handle(struct run *run, const uint32_t *operands)
{
    uint64_t hash = 14695981039346656037ULL; /* FNV-1a */
    const uint32_t parts[] = {operands[2], operands[3], operands[6]};
    char text[32];
    if (operands[5] != NO_CONSTANT)
        return run_string(run, operands[5]);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        struct slice part = run_string(run, parts[i]);
        for (size_t j = 0; j < part.size; j++)
            hash = (hash ^ (unsigned char)part.data[j]) * 1099511628211ULL;
        hash = (hash ^ 0x100) * 1099511628211ULL;
    }
    hash ^= operands[0] & VACATION_MIME;
    int size = snprintf(text, sizeof(text), "%016llx", (unsigned long long)hash);
    return run_copy(run, slice_make(text, (size_t)size));
}

static int respond(struct run *run, const uint32_t *operands, struct sieve_action *action)
{
    struct buffer header, body;
    uint64_t seconds = run_number(run, operands[1], VACATION_DEFAULT);
    action->seconds = seconds < VACATION_MAXIMUM ? seconds : VACATION_MAXIMUM;
    action->subject = make_subject(run, operands[2]);
    action->from =
        operands[3] != NO_CONSTANT ? run_string(run, operands[3]) : run->input->envelope_to;
    action->handle = make_handle(run, operands);
    action_fcc(run, action, operands + 7, (operands[0] & VACATION_CREATE) != 0);
    buffer_init(&header, VACATION_RESPONSE_MAXIMUM);
    buffer_init(&body, VACATION_RESPONSE_MAXIMUM);
    compose(run, operands, action, &header, &body);
    if (buffer_error(&header) || buffer_error(&body))
        run_fail(run, "the response is too large");
    action->header = run_copy(run, buffer_slice(&header));
    action->body = run_copy(run, buffer_slice(&body));
    buffer_release(&header);
    buffer_release(&body);
    return run->failed ? ERROR_SYNTAX : 0;
}

/* Operands: 0 flags, 1 seconds, 2 subject, 3 from, 4 addresses, 5 handle, 6 reason, 7 to 10 of the
 * copy. */
static int run_vacation(struct run *run, const uint32_t *operands)
{
    if (run->input->event) /* RFC 6785 section 3.11 */
        return run_fail(run, "\"vacation\" cannot be used for an IMAP event");
    if (run->vacation)
        return run_fail(run, "a script may answer a message once"); /* section 4.7 */
    run->vacation = true;
    if (operands[3] != NO_CONSTANT && !bare_address(run_string(run, operands[3]), &run->scratch))
        return run_fail(run, "vacation: :from is no address");
    if (run_list_size(run, operands[4]) > VACATION_ADDRESSES_MAXIMUM)
        return run_fail(run, "vacation: there are more than %d addresses",
                        VACATION_ADDRESSES_MAXIMUM);
    const char *against = reason_against(run, operands[4]);
    if (run->failed)
        return ERROR_SYNTAX;
    run_trace(run, "vacation%s%s", against ? ": none, as " : "", against ? against : "");
    if (against)
        return 0;
    struct sieve_action *action = run_action(run, SIEVE_VACATION, run->input->envelope_from);
    return action ? respond(run, operands, action) : ERROR_SYNTAX;
}

const struct definition definition_vacation = {.name = "vacation",
                                               .extension = EXT_VACATION,
                                               .operands = "wNSSLSsSLSS",
                                               .positions = "g",
                                               .tags = {vacation_tags},
                                               .check = check_vacation,
                                               .run = run_vacation};
