/*
 * The gate that every change of stored data passes, so that chapard can hold all of them for a
 * moment: a freeze, during which the files may be copied (docs/architecture.md).
 *
 * chapard makes the memory and hands it to every process that stores something; each has a slot in
 * which it counts its threads inside. A process without the memory (a unit test, the command line)
 * passes freely.
 *
 *     gate_enter();  a blob, and the commit that refers to it  gate_leave();
 *
 * Whoever enters it again while inside passes: what is one change to the reader of a copy is one
 * stay. Open, entering costs an atomic addition to a cache line of the process's own and a load.
 * Closed, it waits, until the gate is opened or the deadline has passed that lies in the gate
 * itself: it opens whatever has died.
 *
 * Enter before taking a lock: who waits at the gate must not hold up readers.
 */
#ifndef BASE_GATE_H
#define BASE_GATE_H

#include <stdbool.h>
#include <stdint.h>

enum { GATE_SLOTS = 192 };

/* Makes the memory, a sealed memfd. Returns a descriptor (close-on-exec) or an error. */
int gate_create(void);

/* Maps it. slot: this process's; -1: it never enters (chapard). Once in a process. The descriptor
 * is not kept. */
int gate_attach(int descriptor, int slot);

void gate_enter(void);
void gate_leave(void);

/* Whether entering would wait now. */
bool gate_is_closed(void);

/* Threads of this process that wait at the gate. */
unsigned gate_waiting(void);

/* --- of chapard --- */

/* Closes it until the deadline (clock_monotonic_us), after which it is open by itself. Those inside
 * are not waited for: see gate_inside. */
void gate_close(uint64_t deadline_us);

/* Opens it. False: it was open already, as the deadline has passed, or was never closed, or there
 * is no memory. */
bool gate_open(void);

/* Threads inside, of all processes. */
unsigned gate_inside(void);

/* Nobody of a slot's process is inside any more: it has ended. */
void gate_clear_slot(int slot);

#endif
