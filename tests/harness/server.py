"""A Chapar server for a test: made by `chapar init`, started by chapard, on free ports.

`init` are more arguments of `chapar init`, such as those of a cluster (harness/cluster.py).

Which build is used: CHAPAR_BIN (a directory with the executables), by default the sanitizer
build. A report of a sanitizer anywhere in the server's log fails the test.
"""

import itertools
import json
import os
import poplib
import random
import re
import shutil
import resource
import signal
import socket
import ssl
import subprocess
import time
from pathlib import Path

from .imap import Imap
from .lmtp import Lmtp
from .managesieve import Managesieve

ROOT = Path(__file__).resolve().parent.parent.parent
DEFAULT_BIN = ROOT / "build" / "sanitized" / "bin"
PASSWORD = "correct horse battery"
START_SECONDS = 30

SANITIZER_REPORT = re.compile(r"AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:")
numbers = itertools.count(1)
reserved = []


def reserve(port):
    """Takes a port for this process, also while no server listens on it: by a name that no other
    test can have at the same time."""
    name = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        name.bind(f"\0chapar-test-port-{port}")
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
    except OSError:
        name.close()
        return None
    return name


def free_offset():
    """An offset for `--ports` with which every standard port is free, and stays so."""
    while True:
        offset = random.randrange(12000, 28000)
        names = [reserve(port + offset) for port in (24, 25, 26, 110, 143, 993, 995, 4190)]
        if all(names):
            reserved.extend(names)
            return offset
        for name in filter(None, names):
            name.close()


