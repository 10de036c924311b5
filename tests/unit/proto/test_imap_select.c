/*
 * SELECT's parameters, and STORE's (RFC 7162).
 */
#include "imap_dialogue.h"

static void test_select(void **state)
{
    (void)state;
    check_command("SELECT x (CONDSTORE)", "SELECT 'x' condstore");
    check_command("EXAMINE x (condstore qresync (7 5))", "EXAMINE 'x' condstore qresync 7 5");
    check_command("SELECT x (QRESYNC (67890007 90060115194045000 41:211,214:541))",
                  "SELECT 'x' qresync 67890007 90060115194045000 known 41:211,214:541");
    check_command("SELECT x (QRESYNC (7 5 1:29997 (5000,7500,9990:9991 15000,22500,29970:29971)))",
                  "SELECT 'x' qresync 7 5 known 1:29997 match 5000:5000,7500:7500,9990:9991 "
                  "15000:15000,22500:22500,29970:29971");
    check_command("SELECT x (QRESYNC (7 5 (1 2)))", "SELECT 'x' qresync 7 5 match 1:1 2:2");
    check_command("SELECT x (QRESYNC (7 5 (1:3 4:5,9)))",
                  "SELECT 'x' qresync 7 5 match 1:3 4:5,9:9");
}

static void test_bad_select(void **state)
{
    (void)state;
    check_bad("SELECT x ()", "Select parameter: unknown");
    check_bad("SELECT x CONDSTORE", "Select parameter: expected a list");
    check_bad("SELECT x (COLOUR)", "Select parameter: unknown");
    check_bad("SELECT x (CONDSTORE", "Select parameter: expected a closing parenthesis");
    check_bad("SELECT x (QRESYNC)", "Select parameter: expected a list");
    check_bad("SELECT x (QRESYNC (0 5))", "Select parameter: expected a number other than 0");
    check_bad("SELECT x (QRESYNC (7))", "Select parameter: expected a modification sequence");
    check_bad("SELECT x (QRESYNC (7 9223372036854775808))",
              "Select parameter: the number is too large");
    check_bad("SELECT x (QRESYNC (7 5) QRESYNC (7 5))", "Select parameter: unknown");
    check_bad("SELECT x (QRESYNC (7 5 1:*))", "Select parameter: * is not known");
    check_bad("SELECT x (QRESYNC (7 5 $))", "Select parameter: expected numbers");
    check_bad("SELECT x (QRESYNC (7 5 1:9 (1,2 3)))",
              "Select parameter: expected ascending numbers and as many UIDs");
    check_bad("SELECT x (QRESYNC (7 5 1:9 (2,1 3,4)))",
              "Select parameter: expected ascending numbers and as many UIDs");
    check_bad("SELECT x (QRESYNC (7 5 1:9 (1:2 4:3)))",
              "Select parameter: expected ascending numbers and as many UIDs");
    check_bad("SELECT x (QRESYNC (7 5 1:9 (1)))", "Select parameter: expected the numbers' UIDs");
}

static void test_store(void **state)
{
    (void)state;
    check_command("UID STORE 6,4 (UNCHANGEDSINCE 12121230045) +FLAGS.SILENT (\\Deleted)",
                  "UID STORE 6:6,4:4 unchanged 12121230045 +silent flags 8");
    check_command("STORE 1 (unchangedsince 0) FLAGS x", "STORE 1:1 unchanged 0 = flags 0 x");
    check_bad("STORE 1 (CHANGEDSINCE 1) FLAGS x", "Store modifier: unknown");
    check_bad("STORE 1 () FLAGS x", "Store modifier: unknown");
    check_bad("STORE 1 (UNCHANGEDSINCE 1 UNCHANGEDSINCE 1) FLAGS x",
              "Store modifier: expected a closing parenthesis");
    check_bad("STORE 1 (UNCHANGEDSINCE) FLAGS x",
              "Store modifier: expected a modification sequence");
    check_bad("STORE 1 (UNCHANGEDSINCE 1)", "Store item: missing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_select),
        cmocka_unit_test(test_bad_select),
        cmocka_unit_test(test_store),
    };
    return cmocka_run_group_tests_name("select", tests, NULL, NULL);
}
