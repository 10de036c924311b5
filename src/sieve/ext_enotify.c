/*
 * notify and its tests (RFC 5435), with the method mailto (RFC 5436), whose message is made here.
 */
#include "base/error.h"
#include "format/date.h"
#include "sieve/fields_priv.h"
#include "sieve/mail_priv.h"

enum {
    NOTIFY_CREATE = 2,
    NOTIFY_OPTIONS_MAXIMUM = 16,
    NOTIFY_URI_MAXIMUM = 4 * 1024,
    NOTIFY_MESSAGE_MAXIMUM = 64 * 1024, /* bytes of a notification */
};

static const struct tag notify_tags[] = {
    {"from", EXT_BASE, TAG_VALUE, 1, 0},
    {"importance", EXT_BASE, TAG_VALUE, 2, 0},
    {"options", EXT_BASE, TAG_VALUE, 3, 0},
    {"message", EXT_BASE, TAG_VALUE, 4, 0},
    {"fcc", EXT_FCC, TAG_VALUE, 6, 0},
    {"flags", EXT_IMAP4FLAGS, TAG_VALUE, 7, 0},
    {"create", EXT_MAILBOX, TAG_FLAG, 0, NOTIFY_CREATE},
    {"mailboxid", EXT_MAILBOXID, TAG_VALUE, 8, 0},
    {"specialuse", EXT_SPECIAL_USE, TAG_VALUE, 9, 0},
    {0},
};

static bool is_importance(struct slice text)
{
    return text.size == 1 && text.data[0] >= '1' && text.data[0] <= '3';
}

/* Section 3.5: "name=value", the name of letters, digits and some more. */
static bool is_option(struct slice text)
{
    size_t equals = slice_find(text, '=');
    for (size_t i = 0; i < equals; i++) {
        char c = text.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && (i == 0 || (c != '.' && c != '-' && c != '_')))
            return false;
    }
    return equals > 0 && equals < text.size;
}

static void check_notify(struct validator *validator, struct command *command)
{
    const struct tree_string *importance = operand_strings(command, 2);
    const struct tree_string *option = operand_strings(command, 3);
    if (importance && validator_is_constant(validator, importance->text) &&
        !is_importance(importance->text))
        validator_error(validator, importance->line, importance->column,
                        "an importance is \"1\", \"2\" or \"3\"");
    for (; option; option = option->next)
        if (validator_is_constant(validator, option->text) && !is_option(option->text))
            validator_error(validator, option->line, option->column, "an option is \"name=value\"");
    check_fcc(validator, command, 6, 0, NOTIFY_CREATE);
}

/* mailto URIs (RFC 6068). */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes percent-encoding; false for what is no encoding. */
static bool put_decoded(struct slice text, struct buffer *out)
{
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (c == '%') {
            if (i + 2 >= text.size || hex_value(text.data[i + 1]) < 0 ||
                hex_value(text.data[i + 2]) < 0)
                return false;
            c = (char)(hex_value(text.data[i + 1]) * 16 + hex_value(text.data[i + 2]));
            i += 2;
        }
        buffer_append_byte(out, c);
    }
    return true;
}

struct mailto {
    struct buffer to, cc, subject, body;
    bool has_subject;
};

static void mailto_release(struct mailto *mailto)
{
    buffer_release(&mailto->to);
    buffer_release(&mailto->cc);
    buffer_release(&mailto->subject);
    buffer_release(&mailto->body);
}

static bool put_header(struct mailto *mailto, struct slice header)
{
    size_t equals = slice_find(header, '=');
    struct slice name = slice_sub(header, 0, equals);
    struct slice value = slice_sub(header, equals + 1, SIZE_MAX);
    struct buffer *out = slice_equal_nocase(name, SLICE("to"))        ? &mailto->to
                         : slice_equal_nocase(name, SLICE("cc"))      ? &mailto->cc
                         : slice_equal_nocase(name, SLICE("subject")) ? &mailto->subject
                         : slice_equal_nocase(name, SLICE("body"))    ? &mailto->body
                                                                      : NULL;
    struct buffer unused;
    if (equals == header.size)
        return false;
    buffer_init(&unused, NOTIFY_URI_MAXIMUM);
    mailto->has_subject |= out == &mailto->subject;
    if (out && (out == &mailto->to || out == &mailto->cc) && out->size)
        buffer_append_string(out, ", ");
    bool good =
        put_decoded(value, out ? out : &unused); /* others are ignored, RFC 5436 section 2.7 */
    buffer_release(&unused);
    return good;
}

/* All addresses must be some (and one at least). */
static bool are_addresses(struct slice list, struct buffer *scratch, size_t *count)
{
    while (list.size) {
        size_t comma = slice_find(list, ',');
        if (!bare_address(slice_sub(list, 0, comma), scratch))
            return false;
        ++*count;
        list = slice_sub(list, comma + 1, SIZE_MAX);
    }
    return true;
}

