/*
 * What the engine's files share: reading a request once it is complete.
 */
#ifndef PROTO_MTA_ENGINE_PRIV_H
#define PROTO_MTA_ENGINE_PRIV_H

#include "proto/mta/engine.h"

/* --- policy.c --- */

/* Whether the lines are a request that is to be answered by asking: question, key and size are set.
 * 1: ask; 0: answer DUNNO; ERROR_SYNTAX: no such request. */
int mta_policy_parse(struct mta *mta, struct slice lines);

#endif
