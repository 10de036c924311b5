# RFC 5429: Reject and extended reject.
require ["reject", "ereject", "fileinto", "copy"];
test "reject cancels the implicit keep (section 2.2)" {
    reject "no thank you";
    test_actions "reject \"no thank you\"";
}
test "ereject (section 2.1)" {
    ereject "no thank you";
    test_actions "ereject \"no thank you\"";
}
test "the example of section 2.2" {
    test_set "message" "From: coyote@desert.example.org

";
    test_runs text:
require ["reject"];
if header :contains "from" "coyote@desert.example.org" {
reject text:
I am not taking mail from you, and I don't
want your birdseed, either!
..
;
}
.
    ["reject \"I am not taking mail from you, and I don't
want your birdseed, either!
\""];
}
test "the example of section 2.1" {
    test_set "message" "From: someone@example.com

";
    test_runs "require [\"ereject\"]; if address \"from\" \"someone@example.com\" { ereject \"I no longer accept mail from this address\"; }"
        "ereject \"I no longer accept mail from this address\"";
}
test "with other actions it is an error (section 2.4)" {
    test_fails "require \"reject\"; keep; reject \"x\";" "reject goes together with no other action";
    test_fails "require \"reject\"; reject \"x\"; keep;" "reject goes together with no other action";
    test_fails "require [\"reject\", \"fileinto\"]; fileinto \"a\"; reject \"x\";" "reject goes together";
    test_fails "require [\"reject\", \"copy\"]; redirect :copy \"a@b.example\"; reject \"x\";" "reject goes together";
    test_fails "require [\"reject\", \"ereject\"]; ereject \"a\"; reject \"x\";" "reject goes together";
    test_fails "require \"reject\"; reject \"a\"; reject \"x\";" "reject goes together";
}
test "with discard it is none" {
    test_runs "require \"reject\"; discard; reject \"x\";" "reject \"x\"";
}
test "needs require" {
    test_refuses "reject \"a\";" "\"reject\" needs: require \"reject\"";
    test_refuses "ereject \"a\";" "\"ereject\" needs: require \"ereject\"";
    test_refuses "require \"reject\"; reject;" "\"reject\" lacks an argument";
}
