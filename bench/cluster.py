#!/usr/bin/python3
"""Figures of Chapar on a Ceph cluster, with one copy and with three: each with what was measured.

Usage: bench/cluster.py [--messages N]

The clusters are throw-away ones of this machine (tests/harness/cluster.py), so server, load
generator and cluster share its cores.
"""

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from harness.cluster import Cluster  # noqa: E402
from harness.server import Server, message  # noqa: E402

LOAD = ROOT / "build" / "release" / "bench" / "lmtp_load"
KV_BENCH = ROOT / "build" / "release" / "bench" / "kv_bench"


def counters(server):
    return server.json("status")["counters"]


def say(what, figure):
    print(f"  {what:<60} {figure}", flush=True)


def load(server, connections, count, size, accounts):
    command = [LOAD, server.lmtp_port, connections, count, size, *accounts]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True)
    return " ".join(done.stdout.split())


def deliveries(server):
    boxes = [server.add_account(f"box{number}")[0] for number in range(20)]
    for connections, accounts, what in ((1, boxes, "20 accounts"), (8, boxes, "20 accounts"),
                                        (8, boxes[:1], "one account")):
        before = counters(server)
        said = load(server, connections, 1000, 20000, accounts)
        after = counters(server)
        say(f"1000 deliveries of 20 KB, {connections} connections, {what}", said)
        say("  commits, reads a delivery", ", ".join(
            f"{(after[name] - before[name]) / 1000:.2f}"
            for name in ("kv_cluster_commits", "kv_cluster_reads")))


def mailbox(server, other, messages):
    account = server.add_account("large")
    start = time.monotonic()
    load(server, 8, messages, 6000, [account[0]])
    say(f"a mailbox filled with {messages} messages of 6 KB", f"{time.monotonic() - start:.1f} s")
    for node, where in ((other, "a node that has not read it"), (other, "again"),
                        (other, "and again")):
        with node.imap(account, tls=True) as client:
            client.ok("SELECT INBOX")
            before, start = counters(node), time.monotonic()
            client.ok("FETCH 1:* (UID FLAGS ENVELOPE INTERNALDATE RFC822.SIZE BODYSTRUCTURE)")
            taken, after = time.monotonic() - start, counters(node)
        say(f"FETCH 1:* ENVELOPE BODYSTRUCTURE, {where}",
            f"{taken * 1000:.0f} ms, {after['kv_cluster_reads'] - before['kv_cluster_reads']} reads")


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
    say("IDLE on another node is told after the 250, median of 50",
        f"{statistics.median(taken):.1f} ms, the slowest {max(taken):.1f} ms")


def measure(directory, osds, messages):
    print(f"{osds} OSD{'s' * (osds > 1)}:", flush=True)
    with Cluster(directory / "ceph", osds) as cluster:
        nodes = [Server(directory / f"node{number}", ROOT / "build" / "bin",
                        init=cluster.init_for(cluster.pool)) for number in range(2)]
        try:
            for node in nodes:
                node.start()
            deliveries(nodes[0])
            idle(*nodes)
            mailbox(nodes[0], nodes[1], messages)
        finally:
            for node in nodes:
                node.stop()
        output = subprocess.run([KV_BENCH, "rados", cluster.config, cluster.pool],
                                capture_output=True, text=True, check=True).stdout
        print(re.sub(r"(?m)^", "  ", output).rstrip())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=10000)
    arguments = parser.parse_args()
    for osds in (1, 3):
        with tempfile.TemporaryDirectory(prefix="chapar-bench-") as directory:
            measure(Path(directory), osds, arguments.messages)


if __name__ == "__main__":
    main()
