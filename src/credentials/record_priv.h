/*
 * The record of one login name, as it is stored.
 *
 *     key    "name/" and the normalised login name
 *     value  version       u8     1
 *            account       16     the account's id
 *            size          u8     of the next field, at most 127
 *            argon2        bytes  "$argon2id$v=19$m=...,t=...,p=1$salt$hash" (RFC 9106)
 *            iterations    u32    little-endian, at least 4096 (RFC 7677 section 4)
 *            size          u8     of the next field, 8 to 64
 *            salt          bytes
 *            StoredKey     32     (RFC 5802 section 3)
 *            ServerKey     32
 *
 * argon2 has no NUL in it, and nothing follows. A name that is closed, since nobody may log in to
 * its account, has
 *
 *     value  version       u8     2
 *            account       16     the account's id
 *
 * A value of an unknown version, or one byte short or over, is corrupt.
 */
#ifndef CREDENTIALS_RECORD_PRIV_H
#define CREDENTIALS_RECORD_PRIV_H

#include "base/buffer.h"
#include "credentials/scram.h"

enum {
    RECORD_VERSION = 1,
    RECORD_VERSION_CLOSED = 2,
    RECORD_ARGON2_MAXIMUM = 127,
    RECORD_SALT_MINIMUM = 8,
    RECORD_ITERATIONS_MINIMUM = 4096,
    RECORD_MAXIMUM = 1 + 16 + 1 + RECORD_ARGON2_MAXIMUM + 4 + 1 + SCRAM_SALT_MAXIMUM + 32 + 32,
};

struct credentials_record {
    uint8_t account[16];
    bool closed;                            /* then there is nothing else */
    char argon2[RECORD_ARGON2_MAXIMUM + 1]; /* ends with NUL */
    struct scram_keys scram;
};

/* Appends the value. */
int record_encode(const struct credentials_record *record, struct buffer *value);

/* ERROR_CORRUPT; then *record is untouched. */
int record_decode(struct slice value, struct credentials_record *record);

#endif
