"""What a mail server asks before it takes a message: socketmap_table(5), SMTPD_POLICY_README."""

import socket

import pytest

from harness.server import Server


class Mta:
    def __init__(self, server):
        self.socket = socket.create_connection(("127.0.0.1", server.mta_port), timeout=20)
        self.file = self.socket.makefile("rwb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def look_up(self, name, key):
        request = f"{name} {key}".encode()
        self.file.write(b"%d:%s," % (len(request), request))
        self.file.flush()
        size = b""
        while not size.endswith(b":"):
            size += self.file.read(1)
        reply = self.file.read(int(size[:-1]))
        assert self.file.read(1) == b","
        return reply.decode()

    def ask(self, **attributes):
        lines = {"request": "smtpd_access_policy", "protocol_state": "RCPT", **attributes}
        self.file.write("".join(f"{name}={value}\n" for name, value in lines.items()).encode())
        self.file.write(b"\n")
        self.file.flush()
        action = self.file.readline().decode()
        assert self.file.readline() == b"\n"
        return action.removeprefix("action=").rstrip("\n")


@pytest.fixture
def mta(shared_server):
    with Mta(shared_server) as client:
        yield client


def test_recipients_and_domains(mta, shared_server, account):
    address = account[0]
    user = address.split("@")[0]
    assert mta.look_up("recipients", address) == f"OK {address}"
    assert mta.look_up("recipients", f"{user}+lists@{shared_server.domain}").startswith("OK ")
    assert mta.look_up("recipients", f"nobody@{shared_server.domain}") == "NOTFOUND "
    assert mta.look_up("recipients", f"@{shared_server.domain}") == "NOTFOUND "
    assert mta.look_up("domains", shared_server.domain) == f"OK {shared_server.domain}"
    assert mta.look_up("domains", "elsewhere.test") == "NOTFOUND "
    assert mta.look_up("aliases", address).startswith("PERM ")


def test_changes_are_seen_at_once(mta, shared_server, account):
    alias = f"alias-of-{account[0]}"
    assert mta.look_up("recipients", alias) == "NOTFOUND "
    shared_server.run("alias", "add", alias, account[0])
    assert mta.look_up("recipients", alias) == f"OK {alias}"
    shared_server.run("alias", "delete", alias)
    assert mta.look_up("recipients", alias) == "NOTFOUND "


def test_room(mta, shared_server, account):
    address = account[0]
    assert mta.ask(recipient=address, size=1000) == "DUNNO"
    assert mta.ask(recipient=address, size=52428801) == "552 5.3.4 Message too large"
    shared_server.run("quota", "set", address, "storage", "500")
    assert mta.ask(recipient=address, size=1000) == "452 4.2.2 Mailbox full"
    assert mta.ask(recipient=address, size=0) == "DUNNO"
    assert mta.ask(recipient="somebody@elsewhere.test", size=1000) == "DUNNO"
    assert mta.ask(protocol_state="DATA", recipient=address, size=1000) == "DUNNO"


def test_nonsense_is_disconnected(shared_server):
    for text in (b"GET / HTTP/1.0\r\n\r\n", b"99999:x,", b"request=nothing\n\n"):
        with Mta(shared_server) as client:
            client.file.write(text)
            client.file.flush()
            assert client.file.read() == b""


def test_an_idle_connection_ends(tmp_path):
    server = Server(tmp_path)
    server.configure(lmtp_timeout=1)
    server.start()
    with Mta(server) as client:
        assert client.file.read() == b""
    server.stop()
    server.check_log()
