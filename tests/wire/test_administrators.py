"""Administrators over IMAP: who is one, what that gives, and what it leaves in the log."""

import re
import signal

import pytest

from harness.server import message


def other(account, mailbox):
    return f'"Other Users/{account[0]}/{mailbox}"'


def refused(client, command):
    status, lines = client.command(command)
    assert status.startswith("NO"), status
    return status


@pytest.fixture
def administrator(shared_server):
    with shared_server.imap(shared_server.administrator()) as client:
        yield client


def names(lines):
    return [match.group(1) for match in (re.search(r'"/" "?(.*?)"?$', line) for line in lines)
            if match]


# Everything that an administrator does to others' accounts.
DEEDS = ["CREATE {new}", "RENAME {work} {new}", "DELETE {work}", "SETACL {work} {me} lrswipkxtea",
         "DELETEACL {work} {me}", "GETACL {work}", "MYRIGHTS {work}", "LISTRIGHTS {work} {me}",
         "GETQUOTAROOT {work}", 'GETQUOTA "Other Users/{owner}"',
         'SETQUOTA "Other Users/{owner}" (STORAGE 1000000)', "GETMETADATA {work} /shared/comment",
         'SETMETADATA {work} (/shared/comment "x")', "SUBSCRIBE {work}"]


def test_who_is_none_may_nothing(shared_server, account):
    """And does not learn whether there is such an account."""
    stranger = shared_server.fresh_account()
    with shared_server.imap(stranger) as client:
        client.ok("CREATE Work")
    with shared_server.imap(account) as client:
        assert "QUOTASET" not in client.ok("CAPABILITY")[0]
        for deed in DEEDS:
            def of(owner):
                return deed.format(work=other((owner,), "Work"), new=other((owner,), "New"),
                                   me=account[0], owner=owner)
            there = refused(client, of(stranger[0]))
            assert there == refused(client, of(f"nobody@{shared_server.domain}")), deed
            assert "chapar" not in there
        assert "NOPERM" in refused(client, 'SETQUOTA "" (STORAGE 1000000)')
        assert not [line for line in client.ok('LIST "" *') if stranger[0] in line]
    with shared_server.imap(stranger) as client:
        assert names(client.ok('LIST "" Work*')) == ["Work"]


def test_no_right_to_messages(shared_server, administrator):
    """Whatever leads to messages is refused, from any side."""
    owner = shared_server.fresh_account()
    with shared_server.imap(owner) as client:
        assert client.append("INBOX", message("secret"))[0].startswith("OK")
        client.ok("CREATE Work")
    inbox, root = other(owner, "INBOX"), shared_server.administrator()
    for command in [f"SELECT {inbox}", f"EXAMINE {inbox}", f"STATUS {inbox} (MESSAGES UNSEEN)",
                    f"RENAME {inbox} {other(owner, 'Taken')}"]:
        assert "NOPERM" in refused(administrator, command)
    assert "NOPERM" in administrator.append(inbox, message())[0]
    administrator.ok("SELECT INBOX")
    assert administrator.append("INBOX", message("mine"))[0].startswith("OK")
    administrator.ok("NOOP")
    assert "NOPERM" in refused(administrator, f"COPY 1 {inbox}")
    assert "NOPERM" in refused(administrator, f"MOVE 1 {inbox}")
    found = administrator.ok('ESEARCH IN (mailboxes {}) SUBJECT secret'.format(inbox))
    assert not [line for line in found if "ESEARCH" in line and "ALL" in line]
    assert not [line for line in administrator.ok(f'LIST "" {inbox} RETURN (STATUS (MESSAGES))')
                if "STATUS" in line]
    url = f"imap://{owner[0].replace('@', '%40')}@{shared_server.hostname}/INBOX/;UID=1"
    assert "secret" not in "".join(administrator.command(f'URLFETCH "{url}"')[1])
    # What is taken from everybody is taken from it, but for its four rights.
    with shared_server.imap(owner) as client:
        client.ok(f"SETACL INBOX {root[0]} lr")
        client.ok("SETACL INBOX -anyone lrswipkxtea")
    assert "NOPERM" in refused(administrator, f"SELECT {inbox}")
    assert "lkxac" in administrator.ok(f"MYRIGHTS {inbox}")[0]


