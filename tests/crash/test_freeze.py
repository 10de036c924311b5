"""chapar freeze: what is copied meanwhile is whole, readers do not wait, writers are delayed and not
refused, and the deadline frees them whatever has died.
"""

import os
import shutil
import signal
import subprocess
import threading
import time

import pytest

from harness.server import Server, message
from harness.threads import Threads

WRITERS = 10
EXPIRED, FAILED, BUSY = 7, 1, 5


@pytest.fixture
def frozen(tmp_path):
    server = Server(tmp_path / "server")
    server.configure(session_processes=2, account_connections=200)
    yield server
    server.stop()
    server.check_log()


class Load(Threads):
    """Deliveries and IMAP writers that go on until stopped, and what each was told."""

    def __init__(self, server, accounts):
        super().__init__([(self.deliver, number) for number in range(4)] +
                         [(self.write, number) for number in range(WRITERS)])
        self.server, self.accounts = server, accounts
        self.lock = threading.Lock()
        self.acknowledged, self.offered = [], set()
        self.slowest = 0.0
        self.flagged = 0

    def timed(self, run):
        start = time.monotonic()
        run()
        with self.lock:
            self.slowest = max(self.slowest, time.monotonic() - start)

    def deliver(self, number):
        count = 0
        with self.server.lmtp() as client:
            while not self.ended.is_set():
                count += 1
                identity = f"{number}.{count}@example.org"
                account = self.accounts[count % len(self.accounts)]
                body = "text\r\n" * (60000 if count % 50 == 7 else count % 40)
                with self.lock:
                    self.offered.add(identity)
                self.timed(lambda: self.refuse_none(client, account, identity, body))
                with self.lock:
                    self.acknowledged.append((time.monotonic(), identity))

    @staticmethod
    def refuse_none(client, account, identity, body):
        refused = client.deliver("s@example.org", [account[0]],
                                 message(Message_ID=f"<{identity}>", body=body))
        assert not refused, refused

    def write(self, number):
        with self.server.imap(self.accounts[number % len(self.accounts)]) as client:
            client.ok("SELECT INBOX")
            while not client.uids() and not self.ended.is_set():
                time.sleep(0.01)  # the first delivery has not come yet
            while not self.ended.is_set():
                sign = "+" if self.flagged % 2 else "-"
                self.timed(lambda: client.ok(f"STORE * {sign}FLAGS.SILENT (\\Flagged)"))
                self.flagged += 1


