# RFC 5233: more addresses.
require ["subaddress", "envelope", "variables", "relational", "comparator-i;ascii-numeric", "fileinto"];
test "the example of section 5: mail to a list's address" {
    test_set "envelope.original" "ken+spam@example.org";
    if envelope :detail "to" "spam" { discard; }
    test_actions "";
}
test "matches takes the detail apart" {
    test_set "message" "To: ken+lists.sieve@example.org
";
    test_assert address :detail :matches "to" "lists.*";
    test_assert string "${1}" "sieve";
}
test "several addresses: any" {
    test_set "message" "To: a@example.org, b+x@example.org
Cc: c+y@example.org
";
    test_assert address :detail ["to", "cc"] "x";
    test_assert address :detail ["to", "cc"] "y";
    test_assert not address :detail "to" "y";
}
test "count: those that have a detail" {
    test_set "message" "To: a@example.org, b+x@example.org, c+@example.org
";
    test_assert address :detail :count "eq" :comparator "i;ascii-numeric" "to" "2";
    test_assert address :user :count "eq" :comparator "i;ascii-numeric" "to" "3";
}
test "the case of the detail does not matter, unless it is asked for" {
    test_set "message" "To: ken+Sieve@example.org
";
    test_assert address :detail "to" "sieve";
    test_assert not address :detail :comparator "i;octet" "to" "sieve";
}
test "a quoted local part" {
    test_set "message" "To: \"ken r+a b\"@example.org
";
    test_assert address :user "to" "ken r";
    test_assert address :detail "to" "a b";
}
test "an empty user" {
    test_set "message" "To: +x@example.org
";
    test_assert address :user :is "to" "";
    test_assert address :detail "to" "x";
}
test "only one part of an address" {
    test_refuses "require \"subaddress\"; if address :user :detail \"to\" \"a\" { keep; }" ":detail does not go together";
    test_refuses "require \"subaddress\"; if address :domain :user \"to\" \"a\" { keep; }" ":user does not go together";
}
