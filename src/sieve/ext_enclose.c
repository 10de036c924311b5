/*
 * enclose (RFC 5703 section 6).
 */
#include "base/error.h"
#include "format/date.h"
#include "sieve/fields_priv.h"
#include "sieve/mail_priv.h"

enum {
    ENCLOSE_HEADER_MAXIMUM = 1024 * 1024, /* bytes of the new header, :headers included */
    ENCLOSE_SUBJECT_MAXIMUM = 4096,
};

static const struct tag enclose_tags[] = {
    {"subject", EXT_BASE, TAG_VALUE, 0, 0},
    {"headers", EXT_BASE, TAG_VALUE, 1, 0},
    {0},
};

static void check_enclose(struct validator *validator, struct command *command)
{
    for (const struct tree_string *name = operand_strings(command, 1); name; name = name->next)
        if (validator_is_constant(validator, name->text) && !mail_is_field_name(name->text))
            validator_error(validator, name->line, name->column,
                            "\"%.*s\" is no name of a header field", QUOTED(name->text));
}

/* Copies the fields of that name; false when there is none. */
static bool put_fields(const struct run *run, struct slice name, struct buffer *out)
{
    const struct header *header = &run->message.fields;
    const struct field *field = header_find(header, name, name_hash(name));
    if (!field || mail_is_mime_field(name))
        return false;
    for (; field; field = header_find_next(header, field)) {
        buffer_append(out, field->whole);
        buffer_append_string(out, "\r\n");
    }
    return true;
}

struct enclosure {
    bool has_date, has_from;
    struct buffer header;
};

/* Whether the list names it before that place, too. */
static bool is_repeated(struct run *run, uint32_t list, size_t index, struct slice name)
{
    for (size_t i = 0; i < index; i++)
        if (slice_equal_nocase(run_list_at(run, list, i), name))
            return true;
    return false;
}

/* Those of :headers. A subject that is given counts for more. */
static void put_listed(struct run *run, const uint32_t *operands, struct enclosure *enclosure)
{
    size_t count = run_list_size(run, operands[1]);
    for (size_t i = 0; i < count && !run->failed; i++) {
        struct slice name = run_list_at(run, operands[1], i);
        bool subject = slice_equal_nocase(name, SLICE("Subject"));
        if (!mail_is_field_name(name)) {
            run_fail(run, "\"%.*s\" is no name of a header field", QUOTED(name));
            return;
        }
        if (subject || is_repeated(run, operands[1], i, name) ||
            !put_fields(run, name, &enclosure->header))
            continue; /* the subject comes in any case */
        enclosure->has_date |= slice_equal_nocase(name, SLICE("Date"));
        enclosure->has_from |= slice_equal_nocase(name, SLICE("From"));
    }
}

/* The user: who the message is for. */
static void put_from(struct run *run, struct buffer *out)
{
    struct slice from = run_user(run);
    if (from.size)
        mail_put_field("From", from, out);
    else
        put_fields(run, SLICE("From"), out);
}

static void put_header(struct run *run, const uint32_t *operands, const char *boundary,
                       struct enclosure *enclosure)
{
    struct buffer *out = &enclosure->header;
    struct slice subject = run_string(run, operands[0]);
    put_listed(run, operands, enclosure);
    if (!enclosure->has_date) {
        buffer_append_string(out, "Date: ");
        date_format_rfc5322(run->started, out);
        buffer_append_string(out, "\r\n");
    }
    if (!enclosure->has_from)
        put_from(run, out);
    if (subject.size > ENCLOSE_SUBJECT_MAXIMUM)
        run_fail(run, "a subject may have %d bytes", ENCLOSE_SUBJECT_MAXIMUM);
    else if (subject.data)
        mail_put_field("Subject", subject, out);
    else
        put_fields(run, SLICE("Subject"), out);
    buffer_append_format(out,
                         "MIME-Version: 1.0\r\n"
                         "Content-Type: multipart/mixed; boundary=\"%s\"\r\n\r\n",
                         boundary);
}

static uint64_t hash(uint64_t hash, struct slice bytes)
{
    for (size_t i = 0; i < bytes.size; i++)
        hash = (hash ^ (unsigned char)bytes.data[i]) * 1099511628211ULL; /* FNV-1a */
    return hash;
}

static bool holds(struct slice text, const char *boundary)
{
    return text.size && memmem(text.data, text.size, boundary, strlen(boundary));
}

/* One that is in neither. */
static void make_boundary(struct slice header, struct slice body, char boundary[40])
{
    enum { HASHED = 64 * 1024 };
    uint64_t number = hash(hash(14695981039346656037ULL, slice_sub(header, 0, HASHED)),
                           slice_sub(body, 0, HASHED));
    do
        snprintf(boundary, 40, "=_enclose_%016llx", (unsigned long long)number++);
    while (holds(header, boundary) || holds(body, boundary));
}

static bool is_seven_bit(struct slice bytes)
{
    for (size_t i = 0; i < bytes.size; i++)
        if ((unsigned char)bytes.data[i] >= 0x80)
            return false;
    return true;
}

static void put_body(struct slice text, const char *boundary, bool seven_bit, struct buffer *out)
{
    buffer_append_format(out, "--%s\r\n", boundary);
    mail_put_part(text, out);
    buffer_append_format(out,
                         "\r\n--%s\r\n"
                         "Content-Type: message/rfc822\r\n"
                         "Content-Transfer-Encoding: %s\r\n\r\n",
                         boundary, seven_bit ? "7bit" : "8bit");
}

static int enclose(struct run *run, const uint32_t *operands, struct enclosure *enclosure)
{
    struct slice header, body;
    struct buffer before;
    char boundary[40], behind[64];
    run_message(run, &header, &body);
    if (run->failed)
        return ERROR_SYNTAX;
    make_boundary(header, body, boundary);
    put_header(run, operands, boundary, enclosure);
    snprintf(behind, sizeof(behind), "\r\n--%s--\r\n", boundary);
    buffer_init(&before, 2 * SIEVE_STRING_MAXIMUM + 4096);
    put_body(run_string(run, operands[2]), boundary, is_seven_bit(header) && is_seven_bit(body),
             &before);
    struct slice copy = run_copy(run, buffer_slice(&enclosure->header));
    if (buffer_error(&before) || buffer_error(&enclosure->header))
        run_fail(run, "the new message is too large");
    int error = run->failed
                    ? ERROR_SYNTAX
                    : run_enclose(run, copy, buffer_slice(&before), slice_from_string(behind));
    buffer_release(&before);
    return error;
}

/* Operands: 0 the subject, 1 names of fields, 2 the text. */
static int run_enclose_command(struct run *run, const uint32_t *operands)
{
    struct enclosure enclosure = {0};
    buffer_init(&enclosure.header, ENCLOSE_HEADER_MAXIMUM);
    int error = enclose(run, operands, &enclosure);
    buffer_release(&enclosure.header);
    if (!error)
        run_trace(run, "enclose");
    return error;
}

const struct definition definition_enclose = {.name = "enclose",
                                              .extension = EXT_ENCLOSE,
                                              .operands = "SLs",
                                              .positions = "c",
                                              .tags = {enclose_tags},
                                              .check = check_enclose,
                                              .run = run_enclose_command};
