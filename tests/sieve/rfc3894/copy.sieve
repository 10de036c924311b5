# RFC 3894: Copying without side effects.
require ["copy", "fileinto"];
test "redirect :copy leaves the implicit keep (section 3)" {
    redirect :copy "a@b.example";
    test_actions ["redirect \"a@b.example\"", "implicit keep"];
}
test "fileinto :copy leaves the implicit keep (section 3)" {
    fileinto :copy "a";
    test_actions ["fileinto \"a\"", "implicit keep"];
}
test "without :copy it is cancelled" {
    fileinto :copy "a"; fileinto "b";
    test_actions ["fileinto \"a\"", "fileinto \"b\""];
}
test "the example: a copy to a pager, filed all the same" {
    test_set "message" "From: mom@example.org
Subject: x

";
    test_runs text:
require ["copy", "fileinto"];
if header :contains "from" "mom@example.org" {
    fileinto :copy "incoming";
    redirect :copy "pager@example.net";
}
.
    ["fileinto \"incoming\"", "redirect \"pager@example.net\"", "keep"];
}
test "needs require" {
    test_refuses "redirect :copy \"a@b.example\";" ":copy needs: require \"copy\"";
    test_refuses "require \"fileinto\"; fileinto :copy \"a\";" ":copy needs: require \"copy\"";
}
test "not for keep" {
    test_refuses "require \"copy\"; keep :copy;" "\"keep\" has no argument :copy";
}