def no_core():
    """Killed servers leave no core files behind."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def copy_for_everybody(directory, binaries=None):
    """The executables (and the harness) where every user can reach them; returns the folder."""
    directory = Path(directory)
    shutil.copytree(binaries or os.environ.get("CHAPAR_BIN", DEFAULT_BIN), directory / "bin")
    shutil.copytree(Path(__file__).parent, directory / "tests" / "harness",
                    ignore=shutil.ignore_patterns("__pycache__"))
    for path in [directory, *directory.rglob("*")]:
        path.chmod(0o755)
    for parent in directory.parents:
        if parent.name.startswith(("pytest-", "popen-")):
            parent.chmod(0o755)
    return directory


class Server:
    def __init__(self, directory, binaries=None, domain="example.test", asan_options="",
                 init=()):
        self.directory = Path(directory) / "chapar"
        self.directory.parent.mkdir(parents=True, exist_ok=True)
        self.bin = Path(binaries or os.environ.get("CHAPAR_BIN", DEFAULT_BIN))
        self.domain = domain
        self.asan_options = asan_options
        self.offset = free_offset()
        self.log_path = self.directory.parent / "chapard.log"
        self.process = None
        made = self.run("init", self.directory, "--domain", domain, "--ports", str(self.offset),
                        "--listen", "127.0.0.1", *init, configured=False)
        self.advice = made.stdout
        # Argon2id at its cheapest: the tests are about everything else.
        self.configure(password_memory=8192, password_passes=1, login_failure_delay=0)
        # Nobody is there: what a test would send must not reach a mail server of this machine.
        self.configure(outgoing_server="127.0.0.1:9")
        # For mail servers on other machines, of which one may deliver (mail_server).
        self.configure(lmtp_remote_listen=[f"127.0.0.1:{self.lmtp_remote_port}"], lmtp_accounts=["mx"])
        self.mx = None
        # Who administers over IMAP (administrator).
        self.configure(administrators=["root"])
        self.root = None

    # --- addresses ---

    imap_port = property(lambda self: self.offset + 143)
    imaps_port = property(lambda self: self.offset + 993)
    hostname = property(lambda self: self.domain)
    pop3_port = property(lambda self: self.offset + 110)
    pop3s_port = property(lambda self: self.offset + 995)
    sieve_port = property(lambda self: self.offset + 4190)
    lmtp_port = property(lambda self: self.offset + 24)
    lmtp_remote_port = property(lambda self: self.offset + 25)
    mta_port = property(lambda self: self.offset + 26)
    config = property(lambda self: self.directory / "chapar.conf")
    tls_directory = property(lambda self: self.directory / "tls")
    lmtp_socket = property(lambda self: self.directory / "data" / "lmtp.sock")

    # --- the command ---

    def environment(self):
        # A confined process cannot look for leaks (it may not trace itself): unit tests do.
        return dict(os.environ,
                    ASAN_OPTIONS="detect_leaks=0:abort_on_error=1:disable_coredump=1:" +
                    self.asan_options,
                    UBSAN_OPTIONS="halt_on_error=1:abort_on_error=1:print_stacktrace=1")

    def run(self, *arguments, configured=True, check=True, text="", **options):
        """Runs `chapar`; returns the completed process."""
        command = [self.bin / "chapar"]
        if configured:
            command += ["-c", self.config]
        result = subprocess.run([*command, *arguments], input=text, capture_output=True,
                                text=True, env=self.environment(), timeout=60, **options)
        if check and result.returncode != 0:
            raise AssertionError(f"chapar {arguments}: {result.returncode}\n{result.stdout}"
                                 f"{result.stderr}")
        return result

    def json(self, *arguments):
        return json.loads(self.run("--json", *arguments).stdout)

    def json_with(self, text, *arguments):
        """The same for a command that reads standard input."""
        return json.loads(self.run("--json", *arguments, text=text).stdout)

    def configure(self, **options):
        """Appends options to chapar.conf (the last one of a name counts)."""
        with open(self.config, "a") as file:
            for name, value in options.items():
                if isinstance(value, bool):
                    value = str(value).lower()
                elif isinstance(value, str):
                    value = f'"{value}"'
                elif isinstance(value, list):
                    value = "{" + ", ".join(f'"{item}"' for item in value) + "}"
                file.write(f"{name} = {value}\n")

    def add_account(self, name, password=PASSWORD):
        self.run("account", "add", name, text=password + "\n")
        return (name if "@" in name else f"{name}@{self.domain}", password)

    def fresh_account(self):
        return self.add_account(f"user{os.getpid()}-{next(numbers)}")

    def mail_server(self):
        """The account that may deliver from another machine, made when it is first asked for."""
        self.mx = self.mx or self.add_account("mx")
        return self.mx

    def administrator(self):
        """The account that administers over IMAP, made when it is first asked for."""
        self.root = self.root or self.add_account("root")
        return self.root

    # --- its life ---

    def start(self, wait=True):
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path = str(self.directory.parent / "notify")
        Path(path).unlink(missing_ok=True)
        notify.bind(path)
        notify.settimeout(0.1)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([self.bin / "chapard", "-c", self.config], stdout=log,
                                            stderr=log, stdin=subprocess.DEVNULL,
                                            preexec_fn=no_core,
                                            env=dict(self.environment(), NOTIFY_SOCKET=path))
        deadline = time.monotonic() + START_SECONDS
        try:
            while wait and not self.is_ready(notify):
                assert self.process.poll() is None, "it does not start:\n" + self.log()
                assert time.monotonic() < deadline, "not ready in time:\n" + self.log()
        finally:
            notify.close()
        return self

    @staticmethod
    def is_ready(notify):
        try:
            return b"READY=1" in notify.recv(4096)
        except socket.timeout:
            return False

    def stop(self, seconds=20):
        if not self.process:
            return
        process, self.process = self.process, None
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill_all(process.pid)
            raise AssertionError("did not stop on SIGTERM:\n" + self.log()) from None

    def children(self, role=None):
        """{pid: role} of the running children, by chapard's own account of them. One that is being
        started has no pid yet, and kill(0) would be for the tests themselves."""
        return {process["pid"]: process["role"] for process in self.json("status")["processes"]
                if process["pid"] and process["role"] != "chapard" and role in (None, process["role"])}

    def kill_all(self, pid=None):
        """kill -9 of every process at once, as a power cut would end them."""
        pid = pid or self.process.pid
        os.kill(pid, signal.SIGSTOP)
        children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True,
                                  text=True).stdout.split()
        for child in [*map(int, children), pid]:
            try:
                os.kill(child, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if self.process:
            self.process.wait()
            self.process = None
        # Until the last of them has gone, its sockets are in use.
        deadline = time.monotonic() + 10
        while any(self.is_alive(int(child)) for child in children):
            assert time.monotonic() < deadline, "a process outlives SIGKILL"
            time.sleep(0.005)

    @staticmethod
    def is_alive(pid):
        """Also one whose first thread has ended and another has not: it has its files still."""
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
            threads = len(os.listdir(f"/proc/{pid}/task"))
        except OSError:
            return False
        return state not in "ZX" or threads > 1

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def check_log(self):
        text = self.log()
        assert not SANITIZER_REPORT.search(text), text[-20000:]

    def wait_for_log(self, pattern, seconds=10):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = re.search(pattern, self.log())
            if found:
                return found
            time.sleep(0.02)
        raise AssertionError(f"{pattern} not in the log:\n{self.log()[-5000:]}")

    # --- clients ---

    def tls_context(self):
        return ssl.create_default_context(
            cafile=str(self.tls_directory / "certificate.pem"))

    def imap(self, account=None, tls=True):
        """A connected client, logged in when an account is given."""
        client = Imap("127.0.0.1", self.imaps_port if tls else self.imap_port,
                      self.tls_context() if tls else None)
        client.greeting = client.line()
        if account:
            client.login(*account)
        return client

    def pop3(self, account=None, tls=True):
        """A connected poplib client, logged in when an account is given."""
        client = poplib.POP3_SSL("127.0.0.1", self.pop3s_port, timeout=20,
                                 context=self.pop3_context()) if tls else \
            poplib.POP3("127.0.0.1", self.pop3_port, timeout=20)
        if account:
            client.user(account[0])
            client.pass_(account[1])
        return client

    def pop3_context(self):
        """poplib asks for the certificate of the host it connects to, an address here."""
        context = self.tls_context()
        context.check_hostname = False
        return context

    def managesieve(self, account=None, tls=True):
        """A connected client, logged in when an account is given."""
        client = Managesieve(self.sieve_port).greet()
        if tls:
            client.starttls(self.tls_context())
            client.greet()
        return client.login(*account) if account else client

    def lmtp(self):
        return Lmtp(self.lmtp_port)

    def lmtp_remote(self, tls=True):
        """As a mail server on another machine connects; not logged in."""
        return Lmtp(self.lmtp_remote_port).starttls(self.tls_context()) if tls else \
            Lmtp(self.lmtp_remote_port)

    def deliver(self, message, *recipients, sender="sender@example.org"):
        """Delivers over LMTP; returns {recipient: reply} of those that were refused."""
        with self.lmtp() as client:
            return client.deliver(sender, recipients, message)


def message(subject="A message", body="Hello.\r\n", **fields):
    head = {"From": "Sender <sender@example.org>", "To": "reader@example.test",
            "Subject": subject, "Date": "Mon, 2 Jan 2023 03:04:05 +0000",
            "Message-ID": f"<{next(numbers)}.{os.getpid()}@example.org>"}
    head.update((name.replace("_", "-"), value) for name, value in fields.items())
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    return (lines + "\r\n" + body).encode()
