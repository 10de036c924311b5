"""An SMTP server for tests: it takes messages, in order or not at all.

`faults` says what it does instead of its answer at a step (greeting, EHLO, HELO, STARTTLS, TLS, AUTH,
MAIL, RCPT, DATA, BODY, END, QUIT): a reply, CLOSE, RESET or STALL, or a list of these for the first
times that the step is reached, None being the usual answer. BODY is while the message comes.
"""

import re
import socket
import ssl
import struct
import subprocess
import threading
import time

CLOSE, RESET, STALL = "close", "reset", "stall"
EXTENSIONS = ("SIZE 10000000", "8BITMIME", "SMTPUTF8", "DSN", "DELIVERBY", "ENHANCEDSTATUSCODES")


def make_certificate(directory, *names):
    """A certificate of these names, which is its own authority; the files of it and its key."""
    certificate, key = directory / f"{names[0]}.pem", directory / f"{names[0]}.key"
    alternatives = ",".join(("IP:" if re.fullmatch(r"[\d.]+|.*:.*", name) else "DNS:") + name
                            for name in names)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN={names[0]}",
                    "-addext", f"subjectAltName={alternatives}", "-keyout", key, "-out",
                    certificate], check=True, capture_output=True)
    return certificate, key


class Gone(Exception):
    """The connection has ended, or the test has."""


class Smtp:
    def __init__(self, certificate=None, tls_first=False, auth=None, extensions=EXTENSIONS,
                 faults=None, host="127.0.0.1", port=0):
        self.context = None
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*certificate)
        self.tls_first, self.auth, self.extensions = tls_first, auth, extensions
        self.faults = {step: list(fault) if isinstance(fault, (list, tuple)) else fault
                       for step, fault in (faults or {}).items()}
        self.messages = []  # each a dictionary
        self.commands = []  # all of them, without AUTH's secret
        self.connections = 0
        self.open = set()
        self.most = 0  # connections at a time
        self.lock = threading.Lock()
        self.listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host
                                             else socket.AF_INET)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        self.listener.close()
        self.drop()

    def drop(self):
        """Closes every connection there is."""
        with self.lock:
            for conversation in list(self.open):
                conversation.shut()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.settimeout(30)
            self.connections += 1
            conversation = Conversation(self, connection, self.connections)
            with self.lock:
                self.open.add(conversation)
                self.most = max(self.most, len(self.open))
            threading.Thread(target=conversation.run, daemon=True).start()

    def fault(self, step):
        with self.lock:
            fault = self.faults.get(step)
            if isinstance(fault, list):
                return fault.pop(0) if fault else None
            return fault


class Conversation:
    def __init__(self, server, connection, number):
        self.server, self.connection, self.number = server, connection, number
        self.plain = connection
        self.pending = b""
        self.tls = False
        self.user = None
        self.mail = None

    def run(self):
        try:
            if self.server.tls_first:
                self.start_tls()
            self.answer("greeting", "220 there.test ESMTP")
            while True:
                self.command(self.line())
        except (Gone, OSError, ssl.SSLError):
            pass
        finally:
            with self.server.lock:
                self.server.open.discard(self)
            self.shut()

    def shut(self):
        for end in (lambda: self.plain.shutdown(socket.SHUT_RDWR), self.connection.close,
                    self.plain.close):
            try:
                end()
            except OSError:
                pass

    def start_tls(self):
        if self.server.fault("TLS"):
            self.plain.recv(1 << 16)
            self.plain.sendall(b"no TLS here, sorry\r\n")
            raise Gone
        self.pending = b""  # what came before it counts no more (RFC 3207 section 4.2)
        self.connection = self.server.context.wrap_socket(self.plain, server_side=True)
        self.tls = True

    def fill(self):
        data = self.connection.recv(1 << 16)
        if not data:
            raise Gone
        self.pending += data

    def line(self):
        while b"\r\n" not in self.pending:
            self.fill()
        line, self.pending = self.pending.split(b"\r\n", 1)
        return line.decode("utf-8")

    def say(self, text):
        self.connection.sendall(text.encode() + b"\r\n")

    def answer(self, step, usual):
        """What is said in the end: the usual answer or another one."""
        fault = self.server.fault(step)
        if fault == CLOSE:
            raise Gone
        if fault == RESET:
            self.plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.plain.close()
            raise Gone
        if fault == STALL:
            self.fill()  # until the other side has had enough
            raise Gone
        self.say(fault or usual)
        return fault or usual

    def command(self, line):
        verb = line.split(" ")[0].upper()
        self.server.commands.append("AUTH ..." if verb == "AUTH" else line)
        getattr(self, "do_" + verb.lower(), self.do_nothing)(line)

    def do_nothing(self, _):
        self.say("500 what?")

    def do_ehlo(self, _):
        offered = list(self.server.extensions)
        if self.server.context and not self.tls:
            offered.append("STARTTLS")
        if self.server.auth:
            offered.append("AUTH LOGIN PLAIN")
        lines = ["there.test", *offered]
        self.answer("EHLO", "\r\n".join(f"250{'-' if i + 1 < len(lines) else ' '}{line}"
                                        for i, line in enumerate(lines)))

    def do_helo(self, _):
        self.answer("HELO", "250 there.test")

    def do_starttls(self, _):
        if self.answer("STARTTLS", "220 go").startswith("220"):
            self.start_tls()

    def do_auth(self, line):
        import base64
        given = base64.b64decode(line.split(" ")[2]).split(b"\0")
        right = [b"", *(word.encode() for word in self.server.auth)]
        said = self.answer("AUTH", "235 welcome" if given == right else "535 5.7.8 wrong")
        self.user = given[1].decode() if said.startswith("235") else None

    def do_mail(self, line):
        if self.server.auth and not self.user:
            self.say("530 5.7.0 log in first")
        elif self.answer("MAIL", "250 ok").startswith("2"):
            self.mail = {"mail": line, "recipients": [], "connection": self.number,
                         "tls": self.tls, "user": self.user}

    def do_rcpt(self, line):
        if self.answer("RCPT", "250 ok").startswith("2"):
            self.mail["recipients"].append(line)

    def do_data(self, _):
        if not self.answer("DATA", "354 go").startswith("354"):
            return
        if self.server.fault("BODY"):
            self.fill()
            raise Gone
        while not (end := self.message_end()):
            self.fill()
        data, self.pending = self.pending[:end - 3], self.pending[end:]
        message = dict(self.mail, raw=data, data=re.sub(rb"(?m)^\.\.", b".", data))
        self.server.messages.append(message)  # there before anybody is told
        said = ""
        try:
            said = self.answer("END", "250 2.0.0 queued")
        finally:
            if not said.startswith("2"):
                self.server.messages.remove(message)

    def message_end(self):
        if self.pending.startswith(b".\r\n"):
            return 3
        found = self.pending.find(b"\r\n.\r\n")
        return found + 5 if found >= 0 else 0

    def do_quit(self, _):
        self.answer("QUIT", "221 bye")
        raise Gone
