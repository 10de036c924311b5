"""chapar-send: what it says to a mail server, and what it says became of a message."""

import contextlib
import time

import pytest

from harness.sender import DEFERRED, ERROR_PROTOCOL, MESSAGE, REFUSED, SENT, UNTRIED, Sender
from harness.server import free_offset
from harness.smtp import CLOSE, RESET, STALL, Smtp, make_certificate
from harness.wait import wait_until


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("certificate"), "localhost", "127.0.0.1")


@pytest.fixture
def home(tmp_path):
    return tmp_path / "sender"


# --- messages ---

def test_a_message(home):
    with Smtp() as server, Sender(home, server) as sender:
        assert sender.session().send() == [(SENT, 250, "2.0.0 queued")]
        (message,) = server.messages
        assert message["data"] == MESSAGE
        assert message["mail"] == f"MAIL FROM:<alice@example.test> SIZE={len(MESSAGE)}"
        assert message["recipients"] == ["RCPT TO:<bob@example.net>"]
        assert not message["tls"]
        assert "event=smtp_result outcome=sent" in sender.log()


def test_parameters(home):
    data = "Subject: Gr\u00fc\u00dfe\r\n\r\nx\r\n".encode()
    with Smtp() as server, Sender(home, server) as sender:
        assert sender.session().send(data, sender="", eight_bit=1, utf8=1, notify=2 | 4,
                                     ret=ord("H"), by="120;RT")[0][0] == SENT
        (message,) = server.messages
        assert message["mail"] == (f"MAIL FROM:<> SIZE={len(data)} BODY=8BITMIME SMTPUTF8 RET=HDRS"
                                   " BY=120;RT")
        assert message["recipients"] == ["RCPT TO:<bob@example.net> NOTIFY=SUCCESS,FAILURE"]
        assert message["data"] == data


def test_each_recipient_has_its_result(home):
    faults = {"RCPT": [None, "550 5.1.1 nobody", "451 4.2.0 later", None]}
    with Smtp(faults=faults) as server, Sender(home, server) as sender:
        addresses = [f"{name}@example.net" for name in "abcd"]
        assert sender.session().send(recipients=addresses) == [
            (SENT, 250, "2.0.0 queued"), (REFUSED, 550, "5.1.1 nobody"),
            (DEFERRED, 451, "4.2.0 later"), (SENT, 250, "2.0.0 queued")]
        assert server.messages[0]["recipients"] == ["RCPT TO:<a@example.net>",
                                                    "RCPT TO:<d@example.net>"]


def test_most_recipients(home):
    with Smtp() as server, Sender(home, server) as sender:
        addresses = [f"user{i}@example.net" for i in range(100)]
        results = sender.session().send(recipients=addresses)
        assert results == [(SENT, 250, "2.0.0 queued")] * 100
        assert len(server.messages[0]["recipients"]) == 100


CONTENTS = {"nothing": b"", "a byte": b"x", "a line end": b"\r\n",
            "dots": b".\r\n.\r\n..\r\n", "a dot at the end": b"a\r\n.",
            "a long line": b"." * 40000, "much": b"Subject: x\r\n\r\n" + b"0123456789\r\n" * 500_000}


@pytest.mark.parametrize("content", CONTENTS)
def test_every_byte_arrives(home, content):
    data = CONTENTS[content]
    with Smtp() as server, Sender(home, server) as sender:
        assert sender.session().send(data)[0][0] == SENT
        ended = data if data.endswith(b"\r\n") or not data else data + b"\r\n"
        assert server.messages[0]["data"] == ended


@pytest.mark.parametrize("end", [b"\n.\n", b"\r.\r", b"\r\n.\n", b"\n.\r\n", b"\r\n.\r", b"\r.\r\n",
                                 b"\r\r\n.\r\r\n", b"\r\n.\r\r\n"])
