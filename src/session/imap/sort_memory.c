#include "base/error.h"
#include "session/imap/sort_priv.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>

/* A process' own, the last one given first. */
static struct {
    pthread_mutex_t mutex;
    struct sort_memory *list;
} kept = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static bool is_about(const struct sort_memory *memory, struct sort_subject about)
{
    return memory->about.collection == about.collection && memory->about.kind == about.kind &&
           account_id_equal(memory->about.account, about.account);
}

/* What it holds, which may be twice as much as is in use. */
static size_t bytes_of(const struct sort_memory *memory)
{
    return sizeof(*memory) + memory->uids.capacity + memory->ends.capacity +
           memory->texts.capacity + memory->ranks.capacity + memory->hashes.capacity +
           memory->bucket_count * sizeof(*memory->buckets);
}

static void release(struct sort_memory *memory)
{
    buffer_release(&memory->uids);
    buffer_release(&memory->ends);
    buffer_release(&memory->texts);
    buffer_release(&memory->ranks);
    buffer_release(&memory->hashes);
    free(memory->buckets);
    free(memory);
}

static void release_all(struct sort_memory *list)
{
    for (struct sort_memory *next; list; list = next) {
        next = list->next;
        release(list);
    }
}

static uint32_t *numbers(const struct buffer *buffer)
{
    return (uint32_t *)buffer->data;
}

static int append_number(struct buffer *buffer, uint32_t number)
{
    return buffer_append(buffer, slice_make((const char *)&number, sizeof(number)));
}

/* --- taking and giving --- */

static struct sort_memory *make(struct sort_subject about, size_t maximum)
{
    struct sort_memory *memory = calloc(1, sizeof(*memory));
    if (!memory)
        return NULL;
    memory->about = about;
    buffer_init(&memory->uids, maximum);
    buffer_init(&memory->ends, maximum);
    buffer_init(&memory->texts, maximum);
    buffer_init(&memory->ranks, maximum);
    buffer_init(&memory->hashes, maximum);
    randombytes_buf(memory->hash_key, sizeof(memory->hash_key));
    return memory;
}

static struct sort_memory *unlink_kept(struct sort_subject about)
{
    struct sort_memory **at = &kept.list;
    while (*at && !is_about(*at, about))
        at = &(*at)->next;
    struct sort_memory *found = *at;
    if (found) {
        *at = found->next;
        found->next = NULL;
    }
    return found;
}

struct sort_memory *sort_memory_take(struct sort_subject about, size_t maximum)
{
    pthread_mutex_lock(&kept.mutex);
    struct sort_memory *memory = unlink_kept(about);
    pthread_mutex_unlock(&kept.mutex);
    if (!memory)
        return make(about, maximum);
    memory->known = memory->count;
    memory->next_known = 0;
    return memory;
}

/* Those that were used longest ago go when there is no room. */
static struct sort_memory *cut_off(size_t room)
{
    struct sort_memory **at = &kept.list;
    while (*at && bytes_of(*at) <= room) {
        room -= bytes_of(*at);
        at = &(*at)->next;
    }
    struct sort_memory *rest = *at;
    *at = NULL;
    return rest;
}

static bool has_ranks(const struct sort_memory *memory)
{
    return memory->about.kind != SORT_THREADS;
}

static void exchange(struct buffer *one, struct buffer *other)
{
    struct buffer kept_one = *one;
    *one = *other;
    *other = kept_one;
}

/* Whether those added are all behind those known. */
static bool is_in_order(const struct sort_memory *memory)
{
    const uint32_t *uids = numbers(&memory->uids);
    return !memory->known || memory->known == memory->count ||
           uids[memory->known - 1] < uids[memory->known];
}

/* In the order of UIDs: those known and those added are each in it. */
static int merge(struct sort_memory *memory)
{
    if (is_in_order(memory))
        return 0;
    struct sort_memory *merged = make(memory->about, memory->texts.maximum);
    if (!merged)
        return ERROR_MEMORY;
    size_t known = 0, added = memory->known;
    int error = 0;
    while (!error && (known < memory->known || added < memory->count)) {
        bool first = added == memory->count ||
                     (known < memory->known &&
                      numbers(&memory->uids)[known] < numbers(&memory->uids)[added]);
        size_t index = first ? known++ : added++;
        error = sort_memory_add(merged, numbers(&memory->uids)[index],
                                sort_memory_key(memory, index), NULL);
        if (!error && has_ranks(memory))
            error = append_number(&merged->ranks, numbers(&memory->ranks)[index]);
    }
    exchange(&memory->uids, &merged->uids);
    exchange(&memory->ends, &merged->ends);
    exchange(&memory->texts, &merged->texts);
    exchange(&memory->ranks, &merged->ranks);
    release(merged);
    return error;
}

/* What was added before the command ended early. */
static void drop_added(struct sort_memory *memory)
{
    memory->count = memory->known;
    buffer_truncate(&memory->uids, memory->count * sizeof(uint32_t));
    buffer_truncate(&memory->ends, memory->count * sizeof(uint32_t));
    size_t size = memory->count ? numbers(&memory->ends)[memory->count - 1] : 0;
    buffer_truncate(&memory->texts, size);
}

void sort_memory_give(struct sort_memory **given)
{
    struct sort_memory *memory = *given, *gone = NULL;
    *given = NULL;
    if (!memory)
        return;
    if (has_ranks(memory) && memory->ranked == memory->known)
        drop_added(memory);
    bool unranked = has_ranks(memory) && memory->ranked != memory->count;
    if (memory->spoiled || unranked || bytes_of(memory) > SORT_MEMORY_MAXIMUM / 2 ||
        merge(memory)) {
        release(memory);
        return;
    }
    pthread_mutex_lock(&kept.mutex);
    gone = unlink_kept(memory->about);
    memory->next = kept.list;
    kept.list = memory;
    struct sort_memory *rest = cut_off(SORT_MEMORY_MAXIMUM);
    pthread_mutex_unlock(&kept.mutex);
    release_all(gone);
    release_all(rest);
}

