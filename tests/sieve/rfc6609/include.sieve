# RFC 6609: Include extension.
require ["include", "variables", "fileinto"];
test "an included script's actions (section 3.1)" {
    test_set "personal:a" "require \"fileinto\"; fileinto \"a\";";
    include "a";
    test_actions "fileinto \"a\"";
}
test "personal and global are two places (section 3.1)" {
    test_set "personal:a" "require \"fileinto\"; fileinto \"personal\";";
    test_set "global:a" "require \"fileinto\"; fileinto \"global\";";
    include :global "a"; include :personal "a";
    test_actions ["fileinto \"global\"", "fileinto \"personal\""];
}
test "it may be included twice" {
    set "d" "$";
    test_set "personal:a" "require [\"include\", \"variables\"]; global \"n\"; set \"n\" \"${d}{n}x\";";
    include "a"; include "a";
    test_assert string "${global.n}" "xx";
}
test ":once (section 3.1)" {
    set "d" "$";
    test_set "personal:a" "require [\"include\", \"variables\"]; global \"n\"; set \"n\" \"${d}{n}x\";";
    include "a"; include :once "a";
    test_assert string "${global.n}" "x";
}
test ":optional (section 3.1)" {
    include :optional "none"; keep;
    test_actions "keep";
}
test "a script that there is not" {
    test_fails "require \"include\"; include \"none\";" "there is no script \"none\"";
    test_fails "require \"include\"; include :global \"none\";" "there is no script \"none\"";
}
test "a script that does not compile" {
    test_set "personal:bad" "explode;";
    test_fails "require \"include\"; include \"bad\";" "the script \"bad\" cannot be used";
    test_fails "require \"include\"; include :optional \"bad\";" "the script \"bad\" cannot be used";
}
test "a script that includes itself" {
    test_set "personal:a" "require \"include\"; include \"a\";";
    test_fails "require \"include\"; include \"a\";" "the script \"a\" includes itself";
}
test "a circle, with :once (section 3.1)" {
    test_set "personal:a" "require \"include\"; include :once \"b\";";
    test_set "personal:b" "require \"include\"; include :once \"a\"; discard;";
    test_runs "require \"include\"; include \"a\";" "";
}
test "too deep" {
    test_set "personal:1" "require \"include\"; include \"2\";";
    test_set "personal:2" "require \"include\"; include \"3\";";
    test_set "personal:3" "require \"include\"; include \"4\";";
    test_set "personal:4" "require \"include\"; include \"5\";";
    test_set "personal:5" "require \"include\"; include \"6\";";
    test_set "personal:6" "require \"include\"; include \"7\";";
    test_set "personal:7" "require \"include\"; include \"8\";";
    test_set "personal:8" "require \"include\"; include \"9\";";
    test_set "personal:9" "require \"include\"; include \"10\";";
    test_set "personal:10" "discard;";
    test_fails "require \"include\"; include \"1\";" "scripts include one another more than 10 deep";
    test_runs "require \"include\"; include \"2\";" "";
}
test "stop ends all of them (section 3.1)" {
    test_set "personal:a" "stop;";
    test_runs "require \"include\"; include \"a\"; discard;" "keep";
}
test "return ends the one (section 3.3)" {
    test_set "personal:a" "require [\"include\", \"fileinto\"]; fileinto \"a\"; return; fileinto \"b\";";
    test_runs "require \"include\"; include \"a\"; keep;" ["fileinto \"a\"", "keep"];
}
test "return of the main script is stop (section 3.3)" {
    test_runs "require \"include\"; return; discard;" "keep";
    test_warns "require \"include\"; return; discard;" "this is never reached";
}
test "requires are each script's own (section 3.1)" {
    test_set "personal:a" "fileinto \"a\";";
    test_fails "require [\"include\", \"fileinto\"]; include \"a\"; fileinto \"b\";" "cannot be used";
}
test "variables are each script's own (section 3.4)" {
    set "d" "$";
    test_set "personal:a" "require [\"variables\", \"fileinto\"]; set \"x\" \"inner\"; fileinto \"${d}{x}${d}{y}\";";
    set "x" "outer"; set "y" "outer";
    include "a";
    test_assert string "${x}" "outer";
    test_actions "fileinto \"inner\"";
}
test "global variables: the example of section 3.4.1" {
    test_set "message" "Subject: $$ Make money

";
    set "d" "$";
    test_set "personal:subject_tests" "require [\"include\", \"variables\"];
global [\"test\", \"test_mailbox\"];
if header :contains \"Subject\" \"${d}{test}\" { set \"test_mailbox\" \"spam-${d}{test}\"; }";
    test_runs "require [\"fileinto\", \"include\", \"variables\", \"relational\"];
global \"test\";
global \"test_mailbox\";
set \"test\" \"$$\";
include \"subject_tests\";
set \"test\" \"Make money\";
include \"subject_tests\";
if string :count \"eq\" \"${d}{test_mailbox}\" \"1\" { fileinto \"${d}{test_mailbox}\"; stop; }"
    "fileinto \"spam-Make money\"";
}
test "the namespace global: the example of section 3.4.2" {
    test_set "message" "To: bob@example.org

";
    global "i_am_on_vacation";
    set "global.i_am_on_vacation" "1";
    test_assert string :is "${i_am_on_vacation}" "1";
    set "i_am_on_vacation" "2";
    test_assert string :is "${global.i_am_on_vacation}" "2";
}
test "a variable of one's own beside a global one (section 3.4)" {
    set "a" "own"; set "global.a" "shared";
    test_assert string "${a}" "own";
    test_assert string "${global.a}" "shared";
}
test "global behind set (section 3.4.1)" {
    test_refuses "require [\"include\", \"variables\"]; set \"a\" \"b\"; global \"a\";" "the variable \"a\" is the script's own already";
}
test "global: names (section 3.4.1)" {
    test_refuses "require [\"include\", \"variables\"]; global \"1\";" "\"1\" is no name of a variable";
    test_refuses "require [\"include\", \"variables\"]; global \"global.a\";" "is no name of a variable";
    test_refuses "require [\"include\", \"variables\"]; set \"global.data.from\" \"me@example.com\";" "is no name of a variable";
    test_refuses "require [\"include\", \"variables\"]; set \"global.12\" \"value\";" "is no name of a variable";
    test_refuses "require [\"include\", \"variables\"]; global;" "\"global\" has one argument";
}
test "global needs both (section 3.4.1)" {
    test_refuses "require \"include\"; global \"a\";" "global needs: require \"variables\"";
    test_refuses "require \"variables\"; global \"a\";" "global needs: require \"include\"";
    test_refuses "require \"variables\"; set \"global.a\" \"b\";" "is no name of a variable";
}
test "an error in an included script is the whole run's" {
    test_set "personal:a" "require \"fileinto\"; fileinto \"\";";
    test_fails "require [\"include\", \"fileinto\"]; fileinto \"b\"; include \"a\";" "fileinto needs";
}
test "one place alone" {
    test_refuses "require \"include\"; include :personal :global \"a\";" ":global does not go together";
}
test "needs require" {
    test_refuses "include \"a\";" "\"include\" needs: require \"include\"";
    test_refuses "return;" "return needs: require \"include\"";
}
