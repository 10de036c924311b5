/*
 * A slice of the change log: every touch of a collection or an email behind the cursor is gathered,
 * of which the smallest are kept; then each is told by what has become of the thing.
 *
 * Where touches are:
 *
 *     collection   its record's modseqs; a tombstone x
 *     email        its entries; records e; pages of a deleted collection, touched when it was
 *                  deleted; pages of one that was restored, touched when it was restored;
 *                  a tombstone x, which a purge or a merge of threads has left
 *     thread       those of its emails
 */
#include "store/changes.h"
#include "base/error.h"
#include "store/acl_priv.h"
#include "store/retained_priv.h"
#include "store/seen_priv.h"
#include "store/thread_priv.h"

#include <stdlib.h>

struct touch {
    uint64_t modseq;
    uint32_t kind;
    uint8_t type;    /* of a destroyed collection */
    uint64_t number; /* of a thread's touch, too, the email's */
    uint64_t thread; /* of an email that has gone */
    bool old;        /* of an email: it was in that mailbox at the reader's `since` */
};

/* A collection that is there, and that who may look up. */
struct live_collection {
    collection_id id;
    bool readable;
    struct collection_record record; /* without its name */
};

/* What has become of the threads asked for last: each is asked for again with its next email. */
enum { THREADS_KNOWN = 256 };
struct known_thread {
    uint64_t thread; /* 0: nothing */
    enum change_action action;
};

struct gathering {
    struct store_view *view;
    struct kv_transaction *transaction;
    struct changes_cursor cursor;
    struct account_record account;
    uint32_t types;
    uint64_t after; /* all changes up to this modseq have been told */
    size_t wanted;
    size_t capacity;
    struct touch *touches;
    size_t count;
    bool cut; /* some behind the last of the `wanted` were left out: */
    struct touch last;
    struct rights_table rights;
    struct live_collection *live; /* by id */
    size_t live_count;
    struct known_thread known[THREADS_KNOWN];
    struct buffer value;
};

/* --- the smallest touches --- */

static int compare_touches(const void *a, const void *b)
{
    const struct touch *left = a, *right = b;
    if (left->modseq != right->modseq)
        return left->modseq < right->modseq ? -1 : 1;
    if (left->kind != right->kind)
        return left->kind < right->kind ? -1 : 1;
    return (left->number > right->number) - (left->number < right->number);
}

/* Sorts, makes equal ones one, and leaves those that are wanted. */
static void compact(struct gathering *gathering)
{
    struct touch *touches = gathering->touches;
    size_t kept = 0;
    if (gathering->count)
        qsort(touches, gathering->count, sizeof(*touches), compare_touches);
    for (size_t i = 0; i < gathering->count; i++) {
        if (!kept || compare_touches(&touches[kept - 1], &touches[i]) != 0)
            touches[kept++] = touches[i];
        else
            touches[kept - 1].old |= touches[i].old;
    }
    if (kept > gathering->wanted) {
        kept = gathering->wanted;
        gathering->cut = true;
        gathering->last = touches[kept - 1];
    }
    gathering->count = kept;
}

/* Whether a touch with this modseq may be wanted. */
static bool may_matter(const struct gathering *gathering, uint64_t modseq)
{
    return modseq > gathering->after && (!gathering->cut || modseq <= gathering->last.modseq);
}

static void add(struct gathering *gathering, struct touch touch)
{
    const struct touch done = {.modseq = gathering->cursor.modseq,
                               .kind = gathering->cursor.kind,
                               .number = gathering->cursor.number};
    if (!may_matter(gathering, touch.modseq) || compare_touches(&touch, &done) <= 0 ||
        (gathering->cut && compare_touches(&touch, &gathering->last) > 0))
        return;
    gathering->touches[gathering->count++] = touch;
    if (gathering->count == gathering->capacity)
        compact(gathering);
}

static void add_email(struct gathering *gathering, struct touch touch)
{
    touch.kind = CHANGE_EMAIL;
    if (gathering->types & CHANGES_EMAILS)
        add(gathering, touch);
    touch.kind = CHANGE_THREAD;
    if (gathering->types & CHANGES_THREADS)
        add(gathering, touch);
}

static bool wants_emails(const struct gathering *gathering)
{
    return gathering->types & (CHANGES_EMAILS | CHANGES_THREADS);
}

