"""Shared accounts: nobody logs in to them, and who may see their mailboxes finds them in Shared/."""

import json
import re
import shutil
import subprocess
import time

import pytest

from harness.scram import Scram
from harness.server import PASSWORD, Server, message
from test_scram import log_in, protocols

FAILED, USAGE = 1, 2


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    """Two chapar-session processes: an account's sessions are in one, the command comes to either."""
    server = Server(tmp_path_factory.mktemp("shared-accounts"))
    server.configure(session_processes=2)
    server.start()
    yield server
    server.stop()
    server.check_log()


@pytest.fixture
def offline(tmp_path):
    """A server that is made but does not run."""
    return Server(tmp_path / "offline")


@pytest.fixture
def office(live):
    """The server, a shared account that a group's group may do all with, and two of its members."""
    members = live.fresh_account(), live.fresh_account()
    name = members[0][0].split("@")[0]
    shared = live.json("account", "add", "--shared", f"info-{name}")["address"]
    for group in f"team-{name}", f"company-{name}":
        live.run("group", "add", group)
    live.run("group", "add-member", f"team-{name}", *(member[0] for member in members))
    live.run("group", "add-member", f"company-{name}", f"team-{name}")
    live.run("share", "add", shared, "INBOX", f"company-{name}", "all")
    return live, shared, *members


def refused(server, user, password):
    with server.imap() as client:
        status, _ = client.command(f'LOGIN "{user}" "{password}"')
        return status.startswith("NO [AUTHENTICATIONFAILED]")


def names(client, pattern='"" *'):
    return [re.sub(r'.* "/" "?(.*?)"?$', r"\1", line) for line in client.ok(f"LIST {pattern}")]


def flags(client):
    return [re.search(r"FLAGS \((.*?)\)", line).group(1).replace("\\Recent", "").split()
            for line in client.ok("FETCH 1:* FLAGS") if "FETCH" in line]


def ends(client, said=r"\* BYE"):
    """Whether the server ends the connection, at the latest when something is asked."""
    for _ in range(100):
        try:
            client.send("n NOOP\r\n")
            if re.match(said, client.line()):
                return True
        except (OSError, AssertionError):
            return True
        time.sleep(0.05)
    return False


# --- the administrator's command ---

@pytest.mark.parametrize("which", ["live", "offline"])
def test_its_life(which, request):
    """Made, shown, changed to what somebody may log in to and back, renamed, removed."""
    server = request.getfixturevalue(which)
    name = f"info-{which}@example.test"
    added = json.loads(server.run("--json", "account", "add", "--shared", name).stdout)
    assert added["address"] == name and added["shared"] is True
    (shown,) = server.json("account", "show", name)
    assert shown["kind"] == "account" and shown["shared"] is True
    assert re.search(rf"^{name}  \w+  \S+Z  yes$", server.run("account", "list").stdout, re.M)
    for text in "a good password\n", "":
        result = server.run("account", "password", name, text=text, check=False)
        assert result.returncode == FAILED
        assert f"{name}: the account is shared: nobody logs in to it" in result.stderr
    server.run("quota", "set", name, "MESSAGE", "10")
    server.run("sieve", "put", "--activate", name, "main", "-", text="keep;")
    server.run("alias", "add", f"alias-{which}", name)
    server.run("mailbox", "create", name, "Answers")
    server.run("account", "rename", name, f"new-{which}")
    name = f"new-{which}@example.test"
    assert server.run("account", "password", name, text="x" * 9, check=False).returncode == FAILED

    changed = server.json("account", "change", name, "--shared", "no")
    assert changed["shared"] is False
    server.run("account", "password", name, text=PASSWORD + "\n")
    assert server.json("account", "change", name, "--shared", "no")["shared"] is False
    if which == "live":
        assert not refused(server, name, PASSWORD)
    for _ in range(2):
        assert server.json("account", "change", name, "--shared=yes")["shared"] is True
    if which == "live":
        assert refused(server, name, PASSWORD)
    assert server.run("account", "change", name, check=False).returncode == USAGE
    assert server.run("account", "change", name, "--shared", "maybe",
                      check=False).returncode == USAGE
    assert server.run("account", "change", "nobody", "--shared", "yes",
                      check=False).returncode == 3
    assert not [line for line in server.run("check").stdout.splitlines() if "wrong" in line]
    assert server.run("account", "dump", name).stdout.startswith("account: modseq=")
    server.run("account", "delete", name, "--yes")
    # Another account of the name is one like any other.
    server.run("account", "add", name, text=PASSWORD + "\n")
    assert server.json("account", "show", name)[0]["shared"] is False


