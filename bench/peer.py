"""What the servers measured beside have in common: a process in a directory of its own."""

import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

START_SECONDS = 30


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Peer:
    """A subclass prepares its directory, and launches self.process, which logs into `log` of it.

    idle_settles is how many seconds it takes until a connection in IDLE takes what it always will,
    idle_most how many there can be (None: as many as wanted).
    `tls` is a folder with certificate.pem and key.pem: the peer takes the same ones as Chapar."""
    idle_settles, idle_most = 1, None

    def __init__(self, directory, tls):
        self.directory = Path(directory)
        self.tls = Path(tls)
        self.imap_port, self.imaps_port, self.lmtp_port = free_port(), free_port(), free_port()
        self.process = None
        self.prepared = False

    def start(self):
        """Also again, after it was stopped: with the data that it had."""
        if not self.prepared:
            self.directory.mkdir(parents=True)
            self.prepare()
            self.prepared = True
        self.launch()
        self.wait_until_it_answers()
        return self

    def copy_tls(self, user):
        """The certificate and its key, for a user that may not read Chapar's; returns the folder."""
        folder = self.directory / "tls"
        shutil.copytree(self.tls, folder)
        for path in (folder, *folder.iterdir()):
            shutil.chown(path, user)
        return folder

    def wait_until_it_answers(self):
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            assert time.monotonic() < deadline and self.process.poll() is None, self.log()
            time.sleep(0.05)

    def answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.lmtp_port), 2) as client:
                return client.recv(3) == b"220"
        except OSError:
            return False

    def log(self):
        path = self.directory / "log"
        return path.read_text(errors="replace")[-3000:] if path.exists() else "no log"

    def children(self, role=None):
        """{pid: name} of its processes, those of a role alone when it is given."""
        listed = subprocess.run(["ps", "-e", "-o", "pid=,ppid=,args="], capture_output=True,
                                text=True).stdout.splitlines()
        found = {}
        for line in listed:
            pid, parent, arguments = line.split(None, 2)
            if int(parent) == self.process.pid and (role is None or role in arguments):
                found[int(pid)] = arguments
        return found

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(20)
            self.process = None
