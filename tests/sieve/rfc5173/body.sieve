# RFC 5173: Body extension.
require ["body", "fileinto", "variables", "relational"];
test "text is the default (section 5)" {
    test_assert body :contains "hello bob";
    test_assert body :text :contains "hello bob";
    test_assert not body :contains "Subject";
}
test "raw: the body as it stands (section 5.1)" {
    test_set "message" "Content-Type: text/plain
Content-Transfer-Encoding: quoted-printable

MAKE =4DONEY
";
    test_assert body :raw :contains "=4DONEY";
    test_assert not body :raw :contains "MONEY";
    test_assert body :contains "MAKE MONEY";
}
test "without an empty line there is no body (section 4)" {
    test_set "message" "Subject: x
";
    test_assert not body :raw :contains "";
    test_assert not body :contains "";
    test_assert not body :content "" :contains "";
}
test "an empty body" {
    test_set "message" "Subject: x

";
    test_assert body :raw :is "";
    test_assert body :contains "";
}
test "base64 and charsets (section 5.2)" {
    test_set "message" "Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: base64

R3L832U=
";
    test_assert body :contains "Grüße";
}
test "html without its markup" {
    test_set "message" "Content-Type: text/html

<p>Dear <b>Bob</b>, buy &amp; sell</p>
";
    test_assert body :text :contains "Dear Bob, buy & sell";
    test_assert not body :text :contains "<b>";
    test_assert body :content "text/html" :contains "<b>Bob</b>";
}
test "content: the example message of section 5.2" {
    test_set "message" text:
From: Whomever
To: Someone
Date: Whenever
Subject: whatever
Content-Type: multipart/mixed; boundary=outer

This is a multi-part message in MIME format.

--outer
Content-Type: multipart/alternative; boundary=inner

This is a nested multi-part message in MIME format.

--inner
Content-Type: text/plain; charset="us-ascii"

Hello

--inner
Content-Type: text/html; charset="us-ascii"

<html><body>Hello</body></html>

--inner--

This is the end of the inner MIME multipart.

--outer
Content-Type: message/rfc822

From: Someone Else
Subject: hello request

Please say Hello

--outer--

This is the end of the outer MIME multipart.
.
    ;
    test_assert body :content "multipart" :contains "MIME";
    test_assert body :content "multipart" :contains "end of the inner MIME";
    test_assert body :content "multipart" :contains "end of the outer MIME";
    test_assert body :content "multipart" :contains "nested multi-part";
    test_assert not body :content "multipart" :contains "Hello";
    test_assert not body :content "multipart" :contains "--inner";
    test_assert not body :content "multipart" :contains "--outer";
    test_assert body :content "text/plain" :contains "Hello";
    test_assert body :content "text/plain" :contains "Please say";
    test_assert not body :content "text/plain" :contains "html";
    test_assert body :content "text/html" :contains "Hello";
    test_assert not body :content "text/html" :contains "Please";
    test_assert body :content "text" :contains "<html>";
    test_assert body :content "message/rfc822" :contains "Hello";
    test_assert not body :content "message/rfc822" :contains "Please";
    test_assert not body :content "message/rfc822" :contains "html";
}
test "content: types (section 5.2)" {
    test_assert body :content "text/plain" :contains "Hello";
    test_assert body :content "TEXT" :contains "Hello";
    test_assert body :content "" :contains "Hello";
    test_assert body :content ["image", "text"] :contains "Hello";
    test_assert not body :content "image" :contains "";
    test_assert not body :content "text/" :contains "";
    test_assert not body :content "/plain" :contains "";
    test_assert not body :content "text/plain/x" :contains "";
    test_assert not body :content "tex" :contains "";
}
test "a part that is there, whatever is in it" {
    test_set "message" "Content-Type: multipart/mixed; boundary=b

--b
Content-Type: audio/mp3
Content-Transfer-Encoding: base64

AAAA
--b--
";
    test_assert body :content "audio/mp3" :contains "";
    test_assert not body :content "audio/ogg" :contains "";
}
test "the example of section 5.2: secrets" {
    test_set "message" "Subject: x

the coordinates are
";
    if body :content "text" :contains ["missile", "coordinates"] { fileinto "secrets"; }
    test_actions "fileinto \"secrets\"";
}
test "match variables stay what they are (section 6)" {
    test_assert string :matches "old" "*";
    test_assert body :matches "Hello*";
    test_assert string "${1}" "old";
}
test "keys with variables" {
    set "what" "Bob";
    test_assert body :contains "hello ${what}";
}
test "is: all of a part" {
    test_assert body :is "Hello Bob.
";
}
test "count: parts" {
    test_assert body :count "eq" "1";
    test_assert body :content "image" :count "eq" "0";
}
test "one transform alone" {
    test_refuses "require \"body\"; if body :raw :text \"a\" { keep; }" ":text does not go together";
    test_refuses "require \"body\"; if body :raw :content \"text\" \"a\" { keep; }" ":content does not go together with :raw";
}
test "needs require" {
    test_refuses "if body \"a\" { keep; }" "\"body\" needs: require \"body\"";
}
