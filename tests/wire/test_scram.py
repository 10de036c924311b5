"""SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677) over every protocol with a login."""

import base64
import hashlib
import re
import ssl

import pytest

from harness.imap import Imap
from harness.scram import Scram


def encode(data):
    return base64.b64encode(data).decode()


class OverImap:
    def __init__(self, server, tls=True):
        self.client = server.imap(tls=tls)
        self.socket = self.client.socket

    def offers(self):
        (line,) = self.client.ok("CAPABILITY")
        return re.findall(r"AUTH=(\S+)", line)

    def begin(self, mechanism, response):
        return self.say(f"a AUTHENTICATE {mechanism} {encode(response)}")

    def go_on(self, response):
        return self.say(encode(response))

    def say(self, line):
        """The challenge as bytes, or what the login came to as text."""
        self.client.send(line + "\r\n")
        answer = self.client.line()
        return base64.b64decode(answer[2:]) if answer.startswith("+ ") else answer

    def cancel(self):
        assert "BAD" in self.say("*")

    is_granted = staticmethod(lambda answer: answer.startswith("a OK"))
    is_refused = staticmethod(lambda answer: answer.startswith("a NO [AUTHENTICATIONFAILED]"))


class OverPop3(OverImap):
    def __init__(self, server, tls=True):
        self.client = Imap("127.0.0.1", server.pop3s_port if tls else server.pop3_port,
                           server.tls_context() if tls else None)
        self.client.line()
        self.socket = self.client.socket

    def offers(self):
        self.client.send("CAPA\r\n")
        lines = iter(self.client.line, ".")
        return next((line.split()[1:] for line in list(lines) if line.startswith("SASL")), [])

    def begin(self, mechanism, response):
        return self.say(f"AUTH {mechanism} {encode(response)}")

    def cancel(self):
        assert self.say("*").startswith("-ERR")

    is_granted = staticmethod(lambda answer: answer.startswith("+OK"))
    is_refused = staticmethod(lambda answer: answer.startswith("-ERR [AUTH]"))


class OverManagesieve(OverImap):
    def __init__(self, server, tls=True):
        self.client = server.managesieve(tls=tls)
        self.socket = self.client.socket

    def offers(self):
        return self.client.capabilities.get("SASL", "").split()

    def begin(self, mechanism, response):
        return self.say(f'AUTHENTICATE "{mechanism}" "{encode(response)}"')

    def go_on(self, response):
        return self.say(f'"{encode(response)}"')

    def say(self, line):
        self.client.send(line + "\r\n")
        answer = self.client.line()
        return base64.b64decode(answer[1:-1]) if answer.startswith('"') else answer

    def cancel(self):
        assert self.say('"*"').startswith("NO")

    is_granted = staticmethod(lambda answer: answer.startswith("OK"))
    is_refused = staticmethod(lambda answer: answer == 'NO "Authentication failed"')


protocols = pytest.mark.parametrize("over", [OverImap, OverPop3, OverManagesieve],
                                    ids=["imap", "pop3", "managesieve"])


def log_in(connection, scram, mechanism="SCRAM-SHA-256"):
    """What the login came to."""
    challenge = connection.begin(mechanism, scram.first())
    assert isinstance(challenge, bytes), challenge
    answer = connection.go_on(scram.final(challenge))
    if isinstance(answer, str):
        return answer
    scram.check(answer)
    return connection.go_on(b"")


def end_point(connection):
    """tls-server-end-point (RFC 5929): the certificate of the tests has a SHA-256 signature."""
    return hashlib.sha256(connection.socket.getpeercert(binary_form=True)).digest()


@protocols
def test_a_login(shared_server, account, over):
    for user in account[0], account[0].split("@")[0], account[0].upper():
        connection = over(shared_server)
        assert connection.is_granted(log_in(connection, Scram(user, account[1])))
        connection.client.close()


