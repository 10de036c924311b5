#include "../check.h"
#include "base/error.h"
#include "credentials/record_priv.h"

#include <stdlib.h>

static void make(struct buffer *value)
{
    struct credentials_record record = {
        .account = {1, 2, 3, 16},
        .argon2 = "$argon2id$v=19$m=8192,t=1,p=1$c2FsdA$aGFzaA",
        .scram = {.iterations = 15000, .salt = {9, 8, 7}, .salt_size = 16},
    };
    memset(record.scram.stored_key, 0xaa, sizeof record.scram.stored_key);
    memset(record.scram.server_key, 0xbb, sizeof record.scram.server_key);
    buffer_init(value, RECORD_MAXIMUM);
    assert_int_equal(record_encode(&record, value), 0);
}

static void test_round_trip(void **state)
{
    (void)state;
    struct buffer value, again;
    struct credentials_record record;
    make(&value);
    assert_int_equal(record_decode(buffer_slice(&value), &record), 0);
    assert_int_equal(record.account[3], 16);
    assert_string_equal(record.argon2, "$argon2id$v=19$m=8192,t=1,p=1$c2FsdA$aGFzaA");
    assert_int_equal(record.scram.iterations, 15000);
    assert_int_equal(record.scram.server_key[31], 0xbb);
    buffer_init(&again, RECORD_MAXIMUM);
    assert_int_equal(record_encode(&record, &again), 0);
    assert_true(slice_equal(buffer_slice(&value), buffer_slice(&again)));
    buffer_release(&value);
    buffer_release(&again);
}

/* Every length but the right one, in a block of exactly that size so that a read beyond shows. */
static void test_short_and_surplus(void **state)
{
    (void)state;
    struct buffer value;
    make(&value);
    for (size_t size = 0; size <= value.size + 1; size++) {
        struct credentials_record record;
        char *bytes = malloc(size ? size : 1);
        memset(bytes, 0, size ? size : 1);
        memcpy(bytes, value.data, size < value.size ? size : value.size);
        int error = record_decode(slice_make(bytes, size), &record);
        assert_int_equal(error, size == value.size ? 0 : ERROR_CORRUPT);
        free(bytes);
    }
    buffer_release(&value);
}

static void test_out_of_range(void **state)
{
    (void)state;
    enum { VERSION = 0, ARGON2_SIZE = 17, ITERATIONS = 18 + 43 };
    static const struct {
        size_t offset;
        char byte;
    } rows[] = {
        {VERSION, 0},           {VERSION, 2},        {ARGON2_SIZE, 0},    {ARGON2_SIZE, (char)128},
        {ITERATIONS + 1, 0x0f}, {ITERATIONS + 4, 7}, {ITERATIONS + 4, 65}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buffer value;
        struct credentials_record record;
        make(&value);
        value.data[rows[i].offset] = rows[i].byte;
        assert_int_equal(record_decode(buffer_slice(&value), &record), ERROR_CORRUPT);
        buffer_release(&value);
    }
}

/* A name that is closed has nothing but its account. */
static void test_closed(void **state)
{
    (void)state;
    struct credentials_record record = {.account = {1, 2, 3, 16}, .closed = true}, read = {0};
    struct buffer value;
    buffer_init(&value, RECORD_MAXIMUM);
    assert_int_equal(record_encode(&record, &value), 0);
    assert_int_equal(value.size, 17);
    assert_int_equal(record_decode(buffer_slice(&value), &read), 0);
    assert_true(read.closed);
    assert_int_equal(read.account[3], 16);
    assert_int_equal(read.argon2[0], '\0');
    for (size_t size = 0; size < value.size; size++)
        assert_int_equal(record_decode(slice_make(value.data, size), &read), ERROR_CORRUPT);
    buffer_append_byte(&value, 0);
    assert_int_equal(record_decode(buffer_slice(&value), &read), ERROR_CORRUPT);
    value.data[0] = 3;
    assert_int_equal(record_decode(slice_make(value.data, 17), &read), ERROR_CORRUPT);
    buffer_release(&value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_short_and_surplus),
        cmocka_unit_test(test_out_of_range),
        cmocka_unit_test(test_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
