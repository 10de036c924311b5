/*
 * Actions as lines of text.
 */
#ifndef TESTS_UNIT_SIEVE_RENDER_H
#define TESTS_UNIT_SIEVE_RENDER_H

#include "sieve/host.h"

/* Appends one line without its end: the kind, the target in quotes, and what else was given. */
void render_action(const struct sieve_action *action, struct buffer *text);

#endif
