# RFC 5490: Mailbox, mboxmetadata and servermetadata extensions.
require ["mailbox", "mboxmetadata", "servermetadata", "fileinto", "variables", "reject"];
test "mailboxexists (section 3.1)" {
    test_set "mailbox:Partners" "";
    test_assert mailboxexists "Partners";
    test_assert not mailboxexists "partners";
    test_assert not mailboxexists ["Partners", "Other"];
}
test "mailboxexists: all of them" {
    test_set "mailbox:a" ""; test_set "mailbox:b" "";
    test_assert mailboxexists ["a", "b"];
}
test "the example of section 3.1" {
    if mailboxexists "Partners" { fileinto "Partners"; }
    else { reject "This message was not accepted by the Mailstore"; }
    test_actions "reject \"This message was not accepted by the Mailstore\"";
}
test "fileinto :create (section 3.2)" {
    fileinto :create "a";
    test_actions "fileinto \"a\" create";
}
test "metadata (section 3.3)" {
    test_set "metadata:INBOX/private/vendor/vendor.isode/auto-replies" "on";
    test_assert metadata :is "INBOX" "/private/vendor/vendor.isode/auto-replies" "ON";
    test_assert not metadata :is "INBOX" "/private/vendor/vendor.isode/auto-replies" "off";
    test_assert not metadata :contains "INBOX" "/private/other" "";
    test_assert not metadata :contains "Other" "/private/vendor/vendor.isode/auto-replies" "";
}
test "metadataexists (section 3.4)" {
    test_set "metadata:INBOX/private/a" "1"; test_set "metadata:INBOX/private/b" "";
    test_assert metadataexists "INBOX" ["/private/a", "/private/b"];
    test_assert not metadataexists "INBOX" ["/private/a", "/private/c"];
}
test "servermetadata (section 4.1)" {
    test_set "metadata:/private/vendor/vendor.isode/notification-uri" "mailto:a@b.example";
    test_assert servermetadata :matches "/private/vendor/vendor.isode/notification-uri" "mailto:*";
    test_assert string "${1}" "a@b.example";
    test_assert not servermetadata :contains "/private/none" "";
}
test "servermetadataexists (section 4.2)" {
    test_set "metadata:/shared/a" "1";
    test_assert servermetadataexists "/shared/a";
    test_assert not servermetadataexists ["/shared/a", "/shared/b"];
}
test "needs require" {
    test_refuses "if mailboxexists \"a\" { keep; }" "needs: require \"mailbox\"";
    test_refuses "require \"fileinto\"; fileinto :create \"a\";" ":create needs: require \"mailbox\"";
    test_refuses "if metadata \"a\" \"b\" \"c\" { keep; }" "needs: require \"mboxmetadata\"";
    test_refuses "if servermetadataexists \"a\" { keep; }" "needs: require \"servermetadata\"";
}
