# RFC 5293: Editheader extension.
require ["editheader", "fileinto", "variables", "index"];
test "addheader: before all others (section 4)" {
    test_set "message" "A: 1
B: 2

body
";
    addheader "X" "new";
    test_message "X: new
A: 1
B: 2

body
";
}
test "addheader :last" {
    test_set "message" "A: 1
B: 2

body
";
    addheader :last "X" "new";
    test_message "A: 1
B: 2
X: new

body
";
}
test "later tests see it" {
    addheader "X" "new";
    test_assert header "x" "new";
    test_assert exists "X";
    addheader "X" "newer";
    test_assert header :index 1 "x" "newer";
    test_assert header :index 2 "x" "new";
}
test "actions take the message as it is then (section 7)" {
    fileinto "before"; addheader "X" "new"; fileinto "after";
    test_output 2 "X: new
From: Alice";
    deleteheader "X";
    test_output 2 "X: new
";
}
test "the implicit keep has the changes, too" {
    addheader "X" "1";
    test_actions "implicit keep";
    test_assert header "X" "1";
}
test "the example of section 4" {
    if not header :contains "X-Sieve-Filtered" ["<kim@job.example.com>", "<kim@home.example.com>"] {
        addheader "X-Sieve-Filtered" "<kim@job.example.com>";
        redirect "kim@home.example.com";
    }
    test_actions "redirect \"kim@home.example.com\"";
    test_output 1 "X-Sieve-Filtered: <kim@job.example.com>
";
}
test "a value that is not ASCII is encoded (section 4)" {
    addheader "X" "Grüße";
    test_assert header "X" "Grüße";
    keep;
    test_output 1 "X: =?UTF-8?B?R3LDvMOfZQ==?=
";
}
test "a value cannot begin another field" {
    set "v" "a
Bcc: b@c.example";
    addheader "X" "${v}";
    test_assert not exists "Bcc";
    test_assert header :contains "X" "Bcc: b@c.example";
}
test "a long value is folded" {
    addheader "X" "aaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbbbbbbbbbbb cccccccccccccccccccccccccccc dddddddddddd";
    test_assert header "X" "aaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbbbbbbbbbbb cccccccccccccccccccccccccccc dddddddddddd";
    keep;
    test_output 1 "bbbbb
 ccc";
}
test "deleteheader: all of a name (section 5)" {
    test_set "message" "A: 1
X: 2
x: 3
B: 4

body
";
    deleteheader "X";
    test_message "A: 1
B: 4

body
";
}
test "deleteheader: those with a value" {
    test_set "message" "X: a
X: b
X: ab

";
    deleteheader :contains "X" "a";
    test_message "X: b

";
}
test "deleteheader: is is the default" {
    test_set "message" "X: a
X: ab

";
    deleteheader "X" ["a", "c"];
    test_message "X: ab

";
}
test "deleteheader :index" {
    test_set "message" "X: a
X: b
X: c

";
    deleteheader :index 2 "X";
    test_message "X: a
X: c

";
}
test "deleteheader :index :last" {
    test_set "message" "X: a
X: b
X: c

";
    deleteheader :index 1 :last "X";
    test_message "X: a
X: b

";
}
test "deleteheader: the example of section 5" {
    test_set "message" "Delivered-To: alice@example.com
Delivered-To: bob@example.com

";
    deleteheader :index 1 :contains "Delivered-To" "bob@example.com";
    test_message "Delivered-To: alice@example.com
Delivered-To: bob@example.com

";
}
test "deleteheader: what is not there is no error" {
    test_set "message" "A: 1

";
    deleteheader "X"; deleteheader :index 7 "A";
    test_message "A: 1

";
}
test "later tests do not see it" {
    deleteheader "Subject";
    test_assert not exists "subject";
    test_assert header "Message-ID" "<1@example.com>";
}
test "Received and Auto-Submitted stay (section 6)" {
    test_set "message" "Received: x
Auto-Submitted: no

";
    deleteheader "Received"; deleteheader "auto-submitted";
    test_message "Received: x
Auto-Submitted: no

";
}
test "a folded field stays as it was" {
    test_set "message" "A: 1
 2
B: 3

";
    deleteheader "B";
    test_message "A: 1
 2

";
}
test "an error takes the changes back" {
    test_fails "require [\"editheader\", \"fileinto\"]; addheader \"X\" \"y\"; fileinto \"\";" "fileinto";
}
test "names (section 4)" {
    test_refuses "require \"editheader\"; addheader \"a b\" \"x\";" "\"a b\" is no name of a header field";
    test_refuses "require \"editheader\"; addheader \"X:\" \"x\";" "is no name of a header field";
    test_refuses "require \"editheader\"; deleteheader \"ä\";" "is no name of a header field";
    set "d" "$";
    test_fails "require [\"editheader\", \"variables\"]; addheader \"${d}{none}\" \"x\";" "is no name of a header field";
}
test "last needs index (section 5)" {
    test_refuses "require \"editheader\"; deleteheader :last \"X\";" ":last needs :index";
}
test "size is that of the message as it came (section 7)" {
    test_set "message" "A: 1

";
    addheader "X" "0123456789";
    test_assert size :under 9;
}
test "needs require" {
    test_refuses "addheader \"a\" \"x\";" "\"addheader\" needs: require \"editheader\"";
    test_refuses "deleteheader \"a\";" "\"deleteheader\" needs: require \"editheader\"";
}