/* --- collections that are there --- */

static struct live_collection *next_live(struct gathering *gathering, size_t *capacity)
{
    if (gathering->live_count == *capacity) {
        size_t more = *capacity ? 2 * *capacity : 32;
        struct live_collection *live = reallocarray(gathering->live, more, sizeof(*live));
        if (!live)
            return NULL;
        gathering->live = live;
        *capacity = more;
    }
    return &gathering->live[gathering->live_count++];
}

static int load_live(struct gathering *gathering)
{
    struct kv_cursor *cursor;
    struct slice key, value;
    size_t capacity = 0;
    int error = rights_table_load(gathering->view, gathering->transaction, &gathering->rights);
    if (!error)
        error = kv_cursor_open(gathering->transaction, SLICE("c"), SLICE(""), &cursor);
    if (error)
        return error;
    while (!(error = kv_cursor_next(cursor, &key, &value))) {
        uint64_t id;
        struct collection_record record;
        key = slice_sub(key, 1, SIZE_MAX);
        error = key_read_number(&key, &id);
        if (!error)
            error = collection_record_read(value, &record);
        if (error)
            break;
        record.name = (struct slice){NULL, 0};
        uint32_t rights = rights_table_at(&gathering->rights, (collection_id)id);
        if (!(rights & RIGHT_LOOKUP))
            continue;
        struct live_collection *live = next_live(gathering, &capacity);
        if (!live) {
            error = ERROR_MEMORY;
            break;
        }
        *live = (struct live_collection){
            .id = (collection_id)id, .readable = rights & RIGHT_READ, .record = record};
    }
    kv_cursor_close(&cursor);
    if (error != ERROR_NOT_FOUND)
        return error;
    /* Who sees something of the account may know that it changes. */
    return gathering->live_count
               ? 0
               : view_require(gathering->view, gathering->transaction, 0, RIGHT_READ);
}

static int compare_live(const void *a, const void *b)
{
    collection_id left = ((const struct live_collection *)a)->id;
    collection_id right = ((const struct live_collection *)b)->id;
    return (left > right) - (left < right);
}

static const struct live_collection *find_live(const struct gathering *gathering, uint64_t id)
{
    struct live_collection wanted = {.id = (collection_id)id};
    if (id > UINT32_MAX || !gathering->live_count)
        return NULL;
    return bsearch(&wanted, gathering->live, gathering->live_count, sizeof(wanted), compare_live);
}

/* A number for what who might do when the reader knew everything up to `since`, as far as that can
 * be told now; 0: everything. Collections that were made later do not count, deleted ones do. So it
 * stays the same as long as no list, no group and nothing that is retained has changed. */
static uint64_t rights_at(const struct gathering *gathering, uint64_t since)
{
    const struct buffer *named = &gathering->rights.named;
    uint64_t sum = 14695981039346656037ULL; /* FNV-1a */
    if (gathering->rights.all)
        return 0;
    for (size_t at = 0; at < named->size; at += sizeof(struct collection_rights)) {
        struct collection_rights item;
        memcpy(&item, named->data + at, sizeof(item));
        const struct live_collection *live = find_live(gathering, item.id);
        if (live && live->record.created_modseq > since)
            continue;
        sum = (sum ^ item.id) * 1099511628211ULL;
        sum = (sum ^ item.rights) * 1099511628211ULL;
    }
    return sum | 1;
}

static uint64_t last_change(const struct collection_record *record)
{
    uint64_t modseq = record->highest_modseq;
    modseq = modseq > record->changed_modseq ? modseq : record->changed_modseq;
    return modseq > record->annotation_modseq ? modseq : record->annotation_modseq;
}

/* --- emails --- */

/* Entries of a page, each touched with its own modseq, but not before `least`. seen: NULL, or what
 * who has seen of them. */
static void gather_entries(struct gathering *gathering, struct slice entries, uint64_t least,
                           const struct seen_map *seen)
{
    for (; entries.size >= ENTRY_SIZE; entries = slice_sub(entries, ENTRY_SIZE, SIZE_MAX)) {
        struct entry entry;
        entry_read(entries.data, &entry);
        if (seen)
            seen_apply(seen, &entry);
        add_email(gathering, (struct touch){
                                 .modseq = entry.modseq > least ? entry.modseq : least,
                                 .number = entry.message,
                                 .old = entry.created_modseq <= gathering->cursor.since,
                             });
    }
}

