/*
 * THREAD=ORDEREDSUBJECT and THREAD=REFERENCES (RFC 5256 section 3), and THREAD=REFS
 * (draft-ietf-morg-inthread-01 section 4). The steps' numbers are the RFC's.
 *
 * While messages are added only parents are known (step 1). Then dummies are passed over (steps 2
 * and 3), threads with the same subject are joined (steps 4 and 5), and one sort by parent and date
 * makes the lists of children (step 6). REFS leaves subjects alone, and puts the thread last that
 * has the message that arrived last. Nothing here is recursive: a chain of replies may be as
 * long as the mailbox.
 */
#include "base/error.h"
#include "format/subject.h"
#include "session/imap/sort_priv.h"

#include <sodium.h>
#include <stdlib.h>

/* How far up it is looked for a loop; a link that is further away from the top is not made. */
enum { THREAD_DEPTH_MAXIMUM = 10000, FIRST_BUCKETS = 1024 };

void thread_tree_init(struct thread_tree *tree, size_t maximum)
{
    *tree = (struct thread_tree){.at = THREAD_NONE};
    buffer_init(&tree->nodes, maximum);
    buffer_init(&tree->texts, maximum);
    buffer_init(&tree->order, maximum);
    randombytes_buf(tree->key, sizeof(tree->key));
}

void thread_tree_release(struct thread_tree *tree)
{
    buffer_release(&tree->nodes);
    buffer_release(&tree->texts);
    buffer_release(&tree->order);
    free(tree->buckets);
    tree->buckets = NULL;
}

/* --- nodes --- */

static struct slice node_id(const struct thread_tree *tree, const struct thread_node *node)
{
    return slice_make(tree->texts.data + node->id, node->id_size);
}

static struct slice node_subject(const struct thread_tree *tree, const struct thread_node *node)
{
    return slice_make(tree->texts.data + node->subject, node->subject_size);
}

static uint32_t bucket_of(const struct thread_tree *tree, struct slice text)
{
    uint64_t hash;
    crypto_shorthash((unsigned char *)&hash, (const unsigned char *)text.data, text.size,
                     tree->key);
    return (uint32_t)(hash & (tree->bucket_count - 1));
}

static void chain(struct thread_tree *tree, uint32_t index, struct slice text)
{
    uint32_t bucket = bucket_of(tree, text);
    thread_node(tree, index)->next = tree->buckets[bucket];
    tree->buckets[bucket] = index;
}

/* Empty buckets, twice as many as there are nodes. */
static int make_buckets(struct thread_tree *tree)
{
    uint32_t count = FIRST_BUCKETS;
    while (count < 2 * tree->count)
        count *= 2;
    uint32_t *buckets = malloc(count * sizeof(*buckets));
    if (!buckets)
        return ERROR_MEMORY;
    memset(buckets, 0xff, count * sizeof(*buckets));
    free(tree->buckets);
    tree->buckets = buckets;
    tree->bucket_count = count;
    return 0;
}

static int grow_buckets(struct thread_tree *tree)
{
    if (tree->bucket_count > tree->count)
        return 0;
    int error = make_buckets(tree);
    for (uint32_t i = 0; i < tree->count && !error; i++)
        if (thread_node(tree, i)->id_size)
            chain(tree, i, node_id(tree, thread_node(tree, i)));
    return error;
}

static int add_node(struct thread_tree *tree, struct slice id, uint32_t *index)
{
    struct thread_node node = {.id = (uint32_t)tree->texts.size,
                               .id_size = (uint32_t)id.size,
                               .parent = THREAD_NONE,
                               .next = THREAD_NONE,
                               .date = INT64_MAX,
                               .arrival = INT64_MIN};
    int error = grow_buckets(tree);
    if (!error)
        error = buffer_append(&tree->texts, id);
    if (!error)
        error = buffer_append(&tree->nodes, slice_make((const char *)&node, sizeof(node)));
    if (error)
        return error;
    *index = tree->count++;
    if (id.size)
        chain(tree, *index, node_id(tree, thread_node(tree, *index)));
    return 0;
}

