#include "imap_dialogue.h"

static void test_items(void **state)
{
    (void)state;
    check_command("FETCH 1 FLAGS", "FETCH 1:1 flags");
    check_command("FETCH 1:* (uid Flags INTERNALDATE RFC822.SIZE ENVELOPE BODY BODYSTRUCTURE)",
                  "FETCH 1:0 uid flags internaldate size envelope body structure");
    check_command("UID FETCH 1 (FLAGS UID)", "UID FETCH 1:1 uid flags");
    check_command("UID FETCH 1 UID", "UID FETCH 1:1 uid");
    check_command("FETCH 1 ALL", "FETCH 1:1 flags internaldate size envelope");
    check_command("FETCH 1 fast", "FETCH 1:1 flags internaldate size");
    check_command("UID FETCH 1 FULL", "UID FETCH 1:1 uid flags internaldate size envelope body");
    check_command("FETCH 1 (EMAILID threadid SAVEDATE)", "FETCH 1:1 emailid threadid savedate");
    check_command("FETCH 1 PREVIEW", "FETCH 1:1 preview");
    check_command("FETCH 1 preview (lazy)", "FETCH 1:1 preview");
    check_command("FETCH 1 (PREVIEW (LAZY) UID)", "FETCH 1:1 preview uid");
    check_bad("FETCH 1 PREVIEW (EAGER)", "Fetch modifier: unknown");
    check_bad("FETCH 1 (PREVIEW (LAZY)", "Fetch item: expected an item or a closing parenthesis");
    check_bad("FETCH 1 (ALL)", "Fetch item: unknown");
    check_bad("FETCH 1 ()", "Fetch item: unknown");
    check_bad("FETCH 1 (FLAGS", "Fetch item: expected an item or a closing parenthesis");
    check_bad("FETCH 1", "Fetch item: missing");
    check_bad("FETCH 1 FLAGS UID", "Fetch modifier: expected a list");
    check_bad("FETCH 1 COLOUR", "Fetch item: unknown");
}

static void test_modifiers(void **state)
{
    (void)state;
    check_command("FETCH 1 MODSEQ", "FETCH 1:1 modseq");
    check_command("FETCH 1 (FLAGS) (CHANGEDSINCE 12345)", "FETCH 1:1 flags modseq changed 12345");
    check_command("FETCH 1 FAST (changedsince 0)",
                  "FETCH 1:1 flags internaldate size modseq changed 0");
    check_command("FETCH 1 PREVIEW (CHANGEDSINCE 5)", "FETCH 1:1 preview modseq changed 5");
    check_command("FETCH 1 MODSEQ (CHANGEDSINCE 9223372036854775807)",
                  "FETCH 1:1 modseq changed 9223372036854775807");
    check_command("UID FETCH 1:* FLAGS (VANISHED CHANGEDSINCE 1)",
                  "UID FETCH 1:0 uid flags modseq changed 1 vanished");
    check_bad("FETCH 1 FLAGS (CHANGEDSINCE 9223372036854775808)",
              "Fetch modifier: the number is too large");
    check_bad("FETCH 1 FLAGS (CHANGEDSINCE)", "Fetch modifier: expected a modification sequence");
    check_bad("FETCH 1 FLAGS (CHANGEDSINCE 1 CHANGEDSINCE 2)", "Fetch modifier: unknown");
    check_bad("FETCH 1 FLAGS ()", "Fetch modifier: unknown");
    check_command("UID FETCH 1:* FLAGS (PARTIAL -1:-30 CHANGEDSINCE 98305)",
                  "UID FETCH 1:0 uid flags modseq changed 98305 partial -1:30");
    check_bad("FETCH 1:* FLAGS (PARTIAL 1:2)", "Fetch modifier: unknown");
    check_bad("UID FETCH 1:* FLAGS (PARTIAL 1:2 PARTIAL 1:2)",
              "Fetch modifier: only one PARTIAL is possible");
    check_bad("FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)",
              "Fetch modifier: VANISHED is for UID FETCH with CHANGEDSINCE");
    check_bad("UID FETCH 1 FLAGS (VANISHED)",
              "Fetch modifier: VANISHED is for UID FETCH with CHANGEDSINCE");
}

