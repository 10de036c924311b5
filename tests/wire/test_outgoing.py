"""What scripts redirect, answer and notify of is sent: through chapar-send, to a mail server that
takes it, or not, or later."""

import base64
import contextlib
import email
import itertools
import os
import re
import signal
import threading
import time

import pytest

from harness.server import Server, message
from harness.smtp import CLOSE, STALL, Smtp
from harness.wait import wait_until


@pytest.fixture
def mta():
    with Smtp() as smtp:
        yield smtp


@pytest.fixture
def server(tmp_path, mta):
    server = Server(tmp_path)
    server.configure(outgoing_server=f"127.0.0.1:{mta.port}")
    server.start()
    yield server
    server.stop()
    server.check_log()


def script(server, account, text):
    server.run("sieve", "put", "--activate", account[0], "rules", "-", text=text)


def waiting(server, *account):
    return server.json("outgoing", "list", *account)


def inbox(server, account):
    with server.imap(account) as client:
        client.ok("EXAMINE INBOX")
        return ["\n".join(client.ok(f"UID FETCH {uid} BODY.PEEK[]")) for uid in client.uids()]


def sent(mta, count):
    wait_until(lambda: len(mta.messages) >= count, otherwise=lambda: f"{mta.commands}")
    return mta.messages


def test_redirect(server, mta):
    alice = server.fresh_account()
    script(server, alice, 'redirect "one@example.net"; redirect "two@example.net";')
    server.deliver(message("x", body=".dots\r\n"), alice[0], sender="sender@example.org")
    (mail,) = sent(mta, 1)
    assert mail["mail"].startswith("MAIL FROM:<sender@example.org>")
    assert [line.split()[1] for line in mail["recipients"]] == \
        ["TO:<one@example.net>", "TO:<two@example.net>"]
    text = mail["data"].decode()
    assert text.startswith(f"Delivered-To: {alice[0]}\r\nReceived: from ")
    assert "Return-Path" not in text and text.endswith("\r\n\r\n.dots\r\n")
    assert "Subject: x\r\n" in text
    wait_until(lambda: not waiting(server))
    assert inbox(server, alice) == []
    counters = server.json("status")["counters"]
    assert (counters["outgoing_sent"], counters["outgoing_attempts"]) == (2, 1)


def test_it_is_quick(server, mta):
    alice = server.fresh_account()
    script(server, alice, 'require "copy"; redirect :copy "one@example.net";')
    for number in range(10):
        server.deliver(message(f"x{number}"), alice[0])
    sent(mta, 10)
    wait_until(lambda: not waiting(server), seconds=5)
    assert {re.search(rb"Subject: (x\d)", mail["data"])[1] for mail in mta.messages} == \
        {f"x{number}".encode() for number in range(10)}


def test_large_message(server, mta):
    alice = server.fresh_account()
    script(server, alice, 'redirect "one@example.net";')
    body = "".join(f"{number:062d}\r\n" for number in range(32768))  # 2 MiB: a blob
    server.deliver(message("x", body=body), alice[0])
    (mail,) = sent(mta, 1)
    assert mail["data"].decode().endswith("\r\n\r\n" + body)
    wait_until(lambda: not waiting(server))
    assert server.run("check", "--deep", alice[0]).returncode == 0


def test_vacation(server, mta):
    alice = server.fresh_account()
    script(server, alice, 'require "vacation"; vacation :subject "Away" "See you.";')
    for subject in "one", "two":
        server.deliver(message(subject, To=alice[0]), alice[0], sender="sender@example.org")
    (mail,) = sent(mta, 1)
    assert mail["mail"].startswith("MAIL FROM:<>")
    assert mail["recipients"] == ["RCPT TO:<sender@example.org> NOTIFY=NEVER"]
    text = mail["data"].decode()
    assert re.match(r"Message-ID: <[^>]+>\r\n", text) and "\r\nSubject: Away\r\n" in text
    assert "\r\nAuto-Submitted: auto-replied\r\n" in text and "\r\n\r\nSee you." in text
    assert len(inbox(server, alice)) == 2
    # The answer to an answer: there is none.
    script(server, alice, 'require "vacation"; vacation "Another one.";')
    server.deliver(mail["data"], alice[0], sender="other@example.org")
    time.sleep(1)
    assert len(mta.messages) == 1 and waiting(server) == []


