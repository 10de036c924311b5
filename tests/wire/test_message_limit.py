"""MESSAGELIMIT and SAVELIMIT (RFC 9738): what a command does of more messages than it may be about, and
how the client is told. The examples are those of section 3.1, with a limit of 10 for one of 1000."""

import re

import pytest

from harness.server import Server

LIMIT, MESSAGES = 10, 25
TEXT = b"Subject: x\r\n\r\n%d\r\n"


def fill(server, count=MESSAGES):
    """A client that has selected a mailbox with this many messages."""
    client = server.imap(server.fresh_account())
    for number in range(count):
        client.append("INBOX", TEXT % number)
    client.ok("SELECT INBOX")
    return client


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    own = Server(tmp_path_factory.mktemp("limit"))
    own.configure(message_limit=LIMIT)
    own.start()
    yield own
    own.stop()
    own.check_log()


@pytest.fixture
def client(server):
    with fill(server) as one:
        yield one


def modseq_of(client, uid):
    return re.search(r"MODSEQ \((\d+)\)", client.ok(f"UID FETCH {uid} MODSEQ")[-1])[1]


def numbers(lines, pattern):
    return [int(found[1]) for line in lines if (found := re.match(pattern, line))]


def test_capability(client):
    (line,) = client.ok("CAPABILITY")
    assert "MESSAGELIMIT=10" in line.split() and "SAVELIMIT" not in line


def test_fetch(client):
    """From the highest on down, and so on from where it has stopped."""
    status, lines = client.command("FETCH 2:24 (UID FLAGS)")
    assert status.startswith("OK [MESSAGELIMIT 10 15] ")
    assert lines == [f"* {n} FETCH (UID {n} FLAGS ())" for n in range(24, 14, -1)]
    status, lines = client.command("UID FETCH 1:14 FLAGS")
    assert status.startswith("OK [MESSAGELIMIT 10 5] ")
    assert numbers(lines, r"\* (\d+) FETCH") == list(range(14, 4, -1))
    status, lines = client.command("UID FETCH 1:4 FLAGS")
    assert status == "OK Fetch completed"
    assert numbers(lines, r"\* (\d+) FETCH") == [1, 2, 3, 4]


def test_as_many_as_the_limit(client):
    for command in ("FETCH 1:10 FLAGS", "STORE 1:10 +FLAGS (x)", "UID SEARCH UID 1:10", "COPY 1:10 INBOX"):
        status, _ = client.command(command)
        assert status.startswith("OK") and "MESSAGELIMIT" not in status, command


def test_fetch_of_gaps_and_changes(client):
    """What is not there does not count; what CHANGEDSINCE passes over does."""
    client.ok("UID STORE 20 +FLAGS (\\Deleted)")
    client.ok("UID EXPUNGE 20")
    modseq = modseq_of(client, 25)
    client.ok("UID STORE 17 +FLAGS (x)")
    client.ok("UID STORE 3 +FLAGS (x)")
    status, lines = client.command("UID FETCH 2:24 UID")
    assert status.startswith("OK [MESSAGELIMIT 10 14] ")
    assert numbers(lines, r"\* \d+ FETCH \(UID (\d+)") == [24, 23, 22, 21, 19, 18, 17, 16, 15, 14]
    status, lines = client.command(f"UID FETCH 1:* FLAGS (CHANGEDSINCE {modseq})")
    assert status.startswith("OK [MESSAGELIMIT 10 15] ")
    assert numbers(lines, r"\* \d+ FETCH \(UID (\d+)") == [17]


def test_fetch_of_expunged_messages(server):
    """EXPUNGEISSUED is in the tagged OK, MESSAGELIMIT in front of it."""
    account = server.fresh_account()
    with server.imap(account) as client, server.imap(account) as other:
        for number in range(MESSAGES):
            client.append("INBOX", TEXT % number)
        client.ok("SELECT INBOX")
        other.ok("SELECT INBOX")
        other.ok("STORE 20 +FLAGS (\\Deleted)")
        other.ok("EXPUNGE")
        status, lines = client.command("FETCH 1:24 UID")
        assert status.startswith("OK [EXPUNGEISSUED] ")
        assert lines[-1].startswith("* NO [MESSAGELIMIT 10 15] ")
        assert numbers(lines, r"\* (\d+) FETCH") == [24, 23, 22, 21, 19, 18, 17, 16, 15]
        status, lines = client.command("STORE 1:24 +FLAGS (x)")
        assert status.startswith("OK [EXPUNGEISSUED] ")
        assert any(line.startswith("* NO [MESSAGELIMIT 10 15] ") for line in lines)


