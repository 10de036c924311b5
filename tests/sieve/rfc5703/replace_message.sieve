# RFC 5703 section 5: "When used outside the context of a "foreverypart" loop, the MIME part to be
# replaced is the entire message."
require ["mime", "foreverypart", "replace", "variables", "editheader", "body", "include", "fileinto", "copy"];
test "the body is another one, the header keeps what is not about MIME" {
    # "Implementations MUST preserve all other header fields from the original message with the
    # exception of those relating to the MIME structure that is being replaced."
    test_set "message" text:
From: a@x.example
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=o
Content-Language: de
Subject: s

--o

x
--o--
.
    ;
    replace "new";
    test_message "From: a@x.example
Subject: s
MIME-Version: 1.0
Content-Type: text/plain; charset=us-ascii
Content-Transfer-Encoding: 7bit

new";
    test_assert body :contains "new";
    test_assert not exists "Content-Language";
}
test ":subject: the one before is kept as Original-Subject" {
    # "If the ":subject" parameter is used, implementations MUST preserve any previous Subject header
    # as an Original-Subject header."
    test_set "message" "Subject: one
 and two
From: a@x.example

x
";
    replace :subject "other" "new";
    test_message "Original-Subject: one
 and two
From: a@x.example
MIME-Version: 1.0
Content-Type: text/plain; charset=us-ascii
Content-Transfer-Encoding: 7bit
Subject: other

new";
    test_assert header "subject" "other";
    test_assert header "original-subject" "one and two";
}
test ":subject of a message without one" {
    test_set "message" "From: a@x.example

x
";
    replace :subject "other" "new";
    test_assert header "subject" "other";
    test_assert not exists "original-subject";
}
test ":subject is encoded if and only if it is not ASCII" {
    # "implementations MUST convert the string to [RFC2047]-encoded words if and only if non-ASCII
    # characters are present"
    replace :subject "Grüße" "new";
    test_assert header "subject" "Grüße";
    keep;
    test_output 1 "Subject: =?UTF-8?B?R3LDvMOfZQ==?=
";
    test_runs "require \"replace\"; replace :subject \"plain\" \"x\";" "keep";
}
test ":from: the one before is kept as Original-From" {
    # "If the From header is changed, implementations MUST preserve the previous From header as an
    # Original-From header."
    replace :from "Filter <filter@example.org>, b@example.org" "new";
    test_assert address :all "from" "filter@example.org";
    test_assert address :all "from" "b@example.org";
    test_assert header "original-from" "Alice <alice@example.com>";
    keep;
    test_output 1 "From: \"Filter\" <filter@example.org>, <b@example.org>
";
}
test ":from with a name that is not ASCII" {
    replace :from "Jörg <j@example.org>" "new";
    keep;
    test_output 1 "From: =?UTF-8?B?SsO2cmc=?= <j@example.org>
";
}
test ":from that is no list of addresses: when it is compiled" {
    # "Implementations SHOULD check the syntax and generate an error when a syntactically invalid
    # ":from" parameter is specified."
    test_refuses "require \"replace\"; replace :from \"nobody\" \"x\";" "1:34: \"nobody\" is no list of addresses";
    test_refuses "require \"replace\"; replace :from \"\" \"x\";" "is no list of addresses";
    test_refuses "require \"replace\"; replace :from \"friends: a@x.example;\" \"x\";" "is no list of addresses";
}
test ":from that is no list of addresses: when it runs" {
    set "dollar" "$";
    test_fails "require [\"replace\", \"variables\"]; set \"a\" \"nobody\"; replace :from \"${dollar}{a}\" \"x\";"
        "replace: \"nobody\" is no list of addresses";
}
test ":mime with :subject or :from is an error" {
    # "If ":mime" is specified and either ":subject" or ":from" is specified, the ":subject:" or
    # ":from" parameter MUST be ignored. This SHOULD be flagged as a compilation error."
    test_refuses "require \"replace\"; replace :mime :subject \"s\" \"x\";" ":mime does not go together with :subject or :from";
    test_refuses "require \"replace\"; replace :from \"a@x.example\" :mime \"x\";" ":mime does not go together with :subject or :from";
}
test ":mime: the header's MIME fields are the entity's" {
    test_set "message" "From: a@x.example
Content-Type: text/plain

x
";
    replace :mime "Content-Type: text/html; charset=utf-8
Content-Language: en
X-Other: is not about MIME

<b>new</b>";
    test_message "From: a@x.example
MIME-Version: 1.0
Content-Type: text/html; charset=utf-8
Content-Language: en

<b>new</b>";
}
test ":mime: a multipart" {
    replace :mime "Content-Type: multipart/mixed; boundary=n

--n
Content-Type: text/plain

one
--n
Content-Type: text/html

two
--n--
";
    foreverypart { set "n" "${n}x"; }
    test_assert string "${n}" "xxx";
    test_assert header :mime :anychild :subtype "Content-Type" "html";
}
test "in a loop, the first part is the message" {
    test_set "message" text:
From: a@x.example
Subject: s
Content-Type: multipart/mixed; boundary=o

--o

x
--o--
.
    ;
    foreverypart { set "n" "${n}x"; replace :subject "other" "new"; }
    test_assert string "${n}" "x";
    test_assert header "original-subject" "s";
    test_assert body :contains "new";
}
test "in a loop, :subject and :from are the message's alone" {
    # "If the entire message is being replaced, the optional ":subject" parameter specifies ..."
    test_set "message" text:
From: a@x.example
Subject: s
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: text/plain

x
--o--
.
    ;
    foreverypart { if header :mime :type "Content-Type" "text" { replace :subject "other" :from "b@x.example" "new"; } }
    test_assert header "subject" "s";
    test_assert not exists ["original-subject", "original-from"];
}
test "Original-Subject and Original-From cannot be taken out" {
    # "Implementations that support the "editheader" extension MUST ensure that any Original-Subject
    # or Original-From headers added by the system cannot be modified or removed."
    replace :subject "other" :from "b@x.example" "new";
    deleteheader "Original-Subject";
    deleteheader :contains "original-from" "alice";
    test_assert header "original-subject" "Hello";
    test_assert header "original-from" "Alice <alice@example.com>";
}
test "replaced twice: both are kept" {
    replace :subject "second" "b";
    replace :subject "third" "c";
    test_assert header "subject" "third";
    test_assert header "original-subject" ["Hello"];
    test_assert header "original-subject" ["second"];
    test_assert body :contains "c";
}
test "parts that were replaced before are gone with the rest" {
    test_set "message" text:
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: text/plain

x
--o--
.
    ;
    foreverypart { if header :mime :type "Content-Type" "text" { replace "y"; } }
    replace "z";
    test_message "MIME-Version: 1.0
Content-Type: text/plain; charset=us-ascii
Content-Transfer-Encoding: 7bit

z";
}
test "edits of the header, before and behind" {
    addheader "X-A" "1"; replace "new"; addheader "X-B" "2";
    test_assert header "x-a" "1";
    test_assert header "x-b" "2";
    keep;
    test_output 1 "X-B: 2
X-A: 1
From:";
    test_output 1 "

new";
}
test "redirect sends what it is then" {
    redirect :copy "b@x.example"; replace "new"; redirect :copy "c@x.example";
    test_output 1 "Hello Bob.";
    test_output 2 "

new";
}
test "size is that of the message as it came" {
    replace "new";
    test_assert size :over 100;
    test_assert size :under 500;
}
test "after an error the message is kept as it came" {
    test_fails "require [\"replace\", \"fileinto\"]; replace \"new\"; fileinto \"x\"; fileinto \"\";"
        "fileinto needs a mailbox's name";
}
test "an included script, in a loop: the part at hand (RFC 6609 section 3.5)" {
    test_set "message" text:
Subject: s
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: application/exe

x
--o
Content-Type: text/html

y
--o--
.
    ;
    test_set "personal:gone" "require \"replace\"; replace :subject \"other\" \"gone\";";
    foreverypart { if header :mime :subtype "Content-Type" "exe" { include "gone"; } set "n" "${n}x"; }
    test_assert string "${n}" "xxx";
    test_assert header "subject" "s";
    keep;
    test_output 1 "gone
--o
Content-Type: text/html
";
}
test "a loop of an included script goes over the part at hand alone (RFC 6609 section 3.5)" {
    test_set "message" text:
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: text/plain

x
--o
Content-Type: text/html

y
--o--
.
    ;
    test_set "personal:all" "require [\"foreverypart\", \"replace\"]; foreverypart { replace \"all\"; }";
    foreverypart { if header :mime :subtype "Content-Type" "plain" { include "all"; } set "m" "${m}x"; }
    test_assert string "${m}" "xxx";
    keep;
    test_output 1 "all
--o
Content-Type: text/html

y
--o--
";
}
test "the part at hand is replaced, and what is around it is not within reach" {
    test_set "message" text:
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: multipart/alternative; boundary=i

--i
Content-Type: text/plain

x
--i--
--o--
.
    ;
    test_set "personal:all" text:
require ["foreverypart", "replace", "mime"];
foreverypart { if header :mime :subtype "Content-Type" "alternative" { replace "all"; } }
replace "part";
.
    ;
    foreverypart { if header :mime :type "Content-Type" "text" { include "all"; } }
    keep;
    test_output 1 "part
--i--
--o--
";
}
test "what it needs" {
    test_refuses "replace \"x\";" "\"replace\" needs";
    test_refuses "require \"replace\"; replace;" "\"replace\" lacks an argument: a string";
    test_refuses "require \"replace\"; replace [\"a\", \"b\"];" "a string must stand here";
    test_refuses "require \"replace\"; replace :what \"a\";" "\"replace\" has no argument :what";
    test_accepts "require \"replace\"; replace :from \"a@x.example\" :subject \"s\" \"x\";";
}
