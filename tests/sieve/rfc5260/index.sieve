# RFC 5260 section 6: Index extension.
require ["index", "date", "fileinto"];
test "header :index" {
    test_set "message" "X: a
Y: z
X: b
X: c

";
    test_assert header :index 1 "x" "a";
    test_assert header :index 2 "x" "b";
    test_assert not header :index 2 "x" ["a", "c"];
    test_assert not header :index 4 :contains "x" "";
}
test "header :index :last" {
    test_set "message" "X: a
X: b
X: c

";
    test_assert header :index 1 :last "x" "c";
    test_assert header :last :index 3 "x" "a";
    test_assert not header :index 4 :last :contains "x" "";
}
test "header :index of several names: of each" {
    test_set "message" "X: a
Y: b
X: c
Y: d

";
    test_assert header :index 2 ["x", "y"] "c";
    test_assert header :index 2 ["x", "y"] "d";
    test_assert not header :index 2 ["x", "y"] ["a", "b"];
}
test "address :index" {
    test_set "message" "Resent-To: a@x.example
Resent-To: b@y.example, c@z.example

";
    test_assert address :index 2 "resent-to" "c@z.example";
    test_assert not address :index 2 "resent-to" "a@x.example";
    test_assert address :domain :index 2 :last "resent-to" "x.example";
}
test "date :index" {
    test_set "message" "Received: x; Sun, 18 Oct 2026 10:00:00 +0000
Received: x; Mon, 19 Oct 2026 10:00:00 +0000

";
    test_assert date :index 2 "received" "weekday" "1";
    test_assert date :index 1 :last "received" "weekday" "1";
    test_assert not date :index 3 :contains "received" "weekday" "";
}
test "the example of section 6.1" {
    test_set "message" "Received: x; Sun, 18 Oct 2026 10:00:00 +0000
Received: x; Wed, 12 Nov 2007 10:00:00 +0000

";
    if date :index 1 :last "received" "year" "2007" { fileinto "old"; }
    test_actions "fileinto \"old\"";
}
test "last needs index" {
    test_refuses "require \"index\"; if header :last \"x\" \"a\" { keep; }" ":last needs :index";
    test_refuses "require \"index\"; if address :last \"to\" \"a\" { keep; }" ":last needs :index";
    test_refuses "require [\"index\", \"date\"]; if date :last \"date\" \"year\" \"a\" { keep; }" ":last needs :index";
}
test "counting begins with one" {
    test_refuses "require \"index\"; if header :index 0 \"x\" \"a\" { keep; }" ":index counts from 1";
}
test "needs require" {
    test_refuses "if header :index 1 \"x\" \"a\" { keep; }" ":index needs: require \"index\"";
}
