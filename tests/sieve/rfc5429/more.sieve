# RFC 5429: what reject goes together with, and the examples that need other extensions.
require ["variables"];
test "the example of section 2.5: refused" {
    test_set "spam" "70";
    test_runs text:
            require ["ereject", "spamtest", "fileinto",
                     "comparator-i;ascii-numeric", "relational"];

            if spamtest :value "ge"
                        :comparator "i;ascii-numeric" "6" {
                ereject text:
    AntiSpam engine thinks your message is spam.
    It is therefore being refused.
    Please call 1-900-PAY-US if you want to reach us.
..
                ;
            } elsif spamtest :value "ge"
                             :comparator "i;ascii-numeric" "4" {
                fileinto "Suspect";
            }
.
    "ereject \"    AntiSpam engine thinks your message is spam.
    It is therefore being refused.
    Please call 1-900-PAY-US if you want to reach us.
\"";
}
test "the example of section 2.5: suspect" {
    test_set "spam" "40";
    test_runs text:
            require ["ereject", "spamtest", "fileinto",
                     "comparator-i;ascii-numeric", "relational"];
            if spamtest :value "ge" :comparator "i;ascii-numeric" "6" {
                ereject "spam";
            } elsif spamtest :value "ge"
                             :comparator "i;ascii-numeric" "4" {
                fileinto "Suspect";
            }
.
    "fileinto \"Suspect\"";
}
test "vacation: \"reject MUST be incompatible with the vacation action\" (section 2.4)" {
    test_fails "require [\"reject\", \"vacation\"]; vacation \"away\"; reject \"x\";" "reject goes together with no other action";
    test_fails "require [\"ereject\", \"vacation\"]; ereject \"x\"; vacation \"away\";" "reject goes together with no other action";
}
test "notify delivers nothing: it goes together" {
    test_runs "require [\"reject\", \"enotify\"]; notify \"mailto:a@b.example\"; reject \"x\";"
        ["notify \"mailto:a@b.example\" from=\"bob@example.org\" importance=2", "reject \"x\""];
}
test "a branch that is not taken rejects nothing" {
    test_runs "require [\"reject\", \"fileinto\"]; if header \"subject\" \"none\" { reject \"x\"; } fileinto \"a\";" "fileinto \"a\"";
}
test "an error behind it takes it back" {
    test_fails "require [\"reject\", \"fileinto\"]; reject \"x\"; fileinto \"\";" "fileinto needs a mailbox's name";
}
test "the reason may be the message's" {
    set "dollar" "$";
    test_runs "require [\"reject\", \"variables\"]; if header :matches \"subject\" \"*\" { reject \"not ${dollar}{1}\"; }" "reject \"not Hello\"";
}
