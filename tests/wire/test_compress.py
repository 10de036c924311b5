"""COMPRESS=DEFLATE (RFC 4978) with more than a line: long messages both ways, pipelining, damage."""

import random
import zlib

import pytest

from harness.server import message


def compressed(server, account):
    client = server.imap(account)
    client.ok("COMPRESS DEFLATE")
    client.compress()
    return client


@pytest.mark.parametrize("kind", ["text", "noise", "zeros"])
def test_long_messages(shared_server, kind):
    """What compresses well, not at all, and far too well; the session's counts are of what is sent."""
    body = {"text": b"many words and few of them new\r\n" * 60000,
            "noise": random.Random(1).randbytes(1 << 20).hex().encode(),
            "zeros": b"0" * (8 << 20)}[kind]
    text = b"Subject: long\r\n\r\n" + body
    with compressed(shared_server, shared_server.fresh_account()) as client:
        status, _ = client.append("INBOX", text)
        assert status.startswith("OK")
        client.ok("SELECT INBOX")
        for _ in range(2):
            (line,) = client.ok("FETCH 1 BODY.PEEK[]")
            assert text.decode() in line


def test_pipelined_with_the_command(shared_server):
    """What follows the command is compressed already, whether the answer has been seen or not."""
    packer = zlib.compressobj(wbits=-15)
    packed = packer.compress(b"b NOOP\r\n" * 500) + packer.flush(zlib.Z_SYNC_FLUSH)
    with shared_server.imap(shared_server.fresh_account()) as client:
        client.send(b"a COMPRESS DEFLATE\r\n" + packed)
        assert client.line().startswith("a OK")
        client.compress()
        client.deflate = packer
        for _ in range(500):
            assert client.line() == "b OK NOOP completed"
        client.ok("NOOP")


@pytest.mark.parametrize("bytes_", [b"\xff\xff\xff\xff", zlib.compress(b"a NOOP\r\n")])
def test_damaged(shared_server, bytes_):
    with compressed(shared_server, shared_server.fresh_account()) as client:
        client.ok("NOOP")
        client.socket.sendall(bytes_)
        assert client.line() == "* BYE Compressed data cannot be read"
        with pytest.raises(ConnectionError):
            client.line()


def test_end_of_the_stream(shared_server):
    """A client that ends its deflate stream says nothing more."""
    with compressed(shared_server, shared_server.fresh_account()) as client:
        client.socket.sendall(client.deflate.compress(b"a NOOP\r\n") + client.deflate.flush())
        assert client.line().startswith("* BYE")


def test_idle_hears(shared_server):
    account = shared_server.fresh_account()
    with compressed(shared_server, account) as client:
        client.ok("SELECT INBOX")
        client.send("i IDLE\r\n")
        assert client.line() == "+ idling"
        shared_server.deliver(message(), account[0])
        client.wait_for(r"\* 1 EXISTS", 5)
