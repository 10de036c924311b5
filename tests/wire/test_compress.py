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


def log_in_again(client, account, already=b""):
    """A client whose compression has ended in both directions behind UNAUTHENTICATE."""
    assert client.inflate.eof
    client.pending = client.inflate.unused_data
    client.deflate = client.inflate = None
    if not already:
        client.login(*account)
    else:
        assert client.line().startswith("z OK")
    (line,) = client.ok("CAPABILITY")
    assert "COMPRESS=DEFLATE" in line
    client.ok("COMPRESS DEFLATE")
    client.compress()
    client.ok("SELECT INBOX")


@pytest.mark.parametrize("flush", [zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH, zlib.Z_FINISH])
@pytest.mark.parametrize("level", [0, 9])
@pytest.mark.parametrize("size", [1, 1 << 16])
@pytest.mark.parametrize("pipelined", [False, True])
def test_ends_with_unauthenticate(shared_server, account, flush, level, size, pipelined):
    """RFC 8437 section 4.1: behind the command the client's bytes are plain, behind its answer the
    server's; however the client ends its stream, and in whatever pieces that comes."""
    with compressed(shared_server, account) as client:
        client.deflate = zlib.compressobj(level, wbits=-15)
        client.ok("NOOP")
        packed = client.deflate.compress(b"u UNAUTHENTICATE\r\n") + client.deflate.flush(flush)
        login = f'z LOGIN "{account[0]}" "{account[1]}"\r\n'.encode() if pipelined else b""
        for start in range(0, len(packed + login), size):
            client.socket.sendall((packed + login)[start:start + size])
        assert client.line() == "u OK Logged out"
        log_in_again(client, account, login)


def test_compressed_behind_unauthenticate(shared_server, account):
    """Nothing else may be compressed behind it."""
    with compressed(shared_server, account) as client:
        client.send("u UNAUTHENTICATE\r\nv NOOP\r\n")
        assert client.line() == "u OK Logged out"
        assert client.line().startswith("* BYE")
