# RFC 5703 section 6: "A new Sieve action command is defined to allow an entire message to be
# enclosed as an attachment to a new message."
require ["mime", "foreverypart", "enclose", "replace", "variables", "editheader", "body", "fileinto", "copy", "include", "extracttext"];
test "the new message" {
    # "the original message becomes a multipart/mixed message with two parts: a text/plain portion
    # with the string argument as its body, and a message/rfc822 portion with the original message
    # enclosed."
    test_set "message" "From: Alice <alice@example.com>
Subject: Hello
Date: Tue, 20 Oct 2026 10:00:00 +0200

Hello Bob.
";
    enclose :subject "Warning" "Look out";
    test_message "Date: Tue, 20 Oct 2026 08:00:00 +0000
From: bob@example.org
Subject: Warning
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=\"=_enclose_c7fde4814a65ad66\"

--=_enclose_c7fde4814a65ad66
Content-Type: text/plain; charset=us-ascii
Content-Transfer-Encoding: 7bit

Look out
--=_enclose_c7fde4814a65ad66
Content-Type: message/rfc822
Content-Transfer-Encoding: 7bit

From: Alice <alice@example.com>
Subject: Hello
Date: Tue, 20 Oct 2026 10:00:00 +0200

Hello Bob.

--=_enclose_c7fde4814a65ad66--
";
}
test "without :subject it is the enclosed message's" {
    # "if not present, the subject will be taken from the enclosed message"
    enclose "text";
    test_assert header "subject" "Hello";
    addheader "X" "y";
    test_set "message" "From: a@x.example

x
";
    enclose "text";
    test_assert not exists "subject";
}
test ":subject that is not ASCII" {
    enclose :subject "Grüße" "text";
    test_assert header "subject" "Grüße";
    keep;
    test_output 1 "Subject: =?UTF-8?B?R3LDvMOfZQ==?=
";
}
test ":headers are copied" {
    # "Any headers specified by ":headers" are copied from the old message into the new message."
    test_set "message" "Received: one
Received: two
From: a@x.example
To: b@x.example
X-Other: o
Date: Tue, 20 Oct 2026 10:00:00 +0200
Subject: s

x
";
    enclose :headers ["From", "Date", "received", "X-None"] "text";
    test_assert header "from" "a@x.example";
    test_assert header "date" "Tue, 20 Oct 2026 10:00:00 +0200";
    test_assert header "received" "two";
    test_assert not exists "To";
    test_assert not exists "X-Other";
    test_assert not exists "X-None";
    keep;
    test_output 1 "From: a@x.example
Date: Tue, 20 Oct 2026 10:00:00 +0200
Received: one
Received: two
Subject: s
MIME-Version: 1.0
";
}
test "Date and From that are not copied are made" {
    # "If not specified by ":headers", Date: and From: headers should be synthesized to reflect the
    # current date and the user running the Sieve action."
    enclose :headers "To" "text";
    test_assert header "date" "Tue, 20 Oct 2026 08:00:00 +0000";
    test_assert header "from" "bob@example.org";
    test_assert header "to" "Bob <bob@example.org>";
}
test "Date and From that are to be copied, but are not there, are made, too" {
    test_set "message" "Subject: s

x
";
    enclose :headers ["From", "Date"] "text";
    test_assert header "date" "Tue, 20 Oct 2026 08:00:00 +0000";
    test_assert header "from" "bob@example.org";
}
test "a field named twice is copied once" {
    enclose :headers ["To", "to", "Subject", "subject"] "text";
    keep;
    test_output 1 "To: Bob <bob@example.org>
Date: Tue, 20 Oct 2026 08:00:00 +0000
From: bob@example.org
Subject: Hello
MIME-Version";
}
test ":subject counts for more than :headers" {
    enclose :subject "new" :headers "Subject" "text";
    test_assert header "subject" "new";
    test_assert not header "subject" "Hello";
}
test "fields of MIME are not copied" {
    test_set "message" "Content-Type: text/html
MIME-Version: 1.0
Subject: s

x
";
    enclose :headers ["Content-Type", "MIME-Version"] "text";
    test_assert header :mime :contenttype "Content-Type" "multipart/mixed";
    test_assert not header :contains "Content-Type" "text/html";
}
test "the message within is the one before, octet for octet (section 11)" {
    test_set "message" "Content-Type: multipart/signed; boundary=o; protocol=\"x/y\"
Subject:   two   blanks

--o
Content-Type:text/plain

signed text  
--o
Content-Type: x/y

--o--
";
    enclose "text";
    keep;
    test_output 1 "Content-Type: message/rfc822
Content-Transfer-Encoding: 7bit

Content-Type: multipart/signed; boundary=o; protocol=\"x/y\"
Subject:   two   blanks

--o
Content-Type:text/plain

signed text  
--o
Content-Type: x/y

--o--
";
}
test "a message of eight bits" {
    test_set "message" "Subject: s
Content-Type: text/plain; charset=utf-8

Grüße
";
    enclose "text";
    keep;
    test_output 1 "Content-Type: message/rfc822
Content-Transfer-Encoding: 8bit

Subject: s
Content-Type: text/plain; charset=utf-8

Grüße
";
}
test "a text that is not ASCII" {
    enclose "Grüße";
    test_assert body :content "text/plain" :contains "Grüße";
    keep;
    test_output 1 "Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: base64

R3LDvMOfZQ==
";
}
test "tests use the new message" {
    # "tests operating on the MIME structure or accessing MIME header fields, use the newly created
    # message instead of the original message"
    enclose :subject "Warning" "Look out";
    test_assert header "subject" "Warning";
    test_assert not header "subject" "Hello";
    test_assert header :mime :contenttype "Content-Type" "multipart/mixed";
    test_assert header :mime :anychild :contenttype "Content-Type" "message/rfc822";
    test_assert header :mime :anychild "Subject" "Hello";
    foreverypart { if header :mime :contenttype :matches "Content-Type" "*" { set "seen" "${seen} ${1}"; } set "n" "${n}x"; }
    test_assert string "${seen}" " multipart/mixed text/plain message/rfc822";
    test_assert string "${n}" "xxxx";
    test_assert body :contains "Look out";
    test_assert body :contains "Hello Bob";
}
test "actions use the new message, edits change it" {
    fileinto :copy "before";
    enclose :subject "Warning" "Look out";
    addheader "X" "y";
    fileinto :copy "after";
    test_output 1 "From: Alice";
    test_output 2 "X: y
Date: ";
    test_output 2 "Look out";
}
test "redirect sends the message that was enclosed" {
    # "This action does not affect messages that are forwarded via a "redirect" action."
    addheader "X-A" "1";
    enclose "one";
    addheader "X-B" "2";
    enclose "two";
    redirect :copy "c@x.example";
    keep;
    test_output 1 "X-A: 1
From: Alice <alice@example.com>
To: Bob <bob@example.org>
Subject: Hello
Date: Tue, 20 Oct 2026 10:00:00 +0200
Message-ID: <1@example.com>

Hello Bob.
";
    test_output 2 "two";
}
test "redirect sends what was replaced before" {
    replace "new"; enclose "text"; redirect :copy "c@x.example";
    test_output 1 "Content-Transfer-Encoding: 7bit

new";
}
test "several: the message is enclosed as many times" {
    # "If multiple "enclose" actions are executed by a script, the message is enclosed multiple times."
    enclose :subject "one" "first"; enclose :subject "two" "second";
    test_assert header "subject" "two";
    foreverypart { if header :mime :contenttype :matches "Content-Type" "*" { set "seen" "${seen} ${1}"; } }
    test_assert string "${seen}" " multipart/mixed text/plain message/rfc822 multipart/mixed text/plain message/rfc822";
}
test "in a loop: it goes on with the parts that are left, now within the new message" {
    test_set "message" text:
Subject: s
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: text/plain

a
--o
Content-Type: text/html

b
--o--
.
    ;
    foreverypart {
        if header :mime :contenttype :matches "Content-Type" "*" { set "seen" "${seen} ${1}"; }
        if header :mime :subtype "Content-Type" "plain" { enclose "text"; }
        if header :mime :subtype "Content-Type" "html" { extracttext "html"; replace "c"; }
    }
    test_assert string "${seen}" " multipart/mixed text/plain text/html";
    test_assert string "${html}" "b";
    keep;
    test_output 1 "Content-Type: message/rfc822
Content-Transfer-Encoding: 7bit

Subject: s
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: text/plain

a
--o
Content-Type: text/plain; charset=us-ascii
Content-Transfer-Encoding: 7bit

c
--o--
";
}
test "replace behind it is of the new message" {
    enclose :subject "Warning" "Look out"; replace "gone";
    test_assert header "subject" "Warning";
    test_assert not body :contains "Hello Bob";
    foreverypart { set "n" "${n}x"; }
    test_assert string "${n}" "x";
}
test "in an included script" {
    test_set "personal:a" "require \"enclose\"; enclose :subject \"Warning\" \"Look out\";";
    include "a";
    test_assert header "subject" "Warning";
}
test "the text cannot end its part" {
    enclose "--=_enclose_c7fde4814a65ad66--";
    foreverypart { set "n" "${n}x"; }
    test_assert string "${n}" "xxxx";
    test_assert body :contains "--=_enclose_c7fde4814a65ad66--";
}
test "names that are none" {
    test_refuses "require \"enclose\"; enclose :headers [\"To\", \"a b\"] \"x\";" "\"a b\" is no name of a header field";
    set "dollar" "$";
    test_fails "require [\"enclose\", \"variables\"]; set \"n\" \"a:\"; enclose :headers \"${dollar}{n}\" \"x\";"
        "\"a:\" is no name of a header field";
}
test "what it needs" {
    test_refuses "enclose \"x\";" "\"enclose\" needs";
    test_refuses "require \"enclose\"; enclose;" "\"enclose\" lacks an argument: a string";
    test_refuses "require \"enclose\"; enclose :subject [\"a\"] \"x\";" "behind :subject a string must stand";
    test_refuses "require \"enclose\"; enclose :mime \"x\";" "\"enclose\" has no argument :mime";
    test_accepts "require \"enclose\"; enclose :headers \"To\" :subject \"s\" \"x\";";
}
