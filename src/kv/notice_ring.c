/*
 * The shared memory: a counter of all notices ever posted, a bit for each slot that waits, what
 * each slot wants to be woken for, the last NOTICE_ENTRIES notices, and, for each of
 * NOTICE_FILTER_BITS groups of spaces, how many changes have begun and how many are over.
 *
 * A poster takes the next number, writes its entry, then takes the bits of those waiting slots that
 * want the space (who gets a bit writes that eventfd). So a delivery wakes the processes that have
 * a session of its account, not all. A reader sets its bit again, then reads the counter and the
 * entries. All of these are sequentially consistent, so either the reader sees the entry, or the
 * poster sees the bit.
 *
 * An entry is its space and (number + 1) xor space. The reader computes the number back: when it
 * is not the one expected, the entry is not written yet, was overwritten, or mixes two posters a
 * whole round apart. All of these count as missed; no order of the two stores matters, and a
 * poster killed between them holds up nobody.
 */
#include "kv/notice_ring.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SLOTS_PER_WORD = 64,
    /* Looks at an entry that is being written before it counts as missed. */
    ENTRY_ATTEMPTS = 100
};

struct entry {
    _Atomic uint64_t space;
    _Atomic uint64_t check;
};

struct changes {
    _Atomic uint64_t begun;
    _Atomic uint64_t over;
};

struct shared {
    _Atomic uint64_t number; /* 0: nobody has attached yet */
    _Alignas(64) _Atomic uint64_t posted;
    _Alignas(64) _Atomic uint64_t waiting[NOTICE_SLOTS / SLOTS_PER_WORD];
    _Alignas(64) _Atomic uint64_t wanted[NOTICE_SLOTS][NOTICE_FILTER_BITS / 64];
    _Alignas(64) struct changes changes[NOTICE_FILTER_BITS];
    _Alignas(64) struct entry entries[NOTICE_ENTRIES];
};

struct notice_ring {
    struct shared *shared;
    uint64_t position; /* number of the next notice to read */
    int own_slot;
    int wake[NOTICE_SLOTS];
    uint32_t wants[NOTICE_FILTER_BITS]; /* for each bit of the own slot's filter */
};

/* FNV-1a, 64 bits: every process must compute the same, nothing more is asked of it. */
uint64_t notice_space(struct slice name)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < name.size; i++)
        hash = (hash ^ (unsigned char)name.data[i]) * 0x100000001b3u;
    return hash;
}

/* Stands for every space; no name is expected to have it. */
static const uint64_t SPACE_MISSED = UINT64_MAX;

