# RFC 5235: Spamtest and virustest extensions.
require ["spamtestplus", "virustest", "relational", "comparator-i;ascii-numeric", "fileinto"];
test "not tested (section 3.2)" {
    test_assert spamtest :is "0";
    test_assert spamtest :percent :is "0";
    test_assert virustest :is "0";
}
test "clear (section 3.2)" {
    test_set "spam" "0";
    test_assert spamtest "1";
    test_assert spamtest :percent "0";
}
test "spam (section 3.2)" {
    test_set "spam" "100";
    test_assert spamtest "10";
    test_assert spamtest :percent "100";
}
test "in between" {
    test_set "spam" "50";
    test_assert spamtest :value "eq" :comparator "i;ascii-numeric" "5";
    test_assert spamtest :value "ge" :comparator "i;ascii-numeric" :percent "37";
    test_assert not spamtest :value "gt" :comparator "i;ascii-numeric" :percent "50";
}
test "more than all is all" {
    test_set "spam" "250";
    test_assert spamtest :percent "100";
}
test "the example of section 3.2.1" {
    test_set "spam" "80";
    if spamtest :value "eq" :comparator "i;ascii-numeric" "0" { fileinto "INBOX.unclassified"; }
    elsif spamtest :value "ge" :comparator "i;ascii-numeric" "3" { fileinto "INBOX.spam-trap"; }
    test_actions "fileinto \"INBOX.spam-trap\"";
}
test "the example of section 3.2.2" {
    test_set "spam" "38";
    if spamtest :value "eq" :comparator "i;ascii-numeric" "0" { fileinto "INBOX.unclassified"; }
    elsif spamtest :percent :value "eq" :comparator "i;ascii-numeric" "0" { fileinto "INBOX.not-spam"; }
    elsif spamtest :percent :value "lt" :comparator "i;ascii-numeric" "37" { fileinto "INBOX.spam-trap"; }
    else { discard; }
    test_actions "";
}
test "virustest (section 3.3)" {
    test_set "virus" "4";
    test_assert virustest "4";
    if virustest :value "eq" :comparator "i;ascii-numeric" "4" { fileinto "INBOX.quarantine"; }
    elsif virustest :value "eq" :comparator "i;ascii-numeric" "5" { discard; }
    test_actions "fileinto \"INBOX.quarantine\"";
}
test "spamtest alone" {
    test_accepts "require \"spamtest\"; if spamtest \"1\" { keep; }";
    test_accepts "require \"spamtestplus\"; if spamtest \"1\" { keep; }";
    test_refuses "require \"spamtest\"; if spamtest :percent \"1\" { keep; }" ":percent needs: require \"spamtestplus\"";
}
test "needs require" {
    test_refuses "if spamtest \"1\" { keep; }" "\"spamtest\" needs: require \"spamtest\"";
    test_refuses "if virustest \"1\" { keep; }" "\"virustest\" needs: require \"virustest\"";
}