void sort_memory_forget_all(void)
{
    pthread_mutex_lock(&kept.mutex);
    struct sort_memory *rest = cut_off(0);
    pthread_mutex_unlock(&kept.mutex);
    release_all(rest);
}

size_t sort_memory_size(void)
{
    size_t size = 0;
    pthread_mutex_lock(&kept.mutex);
    for (const struct sort_memory *memory = kept.list; memory; memory = memory->next)
        size += bytes_of(memory);
    pthread_mutex_unlock(&kept.mutex);
    return size;
}

/* --- keys --- */

bool sort_memory_find(struct sort_memory *memory, uint32_t uid, uint32_t *index)
{
    const uint32_t *uids = numbers(&memory->uids);
    while (memory->next_known < memory->known && uids[memory->next_known] < uid)
        memory->next_known++;
    *index = (uint32_t)memory->next_known;
    return memory->next_known < memory->known && uids[memory->next_known] == uid;
}

int sort_memory_add(struct sort_memory *memory, uint32_t uid, struct slice key, uint32_t *index)
{
    if (index)
        *index = (uint32_t)memory->count;
    int error = buffer_append(&memory->texts, key);
    if (!error)
        error = append_number(&memory->uids, uid);
    if (!error)
        error = append_number(&memory->ends, (uint32_t)memory->texts.size);
    memory->count += !error;
    return error;
}

struct slice sort_memory_key(const struct sort_memory *memory, size_t index)
{
    size_t begin = index ? numbers(&memory->ends)[index - 1] : 0;
    return slice_make(memory->texts.data + begin, numbers(&memory->ends)[index] - begin);
}

/* --- numbers of texts --- */

enum { FIRST_BUCKETS = 1024 };

size_t sort_memory_numbers(const struct sort_memory *memory)
{
    return memory->hashes.size / SORT_HASH;
}

/* The bucket that has the hash, or the empty one where it belongs. Hashes are random, so the next
 * bucket is as good as any when one is taken. */
static uint32_t *find_bucket(const struct sort_memory *memory, const char *hash)
{
    uint32_t at;
    memcpy(&at, hash, sizeof(at));
    for (;; at++) {
        uint32_t *bucket = &memory->buckets[at & (memory->bucket_count - 1)];
        if (!*bucket ||
            memcmp(memory->hashes.data + (*bucket - 1) * (size_t)SORT_HASH, hash, SORT_HASH) == 0)
            return bucket;
    }
}

/* At least every other bucket is empty. */
static int grow_buckets(struct sort_memory *memory)
{
    size_t count = sort_memory_numbers(memory);
    size_t wanted = memory->bucket_count ? 2 * memory->bucket_count : FIRST_BUCKETS;
    if (2 * (count + 1) <= memory->bucket_count)
        return 0;
    uint32_t *buckets = calloc(wanted, sizeof(*buckets));
    if (!buckets)
        return ERROR_MEMORY;
    free(memory->buckets);
    memory->buckets = buckets;
    memory->bucket_count = wanted;
    for (size_t i = 0; i < count; i++)
        *find_bucket(memory, memory->hashes.data + i * SORT_HASH) = (uint32_t)i + 1;
    return 0;
}

int sort_memory_number(struct sort_memory *memory, struct slice text, uint32_t *number)
{
    char hash[SORT_HASH];
    crypto_shorthash_siphashx24((unsigned char *)hash, (const unsigned char *)text.data, text.size,
                                memory->hash_key);
    int error = grow_buckets(memory);
    if (error)
        return error;
    uint32_t *bucket = find_bucket(memory, hash);
    if (!*bucket) {
        error = buffer_append(&memory->hashes, slice_make(hash, sizeof(hash)));
        *bucket = error ? 0 : (uint32_t)sort_memory_numbers(memory);
    }
    if (!error)
        *number = *bucket;
    return error;
}

/* --- ranks --- */

struct ranked {
    struct slice key;
    uint32_t index;
};

static int compare(const void *a, const void *b)
{
    return slice_compare(((const struct ranked *)a)->key, ((const struct ranked *)b)->key);
}

int sort_memory_rank(struct sort_memory *memory)
{
    if (memory->ranked == memory->count)
        return 0;
    struct ranked *all = calloc(memory->count, sizeof(*all));
    if (!all)
        return ERROR_MEMORY;
    for (size_t i = 0; i < memory->count; i++)
        all[i] = (struct ranked){sort_memory_key(memory, i), (uint32_t)i};
    qsort(all, memory->count, sizeof(*all), compare);
    buffer_clear(&memory->ranks);
    size_t size = memory->count * sizeof(uint32_t);
    uint32_t *ranks = (uint32_t *)buffer_reserve(&memory->ranks, size);
    for (size_t i = 0, rank = 0; i < memory->count && ranks; i++) {
        rank += i && compare(&all[i - 1], &all[i]) != 0;
        ranks[all[i].index] = (uint32_t)rank;
    }
    free(all);
    if (!ranks)
        return buffer_error(&memory->ranks);
    buffer_commit(&memory->ranks, size);
    memory->ranked = memory->count;
    return 0;
}

uint32_t sort_memory_rank_of(const struct sort_memory *memory, uint32_t index)
{
    return numbers(&memory->ranks)[index];
}
