"""POP3 beyond single dialogues: what QUIT changes, limits, big maildrops, and others at work."""

import poplib
import re
import socket
import time

import pytest

from harness.server import Server, message
from harness.wait import wait_until


def deliver(server, account, *subjects):
    for subject in subjects:
        assert not server.deliver(message(subject), account[0])


def unique_ids(client):
    return [line.decode().split()[1] for line in client.uidl()[1]]


def flags(server, account):
    with server.imap(account) as client:
        client.ok("SELECT INBOX")
        return [re.search(r"FLAGS \((.*?)\)", line).group(1).replace("\\Recent", "").strip()
                for line in client.ok("FETCH 1:* FLAGS") if "FETCH" in line]


def test_quit_removes_what_is_marked(shared_server, account):
    """RFC 1939 section 6: QUIT removes; a session that ends otherwise removes nothing."""
    deliver(shared_server, account, "one", "two", "three")
    client = shared_server.pop3(account)
    kept = unique_ids(client)
    client.dele(2)
    client.retr(3)
    client.close()
    client = shared_server.pop3(account)
    assert unique_ids(client) == kept
    client.dele(2)
    client.retr(1)
    client.quit()
    client = shared_server.pop3(account)
    assert unique_ids(client) == [kept[0], kept[2]]
    client.quit()
    assert flags(shared_server, account) == ["\\Seen", ""]


def test_unique_ids_outlive_a_restart(server):
    server.start()
    account = server.add_account("alice")
    deliver(server, account, "one", "two")
    client = server.pop3(account)
    before = unique_ids(client)
    client.close()
    server.stop()
    server.start()
    client = server.pop3(account)
    assert unique_ids(client) == before
    client.quit()


def test_what_others_remove_is_gone(shared_server, account):
    """There is no lock: numbers stay, a message that was removed by IMAP is said to have gone."""
    deliver(shared_server, account, "one", "two", "three")
    client = shared_server.pop3(account)
    with shared_server.imap(account) as other:
        other.ok("SELECT INBOX")
        other.ok("STORE 2 +FLAGS (\\Deleted)")
        other.ok("EXPUNGE")
    deliver(shared_server, account, "four")
    with pytest.raises(poplib.error_proto, match="gone meanwhile"):
        client.retr(2)
    with pytest.raises(poplib.error_proto, match="gone meanwhile"):
        client.dele(2)
    with pytest.raises(poplib.error_proto, match="No such message"):
        client.retr(4)
    assert [line.split()[0] for line in client.list()[1]] == [b"1", b"3"]
    assert b"Subject: three" in client.retr(3)[1]
    client.quit()


def test_a_large_message_comes_whole(shared_server, account):
    lines = [f".{number} " + "x" * 60 for number in range(60000)]
    sent = message("large", "".join(line + "\r\n" for line in lines))
    assert not shared_server.deliver(sent, account[0])
    client = shared_server.pop3(account)
    _, got, _ = client.retr(1)
    assert b"\r\n".join(got).endswith(sent.rstrip(b"\r\n"))
    size = int(client.list(1).split()[2])
    assert size == sum(len(line) + 2 for line in got)
    _, top, _ = client.top(1, 2)
    assert top[-2:] == [lines[0].encode(), lines[1].encode()]
    client.quit()


def test_a_big_maildrop_is_listed(shared_server, account):
    with shared_server.imap(account) as client:
        client.append("INBOX", message())
        client.ok("SELECT INBOX")
        for _ in range(13):
            client.ok("COPY 1:* INBOX")
    client = shared_server.pop3(account)
    count, size = client.stat()
    assert count == 8192
    sizes = [line.split() for line in client.list()[1]]
    assert [int(number) for number, _ in sizes] == list(range(1, count + 1))
    assert sum(int(octets) for _, octets in sizes) == size
    assert len(set(unique_ids(client))) == count
    client.quit()


def internationalized(number):
    """Each with another part of it in UTF-8, one of them with more than is kept in memory."""
    e, parts = "\u00e9", "\r\n--b\r\nContent-Type: text/plain; name=%s\r\n\r\n%s\r\n--b--\r\n"
    return ([f"Subject: {e}\r\n\r\n{e}\r\n",
             "Subject: x\r\n\r\nx\r\n",
             f"From: {e} <{e}@x>, b <b@x>\r\nX-{e}: {e}\r\n\r\n",
             "Content-Type: multipart/mixed; boundary=b\r\n" + parts % (e, (e * 500 + "\r\n") * 600),
             "".join(f"To: {e * 900}@x\r\n" for _ in range(200)) + f"\r\n.{e}\r\n"]
            [number % 5]).encode()


