#include "base/error.h"
#include "store/annotation_priv.h"
#include "store/snapshot_priv.h"

enum { TAIL_SIZES = 6 /* in front of a packed annotation */ };

/* Room for all of a message's, of many users. */
enum { PACKED_MAXIMUM = 256 * 1024 * 1024 };

/* --- packing --- */

static int pack_one(struct buffer *packed, struct slice tail, struct slice value)
{
    uint16_t tail_size = htole16((uint16_t)tail.size);
    char size[4];
    store_u32(size, (uint32_t)value.size);
    buffer_append(packed, slice_make(&tail_size, sizeof(tail_size)));
    buffer_append(packed, slice_make(size, sizeof(size)));
    buffer_append(packed, tail);
    return buffer_append(packed, value);
}

int annotations_pack(struct kv_transaction *transaction, collection_id collection, uint32_t uid,
                     struct buffer *packed)
{
    struct key prefix;
    struct kv_cursor *cursor;
    struct slice key, value, bytes;
    int error =
        kv_cursor_open(transaction, key_annotations(&prefix, collection, uid), SLICE(""), &cursor);
    if (error)
        return error;
    while (!(error = kv_cursor_next(cursor, &key, &value))) {
        error = annotation_record_read(value, &bytes);
        if (!error)
            error = pack_one(packed, slice_sub(key, prefix.size, SIZE_MAX), bytes);
        if (error)
            break;
    }
    kv_cursor_close(&cursor);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

struct packed_annotation {
    struct slice bytes; /* of the key behind its numbers */
    struct annotation_tail tail;
    struct slice value;
};

/* Takes the next one off. ERROR_NOT_FOUND: there is none; ERROR_CORRUPT. */
static int next_packed(struct slice *rest, struct packed_annotation *next)
{
    if (!rest->size)
        return ERROR_NOT_FOUND;
    if (rest->size < TAIL_SIZES)
        return ERROR_CORRUPT;
    uint16_t tail_size;
    memcpy(&tail_size, rest->data, sizeof(tail_size));
    size_t tail = le16toh(tail_size), value = load_u32(rest->data + 2);
    if (tail + value > rest->size - TAIL_SIZES)
        return ERROR_CORRUPT;
    next->bytes = slice_sub(*rest, TAIL_SIZES, tail);
    next->value = slice_sub(*rest, TAIL_SIZES + tail, value);
    *rest = slice_sub(*rest, TAIL_SIZES + tail + value, SIZE_MAX);
    return annotation_tail_read(next->bytes, &next->tail);
}

static int put_packed(struct change *change, collection_id collection, uint32_t uid,
                      const struct packed_annotation *annotation)
{
    struct key key;
    annotation_record_write(annotation->value, &change->value);
    return change_put(change, key_annotation_tail(&key, collection, uid, annotation->bytes),
                      &change->value);
}

static bool goes_along(const struct annotation_rule *rule, const struct annotation_tail *tail)
{
    char text[ACCOUNT_ID_TEXT + 1];
    if (!tail->owner.size)
        return rule->shared;
    if (rule->everybodys || !rule->who)
        return rule->everybodys;
    account_id_format(*rule->who, text);
    return slice_equal(tail->owner, slice_make(text, ACCOUNT_ID_TEXT));
}

int annotations_unpack(struct change *change, struct mailbox *mailbox, uint32_t uid,
                       struct slice packed, const struct annotation_rule *rule)
{
    struct packed_annotation next;
    int error;
    while (!(error = next_packed(&packed, &next))) {
        uint64_t size = annotation_size(next.tail.name, next.value);
        if (!goes_along(rule, &next.tail))
            continue;
        error = rule->quota ? quota_require(change, QUOTA_ANNOTATION_STORAGE, size) : 0;
        if (!error)
            error = put_packed(change, mailbox->id, uid, &next);
        if (error)
            return error;
        change->account.annotation_bytes += size;
        mailbox->record.annotation_bytes += size;
        mailbox->record.flags |= COLLECTION_HAS_ANNOTATIONS;
    }
    return error == ERROR_NOT_FOUND ? 0 : error;
}

static int delete_packed(struct change *change, collection_id collection, uint32_t uid,
                         struct slice packed)
{
    struct key key;
    struct packed_annotation next;
    int error;
    while (!(error = next_packed(&packed, &next))) {
        error = change_delete(change, key_annotation_tail(&key, collection, uid, next.bytes));
        if (error)
            return error;
    }
    return error == ERROR_NOT_FOUND ? 0 : error;
}

static void uncount(struct change *change, struct mailbox *mailbox, struct slice packed)
{
    struct packed_annotation next;
    while (!next_packed(&packed, &next)) {
        uint64_t size = annotation_size(next.tail.name, next.value);
        change->account.annotation_bytes -= size;
        mailbox->record.annotation_bytes -= size;
    }
}

/* --- entries that go somewhere --- */

static bool has_annotations(const struct mailbox *mailbox)
{
    return mailbox->record.flags & COLLECTION_HAS_ANNOTATIONS;
}

int annotations_transfer(struct change *change, struct mailbox *from, uint32_t from_uid,
                         struct mailbox *to, uint32_t to_uid, enum annotation_transfer how,
                         const struct annotation_rule *rule)
{
    struct buffer packed;
    if (!has_annotations(from))
        return 0;
    buffer_init(&packed, PACKED_MAXIMUM);
    int error = annotations_pack(change->transaction, from->id, from_uid, &packed);
    if (!error && how == ANNOTATIONS_MOVE)
        uncount(change, from, buffer_slice(&packed));
    if (!error && how != ANNOTATIONS_COPY)
        error = delete_packed(change, from->id, from_uid, buffer_slice(&packed));
    if (!error && how == ANNOTATIONS_MOVE)
        error = annotations_forget_changes(change, from->id, from_uid);
    if (!error)
        error = annotations_unpack(change, to, to_uid, buffer_slice(&packed), rule);
    buffer_release(&packed);
    return error;
}

int annotations_retain(struct change *change, struct mailbox *mailbox, uint32_t uid)
{
    struct buffer packed;
    if (!has_annotations(mailbox))
        return 0;
    buffer_init(&packed, PACKED_MAXIMUM);
    int error = annotations_pack(change->transaction, mailbox->id, uid, &packed);
    if (!error)
        uncount(change, mailbox, buffer_slice(&packed));
    if (!error)
        error = annotations_forget_changes(change, mailbox->id, uid);
    buffer_release(&packed);
    return error;
}

int annotations_purge(struct change *change, collection_id collection, uint32_t uid)
{
    struct key key;
    int error = change_delete_all(change, key_annotations(&key, collection, uid));
    return error ? error : annotations_forget_changes(change, collection, uid);
}

/* --- reading --- */

int message_annotations_list(struct mailbox_snapshot *snapshot, uint32_t uid, struct arena *arena,
                             struct annotation **list, size_t *count)
{
    const struct store_view *view = snapshot->view;
    struct account_id id;
    *count = 0;
    if (!uid || !has_annotations(&snapshot->mailbox))
        return 0;
    return annotations_read(snapshot->transaction, snapshot->mailbox.id, uid,
                            annotations_private_of(view, &id), arena, list, count);
}

/* --- changing --- */

struct set_call {
    collection_id id;
    const struct range_set *uids;
    const struct annotation *list;
    size_t count;
    uint64_t unchanged_since;
    uint64_t modseq;
    struct range_set *failed;
};

static int put_all(struct change *change, struct mailbox *mailbox, uint32_t uid,
                   const struct annotation *list, size_t count, bool notes, bool *changed)
{
    struct account_id id;
    const struct account_id *who = annotations_private_of(change->view, &id);
    int64_t difference = 0;
    int error = 0;
    *changed = false;
    for (size_t i = 0; i < count && !error; i++) {
        bool one = false;
        error = annotation_put(change, mailbox->id, uid, who, &list[i], &difference, &one);
        if (!error && one && notes)
            error =
                annotations_note(change, mailbox->id, uid,
                                 list[i].scope == ANNOTATION_PRIVATE ? who : NULL, list[i].name);
        *changed |= one;
    }
    mailbox->record.annotation_bytes += (uint64_t)difference;
    mailbox->record.flags |= *changed ? COLLECTION_HAS_ANNOTATIONS : 0;
    return error;
}

int annotations_add(struct change *change, struct mailbox *mailbox, uint32_t uid,
                    const struct annotation *list, size_t count, bool *changed)
{
    return put_all(change, mailbox, uid, list, count, false, changed);
}

int annotations_change(struct change *change, struct mailbox *mailbox, uint32_t uid,
                       const struct annotation *list, size_t count, bool *changed)
{
    return put_all(change, mailbox, uid, list, count, true, changed);
}

static int set_page(struct change *change, struct mailbox *mailbox, const struct set_call *call,
                    struct range_walk *walk, struct buffer *page, bool *page_changed)
{
    size_t count = (page->size - PAGE_VALUE_HEADER) / ENTRY_SIZE;
    int error = 0;
    for (size_t i = 0; i < count && !error; i++) {
        struct entry entry;
        bool changed = false;
        entry_read(page_entry(page, i), &entry);
        if (!range_walk_meets(walk, entry.uid, entry.uid))
            continue;
        if (entry.modseq > call->unchanged_since)
            error = call->failed ? range_set_add(call->failed, entry.uid, entry.uid) : 0;
        else
            error =
                annotations_change(change, mailbox, entry.uid, call->list, call->count, &changed);
        entry.modseq = changed ? change->modseq : entry.modseq;
        if (changed)
            entry_write(&entry, page_entry(page, i));
        *page_changed = *page_changed || changed;
    }
    return error;
}

static int set_pages(struct change *change, struct mailbox *mailbox, const struct set_call *call,
                     struct buffer *page, bool *any)
{
    struct range_walk walk = {call->uids, 0};
    int error = mailbox_load_pages(mailbox);
    for (size_t i = 0; i < mailbox_page_count(mailbox) && !error; i++) {
        struct page_header *header = mailbox_page(mailbox, i);
        bool changed = false;
        if (!range_walk_meets(&walk, header->first, header->last))
            continue;
        error = mailbox_read_page(mailbox, header, page);
        if (!error)
            error = set_page(change, mailbox, call, &walk, page, &changed);
        if (!error && changed)
            error = mailbox_write_page(change, mailbox, header, page);
        *any = *any || changed;
    }
    return error;
}

/* RFC 5257 section 3.4. */
int annotations_require(const struct change *change, collection_id mailbox,
                        const struct annotation *list, size_t count)
{
    const struct store_view *view = change->view;
    struct account_id id;
    int error = count ? view_require(view, change->transaction, mailbox, RIGHT_READ) : 0;
    for (size_t i = 0; i < count && !error; i++)
        if (list[i].scope == ANNOTATION_SHARED)
            error = view_require(view, change->transaction, mailbox, RIGHT_ANNOTATE);
        else if (!annotations_private_of(view, &id))
            error = ERROR_DENIED;
    return error ? error : annotations_validate(list, count, true);
}

static int set_all(struct change *change, void *arg)
{
    struct set_call *call = arg;
    struct mailbox mailbox;
    struct buffer page;
    bool any = false;
    if (call->failed)
        range_set_clear(call->failed);
    int error = view_require(change->view, change->transaction, call->id, RIGHT_READ);
    if (!error)
        error = annotations_require(change, call->id, call->list, call->count);
    if (!error)
        error = mailbox_open(change->transaction, call->id, &mailbox);
    if (error)
        return error;
    buffer_init(&page, PAGE_VALUE_MAXIMUM);
    error = set_pages(change, &mailbox, call, &page, &any);
    if (!error && any)
        error = mailbox_finish(change, &mailbox);
    call->modseq = mailbox.record.highest_modseq;
    buffer_release(&page);
    mailbox_release(&mailbox);
    return error;
}

int message_annotations_set(struct store_view *view, collection_id mailbox,
                            const struct range_set *uids, const struct annotation *list,
                            size_t count, uint64_t unchanged_since, uint64_t *modseq,
                            struct range_set *failed)
{
    struct set_call call = {.id = mailbox,
                            .uids = uids,
                            .list = list,
                            .count = count,
                            .unchanged_since = unchanged_since,
                            .failed = failed};
    int error = view_change(view, KV_DURABLE, set_all, &call);
    if (!error)
        *modseq = call.modseq;
    return error;
}
