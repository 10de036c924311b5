# RFC 9042: Delivery by MAILBOXID.
require ["mailboxid", "fileinto", "mailbox"];
test "fileinto :mailboxid: the example of section 4" {
    test_set "message" "From: coyote@x.example

";
    if header :contains ["from"] "coyote" {
        fileinto :mailboxid "F6352ae03-b7f5-463c-896f-d8b48ee3" "INBOX.harassment";
    }
    test_actions "fileinto \"INBOX.harassment\" mailboxid=\"F6352ae03-b7f5-463c-896f-d8b48ee3\"";
}
test "with :create: the example of section 4.1" {
    fileinto :mailboxid "Fnosuch" :create "INBOX.no-such-folder";
    test_actions "fileinto \"INBOX.no-such-folder\" mailboxid=\"Fnosuch\" create";
}
test "not with :specialuse (section 4.2)" {
    test_refuses "require [\"fileinto\", \"mailboxid\", \"special-use\"]; fileinto :mailboxid \"F1\" :specialuse \"\\\\Junk\" \"a\";"
        ":mailboxid and :specialuse do not go together";
}
test "mailboxidexists (section 6)" {
    test_set "mailboxid:F1" ""; test_set "mailboxid:F2" "";
    test_assert mailboxidexists "F1";
    test_assert mailboxidexists ["F1", "F2"];
    test_assert not mailboxidexists ["F1", "F3"];
}
test "needs require" {
    test_refuses "if mailboxidexists \"a\" { keep; }" "needs: require \"mailboxid\"";
    test_refuses "require \"fileinto\"; fileinto :mailboxid \"a\" \"b\";" ":mailboxid needs: require \"mailboxid\"";
}
