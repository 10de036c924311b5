/*
 * THREAD=ORDEREDSUBJECT and THREAD=REFERENCES (RFC 5256 section 3), and THREAD=REFS
 * (draft-ietf-morg-inthread-01 section 4). The steps' numbers are the RFC's.
 *
 * What each message says of its thread is remembered (sort_memory), with numbers in place of
 * Message-IDs and subjects: so threading needs no summary, and compares no texts.
 *
 * While messages are added only parents are known (step 1). Then dummies are passed over (steps 2
 * and 3), threads with the same subject are joined (steps 4 and 5), and one sort by date makes the
 * lists of children (step 6). REFS leaves subjects alone, and puts the thread last that has the
 * message that arrived last. Nothing here is recursive: a chain of replies may be as long as the
 * mailbox.
 */
#include "base/error.h"
#include "format/subject.h"
#include "session/imap/sort_priv.h"

#include <stdlib.h>

/* How far up it is looked for a loop; a link that is further away from the top is not made. */
enum { THREAD_DEPTH_MAXIMUM = 10000 };

/* What a message says; the numbers of its references follow, oldest first. */
struct said {
    int64_t date;
    uint32_t id, subject; /* numbers; 0: none */
    uint64_t reply;
};

void thread_tree_init(struct thread_tree *tree, size_t maximum, struct account_id account,
                      collection_id collection)
{
    *tree = (struct thread_tree){.at = THREAD_NONE};
    tree->memory =
        sort_memory_take((struct sort_subject){account, collection, SORT_THREADS}, maximum);
    buffer_init(&tree->said, maximum);
    buffer_init(&tree->nodes, maximum);
    buffer_init(&tree->places, maximum);
    buffer_init(&tree->order, maximum);
}

void thread_tree_release(struct thread_tree *tree)
{
    sort_memory_give(&tree->memory);
    buffer_release(&tree->said);
    buffer_release(&tree->nodes);
    buffer_release(&tree->places);
    buffer_release(&tree->order);
}

bool thread_tree_forget(struct thread_tree *tree)
{
    struct sort_memory *memory = tree->memory;
    if (!memory || !memory->known)
        return false;
    struct sort_subject about = memory->about;
    size_t maximum = tree->nodes.maximum;
    memory->spoiled = true;
    thread_tree_release(tree);
    thread_tree_init(tree, maximum, about.account, about.collection);
    return true;
}

/* --- what messages say --- */

static int put_number(struct thread_tree *tree, struct slice text)
{
    uint32_t number;
    int error = sort_memory_number(tree->memory, text, &number);
    return error ? error
                 : buffer_append(&tree->said, slice_make((const char *)&number, sizeof(number)));
}

/* All of References, else the first of In-Reply-To (step 1.A). */
static int put_references(struct search_slice *slice, struct thread_tree *tree)
{
    struct slice rest = slice->summary.headers[SUMMARY_REFERENCES];
    int error = 0;
    while (rest.data && !error && message_id_next(&rest, &slice->decoded))
        error = put_number(tree, buffer_slice(&slice->decoded));
    rest = slice->summary.headers[SUMMARY_IN_REPLY_TO];
    if (!error && tree->said.size == sizeof(struct said) && rest.data &&
        message_id_next(&rest, &slice->decoded))
        error = put_number(tree, buffer_slice(&slice->decoded));
    return error;
}

static int find_numbers(struct search_slice *slice, struct thread_tree *tree, struct said *said)
{
    bool reply;
    struct slice id = slice->summary.headers[SUMMARY_MESSAGE_ID];
    int error = sort_subject(slice, &slice->key, &reply);
    said->reply = reply;
    if (!error && slice->key.size)
        error = sort_memory_number(tree->memory, buffer_slice(&slice->key), &said->subject);
    if (!error && slice->has_summary && id.data && message_id_next(&id, &slice->decoded))
        error = sort_memory_number(tree->memory, buffer_slice(&slice->decoded), &said->id);
    return error;
}

/* What could not be read is not remembered. */
static int read_said(struct search_slice *slice, struct thread_tree *tree, uint32_t *index)
{
    struct said said = {.date = sort_sent_date(slice)};
    buffer_clear(&tree->said);
    int error = find_numbers(slice, tree, &said);
    if (!error)
        error = buffer_append(&tree->said, slice_make((const char *)&said, sizeof(said)));
    if (!error && slice->has_summary)
        error = put_references(slice, tree);
    if (!error)
        error = sort_memory_add(tree->memory, slice->entry->uid, buffer_slice(&tree->said), index);
    tree->memory->spoiled |= slice->failed;
    return error;
}

/* --- nodes --- */

