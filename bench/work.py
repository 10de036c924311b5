"""What the benches do alike: give a server work, time it, and show figures."""

import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from harness.imap import Imap  # noqa: E402

BINARIES = ROOT / "build" / "bin"
PROGRAMS = ROOT / "build" / "release" / "bench"


# Chapar looks once a minute for bodies that were delivered a minute ago, and moves them into packs.
SETTLED_AFTER = 130


def wait_until_settled():
    time.sleep(SETTLED_AFTER)


def show(name, value, how):
    print(f"{name:<58} {value:>14}   {how}", flush=True)


def load(server, connections, messages, size, recipients, *options):
    output = subprocess.run([PROGRAMS / "lmtp_load", *options, str(server.lmtp_port), str(connections), str(messages),
                             str(size), *recipients], capture_output=True, text=True, check=True)
    rate, median, p99 = map(int, output.stdout.split())
    return rate, median, p99


def command_times(server, account, times, commands):
    """Milliseconds, median, of commands that are sent in turn over a connection of their own."""
    output = subprocess.run([PROGRAMS / "command_load", str(server.imap_port), *account[:2], str(times), *commands],
                            capture_output=True, text=True, check=True)
    return int(output.stdout.split()[0]) / 1000


def timed(action, times=5):
    spent = []
    for _ in range(times):
        start = time.monotonic()
        action()
        spent.append((time.monotonic() - start) * 1000)
    return statistics.median(spent)


def drain(client, command):
    """Sends a command and reads its answer without looking at more than the tag."""
    client.tags += 1
    tag = f"t{client.tags}".encode()
    client.send(tag + b" " + command.encode() + b"\r\n")
    tail = b""
    while True:
        data = client.socket.recv(1 << 20)
        if not data:
            raise ConnectionError
        tail = (tail + data)[-4096:]
        found = re.search(rb"(?:^|\r\n)" + tag + rb" (\w+)[^\r]*\r\n\Z", tail)
        if found:
            assert found.group(1) == b"OK", tail[-200:]
            return


def connect(server, account):
    client = Imap("127.0.0.1", server.imap_port)
    client.raw_line()
    client.login(*account)
    return client