/* The node with this id, made when there is none. */
static int find_node(struct thread_tree *tree, struct slice id, uint32_t *index)
{
    uint32_t at = tree->bucket_count ? tree->buckets[bucket_of(tree, id)] : THREAD_NONE;
    while (at != THREAD_NONE && !slice_equal(node_id(tree, thread_node(tree, at)), id))
        at = thread_node(tree, at)->next;
    *index = at;
    return at == THREAD_NONE ? add_node(tree, id, index) : 0;
}

/* --- step 1: links --- */

/* Whether making parent the parent of child would make a loop. What has no children is nobody's
 * ancestor. */
static bool would_loop(const struct thread_tree *tree, uint32_t parent, uint32_t child)
{
    if (parent == child)
        return true;
    if (!thread_node(tree, child)->has_children)
        return false;
    for (int depth = 0; depth < THREAD_DEPTH_MAXIMUM; depth++) {
        parent = thread_node(tree, parent)->parent;
        if (parent == THREAD_NONE)
            return false;
        if (parent == child)
            return true;
    }
    return true;
}

static void link_nodes(struct thread_tree *tree, uint32_t parent, uint32_t child)
{
    if (would_loop(tree, parent, child))
        return;
    thread_node(tree, child)->parent = parent;
    thread_node(tree, parent)->has_children = true;
}

/* Step 1.A. *last becomes the last reference. */
static int link_references(struct search_slice *slice, struct thread_tree *tree, uint32_t *last)
{
    struct slice rest = slice->summary.headers[SUMMARY_REFERENCES];
    bool only_one = false;
    *last = THREAD_NONE;
    for (int pass = 0; pass < 2 && *last == THREAD_NONE; pass++) {
        while (rest.data && !(only_one && *last != THREAD_NONE) &&
               message_id_next(&rest, &slice->decoded)) {
            uint32_t node;
            int error = find_node(tree, buffer_slice(&slice->decoded), &node);
            if (error)
                return error;
            if (*last != THREAD_NONE && thread_node(tree, node)->parent == THREAD_NONE)
                link_nodes(tree, *last, node);
            *last = node;
        }
        rest = slice->summary.headers[SUMMARY_IN_REPLY_TO];
        only_one = true;
    }
    return 0;
}

/* The message's own node: one that was referred to before, or a new one. Of two messages with the
 * same id the second has none. */
static int own_node(struct search_slice *slice, struct thread_tree *tree, uint32_t *index)
{
    struct slice field = slice->summary.headers[SUMMARY_MESSAGE_ID];
    if (!slice->has_summary || !field.data || !message_id_next(&field, &slice->decoded))
        return add_node(tree, slice_make("", 0), index);
    int error = find_node(tree, buffer_slice(&slice->decoded), index);
    if (!error && thread_node(tree, *index)->uid)
        error = add_node(tree, slice_make("", 0), index);
    return error;
}

static int fill_node(struct search_slice *slice, struct thread_tree *tree, uint32_t index)
{
    bool reply;
    int64_t date = sort_sent_date(slice);
    int error = sort_subject(slice, &slice->key, &reply);
    struct slice subject = buffer_slice(&slice->key);
    struct thread_node *node = thread_node(tree, index);
    node->subject = (uint32_t)tree->texts.size;
    node->subject_size = (uint32_t)subject.size;
    node->uid = node->date_uid = slice->entry->uid;
    node->arrival_uid = node->uid;
    node->date = date;
    node->arrival = slice->entry->internal_date;
    node->reply = reply;
    return error ? error : buffer_append(&tree->texts, subject);
}

int thread_tree_add(struct search_slice *slice, struct thread_tree *tree,
                    enum imap_thread_algorithm algorithm)
{
    uint32_t own, last = THREAD_NONE;
    search_load_summary(slice);
    if (algorithm == IMAP_THREAD_ORDEREDSUBJECT) {
        int error = add_node(tree, slice_make("", 0), &own);
        return error ? error : fill_node(slice, tree, own);
    }
    int error = own_node(slice, tree, &own);
    if (!error)
        error = fill_node(slice, tree, own);
    if (!error && slice->has_summary)
        error = link_references(slice, tree, &last);
    if (error)
        return error;
    thread_node(tree, own)->parent = THREAD_NONE; /* step 1.B */
    if (last != THREAD_NONE)
        link_nodes(tree, last, own);
    return 0;
}

