# RFC 8579: which mailbox is meant, and what goes together.
require ["special-use", "fileinto", "mailbox", "variables", "imap4flags", "copy"];
test "several uses of one mailbox: all are wanted (section 3.1)" {
    test_set "use:Box" "\\Junk"; test_set "use:Box" "\\Trash";
    test_assert specialuse_exists "Box" ["\\Junk", "\\Trash"];
    test_assert not specialuse_exists "Box" ["\\Junk", "\\Sent"];
}
test "without a mailbox: each use by some mailbox" {
    test_set "use:A" "\\Junk"; test_set "use:B" "\\Trash";
    test_assert specialuse_exists ["\\Junk", "\\Trash"];
    test_assert not specialuse_exists "A" ["\\Junk", "\\Trash"];
}
test "names of variables" {
    test_set "use:Spam" "\\Junk"; set "use" "\\Junk"; set "box" "Spam";
    test_assert specialuse_exists "${box}" "${use}";
    fileinto :specialuse "${use}" "${box}";
    test_actions "fileinto \"Spam\" specialuse=\"\\Junk\"";
}
test "with :flags, :copy and :create (section 4.1)" {
    fileinto :flags "\\Seen" :copy :create :specialuse "\\Archive" "Archive";
    test_actions ["fileinto \"Archive\" flags=[\"\\Seen\"] specialuse=\"\\Archive\" create", "implicit keep"];
}
test "fileinto still has a mailbox's name (section 4)" {
    test_refuses "require [\"fileinto\", \"special-use\"]; fileinto :specialuse \"\\\\Junk\";" "\"fileinto\" lacks an argument";
}
