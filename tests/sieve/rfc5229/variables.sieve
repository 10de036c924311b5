# RFC 5229: Variables.
require ["variables", "fileinto", "relational", "envelope"];
test "set and use (section 3)" {
    set "company" "ACME";
    test_assert string :is "${company}" "ACME";
    fileinto "INBOX.${company}.${Company}";
    test_actions "fileinto \"INBOX.ACME.ACME\"";
}
test "the examples of section 3" {
    set "company" "ACME";
    test_assert string :comparator "i;octet" :is "${full}" "";
    test_assert string :comparator "i;octet" :is "${company}" "ACME";
    test_assert string :comparator "i;octet" :is "${BAD${Company}" "${BADACME";
    test_assert string :comparator "i;octet" :is "${President, ${Company} Inc.}" "${President, ACME Inc.}";
    test_assert string :comparator "i;octet" :is "&%${}!" "&%${}!";
    test_assert string :comparator "i;octet" :is "${doh!}" "${doh!}";
}
test "an unknown variable is empty" {
    test_assert string :is "a${nothing}b" "ab";
}
test "what is not a name stays" {
    test_assert string :is "${a b}" "${a b}";
    test_assert string :is "${1a}" "${1a}";
    test_assert string :is "${}" "${}";
    test_assert string :is "${a" "${a";
    test_assert string :is "$a" "$a";
    test_assert string :is "$" "$";
    test_assert string :is "a$${" "a$${";
}
test "expanded text is not expanded again" {
    set "dollar" "$";
    set "b" "${dollar}{c}";
    set "c" "no";
    test_assert string :is "${b}" "${dollar}{c}";
    test_assert not string :is "${b}" "no";
}
test "a variable's value changes" {
    set "a" "1"; set "a" "${a}2"; set "A" "${a}3";
    test_assert string :is "${a}" "123";
}
test "modifiers: the examples of section 4.1" {
    set "a" "juMBlEd lETteRS";
    test_assert string :comparator "i;octet" "${a}" "juMBlEd lETteRS";
    set :length "b" "${a}";
    test_assert string :comparator "i;octet" "${b}" "15";
    set :lower "b" "${a}";
    test_assert string :comparator "i;octet" "${b}" "jumbled letters";
    set :upperfirst "b" "${a}";
    test_assert string :comparator "i;octet" "${b}" "JuMBlEd lETteRS";
    set :upperfirst :lower "b" "${a}";
    test_assert string :comparator "i;octet" "${b}" "Jumbled letters";
    set :quotewildcard "b" "Rock*";
    test_assert string :comparator "i;octet" "${b}" "Rock\\*";
}
test "upper and lowerfirst (section 4.1.3)" {
    set :upper "b" "abC1ä";
    test_assert string :comparator "i;octet" "${b}" "ABC1ä";
    set :lowerfirst "b" "ABC";
    test_assert string :comparator "i;octet" "${b}" "aBC";
    set :lowerfirst :upper "b" "abc";
    test_assert string :comparator "i;octet" "${b}" "aBC";
    set :upperfirst "b" "";
    test_assert string "${b}" "";
}
test "length counts characters, after quoting (section 4.1.1)" {
    set :length "b" "äöü";
    test_assert string "${b}" "3";
    set :length :quotewildcard "b" "a*?\\";
    test_assert string "${b}" "7";
    set :length "b" "";
    test_assert string "${b}" "0";
}
test "quotewildcard makes a text match itself alone (section 4.1.2)" {
    set "a" "*?\\x";
    set :quotewildcard "b" "${a}";
    test_assert string :matches "${a}" "${b}";
    test_assert not string :matches "abcx" "${b}";
}
test "modifiers of one precedence" {
    test_refuses "require \"variables\"; set :lower :upper \"a\" \"b\";" "two modifiers of one precedence";
    test_refuses "require \"variables\"; set :lowerfirst :upperfirst \"a\" \"b\";" "two modifiers of one precedence";
    test_refuses "require \"variables\"; set :length :length \"a\" \"b\";" "two modifiers of one precedence";
}
test "an unknown modifier" {
    test_refuses "require \"variables\"; set :rot13 \"a\" \"b\";" "\"set\" has no argument :rot13";
}
test "names (section 4)" {
    test_refuses "require \"variables\"; set \"1\" \"b\";" "\"1\" is no name of a variable";
    test_refuses "require \"variables\"; set \"\" \"b\";" "is no name of a variable";
    test_refuses "require \"variables\"; set \"a.b\" \"b\";" "\"a.b\" is no name of a variable";
    test_refuses "require \"variables\"; set \"a-b\" \"b\";" "is no name of a variable";
}
test "namespaces that there are not (section 3)" {
    set "d" "$";
    test_refuses "require [\"variables\", \"fileinto\"]; fileinto \"${d}{a.b}\";" "\"a.b\" is no name of a variable";
}
test "matches: the example of section 3.2" {
    test_set "message" "List-ID: Announcements <lists.ietf.org>
Subject: [acme-users] [fwd] version 1.0 is out

";
    if header :matches "List-ID" "*<*@*" { test_fail "there is no at"; }
    test_assert header :matches "Subject" "[*] *";
    test_assert string "${1}" "acme-users";
    test_assert string "${2}" "[fwd] version 1.0 is out";
    test_assert string "${0}" "[acme-users] [fwd] version 1.0 is out";
    test_assert string "${3}" "";
}
test "matches: as short as can be (section 3.2)" {
    test_assert string :matches "a.b.c.d" "*.*.*";
    test_assert string "${1}" "a";
    test_assert string "${2}" "b";
    test_assert string "${3}" "c.d";
}
test "matches: question marks too" {
    test_assert string :matches "frop" "?r*p";
    test_assert string "${1}" "f";
    test_assert string "${2}" "o";
}
test "matches: the text as it was, whatever the comparator" {
    test_assert string :matches "HeLLo" "h*o";
    test_assert string :comparator "i;octet" "${1}" "eLL";
}
test "matches: a failed match changes nothing" {
    test_assert string :matches "abc" "a*";
    test_assert not string :matches "xyz" "a*";
    test_assert string "${1}" "bc";
}
test "matches: a match without wildcards" {
    test_assert string :matches "abc" "a*";
    test_assert string :matches "xyz" "xyz";
    test_assert string "${0}" "xyz";
    test_assert string "${1}" "";
}
test "matches: other match types change nothing" {
    test_assert string :matches "abc" "a*";
    test_assert string :is "xyz" "xyz";
    test_assert string :contains "xyz" "y";
    test_assert string "${1}" "bc";
}
test "matches: the first of several keys" {
    test_assert string :matches "abc" ["x*", "*c", "a*"];
    test_assert string "${1}" "ab";
}
test "matches: of a test that is not made nothing is remembered" {
    test_assert string :matches "old" "*";
    test_assert anyof (true, string :matches "new" "*");
    test_assert string "${1}" "old";
}
test "matches: an empty text" {
    test_assert string :matches "" "*";
    test_assert string "${1}" "";
    test_assert string "${0}" "";
}
test "matches: nine of them" {
    test_assert string :matches "1 2 3 4 5 6 7 8 9 10" "* * * * * * * * * *";
    test_assert string "${9}" "9";
    set "d" "$";
    test_refuses "require \"variables\"; if string \"${d}{10}\" \"b\" { keep; }" "${d}{10}: matches end with ${d}{9}";
}
test "matches: leading zeroes" {
    test_assert string :matches "abc" "a*";
    test_assert string "${01}" "bc";
}
test "addresses and envelopes (section 3.2)" {
    test_assert address :matches "from" "*@*";
    test_assert string "${2}" "example.com";
    test_assert envelope :matches "to" "*@*";
    test_assert string "${1}" "bob";
}
test "string: the example of section 5" {
    set "state" "${state} pending";
    test_assert string :matches " ${state} " "* pending *";
}
test "string: blanks count" {
    test_assert not string :is " a " "a";
}
test "string: any of several" {
    test_assert string ["a", "b"] ["c", "b"];
    test_assert not string ["a", "b"] ["c", "d"];
}
test "string: count (section 5)" {
    test_assert string :count "eq" ["a", "", "b"] "2";
    test_assert string :count "eq" "" "0";
    test_assert string :count "eq" "${none}" "0";
}
test "keys with variables" {
    set "who" "alice";
    test_assert header :contains "from" "${who}";
    test_assert header :matches "from" "*<${who}@*>";
    test_assert header :is ["X-None", "${subject}Subject"] "hello";
    test_assert exists "${none}From";
}
test "a long value is cut, and is no error (section 6)" {
    set "a" "0123456789012345678901234567890123456789012345678901234567890123";
    set "b" "${a}${a}${a}${a}${a}${a}${a}${a}${a}${a}${a}${a}${a}${a}${a}${a}";
    set "c" "${b}${b}${b}${b}${b}${b}${b}${b}${b}${b}${b}${b}${b}${b}${b}${b}${b}";
    set :length "d" "${c}";
    test_assert string "${d}" "16384";
}
test "a long value is not cut within a character" {
    set "a" "01234567890123456789012345678901234567890123456789012345678901ä";
    set "b" "${a}${a}${a}${a}${a}${a}${a}${a}${a}${a}${a}${a}${a}${a}${a}${a}";
    set "c" "x${b}${b}${b}${b}${b}${b}${b}${b}${b}${b}${b}${b}${b}${b}${b}${b}";
    test_assert string :matches "${c}" "*901";
}
test "needs require" {
    test_refuses "set \"a\" \"b\";" "\"set\" needs: require \"variables\"";
    test_refuses "if string \"a\" \"b\" { keep; }" "\"string\" needs: require \"variables\"";
    test_set "message" "Subject: $

";
    test_assert not header "subject" "x";
}
test "a redirect to a variable is checked when it runs" {
    set "d" "$";
    test_fails "require \"variables\"; set \"a\" \"nobody\"; redirect \"${d}{a}\";" "\"nobody\" is no address";
}
test "a string that names a variable is a use of the extension: no warning" {
    set "dollar" "$";
    test_accepts "require [\"variables\", \"fileinto\"]; if header :matches \"subject\" \"*\" { fileinto \"${dollar}{1}\"; }";
    test_accepts "require [\"variables\", \"fileinto\"]; fileinto \"${dollar}{a}\";";
    test_warns "require [\"variables\", \"fileinto\"]; fileinto \"${dollar}a\";" "\"variables\" is required, but not used";
}
