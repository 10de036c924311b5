/*
 * Faults in what a test program does to its files. faults.c defines the C library's calls that
 * change files; libraries such as SQLite call these. Files are below the directory that is watched,
 * all else passes.
 *
 *     faults_watch(directory);
 *     faults_plan(FAULT_KILL, 17);     // the 17th call from now on
 *     ...
 */
#ifndef TESTS_UNIT_FAULTS_H
#define TESTS_UNIT_FAULTS_H

#include <stdbool.h>

enum fault {
    FAULT_NONE,
    FAULT_KILL,       /* the process ends in place of the call */
    FAULT_KILL_SHORT, /* it writes half of what it should, and ends */
    FAULT_POWER,      /* it ends, and of what was not flushed any part is lost */
    FAULT_SHORT,      /* this write writes half, and says so */
    FAULT_IO,         /* this call fails with EIO */
    FAULT_SYNC,       /* the first flush from this call on fails with EIO */
    FAULT_FULL,       /* every write fails with ENOSPC from this call on */
    FAULTS,
};

enum { FAULTS_EXIT = 99 }; /* exit status of a process that a fault ended */

const char *fault_name(enum fault fault);

/* Counts calls that change files below the directory from now on. */
void faults_watch(const char *directory);

/* What happens at the call of that number from now on, the first being 1. `seed` decides what a
 * power cut takes. */
void faults_plan(enum fault fault, unsigned call, unsigned seed);

/* The disk has room again, nothing is planned. */
void faults_clear(void);

/* Calls since faults_plan or faults_watch, and whether the planned fault has come. */
unsigned faults_calls(void);
bool faults_met(void);

#endif