def test_partial(client):
    """As many as are asked for, not as are there, decide; nothing is done of too many."""
    status, lines = client.command("UID FETCH 1:* FLAGS (PARTIAL -1:-11)")
    assert (status.startswith("NO [MESSAGELIMIT 10] "), lines) == (True, [])
    status, lines = client.command("UID FETCH 1:* UID (PARTIAL -10:-1)")
    assert status == "OK Fetch completed"
    assert numbers(lines, r"\* (\d+) FETCH") == list(range(16, 26))
    status, lines = client.command("UID SEARCH RETURN (PARTIAL 1:11) 1:3")
    assert (status.startswith("NO [MESSAGELIMIT 10] "), lines) == (True, [])


def test_search(client):
    """Those that are searched count, not those that match."""
    client.ok("STORE 1:2 +FLAGS (x)")
    status, lines = client.command("SEARCH KEYWORD x")
    assert status.startswith("OK [MESSAGELIMIT 10 16] ") and lines == ["* SEARCH"]
    status, lines = client.command("UID SEARCH UID 2:24 UNDELETED")
    assert status.startswith("OK [MESSAGELIMIT 10 15] ")
    assert lines == ["* SEARCH " + " ".join(map(str, range(15, 25)))]
    status, lines = client.command("UID SEARCH UIDBEFORE 11 KEYWORD x")
    assert (status, lines) == ("OK Search completed", ["* SEARCH 1 2"])
    status, lines = client.command("ESEARCH IN (selected) RETURN (COUNT) ALL")
    assert status.startswith("OK [MESSAGELIMIT 10 16] ") and lines[0].endswith(" COUNT 10")


def test_saved_result_is_cut_off(client):
    status, lines = client.command("UID SEARCH RETURN (SAVE) UID 2:24 UNDELETED")
    assert (status.startswith("OK [MESSAGELIMIT 10 15] "), lines) == (True, [])
    assert client.ok("UID SEARCH RETURN (ALL) $") == [f'* ESEARCH (TAG "t{client.tags}") UID ALL 15:24']


def test_updates_of_a_part_are_none(client):
    lines = client.ok("UID SEARCH RETURN (UPDATE COUNT) ALL")
    assert lines[-1].startswith(f'* NO [NOUPDATE "t{client.tags}"] ')


@pytest.mark.parametrize("command", ("SORT (SUBJECT) UTF-8", "THREAD REFS UTF-8"))
def test_sort_and_thread_need_all(client, command):
    """Section 3.3."""
    status, lines = client.command(f"{command} ALL")
    assert (status.startswith("NO [MESSAGELIMIT 10] "), lines) == (True, [])
    assert client.ok(f"{command} 1:10")


def test_several_mailboxes(client):
    client.ok("CREATE other")
    client.ok("COPY 1:6 other")
    client.ok("CREATE third")
    client.ok("COPY 1:5 third")
    status, lines = client.command('ESEARCH IN (mailboxes ("other" "third")) RETURN (COUNT) ALL')
    assert status.startswith("NO [MESSAGELIMIT 10] ")
    assert client.ok('ESEARCH IN (mailboxes "other") RETURN (COUNT) ALL')[0].endswith(" COUNT 6")


def test_store(client):
    status, lines = client.command("UID STORE 2:24 +FLAGS (\\Seen)")
    assert status.startswith("OK [MESSAGELIMIT 10 15] ")
    assert lines == [f"* {n} FETCH (UID {n} FLAGS (\\Seen))" for n in range(24, 14, -1)]
    assert client.uids("SEEN UID 1:10") == [] and client.uids("SEEN UID 11:20") == list(range(15, 21))
    status, lines = client.command("STORE 2:14 +FLAGS.SILENT (\\Seen)")
    assert (status.startswith("OK [MESSAGELIMIT 10 5] "), lines) == (True, [])
    assert client.uids("SEEN UID 1:10") == [5, 6, 7, 8, 9, 10]


def test_conditional_store(client):
    """MODIFIED is the tagged response's."""
    modseq = modseq_of(client, 25)
    client.ok("UID STORE 17 +FLAGS (x)")
    status, lines = client.command(f"UID STORE 2:24 (UNCHANGEDSINCE {modseq}) +FLAGS (y)")
    assert status.startswith("OK [MODIFIED 17] ")
    assert lines[-1].startswith("* NO [MESSAGELIMIT 10 15] ")
    assert client.uids("KEYWORD y UID 11:20") == [15, 16, 18, 19, 20]


