/*
 * THREAD's response (RFC 5256 section 5): a thread is a list of members, each the child of the one
 * before; where one has several children, each of these is a list of its own.
 *
 *     thread-list    = "(" (thread-members / thread-nested) ")"
 *     thread-members = nz-number *(SP nz-number) [SP thread-nested]
 *     thread-nested  = 2*thread-list
 */
#include "session/imap/sort_priv.h"

static uint32_t child_of(const struct thread_tree *tree, const struct thread_node *node,
                         uint32_t place)
{
    return ((const uint32_t *)tree->order.data)[node->first + place];
}

/* Whether it began a list of its own. */
static bool has_list(const struct thread_tree *tree, const struct thread_node *node)
{
    return node->parent == THREAD_NONE || thread_node(tree, node->parent)->count > 1;
}

static void open_node(struct imap_session *session, struct thread_tree *tree, uint32_t index)
{
    const struct thread_node *node = thread_node(tree, index);
    buffer_append_byte(session->out, has_list(tree, node) ? '(' : ' ');
    if (node->uid)
        buffer_append_number(session->out, search_number(session, node->uid));
    tree->at = index;
}

/* One step from the node that is being written: to its next child, or up. */
static void step(struct imap_session *session, struct thread_tree *tree)
{
    struct thread_node *node = thread_node(tree, tree->at);
    if (node->written < node->count) {
        if (node->written == 0 && node->count > 1 && node->uid)
            buffer_append_byte(session->out, ' ');
        open_node(session, tree, child_of(tree, node, node->written++));
        return;
    }
    if (has_list(tree, node))
        buffer_append_byte(session->out, ')');
    tree->at = node->parent;
}

bool thread_tree_write(struct imap_session *session, struct thread_tree *tree)
{
    uint32_t count = (uint32_t)(tree->order.size / sizeof(uint32_t));
    while (!session_slice_over_sent(session)) {
        if (tree->at != THREAD_NONE)
            step(session, tree);
        else if (tree->next_root < count)
            open_node(session, tree, ((const uint32_t *)tree->order.data)[tree->next_root++]);
        else
            return true;
    }
    return false;
}
