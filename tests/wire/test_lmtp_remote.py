"""LMTP for mail servers on other machines beyond single dialogues: SCRAM, trust by address, limits."""

import base64
import hashlib
import re
import signal

import pytest

from harness.lmtp import Lmtp
from harness.scram import Scram
from harness.server import message


def encode(data):
    return base64.b64encode(data).decode()


def log_in(client, mechanism, scram):
    answer = client.ask(f"AUTH {mechanism} {encode(scram.first())}")
    assert answer.startswith("334 "), answer
    answer = client.ask(encode(scram.final(base64.b64decode(answer[4:]))))
    if not answer.startswith("334 "):
        return answer
    scram.check(base64.b64decode(answer[4:]))
    return client.ask("")


def received(server, account):
    """The Received field of the last message, unfolded."""
    with server.imap(account) as client:
        client.ok("SELECT INBOX")
        text = client.ok("FETCH * BODY.PEEK[HEADER.FIELDS (Received)]")[0]
    return re.sub(r"\r\n\t", " ", text)


@pytest.mark.parametrize("bound", [False, True], ids=["SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"])
def test_scram(shared_server, account, bound):
    with shared_server.lmtp_remote() as client:
        mx = shared_server.mail_server()
        certificate = hashlib.sha256(client.socket.getpeercert(binary_form=True)).digest()
        scram = Scram(*mx, "p=tls-server-end-point,,", certificate) if bound else Scram(*mx)
        answer = log_in(client, "SCRAM-SHA-256-PLUS" if bound else "SCRAM-SHA-256", scram)
        assert answer.startswith("235 2.7.0"), answer
        assert not client.deliver("sender@example.org", [account[0]], message())
    assert "with LMTPSA id" in received(shared_server, account)


def test_scram_of_who_may_not_deliver(shared_server, account):
    """The server does not prove who it is, which would say that the password is right."""
    with shared_server.lmtp_remote() as client:
        assert log_in(client, "SCRAM-SHA-256", Scram(*account)).startswith("535 5.7.8")
        assert log_in(client, "SCRAM-SHA-256", Scram(account[0], "wrong")).startswith("535 5.7.8")


def test_nobody_may_deliver_by_default(server):
    server.configure(lmtp_accounts=[])
    server.start()
    with server.lmtp_remote() as client:
        assert client.login(*server.mail_server()).startswith("535 5.7.8")
    server.wait_for_log("event=may_not_deliver name=mx@example.test client=127.0.0.1")


def test_a_login_is_logged(server):
    server.start()
    account = server.add_account("alice")
    with server.lmtp_remote() as client:
        assert client.login(*server.mail_server()).startswith("235")
        assert not client.deliver("sender@example.org", [account[0]], message())
        client.ask("QUIT")
    server.wait_for_log(r"event=auth_granted name=mx@example.test client=127.0.0.1 protocol=lmtp")
    server.wait_for_log(r"event=delivery .*recipient=alice@example.test .*user=mx@example.test ")
    server.wait_for_log(r"event=stream_end .*protocol=lmtp .*user=mx@example.test")


def trusting(server, **options):
    server.configure(lmtp_accounts=[], lmtp_trusted=["192.0.2.0/24", "127.0.0.1"], **options)
    server.start()
    return server.add_account("alice")


def test_trusted_server_delivers_without_a_login(server):
    """Over TLS only, and it tells whom it has the message from."""
    account = trusting(server)
    with server.lmtp_remote(tls=False) as client:
        assert client.ask("MAIL FROM:<a@example.org>").startswith("530 5.7.0")
        client.starttls(server.tls_context())
        assert "AUTH" not in client.extensions and "XCLIENT ADDR" in client.extensions
        assert "IGNOREQUOTA" not in client.extensions
        assert not client.deliver("sender@example.org", [account[0]], message())
        assert "from client.example.org (127.0.0.1) by" in received(server, account)
        assert "with LMTPS id" in received(server, account)
        assert client.ask("XCLIENT ADDR=IPV6:2001:db8::1").startswith("220 ")
        client.hello()
        assert not client.deliver("sender@example.org", [account[0]], message())
        assert "from client.example.org (2001:db8::1) by" in received(server, account)
    server.wait_for_log(r"event=delivery .*client=2001:db8::1 server=127.0.0.1 ")


def test_trusted_server_on_this_machine(server):
    """By lmtp_listen it needs no TLS; XCLIENT is announced there too."""
    account = trusting(server)
    with server.lmtp() as client:
        assert client.ask("XCLIENT ADDR=192.0.2.7").startswith("220 ")
        client.hello()
        assert not client.deliver("sender@example.org", [account[0]], message())
    assert "from client.example.org (192.0.2.7) by" in received(server, account)
    assert "with LMTP id" in received(server, account)


def rcpt(client, address, parameter=""):
    assert client.ask("RSET").startswith("250")
    assert client.ask("MAIL FROM:<>").startswith("250")
    assert client.ask(f"RCPT TO:<{address}>{parameter}").startswith("250")
    assert client.ask("DATA").startswith("354")
    return client.ask("Subject: you are over quota\r\n\r\n.")


def test_ignore_quota(server):
    """draft-murchison-lmtp-ignorequota-02: what tells somebody that he is over quota gets in."""
    account = trusting(server, lmtp_ignore_quota=True)
    server.run("quota", "set", account[0], "storage", "1")
    for client in server.lmtp_remote(), server.lmtp():
        with client:
            assert "250-IGNOREQUOTA" in client.extensions
            assert rcpt(client, account[0]).startswith("452 4.2.2")
            assert rcpt(client, account[0], " IGNOREQUOTA").startswith("250 2.0.0")
    with server.imap(account) as client:
        client.ok("SELECT INBOX")
        assert len(client.uids()) == 2


def test_limits_are_told(server):
    """login_client_connections before login, account_connections behind it, login_timeout."""
    server.configure(login_client_connections=1, account_connections=1, login_timeout=3)
    server.start()
    mx = server.mail_server()
    with server.lmtp_remote() as first:
        with pytest.raises(AssertionError, match="421 4.3.2 Too many connections"):
            Lmtp(server.lmtp_remote_port)
        assert first.login(*mx).startswith("235")
        with server.lmtp_remote() as second:
            assert second.login(*mx).startswith("421 4.3.2 too many connections")
        with server.lmtp_remote() as third:
            assert third.reply() == "421 4.7.0 Not logged in in time"


def test_a_shutdown_is_told(server):
    server.start()
    with server.lmtp_remote() as before, server.lmtp_remote() as behind:
        assert behind.login(*server.mail_server()).startswith("235")
        server.stop()
        assert before.reply().startswith("421 4.3.2")
        assert behind.reply().startswith("421 4.3.2")


def test_a_reload_says_that_the_lists_need_a_restart(server):
    """chapar-auth, which decides, stays; who is connected goes on."""
    server.start()
    account = server.add_account("alice")
    with server.lmtp_remote() as client:
        assert client.login(*server.mail_server()).startswith("235")
        server.configure(lmtp_accounts=["alice"], lmtp_trusted=["192.0.2.1"])
        server.process.send_signal(signal.SIGHUP)
        server.wait_for_log("event=needs_restart option=lmtp_accounts")
        server.wait_for_log("event=needs_restart option=lmtp_trusted")
        server.wait_for_log("event=reloaded")
        assert not client.deliver("sender@example.org", [account[0]], message())
