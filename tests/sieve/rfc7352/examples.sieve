# RFC 7352 section 5: Examples.
test "5.1: the second copy of a message is discarded" {
    test_runs "require \"duplicate\"; if duplicate { discard; }" "keep";
    test_runs "require \"duplicate\"; if duplicate { discard; }" "";
}
test "5.1: the second copy is filed elsewhere" {
    test_runs "require [\"duplicate\", \"fileinto\"]; if duplicate { fileinto \"Trash/Duplicate\"; }" "keep";
    test_runs "require [\"duplicate\", \"fileinto\"]; if duplicate { fileinto \"Trash/Duplicate\"; }" "fileinto \"Trash/Duplicate\"";
}
test "5.2: redirected once" {
    test_set "message" "X-Event-ID: 7
Message-ID: <1@x>

";
    test_runs "require [\"duplicate\", \"imap4flags\"]; if duplicate :header \"X-Event-ID\" :handle \"notifier\" { setflag \"\\\\seen\"; }" "keep";
    test_set "message" "X-Event-ID: 7
Message-ID: <2@x>

";
    test_runs "require [\"duplicate\", \"imap4flags\"]; if duplicate :header \"X-Event-ID\" :handle \"notifier\" { setflag \"\\\\seen\"; }" "keep flags=[\"\\seen\"]";
}
test "5.3: a Message-ID that is missing" {
    test_set "message" "Subject: x

";
    test_runs "require \"duplicate\"; if duplicate :header \"Message-ID\" { discard; }" "keep";
    test_runs "require \"duplicate\"; if duplicate :header \"Message-ID\" { discard; }" "keep";
}
test "an invalid name is false (section 3.1)" {
    test_runs "require \"duplicate\"; if duplicate :header \"a b:\" { discard; }" "keep";
    test_runs "require \"duplicate\"; if duplicate :header \"a b:\" { discard; }" "keep";
}
test "an empty id is one" {
    test_runs "require \"duplicate\"; if duplicate :uniqueid \"\" { discard; }" "keep";
    test_runs "require \"duplicate\"; if duplicate :uniqueid \"\" { discard; }" "";
}
test "a longer time than the longest is that (section 3.3)" {
    test_runs "require \"duplicate\"; if duplicate :seconds 99999999999 { discard; }" "keep";
    test_runs "require \"duplicate\"; if duplicate :seconds 99999999999 { discard; }" "";
}
