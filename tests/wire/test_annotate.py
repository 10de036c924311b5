"""Annotations of messages (RFC 5257) over IMAP: limits, quota, and mailboxes of others."""

import re

import pytest

from harness.server import message

VALUE_MAXIMUM = 65536  # ANNOTATION_VALUE_MAXIMUM
COUNT_MAXIMUM = 64     # MESSAGE_ANNOTATIONS_MAXIMUM


@pytest.fixture
def client(shared_server):
    """Logged in, with two messages in the INBOX, which is selected."""
    with shared_server.imap(shared_server.fresh_account()) as client:
        for _ in range(2):
            client.append("INBOX", message())
        client.ok("SELECT INBOX")
        yield client


def values(client, number, what="* value.priv"):
    """What FETCH says of a message: its ANNOTATION, or None."""
    (line,) = client.ok(f"FETCH {number} ANNOTATION ({what})")
    found = re.search(r"ANNOTATION \((.*)\)\)$", line, re.S)
    return found and found.group(1)


def test_value_maximum(client):
    largest = b"x" * VALUE_MAXIMUM
    client.send(f"a STORE 1 ANNOTATION (/comment (value.priv {{{VALUE_MAXIMUM}+}}\r\n".encode()
                + largest + b"))\r\n")
    assert client.finish("a")[0].startswith("OK")
    assert values(client, 1, "/comment size.priv") == f'/comment (size.priv "{VALUE_MAXIMUM}")'
    client.send(f"b STORE 2 ANNOTATION (/a (value.priv \"1\") /b (value.priv {{{VALUE_MAXIMUM + 1}+}}\r\n"
                .encode() + largest + b"x))\r\n")
    assert client.finish("b")[0].startswith("NO [ANNOTATE TOOBIG]")
    assert values(client, 2) is None
    client.send(f"c APPEND INBOX ANNOTATION (/b (value.priv {{{VALUE_MAXIMUM + 1}+}}\r\n".encode()
                + largest + b"x)) {1+}\r\nm\r\n")
    assert client.finish("c")[0].startswith("NO [ANNOTATE TOOBIG]")
    assert "* 3 EXISTS" not in client.ok("NOOP")


def entries(first, end, value='"1"', scope="priv"):
    return " ".join(f"/e{i:03} (value.{scope} {value})" for i in range(first, end))


def test_count_maximum(client):
    """So many private ones, and as many shared ones; a message that has too many keeps what it has."""
    client.ok(f"STORE 1 ANNOTATION ({entries(0, COUNT_MAXIMUM)})")
    client.ok(f"STORE 1 ANNOTATION ({entries(0, COUNT_MAXIMUM, scope='shared')})")
    for change in ('/more (value.priv "1")', '/e000 (value.priv "2") /more (value.shared "1")'):
        status, _ = client.command(f"STORE 1 ANNOTATION ({change})")
        assert status.startswith("NO [ANNOTATE TOOMANY]")
    assert values(client, 1, "/e000 value.priv") == '/e000 (value.priv "1")'
    client.ok('STORE 1 ANNOTATION (/e000 (value.priv NIL) /more (value.priv "1"))')
    status, _ = client.command(f"STORE 2 ANNOTATION ({entries(0, COUNT_MAXIMUM + 1)})")
    assert status.startswith("NO [ANNOTATE TOOMANY]")
    client.send(f"c APPEND INBOX ANNOTATION ({entries(0, COUNT_MAXIMUM + 1)}) {{1+}}\r\nm\r\n")
    assert client.finish("c")[0].startswith("NO [ANNOTATE TOOMANY]")
    assert values(client, 2) is None


def test_all_of_a_large_message(client):
    """8 MiB of values are told in one response, which goes out in pieces."""
    value = b"x" * VALUE_MAXIMUM
    for scope in ("priv", "shared"):
        for i in range(COUNT_MAXIMUM):
            client.send(f"a STORE 1 ANNOTATION (/e{i:03} (value.{scope} {{{VALUE_MAXIMUM}+}}\r\n"
                        .encode() + value + b"))\r\n")
            assert client.finish("a")[0].startswith("OK")
    (line,) = client.ok("FETCH 1 (FLAGS ANNOTATION (* (value size)) UID)")
    assert line.count("x" * VALUE_MAXIMUM) == 2 * COUNT_MAXIMUM
    assert line.endswith(f'size.shared "{VALUE_MAXIMUM}")) UID 1)')
    assert client.ok('SEARCH ANNOTATION * value "xx"') == ["* SEARCH 1"]


