"""The administrator's command: exit codes, JSON, with and without a running server."""

import json
import os
import re
import sqlite3
import subprocess
import threading
import time
from pathlib import Path

import pytest

from harness.imap import Imap
from harness.server import PASSWORD, Server, copy_for_everybody, free_offset, message

# chapar(1): exit statuses, for scripts.
DONE, FAILED, USAGE, MISSING, EXISTS, TEMPORARY, NOT_RUNNING = range(7)


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    """A running server for the tests of this file."""
    server = Server(tmp_path_factory.mktemp("admin"))
    server.start()
    yield server
    server.stop()
    server.check_log()


@pytest.fixture
def offline(tmp_path):
    """A server that is made but does not run."""
    return Server(tmp_path / "offline")


def refused(server, account):
    with server.imap() as client:
        status, _ = client.command(f'LOGIN "{account[0]}" "{account[1]}"')
        return status.startswith("NO [AUTHENTICATIONFAILED]")


# --- chapar init ---

def init(server, directory, *arguments, text=""):
    return server.run("init", directory, *arguments, configured=False, check=False, text=text)


def test_init_refuses_what_is_not_empty(offline, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("mine")
    result = init(offline, tmp_path / "full", "--domain", "example.test")
    assert result.returncode == EXISTS and "not empty" in result.stderr
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["file"]


@pytest.mark.parametrize("arguments", [
    [], ["--domain"], ["--domain", "no domain"], ["--domain", "example.test", "--colour", "red"],
    ["--domain", "example.test", "--ports", "many"], ["--domain", "example.test", "--ports", "-1"],
    ["--domain", "example.test", "--certificate", "x.pem"], ["a", "b", "--domain", "example.test"],
], ids=" ".join)
def test_init_usage(offline, tmp_path, arguments):
    result = init(offline, tmp_path / "new", *arguments)
    assert result.returncode == USAGE and result.stderr
    assert not (tmp_path / "new").exists()


def test_init_with_account(tmp_path):
    """One command makes a server that can be logged in to."""
    server = Server(tmp_path / "one")
    directory = tmp_path / "two"
    offset = free_offset()
    result = init(server, directory, "--domain", "example.test", "--ports", str(offset),
                  "--listen", "127.0.0.1", "--account", "alice", text=PASSWORD + "\n")
    assert result.returncode == DONE, result.stderr
    # What it prints: how to connect, what the MTA and the DNS need.
    for word in (str(offset + 993), str(offset + 24), f"_sieve._tcp.example.test. SRV 0 1 {offset + 4190}", "alice", "MX", "SRV", "chapar.conf"):
        assert word in result.stdout
    assert PASSWORD not in result.stdout + result.stderr
    server.directory, server.offset = directory, offset
    server.start()
    with server.imap(("alice@example.test", PASSWORD)) as client:
        client.ok("SELECT INBOX")
    server.stop()
    server.check_log()


def test_init_json(offline, tmp_path):
    result = offline.run("--json", "init", tmp_path / "new", "--domain", "example.test",
                         configured=False)
    assert json.loads(result.stdout)["directory"] == str(tmp_path / "new")


def test_init_keeps_secrets_to_itself(offline):
    """The key and the passwords' folder are for their owners alone."""
    for path in ("tls/key.pem", "tls", "data/auth", "data/mail"):
        assert (offline.directory / path).stat().st_mode & 0o077 == 0, path


# --- accounts ---

def accounts(server):
    return {account["address"] for account in server.json("account", "list")}


@pytest.mark.parametrize("which", ["live", "offline"])
def test_account_life(which, request):
    """Add, list, password, delete: the same with a running server and without."""
    server = request.getfixturevalue(which)
    name = f"life-{which}@example.test"
    added = json.loads(server.run("--json", "account", "add", name, text=PASSWORD + "\n").stdout)
    assert added["address"] == name and re.fullmatch(r"[0-9a-f]{32}", added["id"])
    assert name in accounts(server)
    listed = server.run("account", "list").stdout
    assert re.search(rf"^{name}  {added['id']}  \d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ  no$", listed, re.M)

    again = server.run("account", "add", name, text=PASSWORD + "\n", check=False)
    assert again.returncode == EXISTS and "password" not in again.stderr.lower()
    changed = server.json_with("a new password\n", "account", "password", name)
    assert changed["address"] == name
    deleted = server.run("account", "delete", name, check=False)
    assert deleted.returncode == USAGE and "--yes" in deleted.stderr
    server.run("account", "delete", name, "--yes")
    assert name not in accounts(server)
    for verb in (["delete", name, "--yes"], ["password", name]):
        missing = server.run("account", *verb, text="a new password\n", check=False)
        assert missing.returncode == MISSING, verb


@pytest.mark.parametrize("which", ["live", "offline"])
def test_dump_and_check(which, request):
    """An account's keys are shown; a check finds nothing in what is whole."""
    server = request.getfixturevalue(which)
    name, _ = server.add_account(f"whole-{which}")
    dump = server.run("account", "dump", name).stdout.splitlines()
    assert dump[0].startswith("account: modseq=")
    assert any(' name="INBOX" type=1 ' in line for line in dump)
    assert [row["line"] for row in server.json("account", "dump", name)] == dump
    assert server.run("check", name).stdout == "all is well\n"
    assert server.json("check", "--deep", "--repair", name, name) == []
    missing = server.run("check", "nobody@example.test", check=False)
    assert missing.returncode == MISSING and "nobody@example.test" in missing.stderr
    assert server.run("account", "dump", "nobody", check=False).returncode == MISSING
    assert server.run("check", "--profound", check=False).returncode == USAGE


# --- what was deleted, and quota ---

@pytest.mark.parametrize("which", ["live", "offline"])
def test_undelete_nothing(which, request):
    server = request.getfixturevalue(which)
    name, _ = server.add_account(f"tidy-{which}")
    assert server.json("undelete", "list", name) == []
    assert server.run("undelete", "list", name, "--mailbox", "INBOX").stdout == ""
    assert server.run("undelete", "messages", name, "INBOX", check=False).returncode == MISSING
    assert server.run("undelete", "mailbox", name, "7", check=False).returncode == MISSING
    assert server.run("undelete", "list", check=False).returncode == USAGE
    purged = server.json("purge", name)
    assert purged == [{"account": name, "messages": 0, "bytes": 0, "mailboxes": 0}]


def test_undelete(live):
    """What a client has expunged and deleted comes back, and the client sees it come."""
    account = live.add_account("regretful")
    with live.imap(account) as client:
        client.append("INBOX", message("One"), "(\\Deleted)")
        client.append("INBOX", message("Two"), "(\\Deleted)")
        client.ok("CREATE Box")
        client.append("Box", message("Three"))
        client.ok("SELECT INBOX")
        client.ok("EXPUNGE")
        client.ok("DELETE Box")
        listed = live.json("undelete", "list", account[0], "--mailbox", "INBOX")
        assert [(row["uid"], row["subject"]) for row in listed] == [(1, "One"), (2, "Two")]
        assert live.json("undelete", "messages", account[0], "INBOX", "--uids", "2") == [
            {"mailbox": "INBOX", "messages": 1}]
        client.ok("NOOP")
        assert client.uids() == [3]
        assert client.uids("DELETED") == []
        boxes = live.json("undelete", "list", account[0])
        assert [(row["path"], row["messages"]) for row in boxes] == [("Box", 1)]
        restored = live.run("undelete", "mailbox", account[0], str(boxes[0]["id"]), "--to", "New")
        assert restored.stdout == "brought back New\n"
        client.ok("SELECT New")
        assert client.uids() == [1]


def test_quota(live):
    account = live.add_account("frugal")
    with live.imap(account) as client:
        client.append("INBOX", message("One"))
        assert live.json("quota", "set", account[0], "MESSAGE", "2") == [
            {"resource": "MESSAGE", "usage": 1, "limit": 2}]
        status, _ = client.append("INBOX", message("Two"))
        assert status.startswith("OK")
        status, _ = client.append("INBOX", message("Three"))
        assert status.startswith("NO [OVERQUOTA]")
        client.ok("SELECT INBOX")
        status, _ = client.command("COPY 1 Trash")
        assert status.startswith("NO [OVERQUOTA]")
        client.ok("MOVE 1 Trash")
        refused = live.deliver(message("Four"), account[0])
        assert refused[account[0]].startswith("452 4.2.2")
        live.run("quota", "set", account[0], "message", "0")
        assert live.deliver(message("Four"), account[0]) == {}
    usage = {row["resource"]: row["usage"] for row in live.json("quota", "get", account[0])}
    assert usage["MESSAGE"] == 3 and usage["MAILBOX"] == 6 and usage["STORAGE"] > 0


def test_check_of_damage(tmp_path):
    """What is damaged is named and mended; what is lost decides the exit status."""
    server = Server(tmp_path / "damaged")
    account = server.add_account("victim")
    server.start()
    for number in range(3):
        assert not server.deliver(message(f"number {number}"), account[0])
    server.stop()
    (row,) = [row for row in server.json("account", "list") if row["address"] == account[0]]
    path = server.directory / "data" / "mail" / "accounts" / row["id"][:2] / f"{row['id']}.db"
    with sqlite3.connect(path) as database:
        # The summary of message 1, and message 2 whole.
        for key in (b"s\x81\x81", b"m\x81\x82", b"b\x81\x82"):
            for table in ("small", "large"):
                database.execute(f"DELETE FROM {table} WHERE key = ?", (key,))
    found = server.run("check", check=False)
    assert found.returncode == FAILED
    assert f"{account[0]}: wrong: message 1: its summary" in found.stdout
    assert f"{account[0]}: lost: INBOX: UID 2: message 2\n" in found.stdout
    server.start()
    repaired = server.run("--json", "check", "--repair", check=False)
    assert repaired.returncode == FAILED
    assert {row["finding"] for row in json.loads(repaired.stdout)} == {"repaired", "lost"}
    assert server.run("check", "--deep").stdout == "all is well\n"
    with server.imap(account) as client:
        client.ok("SELECT INBOX")
        assert client.uids() == [1, 3]
        assert any("number 0" in line for line in client.ok("FETCH 1 (ENVELOPE BODY.PEEK[])"))
    server.stop()
    server.check_log()


def test_what_was_done_offline_holds_live(offline):
    server = offline
    first = server.add_account("first")
    second = server.add_account("second")
    server.run("account", "password", "first", text="another password\n")
    server.run("account", "delete", "second", "--yes")
    server.start()
    assert refused(server, first)
    assert refused(server, second)
    with server.imap((first[0], "another password")) as client:
        assert len(client.ok('LIST "" *')) == 6
    server.stop()
    server.check_log()


@pytest.mark.parametrize("which", ["live", "offline"])
@pytest.mark.parametrize("address", ["", "a b", "@example.test", "a@", "x" * 400, "a@b@c"],
                         ids=["empty", "space", "no local part", "no domain", "long", "two"])
def test_no_address(which, address, request):
    server = request.getfixturevalue(which)
    result = server.run("account", "add", address, text=PASSWORD + "\n", check=False)
    assert result.returncode in (FAILED, USAGE) and result.stderr
    assert address not in accounts(server)


@pytest.mark.parametrize("text", ["", "\n", "short\n", "nul\0nul nul\n", "x" * 5000 + "\n"],
                         ids=["none", "empty", "short", "nul", "long"])
def test_no_password(live, text):
    """An account without a password that can be used is not left behind."""
    result = live.run("account", "add", "nopassword", text=text, check=False)
    assert result.returncode not in (DONE, USAGE), result.stdout
    assert "nopassword@example.test" not in accounts(live)


def test_password_change_holds_at_once(live):
    """The old one is refused, though it is remembered; a session that is open goes on."""
    account = live.fresh_account()
    with live.imap(account) as session:
        session.ok("SELECT INBOX")
        live.run("account", "password", account[0], text="quite another one\n")
        assert refused(live, account)
        with live.imap((account[0], "quite another one")) as other:
            other.ok("NOOP")
        session.ok("NOOP")
        live.deliver(message("still here"), account[0])
        assert "* 1 EXISTS" in session.ok("NOOP")


def test_deleted_account(live):
    """It cannot log in, takes no mail, and its sessions end."""
    account = live.fresh_account()
    session = live.imap(account)
    session.ok("SELECT INBOX")
    live.run("account", "delete", account[0], "--yes")
    assert refused(live, account)
    assert live.deliver(message(), account[0])[account[0]].startswith("550 5.1.1")
    with pytest.raises((ConnectionError, AssertionError, OSError)):
        for _ in range(100):
            session.ok("NOOP")
            time.sleep(0.05)
    session.close()
    # A new account of the name begins empty.
    live.add_account(account[0])
    with live.imap(account) as client:
        assert "* 0 EXISTS" in client.ok("SELECT INBOX")


def test_many_accounts_at_once(live):
    """Several administrators at work: each change is there once."""
    names = [f"many{number}" for number in range(12)]
    threads = [threading.Thread(target=live.add_account, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    listed = [account["address"] for account in live.json("account", "list")]
    assert all(listed.count(f"{name}@example.test") == 1 for name in names)
    assert listed == sorted(listed)


# --- the directory ---

def inbox(server, account):
    with server.imap(account) as client:
        return int(re.search(r"MESSAGES (\d+)", client.ok("STATUS INBOX (MESSAGES)")[0])[1])


def refuses(server, *arguments):
    """The exit status and what is said."""
    result = server.run(*arguments, check=False, text=PASSWORD + "\n")
    assert result.stderr and not result.stdout
    return result.returncode, result.stderr


@pytest.mark.parametrize("which", ["live", "offline"])
def test_domain_life(which, request):
    """Addresses are made in domains that have been added, and only there."""
    server = request.getfixturevalue(which)
    domain = f"{which}.example"
    name = f"carol@{domain}"
    (default,) = [row for row in server.json("domain", "list") if row["default"]]
    assert default["domain"] == server.domain
    assert re.match(r"20\d\d-", default["created"]), "chapar init has added it"
    for verb in (["account", "add", name], ["group", "add", name], ["alias", "add", name, name]):
        status, said = refuses(server, *verb)
        assert status == MISSING and f"chapar domain add {domain}" in said
    assert server.json("domain", "add", domain)["domain"] == domain
    assert refuses(server, "domain", "add", domain.upper())[0] == EXISTS
    server.add_account(name)
    assert f"{domain}  20" in server.run("domain", "list").stdout
    status, said = refuses(server, "domain", "delete", domain)
    assert status == FAILED and "addresses in it" in said
    server.run("account", "delete", name, "--yes")
    assert server.run("domain", "delete", domain).stdout == f"deleted {domain}\n"
    assert refuses(server, "domain", "delete", domain)[0] == MISSING
    assert refuses(server, "domain", "delete", server.domain)[0] == FAILED
    assert refuses(server, "domain", "add", "no domain")[0] == FAILED


@pytest.mark.parametrize("which", ["live", "offline"])
def test_alias_life(which, request):
    server = request.getfixturevalue(which)
    first, second = (server.add_account(f"{name}-{which}")[0] for name in ("first", "second"))
    alias, other = f"info-{which}@example.test", f"other-{which}@example.test"
    assert server.run("alias", "add", alias, first, second).stdout == f"added {alias}\n"
    assert server.json("alias", "add", other, alias)["members"] == 1
    rows = {(row["address"], row["target"], row["kind"]) for row in server.json("alias", "list")}
    assert rows >= {(alias, first, "account"), (alias, second, "account"), (other, alias, "alias")}
    assert f"{other}  {alias}  alias  20" in server.run("alias", "list").stdout
    assert refuses(server, "alias", "add", alias, first)[0] == EXISTS
    assert refuses(server, "alias", "add", first, second)[0] == EXISTS
    status, said = refuses(server, "alias", "add", alias, other)
    assert status == FAILED and "back to itself" in said
    status, said = refuses(server, "alias", "add", alias, "somebody@elsewhere.example")
    assert status == MISSING and "somebody@elsewhere.example" in said
    assert refuses(server, "alias", "add", alias)[0] == USAGE
    # An alias is no login name and no account.
    assert refuses(server, "account", "show", alias)[0] == MISSING
    assert refuses(server, "account", "password", alias)[0] == MISSING
    shown = server.json("account", "show", first)
    assert [(row["kind"], row["address"]) for row in shown] == [
        ("account", first), ("alias", alias)]
    server.run("alias", "delete", alias, first)
    assert refuses(server, "alias", "delete", alias, first)[0] == MISSING
    server.run("account", "delete", second, "--yes")  # the last target
    assert not {alias, other} & {row["address"] for row in server.json("alias", "list")}
    assert refuses(server, "alias", "delete", other)[0] == MISSING


@pytest.mark.parametrize("which", ["live", "offline"])
def test_group_life(which, request):
    server = request.getfixturevalue(which)
    account = server.add_account(f"member-{which}")[0]
    staff, everybody = f"staff-{which}@example.test", f"everybody-{which}@example.test"
    added = server.json("group", "add", staff)
    assert added["address"] == staff and re.fullmatch(r"[0-9a-f]{32}", added["id"])
    assert refuses(server, "group", "add", staff)[0] == EXISTS
    server.run("group", "add", everybody)
    assert server.json("group", "add-member", everybody, staff)["members"] == 1
    assert server.run("group", "add-member", staff, account).stdout == f"added to {staff}\n"
    assert refuses(server, "group", "add-member", staff, account)[0] == EXISTS
    status, said = refuses(server, "group", "add-member", staff, everybody)
    assert status == FAILED and "in itself" in said
    assert refuses(server, "group", "add-member", staff, "nobody")[0] == MISSING
    assert refuses(server, "group", "add-member", staff)[0] == USAGE
    members = {row["address"]: row["members"] for row in server.json("group", "list")}
    assert members[staff] == 1 and members[everybody] == 1
    assert [row["kind"] for row in server.json("group", "members", everybody)] == ["group"]
    assert account in server.run("group", "members", staff).stdout
    server.run("group", "remove-member", staff, account)
    assert refuses(server, "group", "remove-member", staff, account)[0] == MISSING
    assert server.json("group", "members", staff) == []
    server.run("group", "delete", staff)
    assert server.json("group", "members", everybody) == []
    assert refuses(server, "group", "delete", staff)[0] == MISSING
    server.run("group", "delete", everybody)


def test_delivery_through_the_directory(live):
    """What was added a moment ago gets mail, once for each account, with one reply."""
    first, second = live.fresh_account(), live.fresh_account()
    group, alias = "delivery@example.test", "to-delivery@example.test"
    live.run("group", "add", group)
    assert live.deliver(message(), group)[group].startswith("550 5.1.1")
    live.run("group", "add-member", group, first[0], second[0])
    live.run("alias", "add", alias, group, first[0])
    assert not live.deliver(message(), alias, group, first[0])
    assert inbox(live, first) == 1 and inbox(live, second) == 1
    live.run("group", "remove-member", group, second[0])
    assert not live.deliver(message(), alias)
    assert inbox(live, first) == 2 and inbox(live, second) == 1


@pytest.mark.parametrize("which", ["live", "offline"])
def test_account_rename(which, request):
    """Mail, password, groups and aliases stay with it; the old name is nobody's."""
    server = request.getfixturevalue(which)
    old, new, newest = (f"{name}-{which}@example.test" for name in ("old", "new", "newest"))
    server.add_account(old)
    server.run("group", "add", f"renamed-{which}")
    server.run("group", "add-member", f"renamed-{which}", old)
    (before,) = [row for row in server.json("account", "list") if row["address"] == old]
    assert server.json("account", "rename", old, new) == dict(before, address=new)
    assert refuses(server, "account", "rename", old, new)[0] == MISSING
    assert refuses(server, "account", "rename", "nobody", new)[0] == MISSING
    assert refuses(server, "account", "rename", new, f"renamed-{which}")[0] == EXISTS
    assert refuses(server, "account", "rename", new, "x@elsewhere.example")[0] == MISSING
    assert server.run("account", "rename", "--keep-alias", new, newest).stdout == \
        f"renamed to {newest}\n"
    kinds = [(row["kind"], row["address"]) for row in server.json("account", "show", newest)]
    assert kinds == [("account", newest), ("group", f"renamed-{which}@example.test"),
                     ("alias", new)]
    if which == "offline":
        server.start()
    assert refused(server, (old, PASSWORD)) and refused(server, (new, PASSWORD))
    assert not server.deliver(message(), new)
    assert inbox(server, (newest, PASSWORD)) == 1
    if which == "offline":
        server.stop()
        server.check_log()


def test_interrupted_rename_is_finished(offline):
    """The password is moved last: until then the old name logs in; the same command finishes."""
    server = offline
    old, new = server.add_account("old")[0], "new@example.test"
    auth = server.directory / "data" / "auth"
    saved = {path: path.read_bytes() for path in auth.rglob("*") if path.is_file()}
    server.run("account", "rename", old, new)
    for path in [path for path in auth.rglob("*") if path.is_file()]:
        path.unlink()
    for path, content in saved.items():
        owner = path.parent.stat()
        path.write_bytes(content)
        os.chown(path, owner.st_uid, owner.st_gid)
    server.start()
    assert inbox(server, (old, PASSWORD)) == 0
    assert refused(server, (new, PASSWORD))
    server.run("account", "rename", old, new)
    assert refused(server, (old, PASSWORD))
    assert inbox(server, (new, PASSWORD)) == 0
    server.stop()
    server.check_log()


def test_session_outlives_rename(live):
    account = live.fresh_account()
    with live.imap(account) as session:
        session.ok("SELECT INBOX")
        live.run("account", "rename", account[0], "outlived")
        live.deliver(message(), "outlived@example.test")
        assert "* 1 EXISTS" in session.ok("NOOP")


def test_check_of_the_directory(tmp_path):
    """Run with all accounts; what is said twice is mended from the other."""
    server = Server(tmp_path / "directory")
    account = server.add_account("victim")[0]
    server.run("group", "add", "staff")
    server.run("group", "add-member", "staff", account)
    path = server.directory / "data" / "mail" / "directory.db"
    with sqlite3.connect(path) as database:
        for table in ("small", "large"):
            database.execute(f"DELETE FROM {table} WHERE key = ?", (b"nstaff@example.test",))
    found = server.run("check", check=False)
    assert found.returncode == FAILED
    assert found.stdout == "directory: wrong: staff@example.test: its name\n"
    assert server.run("check", account).stdout == "all is well\n"
    server.start()
    assert server.run("check", "--repair").returncode == DONE
    assert server.run("check").stdout == "all is well\n"
    assert [row["address"] for row in server.json("group", "members", "staff")] == [account]
    server.stop()
    server.check_log()


# --- passwords stay secret ---

def command_lines():
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield path.read_bytes() + (path.parent / "environ").read_bytes()
        except OSError:
            continue


def test_password_is_nowhere_to_be_read(live):
    """Not in a command line or environment, not in the log, not in the data, in no error."""
    secret = "an unusual secret 7391"
    process = subprocess.Popen([live.bin / "chapar", "-c", live.config, "account", "add", "secret"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env=live.environment())
    process.stdin.write(secret.encode() + b"\n")
    process.stdin.flush()
    seen = b"".join(command_lines())
    output = b"".join(process.communicate())
    account = ("secret@example.test", secret)
    with live.imap(account) as client:
        client.ok("NOOP")
    with live.imap() as client:
        client.command(f'LOGIN "nobody" "{secret}"')
        client.send(f't9 LOGIN "secret" "{secret}" "{secret}"\r\n')
        answer = "".join([client.line()])
    for text in (seen, output, answer.encode(), live.log().encode()):
        assert secret.encode() not in text
    for path in live.directory.rglob("*"):
        if path.is_file() and not path.is_socket():
            assert secret.encode() not in path.read_bytes(), path


# --- chapar status ---

def test_status_without_server(offline):
    result = offline.run("status", check=False)
    assert result.returncode == NOT_RUNNING and "does not run" in result.stderr


def test_status_json(live):
    status = live.json("status")
    roles = [process["role"] for process in status["processes"]]
    assert roles.count("chapard") == 1 and roles.count("chapar-auth") == 1
    assert roles.count("chapar-login") == 1 and roles.count("chapar-send") == 1
    assert roles.count("chapar-session") == len(os.sched_getaffinity(0)) or \
        roles.count("chapar-session") == os.cpu_count()
    for process in status["processes"]:
        assert process["state"] == "ready"
        assert process["crashes"] == 0 and process["restarts"] == 0
        assert process["last_crash"] is None
        assert process["resident_bytes"] > 1 << 20
        os.kill(process["pid"], 0)
    services = {(listener["service"], listener["address"]) for listener in status["listeners"]}
    assert ("imap", f"127.0.0.1:{live.imap_port}") in services
    assert ("imaps", f"127.0.0.1:{live.imaps_port}") in services
    assert ("lmtp", f"127.0.0.1:{live.lmtp_port}") in services
    assert any(service == "lmtp" and address.startswith("unix:") for service, address in services)


def test_status_counts(live):
    """What clients do is seen in the counters, every one of counters.def being there."""
    account = live.fresh_account()
    before = live.json("status")["counters"]
    live.deliver(message(), account[0])
    with live.imap(account) as client:
        client.ok("SELECT INBOX")
        client.command("NONSENSE")
    refused(live, (account[0], "wrong"))
    after = live.json("status")["counters"]
    definitions = (Path(__file__).resolve().parents[2] / "src/base/counters.def").read_text()
    assert set(after) == set(re.findall(r'^COUNTER\(\w+, "(\w+)"', definitions, re.M))
    for name, least in {"lmtp_delivered": 1, "lmtp_transactions": 1, "store_messages": 1,
                        "auth_successes": 1, "auth_failures": 1, "login_connections": 2,
                        "imap_commands": 1, "imap_errors": 1, "session_streams": 2}.items():
        assert after[name] - before[name] >= least, name


def test_status_text(live):
    text = live.run("status").stdout
    for word in ("chapard", "chapar-login", "chapar-auth", "chapar-session", "chapar-send", "filter",
                 str(live.imaps_port), "lmtp_delivered"):
        assert word in text
    assert "None" not in text and "(null)" not in text


# --- chapar config ---

def problems(server, text):
    """What `config check` says of the configuration with these lines at its end."""
    path = server.directory / "wrong.conf"
    good = server.config.read_text()
    path.write_text(good + text)
    result = server.run("-c", path, "config", "check", configured=False, check=False)
    return result, len(good.splitlines())


@pytest.mark.parametrize("text, line, word", [
    ("no_such_option = 1\n", True, "no_such_option"),
    ("message_size = banana\n", True, "message_size"),
    ("message_size = 1\n", True, "message_size"),
    ("login_timeout = 99999\n", True, "login_timeout"),
    ("plaintext_login = perhaps\n", True, "plaintext_login"),
    ("imap_listen = {\"nonsense\"}\n", False, "imap_listen"),
    ("lmtp_listen = {\"192.0.2.1:24\"}\n", False, "lmtp_listen"),
    ("log_level = \"loud\"\n", False, "log_level"),
    ("hostname = \"unfinished\n", True, ""),
], ids=lambda value: str(value).split(" ")[0])
def test_config_check_says_where(offline, text, line, word):
    """File and line; of what several lines make up together, the file."""
    result, lines = problems(offline, text)
    assert result.returncode == FAILED
    where = rf"wrong\.conf:({lines + 1}|{lines + 2}): " if line else r"wrong\.conf: "
    assert re.search(where + f".*{word}", result.stderr), result.stderr


def test_config_check_says_all(offline):
    result, lines = problems(offline, "drain_time = x\nmessage_size = 1\nlogin_timeout = 99999\n")
    for number, word in enumerate(("drain_time", "message_size", "login_timeout"), lines + 1):
        assert re.search(rf"wrong\.conf:{number}\b.*{word}", result.stderr), result.stderr


def test_config_check_good(offline):
    assert offline.run("config", "check").returncode == DONE
    assert offline.json("config", "check")["valid"] is True


def test_config_missing(offline, tmp_path):
    result = offline.run("-c", tmp_path / "none.conf", "config", "check", configured=False,
                         check=False)
    assert result.returncode == MISSING and "none.conf" in result.stderr


def test_config_show_round_trip(offline):
    """What `config show` prints is a configuration with the same meaning."""
    offline.configure(message_size=1234567, log_format="json")
    shown = offline.json("config", "show")
    assert shown["message_size"]["value"] == 1234567
    assert shown["login_timeout"]["value"] == int(shown["login_timeout"]["default"])
    definitions = (Path(__file__).resolve().parents[2] / "src/base/config.def").read_text()
    assert set(shown) == set(re.findall(r"^CONFIG_\w+\((\w+),", definitions, re.M))
    path = offline.directory / "again.conf"
    path.write_text(offline.run("config", "show").stdout)
    again = json.loads(offline.run("--json", "-c", path, "config", "show",
                                   configured=False).stdout)
    assert again == shown


def test_server_does_not_start_with_a_broken_configuration(offline):
    offline.configure(no_such_option=1)
    result = subprocess.run([offline.bin / "chapard", "-c", offline.config], capture_output=True,
                            text=True, env=offline.environment(), timeout=20)
    assert result.returncode != 0
    assert "no_such_option" in result.stderr and "chapar.conf:" in result.stderr


# --- the command itself ---

@pytest.mark.parametrize("arguments", [[], ["frobnicate"], ["account"], ["account", "frobnicate"],
                                       ["account", "add"], ["account", "list", "more"],
                                       ["status", "--colour"], ["config"]], ids=" ".join)
def test_usage(offline, arguments):
    result = offline.run(*arguments, check=False)
    assert result.returncode == USAGE and result.stderr and not result.stdout


@pytest.mark.parametrize("verb", [
    "init", "account add", "account list", "account delete", "account password", "account rename",
    "account show", "domain add", "domain delete", "domain list", "alias add", "alias delete",
    "alias list", "group add", "group delete", "group list", "group add-member",
    "group remove-member", "group members", "undelete list", "undelete messages",
    "undelete mailbox", "purge", "quota get",
    "quota set", "status", "config check", "config show"])
def test_help(offline, verb):
    result = offline.run(*verb.split(), "--help")
    assert verb in result.stdout and len(result.stdout.splitlines()) >= 2
    assert verb in offline.run("--help").stdout


def test_manual_page(offline):
    for page in ("chapar.1", "chapar.conf.5"):
        text = offline.run("manual", page, configured=False).stdout
        assert text.startswith(".") and ".TH" in text
        assert ("keys of one SEARCH" in text) == (page == "chapar.conf.5")


def test_who_may_not(live, tmp_path_factory):
    """Another user may not even reach the admin socket."""
    if os.getuid() != 0:
        pytest.skip("only root can become another user")
    home = tmp_path_factory.mktemp("somebody")
    live.directory.parent.chmod(0o755)
    command = copy_for_everybody(home) / "bin" / "chapar"
    result = subprocess.run([command, "-c", live.config, "status"], capture_output=True, text=True,
                            env=live.environment(), timeout=60, user=65534, group=65534,
                            extra_groups=[], cwd=home)
    assert result.returncode not in (DONE, USAGE)


def test_two_servers_on_one_data_directory(live):
    """The second refuses to start, and the first goes on."""
    result = subprocess.run([live.bin / "chapard", "-c", live.config], capture_output=True,
                            text=True, env=live.environment(), timeout=20)
    assert result.returncode != 0 and result.stderr
    with Imap("127.0.0.1", live.imap_port) as client:
        assert client.line().startswith("* OK")
    assert live.json("status")["processes"]


# --- mailboxes and sharing ---

@pytest.mark.parametrize("which", ["live", "offline"])
def test_mailboxes(which, request):
    server = request.getfixturevalue(which)
    name, _ = server.fresh_account()
    paths = [row["path"] for row in server.json("mailbox", "list", name)]
    assert paths == ["INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash"]
    made = server.json("mailbox", "create", name, "Lists/Übung")
    assert (made["path"], made["messages"], made["subscribed"]) == ("Lists/Übung", 0, True)
    assert server.run("mailbox", "create", name, "Lists/Übung", check=False).returncode == EXISTS
    wrong = server.run("mailbox", "create", name, "a//b", check=False)
    assert wrong.returncode == FAILED and "levels" in wrong.stderr
    assert server.json("mailbox", "create", name, "Stars", "--use", "Flagged")["use"] == "\\Flagged"
    taken = server.run("mailbox", "create", name, "Old", "--use", "\\Archive", check=False)
    assert taken.returncode == EXISTS and "another mailbox has this use" in taken.stderr
    wrong = server.run("mailbox", "create", name, "Old", "--use", "Rubbish", check=False)
    assert wrong.returncode == FAILED and "no such use: Rubbish" in wrong.stderr
    assert server.run("mailbox", "rename", name, "Lists", "L").stdout == "renamed to L\n"
    below = server.run("mailbox", "rename", name, "L", "L/M", check=False)
    assert below.returncode == FAILED and "below itself" in below.stderr
    held = server.run("mailbox", "delete", name, "L", check=False)
    assert held.returncode == FAILED and "below it" in held.stderr
    assert server.run("mailbox", "delete", name, "L/Übung").stdout == "deleted L/Übung\n"
    assert server.run("mailbox", "delete", name, "L/Übung", check=False).returncode == MISSING
    assert server.run("mailbox", "list", "nobody", check=False).returncode == MISSING
    assert [row["path"] for row in server.json("undelete", "list", name)] == ["L/Übung"]


@pytest.mark.parametrize("which", ["live", "offline"])
def test_sharing(which, request):
    server = request.getfixturevalue(which)
    owner, guest, other = (server.fresh_account()[0] for _ in range(3))
    group = "staff-" + owner
    server.run("group", "add", group)
    server.run("group", "add-member", group, other)
    assert server.json("share", "list", owner) == []
    shared = server.json("share", "add", owner, "Sent", guest, "read")
    assert shared == [{"path": "Sent", "with": guest, "rights": "lrs"}]
    server.run("share", "add", owner, "Sent", group, "write")
    server.run("share", "add", owner, "Archive", "anyone", "lr")
    server.run("share", "add", owner, "Archive", group, "r", "--deny")
    assert server.json("share", "list", owner) == [
        {"path": "Archive", "with": "anyone", "rights": "lr"},
        {"path": "Archive", "with": "-" + group, "rights": "r"},
        {"path": "Sent", "with": guest, "rights": "lrs"},
        {"path": "Sent", "with": group, "rights": "lrswiptend"}]
    assert len(server.json("share", "list", owner, "--mailbox", "Sent")) == 2

    def seen(account):
        return {row["path"]: row["rights"] for row in server.json("share", "with", account)
                if row["owner"] == owner}

    assert seen(guest) == {"Archive": "lr", "Sent": "lrs"}
    assert seen(other) == {"Archive": "l", "Sent": "lrswiptend"}
    server.run("group", "remove-member", group, other)
    assert seen(other) == {"Archive": "lr"}
    server.run("share", "remove", owner, "Archive", group, "--deny")
    server.run("share", "remove", owner, "Archive", "anyone")
    assert server.json("share", "remove", owner, "Sent", guest) == [
        {"path": "Sent", "with": group, "rights": "lrswiptend"}]
    assert seen(guest) == seen(other) == {}


@pytest.mark.parametrize("arguments, said", [
    (("Sent", "nobody", "read"), "neither an account nor a group"),
    (("Sent", "OWNER", "read"), "is the owner"),
    (("Sent", "anyone", "lrq"), "letters of RFC 4314"),
    (("Missing", "anyone", "read"), "mailbox Missing"),
])
def test_sharing_refuses(live, arguments, said):
    owner, _ = live.fresh_account()
    refused = live.run("share", "add", owner,
                       *(owner if argument == "OWNER" else argument for argument in arguments),
                       check=False)
    assert refused.returncode in (FAILED, MISSING) and said in refused.stderr


def subjects(server, account, mailbox):
    with server.imap(account) as client:
        client.ok(f'SELECT "{mailbox}"')
        lines = client.ok("FETCH 1:* (BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    return [line.split("Subject: ")[1].split("\r")[0] for line in lines if "Subject: " in line]


def test_a_mailbox_moves_to_another_account(live):
    server = live
    one, other = server.fresh_account(), server.fresh_account()
    for number in range(3):
        server.deliver(message(f"number {number}"), one[0])
    moved = server.json("mailbox", "move", one[0], "INBOX", other[0], "--to", "From/One")
    assert (moved["path"], moved["messages"]) == ("From/One", 3)
    assert [row["messages"] for row in server.json("mailbox", "list", one[0])
            if row["path"] == "INBOX"] == [0]
    assert subjects(server, other, "From/One") == [f"number {number}" for number in range(3)]
    assert server.json("mailbox", "move", other[0], "From/One", one[0])["messages"] == 3
    assert "From/One" not in [row["path"] for row in server.json("mailbox", "list", other[0])]
    assert subjects(server, one, "From/One") == [f"number {number}" for number in range(3)]
    same = server.run("mailbox", "move", one[0], "INBOX", one[0], check=False)
    assert same.returncode == FAILED and "renamed" in same.stderr
    assert server.run("mailbox", "move", one[0], "No", other[0], check=False).returncode == MISSING
    server.run("quota", "set", other[0], "MESSAGE", "2")
    full = server.run("mailbox", "move", one[0], "From/One", other[0], check=False)
    assert full.returncode != DONE and "after 0 messages" in full.stderr
    assert len(subjects(server, one, "From/One")) == 3