def test_no_message_within_a_message(home, end):
    """RFC 5321 section 2.3.8: whatever a server takes for the end of a line."""
    smuggled = (b"Subject: x\r\n\r\nfirst" + end +
                b"MAIL FROM:<eve@example.test>\r\nRCPT TO:<bob@example.net>\r\nDATA\r\n"
                b"Subject: y\r\n\r\nsecond")
    with Smtp() as server, Sender(home, server) as sender:
        session = sender.session()
        assert session.send(smuggled)[0][0] == SENT
        assert session.send()[0][0] == SENT
        first, second = server.messages
        assert second["data"] == MESSAGE
        raw = first["raw"]
        lines = raw.split(b"\r\n")
        assert not any(b"\r" in line or b"\n" in line for line in lines)
        assert b"." not in lines and b".." in lines
        assert b"second" in raw


def test_what_smtp_cannot_carry(home):
    with Smtp() as server, Sender(home, server) as sender:
        session = sender.session()
        for options in ({"sender": "a> SIZE=1"}, {"recipients": ["a b@example.net"]},
                        {"recipients": ["b@example.net\r\nDATA"]}, {"by": "1;R SMTPUTF8"},
                        {"sender": "a" * 513}, {"recipients": ["a" * 8192]}, {"recipients": [""]},
                        {"by": "1" * 8192}):
            assert session.send(**options)[0][:2] == (REFUSED, 0), options
        assert session.send()[0][0] == SENT
        assert len(server.messages) == 1 and server.connections == 1


def test_what_the_server_lacks(home):
    with Smtp(extensions=["SIZE 100"]) as server, Sender(home, server) as sender:
        session = sender.session()
        assert session.send(eight_bit=1) == [(REFUSED, 0, "the server does not take 8BITMIME")]
        assert session.send(recipients=["b\u00fc@example.net"])[0][0] == REFUSED
        assert session.send(b"x" * 101)[0] == (REFUSED, 0,
                                               "the message is larger than the server takes")
        assert session.send(by="120;R", notify=1, ret=ord("F"))[0][0] == SENT
        assert server.messages[0]["mail"] == f"MAIL FROM:<alice@example.test> SIZE={len(MESSAGE)}"


def test_a_file_that_is_too_short(home):
    """No part of it is sent as if it were the whole."""
    with Smtp() as server, Sender(home, server) as sender:
        session = sender.session()
        assert session.send(size=len(MESSAGE) + 1) == [
            (DEFERRED, 0, "the message is shorter than it should be")]
        assert session.send()[0][0] == SENT
        assert len(server.messages) == 1


# --- connections ---

def test_a_connection_is_used_again(home):
    with Smtp() as server, Sender(home, server) as sender:
        session = sender.session()
        for _ in range(5):
            assert session.send()[0][0] == SENT
        assert server.connections == 1
        assert "RSET" not in server.commands
        assert sum(command.startswith("EHLO") for command in server.commands) == 1
        sender.stop()
        wait_until(lambda: server.commands[-1] == "QUIT")


def test_connections_at_a_time(home):
    with Smtp() as server, Sender(home, server, connections=3) as sender:
        sessions = [sender.session() for _ in range(2)]
        numbers = [(session, session.submit()) for session in sessions for _ in range(16)]
        assert all(session.answer(number)[0][0] == SENT for session, number in numbers)
        assert len(server.messages) == 32 and server.most <= 3


def test_a_connection_that_has_gone_meanwhile(home):
    """What was kept may be closed just then: the message goes over a new one."""
    faults = {"MAIL": [None, CLOSE, None, "421 4.4.2 timeout exceeded", None]}
    with Smtp(faults=faults) as server, Sender(home, server, connections=1) as sender:
        session = sender.session()
        for _ in range(3):
            assert session.send() == [(SENT, 250, "2.0.0 queued")]
        assert server.connections == 3 and len(server.messages) == 3


def test_the_server_closes_what_is_idle(home):
    with Smtp() as server, Sender(home, server) as sender:
        session = sender.session()
        assert session.send()[0][0] == SENT
        server.drop()
        time.sleep(0.1)
        assert session.send()[0][0] == SENT
        assert server.connections == 2


