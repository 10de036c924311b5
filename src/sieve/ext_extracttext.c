/*
 * extracttext (RFC 5703 section 7).
 */
#include "base/error.h"
#include "sieve/run_priv.h"
#include "sieve/validate_priv.h"

static const struct tag extracttext_tags[] = {
    {"first", EXT_BASE, TAG_VALUE, 1, 0},
    {0},
};

static void check_extracttext(struct validator *validator, struct command *command)
{
    check_modifiers(validator, command);
    if (!validator->loop_count)
        validator_error(validator, command->line, command->column,
                        "\"extracttext\" must stand in a \"foreverypart\"");
}

/* The first characters of a text. */
static struct slice first_characters(struct slice text, uint64_t count)
{
    size_t size = 0;
    while (size < text.size && count--) {
        size++;
        while (size < text.size && (text.data[size] & 0xc0) == 0x80)
            size++;
    }
    return slice_sub(text, 0, size);
}

/* Operands: 0 modifiers, 1 how many characters, 2 the variable. A part that is no text gives an
 * empty one. */
static int run_extracttext(struct run *run, const uint32_t *operands)
{
    struct slice text = {"", 0};
    const struct mime_part *part = run_part(run);
    if (part && part->media == MIME_LEAF && slice_equal(part->type.type, SLICE("TEXT"))) {
        struct value *value = message_part_text(&run->message, part, true);
        if (!value)
            return run_fail(run, "the message's body is too large");
        text = value->text;
    }
    text = first_characters(text, run_number(run, operands[1], UINT64_MAX));
    return set_modified(run, operands[0], operands[2], text);
}

const struct definition definition_extracttext = {.name = "extracttext",
                                                  .extension = EXT_EXTRACTTEXT,
                                                  .operands = "wNv",
                                                  .positions = "c",
                                                  .tags = {extracttext_tags, set_tags},
                                                  .check = check_extracttext,
                                                  .run = run_extracttext};
