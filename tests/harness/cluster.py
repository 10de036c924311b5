#!/usr/bin/python3
"""A throw-away Ceph cluster for a test, from Debian's packages: a monitor and some OSDs.

    with Cluster(directory, osds=3) as cluster:
        cluster.config       path of the configuration a client reads
        cluster.pool         a pool that is there
        cluster.stop_osd(0), cluster.kill_osd(0), cluster.start_osd(0), cluster.pause_osd(0) ...

    tests/harness/cluster.py [--osds N] COMMAND ...

runs the command with a cluster beside it: CHAPAR_CEPH_CONFIG and CHAPAR_CEPH_POOL say where, and
CHAPAR_CEPH_OSD is the process of its first OSD, which the command may stop and let go on.

Needs neither root nor systemd, listens on loopback alone, and is ready in about two seconds. What
is left of one whose maker was killed ends by itself: each daemon gets SIGTERM with its maker.
"""

import ctypes
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

READY_SECONDS = 60
PR_SET_PDEATHSIG = 1

CONFIG = """[global]
fsid = {fsid}
mon_host = [v2:127.0.0.1:{port}]
mon_initial_members = a
auth_cluster_required = cephx
auth_service_required = cephx
auth_client_required = cephx
keyring = {directory}/keyring
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_ipv6 = false
ms_bind_msgr1 = false
run_dir = {directory}
admin_socket = {directory}/$cluster-$name.asok
log_file = {directory}/$cluster-$name.log
mon_cluster_log_file = {directory}/cluster.log
crash_dir = {directory}
pid_file =
osd_crush_chooseleaf_type = 0
osd_pool_default_size = {copies}
osd_pool_default_min_size = {least}
osd_pool_default_pg_num = 8
osd_pool_default_pg_autoscale_mode = off
mon_allow_pool_size_one = true
mon_data_avail_crit = 1
mon_data = {directory}/mon
paxos_propose_interval = 0.05
paxos_min_wait = 0.01
mon_tick_interval = 1
objecter_tick_interval = 1
objecter_timeout = 1
osd_heartbeat_grace = 4
osd_heartbeat_interval = 1
osd_mon_heartbeat_interval = 2
mon_osd_reporter_subtree_level = osd
mon_osd_adjust_heartbeat_grace = false

[osd]
osd_data = {directory}/osd$id
keyring = {directory}/osd$id/keyring
osd_objectstore = bluestore
bluestore_block_size = 21474836480
bdev_aio_poll_ms = 10
bluestore_fsck_on_mkfs = false
osd_mon_shutdown_timeout = 0.2
osd_memory_target = 939524096
osd_class_dir = {classes}
osd_recovery_sleep_hdd = 0
osd_max_backfills = 4

[client]
admin_socket =
log_file =
log_to_stderr = false
"""


