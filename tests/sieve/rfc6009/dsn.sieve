# RFC 6009: Delivery status notifications and deliver-by extensions of redirect.
require ["redirect-dsn", "redirect-deliverby", "copy", "variables"];
test "notify (section 6)" {
    redirect :notify "NEVER" "a@b.example";
    redirect :notify "SUCCESS,FAILURE" "c@d.example";
    redirect :notify "delay" "e@f.example";
    test_actions ["redirect \"a@b.example\" notify=", "redirect \"c@d.example\" notify=sf", "redirect \"e@f.example\" notify=d"];
}
test "ret (section 6)" {
    redirect :copy :ret "FULL" "a@b.example";
    redirect :ret "HDRS" "c@d.example";
    test_actions ["redirect \"a@b.example\" ret=F", "redirect \"c@d.example\" ret=H"];
}
test "deliver-by (section 7)" {
    redirect :bytimerelative 600 :bymode "notify" "a@b.example";
    redirect :bytimerelative 60 :bymode "return" :bytrace "c@d.example";
    test_actions ["redirect \"a@b.example\" by=600N", "redirect \"c@d.example\" by=60RT"];
}
test "the mode is return unless it is given (section 7)" {
    redirect :bytimerelative 60 "a@b.example";
    test_actions "redirect \"a@b.example\" by=60R";
}
test "what there is not" {
    test_refuses "require \"redirect-dsn\"; redirect :notify \"ALWAYS\" \"a@b.example\";" "\"ALWAYS\" is no value of :notify";
    test_refuses "require \"redirect-dsn\"; redirect :notify \"NEVER,DELAY\" \"a@b.example\";" "is no value of :notify";
    test_refuses "require \"redirect-dsn\"; redirect :notify \"DELAY,DELAY\" \"a@b.example\";" "is no value of :notify";
    test_refuses "require \"redirect-dsn\"; redirect :ret \"HALF\" \"a@b.example\";" "\"HALF\" is no value of :ret";
    test_refuses "require \"redirect-deliverby\"; redirect :bytimerelative 1 :bymode \"x\" \"a@b.example\";" "is no value of :bymode";
    test_refuses "require \"redirect-deliverby\"; redirect :bytrace \"a@b.example\";" ":bymode and :bytrace need :bytimerelative";
}
test "values of variables are looked at when it runs" {
    set "d" "$";
    test_fails "require [\"redirect-dsn\", \"variables\"]; redirect :notify \"${d}{a}x\" \"a@b.example\";" "\"x\" is no value of :notify";
}
test "needs require" {
    test_refuses "redirect :notify \"NEVER\" \"a@b.example\";" ":notify needs: require \"redirect-dsn\"";
    test_refuses "redirect :bytimerelative 1 \"a@b.example\";" ":bytimerelative needs: require \"redirect-deliverby\"";
}
