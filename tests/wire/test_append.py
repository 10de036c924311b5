"""What brings many or large messages in, and shows large ones to who takes ASCII only."""

import re

import pytest

MESSAGES = 1000  # of one APPEND (src/proto/imap/reader.h)
LIMIT = 50 * 1024 * 1024  # message_size


@pytest.fixture
def client(shared_server, account):
    client = shared_server.imap(account)
    yield client
    client.close()


def append_many(client, count):
    client.send("m APPEND INBOX" + "".join(f" {{14+}}\r\nA: {i:04}\r\n\r\nx\r\n" for i in range(count)) + "\r\n")
    return client.finish("m")[0]


def test_as_many_messages_as_are_allowed(client):
    """RFC 3502: all of them or none, and the connection goes on."""
    assert append_many(client, MESSAGES + 1).startswith("BAD")
    client.ok("SELECT INBOX")
    assert client.uids() == []
    assert re.match(rf"OK \[APPENDUID \d+ 1:{MESSAGES}\]", append_many(client, MESSAGES))
    assert client.uids() == list(range(1, MESSAGES + 1))


def large(header, size):
    return header + b"\r\n" + b"0123456789abcdef\r\n" * (size // 18)


def test_large_parts(client):
    """RFC 4469: copied in slices; TOOBIG when the whole is larger than a message may be."""
    message = large(b"Subject: large\r\n", 20 * 1024 * 1024)
    client.ok("APPEND INBOX", message)
    part = 'URL "/INBOX/;UID=1"'
    client.ok(f"APPEND INBOX CATENATE ({part} {part})")
    status, _ = client.command(f"APPEND INBOX CATENATE ({part} {part} {part})")
    assert status.startswith("NO [TOOBIG]"), status
    # All messages of one command together have a limit too.
    two = f" CATENATE ({part} {part})"
    status, _ = client.command("APPEND INBOX" + 6 * two)
    assert status.startswith("NO [LIMIT]"), status
    client.ok("SELECT INBOX")
    assert client.uids() == [1, 2]
    (response,) = client.ok("FETCH 2 BODY.PEEK[]")
    assert (message + message).decode() in response


def test_large_surrogate(shared_server, account, client):
    """RFC 6858: what is not a header is as it was, whichever piece it is fetched in."""
    message = large("Subject: \u00e9\r\nX: \u00e9\r\n".encode(), 3 * 1024 * 1024)
    body = message.split(b"\r\n\r\n", 1)[1]
    client.ok("ENABLE UTF8=ACCEPT")
    client.ok("APPEND INBOX", message)
    with shared_server.imap(account) as other:
        other.ok("SELECT INBOX")
        status, (response,) = other.command("UID FETCH 1 (BODY.PEEK[] BODY.PEEK[]<1000000.50>)")
        assert status.startswith("OK [DOWNGRADED 1]"), status
        surrogate = b"Subject: =?utf-8?B?w6k=?=\r\n\r\n" + body
        assert f"BODY[] {{{len(surrogate)}}}\r\n{surrogate.decode()}" in response
        assert f"BODY[]<1000000> {{50}}\r\n{surrogate[1000000:1000050].decode()})" in response
