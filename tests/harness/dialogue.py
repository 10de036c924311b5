"""Dialogues: tests that read like the protocol.

A file `NAME.dialogue` is one test. Lines that begin with # are comments (cite the RFC there).

    @imap                 connect with TLS and log in to a fresh account (the default)
    @imap plain           connect without TLS, do not log in; @imap tls: with TLS, do not log in
    @lmtp                 connect to LMTP
    @second               a second connection, logged in to the same account; its lines are C2, S2
    @deliver SUBJECT      a message with this subject arrives through LMTP

    C: a1 NOOP            sent with CRLF; {user} {password} {address} {domain} are filled in
    C|raw                 sent without CRLF; \\r \\n \\0 \\\\ and \\xNN are understood
    S: a1 OK {*}          the next line must be this; {*} is anything, {=name} keeps a word that
                          {name} gives again later in any line
    S*: a1 OK {*}         lines are passed over until this one
    S!: EXPUNGE           none of the lines passed over by the next S* may hold this
    S-                    the server closes
"""

import re
import socket
import ssl

from .imap import Imap
from .server import message


class Dialogue:
    def __init__(self, server, lines):
        self.server = server
        self.lines = lines
        self.clients = {}
        self.values = {"domain": server.domain}
        self.account = None
        self.forbidden = []
        self.transcript = []

    def run(self):
        if not any(line.startswith("@imap") or line.startswith("@lmtp") for line in self.lines):
            self.directive("@imap")
        try:
            for number, line in enumerate(self.lines, 1):
                if not line.strip() or line.startswith("#"):
                    continue
                try:
                    self.step(line)
                except (AssertionError, OSError, KeyError) as problem:
                    said = "\n".join(self.transcript[-30:])
                    raise AssertionError(f"line {number}: {line}\n{type(problem).__name__}: "
                                        f"{problem}\n--- said so far:\n{said}") from problem
        finally:
            for client in self.clients.values():
                client.close()

    def step(self, line):
        if line.startswith("@"):
            self.directive(line)
            return
        match = re.match(r"([CS])(\d?)(\*:|!:|:|\||-) ?(.*)", line) \
            if line[1:2] != "|" and line[2:3] != "|" else re.match(r"([CS])(\d?)(\|)(.*)", line)
        assert match, "not a line of a dialogue"
        side, number, kind, text = match.groups()
        client = self.clients[number or "1"]
        if side == "C":
            self.say(client, kind, text)
        else:
            self.hear(client, kind, text)

    def directive(self, line):
        words = line.split()
        if words[0] == "@imap":
            self.need_account()
            mode = words[1] if len(words) > 1 else "login"
            client = self.server.imap(self.account if mode == "login" else None,
                                      tls=mode != "plain")
            if mode != "login":
                # The greeting is the dialogue's to check.
                client.pending = client.greeting.encode() + b"\r\n" + client.pending
            self.clients["1"] = client
        elif words[0] == "@second":
            self.clients["2"] = self.server.imap(self.account)
        elif words[0] == "@lmtp":
            self.need_account()
            self.clients["1"] = Imap("127.0.0.1", self.server.lmtp_port)
        elif words[0] == "@deliver":
            refused = self.server.deliver(message(line[9:].strip()), self.account[0])
            assert not refused, refused
        elif words[0] == "@starttls":
            client = self.clients["1"]
            client.socket = self.server.tls_context().wrap_socket(client.socket,
                                                                  server_hostname="localhost")
        else:
            raise AssertionError("no such directive")

    def need_account(self):
        if self.account:
            return
        self.account = self.server.fresh_account()
        self.values.update(address=self.account[0], user=self.account[0].split("@")[0],
                           password=self.account[1])

    def fill_in(self, text):
        return re.sub(r"\{(\w*[a-z]\w*)\}", lambda found: self.values.get(
            found.group(1), found.group(0)), text)

    def say(self, client, kind, text):
        text = self.fill_in(text)
        self.transcript.append("C: " + text)
        if kind == "|":
            client.send(text.encode().decode("unicode_escape").encode("latin-1"))
        else:
            client.send(text.encode() + b"\r\n")

    def pattern(self, text):
        parts = re.split(r"(\{\*\}|\{=\w+\})", self.fill_in(text))
        expression = "".join(
            ".*" if part == "{*}" else
            f"(?P<{part[2:-1]}>\\S+?)" if part.startswith("{=") else re.escape(part)
            for part in parts)
        return re.compile(expression, re.S)

    def hear(self, client, kind, text):
        if kind == "!:":
            self.forbidden.append(text)
            return
        if kind == "-":
            self.hear_close(client)
            return
        pattern = self.pattern(text)
        while True:
            line = client.raw_line()[:-2].decode("utf-8", "surrogateescape")
            self.transcript.append("S: " + line)
            match = pattern.fullmatch(line)
            if match:
                self.values.update(match.groupdict())
                break
            assert kind == "*:", f"the server said: {line}"
            for word in self.forbidden:
                assert word not in line, f"{word} is not permitted here: {line}"
        self.forbidden = []

    def hear_close(self, client):
        try:
            data = client.pending or client.socket.recv(1)
        except (ConnectionError, ssl.SSLError):
            return
        except socket.timeout:
            raise AssertionError("the server did not close") from None
        assert not data, f"the server said: {data!r}"