def test_quota(shared_server):
    account = shared_server.fresh_account()
    shared_server.run("quota", "set", account[0], "ANNOTATION-STORAGE", "1K")
    with shared_server.imap(account) as client:
        client.append("INBOX", message())
        client.ok("SELECT INBOX")
        status, _ = client.command(f'STORE 1 ANNOTATION (/comment (value.priv "{"x" * 1100}"))')
        assert status.startswith("NO [OVERQUOTA]")
        client.ok(f'STORE 1 ANNOTATION (/comment (value.priv "{"x" * 900}"))')
        assert client.command("COPY 1 INBOX")[0].startswith("NO [OVERQUOTA]")


def test_another_session_tells_many(shared_server):
    """Many messages at once, with names of body parts: each is told once."""
    account = shared_server.fresh_account()
    with shared_server.imap(account) as watcher, shared_server.imap(account) as client:
        for _ in range(600):
            client.append("INBOX", message())
        watcher.ok("SELECT INBOX (ANNOTATE)")
        client.ok("SELECT INBOX")
        client.ok('STORE 1:* ANNOTATION (/1/comment (value.shared "x"))')
        told = [line for line in watcher.ok("NOOP") if "ANNOTATION (/1/comment)" in line]
        assert len(told) == 600
        assert client.command('STORE 1:* ANNOTATION (/2/comment (value.shared "x"))')[0].startswith("BAD")
        assert not [line for line in watcher.ok("NOOP") if "FETCH" in line]


# --- mailboxes of others (section 3.4) ---


@pytest.fixture
def pair(shared_server):
    """An owner with a mailbox that has a message, and a guest; and how to share it."""
    owner, guest = shared_server.fresh_account(), shared_server.fresh_account()
    with shared_server.imap(owner) as client:
        client.ok("CREATE Work")
        client.append("Work", message())
        client.ok("SELECT Work")
        client.ok('STORE 1 ANNOTATION (/comment (value.priv "owner\'s" value.shared "all\'s"))')
    return shared_server, owner, guest


def test_who_may_read(pair):
    """Private ones may be set, whatever other rights there are; shared ones may not."""
    server, owner, guest = pair
    work = f'"Other Users/{owner[0]}/Work"'
    server.run("share", "add", owner[0], "Work", guest[0], "lr")
    with server.imap(guest) as client:
        assert any("[ANNOTATIONS 65536]" in line for line in client.ok(f"SELECT {work}"))
        assert values(client, 1, "* value") == '/comment (value.priv NIL value.shared "all\'s")'
        client.ok('STORE 1 ANNOTATION (/comment (value.priv "guest\'s"))')
        status, _ = client.command('STORE 1 ANNOTATION (/x (value.priv "1" value.shared "1"))')
        assert status.startswith("NO [NOPERM]")
        assert values(client, 1, "* value") == \
            '/comment (value.priv "guest\'s" value.shared "all\'s")'
        # Section 4.6: one's own, and the shared ones.
        client.ok("COPY 1 INBOX")
        client.ok("SELECT INBOX")
        assert "/comment (value.priv \"guest's\"" in values(client, 1, "* value")
    with server.imap(owner) as client:
        client.ok("SELECT Work")
        assert values(client, 1, "* value") == \
            '/comment (value.priv "owner\'s" value.shared "all\'s")'


def test_who_may_annotate(pair):
    server, owner, guest = pair
    work = f'"Other Users/{owner[0]}/Work"'
    server.run("share", "add", owner[0], "Work", guest[0], "lrin")
    with server.imap(guest) as client, server.imap(owner) as watcher:
        watcher.ok("SELECT Work (ANNOTATE)")
        client.ok(f"SELECT {work}")
        client.ok('STORE 1 ANNOTATION (/comment (value.shared "new"))')
        assert "* 1 FETCH (UID 1 FLAGS () ANNOTATION (/comment))" in watcher.ok("NOOP")
        # What another sets for himself alone is not named.
        client.ok('STORE 1 ANNOTATION (/comment (value.priv "mine"))')
        assert "* 1 FETCH (UID 1 FLAGS ())" in watcher.ok("NOOP")
        client.send(f"a APPEND {work} ANNOTATION (/comment (value.shared \"x\")) {{1+}}\r\nm\r\n")
        assert client.finish("a")[0].startswith("OK")
        watcher.ok(f'SETACL Work "{guest[0]}" lri')
        client.send(f"b APPEND {work} ANNOTATION (/comment (value.shared \"x\")) {{1+}}\r\nm\r\n")
        assert client.finish("b")[0].startswith("NO [NOPERM]")
        # Copied where shared ones may not be set, they stay behind.
        client.append("INBOX", message())
        client.ok("SELECT INBOX")
        client.ok('STORE 1 ANNOTATION (/comment (value.shared "s" value.priv "p"))')
        client.ok(f"COPY 1 {work}")
        client.ok(f"SELECT {work}")
        assert values(client, 3, "* value") == '/comment (value.priv "p" value.shared NIL)'
