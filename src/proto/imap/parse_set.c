/*
 * Sequence sets (RFC 9051 section 9, sequence-set).
 */
#include "proto/imap/parse_priv.h"

/* seq-number = nz-number / "*" */
static uint32_t sequence_number(struct imap_cursor *cursor)
{
    if (imap_take(cursor, '*'))
        return IMAP_STAR;
    int byte = imap_peek(cursor);
    if (byte < '1' || byte > '9') {
        imap_fail(cursor, "expected a number or *");
        return 0;
    }
    return imap_nz_number(cursor);
}

/* How many elements there can be, so that the array is allocated once. */
static size_t count_ranges(const struct imap_cursor *cursor)
{
    size_t count = 1;
    for (const char *at = cursor->at; at < cursor->end && *at != ' '; at++)
        count += *at == ',';
    return count;
}

void imap_sequence_set(struct imap_cursor *cursor, struct imap_sequence_set *set)
{
    if (imap_take(cursor, '$')) {
        set->saved_result = true;
        return;
    }
    size_t count = count_ranges(cursor);
    if (count > IMAP_SEQUENCE_RANGES_MAXIMUM) {
        imap_fail(cursor, "too many ranges");
        return;
    }
    set->ranges = arena_alloc_array(cursor->arena, count, sizeof(*set->ranges));
    if (!set->ranges)
        imap_fail(cursor, "too large");
    while (!cursor->problem) {
        struct imap_sequence_range range;
        range.first = range.last = sequence_number(cursor);
        if (imap_take(cursor, ':'))
            range.last = sequence_number(cursor);
        set->ranges[set->count++] = range;
        if (!imap_take(cursor, ','))
            break;
    }
}

void imap_partial_range(struct imap_cursor *cursor, struct imap_partial *partial)
{
    if (partial->given)
        imap_fail(cursor, "only one PARTIAL is possible");
    partial->given = true;
    partial->from_back = imap_take(cursor, '-');
    partial->first = imap_nz_number(cursor);
    imap_expect(cursor, ':', "expected a range");
    if (partial->from_back)
        imap_expect(cursor, '-', "expected both ends from the back");
    partial->last = imap_nz_number(cursor);
}

void imap_parse_expunge(struct imap_cursor *cursor, struct imap_command *command)
{
    command->expunge.all = !command->uid;
    if (!command->uid)
        return;
    imap_argument(cursor, "Sequence set");
    imap_sequence_set(cursor, &command->expunge.set);
}