def test_a_server_that_comes_back(home):
    port = 2525 + free_offset()  # not one that a connection is given meanwhile
    with Sender(home, f"127.0.0.1:{port}") as sender:
        session = sender.session()
        ((outcome, code, text),) = session.send()
        assert (outcome, code) == (DEFERRED, 0) and "Connection refused" in text
        assert "outgoing_failed" in sender.log()
        with Smtp(port=port):
            assert session.send()[0][0] == SENT


def test_all_that_waits_is_told(home):
    with Smtp(faults={"greeting": "554 5.3.2 closed today"}) as server, \
            Sender(home, server) as sender:
        session = sender.session()
        numbers = [session.submit() for _ in range(16)]
        for number in numbers:
            assert session.answer(number) == [(DEFERRED, 554, "5.3.2 closed today")]


def test_more_connections_than_the_server_likes(home):
    """Who is refused beside one that works waits for that one."""
    faults = {"greeting": [None] + ["421 4.7.0 too many connections"] * 100}
    with Smtp(faults=faults) as server, Sender(home, server, connections=8) as sender:
        session = sender.session()
        assert session.send()[0][0] == SENT
        numbers = [session.submit() for _ in range(16)]
        assert [session.answer(number)[0][0] for number in numbers] == [SENT] * 16
        assert len(server.messages) == 17 and {m["connection"] for m in server.messages} == {1}


# --- errors, at each step ---

REPLIES = [("EHLO", DEFERRED, DEFERRED), ("MAIL", DEFERRED, REFUSED), ("RCPT", DEFERRED, REFUSED),
           ("DATA", DEFERRED, REFUSED), ("END", DEFERRED, REFUSED)]


@pytest.mark.parametrize("step, passing, lasting", REPLIES)
def test_refused(home, step, passing, lasting):
    faults = {step: ["450 4.3.0 not now", "550 5.7.1 no"], "HELO": "550 5.7.1 no"}
    with Smtp(faults=faults) as server, Sender(home, server) as sender:
        session = sender.session()
        assert session.send() == [(passing, 450, "4.3.0 not now")]
        assert session.send() == [(lasting, 550, "5.7.1 no")]
        assert session.send()[0][0] == SENT
        assert len(server.messages) == 1


