# RFC 5228 section 2.7.1: Match Type.
test "contains: frobnitzm contains frob and nit, but not fbm" {
    test_set "message" "Subject: frobnitzm

";
    test_assert header :contains "subject" "frob";
    test_assert header :contains "subject" "nit";
    test_assert not header :contains "subject" "fbm";
}
test "is: only frobnitzm is frobnitzm" {
    test_set "message" "Subject: frobnitzm

";
    test_assert header :is "subject" "frobnitzm";
    test_assert not header :is "subject" "frob";
}
test "matches: * is any text, the empty one too" {
    test_assert header :matches "subject" "*";
    test_assert header :matches "subject" "Hello*";
    test_assert header :matches "subject" "*Hello";
    test_assert header :matches "subject" "H*o";
    test_assert header :matches "subject" "*ell*";
    test_assert not header :matches "subject" "H*x";
    test_assert not header :matches "subject" "*ellx*";
}
test "matches: ? is one character" {
    test_assert header :matches "subject" "H?llo";
    test_assert header :matches "subject" "?????";
    test_assert not header :matches "subject" "????";
    test_assert not header :matches "subject" "??????";
}
test "matches: the whole value" {
    test_assert not header :matches "subject" "ell";
    test_assert not header :matches "subject" "Hell";
    test_assert header :matches "subject" "hello";
}
test "matches: \\? and \\* stand for themselves" {
    test_set "message" "Subject: really?*

";
    test_assert header :matches "subject" "really\\?\\*";
    test_assert header :matches "subject" "*\\?\\*";
    test_assert header :matches "subject" "*\\**";
    test_assert not header :matches "subject" "rea\\?ly*";
    test_assert not header :matches "subject" "\\*";
}
test "matches: a backslash is written twice" {
    test_set "message" "Subject: a\\b

";
    test_assert header :matches "subject" "a\\\\b";
    test_assert header :matches "subject" "*\\\\*";
    test_assert header :matches "subject" "a\\\\*";
}
test "matches: a question mark is a character of UTF-8, a byte for i;octet" {
    test_set "message" "Subject: =?utf-8?Q?=C3=A4?=

";
    test_assert header :matches "subject" "?";
    test_assert not header :matches "subject" "??";
    test_assert header :matches :comparator "i;octet" "subject" "??";
    test_assert not header :matches :comparator "i;octet" "subject" "?";
}
test "matches: the text after the last * is at the end" {
    test_set "message" "Subject: abcabd abc

";
    test_assert header :matches "subject" "*abc";
    test_assert header :matches "subject" "a*abd*abc";
    test_assert not header :matches "subject" "*abd";
    test_assert header :matches "subject" "*a*b*c";
    test_assert header :matches "subject" "**abc**";
}
test "matches: the empty pattern matches the empty value alone" {
    test_set "message" "Subject: x
X-Empty:

";
    test_assert header :matches "x-empty" "";
    test_assert header :matches "x-empty" "*";
    test_assert not header :matches "x-empty" "?";
    test_assert not header :matches "subject" "";
}
test "one match type alone" {
    test_refuses "if header :is :contains \"a\" \"b\" { }" "1:15: :contains does not go together";
}
test "an unknown tag" {
    test_refuses "if header :like \"a\" \"b\" { }" "1:11: \"header\" has no argument :like";
}