/* --- steps 2 and 3: dummies --- */

static bool is_dummy(const struct thread_node *node)
{
    return node->uid == 0;
}

static bool is_root(const struct thread_node *node)
{
    return !node->gone && node->parent == THREAD_NONE;
}

/* The dummies from `from` on have `top` as parent now, so that none is passed twice. */
static void shorten(struct thread_tree *tree, uint32_t from, uint32_t top)
{
    while (from != top) {
        struct thread_node *dummy = thread_node(tree, from);
        from = dummy->parent;
        dummy->parent = top;
    }
}

/* Dummies between two messages go: a node's parent is the next message above it, or the dummy on
 * top. Then a dummy's children are counted in `count`. */
static void pass_over_dummies(struct thread_tree *tree)
{
    for (uint32_t i = 0; i < tree->count; i++) {
        struct thread_node *node = thread_node(tree, i), *above;
        uint32_t first = node->parent;
        if (is_dummy(node) || first == THREAD_NONE)
            continue;
        above = thread_node(tree, node->parent);
        while (is_dummy(above) && above->parent != THREAD_NONE) {
            node->parent = above->parent;
            above = thread_node(tree, node->parent);
        }
        above->count++;
        shorten(tree, first, node->parent);
    }
}

/* Children of a dummy are its date: the first one's. */
static void note_child_date(struct thread_tree *tree, const struct thread_node *child)
{
    struct thread_node *parent = thread_node(tree, child->parent);
    if (!is_dummy(parent) || parent->date < child->date ||
        (parent->date == child->date && parent->date_uid && parent->date_uid < child->date_uid))
        return;
    parent->date = child->date;
    parent->date_uid = child->date_uid;
    parent->subject = child->subject;
    parent->subject_size = child->subject_size;
}

/* A dummy without children goes; one with a single child gives it its place. */
static void prune_dummies(struct thread_tree *tree)
{
    pass_over_dummies(tree);
    for (uint32_t i = 0; i < tree->count; i++) {
        struct thread_node *node = thread_node(tree, i);
        if (is_dummy(node))
            node->gone = node->parent != THREAD_NONE || node->count < 2;
    }
    for (uint32_t i = 0; i < tree->count; i++) {
        struct thread_node *node = thread_node(tree, i);
        if (is_dummy(node) || node->parent == THREAD_NONE)
            continue;
        if (thread_node(tree, node->parent)->gone)
            node->parent = THREAD_NONE;
        else
            note_child_date(tree, node);
    }
}

/* --- order --- */

static int compare_dates(const struct thread_node *x, const struct thread_node *y)
{
    if (x->date != y->date)
        return x->date < y->date ? -1 : 1;
    return (x->date_uid > y->date_uid) - (x->date_uid < y->date_uid);
}

/* By parent, then by date; roots come last. */
static int compare_nodes(const void *a, const void *b, void *arg)
{
    const struct thread_tree *tree = arg;
    const struct thread_node *x = thread_node(tree, *(const uint32_t *)a);
    const struct thread_node *y = thread_node(tree, *(const uint32_t *)b);
    if (x->parent != y->parent)
        return x->parent < y->parent ? -1 : 1;
    return compare_dates(x, y);
}

static uint32_t order_count(const struct thread_tree *tree)
{
    return (uint32_t)(tree->order.size / sizeof(uint32_t));
}

static uint32_t *order(const struct thread_tree *tree)
{
    return (uint32_t *)tree->order.data;
}

/* All nodes that are there, or the roots only, in order. */
static int make_order(struct thread_tree *tree, bool roots_only)
{
    buffer_clear(&tree->order);
    for (uint32_t i = 0; i < tree->count; i++) {
        const struct thread_node *node = thread_node(tree, i);
        if (!node->gone && (!roots_only || is_root(node)))
            buffer_append(&tree->order, slice_make((const char *)&i, sizeof(i)));
    }
    if (buffer_error(&tree->order))
        return buffer_error(&tree->order);
    if (tree->order.size)
        qsort_r(tree->order.data, order_count(tree), sizeof(uint32_t), compare_nodes, tree);
    return 0;
}