def test_sizes_are_those_of_surrogates(shared_server, account):
    """RFC 6856 section 2.1: LIST says what RETR sends, here of 100 messages; STAT says what they are together."""
    with shared_server.imap(account) as other:
        other.ok("ENABLE UTF8=ACCEPT")
        for number in range(10):
            other.append("INBOX", internationalized(number))
        other.ok("SELECT INBOX")
        for _ in range(9):
            other.ok("COPY 1:10 INBOX")
    client = shared_server.pop3(account)
    count, total = client.stat()
    sizes = [int(line.split()[1]) for line in client.list()[1]]
    assert (count, total) == (100, sum(sizes))
    for number, size in enumerate(sizes, 1):
        answer, lines, _ = client.retr(number)
        assert size == sum(len(line) + 2 for line in lines)
        assert answer == b"+OK %d octets" % size
        header = b"\r\n".join(lines[:lines.index(b"")])
        assert header.isascii() and b"??" not in header
        assert any(b"\xc3\xa9" in line for line in lines) == (number % 5 in (1, 4, 0))
        client.dele(number)
    assert client.stat() == (0, 0)
    client.rset()
    assert client.stat() == (100, total)
    client.quit()


def test_what_is_beyond_the_header_that_is_looked_at(shared_server, account):
    """A header of more than a mebibyte is not looked at behind that, but is not sent as it is either."""
    sent = b"X: y" + b"\r\n " * 350000 + "\u00e9\r\n\r\n\u00e9\r\n".encode()
    with shared_server.imap(account) as other:
        other.ok("ENABLE UTF8=ACCEPT")
        other.append("INBOX", sent)
    client = shared_server.pop3(account)
    assert client.stat() == (1, len(sent))
    _, lines, _ = client.retr(1)
    assert lines[-4:] == [b" ", b" ??", b"", b"\xc3\xa9"]
    assert sum(len(line) + 2 for line in lines) == len(sent)
    client.quit()


def test_a_silent_session_ends(server):
    """RFC 1939 section 3: without a word, and nothing is removed."""
    server.configure(pop3_timeout=1)
    server.start()
    account = server.add_account("alice")
    deliver(server, account, "one")
    client = server.pop3(account)
    client.dele(1)
    client.sock.settimeout(10)
    assert client.file.readline() == b""
    client.close()
    client = server.pop3(account)
    assert client.stat()[0] == 1
    client.quit()


def test_a_shutdown_is_told(server):
    server.start()
    account = server.add_account("alice")
    client = server.pop3(account)
    server.stop()
    assert b"-ERR [SYS/TEMP]" in client.file.readline()
    client.close()


def raw(server, tls=True):
    client = socket.create_connection(("127.0.0.1", server.pop3s_port if tls else server.pop3_port),
                                      20)
    return server.tls_context().wrap_socket(client, server_hostname="localhost") if tls else client


def read_all(client):
    data = b""
    try:
        while piece := client.recv(65536):
            data += piece
    except ConnectionError:
        pass
    return data


def test_lines_have_a_limit(shared_server, account):
    """POP3_LINE_MAXIMUM and LINE_DISCARD_MAXIMUM, before login and after it."""
    with raw(shared_server) as client:
        client.sendall(b"USER " + b"x" * 250 + b"\r\nUSER " + b"x" * 10000 + b"\r\nUSER " +
                       b"x" * 248 + b"\r\nQUIT\r\n")
        answers = read_all(client).split(b"\r\n")
        assert answers[1:4] == [b"-ERR The line is too long"] * 2 + [b"+OK Now the password"]
    with raw(shared_server) as client:
        client.sendall(b"USER " + b"x" * (1024 * 1024 + 5000))
        assert read_all(client).endswith(b"-ERR The line is too long\r\n")
    client = shared_server.pop3(account)
    with pytest.raises(poplib.error_proto, match="too long"):
        client._shortcmd("NOOP" + " " * 250)
    client._putline(b"x" * (1024 * 1024 + 5000))
    assert read_all(client.sock) == b""


def test_a_login_has_a_time_limit(server):
    server.configure(login_timeout=1)
    server.start()
    with raw(server, tls=False) as client:
        start = time.monotonic()
        assert read_all(client).endswith(b"-ERR Not logged in in time\r\n")
        assert time.monotonic() - start < 5


def log_in(server, account):
    """None while the server still counts a connection that has just been closed."""
    try:
        return server.pop3(account)
    except ConnectionError:
        return None


def test_too_many_connections_are_told(server):
    server.configure(login_client_connections=1, account_connections=1)
    server.start()
    account = server.add_account("alice")
    with raw(server, tls=False), raw(server, tls=False) as second:
        assert read_all(second).startswith(b"-ERR [SYS/TEMP]")
    first = wait_until(lambda: log_in(server, account))
    with pytest.raises(poplib.error_proto, match=r"-ERR \[IN-USE\]"):
        server.pop3(account)
    first.quit()


def test_a_freeze_delays_the_update(server):
    """QUIT changes what is stored: it waits while a freeze holds all changes."""
    server.start()
    account = server.add_account("alice")
    deliver(server, account, "one")
    client = server.pop3(account)
    client.dele(1)
    server.run("freeze", "--timeout", "2s")
    start = time.monotonic()
    client.quit()
    assert time.monotonic() - start > 1
    assert server.run("thaw", check=False).returncode == 1
