# RFC 5228 section 4: Action commands; section 2.10: Evaluation.
require "fileinto";
test "nothing said: the implicit keep (section 2.10.2)" {
    test_runs "" "keep";
    test_runs "# nothing
" "keep";
}
test "keep" {
    test_runs "keep;" "keep";
}
test "keep twice is keep once (section 2.10.3)" {
    test_runs "keep; keep;" "keep";
}
test "discard cancels the implicit keep (section 4.4)" {
    test_runs "discard;" "";
}
test "discard does not take back a keep" {
    test_runs "keep; discard;" "keep";
    test_runs "discard; keep;" "keep";
}
test "the example of section 4.4" {
    test_set "message" "From: idiot@example.com

";
    test_runs text:
if header :contains ["from"] ["idiot@example.com"] {
   discard;
}
.
    "";
}
test "fileinto cancels the implicit keep (section 4.1)" {
    fileinto "INBOX/harassment";
    test_actions "fileinto \"INBOX/harassment\"";
}
test "fileinto into one mailbox twice" {
    fileinto "a"; fileinto "b"; fileinto "a";
    test_actions ["fileinto \"a\"", "fileinto \"b\""];
}
test "fileinto and keep" {
    fileinto "a"; keep;
    test_actions ["fileinto \"a\"", "keep"];
}
test "fileinto without a name" {
    test_fails "require \"fileinto\"; fileinto \"\";" "fileinto needs a mailbox's name";
}
test "redirect cancels the implicit keep (section 4.2)" {
    redirect "bart@example.com";
    test_actions "redirect \"bart@example.com\"";
}
test "redirect to one address twice" {
    redirect "bart@example.com"; redirect "Bart <bart@example.com>";
    test_actions "redirect \"bart@example.com\"";
}
test "redirect: an address with a name (section 2.4.2.3)" {
    redirect "\"Bart S.\" <bart@example.com>";
    test_actions "redirect \"bart@example.com\"";
}
test "redirect: what is no address" {
    test_refuses "redirect \"bart\";" "1:10: \"bart\" is no address";
    test_refuses "redirect \"a@b.example, c@d.example\";" "is no address";
    test_refuses "redirect \"friends: a@b.example;\";" "is no address";
    test_refuses "redirect \"<@route.example:a@b.example>\";" "is no address";
    test_refuses "redirect \"\";" "is no address";
    test_refuses "redirect \"a@\";" "is no address";
    test_refuses "redirect \"a@b.example\";" "is no address";
    test_refuses "redirect \"a@b.examplec\";" "is no address";
}
test "redirects have a limit (section 10)" {
    test_fails text:
redirect "a1@x.example"; redirect "a2@x.example"; redirect "a3@x.example"; redirect "a4@x.example";
redirect "a5@x.example"; redirect "a6@x.example"; redirect "a7@x.example"; redirect "a8@x.example";
redirect "a9@x.example";
.
    "a script may redirect a message to 8 addresses";
}
test "an error at run time leaves the implicit keep alone (section 2.10.6)" {
    test_fails "require \"fileinto\"; fileinto \"a\"; redirect \"b@c.example\"; fileinto \"\";" "fileinto needs";
}
test "actions take what is theirs" {
    test_refuses "keep \"a\";" "\"keep\" takes no further argument here";
    test_refuses "discard 1;" "\"discard\" takes no further argument here";
    test_refuses "require \"fileinto\"; fileinto;" "\"fileinto\" lacks an argument: a string";
    test_refuses "require \"fileinto\"; fileinto [\"a\", \"b\"];" "a string must stand here, as argument of \"fileinto\"";
    test_refuses "redirect;" "\"redirect\" lacks an argument";
    test_refuses "keep true;" "\"keep\" takes no test";
    test_refuses "keep { stop; }" "\"keep\" takes no block";
}
test "what there is not" {
    test_refuses "explode;" "1:1: there is no command \"explode\"";
    test_refuses "if shining { keep; }" "1:4: there is no test \"shining\"";
    test_refuses "header \"a\" \"b\";" "there is no command \"header\"";
    test_refuses "if keep { keep; }" "there is no test \"keep\"";
}
test "all errors are told" {
    test_refuses "explode;
implode;
" ["1:1: there is no command \"explode\"", "2:1: there is no command \"implode\""];
}
test "names in any case" {
    test_runs "KEEP; If TRUE { Discard; }" "keep";
}