/* --- steps 4 and 5: threads with the same subject --- */

/* The chain's entry of the subject table for a root's subject, or NULL; `next` links them now. */
static uint32_t *find_subject(struct thread_tree *tree, const struct thread_node *root)
{
    struct slice subject = node_subject(tree, root);
    uint32_t *at = &tree->buckets[bucket_of(tree, subject)];
    while (*at != THREAD_NONE && !slice_equal(node_subject(tree, thread_node(tree, *at)), subject))
        at = &thread_node(tree, *at)->next;
    return at;
}

/* Step 5.B */
static void enter_subject(struct thread_tree *tree, uint32_t index)
{
    struct thread_node *root = thread_node(tree, index);
    if (root->subject_size == 0)
        return;
    uint32_t *entry = find_subject(tree, root);
    if (*entry == THREAD_NONE) {
        root->next = THREAD_NONE;
        *entry = index;
        return;
    }
    const struct thread_node *other = thread_node(tree, *entry);
    if (!is_dummy(other) && (is_dummy(root) || (other->reply && !root->reply))) {
        root->next = other->next;
        *entry = index;
    }
}

static void adopt(struct thread_tree *tree, uint32_t parent, uint32_t child)
{
    thread_node(tree, child)->parent = parent;
    note_child_date(tree, thread_node(tree, child));
}

/* Two messages become children of a dummy, which takes the first one's place in the table. */
static int join(struct thread_tree *tree, uint32_t *entry, uint32_t index)
{
    uint32_t dummy, other = *entry;
    size_t place = (size_t)((char *)entry - tree->nodes.data);
    bool in_nodes =
        (char *)entry >= tree->nodes.data && (char *)entry < tree->nodes.data + tree->nodes.size;
    struct thread_node node = {.parent = THREAD_NONE, .date = INT64_MAX};
    int error = buffer_append(&tree->nodes, slice_make((const char *)&node, sizeof(node)));
    if (error)
        return error;
    if (in_nodes) /* they may have moved */
        entry = (uint32_t *)(tree->nodes.data + place);
    dummy = tree->count++;
    thread_node(tree, dummy)->next = thread_node(tree, other)->next;
    *entry = dummy;
    adopt(tree, dummy, other);
    adopt(tree, dummy, index);
    return 0;
}

/* Step 5.C. Children of a dummy that goes are moved by the caller, all at once: `first` notes where
 * to. */
static int merge_subject(struct thread_tree *tree, uint32_t index)
{
    struct thread_node *root = thread_node(tree, index);
    if (root->subject_size == 0)
        return 0;
    uint32_t *entry = find_subject(tree, root);
    if (*entry == index)
        return 0;
    const struct thread_node *other = thread_node(tree, *entry);
    if (is_dummy(root) && is_dummy(other)) {
        root->gone = true;
        root->first = *entry;
    } else if (is_dummy(other) || (root->reply && !other->reply)) {
        adopt(tree, *entry, index);
    } else {
        return join(tree, entry, index);
    }
    return 0;
}

/* The children of dummies that went into another one. */
static void move_children(struct thread_tree *tree)
{
    for (uint32_t i = 0; i < tree->count; i++) {
        const struct thread_node *node = thread_node(tree, i);
        if (node->gone || node->parent == THREAD_NONE || !thread_node(tree, node->parent)->gone)
            continue;
        adopt(tree, thread_node(tree, node->parent)->first, i);
    }
}

static int join_subjects(struct thread_tree *tree)
{
    int error = make_order(tree, true); /* step 4 */
    if (!error)
        error = make_buckets(tree);
    uint32_t roots = order_count(tree);
    for (uint32_t i = 0; i < roots && !error; i++)
        enter_subject(tree, order(tree)[i]);
    for (uint32_t i = 0; i < roots && !error; i++)
        error = merge_subject(tree, order(tree)[i]);
    move_children(tree);
    return error;
}

/* --- ORDEREDSUBJECT --- */

