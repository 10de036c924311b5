#include "../check.h"
#include "base/error.h"
#include "front/auth/tickets_priv.h"

#include <sodium.h>

static const uint64_t SECOND = 1000 * 1000;
static const struct ticket_facts ALICE = {
    .account = {0xa1, 7}, .protocol = PROTOCOL_IMAP, .name = "alice@example.test"};

static int set_up(void **state)
{
    return tickets_create((struct tickets **)state);
}

static int tear_down(void **state)
{
    tickets_free((struct tickets **)state);
    return 0;
}

static void test_single_use(void **state)
{
    struct tickets *tickets = *state;
    uint8_t ticket[TICKET_SIZE];
    struct ticket_facts facts;
    assert_int_equal(tickets_issue(tickets, &ALICE, SECOND, ticket), 0);
    assert_int_equal(tickets_redeem(tickets, ticket, PROTOCOL_IMAP, SECOND, &facts), 0);
    assert_memory_equal(facts.account, ALICE.account, 16);
    assert_string_equal(facts.name, "alice@example.test");
    assert_int_equal(tickets_redeem(tickets, ticket, PROTOCOL_IMAP, SECOND, &facts),
                     ERROR_NOT_FOUND);
}

static void test_unknown(void **state)
{
    struct tickets *tickets = *state;
    uint8_t ticket[TICKET_SIZE];
    struct ticket_facts facts;
    assert_int_equal(tickets_issue(tickets, &ALICE, SECOND, ticket), 0);
    ticket[TICKET_SIZE - 1] ^= 1;
    assert_int_equal(tickets_redeem(tickets, ticket, PROTOCOL_IMAP, SECOND, &facts),
                     ERROR_NOT_FOUND);
    ticket[TICKET_SIZE - 1] ^= 1;
    assert_int_equal(tickets_redeem(tickets, ticket, PROTOCOL_IMAP, SECOND, &facts), 0);
}

static void test_expiry(void **state)
{
    struct tickets *tickets = *state;
    uint8_t first[TICKET_SIZE], second[TICKET_SIZE];
    struct ticket_facts facts;
    assert_int_equal(tickets_issue(tickets, &ALICE, SECOND, first), 0);
    assert_int_equal(tickets_issue(tickets, &ALICE, SECOND, second), 0);
    uint64_t end = (1 + TICKET_LIFETIME) * SECOND;
    assert_int_equal(tickets_redeem(tickets, first, PROTOCOL_IMAP, end - 1, &facts), 0);
    assert_int_equal(tickets_redeem(tickets, second, PROTOCOL_IMAP, end, &facts), ERROR_NOT_FOUND);
}

/* Shown for another protocol it is used up. */
static void test_wrong_protocol(void **state)
{
    struct tickets *tickets = *state;
    uint8_t ticket[TICKET_SIZE];
    struct ticket_facts facts;
    assert_int_equal(tickets_issue(tickets, &ALICE, SECOND, ticket), 0);
    assert_int_equal(tickets_redeem(tickets, ticket, PROTOCOL_LMTP, SECOND, &facts),
                     ERROR_NOT_FOUND);
    assert_int_equal(tickets_redeem(tickets, ticket, PROTOCOL_IMAP, SECOND, &facts),
                     ERROR_NOT_FOUND);
}

static void test_limit(void **state)
{
    struct tickets *tickets = *state;
    uint8_t ticket[TICKET_SIZE];
    struct ticket_facts facts;
    for (int i = 0; i < TICKETS_MAXIMUM; i++)
        assert_int_equal(tickets_issue(tickets, &ALICE, SECOND, ticket), 0);
    uint8_t surplus[TICKET_SIZE];
    assert_int_equal(tickets_issue(tickets, &ALICE, SECOND, surplus), ERROR_BUSY);
    assert_int_equal(tickets_redeem(tickets, ticket, PROTOCOL_IMAP, SECOND, &facts), 0);
    assert_int_equal(tickets_issue(tickets, &ALICE, SECOND, surplus), 0);
    assert_int_equal(tickets_issue(tickets, &ALICE, SECOND, surplus), ERROR_BUSY);
    uint64_t later = (2 + TICKET_LIFETIME) * SECOND;
    assert_int_equal(tickets_issue(tickets, &ALICE, later, surplus), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_single_use, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unknown, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_expiry, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_wrong_protocol, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_limit, set_up, tear_down),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