def test_mail_comes_to_it(office):
    """By its address, with a detail, by an alias; up to its quota, and by its script."""
    server, shared, reader, _ = office
    server.run("alias", "add", "contact-" + shared, shared)
    server.run("sieve", "put", "--activate", shared, "main", "-",
               text='require "fileinto"; if header "subject" "offer" { fileinto "INBOX/Offers"; }')
    server.run("mailbox", "create", shared, "INBOX/Offers")
    for subject, address in ("one", shared), ("two", shared.replace("@", "+x@")), \
            ("three", "contact-" + shared), ("offer", shared):
        assert not server.deliver(message(subject), address)
    with server.imap(reader) as client:
        assert client.ok(f"STATUS Shared/{shared}/INBOX (MESSAGES)")[0].endswith("(MESSAGES 3)")
        assert client.ok(f"STATUS Shared/{shared}/INBOX/Offers (MESSAGES)")[0].endswith(
            "(MESSAGES 1)")
        server.run("quota", "set", shared, "MESSAGE", "4")
        assert server.deliver(message("five"), shared)[shared].startswith("452 4.2.2")
        (root, quota) = client.ok(f"GETQUOTAROOT Shared/{shared}/INBOX")
        assert root == f'* QUOTAROOT Shared/{shared}/INBOX "Shared/{shared}"'
        assert quota == f'* QUOTA "Shared/{shared}" (MESSAGE 4 4)'
        status, _ = client.append(f"Shared/{shared}/INBOX/Offers", b"x\r\n")
        assert status.startswith("NO [OVERQUOTA]")


# --- attacks ---

@protocols
def test_nobody_logs_in(office, over):
    """With whatever password: an empty one, one it had, one of somebody who may see all of it."""
    server, shared, member, _ = office
    server.run("account", "change", shared, "--shared", "no")
    server.run("account", "password", shared, text="the one it had\n")
    connection = over(server)
    assert connection.is_granted(log_in(connection, Scram(shared, "the one it had")))
    connection.client.close()
    server.run("account", "change", shared, "--shared", "yes")
    for password in "", "the one it had", member[1]:
        assert refused(server, shared, password)
        connection = over(server)
        assert connection.is_refused(log_in(connection, Scram(shared, password or "x")))
        assert connection.is_refused(
            connection.begin("PLAIN", f"\0{shared}\0{password or 'x'}".encode()))
        # Nor as somebody who acts for it.
        assert connection.is_refused(
            connection.begin("PLAIN", f"{shared}\0{member[0]}\0{member[1]}".encode()))
        connection.client.close()


def test_a_mail_server_does_not_log_in_as_it(live):
    """Though lmtp_accounts names it."""
    mx = live.mail_server()
    with live.lmtp_remote() as client:
        assert client.login(*mx).startswith("235")
    live.run("account", "change", mx[0], "--shared", "yes")
    with live.lmtp_remote() as client:
        assert client.login(*mx).startswith("535 5.7.8")


def test_open_sessions_end(live):
    """In whichever process they are: what they wait for, and what they ask."""
    accounts = [live.fresh_account() for _ in range(4)]
    for account in accounts:
        idle, asking, pop3 = live.imap(account), live.imap(account), live.pop3(account)
        sieve = live.managesieve(account)
        idle.ok("SELECT INBOX")
        idle.send("i IDLE\r\n")
        assert idle.line().startswith("+")
        live.run("account", "change", account[0], "--shared", "yes")
        idle.wait_for(r"\* BYE Nobody may be logged in to the account any more")
        assert ends(asking)
        with pytest.raises(Exception, match="ERR|EOF|reset|pipe"):
            for _ in range(100):
                pop3.stat()
                time.sleep(0.05)
        assert ends(sieve, r"BYE")
        for client in idle, asking, sieve:
            client.close()
        assert refused(live, *account)