STEPS = ["greeting", "EHLO", "MAIL", "RCPT", "DATA", "END"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("fault, code, text", [
    (CLOSE, 0, "the server has closed the connection"),
    (RESET, 0, "the connection to the server was lost"),
    ("421 4.3.2 going down", 421, "4.3.2 going down"),
    ("no reply at all", 0, "the server's answer makes no sense"),
    ("250-" + "x" * 5000, None, "the server's answer is too long"),
    ("\r\n".join(["250-x"] * 201), 0, "the server's answer makes no sense"),
], ids=["closes", "resets", "goes away", "says nonsense", "says a long line", "says many lines"])
def test_faults(home, step, fault, code, text):
    with Smtp(faults={step: [fault]}) as server, Sender(home, server) as sender:
        session = sender.session()
        ((outcome, said, why),) = session.send()
        assert outcome == DEFERRED
        # A reset may overtake what was said before it.
        assert why == text or fault in (CLOSE, RESET) and "connection" in why
        assert code is None or said == code
        assert session.send()[0][0] == SENT


@pytest.mark.parametrize("step", STEPS)
def test_silence(home, step):
    with Smtp(faults={step: [STALL]}) as server, Sender(home, server, timeout=1) as sender:
        session = sender.session()
        begun = time.monotonic()
        assert session.send() == [(DEFERRED, 0, "the server does not answer in time")]
        # The end of a message has twice the time (RFC 5321 section 4.5.3.2.6).
        assert (time.monotonic() - begun > 1.9) == (step == "END") or step != "END"
        assert session.send()[0][0] == SENT


def test_the_server_goes_within_a_message(home):
    with Smtp(faults={"BODY": [CLOSE]}) as server, Sender(home, server) as sender:
        session = sender.session()
        ((outcome, code, _),) = session.send(b"x" * 70 + b"\r\n" * 1_000_000)
        assert (outcome, code) == (DEFERRED, 0)
        assert session.send()[0][0] == SENT
        assert len(server.messages) == 1


def test_text_of_a_stranger(home):
    """No control character of the server's comes through."""
    with Smtp(faults={"MAIL": ["550 a\tb\x1b[31m\u00e9"]}) as server, Sender(home, server) as sender:
        assert sender.session().send() == [(REFUSED, 550, "a?b?[31m??")]


# --- TLS and AUTH ---

@pytest.fixture
def password(tmp_path):
    path = tmp_path / "password"
    path.write_text("tanstaaftanstaaf\n")
    path.chmod(0o600)
    return path


AUTH = ("tim", "tanstaaftanstaaf")


@pytest.mark.parametrize("tls", ["starttls", "tls"])
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_tls(home, certificate, tls, host):
    with Smtp(certificate, tls_first=tls == "tls") as server, \
            Sender(home, f"{host}:{server.port}", tls=tls, ca_file=certificate[0]) as sender:
        session = sender.session()
        for _ in range(2):
            assert session.send()[0][0] == SENT
        assert session.send(b"0123456789\r\n" * 200_000)[0][0] == SENT
        assert all(message["tls"] for message in server.messages)
        assert server.connections == 1
        greetings = [command for command in server.commands if command.startswith("EHLO")]
        assert len(greetings) == (2 if tls == "starttls" else 1)


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_a_certificate_of_another_name(home, tmp_path, tls):
    other = make_certificate(tmp_path, "other.example")
    with Smtp(other, tls_first=tls == "tls") as server, \
            Sender(home, f"localhost:{server.port}", tls=tls, ca_file=other[0]) as sender:
        assert sender.session().send() == [(DEFERRED, 0, "TLS: hostname mismatch")]
        assert not any(command.startswith("MAIL") for command in server.commands)


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_a_certificate_of_nobody_known(home, tmp_path, certificate, tls):
    other = make_certificate(tmp_path, "localhost")
    with Smtp(other, tls_first=tls == "tls") as server, \
            Sender(home, f"localhost:{server.port}", tls=tls, ca_file=certificate[0]) as sender:
        ((outcome, _, text),) = sender.session().send()
        assert outcome == DEFERRED and text.startswith("TLS: self-signed certificate"), text


def test_tls_is_a_must(home):
    with Smtp() as server, Sender(home, server, tls="starttls", ca_file="") as sender:
        assert sender.session().send() == [
            (DEFERRED, 0, "the server does not offer STARTTLS")]


def test_not_within_this_machine(home, certificate):
    with Smtp(certificate) as server, Sender(home, server, tls="optional") as sender:
        assert sender.session().send()[0][0] == SENT
        assert not server.messages[0]["tls"]


def test_a_server_that_speaks_no_tls(home, certificate):
    with Smtp(certificate, faults={"TLS": [CLOSE]}) as server, \
            Sender(home, server, tls="starttls", ca_file=certificate[0]) as sender:
        session = sender.session()
        ((outcome, _, text),) = session.send()
        assert outcome == DEFERRED and text.startswith("TLS: "), text
        assert session.send()[0][0] == SENT


def test_logs_in(home, certificate, password):
    with Smtp(certificate, auth=AUTH) as server, \
            Sender(home, f"localhost:{server.port}", tls="starttls", ca_file=certificate[0],
                   user="tim", password_file=password) as sender:
        session = sender.session()
        for _ in range(2):
            assert session.send()[0][0] == SENT
        assert all(message["tls"] and message["user"] == "tim" for message in server.messages)
        assert server.commands.count("AUTH ...") == 1
        assert AUTH[1] not in sender.log()


def test_logs_in_on_this_machine(home, password):
    """A password within this machine needs no TLS."""
    with Smtp(auth=AUTH) as server, \
            Sender(home, server, user="tim", password_file=password) as sender:
        assert sender.session().send()[0][0] == SENT
        assert server.messages[0]["user"] == "tim"


def test_a_wrong_password(home, password):
    """It says nothing about the message."""
    password.write_text("wrong")
    with Smtp(auth=AUTH) as server, \
            Sender(home, server, user="tim", password_file=password) as sender:
        assert sender.session().send() == [(DEFERRED, 535, "5.7.8 wrong")]


@pytest.mark.parametrize("mode, text", [(0o644, AUTH[1]), (0o640, AUTH[1]), (0o600, "\n"),
                                        (0o600, "x" * 1025)],
                         ids=["open to all", "open to its group", "empty", "too long"])
def test_a_password_file_that_is_none(home, password, mode, text):
    password.write_text(text)
    password.chmod(mode)
    with Smtp(auth=AUTH) as server:
        sender = Sender(home, server, user="tim", password_file=password)
        with pytest.raises(AssertionError):
            sender.start()
        assert sender.wait() == 1
        assert "event=outgoing_server" in sender.log() and str(password) in sender.log()


def test_a_name_that_is_not_there(home):
    with Sender(home, "nowhere.invalid:25") as sender:
        assert "outgoing_unknown" in sender.log()
        assert sender.session().send() == [
            (DEFERRED, 0, "the name of outgoing_server was not found")]


# --- the channel ---

def begun(session, number=1):
    session.begin(number)
    session.recipient(number, "bob@example.net")


BREACHES = {
    "an id that is not under way": lambda session: session.recipient(1, "bob@example.net"),
    "an end without a beginning": lambda session: session.end(1),
    "an id twice": lambda session: (begun(session), begun(session)),
    "no recipient": lambda session: (session.begin(1), session.end(1)),
    "a recipient after the end": lambda session: (begun(session), session.end(1),
                                                  session.recipient(1, "eve@example.net")),
    "too many recipients": lambda session: (begun(session),
                                            [session.recipient(1, "x@y") for _ in range(100)]),
    "too many messages": lambda session: [begun(session, number) for number in range(17)],
    "a RET that is none": lambda session: session.begin(1, ret=ord("X")),
    "a sender that is too long": lambda session: session.begin(1, sender="x" * 8193),
}


@pytest.mark.parametrize("breach", BREACHES)
def test_a_breach_ends_the_channel(home, breach):
    with Smtp(faults={"END": [STALL]}) as server, Sender(home, server) as sender:
        other, session = sender.session(), sender.session()
        with contextlib.suppress(BrokenPipeError):  # it ends as soon as it sees it
            BREACHES[breach](session)
        assert session.ended()
        assert sender.lost() == (session.slot, ERROR_PROTOCOL)
        server.faults.clear()
        assert other.send()[0][0] == SENT


def test_a_session_that_goes(home):
    """Its messages are not sent on: it, or the next one, hands them over again."""
    with Smtp(faults={"RCPT": [STALL]}) as server, Sender(home, server, connections=1) as sender:
        session, other = sender.session(), sender.session()
        for _ in range(3):
            session.submit()
        wait_until(lambda: any(command.startswith("RCPT") for command in server.commands))
        session.channel.close()
        assert other.send()[0][0] == SENT
        assert len(server.messages) == 1


# --- draining ---

def test_drains(home):
    """What is under way is sent; what comes then is given back untried."""
    with Smtp(faults={"RCPT": [STALL]}) as server, \
            Sender(home, server, connections=1, timeout=2) as sender:
        session = sender.session()
        first, second = session.submit(), session.submit()
        wait_until(lambda: any(command.startswith("RCPT") for command in server.commands))
        sender.drain()
        time.sleep(0.2)
        third = session.submit()
        assert session.answer(third) == UNTRIED
        assert session.answer(first) == [(DEFERRED, 0, "the server does not answer in time")]
        assert session.answer(second)[0][0] == SENT
        assert sender.wait() == 0


def test_drains_in_time(home):
    with Smtp(faults={"END": STALL}) as server, Sender(home, server, connections=1) as sender:
        session = sender.session()
        first, second, third = (session.submit() for _ in range(3))
        wait_until(lambda: "DATA" in server.commands)
        sender.drain(1)
        assert session.answer(first) == [(DEFERRED, 0, "chapar-send had to end")]
        assert session.answer(second) == session.answer(third) == UNTRIED
        assert sender.wait() == 0


def test_has_nothing_to_drain(home):
    with Smtp() as server, Sender(home, server) as sender:
        sender.session()
        sender.drain()
        assert sender.wait() == 0
