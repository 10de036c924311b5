"""Sieve scripts run when mail is delivered: each action, what scripts ask, errors, and whose run."""

import re

import pytest

from harness.server import Server, message


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("filter"))
    server.start()
    yield server
    server.stop()
    server.check_log()


@pytest.fixture
def alice(server):
    return Mail(server)


class Mail:
    """A fresh account, its script, and what is in its mailboxes."""

    def __init__(self, server):
        self.server = server
        self.account = server.fresh_account()
        self.address = self.account[0]

    def script(self, text, name="rules", activate=True):
        switch = ["--activate"] if activate else []
        self.server.run("sieve", "put", *switch, self.address, name, "-", text=text)

    def create(self, *mailboxes):
        with self.server.imap(self.account) as client:
            for mailbox in mailboxes:
                client.ok(f"CREATE {mailbox}")

    def receive(self, *arguments, to=None, sender="sender@example.org", **fields):
        """The reply, when it is a refusal."""
        refused = self.server.deliver(message(*arguments, **fields), to or self.address,
                                      sender=sender)
        return refused.get(to or self.address)

    def subjects(self, mailbox="INBOX"):
        return [re.search(r"(?mi)^Subject: (.*?)\r$", text).group(1)
                for text in self.texts(mailbox)]

    def texts(self, mailbox="INBOX"):
        with self.server.imap(self.account) as client:
            client.ok(f"EXAMINE {mailbox}")
            return [re.search(r"(?s)\{\d+\}\r\n(.*)\)", line).group(1)
                    for line in client.ok("UID FETCH 1:* BODY.PEEK[]") if "BODY[]" in line] \
                if client.uids() else []

    def flags(self, mailbox="INBOX"):
        with self.server.imap(self.account) as client:
            client.ok(f"EXAMINE {mailbox}")
            return [set(re.search(r"FLAGS \((.*?)\)", line).group(1).split()) - {"\\Recent"}
                    for line in client.ok("UID FETCH 1:* FLAGS") if "FLAGS" in line]

    def has(self, mailbox):
        with self.server.imap(self.account) as client:
            return bool(client.ok(f'LIST "" {mailbox}'))


def counter(server, name):
    return server.json("status")["counters"][name]


# --- actions ---

def test_without_a_script(alice):
    alice.receive("plain")
    assert alice.subjects() == ["plain"]


def test_only_the_active_script_runs(alice):
    alice.script("discard;", activate=False)
    alice.receive("one")
    assert alice.subjects() == ["one"]
    alice.script("discard;")
    alice.receive("two")
    assert alice.subjects() == ["one"]
    alice.server.run("sieve", "deactivate", alice.address)
    alice.receive("three")
    assert alice.subjects() == ["one", "three"]


def test_a_changed_script_is_used_at_once(alice):
    for i, action in enumerate(["keep", "discard", "keep"]):
        alice.script(f"{action};")
        alice.receive(str(i))
    assert alice.subjects() == ["0", "2"]


def test_fileinto(alice):
    alice.create("Lists")
    alice.script('require "fileinto"; if header :is "subject" "a" { fileinto "Lists"; }')
    alice.receive("a")
    alice.receive("b")
    assert (alice.subjects("Lists"), alice.subjects()) == (["a"], ["b"])


def test_fileinto_several_with_copy(alice):
    """RFC 3894; what is filed twice into one mailbox is there once (RFC 5228 section 2.10.3)."""
    alice.create("A", "B")
    alice.script('require ["fileinto", "copy"]; fileinto :copy "A"; fileinto :copy "B"; '
                 'fileinto :copy "A"; fileinto :copy "INBOX";')
    alice.receive("x")
    assert [alice.subjects(box) for box in ("A", "B", "INBOX")] == [["x"]] * 3


def test_fileinto_makes_mailboxes(alice):
    """RFC 5490 section 3.2."""
    alice.script('require ["fileinto", "mailbox"]; fileinto :create "New/Deep";')
    alice.receive("x")
    alice.receive("y")
    assert alice.subjects("New/Deep") == ["x", "y"]


