"""Mailboxes of others over IMAP: what is seen, what may be done, and who hears of it."""

import re
import time

import pytest

from harness.server import message


@pytest.fixture
def pair(shared_server):
    """The server, an owner with a mailbox Work, and a guest."""
    owner, guest = shared_server.fresh_account(), shared_server.fresh_account()
    with shared_server.imap(owner) as client:
        client.ok("CREATE Work")
    return shared_server, owner, guest


def share(server, owner, mailbox, guest, rights):
    server.run("share", "add", owner[0], mailbox, guest[0], rights)


def other(owner, mailbox):
    return f'"Other Users/{owner[0]}/{mailbox}"'


def listed(client, *arguments):
    """What LIST says: {name: attributes}."""
    found = {}
    for line in client.ok("LIST " + (" ".join(arguments) or '"" *')):
        match = re.match(r'\* LIST \((.*?)\) "/" "?(.*?)"?$', line)
        if match:
            found[match.group(2)] = set(match.group(1).split())
    return found


def append(client, mailbox, subject, flags=""):
    text = f"Subject: {subject}\r\n\r\nbody\r\n"
    client.ok(f"APPEND {mailbox} ({flags}) {{{len(text)}+}}\r\n{text}")


def fetched_flags(client):
    return [sorted(re.search(r"FLAGS \((.*?)\)", line).group(1).replace("\\Recent", "").split())
            for line in client.ok("FETCH 1:* FLAGS") if "FETCH" in line]


def test_what_is_listed(pair):
    server, owner, guest = pair
    share(server, owner, "Work", guest, "read")
    with server.imap(owner) as client:
        for name in ("Work/A", "Work/A/B", "Work/Hidden/C"):
            client.ok(f"CREATE {name}")
        client.ok(f'DELETEACL Work/Hidden "{guest[0]}"')
    top = f"Other Users/{owner[0]}"
    with server.imap(guest) as client:
        found = listed(client)
        assert found["Other Users"] == found[top] == {
            "\\NonExistent", "\\Noselect", "\\HasChildren"}
        assert found[f"{top}/Work"] == {"\\HasChildren"}
        assert found[f"{top}/Work/A/B"] == {"\\HasNoChildren"}
        assert found[f"{top}/Work/Hidden"] == {"\\NonExistent", "\\Noselect", "\\HasChildren"}
        assert found[f"{top}/Work/Hidden/C"] == {"\\HasNoChildren"}
        assert f"{top}/INBOX" not in found
        assert set(listed(client, '""', "%")) == {
            "INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash", "Other Users"}
        assert set(listed(client, '""', '"Other Users/%"')) == {top}
        assert set(listed(client, f'"{top}/"', "%")) == {f"{top}/Work"}
        assert listed(client, '""', "INBOX") == {"INBOX": {"\\HasNoChildren"}}
        # Subscribing is each user's own.
        client.ok(f"SUBSCRIBE {other(owner, 'Work/A')}")
        assert f"{top}/Work/A" in listed(client, '(SUBSCRIBED) "" *')
        rights = client.ok(f"LIST \"\" {other(owner, 'Work')} RETURN (MYRIGHTS)")
        assert f'* MYRIGHTS "{top}/Work" lrs' in rights
    with server.imap(owner) as client:
        assert "Work/A" not in listed(client, '(SUBSCRIBED) "" *')


def test_a_guest_reads(pair):
    server, owner, guest = pair
    share(server, owner, "Work", guest, "read")
    with server.imap(owner) as client, server.imap(guest) as reader:
        append(client, "Work", "one", "\\Flagged")
        append(client, "Work", "two")
        status = reader.ok(f"STATUS {other(owner, 'Work')} (MESSAGES UNSEEN)")
        assert status[0] == f"* STATUS {other(owner, 'Work')} (MESSAGES 2 UNSEEN 2)"
        lines = reader.ok(f"SELECT {other(owner, 'Work')}")
        assert any("PERMANENTFLAGS (\\Seen)" in line for line in lines)
        assert any("one" in line for line in reader.ok("FETCH 1 BODY[]"))
        assert fetched_flags(reader) == [["\\Flagged", "\\Seen"], []]
        # Seen by the guest is not seen by the owner.
        client.ok("SELECT Work")
        assert fetched_flags(client) == [["\\Flagged"], []]
        client.ok("STORE 2 +FLAGS (\\Seen)")
        reader.ok("NOOP")
        assert fetched_flags(reader) == [["\\Flagged", "\\Seen"], []]
        assert reader.ok("SEARCH UNSEEN")[0].split()[2:] == ["2"]
        for refused in ("STORE 1 +FLAGS (\\Deleted)", "STORE 1 -FLAGS (\\Flagged)",
                        f"SETACL {other(owner, 'Work')} anyone lr",
                        f"GETACL {other(owner, 'Work')}",
                        f"DELETE {other(owner, 'Work')}",
                        f"CREATE {other(owner, 'Work/New')}",
                        f"RENAME {other(owner, 'Work')} {other(owner, 'Job')}"):
            status, _ = reader.command(refused)
            assert status.startswith("NO [NOPERM]"), refused
        status, _ = reader.command(f"APPEND {other(owner, 'Work')} {{1+}}\r\nx")
        assert status.startswith("NO [NOPERM]")


