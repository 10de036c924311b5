# draft-ietf-extra-sieve-snooze-07 section 4.3: around the changes of clocks in Europe/Berlin.
require "snooze";
test "02:00 to 03:00 does not come on 2026-03-29" {
    test_set "time" "1774742340"; # 2026-03-29 00:59 +01
    snooze :tzid "Europe/Berlin" ["02:00:00", "02:30:00", "03:15:00"];
    test_set "time" "1774746000"; # 03:00 +02
    snooze :tzid "Europe/Berlin" ["02:00:00", "02:30:00", "03:15:00"];
    test_set "time" "1774746900"; # 03:15 +02: 02:30 is 03:30
    snooze :tzid "Europe/Berlin" ["02:00:00", "02:30:00", "03:15:00"];
    test_set "time" "1774747800"; # 03:30 +02
    snooze :tzid "Europe/Berlin" ["02:00:00", "02:30:00", "03:15:00"];
    test_actions ["snooze \"INBOX\" until=29-Mar-2026 01:00:00 +0000",
                  "snooze \"INBOX\" until=29-Mar-2026 01:15:00 +0000",
                  "snooze \"INBOX\" until=29-Mar-2026 01:30:00 +0000",
                  "snooze \"INBOX\" until=30-Mar-2026 00:00:00 +0000"];
}
test "02:00 to 03:00 comes twice on 2026-10-25: the first is meant" {
    test_set "time" "1792886340"; # 01:59 +02
    snooze :tzid "Europe/Berlin" ["02:30:00", "03:00:00"];
    test_set "time" "1792888200"; # 02:30 +02
    snooze :tzid "Europe/Berlin" ["02:30:00", "03:00:00"];
    test_set "time" "1792891800"; # 02:30 +01
    snooze :tzid "Europe/Berlin" ["02:30:00", "03:00:00"];
    test_set "time" "1792893600"; # 03:00 +01
    snooze :tzid "Europe/Berlin" ["02:30:00", "03:00:00"];
    test_actions ["snooze \"INBOX\" until=25-Oct-2026 00:30:00 +0000",
                  "snooze \"INBOX\" until=25-Oct-2026 02:00:00 +0000",
                  "snooze \"INBOX\" until=25-Oct-2026 02:00:00 +0000",
                  "snooze \"INBOX\" until=26-Oct-2026 01:30:00 +0000"];
}
test "it is another day there" {
    test_set "time" "1792522800"; # 2026-10-20 19:00Z, 2026-10-21 08:00 in Auckland, a Wednesday
    snooze :tzid "Pacific/Auckland" :weekdays "3" "09:00:00";
    snooze :tzid "Pacific/Auckland" :weekdays "2" "09:00:00";
    test_actions ["snooze \"INBOX\" until=20-Oct-2026 20:00:00 +0000",
                  "snooze \"INBOX\" until=26-Oct-2026 20:00:00 +0000"];
}
test "a day that a place has left out" {
    test_set "time" "1325239200"; # 2011-12-30T10:00:00Z, the end of the 29th in Apia; the 30th does not come
    snooze :tzid "Pacific/Apia" :weekdays "5" "12:00:00";
    test_actions "snooze \"INBOX\" until=30-Dec-2011 22:00:00 +0000";
}
