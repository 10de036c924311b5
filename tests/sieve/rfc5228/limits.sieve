# The limits of sieve/sieve.h that a script alone can reach (RFC 5228 section 10).
require "fileinto";
test "blocks: 32 deep" {
    test_accepts "if true{if true{if true{if true{if true{if true{if true{if true{if true{if true{if true{if true{if true{if true{if true{if true{if true{if true{if true{if true{if true{if true{if true{if true{if true{if true{if true{if true{if true{if true{if true{if true{keep;}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}";
}
test "blocks: 33 deep" {
    test_refuses "if true{if true{if true{if true{if true{if true{if true{if true{if true{if true{if true{if true{if true{if true{if true{if true{if true{if true{if true{if true{if true{if true{if true{if true{if true{if true{if true{if true{if true{if true{if true{if true{if true{keep;}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}" "blocks are nested too deep";
}
test "tests: 32 deep" {
    test_accepts "if not not not not not not not not not not not not not not not not not not not not not not not not not not not not not not not true { keep; }";
}
test "tests: 34 deep" {
    test_refuses "if not not not not not not not not not not not not not not not not not not not not not not not not not not not not not not not not not true { keep; }" "tests are nested too deep";
}
test "arguments: 41" {
    test_refuses "keep 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 41;" "there are too many arguments";
}
