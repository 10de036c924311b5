# RFC 5463: Ihave extension.
test "what there is (section 4)" {
    test_runs "require \"ihave\"; if ihave \"fileinto\" { fileinto \"a\"; }" "fileinto \"a\"";
}
test "what there is not: its commands are not looked at (section 4)" {
    test_runs "require \"ihave\"; if ihave \"teleport\" { teleport :to \"mars\"; }" "keep";
    test_runs "require \"ihave\"; if ihave \"teleport\" { teleport; } else { discard; }" "";
}
test "all of the list (section 4, 4)" {
    test_runs "require \"ihave\"; if ihave [\"fileinto\", \"teleport\"] { fileinto \"a\"; } else { discard; }" "";
    test_refuses "require \"ihave\"; if ihave [\"fileinto\", \"teleport\"] { } fileinto \"a\";" "\"fileinto\" needs: require \"fileinto\"";
}
test "it is in force to the end of the script (section 4, 1)" {
    test_runs "require \"ihave\"; if ihave \"fileinto\" { keep; } fileinto \"a\";" ["keep", "fileinto \"a\""];
}
test "not before it (section 4, 1)" {
    test_refuses "require \"ihave\"; fileinto \"a\"; if ihave \"fileinto\" { keep; }" "\"fileinto\" needs: require \"fileinto\"";
}
test "not" {
    test_runs "require \"ihave\"; if not ihave \"teleport\" { discard; } else { teleport; }" "";
    test_runs "require \"ihave\"; if not ihave \"fileinto\" { teleport; } else { fileinto \"a\"; }" "fileinto \"a\"";
}
test "allof: what comes behind it is not looked at (section 4, 5)" {
    test_runs "require \"ihave\"; if allof (ihave \"teleport\", on_mars \"x\") { teleport; }" "keep";
    test_runs "require \"ihave\"; if allof (ihave \"envelope\", envelope \"from\" \"alice@example.com\") { discard; }" "";
}
test "anyof: what comes behind it is not looked at" {
    test_runs "require \"ihave\"; if anyof (not ihave \"teleport\", on_mars \"x\") { discard; }" "";
}
test "elsif" {
    test_runs "require \"ihave\"; if ihave \"teleport\" { teleport; } elsif ihave \"fileinto\" { fileinto \"a\"; } else { teleport; }" "fileinto \"a\"";
}
test "comparators" {
    test_runs "require \"ihave\"; if ihave \"comparator-i;ascii-numeric\" { if header :comparator \"i;ascii-numeric\" \"x\" \"1\" { keep; } discard; }" "";
}
test "not what changes how scripts are read (section 4)" {
    test_runs "require \"ihave\"; if ihave \"variables\" { discard; }" "keep";
    test_runs "require \"ihave\"; if ihave \"encoded-character\" { discard; }" "keep";
    test_runs "require [\"ihave\", \"variables\"]; if ihave \"variables\" { discard; }" "";
}
test "error (section 5)" {
    test_fails "require \"ihave\"; if not ihave \"teleport\" { error \"no teleport here\"; }" "no teleport here";
}
test "constant strings (section 4)" {
    test_set "message" "Subject: $

";
    test_refuses "require [\"ihave\", \"variables\"]; if ihave \"${a}\" { keep; }" "the names of extensions hold no variables";
}
test "needs require" {
    test_refuses "if ihave \"fileinto\" { keep; }" "ihave needs: require \"ihave\"";
    test_refuses "error \"x\";" "\"error\" needs: require \"ihave\"";
}
test "arguments" {
    test_refuses "require \"ihave\"; if ihave { keep; }" "\"ihave\" has one argument";
    test_refuses "require \"ihave\"; error;" "\"error\" lacks an argument";
}
