/*
 * Notices between processes: "space X has changed".
 *
 * A ring in shared memory (a memfd made by chapard), with an eventfd for each process slot to
 * wake its reader. Posting is a few atomic operations, and a write to the eventfd of each slot
 * that is listening, wants to hear of the space, and has not been woken yet; it never blocks and
 * never fails. A reader that was
 * too slow learns that it missed some: then everything may have changed. A notice is a hint, the
 * truth is the space; a damaged ring can cause needless looks, nothing else.
 *
 * A process killed in the middle of a post can leave a slot unwoken, and who wants little is not
 * woken for long while the ring fills: who depends on its notices calls notice_ring_read from a
 * timer as well, say every second.
 */
#ifndef KV_NOTICE_RING_H
#define KV_NOTICE_RING_H

#include "base/slice.h"

enum {
    NOTICE_SLOTS = 128,        /* processes */
    NOTICE_ENTRIES = 65536,    /* notices the ring holds: those of a second at the least */
    NOTICE_FILTER_BITS = 4096, /* in which a slot says what it wants, by the space's last bits */
};

struct notice_ring;

/* What names a space in a notice: 64 bits of a hash of its name. Two names with the same one
 * only cause needless looks. */
uint64_t notice_space(struct slice name);

/* Makes the shared memory. Returns a descriptor (close-on-exec) or an error. */
int notice_ring_create(void);

/* Maps the memory. wake[i] is the eventfd of slot i (not owned; -1: none); own_slot is where this
 * process reads, -1: it only posts. wake is copied. The eventfds are non-blocking. Posts from the
 * time of the attachment on are read, this process's own too. ERROR_INVALID: no such slot, or not
 * the memory of a ring. */
int notice_ring_attach(int descriptor, const int wake[NOTICE_SLOTS], int own_slot,
                       struct notice_ring **ring);
void notice_ring_detach(struct notice_ring **ring);

void notice_ring_post(struct notice_ring *ring, uint64_t space);

/* Some notices may have been lost on their way here: every reader is told that it missed some. */
void notice_ring_post_missed(struct notice_ring *ring);

/* So that it can be told at a look that nothing has changed, with no notice to be waited for: what
 * changes a space says so before it can be seen, and again when it is over. Who is killed between,
 * or cannot know what has become of it, says nothing any more: then it is not told of the space,
 * nor of others with the same last bits, as long as the memory lives. */
void notice_ring_begin(struct notice_ring *ring, uint64_t space);
void notice_ring_end(struct notice_ring *ring, uint64_t space);

/* Another number each time something has begun; 0: something is not over. So what was read after
 * the number was taken holds while it is the same. Any thread; no more than a look at the memory.
 */
uint64_t notice_ring_count(const struct notice_ring *ring, uint64_t space);

/* A random number, the same for all who have mapped this memory: it tells one ring from another. */
uint64_t notice_ring_number(const struct notice_ring *ring);

/* From now on this process is woken for the space; call it before reading what the notices are
 * about. unwant takes one want back. want_all: for every space, for good. Nothing is wanted at
 * first. Notices of other spaces may come all the same. One thread only. */
void notice_ring_want(struct notice_ring *ring, uint64_t space);
void notice_ring_unwant(struct notice_ring *ring, uint64_t space);
void notice_ring_want_all(struct notice_ring *ring);

/* The eventfd to wait on for this process's slot. */
int notice_ring_descriptor(const struct notice_ring *ring);

/* Calls fn for each notice since the last read. When some were missed, calls fn once with
 * missed == true instead. Clears the eventfd. One thread only. */
void notice_ring_read(struct notice_ring *ring, void (*fn)(uint64_t space, bool missed, void *arg),
                      void *arg);

#endif
