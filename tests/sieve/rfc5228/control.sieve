# RFC 5228 section 3: Control commands.
require "fileinto";
test "if (section 3.1)" {
    if true { fileinto "a"; }
    if false { fileinto "b"; }
    test_actions "fileinto \"a\"";
}
test "else" {
    if false { fileinto "a"; } else { fileinto "b"; }
    if true { fileinto "c"; } else { fileinto "d"; }
    test_actions ["fileinto \"b\"", "fileinto \"c\""];
}
test "elsif: the first that is true alone" {
    if false { fileinto "a"; } elsif true { fileinto "b"; } elsif true { fileinto "c"; } else { fileinto "d"; }
    test_actions ["fileinto \"b\""];
}
test "elsif without else" {
    if false { fileinto "a"; } elsif false { fileinto "b"; }
    test_actions "implicit keep";
}
test "nested" {
    if true { if false { fileinto "a"; } else { if true { fileinto "b"; } } } else { fileinto "c"; }
    test_actions ["fileinto \"b\""];
}
test "the first example of section 3.1" {
    test_set "message" "From: coyote@desert.example.org
Subject: x

";
    test_runs text:
require "fileinto";
if header :contains "from" "coyote" {
   discard;
} elsif header :contains ["subject"] ["$$$"] {
   discard;
} else {
   fileinto "INBOX";
}
.
    "";
}
test "its other branch" {
    test_runs text:
require "fileinto";
if header :contains "from" "coyote" {
   discard;
} elsif header :contains ["subject"] ["$$$"] {
   discard;
} else {
   fileinto "INBOX";
}
.
    ["fileinto \"INBOX\""];
}
test "the second example of section 3.1: message A" {
    test_set "message" "From: coyote@znic.net
To: roadrunner@acme.example.com
Subject: I have a present for you

";
    test_runs text:
if header :contains ["From"] ["coyote"] {
   redirect "acm@example.com";
} elsif header :contains "Subject" "$$$" {
   redirect "postmaster@example.com";
} else {
   redirect "field@example.com";
}
.
    ["redirect \"acm@example.com\""];
}
test "stop ends the script (section 3.3)" {
    test_runs text:
require "fileinto";
fileinto "a";
if true { stop; }
fileinto "b";
.
    ["fileinto \"a\""];
}
test "stop does not cancel the implicit keep" {
    test_runs "stop;" "keep";
}
test "what stands behind stop is never reached" {
    test_warns "stop; keep;" "1:7: this is never reached";
}
test "elsif and else stand behind if" {
    test_refuses "else { keep; }" "\"else\" must stand behind \"if\" or \"elsif\"";
    test_refuses "elsif true { keep; }" "must stand behind";
    test_refuses "if true { keep; } keep; else { keep; }" "1:25: \"else\" must stand behind";
    test_refuses "if true { } else { } else { }" "1:22: \"else\" must stand behind";
    test_refuses "if true { } else { } elsif true { }" "1:22: \"elsif\" must stand behind";
}
test "if needs a test and a block" {
    test_refuses "if { keep; }" "\"if\" needs one test";
    test_refuses "if true;" "\"if\" needs a block";
    test_refuses "if (true, false) { keep; }" "\"if\" needs one test";
    test_refuses "if \"a\" true { keep; }" "\"if\" takes no arguments but a test";
    test_refuses "if true { } else true { }" "\"else\" takes no test";
}
test "stop takes nothing" {
    test_refuses "stop \"now\";" "\"stop\" takes no arguments";
    test_refuses "stop { }" "\"stop\" takes no block";
}
test "require stands first (section 3.2)" {
    test_refuses "keep; require \"fileinto\";" "1:7: \"require\" must stand before all other commands";
    test_refuses "if true { require \"fileinto\"; }" "\"require\" must stand before";
}
test "require: a string or a list of them" {
    test_accepts "require \"fileinto\"; fileinto \"a\";";
    test_accepts "require [\"fileinto\", \"envelope\"]; if envelope \"from\" \"a\" { fileinto \"a\"; }";
    test_refuses "require;" "\"require\" has one argument: a list of extensions";
    test_refuses "require 1;" "\"require\" has one argument";
    test_refuses "require \"fileinto\" \"envelope\";" "\"require\" has one argument";
}
test "require of what there is not" {
    test_refuses "require [\"fileinto\", \"teleport\"];" "1:22: there is no extension \"teleport\" here";
    test_refuses "require \"\";" "there is no extension \"\"";
}
test "required, but not used" {
    test_warns "require \"fileinto\"; keep;" "1:9: \"fileinto\" is required, but not used";
}
test "what needs require" {
    test_refuses "fileinto \"a\";" "1:1: \"fileinto\" needs: require \"fileinto\"";
}
