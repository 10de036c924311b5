# RFC 8580: copies of notifications, and what the arguments may be.
require ["variables"];
test "notify :fcc (section 3.4)" {
    test_runs "require [\"enotify\", \"fcc\"]; notify :fcc \"INBOX.Sent\" :message \"hi\" \"mailto:a@b.example\";"
        ["notify \"mailto:a@b.example\" \"hi\" from=\"bob@example.org\" importance=2 fcc=\"INBOX.Sent\"", "keep"];
}
test "notify :fcc with flags and :create" {
    test_runs "require [\"enotify\", \"fcc\", \"imap4flags\", \"mailbox\"]; notify :fcc \"Sent\" :create :flags \"\\\\Seen\" \"mailto:a@b.example\";"
        ["notify \"mailto:a@b.example\" from=\"bob@example.org\" importance=2 fcc=\"Sent\" flags=[\"\\Seen\"] create", "keep"];
}
test "the copy has the flags of :flags alone, not those of the internal variable (section 3.1.1)" {
    test_runs "require [\"vacation\", \"fcc\", \"imap4flags\"]; setflag \"\\\\Seen\"; vacation :fcc \"Sent\" \"x\";"
        ["vacation \"alice@example.com\" from=\"bob@example.org\" subject=\"Auto: Hello\" seconds=604800 fcc=\"Sent\"", "keep flags=[\"\\Seen\"]"];
}
test "where nothing is sent there is no copy" {
    test_set "message" "Precedence: bulk
To: bob@example.org

";
    test_runs "require [\"vacation\", \"fcc\"]; vacation :fcc \"Sent\" \"x\";" "keep";
}
test "the copy does not cancel the implicit keep" {
    test_runs "require [\"vacation\", \"fcc\", \"fileinto\"]; vacation :fcc \"Sent\" \"x\"; fileinto \"a\";"
        ["vacation \"alice@example.com\" from=\"bob@example.org\" subject=\"Auto: Hello\" seconds=604800 fcc=\"Sent\"", "fileinto \"a\""];
}
test ":mailboxid and :specialuse" {
    test_refuses "require [\"vacation\", \"fcc\", \"mailboxid\", \"special-use\"]; vacation :fcc \"a\" :mailboxid \"F\" :specialuse \"\\\\Sent\" \"x\";" "do not go together";
}