def test_a_guest_writes(pair):
    server, owner, guest = pair
    share(server, owner, "Work", guest, "all")
    with server.imap(owner) as client, server.imap(guest) as writer:
        append(writer, other(owner, "Work"), "from the guest", "\\Seen \\Draft")
        client.ok("SELECT Work")
        assert fetched_flags(client) == [["\\Draft"]]
        writer.ok(f"SELECT {other(owner, 'Work')}")
        assert fetched_flags(writer) == [["\\Draft", "\\Seen"]]
        writer.ok("STORE 1 +FLAGS ($Work)")
        assert "$Work" in fetched_flags(client)[0]
        writer.ok(f"CREATE {other(owner, 'Work/New')}")
        writer.ok(f"RENAME {other(owner, 'Work/New')} {other(owner, 'Work/Old')}")
        status, _ = writer.command(f"RENAME {other(owner, 'Work/Old')} Mine")
        assert status.startswith("NO [CANNOT]")
        assert "Work/Old" in listed(client)
        writer.ok(f"DELETE {other(owner, 'Work/Old')}")
        assert "Work/Old" not in listed(client)
        writer.ok(f'SETACL {other(owner, "Work")} anyone l')
        assert any("anyone l" in line for line in client.ok("GETACL Work"))
        client.ok("DELETEACL Work anyone")  # the other tests' accounts are anyone, too


def test_between_accounts(pair):
    """COPY and MOVE from and to another's mailbox, with what they report."""
    server, owner, guest = pair
    share(server, owner, "Work", guest, "all")
    with server.imap(guest) as client:
        for number in range(3):
            append(client, "INBOX", f"number {number}", "\\Flagged" if number else "\\Seen")
        client.ok("SELECT INBOX")
        status, _ = client.command(f"COPY 1:2 {other(owner, 'Work')}")
        assert re.match(r"OK \[COPYUID \d+ 1:2 1:2\]", status)
        status, lines = client.command(f"MOVE 3 {other(owner, 'Work')}")
        assert any(re.match(r"\* OK \[COPYUID \d+ 3 3\]", line) for line in lines)
        assert "* 3 EXPUNGE" in lines
        status, _ = client.command(f"COPY 1 {other(owner, 'Missing')}")
        assert status.startswith("NO [TRYCREATE]")
        client.ok(f"SELECT {other(owner, 'Work')}")
        assert fetched_flags(client) == [["\\Seen"], ["\\Flagged"], ["\\Flagged"]]
        client.ok("MOVE 1:3 Archive")
        client.ok("SELECT Archive")
        assert fetched_flags(client) == [["\\Seen"], ["\\Flagged"], ["\\Flagged"]]
    with server.imap(owner) as client:
        assert any("(MESSAGES 0)" in line for line in client.ok("STATUS Work (MESSAGES)"))


def test_the_guest_hears_of_arrivals(pair):
    server, owner, guest = pair
    share(server, owner, "Work", guest, "read")
    with server.imap(owner) as client, server.imap(guest) as reader:
        reader.ok(f"SELECT {other(owner, 'Work')}")
        reader.send("i1 IDLE\r\n")
        assert reader.line().startswith("+")
        start = time.monotonic()
        append(client, "Work", "news")
        assert reader.line() == "* 1 EXISTS"
        assert time.monotonic() - start < 5
        reader.wait_for(r"\* 0 RECENT")
        # And of what happens after another mailbox was selected, nothing.
        reader.send("DONE\r\n")
        reader.wait_for(r"i1 OK")
        reader.ok("SELECT INBOX")
        append(client, "Work", "more news")
        assert not any("EXISTS" in line for line in reader.ok("NOOP"))


