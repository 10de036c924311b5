"""Freezes of a server that is busy: deliveries at a rate, writers over IMAP, readers that are timed. Each
copy (cp -a; then by turns cp -a and btrfs snapshots, where root and the kernel allow those) needs no repair,
holds what was acknowledged before the freeze, and nothing that was begun after it.

CHAPAR_FREEZE_SECONDS says how long (`make freeze-load`; short by default), CHAPAR_FREEZE_RATE how many
deliveries a second, CHAPAR_FREEZE_WRITERS how many writers, each of which makes ten changes a second. The
release build is what is measured.
"""

import os
import shutil
import signal
import statistics
import subprocess
import time

import pytest

from harness.server import PASSWORD, ROOT, Server, message
from test_freeze import identities

SECONDS = int(os.environ.get("CHAPAR_FREEZE_SECONDS", "4"))
RATE = int(os.environ.get("CHAPAR_FREEZE_RATE", "200"))
WRITERS = int(os.environ.get("CHAPAR_FREEZE_WRITERS", "10"))
ACCOUNTS = min(WRITERS, 20)
CHANGES, READERS, READS = 10, 2, 100  # changes of a writer, and reads of all, a second
CONNECTIONS, SIZE = 8, 5000
HOLD = 1.0  # seconds that a freeze lasts beyond its copy
BINARIES = ROOT / "build" / "bin"
PROGRAMS = ROOT / "build" / "release" / "bench"
FAILED = 1  # exit status of chapar thaw: no freeze was in force any more


# --- the load ---

class Load:
    """Programs of bench/ that deliver, change and read, each noting when what was done."""

    def __init__(self, server, accounts, folder):
        self.folder, self.programs = folder, {}
        users = [account[0] for account in accounts]
        self.start("delivery", "lmtp_load", RATE, server.lmtp_port, CONNECTIONS, 10 ** 6, SIZE, *users)
        for what, connections, rate in (("write", WRITERS, CHANGES * WRITERS), ("read", READERS, READS)):
            self.start(what, "imap_load", rate, server.imap_port, connections, what, PASSWORD, *users)

    def start(self, name, program, rate, *arguments):
        log = self.folder / name
        log.touch()
        command = [PROGRAMS / program, "-r", rate, "-l", log, *arguments]
        self.programs[name] = subprocess.Popen([str(word) for word in command],
                                               stderr=subprocess.PIPE, text=True)

    def noted(self, name):
        """[words of a line]; a last line may be half there."""
        return [line.split() for line in (self.folder / name).read_text().split("\n")[:-1]]

    def acknowledged(self):
        """[(Message-ID, begun, acknowledged)]"""
        return [(identity, int(begun) / 1e6, int(end) / 1e6)
                for identity, begun, end in self.noted("delivery")]

    def times(self, name):
        """[(when, seconds)] of all that was done."""
        return [(int(begun) / 1e6, (int(end) - int(begun)) / 1e6)
                for begun, end in self.noted(name)]

    def stop(self):
        """Nobody was refused anything."""
        for program in self.programs.values():
            assert program.poll() is None, program.stderr.read()
        self.abandon()

    def abandon(self):
        for program in self.programs.values():
            program.kill()
            program.wait()


# --- where the data lies ---

def mount_btrfs(image, folder):
    """Room for the data, its log, and copies of both, which it takes as they are written."""
    with open(image, "wb") as file:
        file.truncate((6 << 30) + SECONDS * RATE * SIZE * 8)
    return shutil.which("mkfs.btrfs") is not None and all(
        subprocess.run(command, capture_output=True).returncode == 0
        for command in (["mkfs.btrfs", "-q", image], ["mount", "-o", "loop,discard", image, folder]))


@pytest.fixture(params=["as it is", "btrfs"])
def place(request, tmp_path):
    """(a folder, whether a snapshot can be made of it): on the file system of the tests, and on a btrfs on a
    loop device, where a flush takes ten times as long."""
    folder = tmp_path / "data"
    folder.mkdir()
    mounted = request.param == "btrfs"
    if mounted and not mount_btrfs(tmp_path / "image", folder):
        pytest.skip("btrfs cannot be mounted")
    yield folder, mounted
    if mounted:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def busy(place, tmp_path):
    folder, snapshots = place
    server = Server(folder / "server", binaries=BINARIES)
    server.configure(session_processes=2, account_connections=200, plaintext_login=True)
    accounts = [server.add_account(f"account{number}") for number in range(ACCOUNTS)]
    server.start()
    for account in accounts:
        for number in range(5):
            assert not server.deliver(message(f"first {number}"), account[0])
    load = Load(server, accounts, tmp_path)
    yield server, accounts, load, folder, snapshots
    load.abandon()
    server.stop()


# --- freezes ---

def freeze_and_copy(server, copy, snapshot, folder):
    """When it was asked for, and when it was over."""
    source = server.directory.parent
    command = f"btrfs subvolume snapshot '{source.parent}' '{copy}'" if snapshot else \
        f"mkdir '{copy}' && cp -a '{source}' '{copy}'"
    script = folder / "copy.sh"
    script.write_text(f"#!/bin/sh\n{command} && sleep {HOLD}\n")
    script.chmod(0o755)
    begun = time.monotonic()
    server.run("freeze", "--timeout", "60", "--", str(script))
    return begun, time.monotonic()


