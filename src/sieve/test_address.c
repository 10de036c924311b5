/*
 * address and envelope (RFC 5228 sections 5.1, 5.4), with their parts (section 2.7.4, RFC 5233).
 */
#include "base/error.h"
#include "sieve/fields_priv.h"

enum address_part { PART_ALL, PART_LOCAL, PART_DOMAIN, PART_USER, PART_DETAIL };

enum { ADDRESS_PART = 0xff }; /* of a word that holds flags too */

const struct tag address_part_tags[] = {
    {"all", EXT_BASE, TAG_CHOICE, 0, PART_ALL},
    {"localpart", EXT_BASE, TAG_CHOICE, 0, PART_LOCAL},
    {"domain", EXT_BASE, TAG_CHOICE, 0, PART_DOMAIN},
    {"user", EXT_SUBADDRESS, TAG_CHOICE, 0, PART_USER},
    {"detail", EXT_SUBADDRESS, TAG_CHOICE, 0, PART_DETAIL},
    {0},
};

static struct value *part_of(struct message_address *address, uint32_t part)
{
    switch (part) {
    case PART_LOCAL:
        return &address->local;
    case PART_DOMAIN:
        return &address->domain;
    default:
        return &address->all;
    }
}

/* RFC 5233 section 4: what is before and behind the first "+"; without one there is no detail. */
static bool match_subaddress(struct matcher *matcher, struct slice local, uint32_t part)
{
    size_t plus = slice_find(local, '+');
    if (part == PART_USER)
        return match_text(matcher, slice_sub(local, 0, plus));
    return plus < local.size && match_text(matcher, slice_sub(local, plus + 1, SIZE_MAX));
}

static bool match_address(struct matcher *matcher, struct message_address *address, uint32_t part)
{
    if (part == PART_USER || part == PART_DETAIL)
        return match_subaddress(matcher, address->local.text, part);
    return match_value(matcher, part_of(address, part));
}

static bool match_field(struct matcher *matcher, struct field *field, uint32_t part)
{
    bool done = false;
    if (field_addresses(field, &matcher->run->arena)) {
        run_fail(matcher->run, "the message's header is too large");
        return true;
    }
    for (size_t i = 0; i < field->address_count && !done; i++)
        done = match_address(matcher, &field->addresses[i], part);
    return done;
}

/* Operands: 0 part and flags, 1 keys, 2 names, 3 index. */
static int run_address(struct run *run, const uint32_t *operands)
{
    struct matcher matcher;
    struct field_walk walk;
    struct field *field;
    bool done = false;
    match_begin(&matcher, run, operands[1]);
    field_walk_begin(&walk, run, operands[2], operands[3], operands[0]);
    while (!done && (field = field_walk_next(&walk)))
        done = match_field(&matcher, field, operands[0] & ADDRESS_PART);
    return match_end(&matcher);
}

/* Section 5.1: only fields that hold addresses. These are those of RFC 5322 and what is in use. */
static void check_address_fields(struct validator *validator, struct command *command)
{
    static const char *const names[] = {"from",
                                        "to",
                                        "cc",
                                        "bcc",
                                        "sender",
                                        "reply-to",
                                        "resent-from",
                                        "resent-to",
                                        "resent-cc",
                                        "resent-bcc",
                                        "resent-sender",
                                        "resent-reply-to",
                                        "delivered-to",
                                        "return-path",
                                        "errors-to",
                                        "x-original-to",
                                        "envelope-to",
                                        "mail-followup-to",
                                        "mail-reply-to",
                                        "apparently-to",
                                        "disposition-notification-to",
                                        "return-receipt-to",
                                        "approved",
                                        "x-beenthere",
                                        NULL};
    const struct tree_string *string = operand_strings(command, 2);
    check_index(validator, command, 0, 3);
    check_anychild(validator, command);
    for (; string && !(command->operands[0].word & FIELDS_MIME); string = string->next) {
        const char *const *name = names;
        while (*name && !slice_equal_nocase(string->text, slice_from_string(*name)))
            name++;
        if (!*name && validator_is_constant(validator, string->text))
            validator_error(validator, string->line, string->column,
                            "\"%.*s\" is no header field that holds addresses",
                            QUOTED(string->text));
    }
}

static const struct tag address_tags[] = {FIELDS_INDEX_TAGS, FIELDS_MIME_TAGS, {0}};

const struct definition definition_address = {.name = "address",
                                              .test = true,
                                              .operands = "wklN",
                                              .positions = "cb",
                                              .tags = {match_tags, address_part_tags, address_tags},
                                              .check = check_address_fields,
                                              .run = run_address};

static void check_envelope_parts(struct validator *validator, struct command *command)
{
    const struct tree_string *string = operand_strings(command, 2);
    for (; string; string = string->next)
        if (validator_is_constant(validator, string->text) &&
            !slice_equal_nocase(string->text, SLICE("from")) &&
            !slice_equal_nocase(string->text, SLICE("to")))
            validator_error(validator, string->line, string->column,
                            "the envelope has no \"%.*s\" here: it has from and to",
                            QUOTED(string->text));
}

/* Operands: 0 part, 1 keys, 2 names. Section 5.4: the null reverse-path is one empty string,
 * whatever part is asked for. */
static int run_envelope(struct run *run, const uint32_t *operands)
{
    struct matcher matcher;
    size_t count = run_list_size(run, operands[2]);
    bool done = false;
    if (run->input->event) /* RFC 6785 section 4.6 */
        return run_fail(run, "an IMAP event has no envelope");
    match_begin(&matcher, run, operands[1]);
    for (size_t i = 0; i < count && !done; i++) {
        struct slice name = run_list_at(run, operands[2], i), path = {NULL, 0};
        if (slice_equal_nocase(name, SLICE("from")))
            path = run->input->envelope_from;
        else if (slice_equal_nocase(name, SLICE("to")))
            path = run->input->original_to.data ? run->input->original_to : run->input->envelope_to;
        if (!path.data)
            continue;
        struct message_address address = message_address(path);
        done =
            path.size ? match_address(&matcher, &address, operands[0]) : match_text(&matcher, path);
    }
    return match_end(&matcher);
}

const struct definition definition_envelope = {.name = "envelope",
                                               .extension = EXT_ENVELOPE,
                                               .test = true,
                                               .operands = "wkl",
                                               .positions = "cb",
                                               .tags = {match_tags, address_part_tags},
                                               .check = check_envelope_parts,
                                               .run = run_envelope};
