# RFC 6009: what redirect's arguments do together.
require ["redirect-dsn", "redirect-deliverby", "copy", "variables"];
test "all of them at once, in any order" {
    redirect :ret "HDRS" :copy :bymode "NOTIFY" :notify "SUCCESS" :bytrace :bytimerelative 86400 "a@b.example";
    test_actions ["redirect \"a@b.example\" notify=s ret=H by=86400NT", "implicit keep"];
}
test "the case of values does not matter" {
    redirect :notify "never" :ret "full" "a@b.example";
    test_actions "redirect \"a@b.example\" notify= ret=F";
}
test "a time of more than nine digits is the longest there is (RFC 2852 section 4)" {
    redirect :bytimerelative 4294967295 "a@b.example";
    test_actions "redirect \"a@b.example\" by=999999999R";
}
test "an empty list is no value" {
    test_refuses "require \"redirect-dsn\"; redirect :notify \"\" \"a@b.example\";" "\"\" is no value of :notify";
    test_refuses "require \"redirect-dsn\"; redirect :notify \"SUCCESS, DELAY\" \"a@b.example\";" "is no value of :notify";
}
test "ret of a variable" {
    set "d" "$"; set "r" "FULL";
    redirect :ret "${r}" "a@b.example";
    test_actions "redirect \"a@b.example\" ret=F";
    test_fails "require [\"redirect-dsn\", \"variables\"]; set \"r\" \"half\"; redirect :ret \"${d}{r}\" \"a@b.example\";" "\"half\" is no value of :ret";
}
test "they are redirect's alone" {
    test_refuses "require \"redirect-dsn\"; keep :notify \"NEVER\";" "\"keep\" has no argument :notify";
    test_refuses "require [\"redirect-deliverby\", \"fileinto\"]; fileinto :bytimerelative 1 \"a\";" "\"fileinto\" has no argument :bytimerelative";
}
