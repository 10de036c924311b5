/*
 * What the files of `chapar sieve` share.
 */
#ifndef CLI_SIEVE_PRIV_H
#define CLI_SIEVE_PRIV_H

#include "cli/cli_priv.h"

/* Reads a file ("-": standard input) into content, which is initialised with the maximum and the
 * caller's to release, also on failure. Complains and returns an exit status. */
int sieve_read_file(const char *path, size_t maximum, struct buffer *content);

#endif
