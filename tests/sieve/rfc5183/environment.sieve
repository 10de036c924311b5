# RFC 5183: Environment extension.
require ["environment", "variables", "relational"];
test "what the server gives (section 4.1)" {
    test_set "env:domain" "imap.example.com";
    test_set "env:location" "MDA";
    test_assert environment "domain" "imap.example.com";
    test_assert environment :contains "domain" "example";
    test_assert environment "location" "mda";
}
test "matches" {
    test_set "env:host" "mx1.example.com";
    test_assert environment :matches "host" "*.example.com";
    test_assert string "${1}" "mx1";
}
test "the engine's name (section 4.1)" {
    test_assert environment "name" "Chapar";
    test_assert environment :matches "version" "?*";
}
test "an unknown item is false, whatever is asked (section 4.2)" {
    test_assert not environment :contains "vnd.none.item" "";
    test_assert environment :count "eq" "vnd.none.item" "0";
}
test "needs require" {
    test_refuses "if environment \"name\" \"x\" { keep; }" "\"environment\" needs: require \"environment\"";
}
