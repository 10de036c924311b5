# RFC 8580: File carbon copy.
require ["fcc", "vacation", "imap4flags", "mailbox", "special-use", "mailboxid"];
test "vacation :fcc (section 3)" {
    vacation :fcc "INBOX.Sent" "x";
    test_actions ["vacation \"alice@example.com\" from=\"bob@example.org\" subject=\"Auto: Hello\" seconds=604800 fcc=\"INBOX.Sent\"", "implicit keep"];
}
test "with flags (section 3.2)" {
    vacation :fcc "INBOX.Sent" :flags ["\\Seen"] "x";
    test_actions ["vacation \"alice@example.com\" from=\"bob@example.org\" subject=\"Auto: Hello\" seconds=604800 fcc=\"INBOX.Sent\" flags=[\"\\Seen\"]", "implicit keep"];
}
test "with create and special use (sections 3.1, 3.3)" {
    vacation :fcc "Sent" :create :specialuse "\\Sent" "x";
    test_actions ["vacation \"alice@example.com\" from=\"bob@example.org\" subject=\"Auto: Hello\" seconds=604800 fcc=\"Sent\" specialuse=\"\\Sent\" create", "implicit keep"];
}
test "with mailboxid (RFC 9042 section 5)" {
    vacation :fcc "Sent" :mailboxid "F1" "x";
    test_actions ["vacation \"alice@example.com\" from=\"bob@example.org\" subject=\"Auto: Hello\" seconds=604800 fcc=\"Sent\" mailboxid=\"F1\"", "implicit keep"];
}
test "the example of section 4" {
    test_runs "require [\"vacation\", \"fcc\"]; vacation :days 7 :from \"hemingway@example.com\" :fcc \"INBOX.Sent\" \"Gone Fishin'\";"
        ["vacation \"alice@example.com\" from=\"hemingway@example.com\" subject=\"Auto: Hello\" seconds=604800 fcc=\"INBOX.Sent\"", "keep"];
}
test "what needs :fcc" {
    test_refuses "require [\"vacation\", \"fcc\", \"imap4flags\"]; vacation :flags \"a\" \"x\";" "need :fcc";
    test_refuses "require [\"vacation\", \"fcc\", \"mailbox\"]; vacation :create \"x\";" "need :fcc";
}
test "an empty name" {
    test_fails "require [\"vacation\", \"fcc\"]; vacation :fcc \"\" \"x\";" ":fcc needs a mailbox's name";
}
test "needs require" {
    test_refuses "require \"vacation\"; vacation :fcc \"a\" \"x\";" ":fcc needs: require \"fcc\"";
}
