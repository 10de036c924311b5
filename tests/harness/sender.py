"""chapar-send without a server around it: the test is chapard, and a chapar-session.

It speaks the messages of docs/ipc.md with the real, confined process.
"""

import os
import select
import socket
import struct
import subprocess
import time
from pathlib import Path

from .server import DEFAULT_BIN, SANITIZER_REPORT, no_core

SHARED, PEER, START, DRAIN, READY, PEER_LOST = 1, 4, 5, 6, 8, 9
SEND_BEGIN, SEND_RECIPIENT, SEND_END, SEND_RESULT, SEND_DONE = 80, 81, 82, 83, 84
CHANNEL_SESSION_SEND = 4
DEFERRED, SENT, REFUSED = "deferred", "sent", "refused"
OUTCOMES = [DEFERRED, SENT, REFUSED]
UNTRIED = []  # SEND_DONE without a result
NEVER = 0xffffffff
ERROR_PROTOCOL = 18  # of src/base/error.h, as it is sent
TIMEOUT = 40

MESSAGE = b"From: alice@example.test\r\nSubject: hello\r\n\r\nHow are you?\r\n"


def pack(kinds, *values):
    """B, I, Q: numbers; s: bytes behind their length."""
    body = b""
    for kind, value in zip(kinds, values, strict=True):
        if kind == "s":
            value = value.encode() if isinstance(value, str) else value
            body += struct.pack("<I", len(value)) + value
        else:
            body += struct.pack("<" + kind, value)
    return body


def send_frame(channel, kind, body=b"", descriptors=()):
    socket.send_fds(channel, [struct.pack("<H", kind) + body], descriptors)


def memory(size, content=b""):
    descriptor = os.memfd_create("test")
    os.ftruncate(descriptor, size)
    os.pwrite(descriptor, content, 0)
    return descriptor


class Session:
    """A chapar-session's end of a channel."""

    def __init__(self, sender, slot):
        self.sender, self.slot = sender, slot
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.channel.settimeout(TIMEOUT)
        send_frame(sender.control, PEER, pack("BI", CHANNEL_SESSION_SEND, slot), [theirs.fileno()])
        theirs.close()
        self.last = 0
        self.results = {}
        self.done = set()

    def begin(self, number, data=MESSAGE, sender="alice@example.test", *, size=None, eight_bit=0,
              utf8=0, notify=0, ret=0, by=""):
        file = memory(len(data), data)
        send_frame(self.channel, SEND_BEGIN,
                   pack("QQBBBBss", number, len(data) if size is None else size, eight_bit, utf8,
                        notify, ret, by, sender), [file])
        os.close(file)

    def recipient(self, number, address):
        send_frame(self.channel, SEND_RECIPIENT, pack("Qs", number, address))

    def end(self, number):
        send_frame(self.channel, SEND_END, pack("Q", number))

    def submit(self, data=MESSAGE, recipients=("bob@example.net",), **options):
        """Hands a message over; its id."""
        self.last += 1
        self.begin(self.last, data, **options)
        for address in recipients:
            self.recipient(self.last, address)
        self.end(self.last)
        return self.last

    def receive(self):
        """One message of chapar-send's; False: it has closed the channel."""
        frame = self.channel.recv(1 << 16)
        if not frame:
            return False
        (kind,) = struct.unpack_from("<H", frame)
        (number,) = struct.unpack_from("<Q", frame, 2)
        if kind == SEND_DONE:
            assert len(frame) == 10 and number not in self.done
            self.done.add(number)
            return True
        assert kind == SEND_RESULT, kind
        recipient, outcome, code, size = struct.unpack_from("<IBII", frame, 10)
        results = self.results.setdefault(number, [])
        assert recipient == len(results) and number not in self.done
        text = frame[23:].decode("ascii")
        assert len(text) == size and text.isprintable()
        results.append((OUTCOMES[outcome], code, text))
        return True

    def answer(self, number):
        """What became of it: (outcome, code, text) of each recipient, or UNTRIED."""
        while number not in self.done:
            assert self.receive(), "chapar-send has closed the channel"
        return self.results.get(number, UNTRIED)

    def send(self, *arguments, **options):
        return self.answer(self.submit(*arguments, **options))

    def ended(self):
        """Whether chapar-send ends the channel, as after a breach."""
        try:
            while self.receive():
                pass
        except ConnectionError:
            pass
        return True