def test_notify(server, mta):
    alice = server.fresh_account()
    script(server, alice, 'require "enotify"; notify "mailto:one@example.net?body=News";')
    server.deliver(message("x"), alice[0])
    (mail,) = sent(mta, 1)
    assert mail["mail"].startswith(f"MAIL FROM:<{alice[0]}>")
    assert b"\r\nAuto-Submitted: auto-notified" in b"\r\n" + mail["data"]
    assert len(inbox(server, alice)) == 1


def test_reject_with_a_report(server, mta):
    alice = server.fresh_account()
    script(server, alice, 'require "reject"; reject "nö, danke";')
    assert server.deliver(message("x"), alice[0], sender="sender@example.org") == {}
    (mail,) = sent(mta, 1)
    assert mail["recipients"][0].startswith("RCPT TO:<sender@example.org>")
    report = email.message_from_bytes(mail["data"])
    text, notification, original = report.get_payload()
    assert report.get_param("report-type") == "disposition-notification"
    assert "nö, danke" in base64.b64decode(text.get_payload()).decode()
    assert "automatic-action/MDN-sent-automatically; deleted" in notification.as_string()
    assert original.get_payload(0)["Subject"] == "x"
    assert inbox(server, alice) == []


def test_of_a_large_message_the_report_has_the_header(server, mta):
    """RETURNED_MAXIMUM"""
    alice = server.fresh_account()
    script(server, alice, 'require "reject"; reject "nö";')
    server.deliver(message("large", body="x" * 70 + "\r\n" * 70000), alice[0])
    (mail,) = sent(mta, 1)
    original = email.message_from_bytes(mail["data"]).get_payload()[2]
    assert original.get_content_type() == "text/rfc822-headers"
    assert "Subject: large" in original.get_payload() and len(mail["data"]) < 4000


def test_of_an_internationalized_message_the_report_says_so(server, mta):
    """RFC 6533 section 5, encoded for any mail server (RFC 6532 section 3.7)."""
    alice = server.fresh_account()
    script(server, alice, 'require "reject"; reject "nö";')
    for number, body in enumerate(("x\r\n", "x" * 70 + "\r\n" * 70000)):
        text = message("größer", body=body, Message_ID=f"<ö{number}@example.org>")
        server.deliver(text, alice[0])
        report = sent(mta, number + 1)[number]["data"]
        assert report.isascii()
        _, notification, original = email.message_from_bytes(report).get_payload()
        assert "Original-Message-ID" not in notification.as_string()
        assert original.get_content_type() == ("message/global-headers" if number else "message/global")
        header = text.partition(b"\r\n\r\n")[0] + b"\r\n"
        payload = original.get_payload()
        payload = payload[0].get_payload() if isinstance(payload, list) else payload
        assert base64.b64decode(payload) == (header if number else text)


def test_a_body_of_8_bits_is_said_to_be_one(server, mta):
    alice = server.fresh_account()
    script(server, alice, 'require "reject"; reject "nö";')
    server.deliver(message("x", body="größer\r\n"), alice[0])
    (mail,) = sent(mta, 1)
    original = email.message_from_bytes(mail["data"]).get_payload()[2]
    assert (original.get_content_type(), original["Content-Transfer-Encoding"]) == ("message/rfc822", "8bit")
    assert "größer\r\n".encode() in mail["data"]