/* Takes the URI apart; false when it is not valid. The buffers are to be released either way. */
static bool parse_mailto(struct slice uri, struct buffer *scratch, struct mailto *mailto)
{
    size_t count = 0;
    buffer_init(&mailto->to, NOTIFY_URI_MAXIMUM);
    buffer_init(&mailto->cc, NOTIFY_URI_MAXIMUM);
    buffer_init(&mailto->subject, NOTIFY_URI_MAXIMUM);
    buffer_init(&mailto->body, NOTIFY_URI_MAXIMUM);
    mailto->has_subject = false;
    if (uri.size > NOTIFY_URI_MAXIMUM ||
        !slice_equal_nocase(slice_sub(uri, 0, 7), SLICE("mailto:")))
        return false;
    struct slice rest = slice_sub(uri, 7, SIZE_MAX);
    size_t question = slice_find(rest, '?');
    if (!put_decoded(slice_sub(rest, 0, question), &mailto->to))
        return false;
    rest = slice_sub(rest, question + 1, SIZE_MAX);
    while (rest.size) {
        size_t end = slice_find(rest, '&');
        if (!put_header(mailto, slice_sub(rest, 0, end)))
            return false;
        rest = slice_sub(rest, end + 1, SIZE_MAX);
    }
    return are_addresses(buffer_slice(&mailto->to), scratch, &count) &&
           are_addresses(buffer_slice(&mailto->cc), scratch, &count) && count > 0 &&
           count <= SIEVE_REDIRECTS_MAXIMUM;
}

static bool is_mailto(struct slice uri)
{
    return slice_equal_nocase(slice_sub(uri, 0, 7), SLICE("mailto:"));
}

/* Whether the URI can be served: mailto here, others by the host. */
static bool is_valid(struct run *run, struct slice uri)
{
    struct mailto mailto;
    bool valid = false;
    if (is_mailto(uri)) {
        valid = parse_mailto(uri, &run->scratch, &mailto);
        mailto_release(&mailto);
    } else if (run->host->notify_valid && run->host->notify_valid(run->host->arg, uri, &valid)) {
        valid = false;
    }
    return valid;
}

/* RFC 5436 section 2.7: what a program sent is told of to nobody, so that there is no loop. */
static bool is_automatic(struct run *run)
{
    struct slice name = {"Auto-Submitted", 14};
    struct field *field = header_find(&run->message.fields, name, name_hash(name));
    return field &&
           !slice_equal_nocase(slice_sub(field->raw, 0, slice_find(field->raw, ';')), SLICE("no"));
}

static struct slice field_text(struct run *run, const char *name)
{
    struct slice text = slice_from_string(name), none = {"", 0};
    struct field *field = header_find(&run->message.fields, text, name_hash(text));
    struct value *value = field ? run_field_value(run, field) : NULL;
    return value ? value->text : none;
}

static void take_addresses(struct run *run, struct slice list, struct slice *addresses,
                           size_t *count)
{
    while (list.size && *count < SIEVE_REDIRECTS_MAXIMUM) {
        size_t comma = slice_find(list, ',');
        if (bare_address(slice_sub(list, 0, comma), &run->scratch))
            addresses[(*count)++] = run_copy(run, buffer_slice(&run->scratch));
        list = slice_sub(list, comma + 1, SIZE_MAX);
    }
}

static void take_recipients(struct run *run, const struct mailto *mailto,
                            struct sieve_action *action)
{
    struct slice *addresses =
        arena_alloc_array(&run->arena, SIEVE_REDIRECTS_MAXIMUM, sizeof(*addresses));
    if (!addresses) {
        run_fail(run, "the notification is too large");
        return;
    }
    take_addresses(run, buffer_slice(&mailto->to), addresses, &action->recipient_count);
    take_addresses(run, buffer_slice(&mailto->cc), addresses, &action->recipient_count);
    action->recipients = addresses;
}

static void put_subject(struct run *run, const struct sieve_action *action,
                        const struct mailto *mailto, struct buffer *header)
{
    if (action->text.data)
        mail_put_field("Subject", action->text, header);
    else if (mailto->has_subject)
        mail_put_field("Subject", buffer_slice(&mailto->subject), header);
    else
        mail_put_field("Subject", field_text(run, "Subject"), header);
}

static int compose_mailto(struct run *run, struct sieve_action *action)
{
    struct mailto mailto;
    struct buffer header, body;
    buffer_init(&header, NOTIFY_MESSAGE_MAXIMUM);
    buffer_init(&body, NOTIFY_MESSAGE_MAXIMUM);
    parse_mailto(action->target, &run->scratch, &mailto);
    buffer_append_format(&header, "Auto-Submitted: auto-notified; owner-email=\"%.*s\"\r\nDate: ",
                         SLICE_FORMAT(run_user(run)));
    date_format_rfc5322(run->started, &header);
    buffer_append_string(&header, "\r\n");
    mail_put_field("From", action->from, &header);
    if (mailto.to.size)
        mail_put_field("To", buffer_slice(&mailto.to), &header);
    if (mailto.cc.size)
        mail_put_field("Cc", buffer_slice(&mailto.cc), &header);
    put_subject(run, action, &mailto, &header);
    buffer_append_format(&header, "X-Priority: %u\r\n", action->importance * 2 - 1);
    mail_put_text(buffer_slice(&mailto.body), &header, &body);
    buffer_append_string(&header, "\r\n");
    action->recipient_count = 0;
    take_recipients(run, &mailto, action);
    mailto_release(&mailto);
    if (buffer_error(&header) || buffer_error(&body))
        run_fail(run, "the notification is too large");
    action->header = run_copy(run, buffer_slice(&header));
    action->body = run_copy(run, buffer_slice(&body));
    buffer_release(&header);
    buffer_release(&body);
    return run->failed ? ERROR_SYNTAX : 0;
}

