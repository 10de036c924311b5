# RFC 5228 section 9: Extended example, with each of its branches.
test "from the list: filed" {
    test_set "message" "From: x@y.example
Sender: owner-ietf-mta-filters@imc.org

";
    test_runs text:
require ["fileinto"];
if header :is "Sender" "owner-ietf-mta-filters@imc.org" {
        fileinto "filter";  # move to "filter" mailbox
} elsif address :DOMAIN :is ["From", "To"] "example.com" {
        keep;               # keep in "In" mailbox
} elsif anyof (NOT address :all :contains ["To", "Cc", "Bcc"] "me@example.com",
               header :matches "subject" ["*make*money*fast*", "*university*dipl*mas*"]) {
        fileinto "spam";   # move to "spam" mailbox
} else {
        # Move all other (non-company) mail to "personal" mailbox.
        fileinto "personal";
}
.
    "fileinto \"filter\"";
}
test "from the company: kept" {
    test_set "message" "From: boss@EXAMPLE.com
To: z@y.example

";
    test_runs text:
require ["fileinto"];
if header :is "Sender" "owner-ietf-mta-filters@imc.org" {
        fileinto "filter";
} elsif address :DOMAIN :is ["From", "To"] "example.com" {
        keep;
} else { fileinto "personal"; }
.
    "keep";
}
test "not addressed to me: spam" {
    test_set "message" "From: x@y.example
To: z@y.example

";
    if anyof (NOT address :all :contains ["To", "Cc", "Bcc"] "me@example.com",
              header :matches "subject" ["*make*money*fast*", "*university*dipl*mas*"]) { discard; }
    test_actions "";
}
test "make money fast: spam" {
    test_set "message" "To: me@example.com
Subject: How to MAKE a lot of money very fast!

";
    if anyof (NOT address :all :contains ["To", "Cc", "Bcc"] "me@example.com",
              header :matches "subject" ["*make*money*fast*", "*university*dipl*mas*"]) { discard; }
    test_actions "";
}
test "a diploma: spam" {
    test_set "message" "To: me@example.com
Subject: University Diplomas

";
    test_assert header :matches "subject" ["*make*money*fast*", "*university*dipl*mas*"];
}
test "all other mail" {
    test_set "message" "To: me@example.com
Subject: dinner?

";
    test_assert not anyof (NOT address :all :contains ["To", "Cc", "Bcc"] "me@example.com",
              header :matches "subject" ["*make*money*fast*", "*university*dipl*mas*"]);
}
test "the example of section 2.7.1: dewey" {
    test_set "message" "From: \"Scrooge\" <dewey@ducks.example>

";
    test_assert header :contains "from" "dewey";
    test_assert not header :contains "from" "louie";
}
test "the example of section 2.7.4: an address with a comment" {
    test_set "message" "From: stanley (the great) @ (somewhere) example.com

";
    test_assert address :is "from" "stanley@example.com";
}
test "the example of section 4.2: redirect" {
    test_runs "redirect \"bart@example.com\";" "redirect \"bart@example.com\"";
}
test "the example of section 4.1: fileinto" {
    test_set "message" "From: coyote@x.example

";
    test_runs "require \"fileinto\"; if header :contains [\"from\"] \"coyote\" { fileinto \"INBOX.harassment\"; }"
        "fileinto \"INBOX.harassment\"";
}
test "the example of section 4.3: keep is what happens anyway" {
    test_runs "if size :under 1M { keep; } else { discard; }" "keep";
    test_runs "if not size :under 1M { discard; }" "keep";
}
test "the example of section 5.4: envelope" {
    test_set "envelope.from" "tim@example.com";
    test_runs "require \"envelope\"; if envelope :all :is \"from\" \"tim@example.com\" { discard; }" "";
}
test "the example of section 5.7: header" {
    test_set "message" "X-Caffeine: C8H10N4O2

";
    test_assert not header :is ["X-Caffeine"] [""];
    test_assert header :contains ["X-Caffeine"] [""];
}
