#include "base/counters.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* A slot starts on its own cache lines, so that processes do not slow each other down. */
struct counter_slot {
    _Alignas(64) _Atomic int64_t values[COUNTER_COUNT];
};

struct counter_memory {
    struct counter_slot slots[COUNTER_SLOTS];
};

const struct counter_description counter_descriptions[COUNTER_COUNT] = {
#define COUNTER(identifier, name, unit, help) {name, unit, help},
#include "base/counters.def"
#undef COUNTER
};

/* Before and without the shared memory: a block of this process's own. */
static struct counter_slot private_slot;

static struct counter_slot *own = &private_slot;
static struct counter_memory *shared;

int counters_create(void)
{
    int descriptor = memfd_create("chapar-counters", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (descriptor < 0)
        return error_from_errno(errno);
    if (ftruncate(descriptor, sizeof(struct counter_memory)) < 0 ||
        fcntl(descriptor, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
        int error = error_from_errno(errno);
        close(descriptor);
        return error;
    }
    return descriptor;
}

int counters_attach(int descriptor, int slot)
{
    if (slot >= COUNTER_SLOTS)
        return ERROR_INVALID;
    int protection = slot < 0 ? PROT_READ : PROT_READ | PROT_WRITE;
    void *memory = mmap(NULL, sizeof(struct counter_memory), protection, MAP_SHARED, descriptor, 0);
    if (memory == MAP_FAILED)
        return error_from_errno(errno);
    shared = memory;
    own = slot < 0 ? &private_slot : &shared->slots[slot];
    return 0;
}

static void add(struct counter_slot *slot, enum counter counter, int64_t amount)
{
    atomic_fetch_add_explicit(&slot->values[counter], amount, memory_order_relaxed);
}

static int64_t get(struct counter_slot *slot, enum counter counter)
{
    return atomic_load_explicit(&slot->values[counter], memory_order_relaxed);
}

void counters_add(enum counter counter, int64_t amount)
{
    add(own, counter, amount);
}

void counters_add_to_slot(int slot, enum counter counter, int64_t amount)
{
    if (shared && slot >= 0 && slot < COUNTER_SLOTS)
        add(&shared->slots[slot], counter, amount);
}

int64_t counters_get(int slot, enum counter counter)
{
    if (!shared || slot < 0 || slot >= COUNTER_SLOTS)
        return get(own, counter);
    return get(&shared->slots[slot], counter);
}

int64_t counters_sum(enum counter counter)
{
    if (!shared)
        return get(own, counter);
    int64_t sum = 0;
    for (int slot = 0; slot < COUNTER_SLOTS; slot++)
        sum += get(&shared->slots[slot], counter);
    return sum;
}

void counters_reset_current(int slot)
{
    if (!shared || slot < 0 || slot >= COUNTER_SLOTS)
        return;
    for (int i = 0; i < COUNTER_COUNT; i++)
        if (strcmp(counter_descriptions[i].unit, "current") == 0)
            atomic_store_explicit(&shared->slots[slot].values[i], 0, memory_order_relaxed);
}
