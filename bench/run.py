#!/usr/bin/python3
"""Measures a Chapar server and prints each figure with the command that repeats it.

Usage: bench/run.py [--messages N] [--connections N] [--logins N] [--seconds N] [BENCH...]
       BENCH is delivery, mailbox, idle, login, connections, stress, sieve, store, gate, disk or cluster;
       all by default. For short runs:
       --messages: in the mailbox of `mailbox`, 50,000 by default
       --connections: at the end of `idle` and `connections`, 5,000 and 20,000 by default
       --logins: of each kind in `login`, 2,000 by default
       --seconds: of `stress`, 30 by default

A server of its own (release build) is made in build/bench and removed afterwards, and beside it,
where they can run, a Dovecot (bench/dovecot.py) and a Cyrus (bench/cyrus.py) that are given the same
work by the same programs.
Flushes, system calls and bytes do not depend on the machine's mood; times do, and are worth
comparing only within one run: so the last column of a figure with a peer is the ratio to it.
"""

import argparse
import os
import re
import shutil
import statistics
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

from work import BINARIES, PROGRAMS, ROOT, load, show, wait_until_settled

import cluster  # noqa: E402
import connections  # noqa: E402
import corpus  # noqa: E402
import mailbox  # noqa: E402
import stress  # noqa: E402
from cyrus import Cyrus  # noqa: E402
from dovecot import Dovecot, Hibernating, KeptLogins, Pigeonhole  # noqa: E402
from harness.server import Server  # noqa: E402

DIRECTORY = ROOT / "build" / "bench"
BLOB_BENCH, STORE_BENCH = PROGRAMS / "blob_bench", PROGRAMS / "store_bench"
SIEVE_BENCH = PROGRAMS / "sieve_bench"
MESSAGES, SIZE, ACCOUNTS, FEW = 3000, 20000, 100, 5
TURNS, REST = 3, 2  # of each server with the same load; seconds after each
IDLE, LISTENERS, FEWEST = 5000, 20000, 50
options = None  # of the command line

def cpu_seconds(server):
    """Of all its processes, those that have ended included."""
    total = 0
    for pid in [server.process.pid, *server.children()]:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += sum(map(int, fields[11:13]))
        if pid == server.process.pid:
            total += sum(map(int, fields[13:15]))
    return total / 100

def traced(server, role, action):
    """System calls of a role's processes (None: of all) while action runs: {name: calls}."""
    pids = list(server.children(role)) or [server.process.pid]
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

def bare_writes(count, size):
    """Microseconds of a write of `size` bytes and an fdatasync, median: what the disk takes."""
    spent = []
    with open(DIRECTORY / "bare", "wb", buffering=0) as file:
        for _ in range(count):
            start = time.monotonic()
            file.write(bytes(size))
            os.fdatasync(file)
            spent.append((time.monotonic() - start) * 1e6)
    (DIRECTORY / "bare").unlink()
    return statistics.median(spent)

def delivery_turn(server, connections, recipients):
    """One load, and what the server and the system do behind it: the next server finds them idle."""
    before = cpu_seconds(server)
    rate, median, p99 = load(server, connections, MESSAGES, SIZE, recipients)
    time.sleep(REST)
    os.sync()
    return {"rate": rate, "median": median, "p99": p99,
            "cpu": (cpu_seconds(server) - before) / MESSAGES * 1e6}

def delivery_figures(everybody, connections):
    """Medians of the turns that each server has with the load, one after the other: {server: figures}.

    Chapar settles the bodies of its first a minute after them at the earliest, when its own turns are
    over; that is over, too, before the next load."""
    turns = {each: [] for each, _ in everybody}
    for _ in range(TURNS):
        for each, recipients in everybody:
            turns[each].append(delivery_turn(each, connections, recipients))
    wait_until_settled()
    return {each: {name: round(statistics.median(turn[name] for turn in done)) for name in done[0]}
            for each, done in turns.items()}