/* Sealed, so that no process can make another's mapping fault by shortening it. */
int notice_ring_create(void)
{
    int descriptor = memfd_create("chapar-notices", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (descriptor < 0)
        return error_from_errno(errno);
    if (ftruncate(descriptor, sizeof(struct shared)) ||
        fcntl(descriptor, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)) {
        int error = error_from_errno(errno);
        close(descriptor);
        return error;
    }
    return descriptor;
}

static _Atomic uint64_t *waiting_word(struct notice_ring *ring)
{
    return &ring->shared->waiting[ring->own_slot / SLOTS_PER_WORD];
}

static uint64_t waiting_bit(const struct notice_ring *ring)
{
    return UINT64_C(1) << (ring->own_slot % SLOTS_PER_WORD);
}

/* Who comes first gives the ring its number: chapard, which makes the memory, knows nothing of it.
 */
static void give_number(struct shared *shared)
{
    uint64_t none = 0, number = 0;
    while (number == 0)
        if (getrandom(&number, sizeof(number), 0) != sizeof(number))
            number = 0;
    atomic_compare_exchange_strong(&shared->number, &none, number);
}

int notice_ring_attach(int descriptor, const int wake[NOTICE_SLOTS], int own_slot,
                       struct notice_ring **ring)
{
    struct stat status;
    if (own_slot >= NOTICE_SLOTS || fstat(descriptor, &status) ||
        status.st_size < (off_t)sizeof(struct shared))
        return ERROR_INVALID;
    struct notice_ring *made = calloc(1, sizeof(*made));
    if (!made)
        return ERROR_MEMORY;
    void *memory =
        mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (memory == MAP_FAILED) {
        free(made);
        return ERROR_MEMORY;
    }
    made->shared = memory;
    give_number(made->shared);
    made->own_slot = own_slot;
    memcpy(made->wake, wake, sizeof(made->wake));
    made->position = atomic_load(&made->shared->posted);
    if (own_slot >= 0) {
        for (int word = 0; word < NOTICE_FILTER_BITS / 64; word++) /* who had the slot before */
            atomic_store(&made->shared->wanted[own_slot][word], 0);
        atomic_fetch_or(waiting_word(made), waiting_bit(made));
    }
    *ring = made;
    return 0;
}

void notice_ring_detach(struct notice_ring **ring)
{
    struct notice_ring *old = *ring;
    if (!old)
        return;
    if (old->own_slot >= 0)
        atomic_fetch_and(waiting_word(old), ~waiting_bit(old));
    munmap(old->shared, sizeof(struct shared));
    free(old);
    *ring = NULL;
}

static void wake_slot(const struct notice_ring *ring, int slot)
{
    uint64_t one = 1;
    if (ring->wake[slot] >= 0) {
        ssize_t written = write(ring->wake[slot], &one, sizeof(one));
        (void)written; /* Full: it is readable already. Closed: nobody waits. */
    }
}

/* --- what is wanted --- */

static _Atomic uint64_t *wanted_word(const struct notice_ring *ring, int slot, uint64_t space)
{
    return &ring->shared->wanted[slot][space % NOTICE_FILTER_BITS / 64];
}

static bool is_wanted(const struct notice_ring *ring, int slot, uint64_t space)
{
    return atomic_load(wanted_word(ring, slot, space)) >> (space % 64) & 1;
}

void notice_ring_want(struct notice_ring *ring, uint64_t space)
{
    if (ring->own_slot >= 0 && ring->wants[space % NOTICE_FILTER_BITS]++ == 0)
        atomic_fetch_or(wanted_word(ring, ring->own_slot, space), UINT64_C(1) << (space % 64));
}

void notice_ring_unwant(struct notice_ring *ring, uint64_t space)
{
    if (ring->own_slot >= 0 && --ring->wants[space % NOTICE_FILTER_BITS] == 0)
        atomic_fetch_and(wanted_word(ring, ring->own_slot, space), ~(UINT64_C(1) << (space % 64)));
}

void notice_ring_want_all(struct notice_ring *ring)
{
    for (uint64_t bit = 0; bit < NOTICE_FILTER_BITS; bit++)
        notice_ring_want(ring, bit);
}

/* --- what changes --- */

static struct changes *changes_of(const struct notice_ring *ring, uint64_t space)
{
    return &ring->shared->changes[space % NOTICE_FILTER_BITS];
}

void notice_ring_begin(struct notice_ring *ring, uint64_t space)
{
    atomic_fetch_add(&changes_of(ring, space)->begun, 1);
}

void notice_ring_end(struct notice_ring *ring, uint64_t space)
{
    atomic_fetch_add(&changes_of(ring, space)->over, 1);
}

/* In this order: what is over by the first look had begun before it, and nothing else by the
 * second. */
uint64_t notice_ring_count(const struct notice_ring *ring, uint64_t space)
{
    const struct changes *changes = changes_of(ring, space);
    uint64_t over = atomic_load(&changes->over), begun = atomic_load(&changes->begun);
    return over == begun ? begun + 1 : 0;
}

/* --- posting --- */

static void wake_waiting(struct notice_ring *ring, uint64_t space)
{
    for (int word = 0; word < NOTICE_SLOTS / SLOTS_PER_WORD; word++) {
        _Atomic uint64_t *waiting = &ring->shared->waiting[word];
        for (uint64_t bits = atomic_load(waiting); bits; bits &= bits - 1) {
            int slot = word * SLOTS_PER_WORD + __builtin_ctzll(bits);
            uint64_t bit = bits & -bits;
            bool wanted = space == SPACE_MISSED || is_wanted(ring, slot, space);
            if (wanted && (atomic_fetch_and(waiting, ~bit) & bit))
                wake_slot(ring, slot);
        }
    }
}

void notice_ring_post(struct notice_ring *ring, uint64_t space)
{
    uint64_t number = atomic_fetch_add(&ring->shared->posted, 1);
    struct entry *entry = &ring->shared->entries[number % NOTICE_ENTRIES];
    atomic_store(&entry->space, space);
    atomic_store(&entry->check, (number + 1) ^ space);
    wake_waiting(ring, space);
}

void notice_ring_post_missed(struct notice_ring *ring)
{
    notice_ring_post(ring, SPACE_MISSED);
}

uint64_t notice_ring_number(const struct notice_ring *ring)
{
    return atomic_load(&ring->shared->number);
}

int notice_ring_descriptor(const struct notice_ring *ring)
{
    return ring->own_slot >= 0 ? ring->wake[ring->own_slot] : -1;
}

static bool read_entry(struct notice_ring *ring, uint64_t number, uint64_t *space)
{
    struct entry *entry = &ring->shared->entries[number % NOTICE_ENTRIES];
    for (int attempt = 0; attempt < ENTRY_ATTEMPTS; attempt++) {
        uint64_t check = atomic_load(&entry->check);
        *space = atomic_load(&entry->space);
        if ((check ^ *space) == number + 1)
            return true;
    }
    return false;
}

static void rearm(struct notice_ring *ring)
{
    uint64_t count;
    int descriptor = notice_ring_descriptor(ring);
    if (descriptor < 0)
        return;
    ssize_t got = read(descriptor, &count, sizeof(count));
    (void)got; /* Not readable: read without having been woken. */
    atomic_fetch_or(waiting_word(ring), waiting_bit(ring));
}

void notice_ring_read(struct notice_ring *ring, void (*fn)(uint64_t space, bool missed, void *arg),
                      void *arg)
{
    rearm(ring);
    uint64_t posted = atomic_load(&ring->shared->posted);
    bool missed = posted - ring->position > NOTICE_ENTRIES;
    while (!missed && ring->position != posted) {
        uint64_t space;
        missed = !read_entry(ring, ring->position, &space) || space == SPACE_MISSED;
        if (!missed) {
            ring->position++;
            fn(space, false, arg);
        }
    }
    ring->position = posted;
    if (missed)
        fn(0, true, arg);
}
