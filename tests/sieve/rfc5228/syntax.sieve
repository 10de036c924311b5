# RFC 5228 section 2: Design and form of the language; section 8: Parsing.
test "a hash comment ends with the line (section 2.3)" {
    # keep;
    test_accepts "keep; # a comment; with { everything";
    test_accepts "# a comment without an end of line";
}
test "a bracketed comment (section 2.3)" {
    test_accepts "/* several
lines * / /* */ keep;";
    test_accepts "if /* here */ true /**/ { /***/ keep /* and here */ ; }";
    test_accepts "/* /* they do not nest */ keep;";
}
test "a comment without an end" {
    test_refuses "keep; /* and so on" "1:7: this comment has no end";
    test_refuses "/*/" "this comment has no end";
}
test "white space is of no matter (section 2.2)" {
    test_accepts "if
true
{	keep
;}";
}
test "lines may end in LF" {
    test_accepts "keep;
keep;
";
}
test "quoted strings (section 2.4.2)" {
    test_set "message" "Subject: a\"b\\c

";
    test_assert header :is "subject" "a\"b\\c";
    test_assert header :is "subject" "\a\"\b\\\c";
}
test "a quoted string over several lines" {
    test_refuses "keep \"a
b\"; explode;" "2:5: there is no command";
}
test "a string without an end" {
    test_refuses "keep \"abc" "1:6: this string has no end";
    test_refuses "keep \"abc\\" "1:6: this string has no end";
}
test "multi-line text (section 2.4.2)" {
    test_set "message" text:
Subject: x

first
..dot
.second
. third
.
    ;
    test_message "Subject: x

first
.dot
.second
. third
";
}
test "multi-line text, with a comment behind text:" {
    test_set "message" text: # a comment
Subject: y
.
    ;
    test_message "Subject: y
";
}
test "multi-line text without an end" {
    test_refuses "keep text:
abc
" "1:6: this text has no end";
    test_refuses "keep text: abc
.
" "behind \"text:\" the line must end";
}
test "an empty multi-line text" {
    test_set "message" text:
.
    ;
    test_message "";
}
test "numbers (section 2.4.1)" {
    test_accepts "if size :over 2147483647 { keep; }";
    test_accepts "if size :over 100K { keep; }";
    test_refuses "if size :over 100X { keep; }" "behind a number only K, M or G may stand";
    test_refuses "if size :over 99999999999999999999 { keep; }" "this number is too large";
    test_refuses "if size :over 72057594037927935G { keep; }" "this number is too large";
    test_refuses "if size :over -1 { keep; }" "this character has no meaning here";
}
test "a tag needs a name (section 2.6.2)" {
    test_refuses "if size : over 1 { keep; }" "behind \":\" a name must stand";
}
test "a command ends with a semicolon" {
    test_refuses "keep" "1:5: \";\" or a block must stand here";
    test_refuses "keep keep;" "\"keep\" takes no test";
    test_refuses "keep;;" "1:6: a command must stand here";
}
test "blocks" {
    test_refuses "if true { keep;" "1:16: a command or \"}\" must stand here";
    test_refuses "if true keep; }" "1:15: a command must stand here";
    test_refuses "keep; }" "1:7: a command must stand here";
}
test "string lists (section 2.4.2.1)" {
    test_assert header :is ["subject"] ["hello"];
    test_refuses "if header [] \"a\" { keep; }" "a string must stand here, in a list";
    test_refuses "if header [\"a\",] \"a\" { keep; }" "a string must stand here, in a list";
    test_refuses "if header [\"a\" \"b\"] \"a\" { keep; }" "\",\" or \"]\" must stand here";
    test_refuses "if header [\"a\", 1] \"a\" { keep; }" "a string must stand here, in a list";
}
test "the example of section 2.4.2.1" {
    test_set "message" "To: x@y.example
Cc: me00@landru.example.com

";
    test_assert header :contains ["To", "Cc"] ["me@example.com", "me00@landru.example.com"];
}
test "tests in lists" {
    test_refuses "if anyof (true false) { keep; }" "\"true\" takes no test";
    test_refuses "if anyof (true, { keep; }" "a test must stand here";
    test_refuses "if anyof (true; true) { keep; }" "\",\" or \")\" must stand here";
}
test "what has no meaning" {
    test_refuses "keep @;" "1:6: this character has no meaning here";
    test_refuses "ké;" "this character has no meaning here";
}
test "columns count characters" {
    test_refuses "/* äöü */ explode;" "1:11: there is no command";
}
test "a missing argument" {
    test_refuses "if header \"a\" { keep; }" "\"header\" lacks an argument: a string or a list of strings";
    test_refuses "if header :comparator { keep; }" "behind :comparator a string must stand";
    test_refuses "if header :is \"a\" \"b\" \"c\" { keep; }" "\"header\" takes no further argument here";
    test_refuses "if header 1 \"b\" { keep; }" "a string or a list of strings must stand here";
}
test "a bad script does nothing (section 2.10.5)" {
    test_refuses "discard; explode;" "there is no command";
}
