/*
 * What the tests share that count how many keys of the directory are read. The linker puts their
 * functions in front of the store's (meson.build).
 */
#ifndef TESTS_UNIT_STORE_DIRECTORY_TEST_H
#define TESTS_UNIT_STORE_DIRECTORY_TEST_H

#include "store_test.h"

/* Of any space, since a test last set it to 0. */
extern size_t keys_read;

struct account_id make_account(struct fixture *f, const char *name);

#endif
