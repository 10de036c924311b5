# RFC 5231: Relational extension.
require ["relational", "comparator-i;ascii-numeric"];
test "value: gt, ge, lt, le, eq, ne (section 4.1)" {
    test_set "message" "X-Priority: 3

";
    test_assert header :value "gt" :comparator "i;ascii-numeric" "x-priority" "2";
    test_assert not header :value "gt" :comparator "i;ascii-numeric" "x-priority" "3";
    test_assert header :value "ge" :comparator "i;ascii-numeric" "x-priority" "3";
    test_assert header :value "lt" :comparator "i;ascii-numeric" "x-priority" "10";
    test_assert not header :value "lt" :comparator "i;ascii-numeric" "x-priority" "3";
    test_assert header :value "le" :comparator "i;ascii-numeric" "x-priority" "3";
    test_assert header :value "eq" :comparator "i;ascii-numeric" "x-priority" "03";
    test_assert header :value "ne" :comparator "i;ascii-numeric" "x-priority" "4";
}
test "value is compared as text with the other comparators" {
    test_set "message" "X-Priority: 3

";
    test_assert header :value "gt" "x-priority" "10";
    test_assert header :value "lt" :comparator "i;octet" "x-priority" "A";
}
test "i;ascii-casemap orders as in upper case (RFC 4790 section 9.2.1)" {
    test_set "message" "Subject: abc

";
    test_assert header :value "lt" "subject" "ABD";
    test_assert header :value "lt" "subject" "_";
    test_assert header :value "gt" :comparator "i;octet" "subject" "_";
}
test "value: any field and any key" {
    test_set "message" "X-N: 1
X-N: 9

";
    test_assert header :value "gt" :comparator "i;ascii-numeric" "x-n" ["100", "5"];
    test_assert not header :value "gt" :comparator "i;ascii-numeric" "x-n" ["100", "50"];
}
test "count: of header fields (section 4.2)" {
    test_set "message" "Received: a
Received: b
Received: c
Subject: d

";
    test_assert header :count "eq" :comparator "i;ascii-numeric" ["received"] ["3"];
    test_assert header :count "ge" :comparator "i;ascii-numeric" ["received", "subject"] ["4"];
    test_assert header :count "lt" :comparator "i;ascii-numeric" "received" "4";
    test_assert header :count "eq" :comparator "i;ascii-numeric" "x-none" "0";
}
test "count: of addresses: the example of section 6" {
    test_set "message" "To: foo@example.com.invalid, baz@example.com.invalid
Cc: bar@example.com.invalid, qux@example.com.invalid

";
    test_assert address :count "gt" :comparator "i;ascii-numeric" ["to"] ["1"];
    test_assert address :count "gt" :comparator "i;ascii-numeric" ["to", "cc"] ["3"];
    test_assert not address :count "gt" :comparator "i;ascii-numeric" ["to"] ["3"];
}
test "an unknown relation" {
    test_refuses "require \"relational\"; if header :value \"bt\" \"a\" \"b\" { keep; }" "\"bt\" is no relation";
    test_refuses "require \"relational\"; if header :count { keep; }" "behind :count a string must stand";
}
test "needs require" {
    test_refuses "if header :value \"gt\" \"a\" \"b\" { keep; }" ":value needs: require \"relational\"";
    test_refuses "if header :count \"gt\" \"a\" \"b\" { keep; }" ":count needs: require \"relational\"";
}
