# RFC 5230: Vacation extension.
require ["vacation", "variables", "fileinto"];
test "a response, and the implicit keep (section 4.7)" {
    vacation :handle "h" "I'm away.";
    test_actions ["vacation \"alice@example.com\" from=\"bob@example.org\" subject=\"Auto: Hello\" seconds=604800", "implicit keep"];
}
test "the response's header (section 5)" {
    vacation "I'm away.";
    test_output 1 "From: bob@example.org
To: alice@example.com
Subject: Auto: Hello
In-Reply-To: <1@example.com>
References: <1@example.com>
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: text/plain; charset=us-ascii
Content-Transfer-Encoding: 7bit

I'm away.";
    test_output 1 "Date: Tue, 20 Oct 2026 08:00:00 +0000
";
}
test "days (section 4.1)" {
    vacation :days 23 "x";
    test_actions ["vacation \"alice@example.com\" from=\"bob@example.org\" subject=\"Auto: Hello\" seconds=1987200", "implicit keep"];
}
test "days: none is one (section 4.1)" {
    vacation :days 0 "x";
    test_actions ["vacation \"alice@example.com\" from=\"bob@example.org\" subject=\"Auto: Hello\" seconds=86400", "implicit keep"];
}
test "days: more than a year is a year" {
    vacation :days 3650 "x";
    test_actions ["vacation \"alice@example.com\" from=\"bob@example.org\" subject=\"Auto: Hello\" seconds=31536000", "implicit keep"];
}
test "subject and from (sections 5.3, 5.4)" {
    vacation :subject "Gone fishing" :from "Bob <bob+x@example.org>" "x";
    test_actions ["vacation \"alice@example.com\" from=\"Bob <bob+x@example.org>\" subject=\"Gone fishing\" seconds=604800", "implicit keep"];
    test_output 1 "Subject: Gone fishing
";
}
test "no subject at all (section 5.3)" {
    test_set "message" "To: bob@example.org

";
    vacation "x";
    test_output 1 "Subject: Automated reply
";
}
test "a subject that is not ASCII is encoded" {
    vacation :subject "Größe" "x";
    test_output 1 "Subject: =?UTF-8?B?R3LDtsOfZQ==?=
";
}
test "a subject cannot begin another field" {
    set "s" "a
Bcc: victim@example.net";
    vacation :subject "${s}" "x";
    test_output 1 "Subject: aBcc: victim@example.net
";
}
test "a text that is not ASCII is encoded" {
    vacation "Ich bin im Büro.";
    test_output 1 "Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: base64

SWNoIGJpbiBpbSBCw7xyby4=
";
}
test "mime: the text has its own header (section 4.1)" {
    vacation :mime text:
Content-Type: text/html

<p>away</p>
.
    ;
    test_output 1 "MIME-Version: 1.0
Content-Type: text/html

<p>away</p>
";
}
test "mime: ASCII alone in the header (section 5)" {
    test_refuses "require \"vacation\"; vacation :mime \"Content-Type: text/plain; name=ä

x\";" "with :mime the text may have ASCII alone before its empty line";
}
test "references go on (section 5.8)" {
    test_set "message" "To: bob@example.org
Message-ID: <3@x>
References: <1@x>
 <2@x>

";
    vacation "x";
    test_output 1 "In-Reply-To: <3@x>
References: <1@x> <2@x> <3@x>
";
}
test "no response to the null reverse-path (section 4.6)" {
    test_set "envelope.from" "";
    vacation "x";
    test_actions "implicit keep";
}
test "no response to lists (section 4.6)" {
    test_set "message" "To: bob@example.org
List-Id: <x>

";
    vacation "x";
    test_actions "implicit keep";
}
test "no response to List-Unsubscribe" {
    test_set "message" "To: bob@example.org
List-Unsubscribe: <mailto:x>

";
    vacation "x";
    test_actions "implicit keep";
}
test "no response to what was sent by a program (section 4.6)" {
    test_set "message" "To: bob@example.org
Auto-Submitted: auto-replied (vacation)

";
    vacation "x";
    test_actions "implicit keep";
}
test "Auto-Submitted: no is a person's" {
    test_set "message" "To: bob@example.org
Auto-Submitted: no

";
    vacation "x";
    test_output 1 "Auto-Submitted: auto-replied
";
}
test "no response to bulk mail" {
    test_set "message" "To: bob@example.org
Precedence: bulk

";
    vacation "x";
    test_actions "implicit keep";
}
test "no response to a mail system" {
    test_set "envelope.from" "MAILER-DAEMON@example.com";
    vacation "x";
    test_actions "implicit keep";
}
test "no response to list managers" {
    test_set "envelope.from" "users-request@example.com";
    vacation "x";
    test_actions "implicit keep";
}
test "no response to owners" {
    test_set "envelope.from" "owner-users@example.com";
    vacation "x";
    test_actions "implicit keep";
}
test "no response to oneself" {
    test_set "envelope.from" "bob@example.org";
    vacation "x";
    test_actions "implicit keep";
}
test "no response when the user is no recipient (section 4.5)" {
    test_set "message" "To: friends@example.com

";
    vacation "x";
    test_actions "implicit keep";
}
test "addresses (section 4.5)" {
    test_set "message" "To: friends@example.com
Cc: Robert <robert@example.org>

";
    vacation :addresses ["r@example.org", "robert@EXAMPLE.org"] "x";
    test_output 1 "Auto-Submitted";
}
test "the user's other addresses" {
    test_set "address" "robert@example.org";
    test_set "message" "Resent-To: robert@example.org

";
    vacation "x";
    test_output 1 "Auto-Submitted";
}
test "the recipient with its detail" {
    test_set "envelope.original" "bob+a@example.org";
    test_set "message" "To: bob+a@example.org

";
    vacation "x";
    test_output 1 "Auto-Submitted";
}
test "once in a script (section 4.7)" {
    test_fails "require \"vacation\"; vacation \"x\"; vacation \"y\";" "a script may answer a message once";
}
test "with reject it is an error (section 4.7)" {
    test_fails "require [\"vacation\", \"reject\"]; vacation \"x\"; reject \"y\";" "reject goes together with no other action";
}
test "with discard, fileinto and redirect it is none (section 4.7)" {
    vacation "x"; discard; fileinto "a"; redirect "c@d.example";
    test_actions ["vacation \"alice@example.com\" from=\"bob@example.org\" subject=\"Auto: Hello\" seconds=604800", "fileinto \"a\"", "redirect \"c@d.example\""];
}
test "the first example of section 4.8" {
    test_set "message" "To: tjs@example.edu
Subject: x

";
    test_runs text:
require "vacation";
vacation :days 23 :addresses ["tjs@example.edu",
                              "ts4z@landru.example.edu"]
"I'm away until October 19.
If it's an emergency, call 911, I guess." ;
.
    ["vacation \"alice@example.com\" from=\"bob@example.org\" subject=\"Auto: x\" seconds=1987200", "keep"];
}
test "the second example of section 4.8" {
    test_set "message" "From: boss@example.edu

";
    test_runs text:
require "vacation";
if header :contains "from" "boss@example.edu" {
    redirect "pleeb@isp.example.org";
} else {
    vacation "Sorry, I'm away, I'll read your
message when I get around to it.";
}
.
    "redirect \"pleeb@isp.example.org\"";
}
test "what is no address" {
    test_refuses "require \"vacation\"; vacation :from \"nobody\" \"x\";" "\"nobody\" is no address";
    test_refuses "require \"vacation\"; vacation :addresses [\"nobody\"] \"x\";" "\"nobody\" is no address";
    set "d" "$";
    test_fails "require [\"vacation\", \"variables\"]; vacation :from \"${d}{none}\" \"x\";" "vacation: :from is no address";
}
test "arguments" {
    test_refuses "require \"vacation\"; vacation;" "\"vacation\" lacks an argument";
    test_refuses "require \"vacation\"; vacation :days \"x\" \"y\";" "behind :days a number must stand";
    test_refuses "require \"vacation\"; vacation :days 1 :days 2 \"y\";" ":days does not go together";
}
test "needs require" {
    test_refuses "vacation \"a\";" "\"vacation\" needs: require \"vacation\"";
}