/* By subject, then by date. */
static int compare_subjects(const void *a, const void *b, void *arg)
{
    const struct thread_tree *tree = arg;
    const struct thread_node *x = thread_node(tree, *(const uint32_t *)a);
    const struct thread_node *y = thread_node(tree, *(const uint32_t *)b);
    struct slice s = node_subject(tree, x), t = node_subject(tree, y);
    size_t size = s.size < t.size ? s.size : t.size;
    int result = size ? memcmp(s.data, t.data, size) : 0;
    if (!result)
        result = (s.size > t.size) - (s.size < t.size);
    return result ? result : compare_dates(x, y);
}

/* The first message of each subject is the parent of the others. */
static int order_subjects(struct thread_tree *tree)
{
    int error = make_order(tree, false);
    uint32_t first = THREAD_NONE;
    if (error || !tree->order.size)
        return error;
    qsort_r(tree->order.data, order_count(tree), sizeof(uint32_t), compare_subjects, tree);
    for (uint32_t i = 0; i < order_count(tree); i++) {
        uint32_t index = order(tree)[i];
        if (first != THREAD_NONE && slice_equal(node_subject(tree, thread_node(tree, first)),
                                                node_subject(tree, thread_node(tree, index))))
            thread_node(tree, index)->parent = first;
        else
            first = index;
    }
    return 0;
}

/* --- REFS --- */

/* The later of two messages' arrivals; of those in the same second the higher UID's. */
static void note_arrival(struct thread_node *parent, const struct thread_node *child)
{
    if (parent->arrival > child->arrival ||
        (parent->arrival == child->arrival && parent->arrival_uid > child->arrival_uid))
        return;
    parent->arrival = child->arrival;
    parent->arrival_uid = child->arrival_uid;
}

/* Takes the place of step 4: a thread's date is when the last of its messages arrived. Who has
 * children left to hear of waits; `order` has those that have none. */
static int date_by_arrival(struct thread_tree *tree)
{
    for (uint32_t i = 0; i < tree->count; i++)
        thread_node(tree, i)->count = 0;
    for (uint32_t i = 0; i < tree->count; i++)
        if (!thread_node(tree, i)->gone && thread_node(tree, i)->parent != THREAD_NONE)
            thread_node(tree, thread_node(tree, i)->parent)->count++;
    buffer_clear(&tree->order);
    for (uint32_t i = 0; i < tree->count; i++)
        if (!thread_node(tree, i)->gone && !thread_node(tree, i)->count)
            buffer_append(&tree->order, slice_make((const char *)&i, sizeof(i)));
    for (uint32_t i = 0; i < order_count(tree); i++) {
        struct thread_node *node = thread_node(tree, order(tree)[i]), *parent;
        if (node->parent == THREAD_NONE) {
            node->date = node->arrival;
            node->date_uid = node->arrival_uid;
            continue;
        }
        parent = thread_node(tree, node->parent);
        note_arrival(parent, node);
        if (--parent->count == 0)
            buffer_append(&tree->order,
                          slice_make((const char *)&node->parent, sizeof(node->parent)));
    }
    return buffer_error(&tree->order);
}

/* --- step 6 --- */

static int list_children(struct thread_tree *tree)
{
    int error = make_order(tree, false);
    for (uint32_t i = 0; i < tree->count; i++)
        thread_node(tree, i)->count = thread_node(tree, i)->first = 0;
    uint32_t count = order_count(tree);
    tree->roots = count;
    for (uint32_t i = 0; i < count && !error; i++) {
        uint32_t parent = thread_node(tree, order(tree)[i])->parent;
        if (parent == THREAD_NONE) {
            tree->roots = i;
            break;
        }
        if (!thread_node(tree, parent)->count++)
            thread_node(tree, parent)->first = i;
    }
    tree->next_root = tree->roots;
    return error;
}

int thread_tree_finish(struct thread_tree *tree, enum imap_thread_algorithm algorithm)
{
    int error = 0;
    if (algorithm == IMAP_THREAD_ORDEREDSUBJECT) {
        error = order_subjects(tree);
    } else {
        prune_dummies(tree);
        error = algorithm == IMAP_THREAD_REFS ? date_by_arrival(tree) : join_subjects(tree);
    }
    return error ? error : list_children(tree);
}
