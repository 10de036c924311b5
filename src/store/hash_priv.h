/*
 * The one hash of the store.
 */
#ifndef STORE_HASH_PRIV_H
#define STORE_HASH_PRIV_H

#include "base/slice.h"

#include <stdint.h>

enum { HASH_SIZE = 32 };

/* Their SHA-256. ERROR_MEMORY. */
int bytes_hash(struct slice bytes, uint8_t sha256[HASH_SIZE]);

#endif