static int take_options(struct run *run, struct sieve_action *action, uint32_t options)
{
    action->options = run_list(run, options, &action->option_count);
    if (action->option_count > NOTIFY_OPTIONS_MAXIMUM)
        return run_fail(run, "notify: there are more than %d options", NOTIFY_OPTIONS_MAXIMUM);
    for (size_t i = 0; i < action->option_count; i++)
        if (!is_option(action->options[i]))
            return run_fail(run, "notify: an option is \"name=value\"");
    return run->failed ? ERROR_SYNTAX : 0;
}

static int fill_in(struct run *run, const uint32_t *operands, struct sieve_action *action)
{
    struct slice importance = run_string(run, operands[2]), from = run_string(run, operands[1]);
    if (importance.data && !is_importance(importance))
        return run_fail(run, "notify: an importance is \"1\", \"2\" or \"3\"");
    action->importance = importance.data ? (unsigned)(importance.data[0] - '0') : 2;
    action->from = from.data && bare_address(from, &run->scratch) ? from : run_user(run);
    action->text = run_string(run, operands[4]);
    if (take_options(run, action, operands[3]))
        return ERROR_SYNTAX;
    action_fcc(run, action, operands + 6, (operands[0] & NOTIFY_CREATE) != 0);
    return is_mailto(action->target) ? compose_mailto(run, action) : 0;
}

/* Operands: 0 flags, 1 from, 2 importance, 3 options, 4 message, 5 the method's URI, 6 to 9 of the
 * copy. */
static int run_notify(struct run *run, const uint32_t *operands)
{
    struct slice uri = run_string(run, operands[5]);
    if (!uri.data || !is_valid(run, uri))
        return run_fail(run, "notify: \"%.*s\" is no method there is", QUOTED(uri));
    if (is_automatic(run) && is_mailto(uri)) {
        run_trace(run, "notify: none, as a program has sent the message");
        return 0;
    }
    struct sieve_action *action = run_action(run, SIEVE_NOTIFY, uri);
    run_trace(run, "notify \"%.*s\"", QUOTED(uri));
    return action ? fill_in(run, operands, action) : ERROR_SYNTAX;
}

const struct definition definition_notify = {.name = "notify",
                                             .extension = EXT_ENOTIFY,
                                             .operands = "wSSLSsSLSS",
                                             .positions = "f",
                                             .tags = {notify_tags},
                                             .check = check_notify,
                                             .run = run_notify};

/* Operands: 0 URIs. */
static int run_valid_notify_method(struct run *run, const uint32_t *operands)
{
    run->truth = true;
    for (size_t i = 0; i < run_list_size(run, operands[0]) && run->truth; i++)
        run->truth = is_valid(run, run_list_at(run, operands[0], i));
    return 0;
}

const struct definition definition_valid_notify_method = {.name = "valid_notify_method",
                                                          .extension = EXT_ENOTIFY,
                                                          .test = true,
                                                          .operands = "l",
                                                          .positions = "a",
                                                          .run = run_valid_notify_method};

/* Operands: 0 keys, 1 the URI, 2 the capability. */
static int run_notify_method_capability(struct run *run, const uint32_t *operands)
{
    struct matcher matcher;
    struct buffer value;
    struct slice uri = run_string(run, operands[1]), name = run_string(run, operands[2]);
    int error = ERROR_NOT_FOUND;
    match_begin(&matcher, run, operands[0]);
    if (!is_valid(run, uri))
        return match_end(&matcher);
    buffer_init(&value, NOTIFY_URI_MAXIMUM);
    if (is_mailto(uri) && slice_equal_nocase(name, SLICE("online")))
        error = buffer_append_string(&value, "maybe"); /* RFC 5436 section 2.2 */
    else if (!is_mailto(uri) && run->host->notify_capability)
        error = run->host->notify_capability(run->host->arg, uri, name, &value);
    if (!error)
        match_text(&matcher, run_copy(run, buffer_slice(&value)));
    buffer_release(&value);
    return match_end(&matcher);
}

const struct definition definition_notify_method_capability = {.name = "notify_method_capability",
                                                               .extension = EXT_ENOTIFY,
                                                               .test = true,
                                                               .operands = "kss",
                                                               .positions = "bca",
                                                               .tags = {match_tags},
                                                               .run = run_notify_method_capability};