def test_a_forgotten_password_is_worth_nothing(server):
    """One that chapar-auth still has, as when its data is brought back from a backup: what it lets
    in, chapar-session ends before anything is answered."""
    account = server.add_account("info")
    credentials = server.directory / "data" / "auth"
    subprocess.run(["cp", "-a", credentials, server.directory / "before"], check=True)
    server.run("account", "change", account[0], "--shared", "yes")
    shutil.rmtree(credentials)
    (server.directory / "before").rename(credentials)
    server.start()
    with server.imap() as client:
        client.send(f'a LOGIN "{account[0]}" "{account[1]}"\r\nb LIST "" *\r\n')
        lines = []
        with pytest.raises((OSError, AssertionError)):
            while True:
                lines.append(client.line())
        assert any(line.startswith("* BYE") for line in lines), lines
        assert not [line for line in lines if re.match(r"\* LIST|b ", line)]


def test_signed_urls_end(live):
    """Who had the account cannot leave a way in behind."""
    account, reader = live.fresh_account(), live.fresh_account()
    with live.imap(account) as client:
        client.append("INBOX", b"Subject: secret\r\n\r\nbody\r\n")
        url = f"imap://{account[0].replace('@', '%40')}@example.test/INBOX/;uid=1;urlauth=authuser"
        (line,) = client.ok(f'GENURLAUTH "{url}" INTERNAL')
    signed = line.split()[-1].strip('"')
    with live.imap(reader) as client:
        assert any("secret" in line for line in client.ok(f'URLFETCH "{signed}"'))
        live.run("account", "change", account[0], "--shared", "yes")
        assert not any("secret" in line for line in client.ok(f'URLFETCH "{signed}"'))


# --- what its readers see ---

def test_seen_is_each_users_own(office):
    server, shared, first, second = office
    for subject in "one", "two":
        assert not server.deliver(message(subject), shared)
    with server.imap(first) as reader, server.imap(second) as other:
        for client in reader, other:
            client.ok(f"SELECT Shared/{shared}/INBOX")
        reader.ok("STORE 1 +FLAGS (\\Seen \\Flagged)")
        other.ok("STORE 2 +FLAGS (\\Seen)")
        reader.ok("NOOP")
        assert [sorted(found) for found in flags(reader)] == [["\\Flagged", "\\Seen"], []]
        assert [sorted(found) for found in flags(other)] == [["\\Flagged"], ["\\Seen"]]
        assert reader.ok("SEARCH UNSEEN")[0] == "* SEARCH 2"
        assert other.ok("SEARCH UNSEEN")[0] == "* SEARCH 1"


def test_every_command_takes_its_names(office):
    server, shared, first, _ = office
    inbox = f"Shared/{shared}/INBOX"
    with server.imap(first) as client:
        for number in range(3):
            client.append("INBOX", f"Subject: plan {number}\r\n\r\nbody\r\n".encode())
        client.ok(f"CREATE {inbox}/Plans")
        client.ok("SELECT INBOX")
        status, _ = client.command(f"COPY 1:2 {inbox}/Plans")
        assert re.match(r"OK \[COPYUID \d+ 1:2 1:2\]", status)
        assert any("COPYUID" in line for line in client.ok(f"MOVE 3 {inbox}/Plans"))
        client.append(f"{inbox}/Plans", b"Subject: plan 3\r\n\r\nbody\r\n")
        client.ok(f"SETMETADATA {inbox}/Plans (/shared/comment {{2+}}\r\nhi)")
        assert client.ok(f"GETMETADATA {inbox}/Plans /shared/comment")[0].startswith(
            f"* METADATA {inbox}/Plans (/shared/comment")
        client.ok(f"SETACL {inbox}/Plans anyone l")
        assert any("anyone l" in line for line in client.ok(f"GETACL {inbox}/Plans"))
        client.ok(f"DELETEACL {inbox}/Plans anyone")
        (found,) = client.ok(f'ESEARCH IN (subtree "Shared") SUBJECT "plan"')
        assert re.match(rf'\* ESEARCH \(TAG "t\d+" MAILBOX {re.escape(inbox)}/Plans UIDVALIDITY '
                        r"\d+\) UID ALL 1:4$", found)
        client.ok(f"RENAME {inbox}/Plans {inbox}/Plots")
        assert names(client, f'"" Shared/{shared}/*')[-2:] == [inbox, f"{inbox}/Plots"]
        client.ok(f"DELETE {inbox}/Plots")
        status, _ = client.command(f"GENURLAUTH imap://x@example.test/{inbox}/;uid=1;urlauth="
                                   "anonymous INTERNAL")
        assert status.startswith("BAD")


