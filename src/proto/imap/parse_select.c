/*
 * SELECT and EXAMINE, with the parameters CONDSTORE and QRESYNC (RFC 7162 sections 3.1.8, 3.2.5,
 * 7) and ANNOTATE (RFC 5257 section 4.2).
 */
#include "proto/imap/parse_priv.h"

/* A set without '*'. Its size goes to *size, and whether it ascends to *ascending. */
static void known_set(struct imap_cursor *cursor, struct imap_sequence_set *set, uint64_t *size,
                      bool *ascending)
{
    uint32_t last = 0;
    imap_sequence_set(cursor, set);
    *size = 0;
    *ascending = true;
    for (size_t i = 0; i < set->count && !cursor->problem; i++) {
        const struct imap_sequence_range *range = &set->ranges[i];
        if (range->first == IMAP_STAR || range->last == IMAP_STAR)
            imap_fail(cursor, "* is not known");
        if (range->first <= last || range->last < range->first)
            *ascending = false;
        last = range->last;
        *size += *ascending ? (uint64_t)(range->last - range->first) + 1 : 0;
    }
    if (set->saved_result)
        imap_fail(cursor, "expected numbers");
}

/* seq-match-data = "(" known-sequence-set SP known-uid-set ")" */
static void match_data(struct imap_cursor *cursor, struct imap_select *select)
{
    uint64_t numbers, uids;
    bool numbers_ascend, uids_ascend;
    imap_expect(cursor, '(', "expected a list");
    known_set(cursor, &select->match_numbers, &numbers, &numbers_ascend);
    imap_expect(cursor, ' ', "expected the numbers' UIDs");
    known_set(cursor, &select->match_uids, &uids, &uids_ascend);
    imap_expect(cursor, ')', "expected a closing parenthesis");
    if (!numbers_ascend || !uids_ascend || numbers != uids)
        imap_fail(cursor, "expected ascending numbers and as many UIDs");
}

/* "(" uidvalidity SP mod-sequence-value [SP known-uids] [SP seq-match-data] ")" */
static void qresync(struct imap_cursor *cursor, struct imap_select *select)
{
    uint64_t size;
    bool ascending;
    select->qresync = true;
    imap_expect(cursor, ' ', "expected a list");
    imap_expect(cursor, '(', "expected a list");
    select->uid_validity = imap_nz_number(cursor);
    imap_expect(cursor, ' ', "expected a modification sequence");
    select->modseq = imap_modseq(cursor);
    bool more = imap_take(cursor, ' ');
    if (more && imap_peek(cursor) != '(') {
        select->has_known_uids = true;
        known_set(cursor, &select->known_uids, &size, &ascending);
        more = imap_take(cursor, ' ');
    }
    if (more)
        match_data(cursor, select);
    imap_expect(cursor, ')', "expected a closing parenthesis");
}

void imap_parse_select(struct imap_cursor *cursor, struct imap_command *command)
{
    struct imap_select *select = &command->select;
    imap_argument(cursor, "Mailbox name");
    select->mailbox = imap_mailbox(cursor);
    if (cursor->at == cursor->end)
        return;
    imap_argument(cursor, "Select parameter");
    imap_expect(cursor, '(', "expected a list");
    do {
        if (imap_take_word(cursor, "CONDSTORE"))
            select->condstore = true;
        else if (imap_take_word(cursor, "ANNOTATE"))
            select->annotate = true;
        else if (!select->qresync && imap_take_word(cursor, "QRESYNC"))
            qresync(cursor, select);
        else
            imap_fail(cursor, "unknown");
    } while (imap_take(cursor, ' '));
    imap_expect(cursor, ')', "expected a closing parenthesis");
}
