/*
 * GETMETADATA and SETMETADATA (RFC 5464 section 5).
 */
#include "proto/imap/parse_priv.h"

static bool is_all_of_scope(struct slice entry)
{
    return slice_equal_nocase(entry, SLICE("/private/*")) ||
           slice_equal_nocase(entry, SLICE("/shared/*"));
}

/* entry = astring, without "*" and "%". But cyradm asks for all of a scope with a wildcard, as its
 * own server takes it: where there is a depth, that means the scope with all that is below. */
static struct slice take_entry(struct imap_cursor *cursor, int *depth)
{
    struct slice entry = imap_astring(cursor);
    if (depth && is_all_of_scope(entry)) {
        *depth = IMAP_DEPTH_INFINITY;
        return slice_sub(entry, 0, entry.size - 2);
    }
    if (entry.size == 0 || entry.data[0] != '/')
        imap_fail(cursor, "expected the name of an entry");
    if (slice_find(entry, '*') < entry.size || slice_find(entry, '%') < entry.size)
        imap_fail(cursor, "no wildcards are possible");
    return entry;
}

static void add_entry(struct imap_cursor *cursor, struct imap_metadata *metadata, bool has_value)
{
    if (metadata->count == IMAP_METADATA_ENTRIES_MAXIMUM)
        imap_fail(cursor, "too many");
    struct slice entry = take_entry(cursor, has_value ? NULL : &metadata->depth);
    struct slice value = {NULL, 0};
    if (has_value) {
        imap_expect(cursor, ' ', "expected a value");
        value = imap_value(cursor);
    }
    metadata->entries =
        imap_grow(cursor, metadata->entries, metadata->count, sizeof(*metadata->entries));
    metadata->values =
        imap_grow(cursor, metadata->values, metadata->count, sizeof(*metadata->values));
    if (cursor->problem)
        return;
    metadata->entries[metadata->count] = entry;
    metadata->values[metadata->count++] = value;
}

static void take_entries(struct imap_cursor *cursor, struct imap_metadata *metadata,
                         bool have_values)
{
    imap_expect(cursor, '(', "expected a list");
    do {
        add_entry(cursor, metadata, have_values);
    } while (imap_take(cursor, ' '));
    imap_expect(cursor, ')', "expected a closing parenthesis");
}

void imap_metadata_entries(struct imap_cursor *cursor, struct slice **entries, size_t *count)
{
    struct imap_metadata metadata = {0};
    take_entries(cursor, &metadata, false);
    if (metadata.depth)
        imap_fail(cursor, "no wildcards are possible");
    *entries = metadata.entries;
    *count = metadata.count;
}

static void take_option(struct imap_cursor *cursor, struct imap_metadata *metadata)
{
    if (imap_take_word(cursor, "MAXSIZE")) {
        imap_expect(cursor, ' ', "expected a number of bytes");
        metadata->has_maximum = true;
        metadata->maximum = imap_number64(cursor, UINT32_MAX);
        return;
    }
    if (!imap_take_word(cursor, "DEPTH"))
        imap_fail(cursor, "unknown");
    imap_expect(cursor, ' ', "expected 0, 1 or infinity");
    if (imap_take_word(cursor, "infinity"))
        metadata->depth = IMAP_DEPTH_INFINITY;
    else if (imap_take_word(cursor, "1"))
        metadata->depth = 1;
    else if (!imap_take_word(cursor, "0"))
        imap_fail(cursor, "expected 0, 1 or infinity");
}

/* The cursor stands behind the parenthesis. */
static void take_options(struct imap_cursor *cursor, struct imap_metadata *metadata)
{
    cursor->what = "Option";
    do {
        take_option(cursor, metadata);
    } while (imap_take(cursor, ' '));
    imap_expect(cursor, ')', "expected a closing parenthesis");
}

static bool is_list_of_options(const struct imap_cursor *cursor)
{
    return imap_peek(cursor) == '(' && cursor->at + 1 < cursor->end &&
           strchr("MmDd", cursor->at[1]);
}

/* The grammar has the options before the mailbox, the RFC's examples behind it; clients do both. */
void imap_parse_getmetadata(struct imap_cursor *cursor, struct imap_command *command)
{
    struct imap_metadata *metadata = &command->metadata;
    imap_argument(cursor, "Mailbox name");
    if (imap_take(cursor, '(')) {
        take_options(cursor, metadata);
        imap_argument(cursor, "Mailbox name");
    }
    metadata->mailbox = imap_reference(cursor);
    imap_argument(cursor, "Entry");
    if (is_list_of_options(cursor)) {
        imap_take(cursor, '(');
        take_options(cursor, metadata);
        imap_argument(cursor, "Entry");
    }
    if (imap_peek(cursor) == '(')
        take_entries(cursor, metadata, false);
    else
        add_entry(cursor, metadata, false);
}

void imap_parse_setmetadata(struct imap_cursor *cursor, struct imap_command *command)
{
    imap_argument(cursor, "Mailbox name");
    command->metadata.mailbox = imap_reference(cursor);
    imap_argument(cursor, "Entry");
    take_entries(cursor, &command->metadata, true);
}
