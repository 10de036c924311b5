# RFC 6785 section 3: what actions mean for an IMAP event. Every keep says the flags as they are to be.
test "the implicit keep (section 3.1)" {
    test_set "event" "APPEND"; test_set "flag" "\\Seen";
    test_runs "require \"imapsieve\";" "keep flags=[\"\\Seen\"]";
}
test "keep (section 3.2)" {
    test_set "event" "FLAG"; test_set "flag" "\\Seen"; test_set "flag" "$x";
    test_runs "require \"imapsieve\"; keep;" "keep flags=[\"\\Seen\" \"$x\"]";
}
test "fileinto cancels the implicit keep, with :copy it does not (section 3.3)" {
    test_set "event" "COPY";
    test_runs "require [\"imapsieve\", \"fileinto\"]; fileinto \"a\";" "fileinto \"a\" flags=[]";
    test_runs "require [\"imapsieve\", \"fileinto\", \"copy\"]; fileinto :copy \"a\";" ["fileinto \"a\" flags=[]", "keep flags=[]"];
}
test "redirect, and with :copy (section 3.4)" {
    test_set "event" "COPY";
    test_runs "require \"imapsieve\"; redirect \"a@b.example\";" "redirect \"a@b.example\"";
    test_runs "require [\"imapsieve\", \"copy\"]; redirect :copy \"a@b.example\";" ["redirect \"a@b.example\"", "keep flags=[]"];
}
test "discard; with keep it does nothing (section 3.5)" {
    test_set "event" "APPEND";
    test_runs "require \"imapsieve\"; discard;" "";
    test_runs "require \"imapsieve\"; discard; keep;" "keep flags=[]";
}
test "notify (section 3.6)" {
    test_set "event" "FLAG";
    test_runs "require [\"imapsieve\", \"enotify\"]; notify :message \"hi\" \"mailto:a@b.example\";"
        ["notify \"mailto:a@b.example\" \"hi\" importance=2", "keep flags=[]"];
}
test "addheader and deleteheader (section 3.7)" {
    test_set "event" "COPY";
    test_runs "require [\"imapsieve\", \"editheader\", \"fileinto\", \"copy\"]; addheader \"X\" \"y\"; if header \"X\" \"y\" { fileinto :copy \"a\"; }"
        ["fileinto \"a\" flags=[]", "keep flags=[]"];
}
test "flags begin with those of the message (section 3.8)" {
    # ""hasflag" will see the new, changed flags"
    test_set "event" "FLAG"; test_set "flag" "\\Seen"; test_set "flag" "\\Flagged";
    test_runs "require [\"imapsieve\", \"imap4flags\"]; if hasflag :is \"\\\\Flagged\" { addflag \"$important\"; }"
        "keep flags=[\"\\Seen\" \"\\Flagged\" \"$important\"]";
    test_runs "require [\"imapsieve\", \"imap4flags\"]; removeflag \"\\\\Seen\";" "keep flags=[\"\\Flagged\"]";
    test_runs "require [\"imapsieve\", \"imap4flags\"]; setflag \"a b\";" "keep flags=[\"a\" \"b\"]";
    test_runs "require [\"imapsieve\", \"imap4flags\"]; keep :flags \"\";" "keep flags=[]";
}
test "what is filed has the flags, or others (RFC 5232 section 5)" {
    test_set "event" "FLAG"; test_set "flag" "\\Seen";
    test_runs "require [\"imapsieve\", \"imap4flags\", \"fileinto\"]; fileinto \"a\"; keep;" ["fileinto \"a\" flags=[\"\\Seen\"]", "keep flags=[\"\\Seen\"]"];
    test_runs "require [\"imapsieve\", \"imap4flags\", \"fileinto\"]; fileinto :flags \"x\" \"a\"; keep;" ["fileinto \"a\" flags=[\"x\"]", "keep flags=[\"\\Seen\"]"];
}
test "replace and enclose (section 3.9)" {
    test_set "event" "APPEND";
    test_runs "require [\"imapsieve\", \"enclose\", \"replace\", \"body\", \"fileinto\", \"copy\"]; replace \"new\"; enclose \"text\"; if body :contains \"new\" { fileinto :copy \"a\"; }"
        ["fileinto \"a\" flags=[]", "keep flags=[]"];
}
test "spamtest and virustest (section 3.10)" {
    test_set "event" "APPEND"; test_set "spam" "100"; test_set "virus" "5";
    test_runs "require [\"imapsieve\", \"spamtest\", \"virustest\", \"relational\", \"comparator-i;ascii-numeric\"]; if allof (spamtest :value \"ge\" :comparator \"i;ascii-numeric\" \"9\", virustest \"5\") { discard; }" "";
}
test "an error: the flags stay as they are" {
    test_set "event" "FLAG"; test_set "flag" "\\Seen";
    test_fails "require [\"imapsieve\", \"imap4flags\", \"fileinto\"]; setflag \"a\"; fileinto \"x\"; fileinto \"\";" "fileinto needs a mailbox's name";
}
test "a script that does not require imapsieve is run, too" {
    test_set "event" "APPEND";
    test_runs "if header \"subject\" \"Hello\" { discard; }" "";
}
