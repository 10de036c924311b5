# RFC 8579: Delivering to special-use mailboxes.
require ["special-use", "fileinto", "mailbox"];
test "specialuse_exists without a mailbox (section 3)" {
    test_set "use:Spam" "\\Junk";
    test_assert specialuse_exists "\\Junk";
    test_assert specialuse_exists "\\junk";
    test_assert not specialuse_exists "\\Sent";
    test_assert not specialuse_exists ["\\Junk", "\\Sent"];
}
test "specialuse_exists of a mailbox (section 3)" {
    test_set "use:Spam" "\\Junk";
    test_assert specialuse_exists "Spam" "\\Junk";
    test_assert not specialuse_exists "Other" "\\Junk";
}
test "fileinto :specialuse (section 4)" {
    fileinto :specialuse "\\Junk" "Spam";
    test_actions "fileinto \"Spam\" specialuse=\"\\Junk\"";
}
test "the examples of section 6" {
    test_set "use:Archive/Default" "\\Archive";
    if specialuse_exists "\\Archive" { fileinto :specialuse "\\Archive" :create "Archive"; }
    test_actions "fileinto \"Archive\" specialuse=\"\\Archive\" create";
}
test "needs require" {
    test_refuses "if specialuse_exists \"a\" { keep; }" "needs: require \"special-use\"";
    test_refuses "require \"fileinto\"; fileinto :specialuse \"a\" \"b\";" ":specialuse needs: require \"special-use\"";
}
