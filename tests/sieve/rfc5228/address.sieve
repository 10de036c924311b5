# RFC 5228 section 5.1: Test address; section 2.7.4: Comparisons against addresses.
test "all is the default" {
    test_assert address :is "from" "alice@example.com";
    test_assert address :is :all "from" "alice@example.com";
}
test "the name before it is no part of the address" {
    test_set "message" "From: \"Roger Runner\" <rr@desert.example>

";
    test_assert not address :contains "from" "Roger";
    test_assert address :is "from" "rr@desert.example";
}
test "localpart" {
    test_assert address :is :localpart "from" "alice";
    test_assert not address :is :localpart "from" "alice@example.com";
}
test "domain" {
    test_assert address :is :domain "from" "EXAMPLE.com";
    test_assert not address :is :domain "from" "alice";
}
test "every address of a field" {
    test_set "message" "To: a@x.example, \"B, C\" <b@y.example>, (comment) c@z.example

";
    test_assert address :is "to" "a@x.example";
    test_assert address :is "to" "b@y.example";
    test_assert address :is "to" "c@z.example";
}
test "the members of a group" {
    test_set "message" "To: friends: a@x.example, b@y.example;, c@z.example

";
    test_assert address :is "to" ["b@y.example"];
    test_assert address :is "to" ["c@z.example"];
    test_assert not address :contains "to" ["friends"];
}
test "any of several fields" {
    test_set "message" "To: a@x.example
Cc: b@y.example

";
    test_assert address :is :domain ["from", "to", "cc"] "y.example";
}
test "the example of section 5.1: a colleague of tim" {
    test_set "message" "From: tim@example.com

";
    test_assert address :is :all "from" "tim@example.com";
}
test "a quoted local part is compared without its quotes" {
    test_set "message" "From: \"john smith\"@x.example

";
    test_assert address :is :localpart "from" "john smith";
}
test "an address without a domain" {
    test_set "message" "From: root

";
    test_assert address :is "from" "root";
    test_assert address :is :localpart "from" "root";
    test_assert address :is :domain "from" "";
}
test "a field without an address matches nothing" {
    test_set "message" "From: 
To: undisclosed-recipients:;

";
    test_assert not address :contains "from" "";
    test_assert not address :contains "to" "";
}
test "a folded field" {
    test_set "message" "To: a@x.example,
 b@y.example

";
    test_assert address :is "to" "b@y.example";
}
test "only fields that hold addresses" {
    test_refuses "if address :is \"subject\" \"a\" { keep; }"
        "1:16: \"subject\" is no header field that holds addresses";
}
test "one part alone" {
    test_refuses "if address :localpart :domain \"from\" \"a\" { keep; }"
        "1:23: :domain does not go together with another tag before it";
}
