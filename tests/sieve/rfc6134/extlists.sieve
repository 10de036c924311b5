# RFC 6134: Externally stored lists.
require ["extlists", "envelope", "subaddress", "variables", "date", "index", "fileinto"];
test "the match type :list (section 2.2)" {
    test_set "list:tag:example.com,2011:friends" "alice@example.com
carol@example.net
";
    test_assert address :list "from" "tag:example.com,2011:friends";
    test_assert envelope :list "from" "tag:example.com,2011:friends";
    test_assert not address :list "to" "tag:example.com,2011:friends";
}
test "any of several lists" {
    test_set "list:a" "x
"; test_set "list:b" "alice@example.com
";
    test_assert address :list "from" ["a", "b"];
}
test "a list that there is not" {
    test_fails "require \"extlists\"; if header :list \"from\" \"none\" { discard; }" "there is no list \"none\"";
}
test "match variables stay what they are (section 2.2)" {
    test_set "list:a" "new
";
    test_assert string :matches "old" "*";
    test_assert string :list "new" "a";
    test_assert string "${0}" "old";
}
test "redirect :list (section 2.3)" {
    test_set "list:a" "x
";
    redirect :list "a";
    test_actions "redirect \"a\" list";
}
test "redirect :list of a list that there is not" {
    test_fails "require \"extlists\"; redirect :list \"none\";" "there is no list \"none\"";
}
test "valid_ext_list (section 2.7)" {
    test_set "list:a" ""; test_set "list:b" "";
    test_assert valid_ext_list "a";
    test_assert valid_ext_list ["a", "b"];
    test_assert not valid_ext_list ["a", "none"];
}
test "the second example of section 2.9" {
    test_set "list:tag:example.com,2011-01-01:localHolidays" "2026-10-20
";
    test_assert currentdate :list "date" "tag:example.com,2011-01-01:localHolidays";
    test_assert not date :list "date" "year" "tag:example.com,2011-01-01:localHolidays";
}
test "the third example of section 2.9" {
    test_set "list:tag:example.com,2010-05-28:mylist" "alice@example.com
";
    test_set "envelope.original" "alexey+mylist@example.org";
    if allof (envelope :detail "to" "mylist",
              address :list "from" "tag:example.com,2010-05-28:mylist") {
        redirect :list "tag:example.com,2010-05-28:mylist";
    }
    test_actions "redirect \"tag:example.com,2010-05-28:mylist\" list";
}
test "the fourth example of section 2.9" {
    test_set "list:tag:example.com,2011-04-10:DisallowedIPs" "192.0.2.7
";
    test_set "message" "Received: from x (x [192.0.2.7]) by y

";
    if header :index 1 :matches "received" "*(* [*.*.*.*])*" {
        set "ip" "${3}.${4}.${5}.${6}";
        if string :list "${ip}" "tag:example.com,2011-04-10:DisallowedIPs" { fileinto "bad"; }
    }
    test_actions "fileinto \"bad\"";
}
test "needs require" {
    test_refuses "if header :list \"a\" \"b\" { keep; }" ":list needs: require \"extlists\"";
    test_refuses "redirect :list \"a\";" ":list needs: require \"extlists\"";
    test_refuses "if valid_ext_list \"a\" { keep; }" "needs: require \"extlists\"";
}