def test_dsn_parameters_go_on(server, mta):
    alice = server.fresh_account()
    script(server, alice, 'require ["redirect-dsn", "redirect-deliverby"];'
           ' redirect "one@example.net";'
           ' redirect :notify "SUCCESS" :ret "FULL" "two@example.net";'
           ' redirect :bytimerelative 600 :bymode "notify" :bytrace "three@example.net";')
    with server.lmtp() as client:
        for line in ("MAIL FROM:<sender@example.org> RET=HDRS",
                     f"RCPT TO:<{alice[0]}> NOTIFY=DELAY", "DATA", "Subject: x\r\n\r\nx\r\n."):
            client.send(line + "\r\n")
            assert client.reply()[0] in "23"
    mails = {mail["recipients"][0].split()[1]: mail for mail in sent(mta, 3)}
    one, two, three = (mails[f"TO:<{name}@example.net>"] for name in ("one", "two", "three"))
    assert "RET=HDRS" in one["mail"] and "NOTIFY=DELAY" in one["recipients"][0]
    assert "RET=FULL" in two["mail"] and "NOTIFY=SUCCESS" in two["recipients"][0]
    assert re.search(r" BY=(59\d|600);NT\b", three["mail"])


def test_what_is_refused_comes_back(server, mta):
    mta.faults = {"RCPT": "550 5.1.1 nobody there"}
    alice = server.fresh_account()
    script(server, alice, 'redirect "one@example.net";')
    server.deliver(message("precious"), alice[0])
    (report,) = wait_until(lambda: inbox(server, alice))
    assert "Subject: A message could not be redirected" in report
    assert "<one@example.net>: 550 5.1.1 nobody there" in report
    assert "Subject: precious" in report and "Status: 5.1.1" in report
    wait_until(lambda: not waiting(server))


@pytest.mark.parametrize("fault", [{"MAIL": ["451 4.3.0 later"]}, {"END": [CLOSE]},
                                   {"greeting": ["421 4.3.2 busy"]}])
def test_what_is_deferred_waits_and_is_sent(server, mta, fault):
    mta.faults = fault
    alice = server.fresh_account()
    script(server, alice, 'redirect "one@example.net";')
    server.deliver(message("x"), alice[0])
    (row,) = wait_until(lambda: [row for row in waiting(server)
                                 if row["state"] == "waiting" and row["attempts"]])
    assert row["kind"] == "redirect" and row["recipient"] == "one@example.net" and row["reply"]
    assert row["address"] == alice[0] and waiting(server, alice[0]) == [row]
    server.run("outgoing", "retry", alice[0], str(row["message"]))
    (mail,) = sent(mta, 1)
    assert b"Subject: x" in mail["data"]
    wait_until(lambda: not waiting(server))
    assert inbox(server, alice) == []


def test_delete(server, mta):
    mta.faults = {"MAIL": "451 4.3.0 never"}
    alice = server.fresh_account()
    script(server, alice, 'redirect "one@example.net";')
    server.deliver(message("x"), alice[0])
    (row,) = wait_until(lambda: [row for row in waiting(server)
                                 if row["state"] == "waiting" and row["attempts"]])
    server.run("outgoing", "delete", alice[0], str(row["message"]))
    assert waiting(server) == []
    result = server.run("outgoing", "delete", alice[0], str(row["message"]), check=False)
    assert result.returncode and "no such message is on its way out" in result.stderr
    result = server.run("outgoing", "retry", alice[0], "x", check=False)
    assert result.returncode and "number" in result.stderr


def test_nothing_is_lost_when_all_is_killed(server, mta):
    """An accepted message is sent, whatever is killed before; once, unless it was being taken."""
    mta.faults = {"greeting": "421 4.3.2 not yet"}
    alice = server.fresh_account()
    script(server, alice, 'redirect "one@example.net";')
    for number in range(5):
        server.deliver(message(f"x{number}"), alice[0])
    server.kill_all()
    mta.faults = {}
    server.start()
    for row in waiting(server):
        if row["state"] == "waiting":
            server.run("outgoing", "retry", alice[0], str(row["message"]), check=False)
    wait_until(lambda: len(mta.messages) + sum(row["state"] == "under way"
                                               for row in waiting(server)) >= 5)
    subjects = [re.search(rb"Subject: (x\d)", mail["data"])[1] for mail in mta.messages]
    assert len(subjects) == len(set(subjects))
    assert server.run("check", "--deep").returncode == 0


