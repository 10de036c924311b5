# RFC 6609 section 3.2: the four scripts of its example.
require "include";
test "from the boss: kept, and no list" {
    test_set "message" "From: boss@example.com
Subject: x

";
    test_set "personal:always_allow" "if address :is \"from\" \"boss@example.com\" { keep; } elsif address :is \"from\" \"ceo@example.com\" { keep; }";
    test_set "global:spam_tests" "require [\"reject\"]; if anyof (header :contains \"Subject\" \"$$\", header :contains \"Subject\" \"Make money\") { reject \"No thank you.\"; }";
    test_set "personal:mailing_lists" "require [\"fileinto\"]; if header :is \"List-ID\" \"sieve.ietf.org\" { fileinto \"lists.sieve\"; } elsif header :is \"List-ID\" \"ietf-imapext.imc.org\" { fileinto \"lists.imapext\"; }";
    test_runs "require [\"include\"]; include :personal \"always_allow\"; include :global \"spam_tests\"; include :personal \"mailing_lists\";" "keep";
}
test "spam: the site rejects it" {
    test_set "message" "Subject: Make money now

";
    test_set "global:spam_tests" "require [\"reject\"]; if anyof (header :contains \"Subject\" \"$$\", header :contains \"Subject\" \"Make money\") { reject \"No thank you.\"; }";
    test_set "personal:spam_tests" "require [\"reject\"]; if header :contains \"Subject\" \"XXXX\" { reject \"Subject XXXX is unacceptable.\"; }";
    test_runs "require [\"include\"]; include :global \"spam_tests\"; include :personal \"spam_tests\";" "reject \"No thank you.\"";
}
test "a list: filed" {
    test_set "message" "List-ID: sieve.ietf.org

";
    test_set "personal:mailing_lists" "require [\"fileinto\"]; if header :is \"List-ID\" \"sieve.ietf.org\" { fileinto \"lists.sieve\"; }";
    test_runs "require [\"include\"]; include :personal \"mailing_lists\";" "fileinto \"lists.sieve\"";
}
test "editheader: changes go in and out (section 3.5)" {
    test_set "personal:a" "require \"editheader\"; deleteheader \"X-Old\"; addheader \"X-New\" \"1\";";
    test_set "message" "X-Old: 1

";
    test_runs "require [\"include\", \"fileinto\"]; include \"a\"; if allof (exists \"X-New\", not exists \"X-Old\") { fileinto \"good\"; }" "fileinto \"good\"";
}
test "flags go in and out" {
    test_set "personal:a" "require \"imap4flags\"; addflag \"b\";";
    test_runs "require [\"include\", \"imap4flags\"]; setflag \"a\"; include \"a\";" "keep flags=[\"a\" \"b\"]";
}
test "an included script's keep cancels the implicit one" {
    test_set "personal:a" "discard;";
    test_runs "require \"include\"; include \"a\";" "";
}
test "in a block" {
    test_set "personal:a" "discard;";
    test_runs "require \"include\"; if header \"subject\" \"hello\" { include \"a\"; }" "";
    test_runs "require \"include\"; if header \"subject\" \"other\" { include \"a\"; }" "keep";
}
test "in a loop the included script is outside of it" {
    test_set "personal:a" "require [\"foreverypart\", \"mime\", \"fileinto\"]; foreverypart { fileinto \"part\"; break; }";
    test_runs "require [\"include\", \"foreverypart\"]; foreverypart { include \"a\"; }" "fileinto \"part\"";
}
test "a loop is not ended from an included script" {
    test_set "personal:a" "require \"foreverypart\"; break;";
    test_fails "require [\"include\", \"foreverypart\"]; foreverypart { include \"a\"; }" "cannot be used";
}
