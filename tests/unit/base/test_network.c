#include "../check.h"

#include "base/error.h"
#include "base/network.h"

static bool contains(const char *text, const char *address)
{
    struct network network;
    assert_int_equal(network_parse(text, &network), 0);
    return network_contains(&network, address);
}

static void an_address_is_a_network_of_one(void **state)
{
    (void)state;
    assert_true(contains("192.0.2.1", "192.0.2.1"));
    assert_false(contains("192.0.2.1", "192.0.2.2"));
    assert_true(contains("2001:db8::1", "2001:DB8:0::1"));
    assert_false(contains("2001:db8::1", "2001:db8::2"));
    assert_true(contains("192.0.2.1/32", "192.0.2.1"));
    assert_true(contains("2001:db8::1/128", "2001:db8::1"));
}

static void networks_end_at_any_bit(void **state)
{
    (void)state;
    assert_true(contains("192.0.2.0/24", "192.0.2.255"));
    assert_false(contains("192.0.2.0/24", "192.0.3.0"));
    assert_true(contains("192.0.2.128/25", "192.0.2.128"));
    assert_false(contains("192.0.2.128/25", "192.0.2.127"));
    assert_true(contains("10.32.0.0/11", "10.63.255.255"));
    assert_false(contains("10.32.0.0/11", "10.64.0.0"));
    assert_true(contains("2001:db8::/33", "2001:db8:7fff::1"));
    assert_false(contains("2001:db8::/33", "2001:db8:8000::1"));
    assert_true(contains("0.0.0.0/0", "203.0.113.9"));
    assert_true(contains("::/0", "2001:db8::1"));
}

static void families_are_apart(void **state)
{
    (void)state;
    assert_false(contains("::/0", "192.0.2.1"));
    assert_false(contains("0.0.0.0/0", "2001:db8::1"));
    assert_false(contains("0.0.0.0/0", "local"));
    assert_false(contains("0.0.0.0/0", ""));
    assert_false(contains("0.0.0.0/0", "192.0.2.1/32"));
}

static void what_is_none(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "/24",
        "192.0.2",
        "192.0.2.0/",
        "192.0.2.0/33",
        "192.0.2.0/-1",
        "192.0.2.0/+8",
        "192.0.2.0/ 8",
        "192.0.2.0/24x",
        "192.0.2.0/0000000024",
        "192.0.2.7/24",
        "2001:db8::/129",
        "2001:db8::1/64",
        "mail.example.org",
        "192.0.2.1:24",
        "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000/0",
    };
    struct network network = {.bits = 7};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        if (network_parse(wrong[i], &network) != ERROR_SYNTAX)
            fail_msg("\"%s\" is taken", wrong[i]);
    assert_int_equal(network.bits, 7);
}

static void lists(void **state)
{
    (void)state;
    char first[] = "192.0.2.1", none[] = "x", second[] = "2001:db8::/32";
    char *items[] = {first, none, second};
    const struct config_list list = {items, 3}, empty = {NULL, 0};
    assert_true(network_list_contains(&list, "192.0.2.1"));
    assert_true(network_list_contains(&list, "2001:db8::25"));
    assert_false(network_list_contains(&list, "192.0.2.2"));
    assert_false(network_list_contains(&empty, "192.0.2.1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_a_network_of_one),
        cmocka_unit_test(networks_end_at_any_bit),
        cmocka_unit_test(families_are_apart),
        cmocka_unit_test(what_is_none),
        cmocka_unit_test(lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