def test_a_stopped_server_finishes_what_is_under_way(server, mta):
    mta.faults = {}
    alice = server.fresh_account()
    script(server, alice, 'redirect "one@example.net";')
    for number in range(20):
        server.deliver(message(f"x{number}"), alice[0])
    server.stop()
    server.start()
    sent(mta, 20)
    wait_until(lambda: not waiting(server))
    subjects = [re.search(rb"Subject: (x\d+)", mail["data"])[1] for mail in mta.messages]
    assert sorted(subjects) == sorted(f"x{number}".encode() for number in range(20))


def stop(server):
    server.stop()


def reload(server):
    position = len(server.log())
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "event=reloaded" in server.log()[position:])


@contextlib.contextmanager
def deliveries(server, account, accepted):
    """One after the other, each on its own connection, whether they are taken or not; `accepted`
    gets the subjects of those that are."""
    over = threading.Event()

    def deliver():
        for number in itertools.count():
            if over.is_set():
                return
            subject = f"{account[0]}-{number}."
            with contextlib.suppress(OSError, AssertionError):
                if not server.deliver(message(subject), account[0]):
                    accepted.append(subject)
    thread = threading.Thread(target=deliver)
    thread.start()
    yield
    over.set()
    thread.join()


@pytest.mark.parametrize("end", [stop, reload])
def test_what_is_delivered_while_processes_end_is_sent(server, mta, end):
    """They leave nothing behind that nobody looks at for minutes: a server that starts finds it at
    once, new processes beside old ones within SENDER_LOOK_SECONDS."""
    server.configure(outgoing_rate=0)
    reload(server)
    accepted = []
    for _ in range(3):
        alice, before = server.fresh_account(), len(accepted)
        script(server, alice, 'redirect "one@example.net";')
        with deliveries(server, alice, accepted):
            wait_until(lambda: len(accepted) > before + 10)
            end(server)
        if not server.process:
            server.start()
        wait_until(lambda: not waiting(server), seconds=40, otherwise=lambda: f"{waiting(server)}")
    subjects = {email.message_from_bytes(mail["data"])["Subject"] for mail in mta.messages}
    assert len(accepted) > 30 and set(accepted) <= subjects


def test_sender_killed_while_sending(server, mta):
    """chapar-send dies with a message half sent: it is sent again."""
    mta.faults = {"END": [STALL]}
    alice = server.fresh_account()
    script(server, alice, 'redirect "one@example.net";')
    server.deliver(message("x"), alice[0])
    wait_until(lambda: "DATA" in mta.commands)
    (pid,) = server.children("chapar-send")
    os.kill(pid, signal.SIGKILL)
    (row,) = wait_until(lambda: [row for row in waiting(server) if row["state"] == "waiting"])
    assert row["reply"] == "the connection has ended"
    server.run("outgoing", "retry", alice[0], str(row["message"]))
    sent(mta, 1)
    wait_until(lambda: not waiting(server))
    assert server.json("status")["counters"]["process_crashes"] == 1


def test_a_server_that_sends_nothing(tmp_path):
    """What would be redirected is kept, and the owner is told."""
    server = Server(tmp_path)
    server.configure(outgoing_server="")
    server.start()
    alice = server.fresh_account()
    for text in ('redirect "one@example.net";', 'require "vacation"; vacation "away";',
                 'require "reject"; reject "nö";'):
        script(server, alice, text)
        server.deliver(message("x", To=alice[0]), alice[0])
    texts = inbox(server, alice)
    assert sum("Subject: x\r\n" in text for text in texts) == 3
    assert sum("this server sends no mail" in text for text in texts) == 1
    assert waiting(server) == [] and not server.children("chapar-send")
    server.stop()
    server.check_log()
