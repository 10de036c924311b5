# draft-ietf-extra-sieve-snooze-07: what only a run can tell. (Without variables here, those of the scripts are theirs.)
require "snooze";
test "what is no value when it is run" {
    test_fails "require [\"snooze\", \"variables\"]; set \"v\" \"9\"; snooze \"${v}\";" "\"9\" is no time of day";
    test_fails "require [\"snooze\", \"variables\"]; set \"v\" \"9\"; snooze :weekdays \"${v}\" \"09:00\";" "\"9\" is no day of the week";
    test_fails "require [\"snooze\", \"variables\"]; set \"v\" \"9\"; snooze :tzid \"${v}\" \"09:00\";" "there is no time zone \"9\"";
    test_fails "require [\"snooze\", \"variables\"]; snooze :mailbox \"${v}\" \"09:00\";" "snooze needs a mailbox's name";
}
