/*
 * SORT and THREAD (RFC 5256 section 5; DISPLAYFROM and DISPLAYTO: RFC 5957; SORT's RETURN: RFC 5267
 * section 3; REFS: draft-ietf-morg-inthread-01 section 4; ANNOTATION: RFC 5257 section 4.9).
 */
#include "proto/imap/parse_priv.h"

static const struct {
    const char *name;
    enum imap_sort_kind kind;
} sort_kinds[] = {
    {"ANNOTATION", IMAP_SORT_ANNOTATION},
    {"ARRIVAL", IMAP_SORT_ARRIVAL},
    {"CC", IMAP_SORT_CC},
    {"DATE", IMAP_SORT_DATE},
    {"DISPLAYFROM", IMAP_SORT_DISPLAYFROM},
    {"DISPLAYTO", IMAP_SORT_DISPLAYTO},
    {"FROM", IMAP_SORT_FROM},
    {"SIZE", IMAP_SORT_SIZE},
    {"SUBJECT", IMAP_SORT_SUBJECT},
    {"TO", IMAP_SORT_TO},
};

static const struct {
    const char *name;
    enum imap_thread_algorithm algorithm;
} algorithms[] = {
    {"ORDEREDSUBJECT", IMAP_THREAD_ORDEREDSUBJECT},
    {"REFERENCES", IMAP_THREAD_REFERENCES},
    {"REFS", IMAP_THREAD_REFS},
};

/* sort-criterion = ["REVERSE" SP] sort-key */
static void take_criterion(struct imap_cursor *cursor, struct imap_search *search)
{
    struct imap_sort_criterion criterion = {0};
    if (search->sort_count == IMAP_SORT_CRITERIA_MAXIMUM)
        imap_fail(cursor, "too many");
    criterion.reverse = imap_take_word(cursor, "REVERSE");
    if (criterion.reverse)
        imap_expect(cursor, ' ', "expected what to reverse");
    int row = imap_find_name(imap_word(cursor), &sort_kinds[0].name,
                             sizeof(sort_kinds) / sizeof(sort_kinds[0]), sizeof(sort_kinds[0]));
    if (row < 0)
        imap_fail(cursor, "unknown");
    else
        criterion.kind = sort_kinds[row].kind;
    if (row >= 0 && criterion.kind == IMAP_SORT_ANNOTATION)
        imap_annotation_criterion(cursor, &criterion);
    search->sort = imap_grow(cursor, search->sort, search->sort_count, sizeof(criterion));
    if (!cursor->problem)
        search->sort[search->sort_count++] = criterion;
}

void imap_parse_sort(struct imap_cursor *cursor, struct imap_command *command)
{
    struct imap_search *search = &command->search;
    imap_argument(cursor, "Sort criterion");
    imap_search_return(cursor, search);
    if (!cursor->problem)
        cursor->what = "Sort criterion";
    imap_expect(cursor, '(', "expected a list");
    do {
        take_criterion(cursor, search);
    } while (imap_take(cursor, ' '));
    imap_expect(cursor, ')', "expected a closing parenthesis");
    imap_search_keys(cursor, search, true);
}

void imap_parse_thread(struct imap_cursor *cursor, struct imap_command *command)
{
    imap_argument(cursor, "Threading algorithm");
    int row = imap_find_name(imap_word(cursor), &algorithms[0].name,
                             sizeof(algorithms) / sizeof(algorithms[0]), sizeof(algorithms[0]));
    if (row < 0)
        imap_fail(cursor, "unknown");
    else
        command->search.algorithm = algorithms[row].algorithm;
    imap_search_keys(cursor, &command->search, true);
}
