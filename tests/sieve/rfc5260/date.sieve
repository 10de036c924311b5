# RFC 5260 section 4: Date test; section 5: Currentdate test.
require ["date", "relational", "variables", "fileinto", "comparator-i;ascii-numeric"];
test "date parts (section 4.2)" {
    test_set "message" "Date: Tue, 03 Nov 2026 09:05:07 +0130

";
    test_assert date :originalzone "date" "year" "2026";
    test_assert date :originalzone "date" "month" "11";
    test_assert date :originalzone "date" "day" "03";
    test_assert date :originalzone "date" "date" "2026-11-03";
    test_assert date :originalzone "date" "hour" "09";
    test_assert date :originalzone "date" "minute" "05";
    test_assert date :originalzone "date" "second" "07";
    test_assert date :originalzone "date" "time" "09:05:07";
    test_assert date :originalzone "date" "iso8601" "2026-11-03T09:05:07+01:30";
    test_assert date :originalzone "date" "std11" "Tue, 03 Nov 2026 09:05:07 +0130";
    test_assert date :originalzone "date" "zone" "+0130";
    test_assert date :originalzone "date" "weekday" "2";
    test_assert date :originalzone "date" "WEEKDAY" "2";
}
test "julian days (section 4.2)" {
    test_set "message" "Date: Thu, 01 Jan 1970 00:00:00 +0000

";
    test_assert date :zone "+0000" "date" "julian" "40587";
}
test "julian days: the epoch is day 0" {
    test_set "message" "Date: Wed, 17 Nov 1858 00:00:00 +0000

";
    test_assert date :zone "+0000" "date" "julian" "0";
}
test "zones (section 4.1)" {
    test_set "message" "Date: Tue, 31 Dec 2024 23:30:00 -0500

";
    test_assert date :zone "+0000" "date" "iso8601" "2025-01-01T04:30:00Z";
    test_assert date :zone "+0530" "date" "time" "10:00:00";
    test_assert date :zone "-0500" "date" "date" "2024-12-31";
    test_assert date :zone "-0500" "date" "zone" "-0500";
    test_assert date :zone "-0000" "date" "zone" "+0000";
}
test "the local zone is the default (section 4.1)" {
    test_set "zone" "120";
    test_set "message" "Date: Tue, 03 Nov 2026 09:05:07 +0000

";
    test_assert date "date" "hour" "11";
    test_assert date "date" "zone" "+0200";
}
test "a leap day" {
    test_set "message" "Date: Thu, 29 Feb 2024 12:00:00 +0000

";
    test_assert date :zone "+0000" "date" "date" "2024-02-29";
    test_assert date :zone "+0000" "date" "weekday" "4";
}
test "behind the last semicolon (section 4)" {
    test_set "message" "Received: from a by b; id 7; Sun, 18 Oct 2026 10:00:00 +0000

";
    test_assert date :is "received" "weekday" "0";
}
test "the first field alone" {
    test_set "message" "Received: x; Sun, 18 Oct 2026 10:00:00 +0000
Received: x; Mon, 19 Oct 2026 10:00:00 +0000

";
    test_assert date "received" "weekday" "0";
    test_assert not date "received" "weekday" "1";
}
test "no field, and no date" {
    test_set "message" "Date: yesterday

";
    test_assert not date :contains "date" "year" "";
    test_assert not date :contains "x-none" "year" "";
    test_assert date :count "eq" "date" "year" "0";
}
test "dates that there are not" {
    test_set "message" "Date: Thu, 29 Feb 2023 12:00:00 +0000

";
    test_assert not date :contains "date" "year" "2023";
}
test "the first example of section 4.4" {
    test_set "message" "From: boss@example.com
Date: Tue, 20 Oct 2026 10:00:00 +0200

";
    if allof(header :is "from" "boss@example.com",
             date :value "ge" :originalzone "date" "hour" "09",
             date :value "lt" :originalzone "date" "hour" "17")
    { fileinto "urgent"; }
    test_actions "fileinto \"urgent\"";
}
test "the second example of section 4.4" {
    test_set "message" "Received: x; Sat, 17 Oct 2026 10:00:00 +0000

";
    if anyof(date :is "received" "weekday" "0",
             date :is "received" "weekday" "6")
    { fileinto "weekend"; }
    test_actions "fileinto \"weekend\"";
}
test "count is one (section 4)" {
    test_assert date :count "eq" "date" "year" "1";
}
test "currentdate (section 5)" {
    test_assert currentdate "date" "2026-10-20";
    test_assert currentdate :zone "+0300" "hour" "11";
    test_assert currentdate "weekday" "2";
    test_assert currentdate :value "ge" "date" "2026-10-20";
    test_assert not currentdate :value "gt" "date" "2026-10-20";
    test_assert currentdate :count "eq" "date" "1";
}
test "currentdate: the first example of section 5.1" {
    if anyof(currentdate :is "weekday" "0",
             currentdate :is "weekday" "6",
             currentdate :value "lt" "hour" "09",
             currentdate :value "ge" "hour" "17")
    { redirect "pager@example.com"; }
    test_actions "redirect \"pager@example.com\"";
}
test "currentdate: the third example of section 5.1" {
    if currentdate :matches "month" "*" { set "month" "${1}"; }
    if currentdate :matches "year"  "*" { set "year"  "${1}"; }
    fileinto "${month}-${year}";
    test_actions "fileinto \"10-2026\"";
}
test "currentdate: the fourth example of section 5.1" {
    test_assert currentdate :matches "std11" "*";
    test_assert string "${0}" "Tue, 20 Oct 2026 08:00:00 +0000";
}
test "an unknown part, a wrong zone" {
    test_refuses "require \"date\"; if date \"date\" \"century\" \"21\" { keep; }" "a date has no part \"century\"";
    test_refuses "require \"date\"; if currentdate \"century\" \"21\" { keep; }" "a date has no part \"century\"";
    test_refuses "require \"date\"; if date :zone \"CET\" \"date\" \"year\" \"21\" { keep; }" "\"CET\" is no time zone";
    test_refuses "require \"date\"; if date :zone \"+0160\" \"date\" \"year\" \"21\" { keep; }" "is no time zone";
    test_refuses "require \"date\"; if date :zone \"+0100\" :originalzone \"date\" \"year\" \"21\" { keep; }" ":zone and :originalzone do not go together";
    test_refuses "require \"date\"; if currentdate :originalzone \"year\" \"21\" { keep; }" "has no argument :originalzone";
}
test "needs require" {
    test_refuses "if date \"date\" \"year\" \"21\" { keep; }" "\"date\" needs: require \"date\"";
    test_refuses "if currentdate \"year\" \"21\" { keep; }" "\"currentdate\" needs: require \"date\"";
}
