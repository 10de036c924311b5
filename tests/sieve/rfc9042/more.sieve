# RFC 9042: :mailboxid with the other arguments.
require ["mailboxid", "fileinto", "mailbox", "copy", "variables", "imap4flags"];
test "with :copy and :flags" {
    fileinto :copy :flags "a" :mailboxid "F1" "Box";
    test_actions ["fileinto \"Box\" flags=[\"a\"] mailboxid=\"F1\"", "implicit keep"];
}
test "an id of a variable" {
    set "id" "F1";
    fileinto :mailboxid "${id}" "Box";
    test_actions "fileinto \"Box\" mailboxid=\"F1\"";
}
test "ids are compared exactly" {
    test_set "mailboxid:F1" "";
    test_assert mailboxidexists "F1";
    test_assert not mailboxidexists "f1";
}
test "fileinto still has a mailbox's name (section 4)" {
    test_refuses "require [\"fileinto\", \"mailboxid\"]; fileinto :mailboxid \"F1\";" "\"fileinto\" lacks an argument";
}
test "two ids are one too many" {
    test_refuses "require [\"fileinto\", \"mailboxid\"]; fileinto :mailboxid \"F1\" :mailboxid \"F2\" \"a\";" ":mailboxid does not go together with another tag before it";
}
