#include "../check.h"

#include "proto/imap/list_match.h"
#include "proto/imap/reader.h"

static bool match(const char *pattern, const char *name)
{
    return imap_list_match(slice_from_string(pattern), slice_from_string(name), '/');
}

static bool match_child(const char *pattern, const char *name)
{
    return imap_list_match_child(slice_from_string(pattern), slice_from_string(name), '/');
}

static void test_literal(void **state)
{
    (void)state;
    assert_true(match("Sent", "Sent"));
    assert_false(match("Sent", "sent"));
    assert_false(match("Sent", "Sent/2024"));
    assert_false(match("", "Sent"));
    assert_true(match("", ""));
}

static void test_wildcards(void **state)
{
    (void)state;
    assert_true(match("*", "a/b/c"));
    assert_true(match("*", ""));
    assert_true(match("%", "a"));
    assert_false(match("%", "a/b"));
    assert_true(match("%/%", "a/b"));
    assert_false(match("%/%", "a/b/c"));
    assert_true(match("a*c", "abc"));
    assert_true(match("a*c", "a/b/c"));
    assert_false(match("a%c", "a/c"));
    assert_true(match("*%*", "a/b/c"));
    /* What follows '%' may need '*' to give way first. */
    assert_true(match("*b%d", "abx/bcd"));
    assert_true(match("%*", "a/b"));
}

static void test_inbox(void **state)
{
    (void)state;
    assert_true(match("inbox", "INBOX"));
    assert_true(match("InBox/x", "INBOX/x"));
    assert_false(match("inbox/X", "INBOX/x"));
    assert_true(match("inb%", "INBOX"));
    assert_false(match("inboxes", "INBOXES"));
}

static void test_child(void **state)
{
    (void)state;
    assert_true(match_child("*", "a"));
    assert_false(match_child("%", "a"));
    assert_true(match_child("%/%", "a"));
    assert_true(match_child("a/b/c", "a"));
    assert_true(match_child("a/b/c", "a/b"));
    assert_false(match_child("a/b/c", "a/b/c"));
    assert_false(match_child("b/%", "a"));
    assert_false(match_child("a/", "a"));
}

static void test_limits(void **state)
{
    (void)state;
    static char pattern[2 * IMAP_MAILBOX_NAME_MAXIMUM + 2], name[IMAP_MAILBOX_NAME_MAXIMUM];
    memset(name, 'a', sizeof(name));
    memset(pattern, '*', sizeof(pattern));
    assert_true(imap_list_match(slice_make(pattern, sizeof(pattern) - 1),
                                slice_make(name, sizeof(name)), '/'));
    assert_false(
        imap_list_match(slice_make(pattern, sizeof(pattern)), slice_make(name, sizeof(name)), '/'));
    /* What costs a backtracking matcher the age of the universe. */
    for (size_t i = 0; i < 200; i += 2)
        pattern[i] = 'a';
    pattern[200] = 'b';
    assert_false(imap_list_match(slice_make(pattern, 201), slice_make(name, sizeof(name)), '/'));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_literal), cmocka_unit_test(test_wildcards),
        cmocka_unit_test(test_inbox),   cmocka_unit_test(test_child),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests_name("list_match", tests, NULL, NULL);
}
