"""cyradm, Cyrus' command of administrators, on the mailboxes of who has logged in.

It asks for capabilities before it logs in and never again, so it does not use those that Chapar tells of
afterwards (METADATA, SPECIAL-USE).
"""

import re
import subprocess

import pytest

from harness.server import message

# What cyradm is; its package would bring Cyrus' server along.
CYRADM = ["perl", "-MCyrus::IMAP::Shell", "-e", "shell", "--"]


@pytest.fixture
def cyradm(shared_server, account):
    """Runs commands; returns what each has said, and what went wrong."""
    def run(*commands):
        result = subprocess.run(
            [*CYRADM, "--user", account[0], "--password", account[1], "--auth", "PLAIN", "--cafile",
             shared_server.directory / "tls/certificate.pem", "--port", str(shared_server.imap_port),
             "localhost"], input="\n".join([*commands, "quit", ""]), capture_output=True, text=True,
            timeout=60)
        said = re.split(r"^localhost> .*$", result.stdout, flags=re.MULTILINE)[1:]
        return [text.strip() for text in said[:len(commands)]], result.stderr.strip()
    return run


def good(answer):
    said, wrong = answer
    assert not wrong, wrong
    return said


def test_mailboxes_are_managed(cyradm, shared_server, account):
    listed = good(cyradm("version", "create Work", "create Work/Open", "rename Work/Open Work/Done",
                         "create Gone", "delete Gone", "listmailbox Work*"))
    assert "Chapar" in listed[0]
    assert re.findall(r"(\S+) \(", listed[-1]) == ["Work", "Work/Done"]
    with shared_server.imap(account) as client:
        names = "\n".join(client.ok('LIST "" *'))
        assert "Work/Done" in names and "Open" not in names and "Gone" not in names
    assert "ALREADYEXISTS" in cyradm("create Work")[1]


def test_rights_are_given_and_taken(cyradm, shared_server, account):
    guest = shared_server.fresh_account()
    name = f'"Other Users/{account[0]}/Work"'
    said = good(cyradm("create Work", f"setacl Work {guest[0]} read anyone l", "listacl Work"))
    rights = dict(line.split() for line in said[-1].splitlines())
    assert rights[guest[0]] == "lrs" and rights["anyone"] == "l" and "a" in rights[account[0]]
    with shared_server.imap(account) as client:
        assert client.append("Work", message())[0].startswith("OK")
    with shared_server.imap(guest) as client:
        assert "* 1 EXISTS" in client.ok(f"SELECT {name}")
        assert client.command(r"STORE 1 +FLAGS (\Flagged)")[0].startswith("NO")

    good(cyradm(f"setacl Work {guest[0]} write"))
    with shared_server.imap(guest) as client:
        client.ok(f"SELECT {name}")
        client.ok(r"STORE 1 +FLAGS (\Flagged)")

    said = good(cyradm(f"deleteacl Work {guest[0]} anyone", "listacl Work"))
    assert [line.split()[0] for line in said[-1].splitlines()] == [account[0]]
    with shared_server.imap(guest) as client:
        assert client.command(f"SELECT {name}")[0].startswith("NO")


def test_quotas_are_listed(cyradm, shared_server, account):
    shared_server.run("quota", "set", account[0], "STORAGE", str(1000 * 1024))
    shared_server.deliver(message("fills", "x" * 100_000 + "\r\n"), account[0])
    said = good(cyradm("listquotaroot INBOX"))
    used, limit = re.search(r"STORAGE (\d+)/(\d+)", said[-1]).groups()
    assert int(used) >= 97 and int(limit) == 1000