def flushes(server, role, recipients):
    count = 500
    calls = traced(server, role, lambda: load(server, 1, count, SIZE, recipients))
    flushed = sum(calls.get(name, 0) for name in ("fsync", "fdatasync", "msync", "sync_file_range"))
    return flushed / count, sum(calls.values()) / count

@contextmanager
def beside(server, kind):
    """One more peer for one bench, [] when it cannot run here."""
    reason = kind.missing()
    if reason:
        print(f"without {kind.name}: {reason}")
        yield []
        return
    peer = kind(DIRECTORY / kind.__name__.lower(), server.tls_directory).start()
    try:
        yield [peer]
    finally:
        peer.stop()
        shutil.rmtree(peer.directory)

def bench_delivery(server, peers):
    """Deliveries over LMTP."""
    names = [f"box{i}" for i in range(ACCOUNTS)]
    everybody = [(each, [each.add_account(name)[0] for name in names]) for each in (server, *peers)]
    for each, recipients in everybody:
        load(each, 2, 300, SIZE, recipients)
    bare = bare_writes(500, SIZE)
    show(f"write and fdatasync of {SIZE} bytes, median, us", round(bare), "bench/run.py delivery")
    for streams in (1, 8):
        how = f"lmtp_load PORT {streams} {MESSAGES} {SIZE} BOX*{ACCOUNTS}, median of {TURNS} turns"
        figures = delivery_figures(everybody, streams)
        ours = figures[server]
        for each, theirs in figures.items():
            beside = f"   {ours['rate'] / theirs['rate']:.1f} times" if each is not server else ""
            show(f"{each.name}: deliveries/s, {streams} connection(s), 20 KB",
                 theirs["rate"], how + beside)
            show("  a delivery, median / p99, us", f"{theirs['median']} / {theirs['p99']}", how)
            show("  CPU of the server a delivery, us", theirs["cpu"], how)
        if streams == 1:
            show("a delivery beside bare write and fdatasync, times",
                 f"{ours['median'] / bare:.1f}", how)
    for each, recipients in everybody:
        role = "chapar-session" if each is server else "lmtp"
        # Few accounts: opening one, and the first flush of its log, is not a delivery's.
        flushed, calls = flushes(each, role, recipients[:FEW])
        how = f"strace -f -c -p PID while lmtp_load PORT 1 500 {SIZE} BOX*{FEW}"
        show(f"{each.name}: flushes a delivery", f"{flushed:.2f}", how)
        show("  system calls a delivery", f"{calls:.1f}", how)

def bench_mailbox(server, peers):
    """A mailbox of many messages over IMAP."""
    mailbox.measure([server, *peers], options.messages)

# None is meant for the messages that lmtp_load makes, so that all are tried.
RULES = (
    'header :contains "list-id" "project{n}.lists.example.org"',
    'address :is ["from", "sender"] "colleague{n}@example.com"',
    'header :matches "subject" "*[ticket-{n}]*"',
    'anyof (address :domain :is "to" "shop{n}.example", header :is "x-shop" "{n}")',
    'allof (header :contains "x-spam-score" "9{n}", size :over 100K)',
)

def sieve_rules(count):
    rules = "".join(f'if {RULES[n % len(RULES)].format(n=n)} {{ fileinto "folder {n}"; stop; }}\n'
                    for n in range(count))
    return 'require "fileinto";\n' + rules