def identities(server, account):
    with server.imap(account) as client:
        client.ok("SELECT INBOX")
        lines = client.ok("FETCH 1:* (BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
    return [line.split("<")[1].split(">")[0] for line in lines if "<" in line]


def copied_server(server, copy, tmp_path):
    """A server on the copy of the data."""
    other = Server(tmp_path / "other")
    shutil.rmtree(other.directory / "data")
    subprocess.run(["cp", "-a", copy, other.directory / "data"], check=True)
    for left in (other.directory / "data").glob("*.sock"):
        left.unlink()
    return other


def read_until(server, account, ended, gaps):
    """Reads all the time; the longest that an answer took."""
    with server.imap(account) as client:
        client.ok("SELECT INBOX")
        while not ended.is_set():
            start = time.monotonic()
            client.ok("FETCH 1:10 (FLAGS ENVELOPE BODY.PEEK[TEXT])")
            gaps.append((start, time.monotonic() - start))


def test_copy_under_load(frozen, tmp_path):
    accounts = [frozen.add_account(f"account{number}") for number in range(3)]
    frozen.start()
    for account in accounts:
        for number in range(20):
            assert not frozen.deliver(message(f"first {number}"), account[0])
    copy, gaps, ended = tmp_path / "copy", [], threading.Event()
    script = tmp_path / "slow-copy"
    script.write_text(f"#!/bin/sh\ncp -a '{frozen.directory}/data' '{copy}' && sleep 1\n")
    script.chmod(0o755)
    reader = threading.Thread(target=read_until, args=(frozen, accounts[0], ended, gaps))
    with Load(frozen, accounts) as load:
        reader.start()
        time.sleep(1)
        begun = time.monotonic()
        before = [identity for _, identity in list(load.acknowledged)]
        frozen.run("freeze", "--timeout", "20", "--", str(script))
        over = time.monotonic()
        time.sleep(0.5)
    ended.set()
    reader.join()
    # Writers waited for the second that the copy slept, and were not refused.
    assert 0.8 < load.slowest < 20
    during = [gap for start, gap in gaps if begun < start and start + gap < over]
    assert len(during) > 20 and max(during) < 0.8, (len(during), max(during))
    assert frozen.json("status")["freeze"] == "none"
    frozen.stop()

    other = copied_server(frozen, copy, tmp_path)
    assert other.run("check", "--deep").stdout == "all is well\n"
    other.start()
    found = [identity for account in accounts for identity in identities(other, account)]
    assert len(found) == len(set(found))
    assert set(before) <= set(found)
    late = {identity for when, identity in load.acknowledged if when > over}
    assert not late & set(found)
    other.stop()
    other.check_log()


def writer_is_freed(server, account, seconds):
    """Whether a change that waits goes on within the time."""
    start = time.monotonic()
    assert not server.deliver(message("after"), account[0])
    assert time.monotonic() - start < seconds
    return time.monotonic() - start


def test_alone_and_thaw(frozen):
    account = frozen.add_account("alice")
    frozen.start()
    frozen.run("freeze", "--timeout", "20")
    assert frozen.json("status")["freeze"] == "frozen"
    assert frozen.run("freeze", check=False).returncode == BUSY
    waited = []
    writer = threading.Thread(target=lambda: waited.append(writer_is_freed(frozen, account, 20)))
    writer.start()
    time.sleep(0.5)
    assert not waited
    with frozen.imap(account) as client:  # reading goes on, a login too
        client.ok("SELECT INBOX")
    frozen.run("thaw")
    writer.join()
    assert waited and waited[0] > 0.4
    again = frozen.run("thaw", check=False)
    assert again.returncode == FAILED and "no freeze" in again.stderr
    # One that has ended by its deadline is not in force any more.
    frozen.run("freeze", "--timeout", "0.3")
    time.sleep(0.6)
    late = frozen.run("thaw", check=False)
    assert late.returncode == FAILED and "deadline" in late.stderr
    counters = frozen.json("status")["counters"]
    assert counters["gate_freezes"] == 2 and counters["gate_expired"] == 1


def test_status_is_the_commands(frozen, tmp_path):
    frozen.start()
    for status in (0, 3):
        assert frozen.run("freeze", "--", "sh", "-c", f"exit {status}",
                          check=False).returncode == status
    assert frozen.run("freeze", "--", "/nowhere/at-all", check=False).returncode == 127
    assert frozen.run("freeze", "--", "sh", "-c", "kill -9 $$", check=False).returncode == 137
    late = frozen.run("freeze", "--timeout", "0.2", "--", "sleep", "1", check=False)
    assert late.returncode == EXPIRED and "of no use" in late.stderr
    for wrong in (["--timeout", "0"], ["--timeout", "241"], ["--timeout", "x"], ["--"], ["x"]):
        assert frozen.run("freeze", *wrong, check=False).returncode == 2, wrong
    # A json or another option behind -- is the command's.
    assert frozen.run("freeze", "--", "echo", "--json").stdout == "--json\n"
    frozen.stop()
    assert frozen.run("freeze", "--", "sh", "-c", "exit 4", check=False).returncode == 4
    assert frozen.run("freeze", check=False).returncode == 6
    assert frozen.run("thaw", check=False).returncode == 6


def start_freeze(server, *arguments):
    process = subprocess.Popen([server.bin / "chapar", "-c", server.config, "freeze", *arguments],
                               env=server.environment(), start_new_session=True)
    deadline = time.monotonic() + 20
    while server.json("status")["freeze"] != "frozen":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return process


def test_command_hangs(frozen):
    """The deadline frees the writers."""
    account = frozen.add_account("alice")
    frozen.start()
    process = start_freeze(frozen, "--timeout", "1", "--", "sleep", "100")
    writer_is_freed(frozen, account, 5)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_chapar_is_killed(frozen):
    """The freeze that it held ends with it, long before the deadline."""
    account = frozen.add_account("alice")
    frozen.start()
    process = start_freeze(frozen, "--timeout", "60", "--", "sleep", "100")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    writer_is_freed(frozen, account, 5)


def test_chapard_is_killed(frozen):
    """Nobody is left who could open the gate: the deadline in it does."""
    account = frozen.add_account("alice")
    frozen.start()
    client = frozen.lmtp()
    process = start_freeze(frozen, "--timeout", "2", "--", "sleep", "100")
    started = time.monotonic()
    children = frozen.children()
    results = []

    def deliver():
        try:
            results.append(client.deliver("s@example.org", [account[0]], message("waits")))
        except (ConnectionError, OSError) as problem:  # the session drains with chapard gone
            results.append(problem)

    writer = threading.Thread(target=deliver)
    writer.start()
    time.sleep(0.3)
    frozen.process.kill()
    frozen.process.wait()
    frozen.process = None
    writer.join(20)
    assert results, "the writer is stuck"
    deadline = started + 20
    while any(Server.is_alive(pid) for pid in children):
        assert time.monotonic() < deadline, "a process is stuck at the gate"
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    # What it left is whole, and it starts again.
    frozen.start()
    assert not frozen.deliver(message("later"), account[0])
    frozen.stop()
    assert frozen.run("check", "--deep").stdout == "all is well\n"


def test_session_is_killed_inside(frozen):
    """A process that dies while it changes something holds up no freeze."""
    account = frozen.add_account("alice")
    frozen.start()
    with Load(frozen, [account]) as load:
        time.sleep(0.5)
        load.ended.set()
        for pid in frozen.children("chapar-session"):
            os.kill(pid, signal.SIGKILL)
        load.problems = []
        for thread in load.threads:
            thread.join()
        load.problems = []
    frozen.run("freeze", "--timeout", "10", "--", "true")


def test_stop_while_frozen(frozen):
    """SIGTERM ends the freeze and the server, in their order."""
    frozen.start()
    frozen.run("freeze", "--timeout", "60")
    start = time.monotonic()
    frozen.stop()
    assert time.monotonic() - start < 15


@pytest.fixture
def btrfs(tmp_path):
    """A mounted btrfs on a loop device; None where root or the kernel does not allow it."""
    image, folder = tmp_path / "image", tmp_path / "btrfs"
    folder.mkdir()
    with open(image, "wb") as file:
        file.truncate(256 << 20)
    made = subprocess.run(["mkfs.btrfs", "-q", image], capture_output=True) \
        if shutil.which("mkfs.btrfs") else None
    mounted = made and made.returncode == 0 and \
        subprocess.run(["mount", "-o", "loop", image, folder], capture_output=True).returncode == 0
    yield folder if mounted else None
    if mounted:
        subprocess.run(["umount", "--lazy", folder], check=True)


def test_btrfs_snapshot(btrfs, tmp_path):
    """A real snapshot; where there can be none, a copy of the same takes its place."""
    server = Server((btrfs or tmp_path) / "server")
    account = server.add_account("alice")
    server.start()
    snapshot = (btrfs or tmp_path) / "snapshot"
    command = ["btrfs", "subvolume", "snapshot", btrfs, snapshot] if btrfs else \
        ["cp", "-a", server.directory.parent, snapshot]
    print("btrfs snapshot" if btrfs else "no btrfs here: a copy")
    with Load(server, [account]) as load:
        time.sleep(1)
        before = [identity for _, identity in list(load.acknowledged)]
        server.run("freeze", "--", *map(str, command))
    server.stop()
    data = snapshot / "server" / "chapar" / "data" if btrfs else snapshot / "chapar" / "data"
    other = copied_server(server, data, tmp_path)
    assert other.run("check", "--deep").stdout == "all is well\n"
    other.start()
    assert set(before) <= set(identities(other, account))
    other.stop()
    server.check_log()
