# draft-ietf-extra-sieve-snooze-07: the examples of section 4.3.1, arrival by arrival, and that of 4.4.1.1.
require ["snooze", "imap4flags", "date", "relational"];
test "awaken times that roll into the next day or week (table 1)" {
    test_set "time" "1596067200"; # 2020-07-30T00:00:00Z, a Thursday
    snooze :weekdays ["1", "3", "5", "2", "4"] :tzid "Australia/Melbourne" ["12:00:00", "08:00:00", "16:00:00"];
    test_set "time" "1596081600"; # 04:00
    snooze :weekdays ["1", "3", "5", "2", "4"] :tzid "Australia/Melbourne" ["12:00:00", "08:00:00", "16:00:00"];
    test_set "time" "1596096000"; # 08:00
    snooze :weekdays ["1", "3", "5", "2", "4"] :tzid "Australia/Melbourne" ["12:00:00", "08:00:00", "16:00:00"];
    test_set "time" "1596196800"; # 2020-07-31T12:00:00Z
    snooze :weekdays ["1", "3", "5", "2", "4"] :tzid "Australia/Melbourne" ["12:00:00", "08:00:00", "16:00:00"];
    test_set "time" "1596297600"; # 2020-08-01T16:00:00Z
    snooze :weekdays ["1", "3", "5", "2", "4"] :tzid "Australia/Melbourne" ["12:00:00", "08:00:00", "16:00:00"];
    test_actions ["snooze \"INBOX\" until=30-Jul-2020 02:00:00 +0000",
                  "snooze \"INBOX\" until=30-Jul-2020 06:00:00 +0000",
                  "snooze \"INBOX\" until=30-Jul-2020 22:00:00 +0000",
                  "snooze \"INBOX\" until=02-Aug-2020 22:00:00 +0000",
                  "snooze \"INBOX\" until=02-Aug-2020 22:00:00 +0000"];
}
test "clocks are put back: the first occurrence (table 2)" {
    test_set "time" "1604206800"; # 2020-11-01T05:00:00Z
    snooze :tzid "America/New_York" "01:30:00";
    test_set "time" "1604210400"; # 06:00
    snooze :tzid "America/New_York" "01:30:00";
    test_set "time" "1604214000"; # 07:00
    snooze :tzid "America/New_York" "01:30:00";
    test_actions ["snooze \"INBOX\" until=01-Nov-2020 05:30:00 +0000",
                  "snooze \"INBOX\" until=02-Nov-2020 06:30:00 +0000",
                  "snooze \"INBOX\" until=02-Nov-2020 06:30:00 +0000"];
}
test "clocks are put forward: the offset from before (table 3)" {
    test_set "time" "1615617000"; # 2021-03-13T06:30:00Z
    snooze :tzid "America/New_York" "02:30:00";
    test_set "time" "1615703400"; # 2021-03-14T06:30:00Z
    snooze :tzid "America/New_York" "02:30:00";
    test_set "time" "1615707000"; # 2021-03-14T07:30:00Z
    snooze :tzid "America/New_York" "02:30:00";
    test_actions ["snooze \"INBOX\" until=13-Mar-2021 07:30:00 +0000",
                  "snooze \"INBOX\" until=14-Mar-2021 07:30:00 +0000",
                  "snooze \"INBOX\" until=15-Mar-2021 06:30:00 +0000"];
}
test "until the following work day (section 4.4.1.1)" {
    test_set "time" "1596224400"; # 2020-07-31T19:40:00Z, a Friday
    if anyof (header :is "from" "boss@example.com",
              currentdate :is "weekday" "0",
              currentdate :is "weekday" "6",
              currentdate :value "ge" "hour" "17") {
        setflag "\\Flagged";
        snooze :removeflags "\\Seen" :weekdays ["1", "2", "3", "4", "5"] :tzid "America/New_York" "09:00";
    }
    test_actions "snooze \"INBOX\" flags=[\"\\Flagged\"] until=03-Aug-2020 13:00:00 +0000 remove=[\"\\Seen\"]";
}
test "its zone as it stands there is none of the database" {
    test_refuses "require \"snooze\"; snooze :tzid \"American/New_York\" \"09:00\";"
                 "1:32: there is no time zone \"American/New_York\"";
}
