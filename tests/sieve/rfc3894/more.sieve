# RFC 3894: :copy with the other actions.
require ["copy", "fileinto", "mailbox", "editheader"];
test "discard behind :copy: the copy stays, nothing else does" {
    fileinto :copy "a"; discard;
    test_actions "fileinto \"a\"";
}
test "keep behind :copy: an explicit one" {
    redirect :copy "a@b.example"; keep;
    test_actions ["redirect \"a@b.example\"", "keep"];
}
test "with :create, in any order" {
    fileinto :create :copy "a";
    test_actions ["fileinto \"a\" create", "implicit keep"];
}
test "the same mailbox with and without :copy: filed once, the implicit keep is gone" {
    fileinto :copy "a"; fileinto "a";
    test_actions "fileinto \"a\"";
}
test "the copy has the message as it was" {
    fileinto :copy "a"; addheader "X" "y"; fileinto :copy "b";
    test_output 1 "From: Alice";
    test_output 2 "X: y
From: Alice";
}
