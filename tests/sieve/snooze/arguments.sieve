# draft-ietf-extra-sieve-snooze-07: each argument, and what is wrong with it.
require ["snooze", "imap4flags", "mailbox", "mailboxid", "special-use", "variables", "fileinto", "copy"];
test "cancels the implicit keep; INBOX, every day, the interpreter's zone (sections 4, 4.1, 4.2, 4.3)" {
    snooze "08:00:01"; # now it is 08:00:00
    test_actions "snooze \"INBOX\" until=20-Oct-2026 08:00:01 +0000";
}
test "a future time: not now (section 4.3)" {
    snooze "08:00:00";
    test_actions "snooze \"INBOX\" until=21-Oct-2026 08:00:00 +0000";
}
test "the interpreter's zone is not UTC" {
    test_set "zone" "120";
    snooze "10:30:00";
    test_actions "snooze \"INBOX\" until=20-Oct-2026 08:30:00 +0000";
}
test "one day of the week, which is today" {
    snooze :weekdays "2" "07:00:00";
    test_actions "snooze \"INBOX\" until=27-Oct-2026 07:00:00 +0000";
}
test "seconds may be left out" {
    snooze ["07:59", "23:59"];
    test_actions "snooze \"INBOX\" until=20-Oct-2026 23:59:00 +0000";
}
test ":mailbox, :create, :addflags, :removeflags (sections 4.1, 4.4.1, 4.4.2)" {
    addflag ["$Asleep", "\\Seen"];
    snooze :mailbox "Later" :create :addflags ["$Awake \\Flagged", "$awake"] :removeflags "\\Seen" "09:00:00";
    test_actions "snooze \"Later\" flags=[\"$Asleep\" \"\\Seen\"] create until=20-Oct-2026 09:00:00 +0000 add=[\"$Awake\" \"\\Flagged\"] remove=[\"\\Seen\"]";
}
test ":specialuse (section 4.4.3), :mailboxid (section 4.4.4)" {
    snooze :specialuse "\\Important" "09:00:00";
    snooze :mailboxid "F1234" :mailbox "Else" "09:00:00";
    test_actions ["snooze \"INBOX\" specialuse=\"\\Important\" until=20-Oct-2026 09:00:00 +0000",
                  "snooze \"Else\" mailboxid=\"F1234\" until=20-Oct-2026 09:00:00 +0000"];
}
test "variables in each" {
    set "box" "Box"; set "day" "3"; set "time" "12:00:00"; set "zone" "Asia/Tokyo"; set "flag" "$Tea";
    snooze :mailbox "${box}" :weekdays "${day}" :tzid "${zone}" :addflags "${flag}" "${time}";
    test_actions "snooze \"Box\" until=21-Oct-2026 03:00:00 +0000 add=[\"$Tea\"]";
}
test "beside other actions" {
    fileinto :copy "Box";
    snooze "09:00:00";
    keep;
    test_actions ["fileinto \"Box\"", "snooze \"INBOX\" until=20-Oct-2026 09:00:00 +0000", "keep"];
}
test "as an alias of Cyrus names it" {
    test_accepts "require \"vnd.cyrus.snooze\"; snooze \"09:00:00\";";
    test_accepts "require \"ihave\"; if ihave \"vnd.cyrus.snooze\" { snooze \"09:00:00\"; }";
}
test "what needs require" {
    test_refuses "snooze \"09:00:00\";" "\"snooze\" needs: require \"snooze\"";
    test_refuses "require \"snooze\"; snooze :addflags \"a\" \"09:00:00\";" ":addflags needs: require \"imap4flags\"";
    test_refuses "require \"snooze\"; snooze :removeflags \"a\" \"09:00:00\";" ":removeflags needs: require \"imap4flags\"";
    test_refuses "require \"snooze\"; snooze :mailbox \"a\" :create \"09:00:00\";" ":create needs: require \"mailbox\"";
    test_refuses "require \"snooze\"; snooze :specialuse \"a\" \"09:00:00\";" ":specialuse needs: require \"special-use\"";
    test_refuses "require \"snooze\"; snooze :mailboxid \"a\" \"09:00:00\";" ":mailboxid needs: require \"mailboxid\"";
}
test "what does not go together" {
    test_refuses "require [\"snooze\", \"mailbox\"]; snooze :create \"09:00:00\";" "1:32: :create needs :mailbox";
    test_refuses "require [\"snooze\", \"mailboxid\", \"special-use\"]; snooze :mailboxid \"a\" :specialuse \"b\" \"09:00:00\";"
                 ":mailboxid and :specialuse do not go together";
    test_refuses "require \"snooze\"; snooze :tzid \"UTC\" :tzid \"UTC\" \"09:00:00\";" ":tzid";
    test_refuses "require \"snooze\"; snooze :weekdays \"1\" :weekdays \"2\" \"09:00:00\";" ":weekdays";
}
test "what is no value, where it stands" {
    test_refuses "require \"snooze\"; snooze;" "\"snooze\" lacks an argument";
    test_refuses "require \"snooze\"; snooze [\"09:00:00\", \"24:00:00\"];" "1:39: \"24:00:00\" is no time of day";
    test_refuses "require \"snooze\"; snooze \"9:00:00\";" "is no time of day";
    test_refuses "require \"snooze\"; snooze \"09:60\";" "is no time of day";
    test_refuses "require \"snooze\"; snooze \"09:00:60\";" "is no time of day";
    test_refuses "require \"snooze\"; snooze \"09-00-00\";" "is no time of day";
    test_refuses "require \"snooze\"; snooze \"09:00:0\";" "is no time of day";
    test_refuses "require \"snooze\"; snooze :weekdays [\"1\", \"7\"] \"09:00:00\";" "1:42: \"7\" is no day of the week";
    test_refuses "require \"snooze\"; snooze :weekdays \"Mon\" \"09:00:00\";" "is no day of the week";
    test_refuses "require \"snooze\"; snooze :tzid \"../../etc/passwd\" \"09:00:00\";" "there is no time zone";
    test_refuses "require \"snooze\"; snooze :tzid \"\" \"09:00:00\";" "there is no time zone";
    test_refuses "require \"snooze\"; snooze :sometimes \"09:00:00\";" ":sometimes";
}
test "not with reject (section 8.2)" {
    test_fails "require [\"snooze\", \"reject\"]; snooze \"09:00\"; reject \"no\";" "reject goes together with no other action";
    test_fails "require [\"snooze\", \"ereject\"]; ereject \"no\"; snooze \"09:00\";" "reject goes together with no other action";
}
test "at an IMAP event (section 8.2)" {
    test_set "event" "COPY"; test_set "flag" "\\Seen";
    test_runs "require [\"imapsieve\", \"snooze\"]; snooze \"09:00:00\";"
        "snooze \"INBOX\" flags=[\"\\Seen\"] until=20-Oct-2026 09:00:00 +0000";
}
