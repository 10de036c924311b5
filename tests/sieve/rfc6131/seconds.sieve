# RFC 6131: Vacation seconds.
require ["vacation", "vacation-seconds"];
test "seconds (section 2)" {
    vacation :seconds 1800 "x";
    test_actions ["vacation \"alice@example.com\" from=\"bob@example.org\" subject=\"Auto: Hello\" seconds=1800", "implicit keep"];
}
test "zero is always (section 2)" {
    vacation :seconds 0 "x";
    test_actions ["vacation \"alice@example.com\" from=\"bob@example.org\" subject=\"Auto: Hello\"", "implicit keep"];
}
test "the example of section 2" {
    test_runs "require [\"vacation-seconds\", \"vacation\"]; vacation :addresses [\"tjs@example.edu\", \"ts4z@landru.example.edu\"] :seconds 1800 \"I am in a meeting, and do not have access to email.\";"
        ["vacation \"alice@example.com\" from=\"bob@example.org\" subject=\"Auto: Hello\" seconds=1800", "keep"];
}
test "not with days (section 2)" {
    test_refuses "require [\"vacation\", \"vacation-seconds\"]; vacation :days 1 :seconds 1 \"x\";" ":seconds does not go together";
}
test "needs require" {
    test_refuses "require \"vacation\"; vacation :seconds 1 \"a\";" ":seconds needs: require \"vacation-seconds\"";
}
