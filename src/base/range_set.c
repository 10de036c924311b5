#include "base/range_set.h"
#include "base/error.h"

#include <stdlib.h>

void range_set_init(struct range_set *set, size_t maximum)
{
    *set = (struct range_set){.maximum = maximum};
}

void range_set_clear(struct range_set *set)
{
    set->count = 0;
    set->positions_valid = false;
}

void range_set_release(struct range_set *set)
{
    free(set->ranges);
    range_set_init(set, set->maximum);
}

static int reserve(struct range_set *set, size_t count)
{
    if (count > set->maximum)
        return ERROR_LIMIT;
    if (count <= set->capacity)
        return 0;
    size_t capacity = set->capacity ? set->capacity * 2 : 4;
    if (capacity < count)
        capacity = count;
    struct range *ranges = reallocarray(set->ranges, capacity, sizeof(*ranges));
    if (!ranges)
        return ERROR_MEMORY;
    set->ranges = ranges;
    set->capacity = capacity;
    return 0;
}

/* The index of the first range whose last number is >= number; count when there is none. */
static size_t find(const struct range_set *set, uint32_t number)
{
    size_t low = 0, high = set->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (set->ranges[middle].last < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Replaces `removed` ranges at index by the `added` ones in with. */
static int splice(struct range_set *set, size_t index, size_t removed, const struct range *with,
                  size_t added)
{
    size_t count = set->count - removed + added;
    int error = reserve(set, count);
    if (error)
        return error;
    memmove(set->ranges + index + added, set->ranges + index + removed,
            (set->count - index - removed) * sizeof(*set->ranges));
    if (added)
        memcpy(set->ranges + index, with, added * sizeof(*with));
    set->count = count;
    set->positions_valid = false;
    return 0;
}

int range_set_add(struct range_set *set, uint32_t first, uint32_t last)
{
    if (first == 0 || first > last || last == UINT32_MAX)
        return ERROR_INVALID;
    if (set->count && set->ranges[set->count - 1].last == first - 1) {
        set->ranges[set->count - 1].last = last; /* most are added in order */
        set->positions_valid = false;
        return 0;
    }
    /* From the range that touches first - 1 up to the one that touches last + 1. */
    size_t begin = find(set, first - 1);
    size_t end = begin;
    while (end < set->count && set->ranges[end].first <= last + 1) {
        if (set->ranges[end].first < first)
            first = set->ranges[end].first;
        if (set->ranges[end].last > last)
            last = set->ranges[end].last;
        end++;
    }
    struct range merged = {first, last, 0};
    return splice(set, begin, end - begin, &merged, 1);
}

int range_set_remove(struct range_set *set, uint32_t first, uint32_t last)
{
    size_t begin = find(set, first);
    size_t end = begin;
    while (end < set->count && set->ranges[end].first <= last)
        end++;
    if (begin == end)
        return 0;
    struct range kept[2];
    size_t count = 0;
    if (set->ranges[begin].first < first)
        kept[count++] = (struct range){set->ranges[begin].first, first - 1, 0};
    if (set->ranges[end - 1].last > last)
        kept[count++] = (struct range){last + 1, set->ranges[end - 1].last, 0};
    return splice(set, begin, end - begin, kept, count);
}

static void update_positions(struct range_set *set)
{
    uint32_t before = 0;
    for (size_t i = 0; i < set->count; i++) {
        set->ranges[i].before = before;
        before += set->ranges[i].last - set->ranges[i].first + 1;
    }
    set->positions_valid = true;
}

uint32_t range_set_size(struct range_set *set)
{
    if (set->count == 0)
        return 0;
    if (!set->positions_valid)
        update_positions(set);
    const struct range *range = &set->ranges[set->count - 1];
    return range->before + (range->last - range->first + 1);
}

bool range_set_contains(const struct range_set *set, uint32_t number)
{
    size_t index = find(set, number);
    return index < set->count && set->ranges[index].first <= number;
}

uint32_t range_set_position(struct range_set *set, uint32_t number)
{
    if (!set->positions_valid)
        update_positions(set);
    size_t index = find(set, number);
    if (index == set->count || set->ranges[index].first > number)
        return 0;
    return set->ranges[index].before + (number - set->ranges[index].first) + 1;
}

uint32_t range_set_at(struct range_set *set, uint32_t position)
{
    if (position == 0 || position > range_set_size(set))
        return 0;
    size_t low = 0, high = set->count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (set->ranges[middle].before < position)
            low = middle;
        else
            high = middle;
    }
    return set->ranges[low].first + (position - set->ranges[low].before - 1);
}

uint32_t range_set_next(const struct range_set *set, uint32_t from)
{
    size_t index = find(set, from);
    if (index == set->count)
        return 0;
    return set->ranges[index].first > from ? set->ranges[index].first : from;
}

uint32_t range_set_previous(const struct range_set *set, uint32_t from)
{
    size_t index = find(set, from);
    if (index < set->count && set->ranges[index].first <= from)
        return from;
    return index ? set->ranges[index - 1].last : 0;
}

uint32_t range_set_last(const struct range_set *set)
{
    return set->count ? set->ranges[set->count - 1].last : 0;
}

int range_set_copy(struct range_set *copy, const struct range_set *set)
{
    int error = reserve(copy, set->count);
    if (error)
        return error;
    if (set->count)
        memcpy(copy->ranges, set->ranges, set->count * sizeof(*set->ranges));
    copy->count = set->count;
    copy->positions_valid = set->positions_valid;
    return 0;
}