/* Of a mailbox that is there: the pages with a change, or all when it was restored since. */
static int gather_pages(struct gathering *gathering, const struct live_collection *live,
                        const struct seen_map *seen)
{
    struct mailbox mailbox;
    bool restored = live->record.created_modseq > gathering->after;
    int error = mailbox_open(gathering->transaction, live->id, &mailbox);
    if (error)
        return error;
    error = mailbox_load_pages(&mailbox);
    for (size_t i = 0; i < mailbox_page_count(&mailbox) && !error; i++) {
        const struct page_header *header = mailbox_page(&mailbox, i);
        if (!restored && header->modseq <= gathering->after &&
            !(seen && seen_changed(seen, header->first, header->last, gathering->after)))
            continue;
        error = mailbox_read_page(&mailbox, header, &gathering->value);
        if (!error)
            gather_entries(gathering,
                           slice_sub(buffer_slice(&gathering->value), PAGE_VALUE_HEADER, SIZE_MAX),
                           live->record.created_modseq, seen);
    }
    mailbox_release(&mailbox);
    return error;
}

static int gather_mailbox(struct gathering *gathering, const struct live_collection *live)
{
    struct seen_map seen;
    bool own;
    seen_init(&seen);
    int error = seen_load_view(gathering->view, gathering->transaction, live->id, &seen, &own);
    if (!error)
        error = gather_pages(gathering, live, own ? &seen : NULL);
    seen_release(&seen);
    return error;
}

/* Calls fn for each record of a family behind the cursor: those of the collection, or of the
 * account (collection 0). numbers: modseq and the one behind it. */
