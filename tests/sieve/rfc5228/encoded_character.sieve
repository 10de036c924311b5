# RFC 5228 section 2.4.2.4: Encoding characters using "encoded-character".
require "encoded-character";
test "the example: $$$" {
    test_set "message" "Subject: $$$

";
    test_assert header :contains "Subject" "$${hex:24 24}";
}
test "hex" {
    test_set "message" "Subject: $@
A: @

";
    test_assert header :is "Subject" "$${hex:40}";
    test_assert header :is "A" "${hex: 40 }";
    test_assert header :is "A" "${HEX: 40}";
}
test "what is not well-formed stays as it is" {
    test_set "message" "A: ${hex:24}{hex:40
B: ${hex:24}{hex:400}
C: ${hex:24}{hex:40}
D: ${hex:24}{ unicode:40}
E: ${hex:24}{Unicode:Cool}
F: ${hex:24}{hex:}

";
    test_assert header :is "A" "${hex:40";
    test_assert header :is "B" "${hex:400}";
    test_assert header :is "C" "${hex:4${hex:30}}";
    test_assert header :is "D" "${ unicode:40}";
    test_assert header :is "E" "${Unicode:Cool}";
    test_assert header :is "F" "${hex:}";
}
test "unicode" {
    test_set "message" "A: @
B: äΩ

";
    test_assert header :is "A" "${unicode:40}";
    test_assert header :is "A" "${UNICODE:40}";
    test_assert header :is "A" "${UnICoDE:0000040}";
    test_assert header :is "A" "${Unicode:40}";
    test_assert header :is "B" "${unicode:e4 3A9}";
}
test "a character outside of the basic plane" {
    test_set "message" "A: 😀

";
    test_assert header :is "A" "${unicode:1F600}";
}
test "numbers that are no characters" {
    test_refuses "require \"encoded-character\"; keep \"${hex:24}{unicode:200000}\";" "${hex:24}{unicode:...} names a number that is no character";
    test_refuses "require \"encoded-character\"; keep \"${hex:24}{Unicode:DF01}\";" "${hex:24}{unicode:...} names a number that is no character";
    test_refuses "require \"encoded-character\"; keep \"${hex:24}{unicode:ffffffffffffffff}\";" "names a number that is no character";
}
test "only with require" {
    test_set "message" "Subject: @

";
    test_runs "if header :is \"subject\" \"${hex:24}{unicode:40}\" { discard; }" "keep";
    test_accepts "if header :is \"subject\" \"${hex:24}{unicode:200000}\" { discard; }";
}
