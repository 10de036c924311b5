/*
 * NOTIFY (RFC 5465 section 8). A group is "filter/events": the numbers of enum imap_notify_filter,
 * and the sum of enum imap_notify_event.
 */
#include "imap_dialogue.h"

static void test_set(void **state)
{
    (void)state;
    check_command("NOTIFY NONE", "NOTIFY none");
    check_command("notify set (personal none)", "NOTIFY set 3/0");
    check_command("NOTIFY SET STATUS (personal NONE)", "NOTIFY set status 3/0");
    /* RFC 5465 section 6 */
    check_command("notify set (mailboxes INBOX (Messagenew messageExpunge)) "
                  "(personal (SubscriptionChange))",
                  "NOTIFY set 6/3'INBOX' 3/32");
    check_command("notify set (selected (Messagenew (uid flags) messageExpunge)) "
                  "(personal (MessageNew FlagChange MessageExpunge))",
                  "NOTIFY set 0/3 3/7 uid flags");
    check_command("NOTIFY SET (selected-delayed (MessageNew MessageExpunge FlagChange "
                  "AnnotationChange)) (inboxes (MailboxName)) (subscribed (MailboxMetadataChange "
                  "ServerMetadataChange))",
                  "NOTIFY set 1/15 2/16 4/192");
    check_command("NOTIFY SET (subtree (Lists \"a b\" &AOk-) (MailboxName)) (mailboxes x NONE)",
                  "NOTIFY set 5/16'Lists''a b''\xc3\xa9' 6/0'x'");
}

/* RFC 5465 section 3.1 has no parentheses around its events. */
static void test_without_parentheses(void **state)
{
    (void)state;
    check_command("notify set status (selected MessageNew (uid "
                  "body.peek[header.fields (from to subject)]) MessageExpunge) "
                  "(subtree Lists MessageNew MessageExpunge)",
                  "NOTIFY set status 0/3 5/3'Lists' uid section=BODY[HEADER.FIELDS (FROM TO "
                  "SUBJECT)]/2'from''to''subject'/peek");
}

/* RFC 5465 section 3.1: an event nobody knows is refused with NO, so it is no error here. */
static void test_unknown_events(void **state)
{
    (void)state;
    check_command("NOTIFY SET (personal (MessageNew MessageExpunge Dream))",
                  "NOTIFY set unknown 3/3");
    check_command("NOTIFY SET (selected (Dream))", "NOTIFY set unknown 0/0");
}

static void test_wrong(void **state)
{
    (void)state;
    check_bad("NOTIFY", "What to notify of: missing");
    check_bad("NOTIFY ALL", "What to notify of: expected SET or NONE");
    check_bad("NOTIFY NONE x", "Command: something follows the arguments");
    check_bad("NOTIFY SET", "Event group: missing");
    check_bad("NOTIFY SET STATUS", "Event group: missing");
    check_bad("NOTIFY SET STATUSES (personal NONE)", "Event group: expected a list");
    check_bad("NOTIFY SET personal", "Event group: expected a list");
    check_bad("NOTIFY SET (mine NONE)", "Mailbox filter: unknown");
    check_bad("NOTIFY SET (personal)", "Event: expected a space before it");
    check_bad("NOTIFY SET (personal ", "Event: expected an atom");
    check_bad("NOTIFY SET (personal ())", "Event: expected an atom");
    check_bad("NOTIFY SET (personal (MailboxName)", "Event: expected a closing parenthesis");
    check_bad("NOTIFY SET (personal (MailboxName) x)", "Event: expected a closing parenthesis");
    check_bad("NOTIFY SET (personal (MailboxName))(personal NONE)",
              "Event group: expected a space before it");
    check_bad("NOTIFY SET (mailboxes NONE)", "Event: expected a space before it");
    check_bad("NOTIFY SET (mailboxes () NONE)", "Mailbox name: expected an atom or a string");
    check_bad("NOTIFY SET (mailboxes (a \"\") NONE)", "Mailbox name: empty");
    check_bad("NOTIFY SET (subtree (a NONE)", "Event: missing");
    check_bad("NOTIFY SET (selected NONE) (selected-delayed NONE)",
              "Mailbox filter: the selected mailbox is named twice");
    check_bad("NOTIFY SET (selected (MailboxName))", "Event: not of the selected mailbox");
    check_bad("NOTIFY SET (selected (MessageNew () MessageExpunge))", "Event: unknown");
    check_bad("NOTIFY SET (selected (MessageNew (FAST) MessageExpunge))", "Event: unknown");
    check_bad("NOTIFY SET (selected (MessageNew (UID) MessageNew (UID) MessageExpunge))",
              "Event: items to fetch are for the selected mailbox, once");
    check_bad("NOTIFY SET (personal (MessageNew (UID) MessageExpunge))",
              "Event: items to fetch are for the selected mailbox, once");
}

/* RFC 5465 section 5 */
static void test_events_that_need_others(void **state)
{
    (void)state;
#define NEEDS "Event: events of messages need MessageNew and MessageExpunge"
    check_bad("NOTIFY SET (inboxes (MessageNew))", NEEDS);
    check_bad("NOTIFY SET (inboxes (MessageExpunge))", NEEDS);
    check_bad("NOTIFY SET (inboxes (FlagChange))", NEEDS);
    check_bad("NOTIFY SET (inboxes (AnnotationChange))", NEEDS);
    check_bad("NOTIFY SET (inboxes (FlagChange MessageNew))", NEEDS);
    check_bad("NOTIFY SET (selected FlagChange MessageExpunge)", NEEDS);
}

/* "a NOTIFY ", then `count` times the text between two others; the same of what is expected. */
static void check_repeated(size_t count, const char *const input[3], const char *const expected[3])
{
    struct buffer texts[2];
    for (size_t i = 0; i < 2; i++) {
        const char *const *parts = i ? expected : input;
        buffer_init(&texts[i], 64 * 1024);
        buffer_append_string(&texts[i], parts[0]);
        for (size_t k = 0; k < count; k++)
            buffer_append_string(&texts[i], parts[1]);
        buffer_append_string(&texts[i], parts[2]);
    }
    check_events_slice(usual_limits, buffer_slice(&texts[0]), texts[1].data);
    buffer_release(&texts[0]);
    buffer_release(&texts[1]);
}

/* IMAP_NOTIFY_GROUPS_MAXIMUM, IMAP_NOTIFY_NAMES_MAXIMUM */
static void test_limits(void **state)
{
    (void)state;
    const char *const groups[] = {"a NOTIFY SET", " (personal NONE)", "\r\n"};
    const char *const names[] = {"a NOTIFY SET (mailboxes (x", " x", ") NONE)\r\n"};
    check_repeated(IMAP_NOTIFY_GROUPS_MAXIMUM, groups,
                   (const char *const[]){"command a NOTIFY set", " 3/0", "\n"});
    check_repeated(IMAP_NOTIFY_GROUPS_MAXIMUM + 1, groups,
                   (const char *const[]){"BAD a Event group: too many\n", "", ""});
    check_repeated(IMAP_NOTIFY_NAMES_MAXIMUM - 1, names,
                   (const char *const[]){"command a NOTIFY set 6/0'x'", "'x'", "\n"});
    check_repeated(IMAP_NOTIFY_NAMES_MAXIMUM, names,
                   (const char *const[]){"BAD a Mailbox name: too many\n", "", ""});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_without_parentheses),
        cmocka_unit_test(test_unknown_events),
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_events_that_need_others),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests_name("notify", tests, NULL, NULL);
}
