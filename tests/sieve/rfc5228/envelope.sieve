# RFC 5228 section 5.4: Test envelope.
require "envelope";
test "from" {
    test_assert envelope :is "from" "alice@example.com";
    test_assert envelope :is "FROM" "ALICE@example.com";
    test_assert not envelope :is "from" "bob@example.org";
}
test "to" {
    test_assert envelope :is "to" "bob@example.org";
}
test "the recipient as it was, with its detail" {
    test_set "envelope.original" "bob+lists@example.org";
    test_assert envelope :is "to" "bob+lists@example.org";
}
test "parts of the address" {
    test_assert envelope :localpart :is "from" "alice";
    test_assert envelope :domain :is "from" "example.com";
}
test "the null reverse-path is the empty string, whatever the part" {
    test_set "envelope.from" "";
    test_assert envelope :is "from" "";
    test_assert envelope :localpart :is "from" "";
    test_assert envelope :domain :is "from" "";
    test_assert not envelope :is "from" "x";
}
test "needs require" {
    test_refuses "if envelope \"from\" \"a\" { keep; }" "1:4: \"envelope\" needs: require \"envelope\"";
}
test "no other parts" {
    test_refuses "require \"envelope\"; if envelope \"size\" \"a\" { keep; }"
        "the envelope has no \"size\" here: it has from and to";
}