def bench_sieve(server, peers):
    """A Sieve script of 50 rules, at delivery."""
    output = subprocess.run([SIEVE_BENCH], capture_output=True, text=True, check=True).stdout
    for line in output.splitlines():
        name, value = line[:44].strip(), line[44:].strip()
        show(name, value, "sieve_bench")
    size, how = 2000, f"CPU of the server, lmtp_load PORT 1 {MESSAGES} 2000 BOX*{FEW}"
    recipients = [server.add_account(f"sieve{i}")[0] for i in range(FEW)]
    def cpu(each):
        load(each, 1, 300, size, recipients)
        before = cpu_seconds(each)
        load(each, 1, MESSAGES, size, recipients)
        return (cpu_seconds(each) - before) / MESSAGES * 1e6
    def in_turn(verb, *names):
        for recipient in recipients:
            server.run("sieve", verb, recipient, *names)
        return cpu(server)
    for recipient in recipients:
        server.run("sieve", "put", recipient, "rules", "-", text=sieve_rules(50))
    turns = [(in_turn("deactivate"), in_turn("activate", "rules")) for _ in range(3)]
    plain, ruled = (statistics.median(figures) for figures in zip(*turns))
    show("a delivery of 2 KB without a script, us", round(plain), how)
    show("with 50 rules, us", round(ruled), how)
    show("so the script takes, us", round(ruled - plain), how)
    with beside(server, Pigeonhole) as more:
        for peer in more:
            peer.put_script(sieve_rules(50))
            theirs = cpu(peer)
            show(f"{peer.name}: with 50 rules, us", round(theirs), f"{how}   {theirs / ruled:.1f} times")

def bench_idle(server, peers):
    """Idle IMAP connections."""
    with beside(server, Hibernating) as more:
        connections.measure_idle([server, *peers, *more], options.connections or IDLE)

def bench_login(server, peers):
    """Logins."""
    with beside(server, KeptLogins) as more:
        connections.measure_logins([server, *peers, *more], options.logins)

def bench_connections(server, peers):
    """How soon many connections in IDLE hear of a message."""
    connections.measure_connections(DIRECTORY / "connections", BINARIES, options.connections or LISTENERS)

def bench_stress(server, peers):
    """Clients that do what mail programs do, at random."""
    with beside(server, KeptLogins) as more:
        stress.measure([server, *peers, *more], options.seconds)

def calls_of_deliveries(folder, count):
    """System calls of store_bench -d, with all that it does besides: {name: calls}."""
    output = DIRECTORY / "strace"
    subprocess.run(["strace", "-f", "-c", "-o", output, STORE_BENCH, "-d", str(count), folder],
                   capture_output=True, check=True)
    shutil.rmtree(folder)
    folder.mkdir()
    words = [line.split() for line in output.read_text().splitlines()]
    return {line[-1]: int(line[3]) for line in words if len(line) >= 5 and re.match(r"[\d.]+$", line[0])}

def show_calls(folder):
    """Of one more delivery, and of the two bare writes that go with it, which are taken off."""
    few, many = (calls_of_deliveries(folder, count) for count in (500, 1000))
    for name, bare in (("fcntl", 0), ("fdatasync", 2), ("brk", 0)):
        calls = (many.get(name, 0) - few.get(name, 0)) / 500 - bare
        show(f"{name} of a delivery", f"{calls:.2f}", "strace -c store_bench -d 1000 and -d 500 DIRECTORY")

def bench_store(server, peers):
    """Inside the store: mailboxes of 100,000 and 1,000,000, 10,000 accounts, and deliveries."""
    folder = DIRECTORY / "store"
    folder.mkdir()
    show_calls(folder)
    for arguments in (["-d", "3000"], ["-n", "100000"], ["-n", "1000000"], ["-a", "10000"]):
        output = subprocess.run([STORE_BENCH, *arguments, folder], capture_output=True, text=True,
                                check=True).stdout
        for line in output.splitlines():
            name, _, value = line.rpartition(": ")
            show(name, value, f"store_bench {' '.join(arguments)} DIRECTORY")
        shutil.rmtree(folder)
        folder.mkdir()

def instructions(output, name):
    """Of a function and what it calls, in what callgrind_annotate prints."""
    found = re.search(rf"^\s*([\d,]+) .*:{re.escape(name)}(?: |$)", output, re.M)
    return int(found[1].replace(",", "")) if found else 0

