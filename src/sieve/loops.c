/*
 * Loops over parts (RFC 5703 section 3), and the tree of parts as the message changes.
 *
 * A change makes another tree (message_priv.h). Each part that a loop has at hand is looked up in
 * the new one by its place among its siblings, and that of the parts around it: what is replaced
 * keeps its place, and what stands before or behind it does, too.
 */
#include "base/error.h"
#include "sieve/run_priv.h"

void loops_open(struct run *run, struct loops *loops)
{
    loops->outer = run->loops;
    loops->whole = run->part ? run->part : run->loops ? run->loops->whole : NULL;
    loops->count = 0;
    run->loops = loops;
    run->part = NULL;
}

static void use_innermost(struct run *run)
{
    const struct loops *loops = run->loops;
    run->part = loops && loops->count ? loops->open[loops->count - 1].part : NULL;
}

void loops_close(struct run *run)
{
    run->loops = run->loops->outer;
    use_innermost(run);
}

bool part_is_within(const struct mime_part *part, const struct mime_part *scope)
{
    while (scope && part && part != scope)
        part = part->parent;
    return part != NULL;
}

/* The first part: the message, or in a loop the first part of the one at hand. Without any the loop
 * is passed over. */
uint32_t loop_begin(struct run *run, uint32_t start, uint32_t end)
{
    const struct mime_part *scope = run_part(run);
    if (run->failed || (!scope && !run_tree(run)))
        return end;
    const struct mime_part *part = scope ? scope->children : run->message.tree.root;
    if (!scope && run_whole(run))
        scope = part = run_whole(run);
    if (!part)
        return end;
    run->loops->open[run->loops->count++] =
        (struct run_loop){.scope = scope, .part = part, .start = start, .end = end};
    run->part = part;
    return start;
}

static void end_loops(struct run *run, size_t count)
{
    run->loops->count -= count;
    use_innermost(run);
}

/* What a part was replaced with is not gone into (section 5). */
static const struct mime_part *part_behind(const struct run_loop *loop)
{
    const struct mime_part *part = mime_part_next(loop->part);
    while (part && loop->replaced && part_is_within(part, loop->part))
        part = mime_part_next(part);
    return part;
}

uint32_t loop_next(struct run *run)
{
    struct run_loop *loop = &run->loops->open[run->loops->count - 1];
    uint32_t end = loop->end;
    loop->part = part_behind(loop);
    loop->replaced = false;
    if (part_is_within(loop->part, loop->scope)) {
        run->part = loop->part;
        return loop->start;
    }
    end_loops(run, 1);
    return end;
}

uint32_t loop_break(struct run *run, uint32_t count)
{
    uint32_t end = run->loops->open[run->loops->count - count].end;
    end_loops(run, count);
    return end;
}

/* --- trees --- */

static const struct mime_part *same_place(const struct mime_part *part,
                                          const struct mime_part *root)
{
    if (!part->parent)
        return root;
    const struct mime_part *parent = same_place(part->parent, root);
    const struct mime_part *child = parent ? parent->children : NULL;
    while (child && child->number < part->number)
        child = child->next;
    return child;
}

static bool move(struct run *run, const struct mime_part **part, const struct mime_part *root)
{
    if (*part)
        *part = same_place(*part, root);
    if (!*part)
        run_fail(run, "the part at hand is not in the message any more");
    return *part != NULL;
}

/* Makes what loops have at hand parts of the new tree, in which the old one's root is that one. */
static void move_loops(struct run *run, const struct mime_part *root)
{
    for (struct loops *loops = run->loops; loops; loops = loops->outer) {
        if (loops->whole && !run->failed)
            move(run, &loops->whole, root);
        for (size_t i = 0; i < loops->count && !run->failed; i++)
            if ((!loops->open[i].scope || move(run, &loops->open[i].scope, root)))
                move(run, &loops->open[i].part, root);
    }
    use_innermost(run);
}

static bool has_loops(const struct run *run)
{
    for (const struct loops *loops = run->loops; loops; loops = loops->outer)
        if (loops->count)
            return true;
    return false;
}

static bool check(struct run *run, int error)
{
    if (error == ERROR_MEMORY)
        run_fail(run, "the script needs too much memory");
    else if (error)
        run_fail(run, "the message is changed too often for its size");
    return !error;
}

static bool parse(struct run *run)
{
    return !message_parse(&run->message) ||
           (run_fail(run, "the message has too many parts"), false);
}

enum { STEP_BYTES = 1024 }; /* of the message copied and parsed for one step */

static bool charge(struct run *run, size_t size)
{
    return run_charge(run, 1 + size / STEP_BYTES);
}

static bool settle(struct run *run)
{
    struct message *message = &run->message;
    if (!message_is_changed(message, NULL))
        return true;
    if (!charge(run, message_settle_size(message)) || !check(run, message_settle(message)))
        return false;
    if (!has_loops(run))
        return true;
    if (parse(run))
        move_loops(run, message->tree.root);
    return !run->failed;
}

bool run_tree(struct run *run)
{
    return !run->failed && settle(run) && parse(run);
}

const struct mime_part *run_part(struct run *run)
{
    if (run->part && message_is_changed(&run->message, run->part))
        settle(run);
    return run->part;
}

const struct mime_part *run_whole(struct run *run)
{
    const struct loops *loops = run->loops;
    if (loops && loops->whole && message_is_changed(&run->message, loops->whole))
        settle(run);
    return loops ? loops->whole : NULL;
}

const struct header *run_whole_header(struct run *run)
{
    const struct mime_part *whole = run_whole(run);
    const struct header *header =
        whole && !run->failed ? message_part_header(&run->message, whole) : NULL;
    if (whole && !header)
        run_fail(run, "the message has too many parts");
    return header ? header : &run->message.fields;
}

const struct mime_part *run_part_to_change(struct run *run, struct run_loop **loop)
{
    struct loops *loops = run->loops;
    while (loops && !loops->count)
        loops = loops->outer;
    *loop = loops ? &loops->open[loops->count - 1] : NULL;
    if (*loop && message_is_changed(&run->message, (*loop)->part))
        settle(run); /* it may have gone with one around it */
    return *loop ? (*loop)->part : NULL;
}

void run_message(struct run *run, struct slice *header, struct slice *body)
{
    if (!run->failed)
        settle(run);
    message_current(&run->message, header, body);
}

/* The message is the one part of the last part of the new one. */
int run_enclose(struct run *run, struct slice header, struct slice before, struct slice behind)
{
    struct message *message = &run->message;
    if (!settle(run) || !charge(run, message_settle_size(message)) ||
        !check(run, message_enclose(message, header, before, behind)))
        return ERROR_SYNTAX;
    if (!has_loops(run) || !parse(run))
        return run->failed ? ERROR_SYNTAX : 0;
    const struct mime_part *last = message->tree.root->children;
    while (last && last->next)
        last = last->next;
    if (!last || !last->children)
        return run_fail(run, "the message has too many parts");
    move_loops(run, last->children);
    return run->failed ? ERROR_SYNTAX : 0;
}