def test_it_can_give_itself_a_right_which_is_seen(shared_server, administrator):
    owner, root = shared_server.fresh_account(), shared_server.administrator()
    with shared_server.imap(owner) as client:
        assert client.append("INBOX", message("secret"))[0].startswith("OK")
    inbox = other(owner, "INBOX")
    administrator.ok(f"SETACL {inbox} {root[0]} lr")
    assert "* 1 EXISTS" in administrator.ok(f"EXAMINE {inbox}")
    with shared_server.imap(owner) as client:
        assert f"{root[0]} lr" in client.ok("GETACL INBOX")[0]
        client.ok(f"DELETEACL INBOX {root[0]}")
    administrator.ok("UNSELECT")
    assert "NOPERM" in refused(administrator, f"EXAMINE {inbox}")


def test_every_account_is_listed(shared_server, administrator):
    accounts = [shared_server.fresh_account() for _ in range(3)]
    with shared_server.imap(accounts[0]) as client:
        client.ok("CREATE Work/Deep")
    listed = names(administrator.ok('LIST "" *'))
    assert len(listed) == len(set(listed))
    for account in accounts:
        assert f"Other Users/{account[0]}" in listed
        assert f"Other Users/{account[0]}/INBOX" in listed
    assert f"Other Users/{accounts[0][0]}/Work/Deep" in listed
    assert f"Other Users/{shared_server.administrator()[0]}" not in listed
    assert "INBOX" in listed
    levels = names(administrator.ok('LIST "Other Users/" %'))
    assert {f"Other Users/{account[0]}" for account in accounts} <= set(levels)
    assert levels == sorted(set(levels))
    assert not [name for name in levels if name.count("/") > 1]
    assert names(administrator.ok('LIST "" %')).count("Other Users") == 1
    deep = names(administrator.ok('LIST "" "*Deep"'))
    assert f"Other Users/{accounts[0][0]}/Work/Deep" in deep


def test_shared_accounts(shared_server, administrator):
    """They are below Shared/, and nowhere else."""
    address = f"team@{shared_server.domain}"
    shared_server.run("account", "add", "--shared", address)
    administrator.ok(f'CREATE "Shared/{address}/Plans"')
    listed = names(administrator.ok('LIST "" *'))
    assert {"Shared", f"Shared/{address}", f"Shared/{address}/Plans"} <= set(listed)
    assert len(listed) == len(set(listed)) and f"Other Users/{address}" not in listed
    assert set(names(administrator.ok('LIST "" %'))) >= {"Shared", "Other Users", "INBOX"}
    assert names(administrator.ok('LIST "" Share%')) == ["Shared"]
    assert f"* QUOTA \"Shared/{address}\" (MESSAGE 0 9)" in administrator.ok(
        f'SETQUOTA "Shared/{address}" (MESSAGE 9)')
    for name in (f"Other Users/{address}/Plans", f"Other Users/{address}"):
        assert "NONEXISTENT" in refused(administrator, f'DELETE "{name}"')
        assert "NONEXISTENT" in refused(administrator, f'SETQUOTA "{name}" (MESSAGE 9)')
    administrator.ok(f'DELETE "Shared/{address}/Plans"')


def test_annotations_of_any_mailbox(shared_server, administrator):
    owner = shared_server.fresh_account()
    inbox = other(owner, "INBOX")
    administrator.ok(f'SETMETADATA {inbox} (/shared/comment "in" /private/comment "mine")')
    with shared_server.imap(owner) as client:
        told = client.ok("GETMETADATA INBOX (/shared/comment /private/comment)")[0]
        assert '/shared/comment "in"' in told and "mine" not in told
        client.ok('SETMETADATA INBOX (/private/comment "the owner\'s")')
    told = administrator.ok(f"GETMETADATA {inbox} (/shared/comment /private/comment)")[0]
    assert '"in"' in told and '"mine"' in told and "owner" not in told


def test_annotations_of_the_server(shared_server, administrator, account):
    """Everybody sees them, and who has asked for it by NOTIFY hears of them; only administrators set them."""
    with shared_server.imap(account) as client:
        client.ok("NOTIFY SET (personal (ServerMetadataChange))")
        administrator.ok('SETMETADATA "" (/shared/comment "for all")')
        try:
            assert client.line() == '* METADATA "" /shared/comment'
            assert '"for all"' in client.ok('GETMETADATA "" /shared/comment')[0]
            assert "NOPERM" in refused(client, 'SETMETADATA "" (/shared/comment NIL)')
            assert "NOPERM" in refused(client, 'SETMETADATA "" (/shared/comment "x" /private/comment "x")')
            client.ok('SETMETADATA "" (/private/comment "mine")')
        finally:
            administrator.ok('SETMETADATA "" (/shared/comment NIL)')
        assert client.line() == '* METADATA "" /shared/comment'
        assert "NIL" in client.ok('GETMETADATA "" /shared/comment')[0]
    assert re.search(r'event=administered user=root@\S+ client=127.0.0.1 command=SETMETADATA mailbox="" '
                     "detail=/shared/comment", shared_server.log())


