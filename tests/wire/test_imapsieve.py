"""Sieve for IMAP events (RFC 6785) in a running server: the user's scripts and the administrator's."""

import re
import time

import pytest

from harness.server import Server

LEARN = '''require ["imapsieve", "environment", "fileinto", "copy", "mailbox", "variables"];
if not environment "imap.cause" ["APPEND", "COPY"] { stop; }
if environment "imap.mailbox" "Junk" {
    fileinto :copy :create "learn/spam";
} elsif environment "vnd.chapar.source" "Junk" {
    fileinto :copy :create "learn/ham";
}
'''
MESSAGE = "From: a@example.com\r\nSubject: s\r\n\r\nHello\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("imapsieve"))
    server.start()
    yield server
    server.stop()
    server.check_log()


def put(server, *arguments, text):
    server.run("sieve", "put", *arguments, "-", text=text)


def append(client, mailbox, flags=""):
    client.ok(f"APPEND {mailbox} ({flags}) {{{len(MESSAGE)}+}}\r\n{MESSAGE}")


def messages(client, mailbox):
    (line,) = client.ok(f'STATUS "{mailbox}" (MESSAGES)')
    return int(re.search(r"MESSAGES (\d+)", line).group(1))


def flags(client, number):
    (line,) = client.ok(f"FETCH {number} FLAGS")
    return re.search(r"FLAGS \((.*)\)\)", line).group(1)


def test_the_capability_says_where_scripts_are_managed(server):
    """Section 2.1."""
    client = server.imap(server.fresh_account())
    (line,) = client.ok("CAPABILITY")
    assert re.search(r" IMAPSIEVE=sieve://[a-z0-9.-]+(:\d+)?( |$)", line)
    client.close()


def test_a_script_of_the_user(server):
    account = server.fresh_account()
    put(server, account[0], "hot", text='require ["imapsieve", "imap4flags", "environment"];\n'
        'if environment :contains "imap.changedflags" "\\\\Flagged" { addflag "$hot"; }\n')
    client = server.imap(account)
    client.ok('SETMETADATA INBOX (/shared/imapsieve/script "hot")')
    append(client, "INBOX")
    client.ok("SELECT INBOX")
    client.ok("STORE 1 +FLAGS.SILENT (\\Flagged)")
    assert flags(client, 1) == "\\Flagged $hot"
    client.close()


def test_the_administrator_has_a_filter_learn(server):
    account = server.fresh_account()
    put(server, "--global", "--event", text=LEARN)
    time.sleep(1.1)  # each process asks once a second at most whether there is one
    assert server.json("sieve", "list", "--global")[-1]["place"] == "event"
    client = server.imap(account)
    append(client, "INBOX")
    client.ok("SELECT INBOX")
    client.ok("MOVE 1 Junk")
    assert messages(client, "learn/spam") == 1
    client.ok("SELECT Junk")
    client.ok("MOVE 1 INBOX")
    assert messages(client, "learn/ham") == 1
    server.run("sieve", "deactivate", "--global", "--event")
    append(client, "Junk")
    assert messages(client, "learn/spam") == 1
    server.run("sieve", "activate", "--global", "--event")
    server.run("sieve", "delete", "--global", "--event")
    client.close()


def test_without_sieve_listen_there_is_no_capability(tmp_path):
    """Nobody could manage scripts: section 2.3.1 wants ManageSieve."""
    server = Server(tmp_path / "none")
    lines = server.config.read_text().splitlines(keepends=True)
    server.config.write_text("".join(line for line in lines if "sieve_listen" not in line))
    server.start()
    client = server.imap(server.fresh_account())
    (line,) = client.ok("CAPABILITY")
    assert "IMAPSIEVE" not in line
    client.close()
    server.stop()


def test_what_is_redirected_is_on_its_way_out(server):
    """Section 3.4: "the MAIL FROM SHOULD be set to the address of the owner of the mailbox"."""
    account = server.fresh_account()
    put(server, account[0], "learn", text='require ["imapsieve", "copy"];\n'
        'redirect :copy "learn@filter.example";\n')
    client = server.imap(account)
    client.ok('SETMETADATA INBOX (/shared/imapsieve/script "learn")')
    append(client, "INBOX")
    client.close()
    dump = server.run("account", "dump", account[0]).stdout
    (record,) = re.findall(r"(?m)^outgoing \d+:.*\n(?:    .*\n)*", dump)
    assert "redirect" in record and account[0] in record and "learn@filter.example" in record
