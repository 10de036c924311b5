#include "base/clock.h"
#include "base/error.h"
#include "store/acl_priv.h"
#include "store/annotation_priv.h"
#include "store/seen_priv.h"
#include "store/snooze_priv.h"

struct copy_call {
    collection_id from, to;
    const struct range_set *uids; /* NULL: all */
    bool move;
    struct account_id who;
    enum seen_whose whose; /* whose \Seen goes along, with a copy */
    bool rights_given;     /* the next two are set; else they follow from who's rights */
    uint32_t allowed;      /* flags that may be set in the target */
    struct annotation_rule annotations;
    const struct snooze *wake; /* what it wakes with; NULL: it does not */
    int64_t now;
    uint32_t uid_validity;
    struct range_set *copied; /* UIDs in `from` and, in the same order, in `to` */
    struct range_set *made;
};

struct copier {
    struct change *change;
    struct copy_call *call;
    struct mailbox *source, *target;   /* may be the same */
    int keyword_map[KEYWORDS_MAXIMUM]; /* the source's bit to the target's; -1: not known yet */
};

static int map_keyword(struct copier *copier, unsigned bit, struct keyword_set *mapped)
{
    if (copier->keyword_map[bit] < 0) {
        unsigned index;
        int error = mailbox_load_names(copier->source);
        if (!error && bit >= copier->source->names.count)
            error = ERROR_CORRUPT;
        if (!error)
            error = mailbox_keyword(copier->target, copier->source->names.names[bit], true, &index);
        if (error)
            return error;
        copier->keyword_map[bit] = (int)index;
    }
    unsigned index = (unsigned)copier->keyword_map[bit];
    mapped->bits[index / 64] |= UINT64_C(1) << (index % 64);
    return 0;
}

static int map_keywords(struct copier *copier, struct entry *entry)
{
    struct keyword_set mapped = {{0}};
    for (unsigned word = 0; word < KEYWORDS_MAXIMUM / 64; word++) {
        uint64_t bits = copier->call->allowed & ENTRY_FLAGGED ? entry->keywords.bits[word] : 0;
        for (; bits; bits &= bits - 1) {
            int error = map_keyword(copier, word * 64 + (unsigned)__builtin_ctzll(bits), &mapped);
            if (error)
                return error;
        }
    }
    entry->keywords = mapped;
    return 0;
}

static int copy_entry(struct copier *copier, struct entry *entry)
{
    struct copy_call *call = copier->call;
    uint32_t uid = entry->uid;
    entry->flags &= call->allowed;
    entry->save_date = call->now;
    int error = call->move ? 0 : quota_require_messages(copier->change, 1, entry->size);
    if (!error && copier->source != copier->target)
        error = map_keywords(copier, entry);
    if (!error && call->wake)
        error = snooze_adjust(copier->target, call->wake, entry);
    if (!error)
        error = message_place(
            copier->change, entry->message,
            (struct position){call->move ? copier->source->id : 0, call->move ? uid : 0},
            mailbox_next_position(copier->target));
    if (!error)
        error = mailbox_add(copier->change, copier->target, entry);
    if (!error)
        error = annotations_transfer(copier->change, copier->source, uid, copier->target,
                                     entry->uid, call->move ? ANNOTATIONS_MOVE : ANNOTATIONS_COPY,
                                     &call->annotations);
    if (!error)
        error = range_set_add(call->copied, uid, uid);
    if (!error)
        error = range_set_add(call->made, entry->uid, entry->uid);
    return error;
}

static int copy_page(struct copier *copier, struct range_walk *walk, const struct buffer *page,
                     uint32_t last)
{
    size_t count = (page->size - PAGE_VALUE_HEADER) / ENTRY_SIZE;
    int error = 0;
    for (size_t i = 0; i < count && !error; i++) {
        struct entry entry;
        entry_read(page_entry(page, i), &entry);
        if (entry.uid <= last && range_walk_meets(walk, entry.uid, entry.uid))
            error = copy_entry(copier, &entry);
    }
    return error;
}

/* The pages there were at the start; what is added meanwhile (to the same mailbox) is behind. */
static int copy_pages(struct copier *copier, struct buffer *page)
{
    struct mailbox *source = copier->source;
    struct range_walk walk = {copier->call->uids, 0};
    uint32_t last = source->record.uid_next - 1;
    size_t count = mailbox_page_count(source);
    int error = mailbox_load_pages(source);
    for (size_t i = 0; i < count && !error; i++) {
        struct page_header *header = mailbox_page(source, i);
        if (!range_walk_meets(&walk, header->first, header->last))
            continue;
        error = mailbox_read_page(source, header, page);
        if (!error)
            error = copy_page(copier, &walk, page, last);
    }
    return error;
}

