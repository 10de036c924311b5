"""The disk gets full while mail comes in and is changed: what needs room is refused for now, what is
read goes on, and when there is room again everything works, without a restart. What was acknowledged
is there, what was refused is not.

The data directory is a small tmpfs. Who may not mount one gets the same by a limit on the size of
files, set on the running processes.

A disk is quite full only when others fill it: minimum_free leaves room to read what was not open
before, and to delete.
"""

import os
import re
import resource
import shutil
import subprocess
import time

import pytest

from harness.server import Server, message
from harness.threads import Threads
from harness.wait import wait_until

SIZE = 24 << 20
LARGE = "x" * 70 + "\r\n"


class Tmpfs:
    """The data directory on a file system of its own."""

    def __init__(self, server):
        self.data = server.directory / "data"
        self.filler = self.data / "filler"
        self.server = server

    def mount(self):
        kept = self.data.with_name("data.kept")
        if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "none", self.data],
                          capture_output=True).returncode:
            return False
        subprocess.run(["umount", self.data], check=True)
        shutil.move(self.data, kept)
        self.data.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "none", self.data], check=True)
        subprocess.run(["cp", "-a", f"{kept}/.", self.data], check=True)
        return True

    def fill(self, leave=0):
        with open(self.filler, "ab", buffering=0) as file:
            for size in (1 << 20, 1 << 16, 1 << 12):
                try:
                    while True:
                        file.write(b"x" * size)
                except OSError:
                    pass
            file.truncate(max(file.tell() - leave, 0))

    def free(self):
        self.filler.unlink()

    def unmount(self):
        subprocess.run(["umount", "--lazy", self.data], check=True)


class Limit:
    """No file may be written to, by any process of the server's that stores something: a limit on the
    size of files is met like a full disk (setrlimit(2)), it ends no process."""

    def __init__(self, server):
        self.server = server

    def limit(self, soft):
        for pid, role in self.server.children().items():
            if role != "chapar-login":
                _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))

    def fill(self):
        self.limit(0)

    def free(self):
        self.limit(resource.RLIM_INFINITY)

    def unmount(self):
        pass


@pytest.fixture
def full(tmp_path):
    """(a server, how its disk gets full)"""
    server = Server(tmp_path / "server")
    server.configure(session_processes=2, account_connections=200, minimum_free=0)
    disk = Tmpfs(server)
    if not disk.mount():
        disk = Limit(server)
    print("a full", type(disk).__name__)
    yield server, disk
    server.stop()
    disk.unmount()
    server.check_log()


class Load(Threads):
    """Deliveries, APPENDs and readers until stopped, and what each was told."""

    def __init__(self, server, accounts):
        super().__init__((run, number) for number in range(3)
                         for run in (self.deliver, self.append, self.read))
        self.server, self.accounts = server, accounts
        self.taken, self.refused, self.replies = set(), set(), set()
        self.reads = 0

    def told(self, identity, reply):
        (self.refused if reply else self.taken).add(identity)
        if reply:
            self.replies.add(re.match(r"NO \[\w+\]|\d+ \S+", reply)[0])

    def messages(self, kind):
        count = 0
        while not self.ended.is_set():
            count += 1
            identity = f"{kind}.{count}@example.org"
            body = LARGE * (6000 if count % 10 == 7 else count % 200)
            yield count, identity, message(Message_ID=f"<{identity}>", body=body)
            time.sleep(0.02)

    def deliver(self, number):
        with self.server.lmtp() as client:
            for count, identity, text in self.messages(f"lmtp{number}"):
                to = self.accounts[count % len(self.accounts)][0]
                self.told(identity, client.deliver("s@example.org", [to], text).get(to))

    def append(self, number):
        with self.server.imap(self.accounts[number % len(self.accounts)]) as client:
            for _, identity, text in self.messages(f"append{number}"):
                status, _ = client.command("APPEND INBOX", text)
                self.told(identity, None if status.startswith("OK") else status)

    def read(self, number):
        account = self.accounts[number % len(self.accounts)]
        while not self.ended.is_set():
            with self.server.imap(account) as client:
                client.ok("SELECT INBOX")
                client.ok("FETCH 1:10 (FLAGS ENVELOPE BODY.PEEK[])")
                client.ok('SEARCH TEXT "Hello"')
            self.reads += 1


