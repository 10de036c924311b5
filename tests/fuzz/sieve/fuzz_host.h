/*
 * A host for fuzzers that says yes to everything, and reads all of what an action refers to.
 */
#ifndef TESTS_FUZZ_SIEVE_FUZZ_HOST_H
#define TESTS_FUZZ_SIEVE_FUZZ_HOST_H

#include "sieve/sieve.h"

/* Not to be optimised away. */
extern volatile unsigned fuzz_sum;

/* Fills in a host. */
void fuzz_host_init(struct sieve_host *host);

#endif
