#include "base/error.h"
#include "store/acl_priv.h"
#include "store/seen_priv.h"

enum {
    READERS_MAXIMUM = 100000, /* accounts with a record of one mailbox */
    EDITS_MAXIMUM = MAILBOX_PAGES_MAXIMUM * PAGE_ENTRIES,
};

/* --- maps --- */

void seen_init(struct seen_map *map)
{
    *map = (struct seen_map){0};
    /* Between two ranges of a change and of the record there may be one more. */
    buffer_init(&map->ranges, (size_t)EDITS_MAXIMUM * 3 * sizeof(struct seen_range));
}

void seen_release(struct seen_map *map)
{
    buffer_release(&map->ranges);
}

static size_t count_of(const struct buffer *ranges)
{
    return ranges->size / sizeof(struct seen_range);
}

static struct seen_range range_at(const struct buffer *ranges, size_t index)
{
    struct seen_range range;
    memcpy(&range, ranges->data + index * sizeof(range), sizeof(range));
    return range;
}

/* The first range that ends at uid or behind it. */
static size_t find(const struct buffer *ranges, uint32_t uid)
{
    size_t low = 0, high = count_of(ranges);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (range_at(ranges, middle).last < uid)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

enum seen_whose seen_whose(const struct store_view *view, struct account_id *who)
{
    if (view_is_owner(view))
        return SEEN_OWNERS;
    *who = view->who.account;
    return view->who.kind == WHO_KIND_ACCOUNT ? SEEN_OWN : SEEN_NOBODYS;
}

int seen_load(struct kv_transaction *transaction, collection_id collection, struct account_id who,
              struct seen_map *map)
{
    struct key key;
    struct buffer value;
    buffer_clear(&map->ranges);
    map->seen = 0;
    map->modseq = 0;
    buffer_init(&value, KV_VALUE_MAXIMUM);
    int error = kv_get(transaction, key_seen(&key, collection, &who), &value);
    if (!error)
        error = seen_record_read(buffer_slice(&value), &map->seen, &map->modseq, &map->ranges);
    buffer_release(&value);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

int seen_load_view(const struct store_view *view, struct kv_transaction *transaction,
                   collection_id collection, struct seen_map *map, bool *own)
{
    struct account_id who;
    enum seen_whose whose = seen_whose(view, &who);
    *own = whose != SEEN_OWNERS;
    return whose == SEEN_OWN ? seen_load(transaction, collection, who, map) : 0;
}

/* --- reading --- */

void seen_apply(const struct seen_map *map, struct entry *entry)
{
    size_t at = find(&map->ranges, entry->uid);
    entry->flags &= ~(uint32_t)ENTRY_SEEN;
    if (at == count_of(&map->ranges))
        return;
    struct seen_range range = range_at(&map->ranges, at);
    if (range.first > entry->uid)
        return;
    entry->flags |= range.seen ? ENTRY_SEEN : 0;
    entry->modseq = entry->modseq > range.modseq ? entry->modseq : range.modseq;
}

bool seen_changed(const struct seen_map *map, uint32_t first, uint32_t last, uint64_t since)
{
    if (map->modseq <= since)
        return false;
    for (size_t at = find(&map->ranges, first); at < count_of(&map->ranges); at++) {
        struct seen_range range = range_at(&map->ranges, at);
        if (range.first > last)
            return false;
        if (range.modseq > since)
            return true;
    }
    return false;
}

bool seen_covers(const struct seen_map *map, uint32_t first, uint32_t last)
{
    for (size_t at = find(&map->ranges, first); at < count_of(&map->ranges); at++) {
        struct seen_range range = range_at(&map->ranges, at);
        if (range.first > first || !range.seen)
            return false;
        if (range.last >= last)
            return true;
        first = range.last + 1;
    }
    return false;
}

uint32_t seen_among(const struct seen_map *map, const struct range_set *uids)
{
    uint32_t count = 0;
    for (size_t i = 0; i < uids->count; i++) {
        struct range wanted = uids->ranges[i];
        for (size_t at = find(&map->ranges, wanted.first); at < count_of(&map->ranges); at++) {
            struct seen_range range = range_at(&map->ranges, at);
            if (range.first > wanted.last)
                break;
            uint32_t first = range.first > wanted.first ? range.first : wanted.first;
            uint32_t last = range.last < wanted.last ? range.last : wanted.last;
            count += range.seen ? last - first + 1 : 0;
        }
    }
    return count;
}

int seen_count(const struct store_view *view, struct kv_transaction *transaction,
               struct collection *collection)
{
    struct seen_map map;
    bool own;
    seen_init(&map);
    int error = seen_load_view(view, transaction, collection->id, &map, &own);
    if (!error && own)
        collection->unseen = collection->messages - map.seen;
    seen_release(&map);
    return error;
}

/* --- marks --- */

void seen_edits_init(struct seen_edits *edits)
{
    *edits = (struct seen_edits){0};
    buffer_init(&edits->ranges, (size_t)EDITS_MAXIMUM * sizeof(struct seen_range));
}

void seen_edits_release(struct seen_edits *edits)
{
    buffer_release(&edits->ranges);
}

void seen_pass(struct seen_edits *edits, uint32_t uid)
{
    edits->previous = uid;
}

/* What lies between two neighbours is nothing that is there: one range may go over both. */
void seen_mark(struct seen_edits *edits, uint32_t uid, bool seen)
{
    size_t count = count_of(&edits->ranges);
    struct seen_range range = {.first = uid, .last = uid, .seen = seen};
    struct seen_range last = count ? range_at(&edits->ranges, count - 1) : range;
    if (count && last.seen == seen && (last.last == edits->previous || last.last + 1 == uid)) {
        range.first = last.first;
        buffer_truncate(&edits->ranges, edits->ranges.size - sizeof(range));
    }
    buffer_append(&edits->ranges, slice_make(&range, sizeof(range)));
    edits->previous = uid;
    edits->difference += seen ? 1 : -1;
}

/* --- a record with marks --- */

/* Appends a range, as part of the one before where they say the same. */
static void add(struct buffer *ranges, struct seen_range range)
{
    size_t count = count_of(ranges);
    struct seen_range last = count ? range_at(ranges, count - 1) : range;
    if (range.first > range.last)
        return;
    if (count && last.last + 1 == range.first && last.seen == range.seen &&
        last.modseq == range.modseq) {
        range.first = last.first;
        buffer_truncate(ranges, ranges->size - sizeof(range));
    }
    buffer_append(ranges, slice_make(&range, sizeof(range)));
}

/* The old ranges up to `end`, without what is before `from`. */
static void add_old(struct buffer *ranges, const struct seen_map *map, size_t *at, uint32_t from,
                    uint32_t end)
{
    for (; *at < count_of(&map->ranges); ++*at) {
        struct seen_range range = range_at(&map->ranges, *at);
        if (range.first > end)
            return;
        bool cut = range.last > end;
        range.first = range.first > from ? range.first : from;
        range.last = cut ? end : range.last;
        add(ranges, range);
        if (cut)
            return;
    }
}

static void overlay(struct buffer *ranges, const struct seen_map *map,
                    const struct seen_edits *edits, uint64_t modseq)
{
    size_t at = 0;
    uint32_t from = 1;
    for (size_t i = 0; i < count_of(&edits->ranges); i++) {
        struct seen_range edit = range_at(&edits->ranges, i);
        add_old(ranges, map, &at, from, edit.first - 1);
        edit.modseq = modseq;
        add(ranges, edit);
        from = edit.last + 1;
    }
    add_old(ranges, map, &at, from, UINT32_MAX);
}

/* Too many ranges: neighbours that say the same get the later modseq of the two, so a message may
 * be told as changed that is not. */
static void simplify(struct buffer *ranges)
{
    size_t kept = 0;
    for (size_t i = 0; i < count_of(ranges); i++) {
        struct seen_range range = range_at(ranges, i);
        struct seen_range last = kept ? range_at(ranges, kept - 1) : range;
        bool joins = kept && last.last + 1 == range.first && last.seen == range.seen;
        if (joins) {
            range.first = last.first;
            range.modseq = last.modseq > range.modseq ? last.modseq : range.modseq;
            kept--;
        }
        memcpy(ranges->data + kept++ * sizeof(range), &range, sizeof(range));
    }
    buffer_truncate(ranges, kept * sizeof(struct seen_range));
}

int seen_put(struct change *change, collection_id collection, struct account_id who,
             const struct seen_map *map)
{
    struct key key;
    if (count_of(&map->ranges) > SEEN_RANGES_MAXIMUM)
        return ERROR_LIMIT;
    seen_record_write(map->seen, map->modseq, &map->ranges, &change->value);
    return change_put(change, key_seen(&key, collection, &who), &change->value);
}

int seen_write(struct change *change, collection_id collection, struct account_id who,
               const struct seen_map *map, const struct seen_edits *edits)
{
    struct seen_map written;
    int error = buffer_error(&edits->ranges);
    if (error || !edits->ranges.size)
        return error;
    seen_init(&written);
    overlay(&written.ranges, map, edits, change->modseq);
    if (count_of(&written.ranges) > SEEN_RANGES_MAXIMUM)
        simplify(&written.ranges);
    written.seen = (uint32_t)(map->seen + edits->difference);
    written.modseq = change->modseq;
    error = buffer_error(&written.ranges);
    if (!error)
        error = seen_put(change, collection, who, &written);
    seen_release(&written);
    return error;
}

/* --- entries that go --- */

/* Appends the ids of the accounts that have a record of the mailbox. */
static int find_readers(struct kv_transaction *transaction, collection_id collection,
                        struct buffer *readers)
{
    struct key prefix;
    struct kv_cursor *cursor;
    struct slice key, value;
    int error =
        kv_cursor_open(transaction, key_seen(&prefix, collection, NULL), SLICE(""), &cursor);
    if (error)
        return error;
    while (!(error = kv_cursor_next(cursor, &key, &value))) {
        struct account_id reader;
        error = account_id_parse(slice_sub(key, prefix.size, SIZE_MAX), &reader)
                    ? ERROR_CORRUPT
                    : buffer_append(readers, slice_make(&reader, sizeof(reader)));
        if (error)
            break;
    }
    kv_cursor_close(&cursor);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

static int remove_of(struct change *change, collection_id collection, struct account_id who,
                     const struct range_set *uids)
{
    struct seen_map map;
    seen_init(&map);
    int error = seen_load(change->transaction, collection, who, &map);
    uint32_t gone = error ? 0 : seen_among(&map, uids);
    gone = gone < map.seen ? gone : map.seen;
    map.seen -= gone;
    if (!error && gone)
        error = seen_put(change, collection, who, &map);
    seen_release(&map);
    return error;
}

/* Calls fn for every reader of a mailbox. */
static int each_reader(struct change *change, collection_id collection,
                       int (*fn)(struct change *change, struct account_id reader, const void *arg),
                       const void *arg)
{
    struct buffer readers;
    buffer_init(&readers, READERS_MAXIMUM * sizeof(struct account_id));
    int error = find_readers(change->transaction, collection, &readers);
    for (size_t at = 0; at < readers.size && !error; at += sizeof(struct account_id)) {
        struct account_id reader;
        memcpy(&reader, readers.data + at, sizeof(reader));
        error = fn(change, reader, arg);
    }
    buffer_release(&readers);
    return error;
}

struct removed {
    collection_id collection;
    const struct range_set *uids;
};

static int remove_one(struct change *change, struct account_id reader, const void *arg)
{
    const struct removed *removed = arg;
    return remove_of(change, removed->collection, reader, removed->uids);
}

int seen_removed(struct change *change, collection_id collection, const struct range_set *uids)
{
    const struct removed removed = {collection, uids};
    return uids->count ? each_reader(change, collection, remove_one, &removed) : 0;
}

/* --- entries that come --- */

struct following {
    collection_id from, to;
    const struct range_set *from_uids, *to_uids;
};

/* Marks to..., size of them, as from... are seen. */
static void follow_range(const struct seen_map *map, uint32_t from, uint32_t to, uint32_t size,
                         struct seen_edits *edits)
{
    for (size_t at = find(&map->ranges, from); at < count_of(&map->ranges); at++) {
        struct seen_range range = range_at(&map->ranges, at);
        if (range.first > from + size - 1)
            return;
        uint32_t first = range.first > from ? range.first : from;
        uint32_t last = range.last < from + size - 1 ? range.last : from + size - 1;
        for (uint32_t uid = first; range.seen && uid <= last; uid++) {
            seen_pass(edits, 0); /* nothing is known of what lies between */
            seen_mark(edits, to + (uid - from), true);
        }
    }
}

static void follow_all(const struct following *following, const struct seen_map *map,
                       struct seen_edits *edits)
{
    const struct range_set *from = following->from_uids, *to = following->to_uids;
    uint32_t from_done = 0, to_done = 0; /* of the ranges at hand */
    for (size_t i = 0, j = 0; i < from->count && j < to->count;) {
        uint32_t from_left = from->ranges[i].last - from->ranges[i].first + 1 - from_done;
        uint32_t to_left = to->ranges[j].last - to->ranges[j].first + 1 - to_done;
        uint32_t size = from_left < to_left ? from_left : to_left;
        follow_range(map, from->ranges[i].first + from_done, to->ranges[j].first + to_done, size,
                     edits);
        from_done = size == from_left ? 0 : from_done + size;
        to_done = size == to_left ? 0 : to_done + size;
        i += size == from_left;
        j += size == to_left;
    }
}

static int follow_one(struct change *change, struct account_id reader, const void *arg)
{
    const struct following *following = arg;
    struct seen_map source, target;
    struct seen_edits edits;
    seen_init(&source);
    seen_init(&target);
    seen_edits_init(&edits);
    int error = seen_load(change->transaction, following->from, reader, &source);
    if (!error)
        error = seen_load(change->transaction, following->to, reader, &target);
    if (!error) {
        follow_all(following, &source, &edits);
        error = seen_write(change, following->to, reader, &target, &edits);
    }
    seen_release(&source);
    seen_release(&target);
    seen_edits_release(&edits);
    return error;
}

int seen_follow(struct change *change, collection_id from, const struct range_set *from_uids,
                collection_id to, const struct range_set *to_uids, const struct account_id *who)
{
    const struct following following = {from, to, from_uids, to_uids};
    if (!from_uids->count)
        return 0;
    return who ? follow_one(change, *who, &following)
               : each_reader(change, from, follow_one, &following);
}