static int remove_moved(struct copier *copier)
{
    struct removal removal = {.uids = copier->call->copied};
    struct range_set removed;
    range_set_init(&removed, REMOVED_RANGES_MAXIMUM);
    int error = mailbox_remove(copier->change, copier->source, &removal, &removed);
    range_set_release(&removed);
    return error;
}

static int run(struct change *change, struct copy_call *call, struct mailbox *source,
               struct mailbox *target)
{
    struct copier copier = {.change = change, .call = call, .source = source, .target = target};
    struct buffer page;
    memset(copier.keyword_map, -1, sizeof(copier.keyword_map));
    buffer_init(&page, PAGE_VALUE_MAXIMUM);
    int error = copy_pages(&copier, &page);
    bool some = call->copied->count > 0;
    if (!error && (call->move || call->whose == SEEN_OWN))
        error = seen_follow(change, source->id, call->copied, target->id, call->made,
                            call->move ? NULL : &call->who);
    if (!error && some && call->move)
        error = remove_moved(&copier);
    if (!error && some)
        error = mailbox_finish(change, target);
    if (!error && some && call->move && source != target)
        error = mailbox_finish(change, source);
    call->uid_validity = target->record.uid_validity;
    buffer_release(&page);
    return error;
}

/* Asks for the rights, and finds what goes along by them. */
static int find_allowed(const struct change *change, struct copy_call *call)
{
    const struct store_view *view = change->view;
    uint32_t source = RIGHT_READ | (call->move ? RIGHT_DELETE_MESSAGES | RIGHT_EXPUNGE : 0), rights;
    int error = view_require(view, change->transaction, call->from, source);
    if (!error)
        error = view_require(view, change->transaction, call->to, RIGHT_INSERT);
    if (!error)
        error = rights_of(view, change->transaction, call->to, &rights);
    if (error)
        return error;
    call->allowed = flags_allowed(rights);
    call->whose = seen_whose(view, &call->who);
    if (call->whose == SEEN_OWN && !(call->allowed & ENTRY_SEEN))
        call->whose = SEEN_NOBODYS;
    /* What the owner has seen is neither who's to say nor to take back. */
    call->allowed |= view_is_owner(view) ? 0 : ENTRY_SEEN;
    /* RFC 5257 section 4.6: not those of others, nor what may not be set there. */
    call->annotations = (struct annotation_rule){.shared = rights & RIGHT_ANNOTATE,
                                                 .who = rights & RIGHT_READ ? &call->who : NULL,
                                                 .quota = !call->move};
    return 0;
}

static int copy(struct change *change, void *arg)
{
    struct copy_call *call = arg;
    struct mailbox source, target;
    range_set_clear(call->copied);
    range_set_clear(call->made);
    int error = call->rights_given ? 0 : find_allowed(change, call);
    if (!error)
        error = mailbox_open(change->transaction, call->from, &source);
    if (error)
        return error;
    if (call->from == call->to) {
        error = run(change, call, &source, &source);
    } else {
        error = mailbox_open(change->transaction, call->to, &target);
        if (!error) {
            error = run(change, call, &source, &target);
            mailbox_release(&target);
        }
    }
    mailbox_release(&source);
    return error;
}

int mailbox_copy(struct store_view *view, collection_id mailbox, const struct range_set *uids,
                 collection_id target, bool move, struct copy_result *result)
{
    struct copy_call call = {
        .from = mailbox,
        .to = target,
        .uids = uids,
        .move = move,
        .who = view_subscriber(view),
        .now = clock_wall(),
        .copied = &result->from,
        .made = &result->to,
    };
    int error = view_change(view, KV_DURABLE, copy, &call);
    if (!error)
        result->uid_validity = call.uid_validity;
    return error;
}

/* Whatever who may do. uids NULL: all. */
static int move_some(struct change *change, collection_id from, collection_id to,
                     const struct range_set *uids, const struct snooze *wake, bool *some)
{
    struct range_set copied, made;
    range_set_init(&copied, REMOVED_RANGES_MAXIMUM);
    range_set_init(&made, REMOVED_RANGES_MAXIMUM);
    struct copy_call call = {
        .from = from,
        .to = to,
        .uids = uids,
        .wake = wake,
        .move = true,
        .rights_given = true,
        .allowed = ENTRY_FLAGS,
        .annotations = {.shared = true, .everybodys = true},
        .now = clock_wall(),
        .copied = &copied,
        .made = &made,
    };
    int error = copy(change, &call);
    *some = copied.count > 0;
    range_set_release(&copied);
    range_set_release(&made);
    return error;
}

int mailbox_move_all(struct change *change, collection_id from, collection_id to)
{
    bool some;
    return move_some(change, from, to, NULL, NULL, &some);
}

int mailbox_wake(struct change *change, collection_id from, uint32_t uid, collection_id to,
                 const struct snooze *snooze, bool *moved)
{
    struct range range = {.first = uid, .last = uid};
    const struct range_set uids = {.ranges = &range, .count = 1};
    return move_some(change, from, to, &uids, snooze, moved);
}