def test_fileinto_by_special_use(alice):
    """RFC 8579 section 4: what has the use, whatever its name; else the name."""
    alice.create("Other")
    alice.script(r'''require ["fileinto", "special-use"];
                 if header :is "subject" "sent" { fileinto :specialuse "\\Sent" "Other"; }
                 else { fileinto :specialuse "\\Important" "Other"; }''')
    alice.receive("sent")
    alice.receive("important")
    assert (alice.subjects("Sent"), alice.subjects("Other")) == (["sent"], ["important"])


def test_fileinto_by_mailbox_id(alice):
    """RFC 9042 section 3."""
    alice.create("Other")
    with alice.server.imap(alice.account) as client:
        (line,) = client.ok("STATUS Other (MAILBOXID)")
    box = re.search(r"MAILBOXID \((\w+)\)", line).group(1)
    alice.script(f'''require ["fileinto", "mailboxid"];
                 if mailboxidexists "{box}" {{ fileinto :mailboxid "{box}" "Nowhere"; }}''')
    alice.receive("x")
    assert alice.subjects("Other") == ["x"]


def test_flags(alice):
    """RFC 5232: system flags, keywords, and what is no flag at all."""
    alice.create("A")
    alice.script(r'''require ["fileinto", "imap4flags"];
                 addflag ["\\Flagged", "$Important", "no flag(", "\\Bogus"];
                 if header :is "subject" "a" { fileinto :flags ["\\Seen", "word"] "A"; }''')
    alice.receive("a")
    alice.receive("b")
    assert alice.flags("A") == [{"\\Seen", "word"}]
    assert alice.flags() == [{"\\Flagged", "$Important", "no"}]


def test_editheader(alice):
    """RFC 5293: the changed message is what is stored, and only where it was asked for after."""
    alice.create("A")
    alice.script('''require ["fileinto", "copy", "editheader"];
                 fileinto :copy "A"; addheader "X-New" "yes"; deleteheader "X-Old";''')
    alice.receive("x", X_Old="1")
    (before,), (after,) = alice.texts("A"), alice.texts()
    assert "X-Old: 1" in before and "X-New" not in before
    assert "X-New: yes" in after and "X-Old" not in after
    for text in before, after:
        assert text.startswith("Return-Path: <sender@example.org>\r\n")
        assert text.endswith("\r\n\r\nHello.\r\n")


def test_discard_stores_nothing(alice):
    alice.script("discard;")
    before = counter(alice.server, "store_messages")
    assert alice.receive("x") is None
    assert alice.subjects() == []
    assert counter(alice.server, "store_messages") == before


@pytest.mark.parametrize("action", ["reject", "ereject"])
def test_reject(alice, action):
    """RFC 5429 section 2.1.1: at the protocol, with the reason."""
    alice.script(f'require "{action}"; {action} text:\nNot from you,\n\nnot today.\n.\n;')
    reply = alice.receive("x")
    assert reply == "550-5.7.1 Not from you,\n550 5.7.1 not today."
    assert alice.subjects() == []


def test_reject_in_other_words(alice):
    """RFC 5429 sections 2.1.1 and 2.2: ereject with a reason that is not ASCII says another one;
    reject may not, and sends a report."""
    alice.script('require "ereject"; ereject "Nö";')
    reply = alice.receive("x")
    assert reply.startswith("550 5.7.1 ") and reply.isascii()
    alice.script('require "reject"; reject "Nö";')
    assert alice.receive("y") is None
    assert alice.subjects() == []


def test_a_long_reason_is_cut(alice):
    reason = "\n".join("word " * 20 for _ in range(20))
    alice.script(f'require "ereject"; ereject text:\n{reason}\n.\n;')
    reply = alice.receive("x")
    assert all(line[:4] == "550-" for line in reply.split("\n")[:-1])
    assert 300 < len(reply) <= 510


def test_one_rejects_and_the_other_does_not(server):
    alice, bob = Mail(server), Mail(server)
    alice.script('require "ereject"; ereject "no";')
    refused = server.deliver(message("x"), alice.address, bob.address)
    assert refused == {alice.address: "550 5.7.1 no"}
    assert bob.subjects() == ["x"]


