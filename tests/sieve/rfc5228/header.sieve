# RFC 5228 section 5.7: Test header. "The 'header' test evaluates to true if the value of any of
# the named headers, ignoring leading and trailing whitespace, matches any key."
test "is: the whole value" {
    test_assert header :is "Subject" "Hello";
    test_assert not header :is "Subject" "Hell";
}
test "is is the default" {
    test_assert header "Subject" "Hello";
    test_assert not header "Subject" "ell";
}
test "names in any case" {
    test_assert header :is "sUBJECT" "hello";
}
test "an absent field matches nothing, not even the empty string" {
    test_assert not header :contains "X-Nothing" "";
}
test "a present field contains the empty string" {
    test_set "message" text:
X-Caffeine:

.
    ;
    test_assert header :is "X-Caffeine" [""];
    test_assert header :contains "X-Caffeine" [""];
}
test "blanks around the value do not count" {
    test_set "message" "Subject:  	 hello 	 

";
    test_assert header :is "subject" "hello";
}
test "any of several names and any of several keys" {
    test_assert header :is ["X-None", "Subject"] ["nothing", "hello"];
    test_assert not header :is ["X-None", "Subject"] ["nothing", "other"];
}
test "any of several fields of one name" {
    test_set "message" "Received: one
Received: two

";
    test_assert header :is "received" "two";
    test_assert header :is "received" "one";
    test_assert not header :is "received" "one two";
}
test "folded lines are unfolded (section 2.4.2.2)" {
    test_set "message" "Subject: a long
 subject
	of three lines

";
    test_assert header :is "subject" "a long subject	of three lines";
}
test "blanks before the colon (section 2.4.2.2)" {
    test_set "message" "Subject   : x

";
    test_assert header :is "subject" "x";
}
test "no field is named with its colon (section 2.4.2.2)" {
    test_assert not header :contains "Subject:" "";
    test_assert not header :contains "Sub ject" "";
    test_assert not header :contains "" "";
}
test "encoded words are decoded (section 2.7.2)" {
    test_set "message" "Subject: =?iso-8859-1?Q?Gr=FC=DFe?= =?utf-8?B?IGF1cyBLw7Zsbg==?=

";
    test_assert header :is "subject" "Grüße aus Köln";
    test_assert header :contains "subject" "aus K";
}
test "a header alone, without a body" {
    test_set "message" "Subject: x";
    test_assert header :is "subject" "x";
}
test "the body is no header" {
    test_set "message" "Subject: x

X-Body: y
";
    test_assert not header :contains "x-body" "";
}
test "arguments in any order of tags (section 2.6.2)" {
    test_assert header :comparator "i;octet" :is "Subject" "Hello";
    test_assert header :is :comparator "i;octet" "Subject" "Hello";
}
