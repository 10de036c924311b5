"""Dialogues: tests that read like the protocol.

A file `NAME.dialogue` is one test. Lines that begin with # are comments (cite the RFC there).

    @imap                 connect with TLS and log in to a fresh account (the default)
    @imap plain           connect without TLS, do not log in; @imap tls: with TLS, do not log in
    @pop3                 connect to POP3 with TLS and log in to a fresh account
    @pop3 plain           connect without TLS, do not log in; @pop3 tls: with TLS, do not log in
    @managesieve          connect to ManageSieve with TLS and log in to a fresh account
    @managesieve plain    connect without TLS, do not log in; tls: with TLS, do not log in
    @lmtp                 connect to LMTP
    @lmtp remote          connect as a mail server on another machine, without TLS; its account, the
                          only one that may deliver, is {mx_plain}
    @administrator        connect with TLS and log in as the server's administrator over IMAP
    @second               a second connection, logged in to the same account; its lines are C2, S2
    @account              a second account: {address2} {user2} {password2}
    @deliver SUBJECT      a message with this subject arrives through LMTP
    @append MAILBOX FLAGS another connection appends the message in the lines that follow:
    | Subject: x          a line of it (CRLF is added)
    @quota RESOURCE N     the account gets this limit
    @chapar ARGUMENTS     the administrator's command is run; names are filled in
    @compress             the first connection is compressed from here on
    @starttls             the first connection does its TLS handshake
    @half_close           the first connection will send no more

    C: a1 NOOP            sent with CRLF; {user} {password} {address} {domain} and the other names of
                          need_account() are filled in
    C|raw                 sent without CRLF; \\r \\n \\0 \\\\ and \\xNN are understood
    S: a1 OK {*}          the next line must be this; {*} is anything, {=name} keeps a word that
                          {name} gives again later in any line
    S*: a1 OK {*}         lines are passed over until this one
    S~: * LIST {*}        lines of this kind that follow each other come in any order
    S!: EXPUNGE           none of the lines passed over by the next S* may hold this
    S-                    the server closes
"""

import base64
import re
import socket
import ssl

from .imap import Imap
from .managesieve import Managesieve
from .server import message