def on_its_way_out(mail):
    """What the account has of it, as the dump says it: "kind sender recipient recipient..."."""
    dump = mail.server.run("account", "dump", mail.address).stdout
    return sorted(" ".join([re.search(r"kind=(\w+)", record).group(1),
                            re.search(r'sender="(.*?)"', record).group(1)] +
                           re.findall(r'recipient="(.*?)"', record))
                  for record in re.findall(r"(?m)^outgoing \d+:.*\n(?:    .*\n)*", dump))


def test_redirect(alice):
    alice.script('redirect "one@example.net"; redirect "two@example.net"; redirect "one@example.net";')
    alice.receive("x")
    assert alice.subjects() == []
    assert on_its_way_out(alice) == ["redirect sender@example.org one@example.net two@example.net"]


def test_redirect_a_copy(alice):
    alice.script('require ["copy", "editheader"]; redirect :copy "one@example.net";'
                 ' addheader "X-Changed" "yes"; redirect :copy "two@example.net";')
    alice.receive("x", sender="")
    assert alice.subjects() == ["x"]
    assert on_its_way_out(alice) == ["redirect  one@example.net", "redirect  two@example.net"]


def test_redirect_to_oneself_keeps(alice):
    alice.script(f'redirect "{alice.address}";')
    alice.receive("x")
    assert "x" in alice.subjects()
    assert on_its_way_out(alice) == []


def test_vacation_answers_once(alice):
    alice.script('require "vacation"; vacation "away";')
    for subject in "one", "two":
        alice.receive(subject, To=alice.address)
    alice.receive("three", To=alice.address, sender="other@example.org")
    assert alice.subjects() == ["one", "two", "three"]
    assert on_its_way_out(alice) == ["response  other@example.org", "response  sender@example.org"]


def test_vacation_files_a_copy(alice):
    alice.script('require ["vacation", "fcc", "mailbox", "imap4flags"];'
                 'vacation :fcc "Answers" :create :flags "\\\\Seen" "away";')
    for subject in "one", "two":
        alice.receive(subject, To=alice.address)
    (copy,) = alice.texts("Answers")
    assert "Auto-Submitted: auto-replied" in copy and copy.startswith("Message-ID: <")
    assert "To: sender@example.org" in copy and "\r\n\r\naway" in copy
    assert alice.flags("Answers") == [{"\\Seen"}]


def test_notify(alice):
    alice.script('require "enotify";'
                 ' notify "mailto:one@example.net?cc=two@example.net&body=mail";')
    alice.receive("x")
    assert on_its_way_out(alice) == [f"notification {alice.address} one@example.net two@example.net"]
    alice.receive("x", sender="")
    assert "notification  one@example.net two@example.net" in on_its_way_out(alice)


def test_reject_in_words_that_no_reply_has(alice):
    alice.script('require "reject"; reject "n\u00f6";')
    assert alice.receive("x") is None
    assert alice.subjects() == []
    assert on_its_way_out(alice) == ["report  sender@example.org"]
    alice.receive("x", sender="")  # there is nobody to tell
    alice.receive("x", Auto_Submitted="auto-replied")
    assert len(on_its_way_out(alice)) == 1


# --- what scripts ask ---

def file_if(alice, test, *extensions):
    """Whether a message is filed by the test."""
    alice.create("Yes")
    names = ", ".join(f'"{name}"' for name in ("fileinto", *extensions))
    alice.script(f'require [{names}]; if {test} {{ fileinto "Yes"; }}')

    def filed(*arguments, **fields):
        before = len(alice.subjects("Yes"))
        alice.receive(*arguments, **fields)
        return len(alice.subjects("Yes")) > before
    return filed


def test_mailboxexists(alice):
    assert file_if(alice, 'mailboxexists ["inbox", "Yes"]', "mailbox")()
    alice.script('require ["mailbox", "fileinto"]; if mailboxexists "No" { fileinto "Yes"; }')
    alice.receive("x")
    assert alice.subjects() == ["x"]