def test_copy(client):
    """All or nothing."""
    status, _ = client.command("UID COPY 2:24 Trash")
    assert status.startswith("NO [MESSAGELIMIT 10 15] ")
    assert client.ok("STATUS Trash (MESSAGES)") == ["* STATUS Trash (MESSAGES 0)"]


def test_move(client):
    """The client repeats UID MOVE until all is moved."""
    status, lines = client.command("UID MOVE 2:24 Archive")
    assert status.startswith("OK [MESSAGELIMIT 10 15] ")
    assert re.match(r"\* OK \[COPYUID \d+ 15:24 1:10\] ", lines[0])
    assert len([line for line in lines if line.endswith(" EXPUNGE")]) == LIMIT
    assert client.command("UID MOVE 2:24 Archive")[0].startswith("OK [MESSAGELIMIT 10 5] ")
    assert client.command("UID MOVE 2:24 Archive")[0].startswith("OK Move completed")
    assert client.uids("UID 1:*") == [1, 25]


def test_modseq_of_a_move(client):
    """HIGHESTMODSEQ is the tagged response's."""
    client.ok("ENABLE CONDSTORE")
    status, lines = client.command("MOVE 2:24 Archive")
    assert status.startswith("OK [HIGHESTMODSEQ ")
    assert any(line.startswith("* NO [MESSAGELIMIT 10 15] ") for line in lines)


def test_uid_expunge(client):
    """Messages with \\Deleted count; EXPUNGE and CLOSE have no limit."""
    for part in ("1:8", "11:17", "20:24"):
        client.ok(f"UID STORE {part} +FLAGS.SILENT (\\Deleted)")
    status, lines = client.command("UID EXPUNGE 1:*")
    assert status.startswith("OK [MESSAGELIMIT 10 13] ")
    assert len(lines) == LIMIT
    status, lines = client.command("UID EXPUNGE 2:*")
    assert status == "OK Expunge completed"
    assert len(lines) == 9
    client.ok("UID STORE 9:* +FLAGS.SILENT (\\Deleted)")
    assert client.uids("UID 1:*") == [1, 9, 10, 18, 19, 25]


def test_expunge_has_no_limit(client):
    for part in ("1:8", "9:16", "17:24"):
        client.ok(f"UID STORE {part} +FLAGS.SILENT (\\Deleted)")
    status, lines = client.command("EXPUNGE")
    assert (status, len(lines)) == ("OK Expunge completed", 24)


def append_several(client, count):
    client.send(b"x APPEND INBOX" + b"".join(b" {%d+}\r\n%s" % (len(TEXT % 1), TEXT % 1) for _ in range(count)) +
                b"\r\n")
    return client.finish("x")[0]


def test_batches(client):
    """RFC 10022: no batch is larger than what a command may be about."""
    assert client.ok("UIDBATCHES 1000") == [f'* UIDBATCHES (TAG "t{client.tags}") 25:16,15:6,5:1']
    assert client.ok("UIDBATCHES 1000 2:2") == [f'* UIDBATCHES (TAG "t{client.tags}") 15:6']


def test_append(client):
    """All or nothing (RFC 3502)."""
    assert append_several(client, LIMIT + 1).startswith("NO [MESSAGELIMIT 10] ")
    assert client.ok("STATUS INBOX (MESSAGES)") == ["* STATUS INBOX (MESSAGES 25)"]
    assert append_several(client, LIMIT).startswith("OK [APPENDUID ")


def test_save_limit(server, tmp_path):
    """SAVELIMIT: nothing but COPY and APPEND."""
    own = Server(tmp_path / "saved")
    own.configure(save_limit=LIMIT)
    own.start()
    try:
        with fill(own) as client:
            (line,) = client.ok("CAPABILITY")
            assert "SAVELIMIT=10" in line.split() and "MESSAGELIMIT" not in line
            assert client.command("UID COPY 2:24 INBOX")[0].startswith("NO [MESSAGELIMIT 10 15] ")
            assert append_several(client, LIMIT + 1).startswith("NO [MESSAGELIMIT 10] ")
            assert len(client.ok("FETCH 1:* UID")) == MESSAGES
            assert len(client.ok("STORE 1:* +FLAGS (\\Deleted)")) == MESSAGES
            assert client.uids() == list(range(1, MESSAGES + 1))
            assert client.command("MOVE 1:12 Archive")[0] == "OK Move completed"
            assert client.command("UID EXPUNGE 13:*")[0] == "OK Expunge completed"
    finally:
        own.stop()
    own.check_log()
