# RFC 5232: imap4flags.
require ["imap4flags", "fileinto", "variables", "relational", "comparator-i;ascii-numeric", "copy"];
test "setflag and the internal variable (section 3.1)" {
    setflag "\\Deleted"; keep;
    test_actions "keep flags=[\"\\Deleted\"]";
}
test "the implicit keep takes the internal variable (section 3)" {
    test_runs "require \"imap4flags\"; setflag \"\\\\Seen\";" "keep flags=[\"\\Seen\"]";
}
test "without flags none are given" {
    keep;
    test_actions "keep";
}
test "setflag replaces, addflag adds" {
    setflag "\\Seen"; setflag "\\Draft"; addflag "\\Flagged"; keep;
    test_actions "keep flags=[\"\\Draft\" \"\\Flagged\"]";
}
test "addflag: the examples of section 3.2" {
    addflag "flagvar" "\\Deleted"; addflag "flagvar" "\\Answered";
    addflag "a" ["\\Deleted", "\\Answered"];
    addflag "b" "\\Deleted \\Answered";
    addflag "c" "\\Answered \\Deleted";
    test_assert string "${flagvar}" "${a}";
    test_assert string "${flagvar}" "${b}";
    test_assert hasflag :count "eq" "c" "2";
    test_assert allof (hasflag "c" "\\Answered", hasflag "c" "\\Deleted");
}
test "removeflag (section 3.3)" {
    setflag ["\\Seen", "\\Answered", "$MDNRequired"]; removeflag "\\seen"; removeflag ["$mdnrequired", "", "x"]; keep;
    test_actions "keep flags=[\"\\Answered\"]";
}
test "removeflag: the last one leaves an empty set" {
    setflag "\\Seen"; removeflag "\\Seen"; keep;
    test_actions "keep flags=[]";
}
test "removeflag of a variable" {
    set "v" "a b c"; removeflag "v" "b";
    test_assert string "${v}" "a c";
}
test "duplicates are one flag, whatever the case" {
    setflag ["\\Seen", "\\SEEN", "Junk", "junk"]; keep;
    test_actions "keep flags=[\"\\Seen\" \"Junk\"]";
}
test "blanks between flags, and empty strings (section 2)" {
    setflag ["  \\Seen   \\Draft ", "", "  "]; keep;
    test_actions "keep flags=[\"\\Seen\" \"\\Draft\"]";
}
test "what is no flag is ignored (section 2)" {
    setflag ["\\Recent", "\\Nonsense", "a(b", "ä", "100%", "$ok", "a\"b"]; keep;
    test_actions "keep flags=[\"$ok\"]";
}
test ":flags of keep and fileinto (section 5)" {
    keep :flags "\\Seen"; fileinto :flags ["\\Seen", "\\Flagged"] "a";
    test_actions ["keep flags=[\"\\Seen\"]", "fileinto \"a\" flags=[\"\\Seen\" \"\\Flagged\"]"];
}
test ":flags goes before the internal variable" {
    setflag "\\Draft"; fileinto :flags "\\Seen" "a"; fileinto "b"; fileinto :flags "" "c";
    test_actions ["fileinto \"a\" flags=[\"\\Seen\"]", "fileinto \"b\" flags=[\"\\Draft\"]", "fileinto \"c\" flags=[]"];
}
test "of several equal actions the last flags win (section 3)" {
    fileinto :flags "\\Seen" "a"; fileinto :flags "\\Draft" "a";
    test_actions "fileinto \"a\" flags=[\"\\Draft\"]";
}
test "the example of section 3.1" {
    test_set "message" "From: boss@frobnitzm.example.edu

";
    if header :contains "from" "boss@frobnitzm.example.edu" {
        setflag "flagvar" "\\Flagged";
        fileinto :flags "${flagvar}" "INBOX.From Boss";
    }
    test_actions "fileinto \"INBOX.From Boss\" flags=[\"\\Flagged\"]";
}
test "the example of section 3.3" {
    test_set "message" "Disposition-Notification-To: mel@example.com
From: imap@cac.washington.example.edu

";
    if header :contains "Disposition-Notification-To" "mel@example.com" {
        addflag "flagvar" "$MDNRequired";
    }
    if header :contains "from" "imap@cac.washington.example.edu" {
        removeflag "flagvar" "$MDNRequired";
        fileinto :flags "${flagvar}" "INBOX.imap-list";
    }
    test_actions "fileinto \"INBOX.imap-list\" flags=[]";
}
test "hasflag: the first example of section 4" {
    setflag "A B";
    test_assert hasflag :is "b A";
    test_assert hasflag ["b", "A"];
    test_assert not hasflag "C";
}
test "hasflag: the second example of section 4" {
    set "MyVar" "NonJunk Junk gnus-forward $Forwarded NotJunk JunkRecorded $Junk $NotJunk";
    test_assert hasflag :contains "MyVar" "Junk";
    test_assert hasflag :contains "MyVar" "forward";
    test_assert hasflag :contains "MyVar" ["label", "forward"];
    test_assert hasflag :contains "MyVar" ["junk", "forward"];
    test_assert hasflag :contains "MyVar" "junk forward";
    test_assert hasflag :contains "MyVar" "forward junk";
    test_assert not hasflag :contains "MyVar" "label";
    test_assert not hasflag :contains "MyVar" ["label1", "label2"];
}
test "hasflag: the third example of section 4" {
    set "MyFlags" "A B";
    test_assert hasflag :count "ge" :comparator "i;ascii-numeric" "MyFlags" "2";
    test_assert not hasflag :count "ge" :comparator "i;ascii-numeric" "MyFlags" "3";
}
test "hasflag: counts distinct flags, of all variables" {
    set "a" "x X y"; set "b" "z";
    test_assert hasflag :count "eq" ["a", "b"] "3";
}
test "hasflag: matches" {
    setflag ["$label1", "other"];
    test_assert hasflag :matches "$label?";
    test_assert string "${1}" "1";
}
test "hasflag: of an empty set" {
    test_assert not hasflag "";
    test_assert not hasflag :contains "x";
    test_assert hasflag :count "eq" "0";
}
test "a keep with flags, and a copy" {
    setflag "\\Seen"; fileinto :copy "a";
    test_actions ["fileinto \"a\" flags=[\"\\Seen\"]", "implicit keep"];
}
test "a variable's name needs variables" {
    test_refuses "require \"imap4flags\"; setflag \"v\" \"\\\\Seen\";" "a variable's name v needs: require \"variables\"";
    test_refuses "require \"imap4flags\"; if hasflag \"v\" \"\\\\Seen\" { keep; }" "needs: require \"variables\"";
}
test "a variable's name must be one" {
    test_refuses "require [\"imap4flags\", \"variables\"]; setflag \"a b\" \"\\\\Seen\";" "is no name of a variable";
}
test "needs require" {
    test_refuses "setflag \"a\";" "\"setflag\" needs: require \"imap4flags\"";
    test_refuses "keep :flags \"a\";" ":flags needs: require \"imap4flags\"";
}
test "arguments" {
    test_refuses "require \"imap4flags\"; addflag;" "\"addflag\" lacks an argument";
    test_refuses "require \"imap4flags\"; if hasflag { keep; }" "\"hasflag\" lacks an argument";
    test_refuses "require \"imap4flags\"; addflag \"a\" \"b\" \"c\";" "takes no further argument";
}
