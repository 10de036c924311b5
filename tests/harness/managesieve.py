"""A ManageSieve client (RFC 5804) that shows the protocol as it is: lines and literals."""

import base64

from .imap import Imap


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def literal(data):
    data = data.encode() if isinstance(data, str) else data
    return f"{{{len(data)}+}}\r\n".encode() + data


class Managesieve(Imap):
    """Its capabilities: {name: value or None}, those of the last greeting."""

    def __init__(self, port, host="127.0.0.1", **options):
        super().__init__(host, port, **options)
        self.capabilities = {}

    def answer(self):
        """(the status line, the lines before it): lines are whole, their literals in place."""
        lines = []
        while True:
            line = self.line()
            if line.split(" ")[0] in ("OK", "NO", "BYE"):
                return line, lines
            lines.append(line)

    def greet(self):
        """Reads capabilities: the greeting, or CAPABILITY's answer."""
        status, lines = self.answer()
        assert status == "OK", status
        words = [line.split('"') for line in lines]
        self.capabilities = {word[1]: word[3] if len(word) > 3 else None for word in words}
        return self

    def command(self, *parts):
        """Sends the parts (str or bytes) with spaces between; returns answer()."""
        self.send(b" ".join(part.encode() if isinstance(part, str) else part
                            for part in parts) + b"\r\n")
        return self.answer()

    def ok(self, *parts):
        status, lines = self.command(*parts)
        assert status.startswith("OK"), f"{parts}: {status}"
        return lines

    def starttls(self, tls):
        self.ok("STARTTLS")
        self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self.pending = b""

    def login(self, user, password):
        secret = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
        self.ok(f'AUTHENTICATE "PLAIN" "{secret}"')
        return self

    def put(self, name, script):
        return self.command("PUTSCRIPT", quoted(name), literal(script))[0]

    def get(self, name):
        """The script's text, as bytes."""
        self.send(f"GETSCRIPT {quoted(name)}\r\n")
        head = self.raw_line()
        if head.startswith(b'"'):
            text = head[1:-3]
        else:
            assert head.startswith(b"{"), head
            text = self.exactly(int(head[1:-3]))
            assert self.raw_line() == b"\r\n"
        status, _ = self.answer()
        assert status.startswith("OK"), status
        return text

    def list(self):
        """{name: whether it is active}; names without quotes."""
        names = {}
        for line in self.ok("LISTSCRIPTS"):
            active = line.endswith(" ACTIVE")
            line = line[:-7] if active else line
            names[line[1:-1] if line.startswith('"') else line.split("\r\n", 1)[1]] = active
        return names
