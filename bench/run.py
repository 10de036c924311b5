#!/usr/bin/python3
"""Measures a Chapar server and prints each figure with the command that repeats it.

Usage: bench/run.py [delivery] [mailbox] [idle] [login]        all of them by default

A server of its own (release build) is made in build/bench and removed afterwards. Flushes, system
calls and bytes do not depend on the machine's mood; times do, and are worth comparing only within
one run. `tools` is what strace counted in the processes themselves.
"""

import re
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from harness.server import Server, message  # noqa: E402

DIRECTORY = ROOT / "build" / "bench"
LOAD = ROOT / "build" / "release" / "bench" / "lmtp_load"
MESSAGES, SIZE, ACCOUNTS = 3000, 20000, 100
MAILBOX = 50000
IDLE_STEPS = (200, 1000)

def show(name, value, how):
    print(f"{name:<58} {value:>14}   {how}", flush=True)

def load(server, connections, messages, size, recipients):
    output = subprocess.run([LOAD, str(server.lmtp_port), str(connections), str(messages),
                             str(size), *recipients], capture_output=True, text=True, check=True)
    rate, median, p99 = map(int, output.stdout.split())
    return rate, median, p99

def cpu_seconds(pids):
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / 100

def traced(server, role, action):
    """System calls of a role's processes while action runs: {name: calls}."""
    pids = list(server.children(role))
    output = DIRECTORY / "strace"
    tracer = subprocess.Popen(["strace", "-f", "-c", "-o", output,
                               *[part for pid in pids for part in ("-p", str(pid))]],
                              stderr=subprocess.PIPE, text=True)
    for _ in pids:
        tracer.stderr.readline()  # "Process N attached"
    time.sleep(0.3)
    action()
    time.sleep(0.2)
    tracer.terminate()
    tracer.wait()
    calls = {}
    for line in output.read_text().splitlines():
        words = line.split()
        if len(words) >= 5 and re.match(r"[\d.]+$", words[0]) and words[-1] != "total":
            calls[words[-1]] = int(words[3])
    return calls

def bench_delivery(server):
    """Deliveries over LMTP."""
    recipients = [server.add_account(f"box{i}")[0] for i in range(ACCOUNTS)]
    load(server, 2, 200, SIZE, recipients)
    for connections in (1, 8):
        pids = list(server.children())
        before = cpu_seconds(pids)
        rate, median, p99 = load(server, connections, MESSAGES, SIZE, recipients)
        cpu = (cpu_seconds(pids) - before) / MESSAGES
        how = f"lmtp_load PORT {connections} {MESSAGES} {SIZE} BOX*{ACCOUNTS}"
        show(f"deliveries/s, {connections} connection(s), 20 KB", rate, how)
        show("  a delivery, median / p99, us", f"{median} / {p99}", how)
        show("  CPU of the server a delivery, us", round(cpu * 1e6), how)
    count = 500
    calls = traced(server, "chapar-session", lambda: load(server, 1, count, SIZE, recipients))
    flushes = sum(calls.get(name, 0) for name in ("fsync", "fdatasync", "msync", "sync_file_range"))
    how = f"strace -f -c -p PID while lmtp_load PORT 1 {count} {SIZE}"
    show("flushes a delivery", f"{flushes / count:.2f}", how)
    show("system calls a delivery", f"{sum(calls.values()) / count:.1f}", how)

def timed(action, times=5):
    spent = []
    for _ in range(times):
        start = time.monotonic()
        action()
        spent.append((time.monotonic() - start) * 1000)
    return f"{statistics.median(spent):.1f}"

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

def bench_mailbox(server):
    """A mailbox of 50,000 messages over IMAP."""
    account = server.add_account("reader")
    start = time.monotonic()
    load(server, 8, MAILBOX, 6000, [account[0]])
    show(f"filling a mailbox of {MAILBOX}, s", f"{time.monotonic() - start:.1f}",
         f"lmtp_load PORT 8 {MAILBOX} 6000 BOX")
    client = server.imap(account, tls=False)
    for command in ("SELECT INBOX",
                    "FETCH 1:* (UID FLAGS)",
                    "FETCH 1:* (UID FLAGS ENVELOPE INTERNALDATE RFC822.SIZE BODYSTRUCTURE)",
                    "FETCH 1:5000 BODY.PEEK[]",
                    "FETCH 1:5000 BODY.PEEK[HEADER.FIELDS (From Subject)]",
                    "STORE 1:* +FLAGS.SILENT (\\Seen)",
                    "STORE 1:* -FLAGS.SILENT (\\Seen)",
                    "SEARCH UNSEEN",
                    'SEARCH FROM "nobody"',
                    'SEARCH SUBJECT "number 4999"',
                    "UID FETCH 25000 (FLAGS ENVELOPE)",
                    "NOOP"):
        show(f"{command[:56]}, ms", timed(lambda c=command: drain(client, c)), "over IMAP, median of 5")
    client.close()

def proportional_bytes(pids):
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
    return total

def bench_idle(server):
    """Idle IMAP connections."""
    account = server.add_account("idler")
    server.deliver(message("one"), account[0])
    for tls in (False, True):
        clients, sizes = [], []
        for step in IDLE_STEPS:
            while len(clients) < step:
                client = server.imap(account, tls=tls)
                client.ok("SELECT INBOX")
                client.send("i IDLE\r\n")
                client.raw_line()
                clients.append(client)
            time.sleep(1)
            sizes.append(proportional_bytes(server.children()))
        slope = (sizes[1] - sizes[0]) / (IDLE_STEPS[1] - IDLE_STEPS[0]) / 1024
        show(f"KiB an idle connection ({'TLS' if tls else 'plain'}), all processes, PSS",
             f"{slope:.1f}", f"slope from {IDLE_STEPS[0]} to {IDLE_STEPS[1]} in IDLE")
        for client in clients:
            client.close()
        time.sleep(1)

def bench_login(server):
    """Logins."""
    account = server.add_account("visitor")
    count = 300
    for tls in (False, True):
        start = time.monotonic()
        for _ in range(count):
            client = server.imap(account, tls=tls)
            client.ok("LOGOUT")
            client.close()
        rate = count / (time.monotonic() - start)
        show(f"logins/s, one after the other ({'TLS' if tls else 'plain'})", f"{rate:.0f}",
             f"connect, LOGIN, LOGOUT {count} times from one client")

BENCHES = {"delivery": bench_delivery, "mailbox": bench_mailbox, "idle": bench_idle,
           "login": bench_login}

def main():
    shutil.rmtree(DIRECTORY, ignore_errors=True)
    server = Server(DIRECTORY, binaries=ROOT / "build" / "bin")
    server.configure(plaintext_login=True, account_connections=10000, password_memory=19456,
                     password_passes=2)
    server.start()
    try:
        for name in sys.argv[1:] or BENCHES:
            print(f"\n{BENCHES[name].__doc__} Repeat with: /usr/bin/python3 bench/run.py {name}")
            BENCHES[name](server)
    finally:
        server.stop()
        shutil.rmtree(DIRECTORY, ignore_errors=True)

if __name__ == "__main__":
    main()
