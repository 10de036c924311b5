/*
 * What the tests of kv/sqlite share: a space in a folder of its own, and counts of what is asked of
 * its files.
 */
#ifndef TESTS_UNIT_KV_SQLITE_TEST_H
#define TESTS_UNIT_KV_SQLITE_TEST_H

#include "base/error.h"
#include "kv/engine_priv.h"
#include "kv/kv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

enum { MESSAGE_BYTES = 20 * 1024, LOG_HEADER_BYTES = 32, FRAME_BYTES = 24 + 8192 };

/* Calls of SQLite's library for files, in this process. Zeros for what is to come count for
 * themselves. */
extern _Atomic unsigned flushes, writes, reads;
extern _Atomic size_t written, written_ahead;

unsigned flushes_since_last(void);

struct fixture {
    char directory[64];
    struct kv_engine *engine;
    struct kv *kv;
    bool mounted;
};

/* For cmocka_unit_test_setup_teardown. */
int set_up(void **state);
int tear_down(void **state);

void path_of(const struct fixture *f, const char *file, char path[128]);

/* A commit of one value, of other bytes each time. */
int put_bytes(struct kv *kv, const char *key, size_t size, enum kv_durability durability);

/* What reading the key says. */
int get_error(struct kv *kv, const char *key);

/* Of the file. */
off_t log_size(const struct fixture *f);

/* No file of this process may become longer, as a quota or a limit would do it; below 0: no limit.
 */
void limit_files(off_t bytes);
void lift_limit(struct fixture *f);

#endif
