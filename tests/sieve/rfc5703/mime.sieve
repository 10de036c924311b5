# RFC 5703: MIME part tests, iteration, extraction.
require ["mime", "foreverypart", "extracttext", "variables", "fileinto", "relational", "body", "editheader"];
test "foreverypart: every part, in order (section 3)" {
    test_set "message" text:
From: a@x.example
Subject: s
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: text/plain

first
--o
Content-Type: multipart/alternative; boundary=i

--i
Content-Type: text/html
X-Part: html

<p>second</p>
--i
Content-Type: application/pdf
Content-Disposition: attachment; filename="important.pdf"
Content-MD5: x

pdf
--i--
--o--
.
    ;
    foreverypart { if header :mime :contenttype :matches "Content-Type" "*" { set "all" "${all} ${1}"; } }
    test_assert string "${all}" " multipart/mixed text/plain multipart/alternative text/html application/pdf";
}
test "foreverypart: of a message that is one part" {
    test_set "message" "Content-Type: text/plain

x
";
    foreverypart { set "n" "${n}x"; }
    test_assert string "${n}" "x";
}
test "nested: the parts within the one at hand (section 3)" {
    test_set "message" text:
From: a@x.example
Subject: s
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: text/plain

first
--o
Content-Type: multipart/alternative; boundary=i

--i
Content-Type: text/html
X-Part: html

<p>second</p>
--i
Content-Type: application/pdf
Content-Disposition: attachment; filename="important.pdf"
Content-MD5: x

pdf
--i--
--o--
.
    ;
    foreverypart {
        if header :mime :subtype "Content-Type" "alternative" {
            foreverypart { if header :mime :contenttype :matches "Content-Type" "*" { set "all" "${all} ${1}"; } }
        }
    }
    test_assert string "${all}" " text/html application/pdf";
}
test "nested: in a part without parts it is passed over (section 3)" {
    foreverypart { foreverypart { set "n" "${n}x"; } set "m" "${m}y"; }
    test_assert string "${n}" "";
    test_assert string "${m}" "y";
}
test "break ends the loop (section 3)" {
    test_set "message" text:
From: a@x.example
Subject: s
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: text/plain

first
--o
Content-Type: multipart/alternative; boundary=i

--i
Content-Type: text/html
X-Part: html

<p>second</p>
--i
Content-Type: application/pdf
Content-Disposition: attachment; filename="important.pdf"
Content-MD5: x

pdf
--i--
--o--
.
    ;
    foreverypart { set "n" "${n}x"; if header :mime :type "Content-Type" "text" { break; } }
    test_assert string "${n}" "xx";
}
test "break of a loop by its name (section 3)" {
    test_set "message" text:
From: a@x.example
Subject: s
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: text/plain

first
--o
Content-Type: multipart/alternative; boundary=i

--i
Content-Type: text/html
X-Part: html

<p>second</p>
--i
Content-Type: application/pdf
Content-Disposition: attachment; filename="important.pdf"
Content-MD5: x

pdf
--i--
--o--
.
    ;
    foreverypart :name "outer" {
        foreverypart :name "inner" { set "n" "${n}x"; break :name "outer"; }
        set "m" "reached";
    }
    test_assert string "${n}" "x";
    test_assert string "${m}" "";
}
test "break of the innermost loop of a name (section 3)" {
    test_set "message" text:
From: a@x.example
Subject: s
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: text/plain

first
--o
Content-Type: multipart/alternative; boundary=i

--i
Content-Type: text/html
X-Part: html

<p>second</p>
--i
Content-Type: application/pdf
Content-Disposition: attachment; filename="important.pdf"
Content-MD5: x

pdf
--i--
--o--
.
    ;
    foreverypart :name "a" {
        foreverypart :name "a" { set "n" "${n}x"; break :name "a"; }
        set "m" "${m}y";
    }
    test_assert string "${n}" "xx";
    test_assert string "${m}" "yyyyy";
}
test "behind the loop the message is at hand again" {
    test_set "message" text:
From: a@x.example
Subject: s
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: text/plain

first
--o
Content-Type: multipart/alternative; boundary=i

--i
Content-Type: text/html
X-Part: html

<p>second</p>
--i
Content-Type: application/pdf
Content-Disposition: attachment; filename="important.pdf"
Content-MD5: x

pdf
--i--
--o--
.
    ;
    foreverypart { if header :mime :type "Content-Type" "text" { break; } }
    test_assert header :mime :contenttype "Content-Type" "multipart/mixed";
}
test "break outside of a loop, and of one that there is not (section 3)" {
    test_refuses "require \"foreverypart\"; break;" "\"break\" is in no such loop";
    test_refuses "require \"foreverypart\"; foreverypart :name \"a\" { break :name \"b\"; }" "\"break\" is in no such loop";
    test_refuses "require \"foreverypart\"; foreverypart { } break;" "is in no such loop";
}
test "what they take" {
    test_refuses "require \"foreverypart\"; foreverypart;" "\"foreverypart\" needs a block";
    test_refuses "require \"foreverypart\"; foreverypart true { }" "takes no test";
    test_refuses "require \"foreverypart\"; foreverypart \"a\" { }" "takes no argument but :name";
    test_refuses "require \"foreverypart\"; foreverypart :name { }" "takes no argument but :name";
    test_warns "require \"foreverypart\"; foreverypart { break; keep; }" "this is never reached";
}
test "the first example of section 4.1" {
    test_set "message" "Content-Type: image/png

";
    if header :mime :type "Content-Type" "image" { fileinto "INBOX.images"; }
    test_actions "fileinto \"INBOX.images\"";
}
test "the second example of section 4.1: anychild" {
    test_set "message" text:
From: a@x.example
Subject: s
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: text/plain

first
--o
Content-Type: multipart/alternative; boundary=i

--i
Content-Type: text/html
X-Part: html

<p>second</p>
--i
Content-Type: application/pdf
Content-Disposition: attachment; filename="important.pdf"
Content-MD5: x

pdf
--i--
--o--
.
    ;
    if header :mime :anychild :contenttype "Content-Type" "text/html" { fileinto "INBOX.html"; }
    test_actions "fileinto \"INBOX.html\"";
    test_assert not header :mime :contenttype "Content-Type" "text/html";
}
test "the third example of section 4.1: param" {
    test_set "message" text:
From: a@x.example
Subject: s
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: text/plain

first
--o
Content-Type: multipart/alternative; boundary=i

--i
Content-Type: text/html
X-Part: html

<p>second</p>
--i
Content-Type: application/pdf
Content-Disposition: attachment; filename="important.pdf"
Content-MD5: x

pdf
--i--
--o--
.
    ;
    foreverypart {
        if allof (header :mime :param "filename" :contains "Content-Disposition" "important",
                  header :mime :subtype "Content-Type" "pdf",
                  size :over 100) {
            fileinto "INBOX.important";
            break;
        }
    }
    test_actions "fileinto \"INBOX.important\"";
}
test "type and subtype of a disposition (section 4.1)" {
    test_set "message" "Content-Disposition: ATTACHMENT; filename=a

";
    test_assert header :mime :type "Content-Disposition" "attachment";
    test_assert header :mime :contenttype "Content-Disposition" "attachment";
    test_assert header :mime :subtype "Content-Disposition" "";
}
test "other fields are the empty string (section 4.1)" {
    test_assert header :mime :type "Subject" "";
    test_assert not header :mime :type :contains "Subject" "H";
}
test "param: continued and encoded (section 4.1, RFC 2231)" {
    test_set "message" "Content-Type: application/x; name*0*=utf-8''%C3%A4; name*1=bc

";
    test_assert header :mime :param "NAME" "Content-Type" "äbc";
}
test "param: any of several, and none" {
    test_set "message" "Content-Type: text/plain; charset=utf-8; format=flowed

";
    test_assert header :mime :param ["x", "format"] "Content-Type" "flowed";
    test_assert not header :mime :param "x" :contains "Content-Type" "";
    test_assert header :mime :param ["charset", "format"] :count "eq" "Content-Type" "2";
}
test "without :mime it is the message's header, also in a loop (section 4)" {
    test_set "message" text:
From: a@x.example
Subject: s
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: text/plain

first
--o
Content-Type: multipart/alternative; boundary=i

--i
Content-Type: text/html
X-Part: html

<p>second</p>
--i
Content-Type: application/pdf
Content-Disposition: attachment; filename="important.pdf"
Content-MD5: x

pdf
--i--
--o--
.
    ;
    foreverypart { if header :contains "X-Part" "html" { discard; } }
    test_actions "implicit keep";
    test_assert not exists "X-Part";
}
test "exists: the example of section 4.3" {
    test_set "message" text:
From: a@x.example
Subject: s
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: text/plain

first
--o
Content-Type: multipart/alternative; boundary=i

--i
Content-Type: text/html
X-Part: html

<p>second</p>
--i
Content-Type: application/pdf
Content-Disposition: attachment; filename="important.pdf"
Content-MD5: x

pdf
--i--
--o--
.
    ;
    test_assert exists :mime :anychild "content-md5";
    test_assert not exists :mime "content-md5";
    test_assert exists :mime :anychild ["x-part", "content-md5", "subject"];
    test_assert not exists :mime :anychild ["x-part", "x-none"];
}
test "address: the example of section 4.2" {
    test_set "message" "Content-From: Tim <tim@example.com>

";
    test_assert address :mime :is :all "content-from" "tim@example.com";
}
test "address :anychild" {
    test_set "message" text:
From: a@x.example
Subject: s
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: text/plain

first
--o
Content-Type: multipart/alternative; boundary=i

--i
Content-Type: text/html
X-Part: html

<p>second</p>
--i
Content-Type: application/pdf
Content-Disposition: attachment; filename="important.pdf"
Content-MD5: x

pdf
--i--
--o--
.
    ;
    test_assert address :mime :anychild "from" "a@x.example";
    foreverypart { if address :mime "from" "a@x.example" { set "n" "${n}x"; } }
    test_assert string "${n}" "x";
}
test "a message in a message is gone through, too" {
    test_set "message" "Content-Type: message/rfc822

Subject: inner
Content-Type: text/plain

x
";
    test_assert header :mime :anychild "subject" "inner";
    foreverypart { if header :mime :is "subject" "inner" { set "n" "${n}x"; } }
    test_assert string "${n}" "x";
}
test "the message's own header is the one that was changed" {
    addheader "X-New" "1";
    foreverypart { if header :mime "x-new" "1" { set "n" "x"; } }
    test_assert string "${n}" "x";
}
test "extracttext (section 7)" {
    test_set "message" text:
From: a@x.example
Subject: s
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: text/plain

first
--o
Content-Type: multipart/alternative; boundary=i

--i
Content-Type: text/html
X-Part: html

<p>second</p>
--i
Content-Type: application/pdf
Content-Disposition: attachment; filename="important.pdf"
Content-MD5: x

pdf
--i--
--o--
.
    ;
    foreverypart {
        if header :mime :contenttype "Content-Type" "text/plain" { extracttext "text"; }
        if header :mime :contenttype "Content-Type" "application/pdf" { extracttext "other"; }
    }
    test_assert string "${text}" "first";
    test_assert string "${other}" "";
}
test "extracttext :first, and modifiers (section 7)" {
    test_set "message" "Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

=C3=84bcdef
";
    foreverypart { extracttext :first 3 "a"; extracttext :upper :first 4 "b"; extracttext :length :first 5 "c"; }
    test_assert string :comparator "i;octet" "${a}" "Äbc";
    test_assert string :comparator "i;octet" "${b}" "ÄBCD";
    test_assert string "${c}" "5";
}
test "the example of section 7.1" {
    test_set "message" "From: x@y.example
Content-Type: text/plain

Please call me
";
    foreverypart {
        if header :mime :param ["charset"] :count "eq" "Content-Type" "0" { extracttext :first 10 "msgcontent"; }
    }
    test_assert string "${msgcontent}" "Please cal";
}
test "extracttext stands in a loop (section 7)" {
    test_refuses "require [\"extracttext\", \"variables\"]; extracttext \"a\";" "\"extracttext\" must stand in a \"foreverypart\"";
    test_refuses "require [\"extracttext\", \"foreverypart\"]; foreverypart { extracttext \"a\"; }" "needs: require \"variables\"";
    test_refuses "require [\"extracttext\", \"variables\", \"foreverypart\"]; foreverypart { extracttext :lower :upper \"a\"; }" "two modifiers of one precedence";
}
test "what needs :mime" {
    test_refuses "require \"mime\"; if header :anychild \"a\" \"b\" { keep; }" ":anychild needs :mime";
    test_refuses "require \"mime\"; if exists :anychild \"a\" { keep; }" ":anychild needs :mime";
    test_refuses "require \"mime\"; if header :type \"a\" \"b\" { keep; }" "need :mime";
    test_refuses "require \"mime\"; if header :mime :type :param \"c\" \"a\" \"b\" { keep; }" ":param does not go together";
    test_refuses "require \"mime\"; if header :mime :type :subtype \"a\" \"b\" { keep; }" ":subtype does not go together";
}
test "needs require" {
    test_refuses "if header :mime \"a\" \"b\" { keep; }" ":mime needs: require \"mime\"";
    test_refuses "foreverypart { keep; }" "foreverypart needs: require \"foreverypart\"";
    test_refuses "require \"foreverypart\"; foreverypart { extracttext \"a\"; }" "needs: require \"extracttext\"";
}
