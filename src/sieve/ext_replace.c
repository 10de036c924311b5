/*
 * replace (RFC 5703 section 5).
 */
#include "base/error.h"
#include "format/address.h"
#include "sieve/fields_priv.h"
#include "sieve/mail_priv.h"

enum { REPLACE_MIME = 1 << 8 };

enum {
    SUBJECT_MAXIMUM = 4096, /* bytes of :subject, of :from */
    ENTITY_MAXIMUM = 2 * SIEVE_STRING_MAXIMUM + 4096,
};

static const struct tag replace_tags[] = {
    {"mime", EXT_BASE, TAG_FLAG, 0, REPLACE_MIME},
    {"subject", EXT_BASE, TAG_VALUE, 1, 0},
    {"from", EXT_BASE, TAG_VALUE, 2, 0},
    {0},
};

/* One address of :from; its name is encoded, or quoted. */
static bool put_mailbox(const struct address *address, struct buffer *out)
{
    if (address->kind != ADDRESS_MAILBOX || !address->local.size || !address->domain.size ||
        address->route.size || !mail_is_ascii(address->local) || !mail_is_ascii(address->domain) ||
        slice_find(address->local, ' ') < address->local.size)
        return false;
    if (out->size)
        buffer_append_string(out, ", ");
    if (address->name.size && !mail_is_ascii(address->name)) {
        mail_put_value(address->name, out->size, out);
    } else if (address->name.size) {
        buffer_append_byte(out, '"');
        for (size_t i = 0; i < address->name.size; i++) {
            if (strchr("\"\\", address->name.data[i]))
                buffer_append_byte(out, '\\');
            buffer_append_byte(out, address->name.data[i]);
        }
        buffer_append_byte(out, '"');
    }
    buffer_append_format(out, "%s<%.*s@%.*s>", address->name.size ? " " : "",
                         SLICE_FORMAT(address->local), SLICE_FORMAT(address->domain));
    return true;
}

/* A mailbox-list (RFC 5322 section 3.4): false when it is none. Appends it as it can be sent. */
static bool put_mailboxes(struct slice text, struct buffer *out)
{
    struct address_parser parser;
    struct address address;
    bool valid = true;
    address_parser_init(&parser, text);
    while (valid && address_next(&parser, &address))
        valid = put_mailbox(&address, out);
    return valid && !parser.cut && out->size && !buffer_error(out);
}

static void check_replace(struct validator *validator, struct command *command)
{
    const struct tree_string *from = operand_strings(command, 2);
    struct buffer out;
    if (command->operands[0].word & REPLACE_MIME && (from || operand_strings(command, 1)))
        validator_error(validator, command->line, command->column,
                        ":mime does not go together with :subject or :from");
    buffer_init(&out, SUBJECT_MAXIMUM);
    if (from && validator_is_constant(validator, from->text) && !put_mailboxes(from->text, &out))
        validator_error(validator, from->line, from->column, "\"%.*s\" is no list of addresses",
                        QUOTED(from->text));
    buffer_release(&out);
}

/* --- a part --- */

static int make_entity(struct run *run, const uint32_t *operands, struct slice *entity)
{
    struct slice text = run_string(run, operands[3]);
    struct buffer out;
    buffer_init(&out, ENTITY_MAXIMUM);
    if (operands[0] & REPLACE_MIME) {
        buffer_append(&out, text);
        if (!slice_starts_with(text, SLICE("\r\n")) &&
            !(text.size && memmem(text.data, text.size, "\r\n\r\n", 4)))
            buffer_append_string(&out, "\r\n\r\n"); /* it is a header alone */
    } else {
        mail_put_part(text, &out);
    }
    if (buffer_error(&out))
        run_fail(run, "the replacement is too large");
    *entity = run_copy(run, buffer_slice(&out));
    buffer_release(&out);
    return run->failed ? ERROR_SYNTAX : 0;
}

static int replace_part(struct run *run, const struct mime_part *part, struct slice entity)
{
    int error = message_replace_part(&run->message, part, entity);
    if (error == ERROR_CONFLICT)
        return run_fail(run, "the replacement has a line that is a boundary of the message");
    return error ? run_fail(run, "the message has too many parts") : 0;
}

