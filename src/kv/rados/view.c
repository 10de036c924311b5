#include "base/error.h"
#include "kv/rados/rados_priv.h"

enum { ENTRY_OVERHEAD = 120 /* bytes of memory beside key and value */ };

void view_hold(const struct view *view, struct view *copy)
{
    *copy = *view;
    tree_hold(copy->entries);
    tree_hold(copy->known);
}

void view_release(struct view *view)
{
    tree_drop(view->entries);
    tree_drop(view->known);
    *view = (struct view){0};
}

/* The end of the known range that the key lies in. */
static bool known_until(const struct view *view, struct slice key, struct slice *upper)
{
    struct tree_entry range;
    if (!tree_last(view->known, key, &range) || slice_compare(key, range.value) >= 0)
        return false;
    *upper = range.value;
    return true;
}

enum view_tag view_get(const struct view *view, struct slice key, struct slice *value)
{
    struct tree_entry entry;
    struct slice upper;
    if (tree_find(view->entries, key, &entry)) {
        *value = entry.value;
        return entry.tag;
    }
    return known_until(view, key, &upper) ? VIEW_ABSENT : VIEW_UNKNOWN;
}

/* The first entry of a known range that is not absent. */
static enum view_tag next_in_range(const struct view *view, struct slice from, struct slice end,
                                   struct slice *key, struct slice *value)
{
    struct tree_entry entry;
    bool or_equal = true;
    while (tree_next(view->entries, from, or_equal, &entry) && slice_compare(entry.key, end) < 0) {
        if (entry.tag != VIEW_ABSENT) {
            *key = entry.key;
            *value = entry.value;
            return entry.tag;
        }
        from = entry.key;
        or_equal = false;
    }
    return VIEW_ABSENT;
}

enum view_tag view_next(const struct view *view, struct slice from, struct slice upper,
                        struct slice *key, struct slice *value)
{
    struct slice end;
    while (slice_compare(from, upper) < 0) {
        if (!known_until(view, from, &end)) {
            *key = from;
            return VIEW_UNKNOWN;
        }
        if (slice_compare(upper, end) < 0)
            end = upper;
        enum view_tag tag = next_in_range(view, from, end, key, value);
        if (tag != VIEW_ABSENT)
            return tag;
        from = end;
    }
    return VIEW_ABSENT;
}

int view_set(struct view *view, struct slice key, enum view_tag tag, struct slice value)
{
    int error = tree_put(&view->entries, key, value, tag);
    if (!error)
        view->bytes += key.size + value.size + ENTRY_OVERHEAD;
    return error;
}

int view_learn(struct view *view, struct slice key, enum view_tag tag, struct slice value)
{
    struct slice known;
    return view_get(view, key, &known) == VIEW_UNKNOWN ? view_set(view, key, tag, value) : 0;
}

int view_forget(struct view *view, struct slice key)
{
    struct slice value, upper;
    bool deleted;
    if (view_get(view, key, &value) == VIEW_UNKNOWN)
        return 0;
    if (!known_until(view, key, &upper))
        return tree_delete(&view->entries, key, &deleted);
    view->has_unknown = true;
    return view_set(view, key, VIEW_UNKNOWN, SLICE(""));
}

/* What was unknown in the range and has not been learnt is not there. */
static int settle_unknown(struct view *view, struct slice lower, struct slice upper)
{
    struct tree_entry entry;
    struct tree_node *held = tree_hold(view->entries);
    bool or_equal = true;
    int error = 0;
    while (!error && tree_next(held, lower, or_equal, &entry) &&
           slice_compare(entry.key, upper) < 0) {
        if (entry.tag == VIEW_UNKNOWN)
            error = view_set(view, entry.key, VIEW_ABSENT, SLICE(""));
        lower = entry.key;
        or_equal = false;
    }
    tree_drop(held);
    return error;
}

/* Joins the range with those it touches. */
static int add_range(struct view *view, struct slice lower, struct slice upper)
{
    struct tree_node *known = tree_hold(view->known);
    struct tree_entry range;
    bool deleted;
    int error = 0;
    if (tree_last(view->known, lower, &range) && slice_compare(range.value, lower) >= 0)
        lower = range.key;
    while (!error && tree_next(known, lower, true, &range) &&
           slice_compare(range.key, upper) <= 0) {
        if (slice_compare(range.value, upper) > 0)
            upper = range.value;
        error = tree_delete(&known, range.key, &deleted);
    }
    if (!error)
        error = tree_put(&known, lower, upper, 0);
    if (error) {
        tree_drop(known);
        return error;
    }
    tree_drop(view->known);
    view->known = known;
    view->bytes += lower.size + upper.size + ENTRY_OVERHEAD;
    return 0;
}

int view_learn_range(struct view *view, struct slice lower, struct slice upper)
{
    int error = view->has_unknown ? settle_unknown(view, lower, upper) : 0;
    return error ? error : add_range(view, lower, upper);
}
