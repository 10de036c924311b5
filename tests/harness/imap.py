"""A small IMAP client that shows the protocol as it is: lines and literals, nothing hidden."""

import os
import re
import socket
import ssl
import time
import zlib

TIMEOUT = 20


class Imap:
    def __init__(self, host, port, tls=None, timeout=TIMEOUT, source=None):
        self.socket = socket.create_connection((host, port), timeout=timeout,
                                               source_address=(source, 0) if source else None)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self.pending = b""
        self.deflate = self.inflate = None
        self.tags = 0
        self.greeting = None

    def starttls(self, tls):
        status, _ = self.command("STARTTLS")
        assert status.startswith("OK"), status
        self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self.pending = b""

    def compress(self):
        """From now on both directions are deflated (RFC 4978)."""
        self.deflate, self.inflate = zlib.compressobj(wbits=-15), zlib.decompressobj(wbits=-15)
        self.pending = self.inflate.decompress(self.pending)

    def send(self, data):
        data = data.encode() if isinstance(data, str) else data
        if self.deflate:
            data = self.deflate.compress(data) + self.deflate.flush(zlib.Z_SYNC_FLUSH)
        self.socket.sendall(data)

    def fill(self):
        try:
            data = self.socket.recv(1 << 16)
        except ssl.SSLZeroReturnError:  # what recv says of the end once this side has ended
            data = b""
        if not data:
            raise ConnectionError("closed by the server")
        self.pending += self.inflate.decompress(data) if self.inflate else data

    def raw_line(self):
        """One line with its CRLF, as bytes, literals not followed."""
        while b"\r\n" not in self.pending:
            self.fill()
        line, self.pending = self.pending.split(b"\r\n", 1)
        return line + b"\r\n"

    def exactly(self, size):
        while len(self.pending) < size:
            self.fill()
        data, self.pending = self.pending[:size], self.pending[size:]
        return data

    def response(self):
        """One response with its literals in place, as bytes, without the last CRLF."""
        data = self.raw_line()
        while True:
            literal = re.search(rb"\{(\d+)\}\r\n\Z", data)
            if not literal:
                return data[:-2]
            data += self.exactly(int(literal.group(1))) + self.raw_line()

    def line(self):
        return self.response().decode("utf-8", "surrogateescape")

    def command(self, text, literal=None):
        """Sends a command; returns (the tagged response after its tag, untagged ones)."""
        self.tags += 1
        tag = f"t{self.tags}"
        if literal is None:
            self.send(f"{tag} {text}\r\n")
        else:
            self.send(f"{tag} {text} {{{len(literal)}+}}\r\n".encode() + literal + b"\r\n")
        return self.finish(tag)

    def finish(self, tag):
        untagged = []
        while True:
            line = self.line()
            if line.startswith(tag + " "):
                return line[len(tag) + 1:], untagged
            untagged.append(line)

    def ok(self, text, literal=None):
        """Sends a command that must succeed; returns the untagged responses."""
        status, untagged = self.command(text, literal)
        assert status.startswith("OK"), f"{text}: {status}"
        return untagged

    def login(self, user, password):
        self.ok(f'LOGIN "{user}" "{password}"')
        return self

    def append(self, mailbox, message, flags=""):
        return self.command(f"APPEND {mailbox}{flags and ' ' + flags}", message)

    def uids(self, criteria="ALL"):
        for line in self.ok(f"UID SEARCH {criteria}"):
            if line.startswith("* SEARCH"):
                return [int(word) for word in line.split()[2:]]
        return []

    def wait_for(self, pattern, seconds=10):
        """Reads responses until one matches; returns it and the seconds it took."""
        start = time.monotonic()
        self.socket.settimeout(seconds)
        try:
            while True:
                line = self.line()
                if re.search(pattern, line):
                    return line, time.monotonic() - start
        finally:
            self.socket.settimeout(TIMEOUT)

    def half_close(self):
        """Says that nothing more will be sent; answers can still be read."""
        if not isinstance(self.socket, ssl.SSLSocket):
            self.socket.shutdown(socket.SHUT_WR)
            return
        # unwrap() sends a close_notify and looks for the server's, and drops what it finds instead: an
        # answer that has come already. So meanwhile it has another socket, where nothing comes.
        self.socket.setblocking(False)
        number, (inside, outside) = self.socket.fileno(), socket.socketpair()
        with inside, outside, socket.socket(fileno=os.dup(number)) as server:
            inside.setblocking(False)
            os.dup2(inside.fileno(), number)
            try:
                self.socket.unwrap()
            except ssl.SSLWantReadError:
                pass
            os.dup2(server.fileno(), number)
            server.sendall(outside.recv(4096))
        self.socket.settimeout(TIMEOUT)

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
