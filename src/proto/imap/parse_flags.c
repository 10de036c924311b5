/*
 * Flags, and STORE, which changes them.
 */
#include "proto/imap/parse_priv.h"

static const struct {
    const char *name;
    uint32_t flag;
} system_flags[] = {
    {"Seen", IMAP_FLAG_SEEN},       {"Answered", IMAP_FLAG_ANSWERED},
    {"Flagged", IMAP_FLAG_FLAGGED}, {"Deleted", IMAP_FLAG_DELETED},
    {"Draft", IMAP_FLAG_DRAFT},
};

static void system_flag(struct imap_cursor *cursor, struct imap_flags *flags)
{
    int row =
        imap_find_name(imap_atom(cursor), &system_flags[0].name,
                       sizeof(system_flags) / sizeof(system_flags[0]), sizeof(system_flags[0]));
    if (row < 0)
        imap_fail(cursor, "no system flag that can be set");
    else
        flags->system |= system_flags[row].flag;
}

static void keyword(struct imap_cursor *cursor, struct imap_flags *flags)
{
    struct slice name = imap_atom(cursor);
    if (name.size > IMAP_KEYWORD_MAXIMUM)
        imap_fail(cursor, "a keyword is too long");
    for (size_t i = 0; i < flags->keyword_count; i++)
        if (slice_equal_nocase(flags->keywords[i], name))
            return;
    if (cursor->problem)
        return;
    flags->keywords = imap_grow(cursor, flags->keywords, flags->keyword_count, sizeof(name));
    if (flags->keywords)
        flags->keywords[flags->keyword_count++] = name;
}

void imap_flags_bare(struct imap_cursor *cursor, struct imap_flags *flags)
{
    size_t count = 0;
    do {
        if (++count > IMAP_FLAGS_MAXIMUM)
            imap_fail(cursor, "too many flags");
        if (imap_take(cursor, '\\'))
            system_flag(cursor, flags);
        else
            keyword(cursor, flags);
    } while (imap_take(cursor, ' '));
}

void imap_flag_list(struct imap_cursor *cursor, struct imap_flags *flags)
{
    imap_expect(cursor, '(', "expected a list");
    if (imap_take(cursor, ')'))
        return;
    imap_flags_bare(cursor, flags);
    imap_expect(cursor, ')', "expected a flag or a closing parenthesis");
}

/* store-modifier = "UNCHANGEDSINCE" SP mod-sequence-valzer (RFC 7162 section 7) */
static void store_modifiers(struct imap_cursor *cursor, struct imap_command *command)
{
    cursor->what = "Store modifier";
    if (!imap_take_word(cursor, "UNCHANGEDSINCE"))
        imap_fail(cursor, "unknown");
    imap_expect(cursor, ' ', "expected a modification sequence");
    command->store.conditional = true;
    command->store.unchanged_since = imap_modseq(cursor);
    imap_expect(cursor, ')', "expected a closing parenthesis");
}

/* store-att-flags = att-annotate (RFC 5257 section 5) / (["+" / "-"] "FLAGS" [".SILENT"]) SP
 * (flag-list / (flag *(SP flag))) */
void imap_parse_store(struct imap_cursor *cursor, struct imap_command *command)
{
    imap_argument(cursor, "Sequence set");
    imap_sequence_set(cursor, &command->store.set);
    imap_argument(cursor, "Store item");
    if (imap_take(cursor, '(')) {
        store_modifiers(cursor, command);
        imap_argument(cursor, "Store item");
    }
    if (imap_take_word(cursor, "ANNOTATION")) {
        command->store.annotates = command->store.silent = true;
        imap_argument(cursor, "Annotation");
        imap_annotations_take(cursor, &command->store.annotations);
        return;
    }
    command->store.operation = imap_take(cursor, '+')   ? IMAP_STORE_ADD
                               : imap_take(cursor, '-') ? IMAP_STORE_REMOVE
                                                        : IMAP_STORE_REPLACE;
    command->store.silent = imap_take_word(cursor, "FLAGS.SILENT");
    if (!command->store.silent && !imap_take_word(cursor, "FLAGS"))
        imap_fail(cursor, "expected FLAGS, FLAGS.SILENT or ANNOTATION");
    imap_argument(cursor, "Flags");
    if (imap_peek(cursor) == '(')
        imap_flag_list(cursor, &command->store.flags);
    else
        imap_flags_bare(cursor, &command->store.flags);
}