def test_what_it_does_is_logged(shared_server, administrator):
    owner, root = shared_server.fresh_account(), shared_server.administrator()
    work = other(owner, "Work")
    for command in [f"CREATE {work}", f"SETACL {work} {root[0]} +lr", f"DELETEACL {work} {root[0]}",
                    f"RENAME {work} {other(owner, 'Done')}",
                    f'SETQUOTA "Other Users/{owner[0]}" (MESSAGE 9 STORAGE 70)',
                    f'SETMETADATA {other(owner, "Done")} (/shared/comment "not for the log")',
                    f"DELETE {other(owner, 'Done')}", "CREATE Mine", "DELETE Mine"]:
        administrator.ok(command)
    refused(administrator, f"DELETE {other(owner, 'INBOX')}")
    said = [line for line in shared_server.log().splitlines()
            if "event=administered" in line and owner[0] in line]
    assert all(f"user={root[0]}" in line and "client=127.0.0.1" in line for line in said)
    top = f"Other Users/{owner[0]}"
    assert [re.search(r'command=(\S+) mailbox="(.*?)" detail=(.*)$', line).groups()
            for line in said] == [
        ("CREATE", f"{top}/Work", '""'), ("SETACL", f"{top}/Work", f'"{root[0]} +lr"'),
        ("DELETEACL", f"{top}/Work", root[0]), ("RENAME", f"{top}/Work", f'"{top}/Done"'),
        ("SETQUOTA", top, '"MESSAGE 9 STORAGE 70"'), ("SETMETADATA", f"{top}/Done", "/shared/comment"),
        ("DELETE", f"{top}/Done", '""')]
    assert "not for the log" not in shared_server.log()


def test_a_reload_ends_who_is_no_administrator_any_more(server):
    """Names in any spelling; and whoever has logged in before goes on as what he is."""
    server.configure(administrators=["Chief", "no address@"])
    server.start()
    chief, owner = server.add_account("chief"), server.add_account("owner")
    client, bystander = server.imap(chief), server.imap(owner)
    client.ok(f"CREATE {other(owner, 'Work')}")

    server.configure(administrators=[owner[0].upper()])
    server.process.send_signal(signal.SIGHUP)
    server.wait_for_log("event=reloaded")
    assert "BYE" in client.line()
    client.close()
    bystander.ok("NOOP")
    assert "QUOTASET" not in bystander.ok("CAPABILITY")[0]
    bystander.close()
    with server.imap(chief) as client:
        assert "QUOTASET" not in client.ok("CAPABILITY")[0]
        assert "NOPERM" in refused(client, f"CREATE {other(owner, 'More')}")
        assert not [line for line in client.ok('LIST "" *') if "Other Users" in line]
    with server.imap(owner) as client:
        assert "QUOTASET" in client.ok("CAPABILITY")[0]
        client.ok(f"CREATE {other(chief, 'More')}")


def test_only_administrators_share_with_anyone(server):
    """With share_with_anyone off; by default everybody may (tests/wire/imap/acl/acl.dialogue)."""
    server.configure(share_with_anyone=False)
    server.start()
    owner, guest, root = server.add_account("owner"), server.add_account("guest"), server.administrator()
    with server.imap(owner) as client:
        client.ok("CREATE Work")
        client.ok("CREATE News")
        for identifier in ("anyone", "anonymous"):
            status = refused(client, f"SETACL Work {identifier} lr")
            assert "NOPERM" in status and "administrators" in status
        client.ok("SETACL Work -anyone r")
        client.ok(f"SETACL Work {guest[0]} l")
    with server.imap(root) as client:
        client.ok(f"SETACL {other(owner, 'News')} anyone lr")
    server.run("share", "add", owner[0], "Work", "anyone", "l")
    with server.imap(guest) as client:
        assert f"Other Users/{owner[0]}/News" in names(client.ok('LIST "" *'))
    with server.imap(owner) as client:
        assert "anyone l" in client.ok("GETACL Work")[0]
        client.ok("SETACL News anyone -r")
        client.ok("DELETEACL Work anyone")
        client.ok("DELETEACL News anyone")
    with server.imap(guest) as client:
        assert f"Other Users/{owner[0]}/News" not in names(client.ok('LIST "" *'))
