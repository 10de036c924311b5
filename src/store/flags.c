#include "base/error.h"
#include "store/seen_priv.h"

struct flags_call {
    collection_id id;
    const struct range_set *uids;
    const struct flag_change *change;
    uint32_t allowed;
    enum seen_whose whose; /* whose \Seen is changed: */
    struct account_id who;
    uint64_t modseq;
    struct range_set *failed;
    bool tells;  /* change->differences, */
    size_t told; /* of which so many bytes are another change's */
};

/* The pages that are changed one after the other. */
struct flags_walk {
    struct range_walk uids;
    struct buffer page;
    struct seen_map seen; /* of who has a \Seen of its own, before the change */
    struct seen_edits edits;
};

/* What the change does to an entry: new = (old & keep) | set. */
struct flag_masks {
    uint32_t keep, set;
    struct keyword_set keyword_keep, keyword_set;
};

static int keyword_bits(struct mailbox *mailbox, const struct flag_change *change,
                        struct keyword_set *bits)
{
    bool add = change->operation != FLAGS_REMOVE;
    for (size_t i = 0; i < change->keyword_count; i++) {
        unsigned index;
        int error = mailbox_keyword(mailbox, change->keywords[i], add, &index);
        if (error == ERROR_NOT_FOUND)
            continue;
        if (error)
            return error;
        bits->bits[index / 64] |= UINT64_C(1) << (index % 64);
    }
    return 0;
}

static int make_masks(struct mailbox *mailbox, const struct flags_call *call,
                      struct flag_masks *masks)
{
    const struct flag_change *change = call->change;
    struct keyword_set keywords = {{0}};
    uint32_t flags = change->flags & call->allowed;
    bool may_keywords = call->allowed & ENTRY_FLAGGED;
    int error = may_keywords ? keyword_bits(mailbox, change, &keywords) : 0;
    if (error)
        return error;
    *masks = (struct flag_masks){.keep = UINT32_MAX, .keyword_keep = {{UINT64_MAX, UINT64_MAX}}};
    if (change->operation == FLAGS_REMOVE)
        masks->keep = ~flags;
    else
        masks->set = flags;
    if (change->operation == FLAGS_REPLACE)
        masks->keep = ~call->allowed;
    for (unsigned i = 0; i < KEYWORDS_MAXIMUM / 64; i++) {
        if (change->operation == FLAGS_REMOVE)
            masks->keyword_keep.bits[i] = ~keywords.bits[i];
        else
            masks->keyword_set.bits[i] = keywords.bits[i];
        if (change->operation == FLAGS_REPLACE && may_keywords)
            masks->keyword_keep.bits[i] = 0;
    }
    return 0;
}

/* Whether that changes something. */
static bool apply(const struct flag_masks *masks, struct entry *entry)
{
    struct entry old = *entry;
    entry->flags = (old.flags & masks->keep) | masks->set;
    bool changed = entry->flags != old.flags;
    for (unsigned i = 0; i < KEYWORDS_MAXIMUM / 64; i++) {
        uint64_t bits = old.keywords.bits[i];
        entry->keywords.bits[i] = (bits & masks->keyword_keep.bits[i]) | masks->keyword_set.bits[i];
        changed = changed || entry->keywords.bits[i] != bits;
    }
    return changed;
}

/* As apply, of an entry as another than the owner sees it: \Seen goes into the marks, the rest into
 * the stored one. Whether the stored one is changed. */
static bool apply_own_seen(const struct flag_masks *masks, struct flags_walk *walk,
                           struct entry shown, struct entry *stored)
{
    uint32_t before = shown.flags, owners = stored->flags & ENTRY_SEEN;
    bool changed = apply(masks, &shown);
    bool marked = (shown.flags ^ before) & ENTRY_SEEN;
    if (marked)
        seen_mark(&walk->edits, stored->uid, shown.flags & ENTRY_SEEN);
    else
        seen_pass(&walk->edits, stored->uid);
    changed = changed && (!marked || (shown.flags ^ before) & ~(uint32_t)ENTRY_SEEN ||
                          memcmp(&shown.keywords, &stored->keywords, sizeof(shown.keywords)) != 0);
    stored->flags = (shown.flags & ~(uint32_t)ENTRY_SEEN) | owners;
    stored->keywords = shown.keywords;
    return changed;
}

/* What the change makes of an entry as who sees it. */
static int note_difference(const struct flags_call *call, const struct flag_masks *masks,
                           const struct entry *shown)
{
    struct entry after = *shown;
    if (!call->tells || !apply(masks, &after))
        return 0;
    struct flag_difference difference = {.uid = shown->uid, .flags = shown->flags ^ after.flags};
    for (unsigned i = 0; i < KEYWORDS_MAXIMUM / 64; i++)
        difference.keywords.bits[i] = shown->keywords.bits[i] ^ after.keywords.bits[i];
    return buffer_append(call->change->differences, slice_make(&difference, sizeof(difference)));
}

