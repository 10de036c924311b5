# RFC 5703 section 9.
require ["variables"];
test "example 1: executables are replaced" {
    test_set "message" text:
Subject: s
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: text/plain

keep me
--o
Content-Type: application/exe

1
--o
Content-Type: application/octet-stream
Content-Disposition: attachment; filename="a.com"

2
--o--
.
    ;
    test_runs text:
   require [ "foreverypart", "mime", "replace", "fileinto" ];
   foreverypart
   {
     if anyof (
            header :mime :contenttype :is
              "Content-Type" "application/exe",
            header :mime :param "filename"
              :matches ["Content-Type", "Content-Disposition"] "*.com" )
     {
       replace "Executable attachment removed by user filter";
     }
   }
.
    "keep";
}
test "example 2: a warning about executables" {
    test_set "message" text:
Subject: s
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: application/octet-stream
Content-Disposition: attachment; filename="a.exe"

2
--o--
.
    ;
    test_runs text:
   require [ "foreverypart", "mime", "enclose" ];

   foreverypart
   {
     if header :mime :param "filename"
        :matches ["Content-Type", "Content-Disposition"]
          ["*.com", "*.exe", "*.vbs", "*.scr",
           "*.pif", "*.hta", "*.bat", "*.zip" ]
     {
       # these attachment types are executable
       enclose :subject "Warning" text:
WARNING! The enclosed message contains executable attachments.
These attachment types may contain a computer virus program
that can infect your computer and potentially damage your data.

Before clicking on these message attachments, you should verify
with the sender that this message was sent by them and not a
computer virus.
..
;
       break;
     }
   }
.
    "keep";
}
test "example 2 as it is printed: \":text\" is no argument" {
    test_refuses text:
require [ "foreverypart", "mime", "enclose" ];
foreverypart { enclose :subject "Warning" :text "x"; break; }
.
    "\"enclose\" has no argument :text";
}
