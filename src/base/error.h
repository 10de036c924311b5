/*
 * The errors of Chapar's own functions: one enum, by cause.
 *
 * A function that can fail returns int: 0, or one of these (negative). A caller decides by the
 * cause; text for people is made where it is shown. On failure, outputs are untouched unless the
 * function's contract says otherwise.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdbool.h>

enum error_code {
    ERROR_NONE = 0,
    /* What was asked for does not exist (or the caller may not know that it does). */
    ERROR_NOT_FOUND = -1,
    /* It exists already. */
    ERROR_EXISTS = -2,
    /* The caller lacks a right for this. */
    ERROR_DENIED = -3,
    /* The input breaks the rules of its format or protocol. */
    ERROR_SYNTAX = -4,
    /* A named limit (length, depth, count, memory budget) would be passed. */
    ERROR_LIMIT = -5,
    /* A quota would be passed. */
    ERROR_QUOTA = -6,
    /* No memory from the system (not from a budget: that is ERROR_LIMIT). */
    ERROR_MEMORY = -7,
    /* The disk is full. Nothing was changed; it may pass. */
    ERROR_SPACE = -8,
    /* Reading or writing failed (EIO and its like). Nothing acknowledged is lost by it. */
    ERROR_IO = -9,
    /* Stored data is not what it should be: wrong checksum, short value, unknown version. */
    ERROR_CORRUPT = -10,
    /* Somebody else holds it, or the engine is away; the same call may succeed later. */
    ERROR_BUSY = -11,
    /* A time limit passed. */
    ERROR_TIMEOUT = -12,
    /* The condition named by the caller (modseq, version) does not hold any more. */
    ERROR_CONFLICT = -13,
    /* The change log is not kept that far back: the caller must read everything anew. */
    ERROR_CANNOT_CALCULATE = -14,
    /* The peer closed, or the process is draining. */
    ERROR_CLOSED = -15,
    /* The argument or the combination is not valid here; a caller's mistake. */
    ERROR_INVALID = -16,
    /* This build, kernel or engine cannot do it. */
    ERROR_UNSUPPORTED = -17,
    /* The peer sent a message that is not permitted in this state, or one that does not parse. */
    ERROR_PROTOCOL = -18,
};

/* "not-found", ... : a stable word for logs and JSON. Never NULL. */
const char *error_name(int code);

/* One short sentence for people, without a full stop. Never NULL. */
const char *error_text(int code);

/* Whether the same call may succeed later without anybody mending anything (SMTP's 4xx). */
bool error_is_temporary(int code);

/* The code for a failed system call's errno. */
int error_from_errno(int errnum);

#endif
