# RFC 5228 section 2.7.3: Comparators across character sets; RFC 4790 sections 9.1 to 9.3;
# RFC 5051.
require ["comparator-i;ascii-numeric", "comparator-i;unicode-casemap", "relational"];
test "i;ascii-casemap is the default" {
    test_assert header :is "subject" "HELLO";
}
test "i;octet tells cases apart" {
    test_assert header :is :comparator "i;octet" "subject" "Hello";
    test_assert not header :is :comparator "i;octet" "subject" "hello";
    test_assert not header :contains :comparator "i;octet" "subject" "ELL";
    test_assert not header :matches :comparator "i;octet" "subject" "h*";
}
test "i;ascii-casemap folds ASCII alone" {
    test_set "message" "Subject: ÄPFEL

";
    test_assert not header :is "subject" "äpfel";
    test_assert header :contains "subject" "pfel";
}
test "i;unicode-casemap folds all letters (RFC 5051)" {
    test_set "message" "Subject: ÄPFEL Straße

";
    test_assert header :contains :comparator "i;unicode-casemap" "subject" "äpfel";
    test_assert header :is :comparator "i;unicode-casemap" "subject" "äpfel STRASSE";
    test_assert header :matches :comparator "i;unicode-casemap" "subject" "ä*STRASSE";
}
test "i;ascii-numeric compares numbers (RFC 4790 section 9.1)" {
    test_set "message" "X-N: 007

";
    test_assert header :is :comparator "i;ascii-numeric" "x-n" "7";
    test_assert not header :is :comparator "i;ascii-numeric" "x-n" "70";
    test_assert header :value "lt" :comparator "i;ascii-numeric" "x-n" "10";
}
test "i;ascii-numeric: no digits are infinity, and equal" {
    test_set "message" "X-N: many

";
    test_assert header :is :comparator "i;ascii-numeric" "x-n" "lots";
    test_assert header :value "gt" :comparator "i;ascii-numeric" "x-n" "99999999999999999999";
}
test "i;ascii-numeric: numbers of any length" {
    test_set "message" "X-N: 123456789012345678901234567890

";
    test_assert header :value "gt" :comparator "i;ascii-numeric" "x-n" "123456789012345678901234567889";
    test_assert header :is :comparator "i;ascii-numeric" "x-n" "0123456789012345678901234567890";
}
test "i;ascii-numeric knows no substrings" {
    test_refuses text:
require "comparator-i;ascii-numeric";
if header :contains :comparator "i;ascii-numeric" "a" "1" { keep; }
.
    "2:4: the comparator \"i;ascii-numeric\" knows no substrings";
}
test "i;ascii-numeric needs require" {
    test_refuses "if header :comparator \"i;ascii-numeric\" \"a\" \"1\" { keep; }"
        "the comparator i;ascii-numeric needs: require \"comparator-i;ascii-numeric\"";
}
test "an unknown comparator" {
    test_refuses "if header :comparator \"i;klingon\" \"a\" \"1\" { keep; }"
        "1:23: there is no comparator \"i;klingon\"";
}
test "i;octet and i;ascii-casemap may be required, and need not" {
    test_accepts text:
require ["comparator-i;octet", "comparator-i;ascii-casemap"];
if header :comparator "i;octet" "a" "1" { keep; }
.
    ;
}
