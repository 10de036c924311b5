# draft-ietf-sieve-regex: Regular expression extension.
require ["regex", "variables", "fileinto", "envelope"];
test "header (section 4)" {
    test_set "message" "Subject: [sieve] draft 7

";
    test_assert header :regex "subject" "draft [0-9]+";
    test_assert not header :regex "subject" "draft [a-z]+$";
    test_assert not header :regex "subject" "^draft";
}
test "the comparator says whether cases differ" {
    test_assert header :regex "subject" "hELLo";
    test_assert not header :regex :comparator "i;octet" "subject" "hELLo";
}
test "address and envelope" {
    test_assert address :localpart :regex "from" "^al[ix]ce$";
    test_assert envelope :regex "to" "@example\\.(org|net)$";
}
test "match variables: groups" {
    test_set "message" "Subject: ticket 4711: broken

";
    test_assert header :regex "subject" "ticket ([0-9]+): (.*)$";
    test_assert string "${0}" "ticket 4711: broken";
    test_assert string "${1}" "4711";
    test_assert string "${2}" "broken";
    test_assert string "${3}" "";
}
test "match variables: a group without a match is empty" {
    test_assert string :regex "ac" "a(b)?(c)";
    test_assert string "${1}" "";
    test_assert string "${2}" "c";
}
test "match variables: more groups than variables" {
    test_assert string :regex "abcdefghijkl" "(a)(b)(c)(d)(e)(f)(g)(h)(i)(j)(k)";
    test_assert string "${9}" "i";
}
test "match variables: a failed match changes nothing" {
    test_assert string :regex "abc" "a(.)c";
    test_assert not string :regex "xyz" "a(.)c";
    test_assert string "${1}" "b";
}
test "any of several" {
    test_assert header :regex ["x-none", "subject"] ["^nothing$", "^Hel+o$"];
}
test "expressions with variables" {
    set "what" "l{2}";
    test_assert header :regex "subject" "He${what}o";
}
test "an expression that a variable spoils" {
    set "d" "$";
    test_fails "require [\"regex\", \"variables\"]; set \"a\" \"(\"; if header :regex \"subject\" \"${d}{a}\" { discard; }" "\"(\" is no regular expression";
}
test "quoteregex (section 5)" {
    set :quoteregex "a" "1.5 (x) [y]*";
    test_assert string :comparator "i;octet" "${a}" "1\\.5 \\(x\\) \\[y\\]\\*";
    test_assert string :regex "is 1.5 (x) [y]* big" "is ${a} big";
    test_assert not string :regex "is 1x5 (x) [y]* big" "is ${a} big";
}
test "characters are those of UTF-8" {
    test_assert string :regex "äöü" "^...$";
}
test "what is no expression" {
    test_refuses "require \"regex\"; if header :regex \"a\" \"(b\" { keep; }" "this is no regular expression: missing closing parenthesis, at byte 3";
    test_refuses "require \"regex\"; if header :regex \"a\" \"*\" { keep; }" "this is no regular expression";
}
test "an expression that takes too long" {
    test_set "message" "Subject: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!

";
    test_fails "require \"regex\"; if header :regex \"subject\" \"^(a+)+[bc]\" { discard; }" "takes too long";
}
test "not with i;ascii-numeric" {
    test_refuses "require [\"regex\", \"comparator-i;ascii-numeric\"]; if header :regex :comparator \"i;ascii-numeric\" \"a\" \"b\" { keep; }" "knows no substrings";
}
test "needs require" {
    test_refuses "if header :regex \"a\" \"b\" { keep; }" ":regex needs: require \"regex\"";
    test_refuses "require \"variables\"; set :quoteregex \"a\" \"b\";" ":quoteregex needs: require \"regex\"";
}