def identities(server, account):
    with server.imap(account) as client:
        client.ok("SELECT INBOX")
        lines = client.ok("FETCH 1:* (BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
    return [line.split("<")[1].split(">")[0] for line in lines if "<" in line]


def test_full_and_free(full):
    server, disk = full
    accounts = [server.add_account(f"account{number}") for number in range(3)]
    server.start()
    for account in accounts:
        for number in range(12):
            assert not server.deliver(message(f"first {number}"), account[0])
    children = server.children()
    with Load(server, accounts) as load:
        wait_until(lambda: len(load.taken) > 20)
        disk.fill()
        wait_until(lambda: len(load.refused) > 20)
        before = load.reads
        wait_until(lambda: load.reads > before + 10)
        while_full(server, accounts)
        disk.free()
        taken = len(load.taken)
        wait_until(lambda: len(load.taken) > taken + 60)
        refused = len(load.refused)
        time.sleep(0.5)
        assert len(load.refused) == refused, "refused though there is room"
    assert load.replies <= {"452 4.3.1", "NO [UNAVAILABLE]", "NO [OVERQUOTA]"}, load.replies
    assert server.children() == children, "a process died"
    found = [identity for account in accounts for identity in identities(server, account)]
    assert len(found) == len(set(found))
    assert load.taken <= set(found), "acknowledged, and lost"
    assert not load.refused & set(found), "refused, and there"
    server.stop()
    assert server.run("check", "--deep").stdout == "all is well\n"


def while_full(server, accounts):
    """A login goes on, also one whose password nobody remembers; a change is made or refused."""
    for account in accounts:
        with server.imap(account) as client:
            client.ok("SELECT INBOX")
            client.ok("FETCH 1:* (FLAGS RFC822.SIZE)")
            for command in ("STORE 1 +FLAGS.SILENT (\\Flagged)", "CREATE More", "COPY 1 Trash",
                            "SUBSCRIBE INBOX"):
                status, _ = client.command(command)
                assert re.match(r"OK|NO \[(UNAVAILABLE|OVERQUOTA)\]", status), status
            client.ok("NOOP")


def refuses(server, account):
    """By LMTP and by IMAP, for now."""
    refused = server.deliver(message("no room"), account[0])
    assert refused[account[0]].startswith("452 4.3.1"), refused
    with server.imap(account) as client:
        assert client.append("INBOX", message("no room"))[0].startswith("NO [UNAVAILABLE]")


def test_room_is_left(full):
    """Below minimum_free an account that nobody had open can be read, changed and emptied."""
    server, disk = full
    accounts = [server.add_account(f"account{number}") for number in range(6)]
    server.start()
    for account in accounts:
        for number in range(2):
            assert not server.deliver(message(f"first {number}"), account[0])
    server.stop()
    # On a disk of any size: what has to be left is more than it has, or half of the small one.
    small = isinstance(disk, Tmpfs)
    server.configure(minimum_free=SIZE // 2 if small else 1 << 50)
    server.start()
    if small:
        assert not server.deliver(message("room"), accounts[0][0])
        disk.fill(leave=SIZE // 3)
    for account in accounts:
        refuses(server, account)
        with server.imap(account) as client:
            client.ok("SELECT INBOX")
            assert len(client.ok("FETCH 1:2 (FLAGS ENVELOPE BODY.PEEK[])")) == 2
            client.ok("STORE 1 +FLAGS (\\Deleted)")
            client.ok("MOVE 2 Trash")
            client.ok("EXPUNGE")
    if small:
        disk.free()
        assert not server.deliver(message("room"), accounts[0][0])
    server.stop()
    assert server.run("check", "--deep").stdout == "all is well\n"


def start_limited(server, size):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        server.start()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_limit_on_files(tmp_path):
    """A server started with a limit on the size of files refuses what does not fit, and lives."""
    server = Server(tmp_path / "server")
    with pytest.raises(AssertionError, match="does not start"):  # the memory it shares is a file too
        start_limited(server, 1 << 16)
    server.check_log()
    start_limited(server, 16 << 20)
    account = server.add_account("alice")
    children = server.children()
    refused = server.deliver(message(body=LARGE * 300000), account[0])
    assert refused[account[0]].startswith("452 4.3.1"), refused
    assert not server.deliver(message("small"), account[0])
    assert len(identities(server, account)) == 1
    assert server.children() == children
    server.stop()
    server.check_log()
