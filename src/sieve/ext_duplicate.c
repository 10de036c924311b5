/*
 * duplicate (RFC 7352).
 */
#include "base/error.h"
#include "sieve/fields_priv.h"

enum {
    DUPLICATE_LAST = 1,
    DUPLICATE_DEFAULT = 7 * 86400,  /* seconds, section 3.3 */
    DUPLICATE_MAXIMUM = 90 * 86400, /* longer times become this */
};

static const struct tag duplicate_tags[] = {
    {"last", EXT_BASE, TAG_FLAG, 0, DUPLICATE_LAST}, {"header", EXT_BASE, TAG_VALUE, 1, 0},
    {"uniqueid", EXT_BASE, TAG_VALUE, 2, 0},         {"handle", EXT_BASE, TAG_VALUE, 3, 0},
    {"seconds", EXT_BASE, TAG_VALUE, 4, 0},          {0},
};

static void check_duplicate(struct validator *validator, struct command *command)
{
    if (operand_strings(command, 1) && operand_strings(command, 2))
        validator_error(validator, command->line, command->column,
                        ":header and :uniqueid do not go together");
}

/* The unique id; data == NULL: the message has none. */
static struct slice unique_id(struct run *run, const uint32_t *operands)
{
    struct slice none = {NULL, 0}, name = {"Message-ID", 10};
    if (operands[2] != NO_CONSTANT)
        return run_string(run, operands[2]);
    if (operands[1] != NO_CONSTANT)
        name = run_string(run, operands[1]);
    struct field *field = header_find(run_whole_header(run), name, name_hash(name));
    struct value *value = field ? run_field_value(run, field) : NULL;
    return value && value->text.size ? value->text : none;
}

static struct slice make_key(struct run *run, struct slice handle, struct slice id)
{
    char *key = run_alloc(run, handle.size + 1 + id.size);
    if (!key)
        return slice_make(NULL, 0);
    if (handle.size)
        memcpy(key, handle.data, handle.size);
    key[handle.size] = '\0';
    if (id.size)
        memcpy(key + handle.size + 1, id.data, id.size);
    return slice_make(key, handle.size + 1 + id.size);
}

/* Operands: 0 :last, 1 :header, 2 :uniqueid, 3 :handle, 4 :seconds. */
static int run_duplicate(struct run *run, const uint32_t *operands)
{
    struct slice id = unique_id(run, operands);
    uint64_t seconds = run_number(run, operands[4], DUPLICATE_DEFAULT);
    bool seen = false;
    run->truth = false;
    if (!id.data || !seconds || run->failed)
        return run->failed ? ERROR_SYNTAX : 0;
    struct slice key = make_key(run, run_string(run, operands[3]), id);
    if (!key.data)
        return ERROR_SYNTAX;
    if (run->host->duplicate_seen && run->host->duplicate_seen(run->host->arg, key, &seen))
        return run_fail(run, "duplicates cannot be looked up");
    run->truth = seen;
    if (seen && !(operands[0] & DUPLICATE_LAST))
        return 0;
    if (run->mark_count == RUN_MARKS_MAXIMUM)
        return run_fail(run, "the script tracks more than %d duplicates", RUN_MARKS_MAXIMUM);
    run->marks[run->mark_count++] =
        (struct duplicate_mark){key, seconds < DUPLICATE_MAXIMUM ? seconds : DUPLICATE_MAXIMUM};
    return 0;
}

const struct definition definition_duplicate = {.name = "duplicate",
                                                .extension = EXT_DUPLICATE,
                                                .test = true,
                                                .operands = "wSSSN",
                                                .positions = "",
                                                .tags = {duplicate_tags},
                                                .check = check_duplicate,
                                                .run = run_duplicate};