def test_what_is_taken_back_is_gone_at_once(pair):
    """Directly, and by way of a nested group; also from a mailbox that is selected."""
    server, owner, guest = pair
    inner, outer = f"inner-{owner[0]}", f"outer-{owner[0]}"
    for group, member in ((inner, guest[0]), (outer, inner)):
        server.run("group", "add", group)
        server.run("group", "add-member", group, member)
    share(server, owner, "Work", (outer,), "read")
    with server.imap(owner) as client, server.imap(guest) as reader:
        append(client, "Work", "one")
        reader.ok(f"SELECT {other(owner, 'Work')}")
        server.run("group", "remove-member", outer, inner)
        reader.send("f1 FETCH 1 BODY[]\r\n")
        reader.wait_for(r"\* BYE The selected mailbox is not available any more")
    with server.imap(guest) as reader:
        assert "Other Users" not in listed(reader)
        status, _ = reader.command(f"SELECT {other(owner, 'Work')}")
        assert status.startswith("NO [NONEXISTENT]")
        server.run("group", "add-member", outer, inner)
        reader.ok(f"SELECT {other(owner, 'Work')}")


def test_changes_since(pair):
    """CONDSTORE tells each user of its own \\Seen (RFC 7162, RFC 4314 section 4)."""
    server, owner, guest = pair
    share(server, owner, "Work", guest, "read")
    with server.imap(owner) as client, server.imap(guest) as reader:
        for number in range(3):
            append(client, "Work", str(number))
        lines = reader.ok(f"SELECT {other(owner, 'Work')} (CONDSTORE)")
        modseq = next(int(re.search(r"HIGHESTMODSEQ (\d+)", line).group(1))
                      for line in lines if "HIGHESTMODSEQ" in line)
        reader.ok("STORE 2 +FLAGS (\\Seen)")
        changed = [line for line in reader.ok(f"FETCH 1:* (FLAGS) (CHANGEDSINCE {modseq})")
                   if "FETCH" in line]
        assert len(changed) == 1 and changed[0].startswith("* 2 FETCH")
        client.ok("SELECT Work (CONDSTORE)")
        assert not [line for line in client.ok(f"FETCH 1:* (FLAGS) (CHANGEDSINCE {modseq})")
                    if "FETCH" in line]


def test_delivery_is_the_owners(pair):
    """What others may do does not change where mail goes."""
    server, owner, guest = pair
    share(server, owner, "INBOX", guest, "lr")
    server.deliver(message("hello"), owner[0])
    with server.imap(guest) as reader:
        reader.ok(f"EXAMINE {other(owner, 'INBOX')}")
        assert any("hello" in line for line in reader.ok("FETCH 1 BODY.PEEK[HEADER]"))


def test_several_mailboxes_are_searched(pair):
    """RFC 7377 section 2.2: others' are searched where they may be read, by their names here."""
    server, owner, guest = pair
    with server.imap(owner) as client:
        client.ok("CREATE Work/Secret")
        for mailbox in "Work", "Work/Secret", "INBOX":
            append(client, mailbox, "plans")
    share(server, owner, "Work", guest, "read")
    share(server, owner, "Work/Secret", guest, "l")
    response = (r'\* ESEARCH \(TAG "t\d+" MAILBOX ' + re.escape(other(owner, "Work")) +
                r" UIDVALIDITY \d+\) UID ALL 1$")
    with server.imap(guest) as client:
        client.ok(f"SUBSCRIBE {other(owner, 'Work')}")
        for sources in ('subtree "Other Users"', "subscribed", f"mailboxes {other(owner, 'Work')}",
                        f"mailboxes {other(owner, 'Work').replace(owner[0], owner[0].upper())}"):
            found = [line for line in client.ok(f'ESEARCH IN ({sources}) SUBJECT "plans"')
                     if owner[0] in line]
            assert len(found) == 1 and re.match(response, found[0]), (sources, found)
        client.ok(f"EXAMINE {other(owner, 'Work')}")
        (line,) = client.ok('ESEARCH SUBJECT "plans"')
        assert re.match(response, line)
