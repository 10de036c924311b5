"""NOTIFY (RFC 5465) across processes and accounts; what one session shows is in imap/notify."""

import re
import statistics
import time

import pytest

from harness.server import Server, message

ROUNDS = 20
BOTH = "MessageNew MessageExpunge"


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Two chapar-session processes: an account's sessions are in one, LMTP comes to either."""
    server = Server(tmp_path_factory.mktemp("notify"))
    server.configure(session_processes=2)
    server.start()
    yield server
    server.stop()
    server.check_log()


@pytest.fixture
def sharing(pair):
    """An owner with the mailboxes Work and Work/Deep, a guest who may read them, and the names of
    both for the guest."""
    owner, guest = pair.fresh_account(), pair.fresh_account()
    with pair.imap(owner) as client:
        client.ok("CREATE Work/Deep")
    for mailbox in "Work", "Work/Deep":
        pair.run("share", "add", owner[0], mailbox, guest[0], "read")
    return pair, owner, guest, f'"Other Users/{owner[0]}/Work"'


def append(client, mailbox):
    client.ok(f"APPEND {mailbox} {{3+}}\r\nx\r\n")


def nothing_more(client):
    assert client.ok("NOOP") == []


def test_delivery_is_told_across_processes(pair):
    """Without IDLE, in the selected mailbox and in others: 50 ms at the most, by the median."""
    accounts = [pair.fresh_account() for _ in range(4)]
    clients = [pair.imap(account) for account in accounts]
    for client in clients[:2]:
        client.ok(f"NOTIFY SET (selected ({BOTH}))")
        client.ok("SELECT INBOX")
    for client in clients[2:]:
        client.ok(f"NOTIFY SET (inboxes ({BOTH}))")
    taken = []
    for number in range(ROUNDS):
        index = number % len(accounts)
        assert not pair.deliver(message(f"number {number}"), accounts[index][0])
        delivered = time.monotonic()
        clients[index].wait_for(r"RECENT" if index < 2 else r"\* STATUS INBOX", 5)
        taken.append(time.monotonic() - delivered)
    for client in clients:
        client.close()
    print(f"told {statistics.median(taken) * 1000:.2f} ms after the delivery's 250")
    assert statistics.median(taken) < 0.05


def test_mailboxes_of_others(sharing):
    """What is shared is watched as what is one's own, by name, below a level, and subscribed."""
    server, owner, guest, work = sharing
    with server.imap(owner) as client, server.imap(guest) as by_name, \
            server.imap(guest) as below, server.imap(guest) as subscribed:
        subscribed.ok(f"SUBSCRIBE {work}")
        by_name.ok(f"NOTIFY SET (mailboxes {work.replace(owner[0], owner[0].upper())} ({BOTH}))")
        lines = below.ok(f'NOTIFY SET STATUS (subtree "Other Users" ({BOTH}))')
        assert len([line for line in lines if line.startswith("* STATUS")]) == 2
        subscribed.ok(f"NOTIFY SET (subscribed ({BOTH}))")
        append(client, "Work")
        for guest_client in by_name, below, subscribed:
            assert guest_client.line() == f"* STATUS {work} (MESSAGES 1 UIDNEXT 2)"
        append(client, "Work/Deep")
        assert below.line().startswith(f"* STATUS {work[:-1]}/Deep\" (MESSAGES 1")
        for guest_client in by_name, below, subscribed:
            nothing_more(guest_client)


def test_selected_mailbox_of_another(sharing):
    server, owner, guest, work = sharing
    with server.imap(owner) as client, server.imap(guest) as reader:
        reader.ok(f"NOTIFY SET (selected ({BOTH})) (personal ({BOTH}))")
        reader.ok(f"SELECT {work}")
        append(client, "Work")
        assert reader.line() == "* 1 EXISTS"
        assert reader.line() == "* 0 RECENT"
        append(client, "INBOX")
        server.deliver(message("own"), guest[0])
        assert reader.line() == "* STATUS INBOX (MESSAGES 1 UIDNEXT 2)"
        nothing_more(reader)


def test_access_comes_and_goes(sharing):
    """RFC 5465 sections 5.4 and 5.9."""
    server, owner, guest, work = sharing
    with server.imap(owner) as client, server.imap(guest) as names, server.imap(guest) as messages:
        names.ok('NOTIFY SET (subtree "Other Users" (MailboxName))')
        messages.ok(f"NOTIFY SET (mailboxes {work} ({BOTH}))")
        client.ok(f'SETACL Work "{guest[0]}" l')
        assert messages.line() == f'* LIST (\\NoAccess \\HasChildren) "/" {work}'
        append(client, "Work")
        nothing_more(messages)
        client.ok(f'SETACL Work "{guest[0]}" lr')
        assert messages.line() == f'* LIST (\\HasChildren) "/" {work}'
        append(client, "Work")
        assert re.match(r"\* STATUS .* \(MESSAGES 2 UIDNEXT 3\)",
                        messages.wait_for("MESSAGES 2", 5)[0])
        nothing_more(names)
        client.ok(f'DELETEACL Work "{guest[0]}"')
        assert messages.line() == f'* LIST (\\NoAccess) "/" {work}'
        assert names.line() == f'* LIST (\\NonExistent \\NoAccess) "/" {work}'
        client.ok(f'SETACL Work "{guest[0]}" lr')
        assert names.line() == f'* LIST (\\HasChildren) "/" {work}'
        messages.wait_for("MESSAGES 2", 5)


def test_somebody_begins_to_share(sharing):
    """The directory is watched: an account that shared nothing before is found."""
    server, owner, guest, _ = sharing
    other = server.fresh_account()
    with server.imap(other) as client, server.imap(guest) as reader:
        reader.ok(f'NOTIFY SET (subtree "Other Users" ({BOTH} MailboxName))')
        client.ok("CREATE Plans")
        client.ok(f'SETACL Plans "{guest[0]}" lr')
        plans = f'"Other Users/{other[0]}/Plans"'
        assert reader.line() == f'* LIST (\\HasNoChildren) "/" {plans}'
        append(client, "Plans")
        assert reader.line() == f"* STATUS {plans} (MESSAGES 1 UIDNEXT 2)"
        client.ok("DELETE Plans")
        assert reader.line() == f'* LIST (\\NonExistent \\NoAccess) "/" {plans}'
        nothing_more(reader)


def test_named_and_not_to_be_read(sharing):
    """RFC 5465 section 3.1: \\NoAccess when it is named; what cannot be listed is passed over."""
    server, owner, guest, work = sharing
    server.run("share", "add", owner[0], "Work/Deep", guest[0], "l")
    deep = f'{work[:-1]}/Deep"'
    with server.imap(guest) as reader:
        lines = reader.ok(f'NOTIFY SET STATUS (mailboxes ({deep} "Other Users/{owner[0]}/INBOX" '
                          f"Missing) ({BOTH}))")
        assert lines == [f'* LIST (\\NoAccess \\HasNoChildren) "/" {deep}']


def test_many_changes_at_once(pair):
    """Two hundred mailboxes made by another session: each is told once, in whatever slices."""
    account = pair.fresh_account()
    with pair.imap(account) as client, pair.imap(account) as other:
        client.ok("NOTIFY SET (personal (MailboxName MessageNew MessageExpunge))")
        for number in range(200):
            other.send(f"c{number} CREATE made-{number}\r\n")
        for number in range(200):
            assert other.line().startswith(f"c{number} OK")
        told = set()
        while len(told) < 200:
            told.add(client.wait_for(r"\* LIST .* made-\d+", 20)[0].split()[-1])
        nothing_more(client)
