# RFC 5230: Vacation extension, further cases.
require ["vacation", "variables", "editheader"];
test "handle: the same whatever is said (section 4.2)" {
    vacation :handle "h" :subject "a" "b";
    test_output 1 "Subject: a
";
}
test "an empty text" {
    vacation "";
    test_output 1 "Content-Transfer-Encoding: 7bit

";
}
test "variables in a text" {
    test_assert header :matches "subject" "*";
    vacation "Your mail \"${1}\" came.";
    test_output 1 "Your mail \"Hello\" came.";
}
test "lines end in CRLF" {
    vacation text:
one
two
.
    ;
    test_output 1 "one
two
";
}
test "a message to several, the user among them" {
    test_set "message" "To: x@y.example, Bob <BOB@example.org>

";
    vacation "x";
    test_output 1 "To: alice@example.com
";
}
test "a blind copy is not answered (section 4.5)" {
    test_set "message" "To: undisclosed-recipients:;

";
    vacation "x";
    test_actions "implicit keep";
}
test "Bcc that says it" {
    test_set "message" "Bcc: bob@example.org

";
    vacation "x";
    test_output 1 "To: alice@example.com
";
}
test "an unknown sender is not answered" {
    test_set "envelope.from" "noreply@shop.example";
    vacation "x";
    test_actions "implicit keep";
}
test "the subject's encoded words are decoded and encoded again" {
    test_set "message" "To: bob@example.org
Subject: =?iso-8859-1?Q?Gr=FC=DFe?=

";
    vacation "x";
    test_output 1 "Subject: =?UTF-8?B?QXV0bzogR3LDvMOfZQ==?=
";
}
test "In-Reply-To stands in for References (RFC 5322 section 3.6.4)" {
    test_set "message" "To: bob@example.org
Message-ID: <2@x>
In-Reply-To: <1@x>

";
    vacation "x";
    test_output 1 "References: <1@x> <2@x>
";
}
test "no Message-ID, no In-Reply-To (section 5.8)" {
    test_set "message" "To: bob@example.org

";
    addheader "X" "y";
    vacation "x";
    test_output 1 "Subject: Automated reply
Auto-Submitted: auto-replied
";
}
test "it may stand in an if" {
    if false { vacation "a"; } else { vacation "b"; }
    test_output 1 "

b";
}
