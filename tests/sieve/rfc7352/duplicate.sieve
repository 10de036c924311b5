# RFC 7352: Duplicate deliveries.
require ["duplicate", "variables", "fileinto"];
test "the first time it is none, the second time it is (section 3)" {
    test_runs "require \"duplicate\"; if duplicate { discard; }" "keep";
    test_runs "require \"duplicate\"; if duplicate { discard; }" "";
}
test "within one run the answer stays (section 3)" {
    test_runs "require \"duplicate\"; if duplicate { discard; } if duplicate { discard; }" "keep";
}
test "nothing is remembered of a run that fails (section 3)" {
    test_fails "require [\"duplicate\", \"fileinto\"]; if duplicate { discard; } fileinto \"\";" "fileinto";
    test_runs "require \"duplicate\"; if duplicate { discard; }" "keep";
}
test "the id is the Message-ID (section 3.1)" {
    test_runs "require \"duplicate\"; if duplicate { discard; }" "keep";
    test_set "message" "Message-ID: <2@example.com>

";
    test_runs "require \"duplicate\"; if duplicate { discard; }" "keep";
}
test "a message without an id is none (section 3.1)" {
    test_set "message" "Subject: x

";
    test_runs "require \"duplicate\"; if duplicate { discard; }" "keep";
    test_runs "require \"duplicate\"; if duplicate { discard; }" "keep";
}
test ":header (section 3.1)" {
    test_runs "require \"duplicate\"; if duplicate :header \"subject\" { discard; }" "keep";
    test_set "message" "Subject:   Hello  
Message-ID: <other>

";
    test_runs "require \"duplicate\"; if duplicate :header \"subject\" { discard; }" "";
}
test ":uniqueid (section 3.1)" {
    test_runs "require \"duplicate\"; if duplicate :uniqueid \"a\" { discard; }" "keep";
    test_runs "require \"duplicate\"; if duplicate :uniqueid \"b\" { discard; }" "keep";
    test_runs "require \"duplicate\"; if duplicate :uniqueid \"A\" { discard; }" "keep";
    test_runs "require \"duplicate\"; if duplicate :uniqueid \"a\" { discard; }" "";
}
test "the three examples of section 3.2 are the same" {
    test_runs "require \"duplicate\"; if duplicate { discard; }" "keep";
    test_runs "require \"duplicate\"; if duplicate :header \"message-id\" { discard; }" "";
    set "d" "$";
    test_runs "require [\"duplicate\", \"variables\"]; if header :matches \"message-id\" \"*\" { if duplicate :uniqueid \"${d}{0}\" { discard; } }" "";
}
test ":handle keeps them apart (section 3.2)" {
    test_runs "require \"duplicate\"; if duplicate :handle \"a\" { discard; }" "keep";
    test_runs "require \"duplicate\"; if duplicate { discard; }" "keep";
    test_runs "require \"duplicate\"; if duplicate :handle \"b\" { discard; }" "keep";
    test_runs "require \"duplicate\"; if duplicate :handle \"a\" { discard; }" "";
}
test ":seconds 0 is never (section 3.3)" {
    test_runs "require \"duplicate\"; if duplicate { discard; }" "keep";
    test_runs "require \"duplicate\"; if duplicate :seconds 0 { discard; }" "keep";
}
test ":last" {
    test_runs "require \"duplicate\"; if duplicate :last :seconds 1800 { discard; }" "keep";
    test_runs "require \"duplicate\"; if duplicate :seconds 1800 :last { discard; }" "";
}
test "the second example of section 5" {
    test_set "message" "X-Event-ID: 7
Subject: ALERT: x

";
    test_runs text:
require ["duplicate", "imap4flags", "fileinto"];
if header :matches "subject" "ALERT: *" {
  if duplicate :seconds 60 :header "X-Event-ID" :handle "notifier" {
    setflag "\\seen";
  }
  fileinto "Alerts";
}
.
    "fileinto \"Alerts\"";
}
test ":header and :uniqueid (section 3.1)" {
    test_refuses "require \"duplicate\"; if duplicate :header \"a\" :uniqueid \"b\" { keep; }" ":header and :uniqueid do not go together";
}
test "needs require" {
    test_refuses "if duplicate { keep; }" "\"duplicate\" needs: require \"duplicate\"";
}
