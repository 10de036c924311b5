# RFC 5228 section 2.7.1: patterns of :matches, and how they are compared.
require "variables";
test "a star at both ends" {
    test_assert string :matches "abc" "*abc*";
    test_assert string :matches "xabcy" "*abc*";
    test_assert not string :matches "abxc" "*abc*";
}
test "a star alone takes all" {
    test_assert string :matches "" "*";
    test_assert string :matches "a*b?c\\d" "*";
}
test "two stars" {
    test_assert string :matches "abc" "**";
    test_assert string "${1}" "";
    test_assert string "${2}" "abc";
}
test "the same text before and behind" {
    test_assert string :matches "aa" "a*a";
    test_assert not string :matches "a" "a*a";
    test_assert string :matches "aXa" "a*a";
    test_assert string "${1}" "X";
}
test "a part that comes twice" {
    test_assert string :matches "abab" "*ab";
    test_assert string "${1}" "ab";
    test_assert string :matches "aab" "*ab";
    test_assert string "${1}" "a";
}
test "question marks behind a star" {
    test_assert string :matches "abcd" "*??";
    test_assert string "${1}" "ab";
    test_assert string "${2}" "c";
    test_assert string "${3}" "d";
}
test "question marks before a star" {
    test_assert string :matches "abcd" "??*";
    test_assert string "${3}" "cd";
    test_assert not string :matches "a" "??*";
}
test "a star between characters of several bytes" {
    test_assert string :matches "äöü" "ä*ü";
    test_assert string "${1}" "ö";
    test_assert string :matches "äöü" "?*?";
    test_assert string "${2}" "ö";
    test_assert string "${3}" "ü";
}
test "an escaped star is no wildcard, and no match variable" {
    test_assert string :matches "a*b" "a\\*?";
    test_assert string "${1}" "b";
}
test "an escaped letter is the letter" {
    test_assert string :matches "abc" "\\a\\b\\c";
}
test "a backslash at the end is itself" {
    test_assert string :matches "a\\" "a\\";
    test_assert string :matches "a\\" "*\\";
}
test "an escaped backslash before a star" {
    test_assert string :matches "a\\bc" "a\\\\*";
    test_assert string "${1}" "bc";
}
test "a pattern longer than the text" {
    test_assert not string :matches "ab" "abc";
    test_assert not string :matches "ab" "ab?";
    test_assert string :matches "ab" "ab*";
}
test "cases of a pattern" {
    test_assert string :matches "ABC" "a?c";
    test_assert string :matches "abc" "A*C";
    test_assert not string :comparator "i;octet" :matches "abc" "A*C";
}
test "line ends are characters" {
    test_assert string :matches "a
b" "a*b";
    test_assert string :matches "a
b" "a??b";
}
test "brackets are no wildcards" {
    test_assert string :matches "[ab]" "[ab]";
    test_assert not string :matches "a" "[ab]";
}
test "contains: the empty string is in all" {
    test_assert string :contains "" "";
    test_assert string :contains "a" "";
}
test "contains: a key longer than the text" {
    test_assert not string :contains "ab" "abc";
}
test "contains: at the start, in the middle, at the end" {
    test_assert string :contains "abc" "a";
    test_assert string :contains "abc" "b";
    test_assert string :contains "abc" "C";
}
test "is: not a part" {
    test_assert not string :is "abc" "ab";
    test_assert not string :is "ab" "abc";
    test_assert string :is "" "";
}
