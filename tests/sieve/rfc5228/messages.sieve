# What strangers send: messages that break rules (RFC 5228 section 2.7.2, RFC 5322 section 4).
require ["body", "variables"];
test "no message at all" {
    test_set "message" "";
    test_assert not exists "from";
    test_assert size :under 1;
    test_assert not header :contains "subject" "";
}
test "an empty line alone" {
    test_set "message" "
";
    test_assert not exists "from";
    test_assert body :raw :is "";
}
test "a body without a header" {
    test_set "message" "
just text
";
    test_assert body :contains "just text";
}
test "a line that is no field" {
    test_set "message" "Subject: a
this is no field
To: b@c.example

";
    test_assert header "subject" "a";
    test_assert header "to" "b@c.example";
}
test "an mbox line before the header" {
    test_set "message" "From someone Tue Oct 20 10:00:00 2026
Subject: a

";
    test_assert header "subject" "a";
}
test "bytes that are no UTF-8" {
    test_set "message" "Subject: =?utf-8?Q?a=FFb?=

";
    test_assert header :matches "subject" "a?b";
}
test "an unknown charset" {
    test_set "message" "Subject: =?x-nothing?Q?abc?=

";
    test_assert header "subject" "abc";
}
test "an encoded word that is none" {
    test_set "message" "Subject: =?utf-8?X?abc?= =?utf-8?Q?abc

";
    test_assert header :contains "subject" "=?utf-8?X?abc?=";
}
test "encoded words beside one another are joined (RFC 2047 section 6.2)" {
    test_set "message" "Subject: =?utf-8?Q?a?=
 =?utf-8?Q?b?= c

";
    test_assert header "subject" "ab c";
}
test "an address field full of commas" {
    test_set "message" "To: ,,, a@b.example,,,

";
    test_assert address "to" "a@b.example";
}
test "an address with a route" {
    test_set "message" "To: <@x.example,@y.example:a@b.example>

";
    test_assert address "to" "a@b.example";
}
test "an address that was not finished" {
    test_set "message" "To: \"a b <c@d.example

";
    test_assert not address :is "to" "nobody@d.example";
}
test "an at in a quoted local part" {
    test_set "message" "To: \"a@b\"@c.example

";
    test_assert address :domain "to" "c.example";
    test_assert address :localpart "to" "a@b";
}
test "a domain literal" {
    test_set "message" "To: a@[192.0.2.1]

";
    test_assert address :domain "to" "[192.0.2.1]";
}
test "a multipart without its boundary" {
    test_set "message" "Content-Type: multipart/mixed

text
";
    test_assert not body :content "text" :contains "other";
}
test "a multipart that does not end" {
    test_set "message" "Content-Type: multipart/mixed; boundary=b

--b

text
";
    test_assert body :contains "text";
}
test "base64 with garbage" {
    test_set "message" "Content-Transfer-Encoding: base64

aGV!!!sbG8=
";
    test_assert body :contains "hello";
}
test "a field twice" {
    test_set "message" "Subject: a
Subject: b

";
    test_assert header "subject" "a";
    test_assert header "subject" "b";
}
test "a field without a value" {
    test_set "message" "Subject:
To: a@b.example

";
    test_assert exists "subject";
    test_assert header :is "subject" "";
}
test "a very long line" {
    set "x" "0123456789012345678901234567890123456789";
    set "y" "${x}${x}${x}${x}${x}${x}${x}${x}${x}${x}${x}${x}${x}${x}${x}${x}${x}${x}${x}${x}${x}${x}";
    set "z" "${y}${y}${y}${y}${y}${y}${y}${y}${y}${y}${y}${y}${y}";
    test_set "message" "Subject: ${z}x

";
    test_assert header :matches "subject" "*9x";
}