static void test_sections(void **state)
{
    (void)state;
    check_command("FETCH 1 body[]", "FETCH 1:1 section=BODY[]/0");
    check_command("FETCH 1 Body.Peek[1.2.text]", "FETCH 1:1 section=BODY[1.2.TEXT]/4.1.2/peek");
    check_command("FETCH 1 BODY[1]<0.512>", "FETCH 1:1 section=BODY[1]/0.1<0.512>");
    check_command("FETCH 1 BODY[2.mime]", "FETCH 1:1 section=BODY[2.MIME]/5.2");
    check_command("FETCH 1 (BODY[HEADER] FLAGS)", "FETCH 1:1 section=BODY[HEADER]/1 flags");
    check_command("FETCH 1 RFC822", "FETCH 1:1 section=RFC822/0");
    check_command("FETCH 1 rfc822.header", "FETCH 1:1 section=RFC822.HEADER/1/peek");
    check_command("FETCH 1 RFC822.TEXT", "FETCH 1:1 section=RFC822.TEXT/4");
}

static void test_binary(void **state)
{
    (void)state;
    check_command("FETCH 1 BINARY[1.2]", "FETCH 1:1 binary=BINARY[1.2]/0.1.2");
    check_command("FETCH 1 (binary.peek[3]<5.10> BINARY.SIZE[2] BINARY[])",
                  "FETCH 1:1 binary=BINARY[3]/0.3/peek<5.10> binarysize=BINARY.SIZE[2]/0.2/peek "
                  "binary=BINARY[]/0");
    check_bad("FETCH 1 BINARY", "Fetch item: expected a section");
    check_bad("FETCH 1 BINARY[1.MIME]", "Fetch item: expected part numbers and a closing bracket");
    check_bad("FETCH 1 BINARY[TEXT]", "Fetch item: expected part numbers and a closing bracket");
    check_bad("FETCH 1 BINARY[1.]", "Fetch item: expected a part number or a name behind the dot");
    check_bad("FETCH 1 BINARY.SIZE[1]<0.5>", "Fetch modifier: expected a space before it");
}

static void test_header_fields(void **state)
{
    (void)state;
    check_command("FETCH 1 BODY.PEEK[HEADER.FIELDS (From \"to\")]",
                  "FETCH 1:1 section=BODY[HEADER.FIELDS (FROM TO)]/2'From''to'/peek");
    check_command("FETCH 1 BODY[1.header.fields.not (\"x(\\\"\" y)]",
                  "FETCH 1:1 section=BODY[1.HEADER.FIELDS.NOT (\"X(\\\"\" Y)]/3.1'x(\"''y'");
    check_events("a FETCH 1 BODY[HEADER.FIELDS ({4+}\r\nDate)]\r\n",
                 "command a FETCH 1:1 section=BODY[HEADER.FIELDS (DATE)]/2'Date'\n");
}

static void test_bad_sections(void **state)
{
    (void)state;
    check_bad("FETCH 1 BODY[MIME]", "Fetch item: MIME needs a part number");
    check_bad("FETCH 1 BODY[0]", "Fetch item: expected a number other than 0");
    check_bad("FETCH 1 BODY[1.]", "Fetch item: expected a part number or a name behind the dot");
    check_bad("FETCH 1 BODY[1", "Fetch item: expected a part number, HEADER, TEXT or MIME");
    check_bad("FETCH 1 BODY[FOO]", "Fetch item: expected a part number, HEADER, TEXT or MIME");
    check_bad("FETCH 1 BODY.PEEK", "Fetch item: expected a section");
    check_bad("FETCH 1 BODY[]<0.0>", "Fetch item: expected a number other than 0");
    check_bad("FETCH 1 BODY[]<0>", "Fetch item: expected <offset.size>");
    check_bad("FETCH 1 BODY[]<4294967296.1>", "Fetch item: the number is too large");
    check_bad("FETCH 1 BODY[HEADER.FIELDS ()]", "Fetch item: expected an atom or a string");
    check_bad("FETCH 1 BODY[HEADER.FIELDS (\"\")]",
              "Fetch item: expected the name of a header field");
    check_bad("FETCH 1 BODY[HEADER.FIELDS (\"a b\")]",
              "Fetch item: not the name of a header field");
    check_bad("FETCH 1 BODY[HEADER.FIELDS (a:)]", "Fetch item: not the name of a header field");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_items),         cmocka_unit_test(test_modifiers),
        cmocka_unit_test(test_sections),      cmocka_unit_test(test_binary),
        cmocka_unit_test(test_header_fields), cmocka_unit_test(test_bad_sections),
    };
    return cmocka_run_group_tests_name("fetch", tests, NULL, NULL);
}
