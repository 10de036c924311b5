/*
 * A set of 32-bit numbers as ascending, disjoint, non-adjacent ranges: UIDs and sequence numbers.
 *
 * A mailbox of 100,000 messages without gaps is one range. Lookups by number and by position
 * (IMAP's sequence number) are binary searches, after at most one pass that brings the positions
 * up to date. Numbers are 1..UINT32_MAX - 1.
 *
 * Growing past `maximum` ranges fails with ERROR_LIMIT and changes nothing.
 */
#ifndef BASE_RANGE_SET_H
#define BASE_RANGE_SET_H

#include "base/slice.h"

struct range {
    uint32_t first;
    uint32_t last;   /* inclusive */
    uint32_t before; /* how many numbers lie in the ranges before this one; see positions_valid */
};

struct range_set {
    struct range *ranges;
    size_t count;
    size_t capacity;
    size_t maximum;
    bool positions_valid;
};

void range_set_init(struct range_set *set, size_t maximum);
void range_set_clear(struct range_set *set);   /* empties, keeps the memory */
void range_set_release(struct range_set *set); /* empties, frees the memory */

/* Adds first..last, merging. ERROR_LIMIT, ERROR_MEMORY, ERROR_INVALID (first > last or 0). */
int range_set_add(struct range_set *set, uint32_t first, uint32_t last);

/* Removes first..last, splitting where it must. ERROR_LIMIT, ERROR_MEMORY. */
int range_set_remove(struct range_set *set, uint32_t first, uint32_t last);

/* How many numbers are in the set. */
uint32_t range_set_size(struct range_set *set);

bool range_set_contains(const struct range_set *set, uint32_t number);

/* The position (from 1) of number, or 0 when it is not in the set. */
uint32_t range_set_position(struct range_set *set, uint32_t number);

/* The number at the position (from 1), or 0 when there are fewer. */
uint32_t range_set_at(struct range_set *set, uint32_t position);

/* The smallest number >= from, or 0. */
uint32_t range_set_next(const struct range_set *set, uint32_t from);

/* The largest number <= from, or 0. */
uint32_t range_set_previous(const struct range_set *set, uint32_t from);

/* The largest number, or 0 when empty. */
uint32_t range_set_last(const struct range_set *set);

/* Makes copy equal to set. ERROR_LIMIT (copy's own maximum), ERROR_MEMORY; untouched then. */
int range_set_copy(struct range_set *copy, const struct range_set *set);

#endif
