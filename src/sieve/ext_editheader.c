/*
 * addheader and deleteheader (RFC 5293).
 */
#include "base/error.h"
#include "sieve/fields_priv.h"
#include "sieve/mail_priv.h"

enum { FIELD_MAXIMUM = 4096 }; /* bytes of an added field's value (section 4: 998 or more) */

static void check_name(struct validator *validator, const struct tree_string *name)
{
    if (validator_is_constant(validator, name->text) && !mail_is_field_name(name->text))
        validator_error(validator, name->line, name->column,
                        "\"%.*s\" is no name of a header field", QUOTED(name->text));
}

static void check_addheader(struct validator *validator, struct command *command)
{
    check_name(validator, operand_strings(command, 1));
}

static const struct tag addheader_tags[] = {
    {"last", EXT_BASE, TAG_FLAG, 0, FIELDS_LAST},
    {0},
};

/* Operands: 0 :last, 1 the name, 2 the value. */
static int run_addheader(struct run *run, const uint32_t *operands)
{
    struct slice name = run_string(run, operands[1]), value = run_string(run, operands[2]);
    struct buffer text;
    if (!mail_is_field_name(name))
        return run_fail(run, "\"%.*s\" is no name of a header field", QUOTED(name));
    if (value.size > FIELD_MAXIMUM)
        return run_fail(run, "a header field may have %d bytes", FIELD_MAXIMUM);
    if (run->message.fields.count >= MESSAGE_FIELDS_MAXIMUM ||
        !run_charge(run, 1 + run->message.fields.count))
        return run_fail(run, "the message has too many header fields");
    buffer_init(&text, 4 * FIELD_MAXIMUM);
    mail_put_value(value, name.size + 2, &text);
    int error =
        message_add_field(&run->message, name, buffer_slice(&text), operands[0] & FIELDS_LAST);
    buffer_release(&text);
    if (error)
        return run_fail(run, "the script needs too much memory");
    run_trace(run, "addheader \"%.*s\"", QUOTED(name));
    return 0;
}

const struct definition definition_addheader = {.name = "addheader",
                                                .extension = EXT_EDITHEADER,
                                                .operands = "wss",
                                                .positions = "bc",
                                                .tags = {addheader_tags},
                                                .check = check_addheader,
                                                .run = run_addheader};

static const struct tag deleteheader_tags[] = {
    {"index", EXT_BASE, TAG_VALUE, 3, 0},
    {"last", EXT_BASE, TAG_FLAG, 0, FIELDS_LAST},
    {0},
};

static void check_deleteheader(struct validator *validator, struct command *command)
{
    check_name(validator, operand_strings(command, 1));
    check_index(validator, command, 0, 3);
}

/* Section 6; what replace has kept, whichever script did it (RFC 5703 section 5). */
static bool is_protected(struct slice name)
{
    return slice_equal_nocase(name, SLICE("Received")) ||
           slice_equal_nocase(name, SLICE("Auto-Submitted")) ||
           slice_equal_nocase(name, SLICE("Original-Subject")) ||
           slice_equal_nocase(name, SLICE("Original-From"));
}

/* Whether the patterns, when there are any, have the field's value. */
static bool is_meant(struct run *run, uint32_t keys, struct field *field)
{
    struct matcher matcher;
    if (keys == NO_CONSTANT)
        return true;
    match_begin(&matcher, run, keys);
    struct value *value = run_field_value(run, field);
    bool truth = run->truth;
    if (!value)
        return false;
    match_value(&matcher, value);
    match_end(&matcher);
    bool meant = run->truth;
    run->truth = truth;
    return meant && !run->failed;
}

/* Operands: 0 :last, 1 the name, 2 patterns or none, 3 the index or none. The fields are gone
 * through backwards, as deleting one moves those behind it. */
static int run_deleteheader(struct run *run, const uint32_t *operands)
{
    struct slice name = run_string(run, operands[1]);
    struct header *header = &run->message.fields;
    uint64_t index = run_number(run, operands[3], 0);
    uint32_t hash = name_hash(name);
    if (!mail_is_field_name(name))
        return run_fail(run, "\"%.*s\" is no name of a header field", QUOTED(name));
    if (is_protected(name))
        return 0;
    const struct field *only =
        index ? field_at(header, name, hash, index, operands[0] & FIELDS_LAST) : NULL;
    size_t deleted = 0;
    for (size_t i = header->count; i-- > 0 && !run->failed;) {
        struct field *field = &header->fields[i];
        if (field->hash != hash || !slice_equal_nocase(field->name, name) ||
            (index && field != only) || !is_meant(run, operands[2], field))
            continue;
        if (run_charge(run, 1 + header->count))
            message_delete_field(&run->message, field);
        deleted++;
    }
    run_trace(run, "deleteheader \"%.*s\": %zu", QUOTED(name), deleted);
    return run->failed ? ERROR_SYNTAX : 0;
}

const struct definition definition_deleteheader = {.name = "deleteheader",
                                                   .extension = EXT_EDITHEADER,
                                                   .operands = "wsKN",
                                                   .positions = "bc",
                                                   .tags = {match_tags, deleteheader_tags},
                                                   .check = check_deleteheader,
                                                   .run = run_deleteheader};