def test_specialuse_exists(alice):
    filed = file_if(alice, r'allof (specialuse_exists "\\Junk", specialuse_exists "Sent" "\\Sent", '
                    r'not specialuse_exists "Sent" "\\Junk", not specialuse_exists "\\All")',
                    "special-use")
    assert filed()


def test_environment(alice):
    filed = file_if(alice, '''allof (environment "domain" "example.test", environment "location" "MDA",
                    environment "phase" "during", environment :matches "host" "?*",
                    environment "name" "Chapar", not environment :contains "remote-ip" "")''',
                    "environment")
    assert filed()


def test_envelope(alice):
    """RFC 5228 section 5.4, RFC 5233."""
    local, domain = alice.address.split("@")
    filed = file_if(alice, f'''allof (envelope "from" "bounce@example.org",
                    envelope :detail "to" "lists", envelope :user "to" "{local}")''',
                    "envelope", "subaddress")
    assert filed(to=f"{local}+lists@{domain}", sender="bounce@example.org")
    assert not filed(to=f"{local}+lists@{domain}", sender="other@example.org")
    assert not filed(sender="bounce@example.org")
    assert file_if(Mail(alice.server), 'envelope :is "from" ""', "envelope")(sender="")


def test_keep_goes_where_the_detail_says(alice):
    local, domain = alice.address.split("@")
    alice.create("Lists")
    alice.script("keep;")
    alice.receive("x", to=f"{local}+Lists@{domain}")
    assert alice.subjects("Lists") == ["x"]


def test_duplicate(alice):
    """RFC 7352."""
    alice.script('require "duplicate"; if duplicate :header "X-Key" { discard; }')
    for key in "a", "a", "b", "a":
        alice.receive(key, X_Key=key)
    assert alice.subjects() == ["a", "b"]


def test_include(alice):
    """RFC 6609: one's own scripts, and the administrator's, of the domain before those of all."""
    server = alice.server
    alice.create("Own", "Domain", "All")
    alice.script('require "fileinto"; if header :is "subject" "own" { fileinto "Own"; }', "part",
                 activate=False)
    for of, mailbox in ((["--domain", "example.test"], "Domain"), (["--global"], "All")):
        server.run("sieve", "put", *of, "both", "-", text=f'require "fileinto"; fileinto "{mailbox}";')
    server.run("sieve", "put", "--global", "one", "-", text='require "fileinto"; fileinto "All";')
    alice.script('''require ["include"]; include "part";
                 if header :is "subject" "domain" { include :global "both"; }
                 if header :is "subject" "all" { include :global "one"; }
                 include :optional "none";''')
    for subject in "own", "domain", "all", "rest":
        alice.receive(subject)
    assert [alice.subjects(box) for box in ("Own", "Domain", "All", "INBOX")] == \
        [["own"], ["domain"], ["all"], ["rest"]]
    for of, name in ((["--domain", "example.test"], "both"), (["--global"], "both"),
                     (["--global"], "one")):
        server.run("sieve", "delete", *of, name)


@pytest.mark.parametrize("fields, percent", [
    ({"X_Spam_Status": "Yes, score=7.3 required=5.0 tests=A,B"}, "100"),
    ({"X_Spam_Status": "No, score=2.5 required=5.0"}, "50"),
    ({"X_Spam_Status": "No, score=-1.9 required=5.0"}, "0"),
    ({"X_Spamd_Result": "default: False [3.00 / 15.00];\r\n\tX(1.0)[]"}, "20"),
    ({"X_Spam_Flag": "YES", "X_Other": "1"}, "100"),
    ({"X_Spam": "no"}, "0"),
], ids=str)
def test_spamtest(alice, fields, percent):
    """RFC 5235, from what filters in front have written."""
    server = alice.server
    server.run("sieve", "deactivate", "--global", "--before")
    filed = file_if(alice, f'spamtest :percent :is "{percent}"', "spamtest", "spamtestplus")
    assert filed(**fields)
    server.run("sieve", "activate", "--global", "--before")