def bench_gate(server, peers):
    """The gate that every change passes (base/gate.h), in instructions outside of the kernel."""
    folder = DIRECTORY / "gate"
    folder.mkdir()
    count, profile = 500, DIRECTORY / "callgrind"
    subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={profile}",
                    "--collect-atstart=no", "--toggle-collect=prepared_message_create",
                    "--toggle-collect=mailbox_append", STORE_BENCH, "-g", str(count), folder],
                   check=True, capture_output=True)
    output = subprocess.run(["callgrind_annotate", "--inclusive=yes", "--auto=no",
                             "--threshold=100", profile],
                            check=True, capture_output=True, text=True).stdout
    total = instructions(output, "prepared_message_create") + instructions(output, "mailbox_append")
    gate = instructions(output, "gate_enter") + instructions(output, "gate_leave")
    how = f"callgrind of store_bench -g {count} DIRECTORY"
    show("instructions of a delivery's parsing and commit", round(total / count), how)
    show("of them in the gate", f"{gate / count:.0f}", how)
    show("the gate's share, %", f"{gate / total * 100:.3f}", how)
    shutil.rmtree(folder)

def bench_disk(server, peers):
    """Mail in packs, and whole accounts: bytes on disk, CPU."""
    folder = DIRECTORY / "disk"
    (folder / "mail").mkdir(parents=True)
    corpus.write(folder / "messages")
    output = subprocess.run([BLOB_BENCH, folder / "messages", folder / "mail"],
                            capture_output=True, text=True, check=True).stdout
    for line in output.splitlines():
        name, _, value = line.partition(": ")
        show(name, value, "corpus.py MESSAGES; blob_bench MESSAGES DIRECTORY")
    shutil.rmtree(folder / "mail")
    (folder / "mail").mkdir()
    output = subprocess.run([STORE_BENCH, "-c", folder / "messages", folder / "mail"],
                            capture_output=True, text=True, check=True).stdout
    for line in output.splitlines():
        name, _, value = line.partition(": ")
        show(name, value, "corpus.py MESSAGES; store_bench -c MESSAGES DIRECTORY")

def bench_cluster(server, peers):
    """The same server on a throw-away Ceph cluster of one OSD."""
    cluster.measure(DIRECTORY / "cluster", osds=1)

BENCHES = {"delivery": bench_delivery, "mailbox": bench_mailbox, "idle": bench_idle,
           "login": bench_login, "connections": bench_connections, "stress": bench_stress,
           "sieve": bench_sieve, "store": bench_store, "gate": bench_gate, "disk": bench_disk, "cluster": bench_cluster}
BESIDE_PEERS = {"delivery", "mailbox", "idle", "login", "stress"}

def start_peers(server, wanted):
    started = []
    for peer in (Dovecot, Cyrus) if BESIDE_PEERS & set(wanted) else ():
        reason = peer.missing()
        if reason:
            print(f"without {peer.name}: {reason}")
        else:
            started.append(peer(DIRECTORY / peer.__name__.lower(), server.tls_directory).start())
    return started

def read_arguments():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n", 2)[1].removeprefix("Usage: "))
    parser.add_argument("benches", nargs="*")
    parser.add_argument("--messages", type=int, default=50000)
    parser.add_argument("--connections", type=int)
    parser.add_argument("--logins", type=int, default=2000)
    parser.add_argument("--seconds", type=int, default=30)
    read = parser.parse_args()
    unknown = set(read.benches) - set(BENCHES)
    if unknown:
        parser.error(f"no such bench: {' '.join(unknown)}")
    if read.connections is not None and read.connections < FEWEST:
        parser.error(f"--connections: at least {FEWEST}")
    return read

def main():
    global options
    options = read_arguments()
    wanted = options.benches or list(BENCHES)
    shutil.rmtree(DIRECTORY, ignore_errors=True)
    server = Server(DIRECTORY, binaries=BINARIES)
    server.name, server.idle_settles, server.idle_most = "Chapar", 1, None
    server.configure(plaintext_login=True, account_connections=10000, password_memory=19456,
                     password_passes=2)
    server.start()
    peers = start_peers(server, wanted)
    try:
        for name in wanted:
            print(f"\n{BENCHES[name].__doc__} Repeat with: /usr/bin/python3 bench/run.py {name}")
            BENCHES[name](server, peers)
    finally:
        for each in (server, *peers):
            each.stop()
        shutil.rmtree(DIRECTORY, ignore_errors=True)

if __name__ == "__main__":
    main()
