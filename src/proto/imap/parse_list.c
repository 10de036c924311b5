/*
 * LIST and LSUB: RFC 3501's two arguments, and RFC 5258's options around them.
 */
#include "proto/imap/parse_priv.h"

#include <stddef.h>

struct option {
    const char *name;
    size_t offset; /* of a bool in struct imap_list */
};

static const struct option select_options[] = {
    {"SUBSCRIBED", offsetof(struct imap_list, select_subscribed)},
    {"REMOTE", offsetof(struct imap_list, select_remote)},
    {"RECURSIVEMATCH", offsetof(struct imap_list, select_recursive_match)},
    {"SPECIAL-USE", offsetof(struct imap_list, select_special_use)},
};

static const struct option return_options[] = {
    {"SUBSCRIBED", offsetof(struct imap_list, return_subscribed)},
    {"CHILDREN", offsetof(struct imap_list, return_children)},
    {"SPECIAL-USE", offsetof(struct imap_list, return_special_use)},
    {"MYRIGHTS", offsetof(struct imap_list, return_my_rights)},
};

static void take_option(struct imap_cursor *cursor, const struct option *options, size_t count,
                        struct imap_list *list)
{
    int row = imap_find_name(imap_word(cursor), &options[0].name, count, sizeof(*options));
    if (row < 0)
        imap_fail(cursor, "unknown");
    else
        *(bool *)((char *)list + options[row].offset) = true;
}

static void take_select_options(struct imap_cursor *cursor, struct imap_list *list)
{
    list->extended = true;
    if (imap_take(cursor, ')'))
        return;
    do {
        take_option(cursor, select_options, sizeof(select_options) / sizeof(*select_options), list);
    } while (imap_take(cursor, ' '));
    imap_expect(cursor, ')', "expected a closing parenthesis");
    /* RFC 5258 section 3.1: it modifies another option. */
    if (list->select_recursive_match && !list->select_subscribed && !list->select_special_use)
        imap_fail(cursor, "RECURSIVEMATCH needs another option");
}

static void take_pattern(struct imap_cursor *cursor, struct imap_list *list)
{
    if (list->pattern_count == IMAP_LIST_PATTERNS_MAXIMUM)
        imap_fail(cursor, "too many");
    struct slice pattern = imap_list_pattern(cursor);
    list->patterns = imap_grow(cursor, list->patterns, list->pattern_count, sizeof(pattern));
    if (list->patterns && !cursor->problem)
        list->patterns[list->pattern_count++] = pattern;
}

static void take_patterns(struct imap_cursor *cursor, struct imap_list *list)
{
    list->extended = true;
    do {
        take_pattern(cursor, list);
    } while (imap_take(cursor, ' '));
    imap_expect(cursor, ')', "expected a closing parenthesis");
}

static void take_return_options(struct imap_cursor *cursor, struct imap_list *list)
{
    imap_argument(cursor, "Return option");
    if (!imap_take_word(cursor, "RETURN"))
        imap_fail(cursor, "expected RETURN");
    imap_expect(cursor, ' ', "expected a list");
    imap_expect(cursor, '(', "expected a list");
    list->extended = true;
    if (imap_take(cursor, ')'))
        return;
    do {
        if (imap_take_word(cursor, "STATUS")) {
            imap_argument(cursor, "Status item");
            list->return_status = imap_status_items(cursor);
        } else if (imap_take_word(cursor, "METADATA")) {
            imap_argument(cursor, "Entry");
            imap_metadata_entries(cursor, &list->metadata, &list->metadata_count);
        } else {
            take_option(cursor, return_options, sizeof(return_options) / sizeof(*return_options),
                        list);
        }
    } while (imap_take(cursor, ' '));
    imap_expect(cursor, ')', "expected a closing parenthesis");
}

void imap_parse_list(struct imap_cursor *cursor, struct imap_command *command)
{
    struct imap_list *list = &command->list;
    imap_argument(cursor, "Reference name");
    if (imap_take(cursor, '(')) {
        cursor->what = "Selection option";
        take_select_options(cursor, list);
        imap_argument(cursor, "Reference name");
    }
    list->reference = imap_reference(cursor);
    imap_argument(cursor, "Mailbox pattern");
    if (imap_take(cursor, '('))
        take_patterns(cursor, list);
    else
        take_pattern(cursor, list);
    if (cursor->at < cursor->end)
        take_return_options(cursor, list);
}

void imap_parse_lsub(struct imap_cursor *cursor, struct imap_command *command)
{
    imap_argument(cursor, "Reference name");
    command->list.reference = imap_reference(cursor);
    imap_argument(cursor, "Mailbox pattern");
    take_pattern(cursor, &command->list);
}