/* --- the message --- */

/* What it was is kept under another name. */
static bool supersede(struct run *run, const char *name, struct slice value)
{
    struct slice text = slice_from_string(name);
    struct header *header = &run->message.fields;
    uint32_t hash = name_hash(text);
    struct field *field;
    while ((field = header_find(header, text, hash)))
        if (message_rename_field(&run->message, field, SLICE("Original-")))
            return run_fail(run, "the script needs too much memory"), false;
    return !message_add_field(&run->message, text, value, true) ||
           (run_fail(run, "the script needs too much memory"), false);
}

static void take_subject(struct run *run, uint32_t operand)
{
    struct slice subject = run_string(run, operand);
    struct buffer value;
    if (!subject.data)
        return;
    buffer_init(&value, 4 * SUBJECT_MAXIMUM);
    mail_put_value(subject, strlen("Subject: "), &value);
    if (subject.size > SUBJECT_MAXIMUM)
        run_fail(run, "a subject may have %d bytes", SUBJECT_MAXIMUM);
    else
        supersede(run, "Subject", buffer_slice(&value));
    buffer_release(&value);
}

static void take_from(struct run *run, uint32_t operand)
{
    struct slice from = run_string(run, operand);
    struct buffer value;
    if (!from.data)
        return;
    buffer_init(&value, SUBJECT_MAXIMUM);
    if (put_mailboxes(from, &value))
        supersede(run, "From", buffer_slice(&value));
    else
        run_fail(run, "replace: \"%.*s\" is no list of addresses", QUOTED(from));
    buffer_release(&value);
}

/* The fields that say how the body is to be read: those of the message go, the entity's come. */
static void take_mime_fields(struct run *run, struct slice entity)
{
    struct message *message = &run->message;
    struct header fields;
    int error = header_parse(&fields, entity, &run->arena);
    for (size_t i = message->fields.count; i-- > 0;)
        if (mail_is_mime_field(message->fields.fields[i].name))
            message_delete_field(message, &message->fields.fields[i]);
    if (!error)
        error = message_add_field(message, SLICE("MIME-Version"), SLICE("1.0"), true);
    for (size_t i = 0; i < fields.count && !error; i++) {
        const struct field *field = &fields.fields[i];
        if (mail_is_mime_field(field->name) &&
            !slice_equal_nocase(field->name, SLICE("MIME-Version")))
            error = message_add_field(message, field->name, field->raw, true);
    }
    if (error)
        run_fail(run, "the script needs too much memory");
}

static struct slice body_of(struct slice entity)
{
    const char *end = memmem(entity.data, entity.size, "\r\n\r\n", 4);
    size_t size = end ? (size_t)(end - entity.data) + 4 : entity.size;
    return slice_sub(entity, slice_starts_with(entity, SLICE("\r\n")) ? 2 : size, SIZE_MAX);
}

static int replace_message(struct run *run, const uint32_t *operands, struct slice entity)
{
    take_mime_fields(run, entity);
    if (!(operands[0] & REPLACE_MIME)) {
        take_subject(run, operands[1]);
        take_from(run, operands[2]);
    }
    message_replace_body(&run->message, body_of(entity));
    return run->failed ? ERROR_SYNTAX : 0;
}

/* Operands: 0 :mime, 1 the subject, 2 the sender, 3 the replacement. */
static int run_replace(struct run *run, const uint32_t *operands)
{
    struct run_loop *loop;
    struct slice entity;
    const struct mime_part *part = run_part_to_change(run, &loop);
    if (run->failed || make_entity(run, operands, &entity))
        return ERROR_SYNTAX;
    bool whole = !part || !part->parent;
    int error = whole ? replace_message(run, operands, entity) : replace_part(run, part, entity);
    if (error)
        return error;
    if (loop)
        loop->replaced = true;
    run_trace(run, "replace: %s", whole ? "the message" : "the part at hand");
    return 0;
}

const struct definition definition_replace = {.name = "replace",
                                              .extension = EXT_REPLACE,
                                              .operands = "wSSs",
                                              .positions = "d",
                                              .tags = {replace_tags},
                                              .check = check_replace,
                                              .run = run_replace};