def test_tests_without_a_filter(alice):
    filed = file_if(alice, 'allof (spamtest :is "0", virustest :is "0")', "spamtest", "virustest")
    assert filed()


@pytest.mark.parametrize("fields, level", [
    ({"X_Virus_Status": "Clean"}, "1"), ({"X_Virus_Status": "Infected (Eicar)"}, "5"),
    ({"X_Virus": "Eicar"}, "5"), ({"X_Virus_Scanned": "amavis at mx"}, "1")], ids=str)
def test_virustest(alice, fields, level):
    assert file_if(alice, f'virustest :is "{level}"', "virustest")(**fields)


# --- errors ---

def test_an_error_keeps_the_message_and_tells_once(alice):
    alice.script('require ["include"];\n\ninclude "missing";\ndiscard;', "my rules")
    for subject in "one", "two":
        alice.receive(subject)
    (first, notice, second) = alice.texts()
    assert [text.count("Subject: one") for text in (first, notice, second)] == [1, 0, 0]
    assert "Subject: There is an error in your mail filter\r\n" in notice
    assert "Auto-Submitted: auto-generated" in notice
    assert 'In the script "my rules", line 3:' in notice
    assert 'there is no script "missing"' in notice
    assert "<sender@example.org>" in notice
    assert "Subject: two" in second


def test_a_mailbox_that_is_not_there(alice):
    alice.script('require "fileinto";\nfileinto "Nowhere";')
    alice.receive("x")
    assert alice.subjects() == ["x", "There is an error in your mail filter"]
    assert 'line 2:\r\n\r\n    there is no mailbox "Nowhere"' in alice.texts()[1]


def test_a_mailbox_that_cannot_be_made(alice):
    alice.script('require ["fileinto", "mailbox"]; fileinto :create "a//b";')
    alice.receive("x")
    assert alice.subjects()[0] == "x"
    assert 'the mailbox "a//b" cannot be made' in alice.texts()[1]


def test_a_script_that_needs_too_much(alice):
    """The limits of sieve/sieve.h hold: the message is there, the owner knows."""
    alice.script('''require ["variables", "foreverypart"]; set "a" "0123456789012345678901234567890";
                 ''' + 'set "a" "${a}${a}${a}${a}"; ' * 20 +
                 'if anyof (' + ", ".join(['header :matches "subject" "*${a}*${a}*"'] * 400) +
                 ") { discard; }")
    alice.receive("x " * 400)
    assert alice.subjects()[1:] == ["There is an error in your mail filter"]


def test_a_full_mailbox_has_no_room_for_the_notice(alice):
    """What is wrong with a script is never the reason to refuse a message."""
    alice.script('require "fileinto"; fileinto "Nowhere";')
    alice.server.run("quota", "set", alice.address, "MESSAGE", "1")
    assert alice.receive("x") is None
    assert alice.subjects() == ["x"]
    assert alice.receive("y").startswith("452 4.2.2")


def test_a_message_that_is_changed_in_too_many_ways(alice):
    """What cannot be held in one more way is filed as it was."""
    alice.script('require ["fileinto", "mailbox", "copy", "editheader"];' + "".join(
        f'addheader "X-{i}" "y"; fileinto :copy :create "box{i}";' for i in range(9)))
    alice.receive("x")
    assert all("X-0: y" in text for i in range(4) for text in alice.texts(f"box{i}"))
    assert [alice.subjects(f"box{i}") for i in range(9)] == [["x"]] * 9
    assert "the message is changed in too many ways" in alice.texts()[1]


# --- whose scripts ---

@pytest.mark.parametrize("fields", [{"X_Spam_Flag": "YES"}, {"X_Spam": "Yes"}], ids=str)
def test_spam_goes_to_junk(alice, fields):
    alice.script("keep;")
    alice.receive("spam", **fields)
    alice.receive("ham", X_Spam_Flag="NO")
    assert (alice.subjects("Junk"), alice.subjects()) == (["spam"], ["ham"])
    with alice.server.imap(alice.account) as client:
        client.ok("DELETE Junk")
    alice.receive("more", **fields)
    assert alice.subjects() == ["ham", "more"]