static int
each_record(struct gathering *gathering, enum key_family family, collection_id collection,
            int (*fn)(struct gathering *gathering, const uint64_t numbers[3], struct slice value))
{
    struct key prefix, start;
    struct kv_cursor *cursor;
    struct slice key, value;
    size_t count = collection != 0;
    uint64_t first[] = {collection, gathering->after + 1};
    int error = kv_cursor_open(
        gathering->transaction, key_numbers(&prefix, family, count, first),
        key_numbers(&start, family, count + 1, collection ? first : first + 1), &cursor);
    if (error)
        return error;
    while (!(error = kv_cursor_next(cursor, &key, &value))) {
        uint64_t numbers[3] = {0};
        key = slice_sub(key, prefix.size, SIZE_MAX);
        for (size_t i = 0; i < 3 - count && !error; i++)
            error = key_read_number(&key, &numbers[i]);
        if (!error && !may_matter(gathering, numbers[0]))
            error = ERROR_NOT_FOUND; /* nor do those behind it */
        if (!error)
            error = fn(gathering, numbers, value);
        if (error)
            break;
    }
    kv_cursor_close(&cursor);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

static int gather_expunged(struct gathering *gathering, const uint64_t numbers[3],
                           struct slice value)
{
    struct expunged_record record;
    int error = expunged_record_read(value, &record);
    if (!error)
        gather_entries(gathering, record.entries, numbers[0], NULL);
    return error;
}

static int gather_live(struct gathering *gathering, const struct live_collection *live)
{
    const struct collection_record *record = &live->record;
    if (gathering->types & CHANGES_COLLECTIONS(record->type))
        add(gathering, (struct touch){.modseq = last_change(record),
                                      .kind = CHANGE_COLLECTION,
                                      .number = live->id,
                                      .type = record->type});
    if (!wants_emails(gathering) || record->type != COLLECTION_MAILBOX || !live->readable ||
        record->highest_modseq <= gathering->after)
        return 0;
    int error = gather_mailbox(gathering, live);
    return error ? error : each_record(gathering, KEY_EXPUNGED, live->id, gather_expunged);
}

/* Its emails were touched when it was deleted. */
static int gather_deleted_pages(struct gathering *gathering, collection_id id, uint64_t modseq)
{
    struct key prefix;
    struct kv_cursor *cursor;
    struct slice key, value;
    int error = kv_cursor_open(gathering->transaction, key_of_collection(&prefix, KEY_PAGE, id),
                               SLICE(""), &cursor);
    if (error)
        return error;
    while (!(error = kv_cursor_next(cursor, &key, &value)))
        gather_entries(gathering, slice_sub(value, PAGE_VALUE_HEADER, SIZE_MAX), modseq, NULL);
    kv_cursor_close(&cursor);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

static int gather_deleted(struct gathering *gathering)
{
    struct deleted_record deleted;
    struct buffer value;
    collection_id id = 0;
    int error = 0;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    while (!error && !(error = deleted_next(gathering->transaction, &id, &value, &deleted))) {
        const struct collection_record *record = &deleted.record;
        if (record->type != COLLECTION_MAILBOX || deleted.modseq <= gathering->after ||
            !(rights_table_at(&gathering->rights, id) & RIGHT_READ))
            continue;
        if (may_matter(gathering, deleted.modseq))
            error = gather_deleted_pages(gathering, id, deleted.modseq);
        if (!error)
            error = each_record(gathering, KEY_EXPUNGED, id, gather_expunged);
    }
    buffer_release(&value);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

/* Whether who may hear of what was destroyed. Of emails that went into another thread no mailbox is
 * known: their numbers tell nobody anything. */
static bool may_hear(const struct gathering *gathering, const uint64_t numbers[3])
{
    bool of_messages = numbers[1] == DESTROYED_MESSAGE;
    uint64_t collection = of_messages ? numbers[2] >> 32 : numbers[2];
    return !collection || rights_table_at(&gathering->rights, (collection_id)collection) &
                              (of_messages ? RIGHT_READ : RIGHT_LOOKUP);
}

static int gather_tombstone(struct gathering *gathering, const uint64_t numbers[3],
                            struct slice value)
{
    struct slice messages;
    uint64_t number = 0;
    bool of_messages = numbers[1] == DESTROYED_MESSAGE;
    if (!may_hear(gathering, numbers))
        return 0;
    int error =
        of_messages ? messages_record_read(value, &messages) : number_record_read(value, &number);
    if (error)
        return error;
    if (of_messages)
        for (; messages.size; messages = slice_sub(messages, MESSAGE_NUMBERS_SIZE, SIZE_MAX))
            add_email(gathering, (struct touch){.modseq = numbers[0],
                                                .number = load_u64(messages.data),
                                                .thread = load_u64(messages.data + 8)});
    if (numbers[1] == DESTROYED_COLLECTION && number < 16 &&
        gathering->types & CHANGES_COLLECTIONS(number))
        add(gathering, (struct touch){.modseq = numbers[0],
                                      .kind = CHANGE_COLLECTION,
                                      .number = numbers[2],
                                      .type = (uint8_t)number});
    return 0;
}

static int gather(struct gathering *gathering)
{
    int error = 0;
    for (size_t i = 0; i < gathering->live_count && !error; i++)
        error = gather_live(gathering, &gathering->live[i]);
    if (!error && wants_emails(gathering))
        error = gather_deleted(gathering);
    if (!error)
        error = each_record(gathering, KEY_DESTROYED, 0, gather_tombstone);
    if (!error)
        compact(gathering);
    return error;
}

/* --- what has become of it --- */

static void tell_collection(const struct gathering *gathering, const struct touch *touch,
                            struct changed *changed)
{
    const struct live_collection *live = find_live(gathering, touch->number);
    uint64_t since = gathering->cursor.since;
    changed->type = touch->type;
    if (!live || live->record.created_modseq > touch->modseq) {
        changed->action = CHANGE_DESTROYED;
    } else if (live->record.created_modseq > since) {
        changed->action = CHANGE_CREATED;
    } else {
        changed->action = CHANGE_UPDATED;
        changed->counts_only =
            live->record.changed_modseq <= since && live->record.annotation_modseq <= since;
    }
}

/* Whether it is in a mailbox that who may read. */
static bool is_live(const struct gathering *gathering, const struct message_record *record)
{
    bool found = false;
    for (size_t i = 0; i < message_places(record) && !found; i++) {
        const struct live_collection *live =
            find_live(gathering, message_place_at(record, i).collection);
        found = live && live->readable && live->record.type == COLLECTION_MAILBOX;
    }
    return found;
}

/* Whether the reader may not know an email that is there now. An email that came back with its
 * whole mailbox says nothing of that itself: after such a return all are taken for new. To who may
 * not read all mailboxes one is new that came from another; old: it did not. */
static bool is_new(const struct gathering *gathering, const struct message_record *record, bool old)
{
    uint64_t since = gathering->cursor.since;
    return record->created_modseq > since || gathering->account.restored_modseq > since ||
           (!gathering->rights.all && !old);
}

/* ERROR_NOT_FOUND: it has gone for good. The record points into gathering->value. */
static int read_email(struct gathering *gathering, uint64_t number, struct message_record *record)
{
    struct key key;
    int error = value_get(gathering->transaction, key_of_message(&key, KEY_MESSAGE, number),
                          &gathering->value);
    return error ? error : message_record_read(buffer_slice(&gathering->value), record);
}

static int tell_email(struct gathering *gathering, const struct touch *touch,
                      struct changed *changed)
{
    struct message_record record;
    changed->action = CHANGE_DESTROYED;
    changed->thread = touch->thread;
    int error = read_email(gathering, touch->number, &record);
    if (error)
        return error == ERROR_NOT_FOUND ? 0 : error;
    changed->thread = record.thread;
    if (is_live(gathering, &record) && record.created_modseq <= touch->modseq)
        changed->action = is_new(gathering, &record, touch->old) ? CHANGE_CREATED : CHANGE_UPDATED;
    return 0;
}

/* --- threads --- */

/* One email of it that the reader knew is enough. */
static int find_action(struct gathering *gathering, uint64_t thread, enum change_action *action)
{
    uint64_t message = 0;
    int error = 0;
    *action = CHANGE_DESTROYED;
    while (!error && *action != CHANGE_UPDATED) {
        struct message_record record;
        error = thread_next(gathering->transaction, thread, &message, NULL, NULL);
        if (!error)
            error = read_email(gathering, message, &record);
        if (!error && is_live(gathering, &record))
            *action = is_new(gathering, &record, false) ? CHANGE_CREATED : CHANGE_UPDATED;
    }
    return error == ERROR_NOT_FOUND ? 0 : error;
}

/* Of an email that was created or destroyed. *told: false otherwise. */
static int tell_thread(struct gathering *gathering, const struct touch *touch,
                       struct changed *changed, bool *told)
{
    int error = tell_email(gathering, touch, changed);
    changed->number = changed->thread;
    *told = !error && changed->action != CHANGE_UPDATED && changed->number;
    if (!*told)
        return error;
    struct known_thread *known = &gathering->known[changed->number % THREADS_KNOWN];
    if (known->thread != changed->number) {
        known->thread = 0;
        error = find_action(gathering, changed->number, &known->action);
        if (error)
            return error;
        known->thread = changed->number;
    }
    changed->action = known->action;
    return 0;
}

static int tell(struct gathering *gathering, const struct touch *touch, struct changed *changed,
                bool *told)
{
    *changed = (struct changed){
        .kind = (enum change_kind)touch->kind, .number = touch->number, .modseq = touch->modseq};
    *told = true;
    if (touch->kind == CHANGE_EMAIL)
        return tell_email(gathering, touch, changed);
    if (touch->kind == CHANGE_THREAD)
        return tell_thread(gathering, touch, changed, told);
    tell_collection(gathering, touch, changed);
    return 0;
}

/* --- several touches of one thing --- */

static int compare_things(const void *a, const void *b)
{
    const struct changed *left = a, *right = b;
    if (left->kind != right->kind)
        return left->kind < right->kind ? -1 : 1;
    if (left->number != right->number)
        return left->number < right->number ? -1 : 1;
    return (left->modseq > right->modseq) - (left->modseq < right->modseq);
}

static int compare_modseqs(const void *a, const void *b)
{
    const struct changed *left = a, *right = b;
    if (left->modseq != right->modseq)
        return left->modseq < right->modseq ? -1 : 1;
    return compare_things(a, b);
}

/* The last one is told, but what the reader does not know is created. */
static size_t merge(struct changed *list, size_t count)
{
    size_t kept = 0;
    if (count)
        qsort(list, count, sizeof(*list), compare_things);
    for (size_t i = 0; i < count; i++) {
        struct changed *last = kept ? &list[kept - 1] : NULL;
        if (last && last->kind == list[i].kind && last->number == list[i].number) {
            bool created = last->action == CHANGE_CREATED && list[i].action == CHANGE_UPDATED;
            *last = list[i];
            last->action = created ? CHANGE_CREATED : last->action;
        } else {
            list[kept++] = list[i];
        }
    }
    if (kept)
        qsort(list, kept, sizeof(*list), compare_modseqs);
    return kept;
}

/* --- a slice --- */

static int read_account(struct kv_transaction *transaction, struct account_record *account)
{
    struct key key;
    struct buffer value;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    int error = kv_get(transaction, key_account(&key), &value);
    if (!error)
        error = account_record_read(buffer_slice(&value), account);
    buffer_release(&value);
    return error;
}

static struct changes_cursor cursor_now(const struct gathering *gathering)
{
    struct changes_cursor cursor = changes_since(gathering->account.modseq);
    cursor.rights = rights_at(gathering, cursor.since);
    return cursor;
}

static void move_cursor(const struct gathering *gathering, struct changes_cursor *cursor)
{
    const struct touch *last = &gathering->last;
    if (gathering->cut)
        *cursor = (struct changes_cursor){cursor->since, last->modseq, last->kind, last->number,
                                          cursor->rights};
    else
        *cursor = cursor_now(gathering);
}

static int read_slice(struct gathering *gathering, struct changes_cursor *cursor,
                      struct arena *arena, struct changed **list, size_t *count)
{
    int error = load_live(gathering);
    if (!error)
        error = read_account(gathering->transaction, &gathering->account);
    if (!error && (gathering->after < gathering->account.destroyed_modseq ||
                   cursor->modseq > gathering->account.modseq ||
                   cursor->rights != rights_at(gathering, cursor->since)))
        error = ERROR_CANNOT_CALCULATE;
    if (!error)
        error = gather(gathering);
    if (error)
        return error;
    size_t told_count = 0;
    struct changed *told = arena_alloc_array(arena, gathering->count, sizeof(*told));
    if (!told)
        return ERROR_LIMIT;
    for (size_t i = 0; i < gathering->count && !error; i++) {
        bool is_told;
        error = tell(gathering, &gathering->touches[i], &told[told_count], &is_told);
        told_count += !error && is_told;
    }
    if (error)
        return error;
    *count = merge(told, told_count);
    *list = told;
    move_cursor(gathering, cursor);
    return 0;
}

int store_changes(struct store_view *view, struct changes_cursor *cursor, uint32_t types,
                  size_t limit, struct arena *arena, struct changed **list, size_t *count,
                  bool *more)
{
    struct gathering gathering = {.view = view,
                                  .cursor = *cursor,
                                  .types = types,
                                  .after = cursor->modseq - (cursor->kind != UINT32_MAX),
                                  .wanted = limit,
                                  .capacity = 2 * limit + 64};
    if (!limit || limit > CHANGES_MAXIMUM || cursor->since > cursor->modseq ||
        (!cursor->modseq && cursor->kind != UINT32_MAX))
        return ERROR_INVALID;
    gathering.touches = malloc(gathering.capacity * sizeof(*gathering.touches));
    if (!gathering.touches)
        return ERROR_MEMORY;
    buffer_init(&gathering.value, KV_VALUE_MAXIMUM);
    int error = view_read(view, &gathering.transaction);
    if (!error) {
        error = read_slice(&gathering, cursor, arena, list, count);
        view_read_end(view, &gathering.transaction);
    }
    if (!error)
        *more = gathering.cut;
    buffer_release(&gathering.value);
    rights_table_release(&gathering.rights);
    free(gathering.touches);
    free(gathering.live);
    return error;
}

int store_changes_now(struct store_view *view, struct changes_cursor *cursor)
{
    struct gathering gathering = {.view = view};
    int error = view_read(view, &gathering.transaction);
    if (error)
        return error;
    error = load_live(&gathering);
    if (!error)
        error = read_account(gathering.transaction, &gathering.account);
    view_read_end(view, &gathering.transaction);
    if (!error)
        *cursor = cursor_now(&gathering);
    rights_table_release(&gathering.rights);
    free(gathering.live);
    return error;
}

int store_modseq(struct store_view *view, uint64_t *modseq)
{
    struct changes_cursor cursor;
    int error = store_changes_now(view, &cursor);
    if (!error)
        *modseq = cursor.since;
    return error;
}