def test_it_has_one_name_at_a_time(office):
    """Made somebody's own and back: its mailboxes have other names at once, and the subscriptions
    of who sees them stay. NOTIFY tells the old names to have gone, then the new ones."""
    server, shared, first, _ = office
    with server.imap(first) as client, server.imap(first) as watcher:
        client.ok(f"SUBSCRIBE Shared/{shared}/INBOX")
        watcher.ok('NOTIFY SET (subtree ("Shared" "Other Users") (MailboxName))')
        for level, other, answer in (("Other Users", "Shared", "no"),
                                     ("Shared", "Other Users", "yes")):
            server.run("account", "change", shared, "--shared", answer)
            assert names(client, '(SUBSCRIBED) "" *')[-1] == f"{level}/{shared}/INBOX"
            assert not [name for name in names(client) if name.startswith(other)]
            status, _ = client.command(f'SELECT "{other}/{shared}/INBOX"')
            assert status.startswith("NO [NONEXISTENT]")
            client.ok(f'SELECT "{level}/{shared}/INBOX"')
            watcher.wait_for(rf'\* LIST \(\\NonExistent \\NoAccess\) "/" "?{other}/{shared}/INBOX')
            watcher.wait_for(rf'\* LIST \(\\Has.*\) "/" "?{level}/{shared}/INBOX')


def test_notify_follows_a_rename(office):
    """An account that is renamed has other names as well."""
    server, shared, first, _ = office
    with server.imap(first) as watcher:
        watcher.ok('NOTIFY SET (subtree Shared (MailboxName MessageNew MessageExpunge))')
        server.run("account", "rename", shared, "new-" + shared)
        watcher.wait_for(rf'\* LIST \(\\NonExistent \\NoAccess\) "/" Shared/{shared}/INBOX')
        watcher.wait_for(rf'\* LIST \(\\Has.*\) "/" Shared/new-{shared}/INBOX')
        assert not server.deliver(message("news"), "new-" + shared)
        watcher.wait_for(rf"\* STATUS Shared/new-{shared}/INBOX \(MESSAGES 1")


def test_membership_is_seen_and_lost_at_once(office):
    """By way of a group in a group, told by NOTIFY, too."""
    server, shared, first, _ = office
    name = first[0].split("@")[0]
    with server.imap(first) as client, server.imap(first) as watcher:
        watcher.ok('NOTIFY SET (subtree Shared (MailboxName))')
        server.run("group", "remove-member", f"company-{name}", f"team-{name}")
        assert not [found for found in names(client) if found.startswith("Shared")]
        watcher.wait_for(rf'\* LIST \(\\NonExistent \\NoAccess\) "/" Shared/{shared}/INBOX')
        server.run("group", "add-member", f"company-{name}", f"team-{name}")
        assert f"Shared/{shared}/INBOX" in names(client)
        watcher.wait_for(rf'\* LIST \(\\Has.*\) "/" Shared/{shared}/INBOX')
        server.run("account", "delete", shared, "--yes")
        assert not [found for found in names(client) if found.startswith("Shared")]