def test_before_and_after(alice):
    """All before, the domain's before, the user's, the domain's after, all after; each as long as
    the message is kept, and each sees what those before it have changed."""
    server = alice.server

    def put(*where, text):
        server.run("sieve", "put", *where, "-", text=text)

    def mark(word):
        return f'addheader :last "X-Way" "{word}";'
    try:
        for scope in ["--domain", "example.test"], ["--global"]:
            for place in "--before", "--after":
                put(*scope, place, text=f'''require ["editheader", "fileinto", "imap4flags"];
                    {mark(scope[-1] + place)}
                    if header :is "subject" "stop{scope[-1]}{place}" {{ discard; }}
                    elsif header :is "subject" "flags" {{ addflag "from{place}"; }}''')
        alice.script('require ["editheader", "fileinto"];' + mark("user") +
                     'if header :is "subject" "filed" { fileinto "Archive"; }')
        alice.receive("all")
        (text,) = alice.texts()
        assert re.findall("X-Way: (.*)\r", text) == [
            "--global--before", "example.test--before", "user", "example.test--after",
            "--global--after"]
        alice.receive("filed")
        assert re.findall("X-Way: (.*)\r", alice.texts("Archive")[0])[2:] == ["user"]
        for subject in "stop--global--before", "stopexample.test--after":
            alice.receive(subject)
        assert alice.subjects() == ["all"]
    finally:
        for scope in ["--domain", "example.test"], ["--global"]:
            for place in "--before", "--after":
                server.run("sieve", "delete", *scope, place)
        server.run("sieve", "activate", "--global", "--before")


def test_an_error_of_the_administrators_is_not_told_to_the_user(alice):
    server = alice.server
    server.run("sieve", "put", "--global", "--after", "-",
               text='require "fileinto"; fileinto "Nowhere";')
    alice.receive("x")
    server.run("sieve", "delete", "--global", "--after")
    assert alice.subjects() == ["x"]
    server.wait_for_log(r'event=sieve .*whose=administrator script=after line=1 '
                        r'problem="there is no mailbox')


# --- cost ---

def test_all_of_a_delivery_is_one_commit(alice):
    alice.create("A", "B", "C")
    alice.script('''require ["fileinto", "copy", "duplicate", "editheader", "imap4flags"];
                 if duplicate { discard; stop; } fileinto :copy :flags "word" "A";
                 fileinto :copy "B"; addheader "X-A" "b"; fileinto :copy "C";''')
    alice.receive("warm")
    before = counter(alice.server, "store_commits_durable")
    alice.receive("x")
    assert counter(alice.server, "store_commits_durable") == before + 1
    assert [alice.subjects(box) for box in ("A", "B", "C", "INBOX")] == [["warm", "x"]] * 4


def test_a_script_is_compiled_once(server):
    """By each process that runs it, until its text is another one."""
    alice = Mail(server)
    names = "sieve_runs", "sieve_compiled", "sieve_errors", "sieve_rejected"

    def counted(deliveries, **fields):
        before = server.json("status")["counters"]
        for _ in range(deliveries):
            alice.receive("x", **fields)
        after = server.json("status")["counters"]
        return {name: after[name] - before[name] for name in names}
    processes = len(server.children("chapar-session"))
    alice.script('require "ereject"; if header :is "X-A" "b" { ereject "no"; }')
    first = counted(10)
    assert first["sieve_runs"] == 20  # the administrator's is one of the two
    assert 1 <= first["sieve_compiled"] <= 2 * processes
    alice.script('require ["ereject", "fileinto"]; if header :is "X-A" "b" { ereject "no"; } '
                 'if header :is "X-A" "c" { fileinto "Nowhere"; }')
    second = counted(10)
    assert 1 <= second["sieve_compiled"] <= processes
    third = counted(3, X_A="b")
    assert (third["sieve_rejected"], third["sieve_errors"]) == (3, 0)
    assert counted(2, X_A="c")["sieve_errors"] == 2
