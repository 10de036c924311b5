#include "base/counters.h"
#include "base/error.h"
#include "base/gate.h"
#include "supervisor/supervisor_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

/* Sealed, so that no process can make another's mapping fault by shortening it. */
static int create_memory(const char *name, off_t size)
{
    int descriptor = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (descriptor < 0)
        return error_from_errno(errno);
    if (ftruncate(descriptor, size) ||
        fcntl(descriptor, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)) {
        int error = error_from_errno(errno);
        close(descriptor);
        return error;
    }
    return descriptor;
}

int shared_create(struct shared *shared)
{
    struct shared made = {
        .counters = counters_create(),
        .notices = create_memory("chapar-notices", NOTICES_SIZE),
        .notes = create_memory("chapar-notes", (off_t)SERVICE_SLOTS * CRASH_NOTE_STRIDE),
        .gate = gate_create()};
    bool good = made.counters >= 0 && made.notices >= 0 && made.notes >= 0 && made.gate >= 0;
    for (size_t i = 0; i < SERVICE_SLOTS; i++) {
        made.wake[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        good = good && made.wake[i] >= 0;
    }
    if (!good) {
        shared_release(&made);
        return ERROR_MEMORY;
    }
    *shared = made;
    int error = counters_attach(shared->counters, 0);
    return error ? error : gate_attach(shared->gate, -1);
}

void shared_release(struct shared *shared)
{
    int descriptors[] = {shared->counters, shared->notices, shared->notes, shared->gate};
    for (size_t i = 0; i < sizeof(descriptors) / sizeof(descriptors[0]); i++)
        if (descriptors[i] >= 0)
            close(descriptors[i]);
    for (size_t i = 0; i < SERVICE_SLOTS; i++)
        if (shared->wake[i] >= 0)
            close(shared->wake[i]);
}

/* The process may have died while it wrote, or meant harm: only the sizes are trusted. */
void shared_take_notes(const struct shared *shared, uint32_t slot, char text[SERVING_MAXIMUM])
{
    char notes[CRASH_NOTES][CRASH_NOTE_MAXIMUM];
    off_t offset = (off_t)slot * CRASH_NOTE_STRIDE;
    size_t size = 0;
    text[0] = '\0';
    if (pread(shared->notes, notes, sizeof(notes), offset) != sizeof(notes))
        return;
    for (size_t i = 0; i < CRASH_NOTES; i++) {
        size_t length = strnlen(notes[i], CRASH_NOTE_MAXIMUM - 1);
        if (length == 0 || size + length + 3 > SERVING_MAXIMUM)
            continue;
        size += (size_t)snprintf(text + size, SERVING_MAXIMUM - size, "%s%.*s", size ? "; " : "",
                                 (int)length, notes[i]);
    }
    memset(notes, 0, sizeof(notes));
    if (pwrite(shared->notes, notes, sizeof(notes), offset) != sizeof(notes))
        text[size] = '\0';
}
