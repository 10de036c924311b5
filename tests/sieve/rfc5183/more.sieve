# RFC 5183: items of the environment, one by one (section 4.1).
require ["environment", "variables", "relational", "comparator-i;ascii-numeric"];
test "each item of section 4.1 is what the host says" {
    test_set "env:domain" "d"; test_set "env:host" "h"; test_set "env:location" "MTA"; test_set "env:phase" "pre";
    test_set "env:remote-host" "client.example"; test_set "env:remote-ip" "192.0.2.1";
    test_assert allof (environment "domain" "d", environment "host" "h", environment "location" "MTA", environment "phase" "pre");
    test_assert environment :matches "remote-host" "*.example";
    test_assert environment :matches "remote-ip" "192.0.2.*";
}
test "an item that is not known is none, also an empty pattern" {
    test_assert not environment :is "remote-ip" "";
    test_assert not environment :matches "remote-ip" "*";
    test_assert environment :count "eq" :comparator "i;ascii-numeric" "remote-ip" "0";
}
test "an item that is known and empty" {
    test_set "env:remote-host" "";
    test_assert environment :is "remote-host" "";
    test_assert environment :count "eq" :comparator "i;ascii-numeric" "remote-host" "1";
}
test "several keys: any" {
    test_set "env:location" "MDA";
    test_assert environment "location" ["MTA", "MDA"];
    test_assert not environment "location" ["MTA", "MS"];
}
test "the host's word comes before the engine's" {
    test_set "env:name" "another";
    test_assert environment "name" "another";
}
test "a name of variables" {
    test_set "env:host" "h"; set "item" "host";
    test_assert environment "${item}" "h";
}
test "the comparator" {
    test_set "env:host" "MX";
    test_assert environment :is "host" "mx";
    test_assert not environment :comparator "i;octet" :is "host" "mx";
}
