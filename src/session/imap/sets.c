#include "base/error.h"
#include "session/imap/session_priv.h"

int set_intersect(struct range_set *out, const struct range_set *a, const struct range_set *b)
{
    int error = 0;
    for (size_t i = 0, j = 0; i < a->count && j < b->count && !error;) {
        const struct range *x = &a->ranges[i], *y = &b->ranges[j];
        uint32_t first = x->first > y->first ? x->first : y->first;
        uint32_t last = x->last < y->last ? x->last : y->last;
        if (first <= last)
            error = range_set_add(out, first, last);
        if (x->last < y->last)
            i++;
        else
            j++;
    }
    return error;
}

int set_subtract(struct range_set *out, const struct range_set *a, const struct range_set *b)
{
    int error = 0;
    size_t j = 0;
    for (size_t i = 0; i < a->count && !error; i++) {
        uint32_t first = a->ranges[i].first, last = a->ranges[i].last;
        while (j < b->count && b->ranges[j].last < first)
            j++;
        for (; !error && j < b->count && b->ranges[j].first <= last; j++) {
            if (b->ranges[j].first > first)
                error = range_set_add(out, first, b->ranges[j].first - 1);
            first = b->ranges[j].last + 1;
            if (b->ranges[j].last > last)
                break; /* it may reach into the next range of a */
        }
        if (!error && first <= last)
            error = range_set_add(out, first, last);
    }
    return error;
}

int set_at_positions(struct range_set *out, const struct range_set *all,
                     const struct range_set *positions)
{
    uint32_t before = 0; /* positions in the ranges already passed */
    int error = 0;
    for (size_t i = 0, j = 0; i < all->count && j < positions->count && !error;) {
        const struct range *range = &all->ranges[i], *wanted = &positions->ranges[j];
        uint32_t end = before + (range->last - range->first + 1);
        uint32_t first = wanted->first > before ? wanted->first : before + 1;
        uint32_t last = wanted->last < end ? wanted->last : end;
        if (first <= last)
            error = range_set_add(out, range->first + (first - before - 1),
                                  range->first + (last - before - 1));
        if (wanted->last <= end) {
            j++;
        } else {
            before = end;
            i++;
        }
    }
    return error;
}

int set_positions(struct range_set *out, const struct range_set *all, const struct range_set *some)
{
    uint32_t before = 0;
    int error = 0;
    for (size_t i = 0, j = 0; i < all->count && j < some->count && !error;) {
        const struct range *range = &all->ranges[i], *wanted = &some->ranges[j];
        if (wanted->first > range->last) {
            before += range->last - range->first + 1;
            i++;
            continue;
        }
        /* A range of a subset lies within one range: ranges are not adjacent. */
        error = range_set_add(out, before + (wanted->first - range->first) + 1,
                              before + (wanted->last - range->first) + 1);
        j++;
    }
    return error;
}

int set_partial(struct range_set *out, struct range_set *all, const struct imap_partial *partial)
{
    uint32_t count = range_set_size(all), first = partial->first, last = partial->last;
    struct range positions;
    if (first > last) {
        first = partial->last;
        last = partial->first;
    }
    if (first > count)
        return 0;
    last = last < count ? last : count;
    positions.first = partial->from_back ? count + 1 - last : first;
    positions.last = partial->from_back ? count + 1 - first : last;
    return set_at_positions(out, all, &(struct range_set){.ranges = &positions, .count = 1});
}

uint32_t set_batch_count(struct range_set *all, uint32_t size)
{
    uint32_t count = range_set_size(all);
    return count / size + (count % size != 0);
}

uint32_t set_batch_lowest(struct range_set *all, uint32_t size, uint32_t n)
{
    uint64_t above = (uint64_t)size * n; /* the numbers from this batch on */
    uint32_t count = range_set_size(all);
    return above < count ? range_set_at(all, count - (uint32_t)above + 1) : 1;
}

void set_take(struct range_set *set, struct range_set *with)
{
    range_set_release(set);
    size_t maximum = set->maximum;
    *set = *with;
    set->maximum = maximum;
    range_set_init(with, with->maximum);
}
