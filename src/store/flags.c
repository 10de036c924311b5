#include "base/error.h"
#include "store/mailbox_priv.h"

struct flags_call {
    collection_id id;
    const struct range_set *uids;
    const struct flag_change *change;
    uint32_t allowed;
    uint64_t modseq;
    struct range_set *failed;
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

static int change_page(struct change *change, const struct flags_call *call,
                       const struct flag_masks *masks, struct range_walk *walk, struct buffer *page,
                       bool *page_changed)
{
    size_t count = (page->size - PAGE_VALUE_HEADER) / ENTRY_SIZE;
    struct entry entry;
    for (size_t i = 0; i < count; i++) {
        uint32_t uid = entry_read_uid(page_entry(page, i));
        if (!range_walk_meets(walk, uid, uid))
            continue;
        entry_read(page_entry(page, i), &entry);
        if (entry.modseq > call->change->unchanged_since) {
            int error = call->failed ? range_set_add(call->failed, entry.uid, entry.uid) : 0;
            if (error)
                return error;
        } else if (apply(masks, &entry)) {
            entry.modseq = change->modseq;
            entry_write(&entry, page_entry(page, i));
            *page_changed = true;
        }
    }
    return 0;
}

static int change_pages(struct change *change, struct mailbox *mailbox,
                        const struct flags_call *call, struct buffer *page, bool *any)
{
    struct flag_masks masks;
    struct range_walk walk = {call->uids, 0};
    int error = make_masks(mailbox, call, &masks);
    if (!error)
        error = mailbox_load_pages(mailbox);
    for (size_t i = 0; i < mailbox_page_count(mailbox) && !error; i++) {
        struct page_header *header = mailbox_page(mailbox, i);
        bool changed = false;
        if (!range_walk_meets(&walk, header->first, header->last))
            continue;
        error = mailbox_read_page(mailbox, header, page);
        if (!error)
            error = change_page(change, call, &masks, &walk, page, &changed);
        if (!error && changed)
            error = mailbox_write_page(change, mailbox, header, page);
        *any = *any || changed;
    }
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
    struct buffer page;
    bool any = false;
    if (call->failed)
        range_set_clear(call->failed);
    int error = find_allowed(change, call);
    if (!error)
        error = mailbox_open(change->transaction, call->id, &mailbox);
    if (error)
        return error;
    buffer_init(&page, PAGE_VALUE_MAXIMUM);
    error = change_pages(change, &mailbox, call, &page, &any);
    if (!error && any)
        error = mailbox_finish(change, &mailbox);
    call->modseq = mailbox.record.highest_modseq;
    buffer_release(&page);
    mailbox_release(&mailbox);
    return error;
}

int mailbox_change_flags(struct store_view *view, collection_id mailbox,
                         const struct range_set *uids, const struct flag_change *change,
                         uint64_t *modseq, struct range_set *failed)
{
    struct flags_call call = {.id = mailbox, .uids = uids, .change = change, .failed = failed};
    int error = view_change(view, KV_RELAXED, change_flags, &call);
    if (!error)
        *modseq = call.modseq;
    return error;
}
