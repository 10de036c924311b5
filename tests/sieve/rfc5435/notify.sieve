# RFC 5435: Extension for notifications; RFC 5436: method mailto.
require ["enotify", "variables", "fileinto", "envelope", "fcc", "relational"];
test "notify leaves the implicit keep (section 7)" {
    notify "mailto:alm@example.com";
    test_actions ["notify \"mailto:alm@example.com\" from=\"bob@example.org\" importance=2", "implicit keep"];
}
test "the first example of section 3.7" {
    test_set "message" "From: boss@example.org
Subject: x

";
    test_runs text:
require ["enotify", "fileinto"];
if header :contains "from" "boss@example.org" {
    notify :importance "1"
        :message "This is probably very important"
                    "mailto:alm@example.com";
    # Don't send any further notifications
    stop;
}
.
    ["notify \"mailto:alm@example.com\" \"This is probably very important\" from=\"bob@example.org\" importance=1", "keep"];
}
test "importance (section 3.4)" {
    notify :importance "3" "mailto:a@b.example";
    test_output 1 "X-Priority: 5";
    test_refuses "require \"enotify\"; notify :importance \"4\" \"mailto:a@b.example\";" "an importance is \"1\", \"2\" or \"3\"";
    set "d" "$";
    test_fails "require [\"enotify\", \"variables\"]; notify :importance \"${d}{x}\" \"mailto:a@b.example\";" "an importance is";
}
test "from (section 3.3)" {
    notify :from "sieve@example.org" "mailto:a@b.example";
    test_output 1 "From: sieve@example.org
";
}
test "options (section 3.5)" {
    notify :options ["a=1", "b.c=x y"] "mailto:a@b.example";
    test_actions ["notify \"mailto:a@b.example\" from=\"bob@example.org\" importance=2 options=[\"a=1\" \"b.c=x y\"]", "implicit keep"];
    test_refuses "require \"enotify\"; notify :options \"a\" \"mailto:a@b.example\";" "an option is \"name=value\"";
    test_refuses "require \"enotify\"; notify :options \"-a=b\" \"mailto:a@b.example\";" "an option is \"name=value\"";
}
test "mailto: the message (RFC 5436 section 2.7)" {
    notify :message "You got mail" "mailto:a@b.example";
    test_output 1 "Auto-Submitted: auto-notified; owner-email=\"bob@example.org\"
Date: Tue, 20 Oct 2026 08:00:00 +0000
From: bob@example.org
To: a@b.example
Subject: You got mail
";
}
test "mailto: the subject of the URI, and of the message (RFC 5436 section 2.7)" {
    notify "mailto:a@b.example?subject=from%20the%20URI";
    notify "mailto:c@d.example";
    test_output 1 "Subject: from the URI
";
    test_output 2 "Subject: Hello
";
}
test "mailto: body, to and cc (RFC 5436 section 2.7)" {
    notify "mailto:a@b.example?body=some%20text&to=c@d.example&cc=e@f.example";
    test_output 1 "To: a@b.example, c@d.example
Cc: e@f.example
";
    test_output 1 "

some text";
}
test "mailto: other fields are ignored (RFC 5436 section 2.7)" {
    notify "mailto:a@b.example?from=evil@example.net&bcc=x@y.example&received=z";
    test_output 1 "From: bob@example.org
";
}
test "mailto: nothing begins another field" {
    notify "mailto:a@b.example?subject=x%0D%0ABcc:%20evil@example.net";
    test_output 1 "Subject: xBcc: evil@example.net
";
}
test "mailto: no loop (RFC 5436 section 2.7)" {
    test_set "message" "Auto-Submitted: auto-replied

";
    notify "mailto:a@b.example";
    test_actions "implicit keep";
}
test "mailto: an empty reverse-path is none (RFC 5436 section 2.7)" {
    test_set "envelope.from" "";
    notify "mailto:a@b.example";
    test_output 1 "To: a@b.example
";
}
test "a method that there is not" {
    test_fails "require \"enotify\"; notify \"tel:+14085551212\";" "\"tel:+14085551212\" is no method there is";
    test_fails "require \"enotify\"; notify \"mailto:nobody\";" "is no method there is";
    test_fails "require \"enotify\"; notify \"mailto:\";" "is no method there is";
    test_fails "require \"enotify\"; notify \"mailto:a@b.example?subject=%zz\";" "is no method there is";
    test_fails "require \"enotify\"; notify \"mailto:a@b.example?subject\";" "is no method there is";
}
test "valid_notify_method (section 4)" {
    test_assert valid_notify_method "mailto:a@b.example";
    test_assert valid_notify_method ["mailto:a@b.example", "MAILTO:c@d.example?subject=x"];
    test_assert not valid_notify_method ["mailto:", "http://gw.example.net/notify?test"];
    test_assert not valid_notify_method ["mailto:a@b.example", "nonsense"];
}
test "notify_method_capability (section 5; RFC 5436 section 2.2)" {
    test_assert notify_method_capability "mailto:a@b.example" "Online" "maybe";
    test_assert not notify_method_capability "mailto:a@b.example" "online" "yes";
    test_assert not notify_method_capability :contains "mailto:a@b.example" "colour" "";
    test_assert not notify_method_capability :contains "xmpp:a@b.example" "online" "";
}
test "encodeurl: the example of section 6" {
    set :encodeurl "body_param" "Safe body&evil=evilbody";
    test_assert string :comparator "i;octet" "${body_param}" "Safe%20body%26evil%3Devilbody";
    notify "mailto:tim@example.com?body=${body_param}";
    test_output 1 "Safe body&evil=evilbody";
}
test "encodeurl goes before length, behind quoting" {
    set :length :encodeurl "a" "a b";
    test_assert string "${a}" "5";
}
test "the second example of section 3.7" {
    test_set "message" "From: \"X\" <x@y.example.org>
Subject: s

";
    if header :matches "from" "*@*.example.org*" {
        if envelope :all :matches "from" "*" { set "env_from" " [really: ${1}]"; }
        if header :matches "Subject" "*" { set "subject" "${1}"; }
        if address :matches :all "from" "*" { set "from_addr" "${1}"; }
        notify :message "${from_addr}${env_from}: ${subject}" "mailto:alm@example.com";
    }
    test_output 1 "Subject: x@y.example.org [really: alice@example.com]: s
";
}
test "a copy (RFC 8580)" {
    notify :fcc "INBOX.Sent" :message "You got mail!" "mailto:ken@example.com";
    test_actions ["notify \"mailto:ken@example.com\" \"You got mail!\" from=\"bob@example.org\" importance=2 fcc=\"INBOX.Sent\"", "implicit keep"];
}
test "needs require" {
    test_refuses "notify \"mailto:a@b.example\";" "\"notify\" needs: require \"enotify\"";
    test_refuses "if valid_notify_method \"a\" { keep; }" "needs: require \"enotify\"";
    test_refuses "require \"variables\"; set :encodeurl \"a\" \"b\";" ":encodeurl needs: require \"enotify\"";
}
