"""A real Postfix in front: SMTP in, LMTP over the Unix socket to Chapar."""

import json
import os
import pwd
import random
import re
import shutil
import signal
import smtplib
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest

from harness.sender import REFUSED, SENT, Sender
from harness.server import PASSWORD, Server, message
from harness.smtp import make_certificate

# `POSTFIX_MESSAGES=10000 pytest -k killed` is the long one, for 100 accounts.
MESSAGES = int(os.environ.get("POSTFIX_MESSAGES", "300"))
ACCOUNTS = max(MESSAGES // 100, 5)

MAIN = """
compatibility_level = 3.6
queue_directory = {top}/queue
data_directory = {top}/data
mail_owner = postfix
setgid_group = postdrop
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
myhostname = mx.example.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
maillog_file = {top}/maillog
maillog_file_prefixes = {top}
minimal_backoff_time = 2s
maximal_backoff_time = 2s
queue_run_delay = 2s
{settings}
"""

MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
postlog unix-dgram n - n - 1 postlogd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 2 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
lmtp unix - - {chroot} - - lmtp
anvil unix - - n - 1 anvil
tlsmgr unix - - n 1000? 1 tlsmgr
scache unix - - n - 1 scache
tlsmgr unix - - n 1000? 1 tlsmgr
"""


class Postfix:
    def __init__(self, top, settings, chroot="n"):
        self.top = top
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        for name in ("etc", "queue", "data"):
            (top / name).mkdir()
        user = pwd.getpwnam("postfix")
        os.chown(top / "data", user.pw_uid, user.pw_gid)
        (top / "etc" / "main.cf").write_text(MAIN.format(top=top, settings=settings))
        (top / "etc" / "master.cf").write_text(MASTER.format(port=self.port, chroot=chroot))
        self.command("start")

    def command(self, verb):
        result = subprocess.run(["postfix", "-c", self.top / "etc", verb], capture_output=True,
                                text=True, timeout=60)
        assert result.returncode == 0 or verb == "stop", result.stdout + result.stderr

    def queue(self):
        """The ids of what is in the queue. Postfix lists one folder after the other, so a message that
        is moved meanwhile is listed twice, or not at all."""
        listed = subprocess.run(["postqueue", "-c", self.top / "etc", "-j"], capture_output=True,
                                text=True, timeout=60)
        assert listed.returncode == 0, listed.stderr
        return {json.loads(line)["queue_id"] for line in listed.stdout.splitlines()}

    def log(self):
        path = self.top / "maillog"
        return path.read_text() if path.exists() else "no log"

    def wait_until_empty(self, seconds=60):
        deadline = time.monotonic() + seconds
        empty = 0
        while time.monotonic() < deadline:
            empty = 0 if self.queue() else empty + 1
            if empty == 2:  # one that was being moved is seen now
                return
            time.sleep(0.2)
        raise AssertionError("the queue is not empty:\n" + self.log()[-5000:])


@pytest.fixture
def top():
    if os.getuid() != 0:
        pytest.skip("Postfix can only be started by root")
    # Not below pytest's own folder: Postfix' user must be able to walk to the socket.
    made = Path(tempfile.mkdtemp(prefix="chapar-postfix-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def chapar(top):
    server = Server(top / "server")
    account = server.add_account("alice")
    yield server, account
    server.stop()
    server.check_log()


@pytest.fixture
def both(top, chapar):
    server, account = chapar
    server.configure(lmtp_socket_group="postfix")
    server.start()
    postfix = Postfix(top, f"virtual_mailbox_domains = {server.domain}\n"
                      f"virtual_transport = lmtp:unix:{server.lmtp_socket}")
    yield server, postfix, account
    postfix.command("stop")


def test_what_init_says_is_enough(top, chapar):
    """The lines for Postfix that `chapar init` prints, with nothing added, and Debian's lmtp service,
    which changes its root."""
    server, account = chapar
    server.start()
    settings = re.findall(r"(?:virtual|smtpd)_\w+ = .*", server.advice)
    assert len(settings) == 4
    postfix = Postfix(top, "\n".join(settings), chroot="y")
    with smtplib.SMTP("127.0.0.1", postfix.port, timeout=30) as smtp:
        smtp.sendmail("sender@example.org", [account[0]], message("as it was said"))
    try:
        postfix.wait_until_empty(20)
    finally:
        postfix.command("stop")
    with server.imap(account) as client:
        client.ok("SELECT INBOX")
        assert len(client.uids('SUBJECT "as it was said"')) == 1


def test_postfix_delivers_and_keeps_what_it_cannot(both):
    server, postfix, account = both
    with smtplib.SMTP("127.0.0.1", postfix.port, timeout=30) as smtp:
        for number in range(20):
            smtp.sendmail("sender@example.org", [account[0]], message(f"through Postfix {number}"))
        postfix.wait_until_empty()
        with server.imap(account) as client:
            client.ok("SELECT INBOX")
            assert len(client.uids()) == 20
            (line,) = client.ok("FETCH 20 BODY.PEEK[HEADER.FIELDS (Return-Path Delivered-To)]")
            assert "Return-Path: <sender@example.org>" in line
            assert f"Delivered-To: {account[0]}" in line

        # Chapar is away: Postfix keeps the message, and delivers it when Chapar is back.
        server.stop()
        smtp.sendmail("sender@example.org", [account[0]], message("while away"))
        time.sleep(1)
        assert len(postfix.queue()) == 1
    server.start()
    postfix.command("flush")
    postfix.wait_until_empty()
    with server.imap(account) as client:
        client.ok("SELECT INBOX")
        assert len(client.uids('SUBJECT "while away"')) == 1


def test_postfix_takes_what_chapar_sends(top, chapar):
    """The other way, over TLS: several messages on a connection, and each of them is one."""
    server, account = chapar
    server.start()
    certificate, key = make_certificate(top, "localhost")
    postfix = Postfix(top, f"virtual_mailbox_domains = {server.domain}\n"
                      f"virtual_transport = lmtp:inet:127.0.0.1:{server.lmtp_port}\n"
                      f"smtpd_tls_security_level = encrypt\nsmtpd_tls_loglevel = 1\n"
                      f"smtpd_tls_cert_file = {certificate}\nsmtpd_tls_key_file = {key}\n"
                      "smtpd_recipient_restrictions = check_recipient_access "
                      f"inline:{{ nobody@{server.domain}=REJECT }}")
    try:
        with Sender(top / "sender", f"localhost:{postfix.port}", tls="starttls",
                    ca_file=certificate) as sender:
            session = sender.session()
            numbers = [session.submit(message(f"sent {number}"), [account[0]])
                       for number in range(16)]
            for number in numbers:
                ((outcome, code, text),) = session.answer(number)
                assert (outcome, code) == (SENT, 250) and "queued as" in text, postfix.log()
            smuggled = message("one").rstrip() + b"\n.\nMAIL FROM:<eve@example.org>\nRCPT TO:<" + \
                account[0].encode() + b">\nDATA\nSubject: two\n\nx\n"
            results = session.send(smuggled, [f"nobody@{server.domain}", account[0]], notify=2)
            assert [result[0] for result in results] == [REFUSED, SENT]
        postfix.wait_until_empty()
    finally:
        postfix.command("stop")
    assert "TLS connection established" in postfix.log()
    with server.imap(account) as client:
        client.ok("SELECT INBOX")
        assert len(client.uids('SUBJECT "sent"')) == 16
        assert len(client.uids('SUBJECT "one"')) == 1 and not client.uids('SUBJECT "two"')


SCRIPT = """require ["fileinto", "copy", "mailbox", "editheader", "imap4flags"];
fileinto :copy :create "Filed"; addheader "X-Filtered" "yes";
if header :contains "subject" "number 7" { fileinto :flags "\\\\Seen" :create "Sevens"; }
"""


def kill_sessions(server, ended):
    """SIGKILL for all of them soon, then for one now and then, while others start again."""
    chance = 1
    while not ended.wait(random.uniform(0.1, 0.6)):
        for pid in filter(None, server.children("chapar-session")):  # 0: it is being started
            if random.random() < chance:
                os.kill(pid, signal.SIGKILL)
        chance = 0.4


def numbers_in(server, account, mailbox):
    """The numbers in the subjects of a mailbox, sorted, and how many are changed."""
    with server.imap(account) as client:
        status, _ = client.command(f"EXAMINE {mailbox}")
        texts = client.ok("FETCH 1:* BODY.PEEK[HEADER.FIELDS (Subject X-Filtered)]") \
            if status.startswith("OK") and client.uids() else []
    numbers = [int(re.search(r"number (\d+)", text).group(1)) for text in texts if "number" in text]
    return sorted(numbers), sum("X-Filtered: yes" in text for text in texts)


def test_scripts_while_sessions_are_killed(top, chapar):
    """Every message is filed exactly once wherever the script wants it, whatever is killed when."""
    server, _ = chapar
    server.configure(lmtp_socket_group="postfix", lmtp_duplicate_time=86400, session_processes=2)
    server.start()
    accounts = [server.add_account(f"box{number}", PASSWORD) for number in range(ACCOUNTS)]
    for address, _ in accounts:
        server.run("sieve", "put", "--activate", address, "rules", "-", text=SCRIPT)
    postfix = Postfix(top, f"virtual_mailbox_domains = {server.domain}\n"
                      f"virtual_transport = lmtp:unix:{server.lmtp_socket}")
    ended = threading.Event()
    killer = threading.Thread(target=kill_sessions, args=(server, ended))
    killer.start()
    try:
        with smtplib.SMTP("127.0.0.1", postfix.port, timeout=60) as smtp:
            for number in range(MESSAGES):
                smtp.sendmail("sender@example.org", [accounts[number % ACCOUNTS][0]],
                              message(f"number {number}"))
        ended.set()
        killer.join()
        postfix.command("flush")
        postfix.wait_until_empty(120 + MESSAGES // 20)
    finally:
        ended.set()
        killer.join()
        postfix.command("stop")
    assert server.json("status")["counters"]["process_crashes"] > 0
    for index, account in enumerate(accounts):
        wanted = list(range(index, MESSAGES, ACCOUNTS))
        sevens = [number for number in wanted if str(number).startswith("7")]
        assert numbers_in(server, account, "Filed") == (wanted, 0)
        assert numbers_in(server, account, "Sevens") == (sevens, len(sevens))
        rest = [number for number in wanted if number not in sevens]
        assert numbers_in(server, account, "INBOX") == (rest, len(rest))
    server.run("check", "--deep")


def rcpt(smtp, address, size=100):
    """The reply to RCPT of a transaction that goes no further."""
    smtp.rset()
    code, text = smtp.mail("sender@example.org", [f"SIZE={size}"])
    assert code == 250, text
    code, text = smtp.rcpt(address)
    return code, text.decode()


def test_postfix_refuses_while_the_client_is_there(top, chapar):
    """With what init says, nobody gets a bounce later: unknown recipients and full mailboxes are
    refused at RCPT."""
    server, account = chapar
    domain = server.domain
    server.start()
    server.run("alias", "add", f"info@{domain}", account[0])
    server.run("group", "add", f"team@{domain}")
    server.run("group", "add-member", f"team@{domain}", account[0])
    full = server.add_account("full")
    server.run("quota", "set", full[0], "storage", "50")
    postfix = Postfix(top, "\n".join(re.findall(r"(?:virtual|smtpd)_\w+ = .*", server.advice)))
    try:
        with smtplib.SMTP("127.0.0.1", postfix.port, timeout=30) as smtp:
            smtp.ehlo()
            code, text = rcpt(smtp, f"nobody@{domain}")
            assert code == 550 and "5.1.1" in text, text
            code, text = rcpt(smtp, full[0])
            assert code == 452 and "4.2.2" in text, text
            assert rcpt(smtp, full[0], 50)[0] == 250
            for name in ("alice", "Alice", "info", "team", "alice+lists"):
                assert rcpt(smtp, f"{name}@{domain}")[0] == 250, name
            smtp.rset()
            smtp.sendmail("sender@example.org", [f"info@{domain}", f"team@{domain}"],
                          message("to both"))
            postfix.wait_until_empty()
        with server.imap(account) as client:
            client.ok("SELECT INBOX")
            assert len(client.uids('SUBJECT "to both"')) == 1
        server.stop()
        with smtplib.SMTP("127.0.0.1", postfix.port, timeout=30) as smtp:
            smtp.ehlo()
            assert rcpt(smtp, account[0])[0] == 451
            assert rcpt(smtp, f"nobody@{domain}")[0] == 451
    finally:
        postfix.command("stop")


def remote(server, top, **settings):
    """Postfix as on another machine: it looks at the certificate, and logs in."""
    address, password = server.mail_server()
    passwords = top / "sasl_passwords"
    passwords.write_text(f"[127.0.0.1]:{server.lmtp_remote_port} {address}:{password}\n")
    certificate = server.directory / "tls" / "certificate.pem"
    shutil.copy(certificate, top / "ca.pem")
    lines = {"virtual_mailbox_domains": server.domain,
             "virtual_transport": f"lmtp:inet:[127.0.0.1]:{server.lmtp_remote_port}",
             "lmtp_tls_security_level": "verify", "lmtp_tls_CAfile": top / "ca.pem",
             "lmtp_tls_verify_cert_match": server.domain, "lmtp_sasl_auth_enable": "yes",
             "lmtp_sasl_password_maps": f"texthash:{passwords}",
             "lmtp_sasl_security_options": "noanonymous",
             "lmtp_tls_loglevel": "1", **settings}
    return Postfix(top, "\n".join(f"{name} = {value}" for name, value in lines.items()))


def send(postfix, account, subjects):
    with smtplib.SMTP("127.0.0.1", postfix.port, timeout=30) as smtp:
        for subject in subjects:
            smtp.sendmail("sender@example.org", [account[0]], message(subject))


@pytest.mark.parametrize("mechanism", ["plain", "scram-sha-256"])
def test_postfix_on_another_machine(top, chapar, mechanism):
    """RFC 3207 and RFC 4954 as a real mail server speaks them: STARTTLS, a certificate that it trusts,
    AUTH. While its account is not among lmtp_accounts, nothing is lost: it waits."""
    server, account = chapar
    server.start()
    postfix = remote(server, top, lmtp_sasl_mechanism_filter=mechanism)
    try:
        send(postfix, account, [f"over TLS {number}" for number in range(20)])
        postfix.wait_until_empty()
        assert "Verified TLS connection established to 127.0.0.1" in postfix.log()
        server.stop()
        server.configure(lmtp_accounts=[])
        server.start()
        send(postfix, account, ["not yet"])
        server.wait_for_log("event=may_not_deliver name=mx@example.test")
        assert len(postfix.queue()) == 1
        server.stop()
        server.configure(lmtp_accounts=["mx"])
        server.start()
        postfix.command("flush")
        postfix.wait_until_empty()
    finally:
        postfix.command("stop")
    with server.imap(account) as client:
        client.ok("SELECT INBOX")
        assert len(client.uids('SUBJECT "over TLS"')) == 20
        assert len(client.uids('SUBJECT "not yet"')) == 1
        (line,) = client.ok("FETCH 1 BODY.PEEK[HEADER.FIELDS (Received)]")
        assert "(Chapar) with LMTPSA id" in line


def test_postfix_that_is_trusted_by_its_address(top, chapar):
    """Over TLS, without a login."""
    server, account = chapar
    server.configure(lmtp_accounts=[], lmtp_trusted=["127.0.0.0/8"])
    server.start()
    postfix = remote(server, top, lmtp_sasl_auth_enable="no")
    try:
        send(postfix, account, ["trusted"])
        postfix.wait_until_empty()
    finally:
        postfix.command("stop")
    with server.imap(account) as client:
        client.ok("SELECT INBOX")
        (line,) = client.ok("FETCH 1 BODY.PEEK[HEADER.FIELDS (Received)]")
        assert "(Chapar) with LMTPS id" in line
