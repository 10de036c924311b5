#include "../check.h"

#include "base/error.h"
#include "proto/sasl/login.h"
#include "proto/sasl/plain.h"

static void test_mechanisms(void **state)
{
    (void)state;
    struct login_options options = {.mechanisms = "  PLAIN SCRAM-SHA-256 "};
    struct slice words = slice_from_string(options.mechanisms);
    assert_slice_equal(login_next_mechanism(&words), "PLAIN");
    assert_slice_equal(login_next_mechanism(&words), "SCRAM-SHA-256");
    assert_slice_equal(login_next_mechanism(&words), "");
    assert_slice_equal(login_find_mechanism(options.mechanisms, SLICE("scram-sha-256")),
                       "SCRAM-SHA-256");
    assert_slice_equal(login_find_mechanism(options.mechanisms, SLICE("SCRAM")), "");
    assert_slice_equal(login_find_mechanism(options.mechanisms, SLICE("")), "");
    /* One that the exchange could not keep is not offered. */
    options.mechanisms = "A123456789012345678901234567890B A12345678901234567890123456789C";
    assert_slice_equal(
        login_find_mechanism(options.mechanisms, SLICE("A123456789012345678901234567890B")), "");
    assert_int_equal(
        login_find_mechanism(options.mechanisms, SLICE("A12345678901234567890123456789C")).size,
        31);
}

static void test_responses(void **state)
{
    (void)state;
    struct login_exchange exchange;
    login_exchange_init(&exchange, 8, 12);
    login_exchange_begin(&exchange, SLICE("a1"), SLICE("PLAIN"), false);
    assert_true(exchange.first_response && !exchange.has_response);
    assert_int_equal(login_exchange_take(&exchange, SLICE("YWJj")), 0);
    assert_true(exchange.has_response);
    assert_slice_equal(buffer_slice(&exchange.response), "abc");
    assert_int_equal(login_exchange_take(&exchange, SLICE("*")), ERROR_CLOSED);
    assert_null(exchange.response.data);
    assert_int_equal(login_exchange_take(&exchange, SLICE("no base64")), ERROR_SYNTAX);
    assert_null(exchange.response.data);
    assert_int_equal(login_exchange_take(&exchange, SLICE("YWJjYWJjYWJjYWJjYWJj")), ERROR_LIMIT);
    assert_null(exchange.response.data);
    assert_int_equal(login_exchange_take(&exchange, SLICE("")), 0);
    login_exchange_begin(&exchange, SLICE("a2"), SLICE("SCRAM-SHA-256"), true);
    assert_string_equal(exchange.mechanism, "SCRAM-SHA-256");
    assert_slice_equal(buffer_slice(&exchange.tag), "a2");
    login_exchange_release(&exchange);
}

static void test_name_and_password(void **state)
{
    (void)state;
    struct login_exchange exchange;
    struct sasl_plain plain;
    login_exchange_init(&exchange, 8, 100);
    login_exchange_begin(&exchange, SLICE(""), SLICE("PLAIN"), false);
    assert_int_equal(login_exchange_set_plain(&exchange, SLICE("alice"), SLICE("secret")), 0);
    assert_true(exchange.has_response);
    assert_int_equal(sasl_plain_parse(buffer_slice(&exchange.response), &plain), 0);
    assert_slice_equal(plain.authentication, "alice");
    assert_slice_equal(plain.password, "secret");
    login_exchange_wipe(&exchange);
    assert_true(login_exchange_set_plain(&exchange, SLICE("alice"), SLICE("")) != 0);
    assert_null(exchange.response.data);
    login_exchange_release(&exchange);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mechanisms),
        cmocka_unit_test(test_responses),
        cmocka_unit_test(test_name_and_password),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