static int add_node(struct thread_tree *tree, uint32_t *index)
{
    const struct thread_node node = {
        .parent = THREAD_NONE, .date = INT64_MAX, .arrival = INT64_MIN};
    int error = buffer_append(&tree->nodes, slice_make((const char *)&node, sizeof(node)));
    if (!error)
        *index = tree->count++;
    return error;
}

static uint32_t *places(const struct thread_tree *tree)
{
    return (uint32_t *)tree->places.data;
}

/* A place for each number up to the last, those that are new without a node. */
static int make_places(struct thread_tree *tree)
{
    size_t size = (sort_memory_numbers(tree->memory) + 1) * sizeof(uint32_t);
    size_t added = size > tree->places.size ? size - tree->places.size : 0;
    char *room = added ? buffer_reserve(&tree->places, added) : NULL;
    if (room) {
        memset(room, 0xff, added);
        buffer_commit(&tree->places, added);
    }
    return buffer_error(&tree->places);
}

/* The node of a Message-ID, made when there is none. */
static int find_node(struct thread_tree *tree, uint32_t number, uint32_t *index)
{
    *index = places(tree)[number];
    if (*index != THREAD_NONE)
        return 0;
    int error = add_node(tree, index);
    if (!error)
        places(tree)[number] = *index;
    return error;
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
static int link_references(struct thread_tree *tree, struct slice references, uint32_t *last)
{
    *last = THREAD_NONE;
    for (size_t at = 0; at < references.size; at += sizeof(uint32_t)) {
        uint32_t number, node;
        memcpy(&number, references.data + at, sizeof(number));
        int error = find_node(tree, number, &node);
        if (error)
            return error;
        if (*last != THREAD_NONE && thread_node(tree, node)->parent == THREAD_NONE)
            link_nodes(tree, *last, node);
        *last = node;
    }
    return 0;
}

/* The message's own node: one that was referred to before, or a new one. Of two messages with the
 * same id the second has none. */
static int own_node(struct thread_tree *tree, uint32_t id, uint32_t *index)
{
    if (!id)
        return add_node(tree, index);
    int error = find_node(tree, id, index);
    if (!error && thread_node(tree, *index)->uid)
        error = add_node(tree, index);
    return error;
}

static void fill_node(struct thread_node *node, const struct entry *entry, const struct said *said)
{
    node->subject = said->subject;
    node->reply = said->reply;
    node->uid = node->date_uid = node->arrival_uid = entry->uid;
    node->date = said->date;
    node->arrival = entry->internal_date;
}

/* In ORDEREDSUBJECT nobody is referred to. */
static int add_said(struct thread_tree *tree, const struct entry *entry, struct slice bytes,
                    enum imap_thread_algorithm algorithm)
{
    struct said said;
    uint32_t own, last = THREAD_NONE;
    bool alone = algorithm == IMAP_THREAD_ORDEREDSUBJECT;
    memcpy(&said, bytes.data, sizeof(said));
    int error = own_node(tree, alone ? 0 : said.id, &own);
    if (error)
        return error;
    fill_node(thread_node(tree, own), entry, &said);
    if (!alone)
        error = link_references(tree, slice_sub(bytes, sizeof(said), SIZE_MAX), &last);
    if (error)
        return error;
    thread_node(tree, own)->parent = THREAD_NONE; /* step 1.B */
    if (last != THREAD_NONE)
        link_nodes(tree, last, own);
    return 0;
}

int thread_tree_add(struct search_slice *slice, struct thread_tree *tree,
                    enum imap_thread_algorithm algorithm)
{
    uint32_t index;
    int error = tree->memory ? 0 : ERROR_MEMORY;
    if (!error && !sort_memory_find(tree->memory, slice->entry->uid, &index))
        error = read_said(slice, tree, &index);
    if (!error)
        error = make_places(tree);
    return error ? error
                 : add_said(tree, slice->entry, sort_memory_key(tree->memory, index), algorithm);
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

static uint32_t order_count(const struct thread_tree *tree)
{
    return (uint32_t)(tree->order.size / sizeof(uint32_t));
}

static uint32_t *order(const struct thread_tree *tree)
{
    return (uint32_t *)tree->order.data;
}

static struct sort_number dated(const struct thread_tree *tree, uint32_t index)
{
    return (struct sort_number){sort_unsigned(thread_node(tree, index)->date), index};
}

/* Orders by date, of equal ones by UID. */
static int order_by_date(const struct thread_tree *tree, struct sort_number *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        list[i].number = thread_node(tree, list[i].index)->date_uid;
    int error = sort_by_number(list, count);
    for (size_t i = 0; i < count && !error; i++)
        list[i] = dated(tree, list[i].index);
    return error ? error : sort_by_number(list, count);
}

/* All nodes that are there, or the roots only, by date. */
static int make_order(struct thread_tree *tree, bool roots_only)
{
    size_t count = 0;
    struct sort_number *list = calloc((size_t)tree->count + 1, sizeof(*list));
    if (!list)
        return ERROR_MEMORY;
    for (uint32_t i = 0; i < tree->count; i++) {
        const struct thread_node *node = thread_node(tree, i);
        if (!node->gone && (!roots_only || is_root(node)))
            list[count++].index = i;
    }
    int error = order_by_date(tree, list, count);
    buffer_clear(&tree->order);
    for (size_t i = 0; i < count && !error; i++)
        error = buffer_append(&tree->order,
                              slice_make((const char *)&list[i].index, sizeof(list[i].index)));
    free(list);
    return error;
}

/* --- steps 4 and 5: threads with the same subject --- */

/* The subject table's entry for a root's subject, which has one. */
static uint32_t *find_subject(struct thread_tree *tree, const struct thread_node *root)
{
    return &places(tree)[root->subject];
}

static void forget_places(struct thread_tree *tree)
{
    if (tree->places.size)
        memset(tree->places.data, 0xff, tree->places.size);
}

/* Step 5.B */
static void enter_subject(struct thread_tree *tree, uint32_t index)
{
    const struct thread_node *root = thread_node(tree, index);
    if (!root->subject)
        return;
    uint32_t *entry = find_subject(tree, root);
    const struct thread_node *other = *entry == THREAD_NONE ? NULL : thread_node(tree, *entry);
    if (!other || (!is_dummy(other) && (is_dummy(root) || (other->reply && !root->reply))))
        *entry = index;
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
    int error = add_node(tree, &dummy);
    if (error)
        return error;
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
    if (!root->subject)
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
    forget_places(tree);
    uint32_t roots = order_count(tree);
    for (uint32_t i = 0; i < roots && !error; i++)
        enter_subject(tree, order(tree)[i]);
    for (uint32_t i = 0; i < roots && !error; i++)
        error = merge_subject(tree, order(tree)[i]);
    move_children(tree);
    return error;
}

/* --- ORDEREDSUBJECT --- */

/* The first message of each subject, and of those without one, is the parent of the others. */
static void order_subjects(struct thread_tree *tree)
{
    forget_places(tree);
    for (uint32_t i = 0; i < tree->count; i++) {
        const struct thread_node *node = thread_node(tree, i);
        uint32_t *first = find_subject(tree, node);
        if (*first == THREAD_NONE || compare_dates(node, thread_node(tree, *first)) < 0)
            *first = i;
    }
    for (uint32_t i = 0; i < tree->count; i++) {
        uint32_t first = *find_subject(tree, thread_node(tree, i));
        if (first != i)
            thread_node(tree, i)->parent = first;
    }
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

/* Where each one's children begin in the order, and behind them all the roots. */
static void make_room(struct thread_tree *tree)
{
    uint32_t behind = 0;
    for (uint32_t i = 0; i < tree->count; i++)
        thread_node(tree, i)->count = 0;
    for (uint32_t i = 0; i < order_count(tree); i++) {
        uint32_t parent = thread_node(tree, order(tree)[i])->parent;
        if (parent != THREAD_NONE)
            thread_node(tree, parent)->count++;
    }
    for (uint32_t i = 0; i < tree->count; i++) {
        thread_node(tree, i)->first = behind;
        behind += thread_node(tree, i)->count;
        thread_node(tree, i)->count = 0;
    }
    tree->roots = tree->next_root = behind;
}

/* What is in order by date becomes so by parent and date. */
static int list_children(struct thread_tree *tree)
{
    int error = make_order(tree, false);
    uint32_t *listed = error ? NULL : malloc(tree->order.size + 1);
    if (!listed)
        return error ? error : ERROR_MEMORY;
    make_room(tree);
    uint32_t next_root = tree->roots;
    for (uint32_t i = 0; i < order_count(tree); i++) {
        uint32_t index = order(tree)[i], parent = thread_node(tree, index)->parent;
        if (parent == THREAD_NONE) {
            listed[next_root++] = index;
        } else {
            struct thread_node *above = thread_node(tree, parent);
            listed[above->first + above->count++] = index;
        }
    }
    if (tree->order.size)
        memcpy(tree->order.data, listed, tree->order.size);
    free(listed);
    return 0;
}

int thread_tree_finish(struct thread_tree *tree, enum imap_thread_algorithm algorithm)
{
    int error = 0;
    if (algorithm == IMAP_THREAD_ORDEREDSUBJECT) {
        order_subjects(tree);
    } else {
        prune_dummies(tree);
        error = algorithm == IMAP_THREAD_REFS ? date_by_arrival(tree) : join_subjects(tree);
    }
    return error ? error : list_children(tree);
}
