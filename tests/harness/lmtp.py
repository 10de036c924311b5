"""An LMTP client (RFC 2033): one reply for each recipient, which smtplib does not read."""

import base64
import re

from .imap import Imap


class Lmtp(Imap):
    def __init__(self, port, host="127.0.0.1", **options):
        super().__init__(host, port, **options)
        self.greeting = self.reply()
        assert self.greeting.startswith("220"), self.greeting
        self.hello()

    def hello(self):
        self.extensions = self.ask("LHLO client.example.org")
        assert self.extensions.startswith("250"), self.extensions

    def ask(self, line):
        self.send(line + "\r\n")
        return self.reply()

    def starttls(self, tls):
        """RFC 3207, and LHLO anew."""
        answer = self.ask("STARTTLS")
        assert answer.startswith("220"), answer
        self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self.hello()
        return self

    def login(self, user, password):
        """RFC 4954; returns the reply."""
        response = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
        return self.ask(f"AUTH PLAIN {response}")

    def reply(self):
        """One reply with all its lines."""
        lines = []
        while not lines or lines[-1][3:4] == "-":
            lines.append(self.raw_line().decode("utf-8", "replace").rstrip("\r\n"))
        return "\n".join(lines)

    def deliver(self, sender, recipients, message):
        """A pipelined transaction; returns {recipient: reply} of those that were refused."""
        commands = [f"MAIL FROM:<{sender}>", *(f"RCPT TO:<{to}>" for to in recipients), "DATA"]
        self.send("".join(command + "\r\n" for command in commands))
        begun = self.reply()
        replies = dict(zip(recipients, [self.reply() for _ in recipients]))
        data = self.reply()
        accepted = [to for to, reply in replies.items() if reply.startswith("250")]
        if not data.startswith("354"):
            assert not accepted or not begun.startswith("250"), data
            self.send("RSET\r\n")
            self.reply()
            return replies
        ended = b"" if message.endswith(b"\r\n") else b"\r\n"
        self.send(re.sub(rb"(?m)^\.", b"..", message) + ended + b".\r\n")
        for to in accepted:
            replies[to] = self.reply()
        return {to: reply for to, reply in replies.items() if not reply.startswith("250")}
