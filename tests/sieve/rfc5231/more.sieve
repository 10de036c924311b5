# RFC 5231: what is counted and compared beside header fields.
require ["relational", "comparator-i;ascii-numeric", "envelope", "variables", "imap4flags", "body", "environment"];
test "the example of section 6: the script" {
    test_set "message" "Received: a
Received: b
Received: c
X-Priority: 3
To: <foo@example.com.invalid>, <baz@example.com.invalid>
Cc: <qux@example.com.invalid>
";
    test_runs text:
        require ["relational", "comparator-i;ascii-numeric", "fileinto"];

        if header :value "lt" :comparator "i;ascii-numeric"
                  ["x-priority"] ["3"]
        {
           fileinto "Priority";
        }

        elsif address :count "gt" :comparator "i;ascii-numeric"
                   ["to"] ["5"]
        {
           # everything with more than 5 recipients in the "to" field
           # is considered SPAM
           fileinto "SPAM";
        }

        elsif address :value "gt" :all :comparator "i;ascii-casemap"
                   ["from"] ["M"]
        {
           fileinto "From N-Z";
        } else {
           fileinto "From A-M";
        }
.
    "fileinto \"From A-M\"";
}
test "count of an envelope part: 1, or 0 where it is not known" {
    test_assert envelope :count "eq" :comparator "i;ascii-numeric" "from" "1";
    test_assert envelope :count "eq" :comparator "i;ascii-numeric" ["from", "to"] "2";
    test_set "event" "APPEND";
    test_fails "require [\"envelope\", \"relational\"]; if envelope :count \"eq\" \"from\" \"0\" { stop; }" "no envelope";
}
test "count of flags and strings" {
    setflag "a b c";
    test_assert hasflag :count "eq" :comparator "i;ascii-numeric" "3";
    test_assert string :count "eq" :comparator "i;ascii-numeric" ["a", "b"] "2";
}
test "value of a variable" {
    set "n" "12";
    test_assert string :value "gt" :comparator "i;ascii-numeric" "${n}" "9";
    test_assert not string :value "gt" "${n}" "9";
}
test "what is no number is infinite, and equal to others (RFC 4790 section 9.1.1)" {
    test_set "message" "X-N: many
";
    test_assert header :value "gt" :comparator "i;ascii-numeric" "x-n" "99999999999999999999";
    test_assert header :value "eq" :comparator "i;ascii-numeric" "x-n" "lots";
}
test "numbers longer than any machine's" {
    test_set "message" "X-N: 100000000000000000000000000000000001
";
    test_assert header :value "gt" :comparator "i;ascii-numeric" "x-n" "100000000000000000000000000000000000";
    test_assert header :value "eq" :comparator "i;ascii-numeric" "x-n" "000100000000000000000000000000000000001 and more";
}
test "count of fields whose value cannot be told apart" {
    test_set "message" "X-A: same
X-A: same
";
    test_assert header :count "eq" :comparator "i;ascii-numeric" "x-a" "2";
}
test "count of an item of the environment" {
    test_set "env:host" "a";
    test_assert environment :count "eq" :comparator "i;ascii-numeric" "host" "1";
}
