# RFC 6785 section 3.11: "The following actions and extensions are not applicable to any case that
# falls under IMAP events in Sieve ... Their appearance in the "require" control or their use in an
# IMAP event MUST result in an error condition that will terminate the Sieve script".
test "reject in require" {
    test_set "event" "APPEND";
    test_fails "require \"reject\"; keep;" "\"reject\" cannot be required for an IMAP event";
}
test "ereject in require" {
    test_set "event" "COPY";
    test_fails "require \"ereject\"; discard;" "\"ereject\" cannot be required for an IMAP event";
}
test "vacation in require" {
    test_set "event" "FLAG";
    test_fails "require \"vacation\"; discard;" "\"vacation\" cannot be required for an IMAP event";
}
test "vacation-seconds, which brings vacation" {
    test_set "event" "FLAG";
    test_fails "require [\"vacation\", \"vacation-seconds\"]; vacation :seconds 1 \"x\";" "\"vacation\" cannot be required for an IMAP event";
}
test "in an included script" {
    test_set "event" "APPEND"; test_set "personal:a" "require \"vacation\"; vacation \"x\";";
    test_fails "require \"include\"; include \"a\";" "\"vacation\" cannot be required for an IMAP event";
}
test "the use, where ihave brings it (RFC 5463)" {
    test_set "event" "APPEND";
    test_fails "require \"ihave\"; if ihave \"vacation\" { vacation \"x\"; }" "\"vacation\" cannot be used for an IMAP event";
    test_fails "require \"ihave\"; if ihave \"reject\" { reject \"x\"; }" "\"reject\" cannot be used for an IMAP event";
    test_fails "require \"ihave\"; if ihave \"ereject\" { ereject \"x\"; }" "\"ereject\" cannot be used for an IMAP event";
}
test "ihave alone is no use" {
    test_set "event" "APPEND";
    test_runs "require [\"ihave\", \"environment\", \"imapsieve\"]; if allof (ihave \"vacation\", environment \"imap.cause\" \"\") { vacation \"x\"; }" "keep flags=[]";
}
test "the envelope test (section 4.6)" {
    # "envelope tests MUST NOT be permitted in the cases described here, and their use MUST generate a
    # runtime error"
    test_set "event" "APPEND";
    test_fails "require \"envelope\"; if envelope \"from\" \"\" { discard; }" "an IMAP event has no envelope";
}
test "envelope in require is none" {
    test_set "event" "APPEND";
    test_runs "require [\"envelope\", \"environment\"]; if allof (environment \"imap.cause\" \"\", envelope \"to\" \"a\") { stop; }" "keep flags=[]";
}
test "at delivery all of them are as ever" {
    test_runs "require [\"imapsieve\", \"reject\"]; reject \"no\";" "reject \"no\"";
    test_runs "require [\"imapsieve\", \"envelope\"]; if envelope \"to\" \"bob@example.org\" { discard; }" "";
}
