/*
 * What others than the owner have seen: each record counts what is there.
 */
#include "base/error.h"
#include "store/check_priv.h"
#include "store/seen_priv.h"

struct counted {
    collection_id collection;
    struct account_id who;
};

static int find_wrong(struct check *check, struct slice key, const uint64_t *numbers,
                      struct slice value)
{
    struct counted counted;
    struct seen_map map;
    struct slice rest = slice_sub(key, 1, SIZE_MAX);
    uint64_t ignored;
    if (!numbers || !check_find(check, numbers[0]) || key_read_number(&rest, &ignored) ||
        account_id_parse(rest, &counted.who))
        return 0; /* check_rest removes it, or it is of a deleted one */
    counted.collection = (collection_id)numbers[0];
    const struct range_set *uids = check_uids(check, counted.collection);
    seen_init(&map);
    bool wrong = uids && !seen_record_read(value, &map.seen, &map.modseq, &map.ranges) &&
                 map.seen != seen_among(&map, uids) &&
                 check_wrong(check, "%s: what another has seen is counted wrongly",
                             check_path(check, counted.collection));
    seen_release(&map);
    return wrong ? buffer_append(&check->body, slice_make(&counted, sizeof(counted))) : 0;
}

static int mend(struct check *check, struct counted counted)
{
    struct seen_map map;
    seen_init(&map);
    int error = seen_load(check->transaction, counted.collection, counted.who, &map);
    if (!error) {
        map.seen = seen_among(&map, check_uids(check, counted.collection));
        error = seen_put(check->change, counted.collection, counted.who, &map);
    }
    seen_release(&map);
    return error;
}

int check_seen(struct check *check)
{
    buffer_clear(&check->body);
    int error = check_each(check, KEY_SEEN, 1, find_wrong);
    for (size_t at = 0; at < check->body.size && !error; at += sizeof(struct counted)) {
        struct counted counted;
        memcpy(&counted, check->body.data + at, sizeof(counted));
        error = mend(check, counted);
    }
    return error;
}
