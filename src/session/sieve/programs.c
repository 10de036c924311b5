#include "session/sieve/programs.h"
#include "base/error.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/queue.h>

enum { BUCKETS = 1024 };

struct entry {
    struct kept_program kept; /* first */
    struct program_key key;
    struct sieve_program *program;
    size_t memory;
    unsigned users;
    LIST_ENTRY(entry) same; /* of the bucket */
    TAILQ_ENTRY(entry) unused;
};

struct programs {
    pthread_mutex_t lock;
    size_t maximum, memory; /* bytes of those in `unused` */
    LIST_HEAD(bucket, entry) buckets[BUCKETS];
    TAILQ_HEAD(unused_list, entry) unused; /* the one unused longest is first */
};

int programs_create(size_t maximum, struct programs **programs)
{
    struct programs *made = calloc(1, sizeof(*made));
    if (!made)
        return ERROR_MEMORY;
    pthread_mutex_init(&made->lock, NULL);
    made->maximum = maximum;
    TAILQ_INIT(&made->unused);
    *programs = made;
    return 0;
}

static struct bucket *bucket_of(struct programs *programs, const struct program_key *key)
{
    uint64_t hash = key->version * UINT64_C(0x9e3779b97f4a7c15) ^ key->script;
    for (size_t i = 0; i < sizeof(key->owner.bytes); i++)
        hash = (hash ^ key->owner.bytes[i]) * UINT64_C(0x100000001b3);
    return &programs->buckets[hash >> 32 & (BUCKETS - 1)];
}

static bool is_equal(const struct program_key *a, const struct program_key *b)
{
    return a->version == b->version && a->script == b->script &&
           memcmp(a->owner.bytes, b->owner.bytes, sizeof(a->owner.bytes)) == 0;
}

static void remove_entry(struct programs *programs, struct entry *entry)
{
    TAILQ_REMOVE(&programs->unused, entry, unused);
    LIST_REMOVE(entry, same);
    programs->memory -= entry->memory;
    sieve_program_free(&entry->program);
    free(entry);
}

void programs_free(struct programs **programs)
{
    struct programs *old = *programs;
    if (!old)
        return;
    while (!TAILQ_EMPTY(&old->unused))
        remove_entry(old, TAILQ_FIRST(&old->unused));
    pthread_mutex_destroy(&old->lock);
    free(old);
    *programs = NULL;
}

/* Under the lock. */
static struct entry *take(struct programs *programs, const struct program_key *key)
{
    struct entry *entry = LIST_FIRST(bucket_of(programs, key));
    while (entry && !is_equal(&entry->key, key))
        entry = LIST_NEXT(entry, same);
    if (entry && !entry->users++) {
        TAILQ_REMOVE(&programs->unused, entry, unused);
        programs->memory -= entry->memory;
    }
    return entry;
}

int programs_find(struct programs *programs, const struct program_key *key,
                  struct kept_program **kept)
{
    pthread_mutex_lock(&programs->lock);
    struct entry *entry = take(programs, key);
    pthread_mutex_unlock(&programs->lock);
    if (!entry)
        return ERROR_NOT_FOUND;
    *kept = &entry->kept;
    return 0;
}

/* Another thread may have compiled the same meanwhile: its program is taken then. */
static int keep(struct programs *programs, const struct program_key *key,
                struct sieve_program **program, struct kept_program **kept)
{
    struct entry *made = calloc(1, sizeof(*made));
    if (!made)
        return ERROR_MEMORY;
    *made = (struct entry){.key = *key,
                           .kept = {*program},
                           .program = *program,
                           .users = 1,
                           .memory = sizeof(*made) + sieve_program_memory(*program)};
    pthread_mutex_lock(&programs->lock);
    struct entry *entry = take(programs, key);
    if (!entry) {
        LIST_INSERT_HEAD(bucket_of(programs, key), made, same);
        entry = made;
        made = NULL;
        *program = NULL;
    }
    pthread_mutex_unlock(&programs->lock);
    free(made);
    *kept = &entry->kept;
    return 0;
}

int programs_compile(struct programs *programs, const struct program_key *key, struct slice text,
                     struct kept_program **kept, struct sieve_report *report)
{
    struct buffer bytecode;
    struct sieve_program *program = NULL;
    buffer_init(&bytecode, SIEVE_BYTECODE_MAXIMUM);
    int error = sieve_compile(text, NULL, &bytecode, report);
    if (!error)
        error = sieve_program_load(buffer_slice(&bytecode), NULL, &program);
    buffer_release(&bytecode);
    if (!error)
        error = keep(programs, key, &program, kept);
    sieve_program_free(&program);
    return error;
}

void programs_give_back(struct programs *programs, struct kept_program **kept)
{
    struct entry *entry = (struct entry *)*kept;
    *kept = NULL;
    pthread_mutex_lock(&programs->lock);
    if (!--entry->users) {
        TAILQ_INSERT_TAIL(&programs->unused, entry, unused);
        programs->memory += entry->memory;
        while (programs->memory > programs->maximum)
            remove_entry(programs, TAILQ_FIRST(&programs->unused));
    }
    pthread_mutex_unlock(&programs->lock);
}

static struct programs *own;

static void make_own(void)
{
    if (programs_create(PROGRAMS_MEMORY_MAXIMUM, &own))
        own = NULL;
}

struct programs *programs_of_process(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_own);
    return own;
}
