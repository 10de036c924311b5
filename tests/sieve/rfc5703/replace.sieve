# RFC 5703 section 5: "The "replace" command is defined to allow a MIME part to be replaced with the
# text supplied in the command." Here: within "foreverypart", "the MIME part to be replaced is the
# "current" MIME part".
require ["mime", "foreverypart", "replace", "extracttext", "variables", "fileinto", "body", "copy"];
test "the part at hand is replaced, header and all; the others stay as they are" {
    test_set "message" text:
From: a@x.example
Subject: s
Content-Type: multipart/mixed; boundary=o

before
--o
Content-Type: text/plain

first
--o
Content-Type: application/exe
Content-Disposition: attachment; filename=a.exe

MZ
--o
Content-Type: text/html

<p>third</p>
--o--
behind
.
    ;
    foreverypart { if header :mime :type "Content-Type" "application" { replace "gone"; } }
    test_message text:
From: a@x.example
Subject: s
Content-Type: multipart/mixed; boundary=o

before
--o
Content-Type: text/plain

first
--o
Content-Type: text/plain; charset=us-ascii
Content-Transfer-Encoding: 7bit

gone
--o
Content-Type: text/html

<p>third</p>
--o--
behind
.
    ;
}
test "several parts in one loop" {
    test_set "message" text:
From: a@x.example
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: application/exe

1
--o
Content-Type: text/plain

2
--o
Content-Type: application/exe

3
--o--
.
    ;
    foreverypart { if header :mime :subtype "Content-Type" "exe" { replace "x"; } }
    test_message text:
From: a@x.example
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: text/plain; charset=us-ascii
Content-Transfer-Encoding: 7bit

x
--o
Content-Type: text/plain

2
--o
Content-Type: text/plain; charset=us-ascii
Content-Transfer-Encoding: 7bit

x
--o--
.
    ;
}
test "a multipart goes with its children, and the loop does not go into them" {
    # "the entire multipart MIME part is replaced, which would alter the MIME structure of the
    # message by eliminating all of the children ...: the "foreverypart" iterator that is executing
    # does not go into the no-longer existing body parts"
    test_set "message" text:
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: multipart/alternative; boundary=i

--i
Content-Type: text/plain

a
--i
Content-Type: text/html

b
--i--
--o
Content-Type: image/png

c
--o--
.
    ;
    foreverypart {
        if header :mime :contenttype :matches "Content-Type" "*" { set "seen" "${seen} ${1}"; }
        if header :mime :subtype "Content-Type" "alternative" { replace "d"; }
    }
    test_assert string "${seen}" " multipart/mixed multipart/alternative image/png";
    test_message text:
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: text/plain; charset=us-ascii
Content-Transfer-Encoding: 7bit

d
--o
Content-Type: image/png

c
--o--
.
    ;
}
test "a later loop has the new structure" {
    # "subsequent "foreverypart" iterators would use the new message structure"
    test_set "message" text:
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: multipart/alternative; boundary=i

--i
Content-Type: text/plain

a
--i--
--o
Content-Type: image/png

c
--o--
.
    ;
    foreverypart { if header :mime :subtype "Content-Type" "alternative" { replace "d"; } }
    foreverypart { if header :mime :contenttype :matches "Content-Type" "*" { set "seen" "${seen} ${1}"; } }
    test_assert string "${seen}" " multipart/mixed text/plain image/png";
}
test "the change takes effect immediately: tests of the part at hand" {
    test_set "message" text:
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: application/exe; name=a.exe

x
--o
Content-Type: image/png

c
--o--
.
    ;
    foreverypart {
        if header :mime :subtype "Content-Type" "exe" {
            replace "changed";
            test_assert header :mime :contenttype "Content-Type" "text/plain";
            test_assert not header :mime :param "name" :matches "Content-Type" "*";
            extracttext "text";
        }
        set "n" "${n}x";
    }
    test_assert string "${text}" "changed";
    test_assert string "${n}" "xxx";
}
test "the change takes effect immediately: the body test" {
    test_set "message" text:
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: text/plain

password
--o--
.
    ;
    test_assert body :contains "password";
    foreverypart { if header :mime :type "Content-Type" "text" { replace "nothing"; break; } }
    test_assert not body :contains "password";
    test_assert body :contains "nothing";
    test_assert not body :raw :contains "password";
}
test "a part replaced twice has the last text" {
    test_set "message" text:
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: text/plain

a
--o--
.
    ;
    foreverypart { if header :mime :type "Content-Type" "text" { replace "b"; replace "c"; } }
    test_message text:
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: text/plain; charset=us-ascii
Content-Transfer-Encoding: 7bit

c
--o--
.
    ;
}
test "a part, and then the multipart around it" {
    test_set "message" text:
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: multipart/alternative; boundary=i

--i
Content-Type: text/plain

a
--i--
--o--
.
    ;
    foreverypart { foreverypart { if header :mime :type "Content-Type" "text" { replace "b"; } } }
    foreverypart { if header :mime :subtype "Content-Type" "alternative" { replace "c"; } }
    test_message text:
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: text/plain; charset=us-ascii
Content-Transfer-Encoding: 7bit

c
--o--
.
    ;
}
test "in an inner loop: the outer one goes on where it was" {
    test_set "message" text:
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: multipart/alternative; boundary=i

--i
Content-Type: text/plain

a
--i
Content-Type: text/html

b
--i--
--o
Content-Type: image/png

c
--o--
.
    ;
    foreverypart {
        if header :mime :contenttype :matches "Content-Type" "*" { set "seen" "${seen} ${1}"; }
        if header :mime :subtype "Content-Type" "alternative" {
            foreverypart { if header :mime :subtype "Content-Type" "plain" { replace :mime "Content-Type: text/x

y"; keep; } }
        }
    }
    test_assert string "${seen}" " multipart/mixed multipart/alternative text/x text/html image/png";
}
test "a text that is not ASCII is UTF-8, encoded" {
    # "the replacement string is a text/plain part in UTF-8"
    test_set "message" text:
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: text/plain

a
--o--
.
    ;
    foreverypart {
        if header :mime :type "Content-Type" "text" {
            replace "Grüße";
            extracttext "text";
            test_assert header :mime :param "charset" "Content-Type" "utf-8";
        }
    }
    test_assert string "${text}" "Grüße";
    keep;
    test_output 1 "Content-Transfer-Encoding: base64

R3LDvMOfZQ==
";
}
test ":mime: the replacement is an entity with its header" {
    # "the replacement string is, in fact, a MIME entity ..., including both MIME headers and content"
    test_set "message" text:
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: application/exe

a
--o--
.
    ;
    foreverypart {
        if header :mime :subtype "Content-Type" "exe" {
            replace :mime "Content-Type: text/html
X-Why: filter

<b>gone</b>";
        }
    }
    test_message text:
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: text/html
X-Why: filter

<b>gone</b>
--o--
.
    ;
}
test ":mime: a multipart is not gone into by the loop that made it" {
    test_set "message" text:
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: application/exe

a
--o
Content-Type: image/png

c
--o--
.
    ;
    foreverypart {
        if header :mime :contenttype :matches "Content-Type" "*" { set "seen" "${seen} ${1}"; }
        if header :mime :subtype "Content-Type" "exe" {
            replace :mime "Content-Type: multipart/mixed; boundary=n

--n
Content-Type: application/exe

b
--n--
";
            test_assert header :mime :anychild :subtype "Content-Type" "exe";
        }
    }
    test_assert string "${seen}" " multipart/mixed application/exe image/png";
    foreverypart { set "n" "${n}x"; }
    test_assert string "${n}" "xxxx";
}
test ":mime: a header without a body" {
    test_set "message" text:
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: application/exe

a
--o--
.
    ;
    foreverypart { if header :mime :subtype "Content-Type" "exe" { replace :mime "Content-Type: text/plain"; } }
    test_message text:
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: text/plain


--o--
.
    ;
}
test "a text cannot begin another part" {
    test_set "message" text:
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: text/plain

a
--o--
.
    ;
    foreverypart { if header :mime :type "Content-Type" "text" { replace "x
--o
Content-Type: application/exe

y"; } }
    foreverypart { set "n" "${n}x"; }
    test_assert string "${n}" "xx";
    test_assert not header :mime :anychild :subtype "Content-Type" "exe";
    test_assert body :contains "--o";
}
test ":mime: an entity that would is an error" {
    test_set "message" text:
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: text/plain

a
--o--
.
    ;
    test_fails text:
require ["foreverypart", "mime", "replace"];
foreverypart {
    if header :mime :type "Content-Type" "text" {
        replace :mime "Content-Type: text/plain

x
--o
Content-Type: application/exe

y";
    }
}
.
    "the replacement has a line that is a boundary of the message";
}
test "the part that stands in an empty multipart" {
    test_set "message" text:
Content-Type: multipart/mixed; boundary=o

nothing here
.
    ;
    foreverypart { if not header :mime :type "Content-Type" "multipart" { replace "found"; } }
    foreverypart { if not header :mime :type "Content-Type" "multipart" { extracttext "text"; set "n" "${n}x"; } }
    test_assert string "${text}" "found";
    test_assert string "${n}" "x";
}
test "a part of an enclosed message" {
    test_set "message" text:
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: message/rfc822

Subject: inner
Content-Type: multipart/mixed; boundary=i

--i
Content-Type: application/exe

x
--i--
--o--
.
    ;
    foreverypart { if header :mime :subtype "Content-Type" "exe" { replace "y"; } }
    test_message text:
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: message/rfc822

Subject: inner
Content-Type: multipart/mixed; boundary=i

--i
Content-Type: text/plain; charset=us-ascii
Content-Transfer-Encoding: 7bit

y
--i--
--o--
.
    ;
}
test "actions take the message as it is then" {
    test_set "message" text:
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: text/plain

one
--o
Content-Type: text/plain

two
--o--
.
    ;
    fileinto :copy "before";
    foreverypart { if header :mime :type "Content-Type" "text" { replace "new"; fileinto :copy "during"; } }
    fileinto :copy "after";
    test_output 1 "one
--o
Content-Type: text/plain

two
";
    test_output 2 "new
--o
Content-Type: text/plain

two
";
    test_output 3 "new
--o
Content-Type: text/plain; charset=us-ascii
Content-Transfer-Encoding: 7bit

new
";
    test_actions ["fileinto \"before\"", "fileinto \"during\"", "fileinto \"after\"", "implicit keep"];
}
test "the header is that of the message, edited before and behind" {
    test_set "message" text:
A: 1
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: text/plain

one
--o--
.
    ;
    foreverypart { if header :mime :type "Content-Type" "text" { replace "new"; } }
    test_assert header "A" "1";
    test_assert header :mime :anychild :contenttype "Content-Type" "text/plain";
}
test "a text that is too large" {
    set "dollar" "$";
    test_fails text:
require ["foreverypart", "replace", "variables"];
set "a" "0123456789012345678901234567890123456789012345678901234567890123456789";
set "b" "${dollar}{a}${dollar}{a}${dollar}{a}${dollar}{a}${dollar}{a}${dollar}{a}${dollar}{a}${dollar}{a}${dollar}{a}${dollar}{a}${dollar}{a}${dollar}{a}${dollar}{a}${dollar}{a}${dollar}{a}${dollar}{a}";
set "c" "${dollar}{b}${dollar}{b}${dollar}{b}${dollar}{b}${dollar}{b}${dollar}{b}${dollar}{b}${dollar}{b}${dollar}{b}${dollar}{b}${dollar}{b}${dollar}{b}";
replace "${dollar}{c}${dollar}{c}${dollar}{c}${dollar}{c}${dollar}{c}${dollar}{c}${dollar}{c}${dollar}{c}${dollar}{c}${dollar}{c}${dollar}{c}${dollar}{c}";
.
    "the replacement is too large";
}