class Dialogue:
    def __init__(self, server, lines):
        self.server = server
        self.lines = lines
        self.clients = {}
        self.values = {"domain": server.domain}
        self.account = None
        self.forbidden = []
        self.unordered = []
        self.transcript = []

    def run(self):
        first = next((line for line in self.lines if re.match(r"[CS]|@administrator|@imap|@lmtp|@managesieve|@pop3", line)), "")
        if not first.startswith("@"):
            self.directive("@imap")
        try:
            for number, line in enumerate(self.lines, 1):
                if not line.strip() or line[0] in "#|":
                    continue
                try:
                    self.step(line, number)
                except (AssertionError, OSError, KeyError) as problem:
                    said = "\n".join(self.transcript[-30:])
                    raise AssertionError(f"line {number}: {line}\n{type(problem).__name__}: "
                                        f"{problem}\n--- said so far:\n{said}") from problem
        finally:
            for client in self.clients.values():
                client.close()

    def step(self, line, number):
        if line.startswith("@"):
            self.directive(line, self.text_after(number))
            return
        match = re.match(r"([CS])(\d?)(?:(\|)|(\*:|!:|~:|:|-) ?)(.*)", line)
        assert match, "not a line of a dialogue"
        side, connection, raw, kind, text = match.groups()
        client = self.clients[connection or "1"]
        if side == "C":
            self.say(client, raw or kind, text)
        elif kind == "~:":
            self.unordered.append(self.pattern(text))
            if not self.lines[number:] or not self.lines[number].startswith(line[:line.index("~")]
                                                                            + "~:"):
                self.hear_unordered(client)
        else:
            self.hear(client, kind, text)

    def text_after(self, number):
        """The message in the lines that follow this one."""
        text = ""
        while self.lines[number:] and self.lines[number].startswith("|"):
            text += self.lines[number][2:] + "\r\n"
            number += 1
        return self.fill_in(text).encode()

    def directive(self, line, text=b""):
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
        elif words[0] == "@administrator":
            self.need_account(self.server.administrator())
            self.clients["1"] = self.server.imap(self.account)
        elif words[0] == "@pop3":
            self.need_account()
            self.clients["1"] = self.pop3(words[1] if len(words) > 1 else "login")
        elif words[0] == "@managesieve":
            self.need_account()
            self.clients["1"] = self.managesieve(words[1] if len(words) > 1 else "login")
        elif words[0] == "@second":
            self.clients["2"] = self.server.imap(self.account)
        elif words[0] == "@lmtp":
            self.need_account()
            self.clients["1"] = self.lmtp(remote="remote" in words)
        elif words[0] == "@deliver":
            refused = self.server.deliver(message(line[9:].strip()), self.account[0])
            assert not refused, refused
        elif words[0] == "@append":
            self.need_account()
            with self.server.imap(self.account) as other:
                other.ok("ENABLE UTF8=ACCEPT")
                status, _ = other.command("APPEND " + " ".join(words[1:]), text)
            assert status.startswith("OK"), status
        elif words[0] == "@quota":
            self.need_account()
            self.server.run("quota", "set", self.account[0], *words[1:])
        elif words[0] == "@account":
            self.values.update(self.names(self.server.fresh_account(), "2"))
        elif words[0] == "@chapar":
            self.need_account()
            self.server.run(*self.fill_in(line).split()[1:])
        elif words[0] == "@half_close":
            self.clients["1"].half_close()
        elif words[0] == "@compress":
            self.clients["1"].compress()
        elif words[0] == "@starttls":
            client = self.clients["1"]
            client.socket = self.server.tls_context().wrap_socket(client.socket,
                                                                  server_hostname="localhost")
        else:
            raise AssertionError("no such directive")

    def pop3(self, mode):
        port = self.server.pop3_port if mode == "plain" else self.server.pop3s_port
        client = Imap("127.0.0.1", port, None if mode == "plain" else self.server.tls_context())
        if mode == "login":
            client.line()
            for command in ("USER", self.account[0]), ("PASS", self.account[1]):
                client.send(" ".join(command) + "\r\n")
                answer = client.line()
                assert answer.startswith("+OK"), answer
        return client

    def lmtp(self, remote):
        if remote:
            self.values["mx_plain"] = self.names(self.server.mail_server())["plain"]
        return Imap("127.0.0.1", self.server.lmtp_remote_port if remote else self.server.lmtp_port)

    def managesieve(self, mode):
        if mode == "plain":
            return Managesieve(self.server.sieve_port)
        return self.server.managesieve(self.account if mode == "login" else None)

    def names(self, account, suffix=""):
        """What a dialogue may say of an account."""
        address, password = account
        user = address.split("@")[0]
        plain = base64.b64encode(f"\0{address}\0{password}".encode()).decode()
        return {"address" + suffix: address, "user" + suffix: user, "password" + suffix: password,
                "upper_address" + suffix: address.upper(), "plain" + suffix: plain,
                "plain_size" + suffix: str(len(plain)),
                "user_size" + suffix: str(len(user)), "password_size" + suffix: str(len(password))}

    def need_account(self, account=None):
        if self.account:
            return
        self.account = account or self.server.fresh_account()
        self.values.update(self.names(self.account), hostname=self.server.hostname,
                           name_of_255="n" * 255)

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
            self.forbidden.append(self.fill_in(text))
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

    def hear_unordered(self, client):
        patterns, self.unordered = self.unordered, []
        while patterns:
            line = client.raw_line()[:-2].decode("utf-8", "surrogateescape")
            self.transcript.append("S: " + line)
            found = next((pattern for pattern in patterns if pattern.fullmatch(line)), None)
            assert found, f"the server said: {line}\nnot one of: " + \
                "\n".join(pattern.pattern for pattern in patterns)
            self.values.update(found.fullmatch(line).groupdict())
            patterns.remove(found)

    def hear_close(self, client):
        try:
            data = client.pending or client.socket.recv(1)
        except (ConnectionError, ssl.SSLError):
            return
        except socket.timeout:
            raise AssertionError("the server did not close") from None
        assert not data, f"the server said: {data!r}"
