#!/usr/bin/python3
"""Figures of Chapar on a Ceph cluster: each with what was measured.

Usage: bench/cluster.py [--osds N] [--messages N]

One OSD keeps one copy of everything, three keep three. The cluster is a throw-away one of this machine
(tests/harness/cluster.py), so server, load generator and cluster share its cores and its disk.
"""

import argparse
import re
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from work import BINARIES, PROGRAMS, connect, drain, load, show

from harness.cluster import Cluster  # noqa: E402
from harness.server import Server, message  # noqa: E402

MESSAGES, MAILBOX, SIZE, ACCOUNTS = 1000, 10000, 20000, 20
LISTINGS = ("SELECT INBOX",
            "FETCH 1:* (UID FLAGS)",
            "FETCH 1:* (UID FLAGS ENVELOPE INTERNALDATE RFC822.SIZE BODYSTRUCTURE)")


def counters(server, *names):
    counted = server.json("status")["counters"]
    return [counted[f"kv_cluster_{name}"] for name in names]


def bare_commits(cluster):
    """What the cluster takes by itself: microseconds of one write of `SIZE` bytes, median."""
    output = cluster.run("rados", "-c", cluster.config, "-p", cluster.pool, "bench", "3", "write", "-t", "1",
                         "-b", str(SIZE), "-O", str(SIZE))
    return float(re.search(r"Average Latency\(s\): +([\d.]+)", output)[1]) * 1e6


def deliveries(server):
    boxes = [server.add_account(f"box{number}")[0] for number in range(ACCOUNTS)]
    load(server, 2, 5 * ACCOUNTS, SIZE, boxes)
    for connections, accounts in ((1, boxes), (8, boxes), (8, boxes[:1])):
        how = f"lmtp_load PORT {connections} {MESSAGES} {SIZE} BOX*{len(accounts)}"
        before = counters(server, "commits", "reads")
        rate, median, p99 = load(server, connections, MESSAGES, SIZE, accounts)
        commits, reads = (after - first for after, first in
                          zip(counters(server, "commits", "reads"), before))
        show(f"deliveries/s, {connections} connection(s), {len(accounts)} account(s)", rate, how)
        show("  a delivery, median / p99, us", f"{median} / {p99}", how)
        show("  commits / reads of the cluster a delivery",
             f"{commits / MESSAGES:.2f} / {reads / MESSAGES:.2f}", how)


def mailbox(server, other, messages):
    """What a node asks of the cluster when it lists what another one has taken, and asks again."""
    account = server.add_account("large")
    start = time.monotonic()
    load(server, 8, messages, 6000, [account[0]])
    show(f"filling a mailbox of {messages}, s", f"{time.monotonic() - start:.1f}",
         f"lmtp_load PORT 8 {messages} 6000 BOX")
    for how in ("the first time on that node", "the second time", "the third time"):
        client = connect(other, account)
        for command in LISTINGS:
            [before], start = counters(other, "reads"), time.monotonic()
            drain(client, command)
            taken, [after] = time.monotonic() - start, counters(other, "reads")
            show(f"{command[:56]}, ms / reads", f"{taken * 1000:.1f} / {after - before}", how)
        client.close()


def idle(here, there):
    account = here.add_account("idle")
    with there.imap(account) as client:
        client.ok("SELECT INBOX")
        client.send("i IDLE\r\n")
        client.line()
        taken = []
        for number in range(50):
            here.deliver(message(f"number {number}"), account[0])
            start = time.monotonic()
            client.wait_for(r"\* \d+ EXISTS")
            taken.append((time.monotonic() - start) * 1000)
            client.wait_for("RECENT")
    show("IDLE on another node is told, median / longest, ms",
         f"{statistics.median(taken):.1f} / {max(taken):.1f}", "after the 250 of 50 deliveries")


def engine(cluster):
    output = subprocess.run([PROGRAMS / "kv_bench", "rados", cluster.config, cluster.pool],
                            capture_output=True, text=True, check=True).stdout
    for line in output.splitlines():
        name, value, unit = line.rsplit(None, 2)
        show(f"{name}, {unit}", value, "kv_bench rados CONFIG POOL")


def measure(directory, osds, messages=MAILBOX):
    with Cluster(directory / "ceph", osds) as cluster:
        show(f"an object of {SIZE} bytes written, mean, us", f"{bare_commits(cluster):.0f}",
             f"rados bench 3 write -t 1 -b {SIZE}, {osds} OSD(s)")
        nodes = [Server(directory / f"node{number}", BINARIES, init=cluster.init_for(cluster.pool))
                 for number in range(2)]
        try:
            for node in nodes:
                node.configure(plaintext_login=True)
                node.start()
            deliveries(nodes[0])
            idle(*nodes)
            mailbox(*nodes, messages)
        finally:
            for node in nodes:
                node.stop()
        engine(cluster)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--osds", type=int, default=1)
    parser.add_argument("--messages", type=int, default=MAILBOX)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chapar-bench-") as directory:
        measure(Path(directory), arguments.osds, arguments.messages)


if __name__ == "__main__":
    main()
