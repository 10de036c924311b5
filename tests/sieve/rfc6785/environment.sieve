# RFC 6785 section 4: what scripts for IMAP events can ask.
require ["environment", "imapsieve", "relational"];
test "imapsieve can be required, without a use" {
    test_accepts "require \"imapsieve\"; keep;";
}
test "at delivery, imap.user and imap.email are empty (section 4.2)" {
    # "This MUST be the empty string if it is accessed during normal (final delivery) Sieve processing."
    test_assert environment :is "imap.user" "";
    test_assert environment :is "imap.email" "";
    test_assert environment :count "eq" "imap.user" "1";
}
test "at delivery, the others are empty, too" {
    test_assert environment :is "imap.cause" "";
    test_assert environment :is "imap.mailbox" "";
    test_assert environment :is "imap.changedflags" "";
}
test "items of no specification are unknown" {
    test_assert environment :count "eq" "imap.other" "0";
}
test "imap.user, imap.email: who caused it (section 4.2)" {
    test_set "event" "APPEND"; test_set "env:imap.user" "tim"; test_set "env:imap.email" "tim@example.com";
    test_runs text:
require ["environment", "imapsieve", "fileinto", "copy"];
if environment "imap.user" "tim" { fileinto :copy "user"; }
if environment :matches "imap.email" "*@example.com" { fileinto :copy "email"; }
.
    ["fileinto \"user\" flags=[]", "fileinto \"email\" flags=[]", "keep flags=[]"];
}
test "imap.cause: APPEND, COPY, FLAG (section 4.3)" {
    test_set "event" "COPY";
    test_runs "require [\"environment\", \"imapsieve\"]; if environment \"imap.cause\" [\"APPEND\", \"COPY\"] { discard; }" "";
    test_runs "require [\"environment\", \"imapsieve\"]; if environment \"imap.cause\" \"FLAG\" { discard; }" "keep flags=[]";
}
test "imap.mailbox does not change by what the script does (section 4.4)" {
    test_set "event" "COPY"; test_set "env:imap.mailbox" "ActionItems";
    test_runs text:
require ["environment", "imapsieve", "fileinto"];
fileinto "other";
if environment "imap.mailbox" "ActionItems" { keep; }
.
    ["fileinto \"other\" flags=[]", "keep flags=[]"];
}
test "imap.changedflags: which flags, not how they are (section 4.5)" {
    test_set "event" "FLAG"; test_set "env:imap.changedflags" "\\Flagged $work"; test_set "flag" "\\Flagged";
    test_runs text:
require ["environment", "imapsieve", "imap4flags", "fileinto", "copy"];
if environment :contains "imap.changedflags" "\\Flagged" { fileinto :copy "flagged changed"; }
if environment :contains "imap.changedflags" "$work" { fileinto :copy "work changed"; }
if hasflag "\\Flagged" { fileinto :copy "flagged is set"; }
if hasflag "$work" { fileinto :copy "work is set"; }
.
    ["fileinto \"flagged changed\" flags=[\"\\Flagged\"]", "fileinto \"work changed\" flags=[\"\\Flagged\"]",
     "fileinto \"flagged is set\" flags=[\"\\Flagged\"]", "keep flags=[\"\\Flagged\"]"];
}