@protocols
def test_a_login_bound_to_its_channel(shared_server, account, over):
    connection = over(shared_server)
    assert connection.offers() == ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN"]
    header = "p=tls-server-end-point,,"
    other = Scram(*account, header, b"another certificate")
    assert connection.is_refused(log_in(connection, other, "SCRAM-SHA-256-PLUS"))
    scram = Scram(*account, header, end_point(connection))
    assert connection.is_granted(log_in(connection, scram, "SCRAM-SHA-256-PLUS"))
    connection.client.close()


def test_a_login_bound_to_an_older_connection(shared_server, account):
    """tls-unique (RFC 5929 section 3) is what there is with TLS 1.2."""
    context = shared_server.tls_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    connection = OverImap.__new__(OverImap)
    connection.client = Imap("127.0.0.1", shared_server.imaps_port, context)
    connection.client.line()
    channel = connection.client.socket.get_channel_binding("tls-unique")
    header = "p=tls-unique,,"
    other = Scram(*account, header, b"another connection")
    assert connection.is_refused(log_in(connection, other, "SCRAM-SHA-256-PLUS"))
    scram = Scram(*account, header, channel)
    assert connection.is_granted(log_in(connection, scram, "SCRAM-SHA-256-PLUS"))
    connection.client.close()


@protocols
def test_refused(shared_server, account, over):
    """A wrong password, a name that nobody has, a binding that somebody between has hidden, and a
    name to act for: one answer; after it another try."""
    connection = over(shared_server)
    for scram in Scram(account[0], "wrong password"), Scram("nobody", account[1]):
        assert connection.is_refused(log_in(connection, scram))
    for header in "y,,", "n,a=somebody@example.test,":
        answer = connection.begin("SCRAM-SHA-256", Scram(*account, header).first())
        assert connection.is_refused(answer)
    assert connection.is_granted(log_in(connection, Scram(*account)))
    connection.client.close()


@protocols
def test_cancelled(shared_server, account, over):
    connection = over(shared_server)
    connection.begin("SCRAM-SHA-256", Scram(*account).first())
    connection.cancel()
    assert connection.is_granted(log_in(connection, Scram(*account)))
    connection.client.close()


def salt_of(server, user):
    connection = OverImap(server)
    scram = Scram(user, "any")
    assert connection.is_refused(log_in(connection, scram))
    connection.client.close()
    return scram.salt, scram.iterations


def test_nobody_learns_who_exists(server):
    """RFC 5802 section 9: a name that nobody has gets a salt and an iteration count like any other,
    the same each time, also after a restart."""
    server.start()
    account = server.add_account("alice")
    asked = [account[0], "nobody@example.test", "somebody@example.test", "no address@@"]
    before = {name: salt_of(server, name) for name in asked}
    assert before == {name: salt_of(server, name) for name in asked}
    assert len({salt for salt, _ in before.values()}) == len(asked)
    assert {(len(salt), count) for salt, count in before.values()} == {(16, 15000)}
    server.stop()
    server.start()
    assert before == {name: salt_of(server, name) for name in asked}


def test_a_new_password_has_new_keys(shared_server, account):
    before = salt_of(shared_server, account[0])
    shared_server.run("account", "password", account[0], text="another password\n")
    assert salt_of(shared_server, account[0])[0] != before[0]
    connection = OverImap(shared_server)
    assert connection.is_granted(log_in(connection, Scram(account[0], "another password")))
    connection.client.close()


@protocols
def test_not_without_tls(shared_server, account, over):
    """What is proved can be guessed at by who reads along."""
    connection = over(shared_server, tls=False)
    assert connection.offers() == []
    assert "TLS" in connection.begin("SCRAM-SHA-256", Scram(*account).first())
    connection.client.close()


@protocols
def test_without_tls_there_is_no_channel(server, over):
    server.configure(plaintext_login=True)
    server.start()
    account = server.add_account("alice")
    connection = over(server, tls=False)
    assert connection.offers() == ["SCRAM-SHA-256", "PLAIN"]
    answer = connection.begin("SCRAM-SHA-256-PLUS", Scram(*account, "p=tls-exporter,,").first())
    assert "Unknown mechanism" in answer
    assert connection.is_granted(log_in(connection, Scram(*account, "y,,")))
    connection.client.close()
