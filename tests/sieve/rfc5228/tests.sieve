# RFC 5228 sections 5.2, 5.3, 5.5, 5.6, 5.8 to 5.10: allof, anyof, exists, false, not, size, true.
test "true and false (sections 5.10, 5.6)" {
    test_assert true;
    test_assert not false;
}
test "not (section 5.8)" {
    test_assert not not true;
    test_assert not not not false;
}
test "allof: all of them (section 5.2)" {
    test_assert allof (true, true);
    test_assert not allof (true, false);
    test_assert not allof (false, true);
    test_assert allof (true);
}
test "anyof: one of them (section 5.3)" {
    test_assert anyof (false, true);
    test_assert anyof (true, false);
    test_assert not anyof (false, false);
}
test "nested" {
    test_assert allof (anyof (false, true), not allof (true, false), anyof (true));
    test_assert not anyof (allof (true, false), allof (false, true), not true);
}
test "exists: all of the fields (section 5.5)" {
    test_assert exists "From";
    test_assert exists ["from", "DATE"];
    test_assert not exists ["from", "x-none"];
    test_assert not exists ["x-none"];
}
test "exists: the example of section 5.5" {
    test_runs text:
if not exists ["From","Date"] {
   discard;
}
.
    "keep";
    test_set "message" "From: a@b.example

";
    test_runs text:
if not exists ["From","Date"] {
   discard;
}
.
    "";
}
test "size: over and under (section 5.9)" {
    test_set "message" "X: 45678

890123456789";
    test_assert size :over 23;
    test_assert size :under 25;
    test_assert size :over 10;
    test_assert not size :under 24;
    test_assert not size :over 24;
}
test "size: neither under nor over is the size itself" {
    test_set "message" "X: 45678

890123456789";
    test_assert not anyof (size :over 24, size :under 24);
}
test "size: K, M and G (section 2.4.1)" {
    test_assert size :under 1K;
    test_assert size :under 1m;
    test_assert size :under 4G;
}
test "size needs a limit, and over or under" {
    test_refuses "if size 100 { keep; }" "\"size\" needs :over or :under";
    test_refuses "if size :over { keep; }" "\"size\" lacks an argument: a number";
    test_refuses "if size :over :under 1 { keep; }" ":under does not go together";
    test_refuses "if size :over \"1\" { keep; }" "a number must stand here";
}
test "not takes one test" {
    test_refuses "if not { keep; }" "\"not\" needs one test";
    test_refuses "if not (true, false) { keep; }" "\"not\" needs one test";
}
test "allof and anyof take a list in parentheses" {
    test_refuses "if allof true { keep; }" "needs a list of tests in parentheses";
    test_refuses "if anyof { keep; }" "needs a list of tests in parentheses";
    test_refuses "if anyof () { keep; }" "1:11: a test must stand here";
}
test "true takes nothing" {
    test_refuses "if true 1 { keep; }" "\"true\" takes no arguments";
    test_refuses "if true false { keep; }" "\"true\" takes no test";
}
