"""cyradm, Cyrus' command of administrators: on the mailboxes of who has logged in, and, of an
administrator, on everybody's.

It asks for capabilities before it logs in and never again.
"""

import re
import subprocess

import pytest

from harness.server import message

# What cyradm is; its package would bring Cyrus' server along.
CYRADM = ["perl", "-MCyrus::IMAP::Shell", "-e", "shell", "--"]


def runner(server, account):
    """Runs commands; returns what each has said, and what went wrong."""
    def run(*commands):
        result = subprocess.run(
            [*CYRADM, "--user", account[0], "--password", account[1], "--auth", "PLAIN", "--cafile",
             server.directory / "tls/certificate.pem", "--port", str(server.imap_port),
             "localhost"], input="\n".join([*commands, "quit", ""]), capture_output=True, text=True,
            timeout=60)
        said = re.split(r"^localhost> .*$", result.stdout, flags=re.MULTILINE)[1:]
        return [text.strip() for text in said[:len(commands)]], result.stderr.strip()
    return run


@pytest.fixture
def cyradm(shared_server, account):
    return runner(shared_server, account)


@pytest.fixture
def administrator(shared_server):
    return runner(shared_server, shared_server.administrator())


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


# --- as an administrator ---

def test_mailboxes_of_others_are_managed(administrator, shared_server, account):
    top = f"Other Users/{account[0]}"
    said = good(administrator(
        f'createmailbox "{top}/Work"', f'createmailbox "{top}/Work/Open"',
        f'renamemailbox "{top}/Work/Open" "{top}/Work/Done"', f'createmailbox "{top}/Gone"',
        f'deletemailbox "{top}/Gone"', f'listmailbox "{top}/*"'))
    assert f"{top}/Work/Done" in said[-1] and "Open" not in said[-1] and "Gone" not in said[-1]
    with shared_server.imap(account) as client:
        names = "\n".join(client.ok('LIST "" *'))
        assert "Work/Done" in names and "Open" not in names and "Gone" not in names
    nobody = f"Other Users/nobody@{shared_server.domain}"
    assert "chapar account add" in administrator(f'createmailbox "{nobody}"')[1]
    assert "chapar account delete" in administrator(f'deletemailbox "{top}/INBOX"')[1]


def test_special_uses_are_shown_and_given(administrator):
    said = good(administrator(r'createmailbox --specialuse \\Flagged Important',
                              "listmailbox --specialuse", "deletemailbox Important"))
    assert "Important" in said[1] and "\\Flagged" in said[1] and "INBOX" not in said[1]


def test_rights_to_others_are_given_and_taken(administrator, shared_server, account):
    guest, root = shared_server.fresh_account(), shared_server.administrator()
    inbox = f"Other Users/{account[0]}/INBOX"
    shared_server.deliver(message("hello"), account[0])
    said = good(administrator(f'setaclmailbox "{inbox}" {guest[0]} read {root[0]} lr',
                              f'listaclmailbox "{inbox}"'))
    rights = dict(line.split() for line in said[-1].splitlines())
    assert rights[guest[0]] == "lrs" and rights[root[0]] == "lr" and "a" in rights[account[0]]
    with shared_server.imap(guest) as client:
        assert "* 1 EXISTS" in client.ok(f'SELECT "{inbox}"')
    said = good(administrator(f'deleteaclmailbox "{inbox}" {guest[0]} {root[0]}',
                              f'listaclmailbox "{inbox}"'))
    assert [line.split()[0] for line in said[-1].splitlines()] == [account[0]]
    with shared_server.imap(guest) as client:
        assert client.command(f'SELECT "{inbox}"')[0].startswith("NO")


def test_quotas_are_set(administrator, cyradm, shared_server, account):
    root = f"Other Users/{account[0]}"
    shared_server.deliver(message("fills", "x" * 100_000 + "\r\n"), account[0])
    said = good(administrator(f'setquota "{root}" 1000', f'listquota "{root}"',
                              f'listquotaroot "{root}/INBOX"'))
    used, limit = re.search(r"STORAGE (\d+)/(\d+)", said[1]).groups()
    assert int(used) >= 97 and int(limit) == 1000
    assert f"{used}/1000" in said[2]
    assert "1000" in good(cyradm("listquotaroot INBOX"))[0]
    # One limit at a time: between two cyradm leaves out the space, and the second takes the first away.
    good(administrator(f'setquota "{root}" MESSAGE 7'))
    with shared_server.imap(account) as client:
        assert "(MESSAGE 1 7)" in client.ok('GETQUOTA ""')[0]
    good(administrator(f'setquota "{root}" none'))
    with shared_server.imap(account) as client:
        assert client.command('GETQUOTA ""')[0].startswith("NO [NONEXISTENT]")
    assert "Only administrators" in cyradm('setquota "" 1000')[1]


def test_annotations_are_set_and_shown(administrator, shared_server, account):
    inbox = f"Other Users/{account[0]}/INBOX"
    said = good(administrator(f'mboxconfig "{inbox}" comment "for_all"',
                              f'mboxconfig --private "{inbox}" comment mine',
                              f'mboxconfig "{inbox}" expire 30',
                              f'info "{inbox}"', f'mboxconfig "{inbox}" expire none',
                              f'info "{inbox}"'))
    assert "comment: for_all" in said[3] and "comment: mine" in said[3] and "expire: 30" in said[3]
    assert "expire" not in said[5] and "comment: for_all" in said[5]
    with shared_server.imap(account) as client:
        assert '"for_all"' in "".join(client.ok("GETMETADATA INBOX /shared/comment"))
        assert "mine" not in "".join(client.ok("GETMETADATA INBOX /private/comment"))


def test_annotations_of_the_server_are_set_and_shown(administrator, cyradm):
    said = good(administrator("setinfo motd Welcome", "setinfo comment here", "info",
                              "setinfo motd none", "setinfo comment none", "info"))
    assert "{Server Wide}" in said[2] and "motd: Welcome" in said[2] and "comment: here" in said[2]
    assert "Welcome" not in said[5]
    assert "Permission denied" in cyradm("setinfo motd Mine")[1]


def test_who_is_no_administrator_is_refused(cyradm, shared_server):
    other = f"Other Users/{shared_server.fresh_account()[0]}"
    assert "No such mailbox" in cyradm(f'listaclmailbox "{other}/INBOX"')[1]
    assert "Permission denied" in cyradm(f'createmailbox "{other}/New"')[1]
    assert "No such mailbox" in cyradm(f'mboxconfig "{other}/INBOX" comment x')[1]
    assert good(cyradm(f'listmailbox "{other}*"')) == [""]