class Sender:
    def __init__(self, directory, server, *, binaries=None, **options):
        """server: a harness.smtp.Smtp, or HOST:PORT; options: of chapar.conf, without outgoing_."""
        self.directory = Path(directory)
        (self.directory / "data" / "empty").mkdir(parents=True)
        self.config = self.directory / "chapar.conf"
        self.log_path = self.directory / "log"
        address = server if isinstance(server, str) else f"127.0.0.1:{server.port}"
        options = {"timeout": 20, **options, "server": address}
        lines = ['hostname = "here.test"', 'data_directory = "data"', 'send_user = "#61193"',
                 'log_level = "debug"']
        lines += [f'outgoing_{name} = ' + (f'"{value}"' if isinstance(value, (str, Path)) else
                                           str(value)) for name, value in options.items()]
        self.config.write_text("\n".join(lines) + "\n")
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.settimeout(TIMEOUT)
        self.process = self.launch(theirs, Path(binaries or os.environ.get("CHAPAR_BIN",
                                                                           DEFAULT_BIN)))
        self.slots = 10
        self.sessions = []

    def launch(self, control, binaries):
        environment = dict(os.environ,
                           ASAN_OPTIONS="detect_leaks=0:abort_on_error=1:disable_coredump=1",
                           UBSAN_OPTIONS="halt_on_error=1:abort_on_error=1:print_stacktrace=1")
        number = control.fileno()
        with control, open(self.log_path, "wb") as log:
            return subprocess.Popen(
                ["bash", "-c", f'exec "$0" -c "$1" 3<&{number} {number}<&-',
                 binaries / "chapar-send", self.config], pass_fds=[number], stdout=log, stderr=log,
                stdin=subprocess.DEVNULL, preexec_fn=no_core, env=environment)

    def start(self):
        shared = [memory(1 << 20), memory(0), memory(128 * 65536), memory(0)]
        send_frame(self.control, SHARED, pack("II", 1, 1), shared)
        for descriptor in shared:
            os.close(descriptor)
        send_frame(self.control, START)
        frame = self.control.recv(1 << 16)
        assert frame[:2] == struct.pack("<H", READY), self.log()
        (self.landlock,) = struct.unpack_from("<I", frame, 2)
        return self

    def session(self):
        self.slots += 1
        self.sessions.append(Session(self, self.slots))
        return self.sessions[-1]

    def lost(self, seconds=TIMEOUT):
        """What chapard is told of a channel: (slot, error)."""
        poll = select.poll()  # a descriptor may be beyond what select() knows
        poll.register(self.control, select.POLLIN)
        assert poll.poll(seconds * 1000)
        frame = self.control.recv(1 << 16)
        assert frame[:2] == struct.pack("<H", PEER_LOST)
        _, slot, error = struct.unpack_from("<BII", frame, 2)
        return slot, error

    def drain(self, seconds=NEVER):
        send_frame(self.control, DRAIN, pack("I", seconds))

    def wait(self, seconds=TIMEOUT):
        """Its exit status, once it has ended by itself."""
        return self.process.wait(seconds)

    def log(self):
        return self.log_path.read_text(errors="replace")

    def stop(self):
        if self.process.poll() is None:
            self.drain(0)
            try:
                assert self.wait() == 0, self.log()
            except (BrokenPipeError, subprocess.TimeoutExpired):
                self.process.kill()
                raise
        self.control.close()
        for session in self.sessions:
            session.channel.close()
        assert not SANITIZER_REPORT.search(self.log()), self.log()
        assert self.process.returncode == 0, (self.process.returncode, self.log())

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        if kind:
            self.process.kill()
            self.process.wait()
            print(self.log())
        else:
            self.stop()