def copied(copy, folder):
    """A server on the copy of the data."""
    shutil.rmtree(folder, ignore_errors=True)
    other = Server(folder, binaries=BINARIES)
    shutil.rmtree(other.directory / "data")
    subprocess.run(["cp", "-a", copy / "server" / "chapar" / "data", other.directory / "data"],
                   check=True)
    for left in (other.directory / "data").glob("*.sock"):
        left.unlink()
    return other


def verify(copy, accounts, when, acknowledged, folder):
    """How many messages the copy has."""
    begun, over = when
    other = copied(copy, folder)
    assert other.run("check", "--deep").stdout == "all is well\n"
    other.start()
    found = [identity for account in accounts for identity in identities(other, account)]
    other.stop()
    assert len(found) == len(set(found)), "there twice"
    missing = {identity for identity, _, end in acknowledged if end < begun} - set(found)
    assert not missing, f"{len(missing)} of those acknowledged before the freeze are not there"
    late = {identity for identity, start, _ in acknowledged if start > over} & set(found)
    assert not late, f"{len(late)} that were begun after it are there"
    return len(found)


def remove(copy, snapshot):
    if snapshot:
        subprocess.run(["btrfs", "subvolume", "delete", copy], check=True, capture_output=True)
    else:
        shutil.rmtree(copy)


# --- figures ---

def during(times, windows):
    return [seconds for start, seconds in times
            if any(begun < start + seconds and start < over for begun, over in windows)]


def milliseconds(times):
    ordered = sorted(times)
    return f"median {statistics.median(ordered) * 1000:.1f}, p99 " \
        f"{ordered[len(ordered) * 99 // 100] * 1000:.1f}, most {ordered[-1] * 1000:.0f} ms"


def figures(deliveries, changes, reads, windows):
    """Readers did not wait, writers did, and no longer than the freeze."""
    held = [over - begun for begun, over in windows]
    frozen, free = during(reads, windows), [seconds for _, seconds in reads]
    seconds = deliveries[-1][2] - deliveries[0][1]
    print(f"{len(deliveries) / seconds:.0f} deliveries/s of {RATE}, {len(changes) / seconds:.0f} changes/s "
          f"by {WRITERS} writers, {len(held)} freezes of {min(held):.1f} to {max(held):.1f} s")
    print(f"a read, always: {milliseconds(free)}; in a freeze: {milliseconds(frozen)}")
    waited = during(changes, windows)
    delayed = during([(begun, end - begun) for _, begun, end in deliveries], windows)
    print(f"the longest change {max(waited):.2f} s, delivery {max(delayed):.2f} s")
    assert len(frozen) > 20 * len(windows) and max(frozen) < 0.8 * HOLD, milliseconds(frozen)
    for delays in (waited, delayed):
        assert HOLD / 2 < max(delays) < max(held) + 2, max(delays)


# --- tests ---

def test_copies_of_a_busy_server(busy, tmp_path):
    server, accounts, load, place, snapshots = busy
    windows, end = [], time.monotonic() + SECONDS
    time.sleep(1)
    while len(windows) < 2 or time.monotonic() < end:
        snapshot = snapshots and len(windows) % 2 == 1
        copy = place / f"copy{len(windows)}"
        windows.append(freeze_and_copy(server, copy, snapshot, tmp_path))
        time.sleep(1)
        count = verify(copy, accounts, windows[-1], load.acknowledged(), tmp_path / "other")
        print("snapshot" if snapshot else "cp -a", f"of {count} messages: all is well")
        remove(copy, snapshot)
    load.stop()
    figures(load.acknowledged(), load.times("write"), load.times("read"), windows)
    server.stop()
    assert server.run("check", "--deep").stdout == "all is well\n"


def goes_on(load, since, seconds):
    """Whether a message that was begun after that is acknowledged within the time."""
    deadline = since + seconds
    while not any(start > since for _, start, _ in load.acknowledged()):
        assert time.monotonic() < deadline, "writers are held"
        time.sleep(0.02)


def start_freeze(server, timeout):
    process = subprocess.Popen([server.bin / "chapar", "-c", server.config, "freeze", "--timeout",
                                str(timeout), "--", "sleep", "100"], start_new_session=True)
    deadline = time.monotonic() + 20
    while server.json("status")["freeze"] != "frozen":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return process


def end_freeze(process):
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.parametrize("place", ["as it is"], indirect=True)
def test_whatever_dies(busy):
    """The deadline frees a busy server's writers; so does the end of `chapar`."""
    server, accounts, load, _, _ = busy
    time.sleep(0.5)
    process = start_freeze(server, 1.5)  # its command hangs
    frozen = time.monotonic()
    goes_on(load, frozen, 6)
    late = server.run("thaw", check=False)
    assert late.returncode == FAILED and "deadline" in late.stderr
    end_freeze(process)
    process = start_freeze(server, 60)
    frozen = time.monotonic()
    end_freeze(process)  # kill -9 of chapar, long before the deadline
    goes_on(load, frozen, 6)
    assert server.run("thaw", check=False).returncode == FAILED
    load.stop()
    # kill -9 of chapard: nobody is left who could open the gate, and who waits at it ends all the same.
    process = start_freeze(server, 2)
    frozen, children = time.monotonic(), server.children()
    server.process.kill()
    server.process.wait()
    server.process = None
    while any(Server.is_alive(pid) for pid in children):
        assert time.monotonic() < frozen + 20, "a process is stuck at the gate"
        time.sleep(0.05)
    end_freeze(process)
    assert server.run("check", "--deep").stdout == "all is well\n"
    server.start()
    found = {identity for account in accounts for identity in identities(server, account)}
    assert {identity for identity, _, _ in load.acknowledged()} <= found
