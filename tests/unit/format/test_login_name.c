#include "../check.h"
#include "base/error.h"
#include "format/login_name.h"

static int normalise(const char *name, const char *domain, char result[400])
{
    struct buffer normal;
    buffer_init(&normal, 399);
    int error = address_normalise(slice_from_string(name), domain, &normal);
    if (error)
        assert_int_equal(normal.size, 0);
    else
        memcpy(result, normal.data, normal.size + 1);
    buffer_release(&normal);
    return error;
}

static void test_accepted(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {"alice", "example.test", "alice@example.test"},
        {"Alice@Example.TEST", NULL, "alice@example.test"},
        {"ALICE", "Example.Test", "alice@example.test"},
        {"a.b+list/x@mail-1.example.org", "", "a.b+list/x@mail-1.example.org"},
        {"bob@localhost", "example.test", "bob@localhost"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char result[400];
        assert_int_equal(normalise(rows[i][0], rows[i][1], result), 0);
        assert_string_equal(result, rows[i][2]);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const names[] = {
        "",
        "@example.test",
        "alice@",
        "alice@example.test.",
        "alice@.test",
        "a b",
        "a@b@c",
        "a@b..c",
        "a@-b.test",
        "a@b-.test",
        "a@b_c",
        "al\xc3\xa9",
        "\"a\"@b",
        "a@b\n",
        "a@[::1]",
        "a\\@b",
    };
    char result[400];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_int_equal(normalise(names[i], "example.test", result), ERROR_SYNTAX);
    assert_int_equal(normalise("alice", NULL, result), ERROR_SYNTAX);
    assert_int_equal(normalise("alice", "", result), ERROR_SYNTAX);
    struct buffer normal;
    buffer_init(&normal, 100);
    assert_int_equal(address_normalise(SLICE("a\0b@c"), NULL, &normal), ERROR_SYNTAX);
    buffer_release(&normal);
}

static void test_limits(void **state)
{
    (void)state;
    char local[ADDRESS_LOCAL_MAXIMUM + 2] = {0};
    char domain[ADDRESS_DOMAIN_MAXIMUM + 2] = {0};
    char result[400];
    memset(local, 'a', ADDRESS_LOCAL_MAXIMUM);
    memset(domain, 'd', ADDRESS_DOMAIN_MAXIMUM);
    assert_int_equal(normalise(local, domain, result), 0);
    assert_int_equal(strlen(result), ADDRESS_LOCAL_MAXIMUM + 1 + ADDRESS_DOMAIN_MAXIMUM);
    local[ADDRESS_LOCAL_MAXIMUM] = 'a';
    assert_int_equal(normalise(local, domain, result), ERROR_LIMIT);
    domain[ADDRESS_DOMAIN_MAXIMUM] = 'd';
    assert_int_equal(normalise("alice", domain, result), ERROR_LIMIT);
    struct buffer small;
    buffer_init(&small, 10);
    assert_int_equal(address_normalise(SLICE("alice@example.test"), NULL, &small), ERROR_LIMIT);
    assert_int_equal(small.size, 0);
    buffer_release(&small);
}

static void test_list(void **state)
{
    (void)state;
    static char empty[] = "", wrong[] = "no address@", alone[] = "Alice",
                full[] = "Bob@Example.ORG";
    char *items[] = {empty, wrong, alone, full};
    const struct config_list list = {items, 4}, none = {0};
    static const struct {
        const char *name;
        bool listed;
    } rows[] = {
        {"alice@example.test", true},
        {"bob@example.org", true},
        {"bob@example.test", false},
        {"alice@example.org", false},
        {"Alice", false},
        {"", false},
        {"no address@", false},
        {"alice@example.tes", false},
        {"alice@example.testt", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct slice name = slice_from_string(rows[i].name);
        assert_int_equal(address_is_listed(&list, "example.test", name), rows[i].listed);
        assert_false(address_is_listed(&none, "example.test", name));
    }
    /* Without a default domain a name alone is nobody's. */
    assert_false(address_is_listed(&list, "", SLICE("alice@example.test")));
    assert_true(address_is_listed(&list, NULL, SLICE("bob@example.org")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepted),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
