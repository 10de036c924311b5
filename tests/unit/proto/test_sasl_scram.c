#include "../check.h"

#include "base/error.h"
#include "proto/sasl/plain.h"
#include "proto/sasl/scram.h"

#include <stdio.h>

/* "binding name|authorization|name|nonce|header|bare" */
static void check_first(const char *message, const char *expected)
{
    struct sasl_scram_first first;
    char text[512];
    assert_int_equal(sasl_scram_first_parse(slice_from_string(message), &first), 0);
    snprintf(text, sizeof(text), "%c %.*s|%.*s|%.*s|%.*s|%.*s|%.*s", first.binding,
             SLICE_FORMAT(first.binding_name), SLICE_FORMAT(first.authorization),
             SLICE_FORMAT(first.name), SLICE_FORMAT(first.nonce), SLICE_FORMAT(first.header),
             SLICE_FORMAT(first.bare));
    assert_string_equal(text, expected);
}

/* RFC 7677 section 3, RFC 5802 sections 5 and 7. */
static void test_first(void **state)
{
    (void)state;
    check_first("n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
                "n ||user|rOprNGfwEbeRWgbNEkqO|n,,|n=user,r=rOprNGfwEbeRWgbNEkqO");
    check_first("y,a=other,n=us=2Cer,r=x", "y |other|us=2Cer|x|y,a=other,|n=us=2Cer,r=x");
    check_first("p=tls-exporter,,n=u,r=!~,x=more",
                "p tls-exporter||u|!~|p=tls-exporter,,|n=u,r=!~,x=more");
    check_first("p=tls-server-end-point,a=b,n=u,r=1",
                "p tls-server-end-point|b|u|1|p=tls-server-end-point,a=b,|n=u,r=1");
}

static void test_first_that_is_none(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "n",
        "n,",
        "n,,",
        "n,n=user,r=x",
        "x,,n=user,r=x",
        "n=,,n=user,r=x",
        "p,,n=user,r=x",
        "p=,,n=user,r=x",
        "n,a=,n=user,r=x",
        "n,b=c,n=user,r=x",
        "n,,n=,r=x",
        "n,,n=user",
        "n,,n=user,",
        "n,,n=user,r=",
        "n,,r=x,n=user",
        "n,,n=user,r=a b",
        "n,,n=user,r=\xc3\xa9",
        "n,,m=must,n=user,r=x", /* RFC 5802 section 5.1: unknown, so the exchange fails */
    };
    struct sasl_scram_first first;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(sasl_scram_first_parse(slice_from_string(wrong[i]), &first), ERROR_SYNTAX);
}

static void check_name(struct slice escaped, int expected_error, const char *expected)
{
    struct buffer name;
    buffer_init(&name, SASL_NAME_MAXIMUM);
    assert_int_equal(sasl_scram_name(escaped, &name), expected_error);
    if (!expected_error)
        assert_slice_equal(buffer_slice(&name), expected);
    buffer_release(&name);
}

static void test_names(void **state)
{
    (void)state;
    check_name(SLICE("user"), 0, "user");
    check_name(SLICE("=2C=3Da=3D=2Cb\xc3\xa9"), 0, ",=a=,b\xc3\xa9");
    check_name(SLICE(""), 0, "");
    check_name(SLICE("a="), ERROR_SYNTAX, "");
    check_name(SLICE("a=2"), ERROR_SYNTAX, "");
    check_name(SLICE("a=2c"), ERROR_SYNTAX, "");
    check_name(SLICE("a=3E"), ERROR_SYNTAX, "");
    check_name(SLICE("a\0b"), ERROR_SYNTAX, "");
    check_name(SLICE("\xff"), ERROR_SYNTAX, "");
    char longest[3 * SASL_NAME_MAXIMUM + 1];
    for (size_t i = 0; i < sizeof(longest); i++)
        longest[i] = "=2C"[i % 3];
    check_name(slice_make(longest, 6), 0, ",,");
    check_name(slice_make(longest, sizeof(longest)), ERROR_LIMIT, "");
    memset(longest, 'a', sizeof(longest));
    check_name(slice_make(longest, SASL_NAME_MAXIMUM + 1), ERROR_LIMIT, "");
}

/* "binding|nonce|proof|without proof" */
static void check_final(const char *message, const char *expected)
{
    struct sasl_scram_final final;
    char text[512];
    assert_int_equal(sasl_scram_final_parse(slice_from_string(message), &final), 0);
    snprintf(text, sizeof(text), "%.*s|%.*s|%.*s|%.*s", SLICE_FORMAT(final.binding),
             SLICE_FORMAT(final.nonce), SLICE_FORMAT(final.proof),
             SLICE_FORMAT(final.without_proof));
    assert_string_equal(text, expected);
}

static void test_final(void **state)
{
    (void)state;
    check_final("c=biws,r=rOprNGfwEbeRWgbNEkqO%hvY,p=dHzbZapWIk4=",
                "biws|rOprNGfwEbeRWgbNEkqO%hvY|dHzbZapWIk4=|c=biws,r=rOprNGfwEbeRWgbNEkqO%hvY");
    check_final("c=YQ==,r=x,e=f,g=h,p=z", "YQ==|x|z|c=YQ==,r=x,e=f,g=h");
    static const char *const wrong[] = {
        "",        "c=biws",           "c=biws,r=x",     "c=biws,r=x,",     "c=biws,r=x,p=",
        "r=x,p=z", "c=,r=x,p=z",       "c=biws,p=z",     "c=biws,r=,p=z",   "r=x,c=biws,p=z",
        "c=biws,", "c=biws,r=x,p=z,q", "c=biws,r=x,e=f", "m=a,c=b,r=x,p=z",
    };
    struct sasl_scram_final final;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(sasl_scram_final_parse(slice_from_string(wrong[i]), &final), ERROR_SYNTAX);
}

/* SASL_SCRAM_MESSAGE_MAXIMUM, SASL_SCRAM_NONCE_MAXIMUM. */
static void test_limits(void **state)
{
    (void)state;
    struct sasl_scram_first first;
    struct sasl_scram_final final;
    char text[SASL_SCRAM_MESSAGE_MAXIMUM + 2];
    snprintf(text, sizeof(text), "n,,n=u,r=%0*d", SASL_SCRAM_NONCE_MAXIMUM, 0);
    assert_int_equal(sasl_scram_first_parse(slice_from_string(text), &first), 0);
    snprintf(text, sizeof(text), "n,,n=u,r=%0*d", SASL_SCRAM_NONCE_MAXIMUM + 1, 0);
    assert_int_equal(sasl_scram_first_parse(slice_from_string(text), &first), ERROR_LIMIT);
    snprintf(text, sizeof(text), "n,,n=u,r=x,e=%0*d", SASL_SCRAM_MESSAGE_MAXIMUM - 13, 0);
    assert_int_equal(sasl_scram_first_parse(slice_from_string(text), &first), 0);
    snprintf(text, sizeof(text), "n,,n=u,r=x,e=%0*d", SASL_SCRAM_MESSAGE_MAXIMUM - 12, 0);
    assert_int_equal(sasl_scram_first_parse(slice_from_string(text), &first), ERROR_LIMIT);
    snprintf(text, sizeof(text), "c=b,r=x,p=%0*d", SASL_SCRAM_MESSAGE_MAXIMUM - 9, 0);
    assert_int_equal(sasl_scram_final_parse(slice_from_string(text), &final), ERROR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first),  cmocka_unit_test(test_first_that_is_none),
        cmocka_unit_test(test_names),  cmocka_unit_test(test_final),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