static int change_entry(const struct flags_call *call, const struct flag_masks *masks,
                        struct flags_walk *walk, struct entry *entry, bool *changed)
{
    struct entry shown = *entry;
    if (call->whose != SEEN_OWNERS)
        seen_apply(&walk->seen, &shown);
    *changed = false;
    if (shown.modseq > call->change->unchanged_since) {
        seen_pass(&walk->edits, entry->uid);
        return call->failed ? range_set_add(call->failed, entry->uid, entry->uid) : 0;
    }
    int error = note_difference(call, masks, &shown);
    *changed = call->whose == SEEN_OWNERS ? apply(masks, entry)
                                          : apply_own_seen(masks, walk, shown, entry);
    return error;
}

static int change_page(struct change *change, const struct flags_call *call,
                       const struct flag_masks *masks, struct flags_walk *walk, bool *page_changed)
{
    struct buffer *page = &walk->page;
    size_t count = (page->size - PAGE_VALUE_HEADER) / ENTRY_SIZE;
    struct entry entry;
    for (size_t i = 0; i < count; i++) {
        bool changed;
        uint32_t uid = entry_read_uid(page_entry(page, i));
        if (!range_walk_meets(&walk->uids, uid, uid)) {
            seen_pass(&walk->edits, uid);
            continue;
        }
        entry_read(page_entry(page, i), &entry);
        int error = change_entry(call, masks, walk, &entry, &changed);
        if (error)
            return error;
        if (changed) {
            entry.modseq = change->modseq;
            entry_write(&entry, page_entry(page, i));
            *page_changed = true;
        }
    }
    return 0;
}

static int change_pages(struct change *change, struct mailbox *mailbox,
                        const struct flags_call *call, struct flags_walk *walk, bool *any)
{
    struct flag_masks masks;
    int error = make_masks(mailbox, call, &masks);
    if (!error)
        error = mailbox_load_pages(mailbox);
    for (size_t i = 0; i < mailbox_page_count(mailbox) && !error; i++) {
        struct page_header *header = mailbox_page(mailbox, i);
        bool changed = false;
        if (!range_walk_meets(&walk->uids, header->first, header->last)) {
            seen_pass(&walk->edits, 0);
            continue;
        }
        error = mailbox_read_page(mailbox, header, &walk->page);
        if (!error)
            error = change_page(change, call, &masks, walk, &changed);
        if (!error && changed)
            error = mailbox_write_page(change, mailbox, header, &walk->page);
        *any = *any || changed;
    }
    return error;
}

static int change_mailbox(struct change *change, struct mailbox *mailbox,
                          const struct flags_call *call)
{
    struct flags_walk walk = {.uids = {call->uids, 0}};
    bool any = false;
    buffer_init(&walk.page, PAGE_VALUE_MAXIMUM);
    seen_init(&walk.seen);
    seen_edits_init(&walk.edits);
    int error = call->whose == SEEN_OWN
                    ? seen_load(change->transaction, call->id, call->who, &walk.seen)
                    : 0;
    if (!error)
        error = change_pages(change, mailbox, call, &walk, &any);
    any = any || walk.edits.ranges.size;
    if (!error && call->whose == SEEN_OWN)
        error = seen_write(change, call->id, call->who, &walk.seen, &walk.edits);
    if (!error && any)
        error = mailbox_finish(change, mailbox);
    buffer_release(&walk.page);
    seen_release(&walk.seen);
    seen_edits_release(&walk.edits);
    return error;
}

/* ERROR_DENIED when who may set none of them. */
static int find_allowed(const struct change *change, struct flags_call *call)
{
    uint32_t rights;
    int error = view_require(change->view, change->transaction, call->id, RIGHT_LOOKUP);
    if (!error)
        error = rights_of(change->view, change->transaction, call->id, &rights);
    if (error)
        return error;
    call->allowed = flags_allowed(rights);
    call->whose = seen_whose(change->view, &call->who);
    if (call->whose == SEEN_NOBODYS)
        call->allowed &= ~(uint32_t)ENTRY_SEEN;
    /* Replacing concerns every flag. */
    bool replaces = call->change->operation == FLAGS_REPLACE;
    uint32_t wanted = replaces ? ENTRY_FLAGS : call->change->flags;
    wanted |= call->change->keyword_count ? ENTRY_FLAGGED : 0;
    return wanted && !(wanted & call->allowed) ? ERROR_DENIED : 0;
}

static int change_flags(struct change *change, void *arg)
{
    struct flags_call *call = arg;
    struct mailbox mailbox;
    if (call->failed)
        range_set_clear(call->failed);
    if (call->change->differences)
        buffer_truncate(call->change->differences, call->told);
    int error = find_allowed(change, call);
    if (!error)
        error = mailbox_open(change->transaction, call->id, &mailbox);
    if (error)
        return error;
    call->tells = call->change->differences &&
                  (call->change->differences_always || mailbox_has_events(change, &mailbox));
    error = change_mailbox(change, &mailbox, call);
    call->modseq = mailbox.record.highest_modseq;
    mailbox_release(&mailbox);
    return error;
}

int mailbox_change_flags(struct store_view *view, collection_id mailbox,
                         const struct range_set *uids, const struct flag_change *change,
                         uint64_t *modseq, struct range_set *failed)
{
    struct flags_call call = {.id = mailbox, .uids = uids, .change = change, .failed = failed};
    call.told = change->differences ? change->differences->size : 0;
    int error = view_change(view, KV_RELAXED, change_flags, &call);
    if (!error)
        *modseq = call.modseq;
    return error;
}
