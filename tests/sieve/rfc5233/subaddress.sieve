# RFC 5233: Subaddress extension.
require ["subaddress", "envelope", "fileinto"];
test "user and detail (section 4)" {
    test_set "message" "To: ken+sieve@example.org

";
    test_assert address :user "to" "ken";
    test_assert address :detail "to" "sieve";
    test_assert not address :user "to" "ken+sieve";
    test_assert address :localpart "to" "ken+sieve";
    test_assert address :domain "to" "example.org";
}
test "the table of section 4: no detail" {
    test_set "message" "To: ken@example.org

";
    test_assert address :user "to" "ken";
    test_assert not address :detail :contains "to" "";
}
test "the table of section 4: an empty detail" {
    test_set "message" "To: ken+@example.org

";
    test_assert address :user "to" "ken";
    test_assert address :detail :is "to" "";
}
test "the first separator divides" {
    test_set "message" "To: ken+a+b@example.org

";
    test_assert address :user "to" "ken";
    test_assert address :detail "to" "a+b";
}
test "the example of section 4: envelope" {
    test_set "envelope.original" "ken+mta-filters@example.org";
    if envelope :detail "to" "spam" { discard; }
    elsif envelope :detail "to" "mta-filters" { fileinto "inbox.ietf-mta-filters"; }
    test_actions "fileinto \"inbox.ietf-mta-filters\"";
}
test "the second example of section 4" {
    test_set "message" "To: ken-postmaster@x.example, vip+boss@example.org

";
    if address :user "to" "postmaster" { discard; }
    if address :detail :contains ["to", "cc"] "boss" { fileinto "vip"; }
    test_actions "fileinto \"vip\"";
}
test "needs require" {
    test_refuses "if address :user \"to\" \"a\" { keep; }" ":user needs: require \"subaddress\"";
    test_refuses "if address :detail \"to\" \"a\" { keep; }" ":detail needs: require \"subaddress\"";
}
