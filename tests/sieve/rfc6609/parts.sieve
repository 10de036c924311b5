# RFC 6609 section 3.5: within foreverypart, the part at hand is the whole message to an included script.
# (Without variables here, those of the scripts are theirs.)
test "its header, its body, its size; and what the script around it sees afterwards" {
    test_set "message" text:
Subject: whole
Date: Tue, 20 Oct 2026 08:00:00 +0000
Content-Type: multipart/mixed; boundary=o

--o
Subject: first
Content-Type: text/plain

one
--o
Content-Type: message/rfc822

Subject: second
To: second@example.org
Date: Wed, 21 Oct 2026 08:00:00 +0000

two
--o--
.
    ;
    test_set "personal:look" text:
require ["include", "variables", "body", "date", "mime"];
global "seen";
if header "Subject" "first" { set "seen" "${seen}f"; }
if header :mime "Subject" "first" { set "seen" "${seen}m"; }
if header "Subject" "whole" { set "seen" "${seen}w"; }
if allof (exists "Content-Type", not exists "Subject") { set "seen" "${seen}e"; }
if address "To" "second@example.org" { set "seen" "${seen}t"; }
if date "Date" "day" "21" { set "seen" "${seen}d"; }
if body :contains "one" { set "seen" "${seen}1"; }
if body :raw :contains "two" { set "seen" "${seen}2"; }
if body :content "message" :contains "second" { set "seen" "${seen}c"; }
if size :under 60 { set "seen" "${seen}s"; }
set "seen" "${seen}.";
.
    ;
    test_runs text:
require ["include", "foreverypart", "mime", "variables", "fileinto"];
global "seen";
foreverypart { include "look"; if header "Subject" "whole" { set "seen" "${seen}-"; } }
fileinto "${seen}";
.
    "fileinto \"w12c.-fm1s.-e2c.-td2.-\"";
}
test "loops in it, and scripts that it includes" {
    test_set "message" text:
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: multipart/alternative; boundary=i

--i
Content-Type: text/plain

one
--i
Content-Type: text/html

two
--i--
--o
Content-Type: image/gif

three
--o--
.
    ;
    test_set "personal:inner" text:
require ["include", "variables", "foreverypart", "mime"];
global "seen";
foreverypart { set "seen" "${seen}i"; }
if header :mime :anychild :subtype "Content-Type" "html" { set "seen" "${seen}h"; }
.
    ;
    test_set "personal:outer" text:
require ["include", "variables", "foreverypart"];
global "seen";
foreverypart { set "seen" "${seen}p"; }
include "inner";
set "seen" "${seen}.";
.
    ;
    test_runs text:
require ["include", "foreverypart", "mime", "variables", "fileinto"];
global "seen";
foreverypart { if header :mime :subtype "Content-Type" ["alternative", "gif"] { include "outer"; } }
fileinto "${seen}";
.
    "fileinto \"pppiiih.pi.\"";
}
test "what it has replaced is what it sees" {
    test_set "message" text:
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: text/plain

one
--o--
.
    ;
    test_set "personal:change" text:
require ["include", "variables", "replace", "body"];
global "seen";
replace "new";
if body :contains "new" { set "seen" "${seen}n"; }
if body :contains "one" { set "seen" "${seen}o"; }
.
    ;
    test_runs text:
require ["include", "foreverypart", "mime", "variables", "fileinto"];
global "seen";
foreverypart { if header :mime :type "Content-Type" "text" { include "change"; } }
fileinto "${seen}";
.
    "fileinto \"n\"";
}