def die_with_maker():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def free_port():
    """A port below those the kernel gives away by itself."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass


class Cluster:
    pool = "mail"

    def __init__(self, directory, osds=1):
        self.directory = Path(directory)
        self.osds = osds
        self.daemons = {}
        self.config = self.directory / "ceph.conf"

    def init_for(self, pool):
        """What `chapar init` is told of it."""
        return ("--engine", "rados", "--pool", pool, "--ceph-config", self.config)

    def new_user(self, name, *capabilities):
        """A Ceph user, its key beside the others; capabilities: "osd", "allow ...", ..."""
        with open(self.directory / "keyring", "a") as keyring:
            keyring.write(self.ceph("auth", "get-or-create", f"client.{name}", *capabilities))

    def new_pool(self, name):
        self.ceph("osd", "pool", "create", name, "8", "8")
        return name

    # --- commands ---

    def run(self, *command, **options):
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                              timeout=READY_SECONDS, **options)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def ceph(self, *words):
        return self.run("ceph", "-c", self.config, "--connect-timeout", "10", *words)

    # --- starting ---

    def start(self):
        self.directory.mkdir(parents=True, exist_ok=True)
        self.fsid, self.port = str(uuid.uuid4()), free_port()
        classes = next(Path("/usr/lib").glob("*/rados-classes"))
        self.config.write_text(CONFIG.format(
            fsid=self.fsid, port=self.port, directory=self.directory, classes=classes,
            copies=min(3, self.osds), least=min(2, self.osds)))
        self.make_monitor()
        self.start_monitor()
        for number in range(self.osds):
            self.make_osd(number)
            self.start_osd(number)
        self.wait_for_osds(self.osds)
        self.new_pool(self.pool)
        return self

    def make_monitor(self):
        monmap = self.directory / "monmap"
        self.run("monmaptool", "--create", "--addv", "a", f"[v2:127.0.0.1:{self.port}]", "--fsid",
                 self.fsid, "--set-min-mon-release", "pacific", monmap)
        keyring = self.directory / "keyring"
        self.run("ceph-authtool", "--create-keyring", keyring, "--gen-key", "-n", "mon.", "--cap",
                 "mon", "allow *")
        self.run("ceph-authtool", keyring, "--gen-key", "-n", "client.admin", "--cap", "mon",
                 "allow *", "--cap", "osd", "allow *")
        self.run("ceph-mon", "-c", self.config, "-i", "a", "--mkfs", "--monmap", monmap,
                 "--keyring", keyring)

    def spawn(self, name, *command):
        log = open(self.directory / f"{name}.out", "ab")
        self.daemons[name] = subprocess.Popen([str(word) for word in command], stdout=log,
                                              stderr=log, stdin=subprocess.DEVNULL,
                                              preexec_fn=die_with_maker)
        log.close()

    def start_monitor(self):
        self.spawn("mon", "ceph-mon", "-c", self.config, "-i", "a", "-f")

    def make_osd(self, number):
        identity = str(uuid.uuid4())
        (self.directory / f"osd{number}").mkdir()
        self.ceph("osd", "new", identity, str(number))
        self.ceph("auth", "get-or-create", f"osd.{number}", "mon", "allow profile osd", "osd",
                  "allow *", "-o", self.directory / f"osd{number}" / "keyring")
        self.run("ceph-osd", "-c", self.config, "-i", number, "--mkfs", "--osd-uuid", identity)

    def start_osd(self, number):
        self.spawn(f"osd{number}", "ceph-osd", "-c", self.config, "-i", number, "-f")

    def wait_for_osds(self, count):
        deadline = time.monotonic() + READY_SECONDS
        while True:
            state = json.loads(self.ceph("osd", "stat", "-f", "json"))
            if state["num_up_osds"] == count:
                return
            assert time.monotonic() < deadline, f"only {state} after {READY_SECONDS} s"
            time.sleep(0.05)

    # --- faults ---

    def kill(self, name, how=signal.SIGKILL):
        process = self.daemons[name]
        process.send_signal(signal.SIGCONT)
        process.send_signal(how)
        process.wait()

    def kill_osd(self, number):
        self.kill(f"osd{number}")

    def pause(self, name):
        self.daemons[name].send_signal(signal.SIGSTOP)

    def resume(self, name):
        self.daemons[name].send_signal(signal.SIGCONT)

    def set_ratios(self, nearfull, backfillfull, full):
        """From where on an OSD's disk counts as full; until its pools do, or do not any more."""
        ratios = [("nearfull", nearfull), ("backfillfull", backfillfull), ("full", full)]
        before = json.loads(self.ceph("osd", "dump", "-f", "json"))["full_ratio"]
        for name, ratio in ratios if full < before else reversed(ratios):
            self.ceph("osd", f"set-{name}-ratio", str(ratio))
        deadline = time.monotonic() + READY_SECONDS
        while any(("full" in pool["flags_names"].split(",")) != (full < before) for pool in
                  json.loads(self.ceph("osd", "dump", "-f", "json"))["pools"]):
            assert time.monotonic() < deadline, f"not full, or still full, after {READY_SECONDS} s"
            time.sleep(0.05)

    def fill(self):
        """Full is what it is already: Ceph goes by the ratio alone."""
        self.set_ratios("0.00001", "0.00002", 0.00003)

    def make_room(self):
        self.set_ratios("0.85", "0.9", 0.95)

    # --- ending ---

    def stop(self):
        for name, process in self.daemons.items():
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.send_signal(signal.SIGKILL if name.startswith("osd") else signal.SIGTERM)
        for process in self.daemons.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for number in range(self.osds):
            shutil.rmtree(self.directory / f"osd{number}", ignore_errors=True)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_):
        self.stop()


def main():
    arguments = sys.argv[1:]
    osds = 1
    if arguments[:1] == ["--osds"]:
        osds, arguments = int(arguments[1]), arguments[2:]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="chapar-ceph-") as directory:
        with Cluster(directory, osds) as cluster:
            environment = {**os.environ, "CHAPAR_CEPH_CONFIG": str(cluster.config),
                           "CHAPAR_CEPH_POOL": cluster.pool,
                           "CHAPAR_CEPH_OSD": str(cluster.daemons["osd0"].pid)}
            return subprocess.run(arguments, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
