# RFC 6785 section 5.
test "example 1: a new message in ActionItems" {
    test_set "event" "COPY"; test_set "env:imap.mailbox" "ActionItems";
    test_runs text:
     require ["copy", "environment", "imapsieve"];

     if anyof (environment :is "imap.cause" "APPEND",
               environment :is "imap.cause" "COPY")  {
         if environment :is "imap.mailbox" "ActionItems" {
             redirect :copy "actionitems@example.com";
         }
     }
.
    ["redirect \"actionitems@example.com\"", "keep flags=[]"];
}
test "example 1: another mailbox" {
    test_set "event" "APPEND"; test_set "env:imap.mailbox" "Other";
    test_runs text:
     require ["copy", "environment", "imapsieve"];

     if anyof (environment :is "imap.cause" "APPEND",
               environment :is "imap.cause" "COPY")  {
         if environment :is "imap.mailbox" "ActionItems" {
             redirect :copy "actionitems@example.com";
         }
     }
.
    "keep flags=[]";
}
test "example 1: a change of flags" {
    test_set "event" "FLAG"; test_set "env:imap.mailbox" "ActionItems";
    test_runs text:
     require ["copy", "environment", "imapsieve"];

     if anyof (environment :is "imap.cause" "APPEND",
               environment :is "imap.cause" "COPY")  {
         if environment :is "imap.mailbox" "ActionItems" {
             redirect :copy "actionitems@example.com";
         }
     }
.
    "keep flags=[]";
}
test "example 2: \\Flagged was set (with a method of notify that is there)" {
    test_set "event" "FLAG"; test_set "env:imap.mailbox" "INBOX"; test_set "env:imap.changedflags" "\\Flagged"; test_set "flag" "\\Flagged";
    test_runs text:
     require ["enotify", "imap4flags", "variables",
              "environment", "imapsieve"];

     if environment :matches "imap.mailbox" "*" {
         set "mailbox" "${1}";
     }

     if allof (hasflag "\\Flagged",
               environment :contains "imap.changedflags" "\\Flagged") {
       notify :message "Important message in ${mailbox}"
           "mailto:tim@example.com";
     }
.
    ["notify \"mailto:tim@example.com\" \"Important message in INBOX\" importance=2", "keep flags=[\"\\Flagged\"]"];
}
test "example 2: it had been set before" {
    test_set "event" "FLAG"; test_set "env:imap.mailbox" "INBOX"; test_set "env:imap.changedflags" "\\Seen"; test_set "flag" "\\Flagged";
    test_runs text:
     require ["enotify", "imap4flags", "variables",
              "environment", "imapsieve"];

     if environment :matches "imap.mailbox" "*" {
         set "mailbox" "${1}";
     }

     if allof (hasflag "\\Flagged",
               environment :contains "imap.changedflags" "\\Flagged") {
       notify :message "Important message in ${mailbox}"
           "mailto:tim@example.com";
     }
.
    "keep flags=[\"\\Flagged\"]";
}
test "example 2: it was taken away" {
    test_set "event" "FLAG"; test_set "env:imap.changedflags" "\\Flagged";
    test_runs text:
     require ["enotify", "imap4flags", "environment", "imapsieve"];
     if allof (hasflag "\\Flagged",
               environment :contains "imap.changedflags" "\\Flagged") {
       notify :message "Important" "mailto:tim@example.com";
     }
.
    "keep flags=[]";
}
