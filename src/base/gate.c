/*
 * Entering adds to the slot, then looks at the gate; closing changes the gate, then looks at the
 * slots. Both are sequentially consistent, so either who enters sees it closed, or who closes sees
 * somebody inside.
 *
 *     open (deadline 0) --gate_close--> closed until the deadline --gate_open--> open
 *                                          '---- the deadline passes: counts as open
 */
#include "base/gate.h"
#include "base/clock.h"
#include "base/counters.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct gate_slot {
    _Alignas(64) _Atomic uint32_t inside;
};

struct gate_memory {
    _Alignas(64) _Atomic uint64_t deadline; /* microseconds; 0: open */
    _Atomic uint32_t turn;                  /* changes when it is opened; what is waited on */
    struct gate_slot slots[GATE_SLOTS];
};

static struct gate_memory *memory;
static struct gate_slot *own;
static atomic_uint waiting;
static _Thread_local unsigned depth;

int gate_create(void)
{
    int descriptor = memfd_create("chapar-gate", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (descriptor < 0)
        return error_from_errno(errno);
    if (ftruncate(descriptor, sizeof(struct gate_memory)) ||
        fcntl(descriptor, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)) {
        int error = error_from_errno(errno);
        close(descriptor);
        return error;
    }
    return descriptor;
}

int gate_attach(int descriptor, int slot)
{
    if (slot >= GATE_SLOTS)
        return ERROR_INVALID;
    void *mapped =
        mmap(NULL, sizeof(struct gate_memory), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (mapped == MAP_FAILED)
        return error_from_errno(errno);
    memory = mapped;
    own = slot < 0 ? NULL : &memory->slots[slot];
    return 0;
}

/* Microseconds until it opens by itself; 0: it is open. */
static uint64_t time_left(void)
{
    uint64_t deadline = atomic_load(&memory->deadline);
    uint64_t now = deadline ? clock_monotonic_us() : 0;
    return deadline > now ? deadline - now : 0;
}

static void wait_for_turn(uint32_t turn, uint64_t microseconds)
{
    struct timespec limit = {.tv_sec = (time_t)(microseconds / 1000000),
                             .tv_nsec = (long)(microseconds % 1000000) * 1000};
    syscall(SYS_futex, &memory->turn, FUTEX_WAIT, turn, &limit, NULL, 0);
}

/* It was seen closed: out again, until it is open. */
static void wait_outside(void)
{
    uint64_t start = clock_monotonic_us();
    atomic_fetch_add(&waiting, 1);
    do {
        atomic_fetch_sub(&own->inside, 1);
        uint32_t turn = atomic_load(&memory->turn);
        uint64_t left = time_left();
        if (left)
            wait_for_turn(turn, left);
        atomic_fetch_add(&own->inside, 1);
    } while (time_left());
    atomic_fetch_sub(&waiting, 1);
    counters_add(COUNTER_GATE_WAITS, 1);
    counters_add(COUNTER_GATE_WAIT_US, (int64_t)(clock_monotonic_us() - start));
}

void gate_enter(void)
{
    if (!own || depth++ > 0)
        return;
    atomic_fetch_add(&own->inside, 1);
    if (atomic_load(&memory->deadline) && time_left())
        wait_outside();
}

void gate_leave(void)
{
    if (own && --depth == 0)
        atomic_fetch_sub(&own->inside, 1);
}

bool gate_is_closed(void)
{
    return own && time_left() > 0;
}

unsigned gate_waiting(void)
{
    return atomic_load(&waiting);
}

void gate_close(uint64_t deadline_us)
{
    atomic_store(&memory->deadline, deadline_us);
}

bool gate_open(void)
{
    if (!memory)
        return false;
    bool was_closed = time_left() > 0;
    atomic_store(&memory->deadline, 0);
    atomic_fetch_add(&memory->turn, 1);
    syscall(SYS_futex, &memory->turn, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
    return was_closed;
}

unsigned gate_inside(void)
{
    unsigned inside = 0;
    for (int slot = 0; slot < GATE_SLOTS; slot++)
        inside += atomic_load(&memory->slots[slot].inside);
    return inside;
}

void gate_clear_slot(int slot)
{
    if (memory && slot >= 0 && slot < GATE_SLOTS)
        atomic_store(&memory->slots[slot].inside, 0);
}
