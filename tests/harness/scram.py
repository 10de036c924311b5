"""A client's side of SCRAM-SHA-256 (RFC 5802, RFC 7677)."""

import base64
import hashlib
import hmac
import os


def digest(key, text):
    return hmac.new(key, text, "sha256").digest()


class Scram:
    """first() -> the server's first message -> final() -> the server's -> check()."""

    def __init__(self, user, password, header="n,,", channel=b""):
        self.password = password.encode()
        self.header = header.encode()
        self.channel = channel
        self.nonce = base64.b64encode(os.urandom(18))
        name = user.replace("=", "=3D").replace(",", "=2C").encode()
        self.bare = b"n=" + name + b",r=" + self.nonce

    def first(self):
        return self.header + self.bare

    def final(self, server_first):
        parts = dict(part.split(b"=", 1) for part in server_first.split(b","))
        assert parts[b"r"].startswith(self.nonce) and len(parts[b"r"]) > len(self.nonce) + 15
        self.salt, self.iterations = base64.b64decode(parts[b"s"]), int(parts[b"i"])
        salted = hashlib.pbkdf2_hmac("sha256", self.password, self.salt, self.iterations)
        binding = base64.b64encode(self.header + self.channel)
        without_proof = b"c=" + binding + b",r=" + parts[b"r"]
        message = b",".join([self.bare, server_first, without_proof])
        key = digest(salted, b"Client Key")
        signature = digest(hashlib.sha256(key).digest(), message)
        self.expected = digest(digest(salted, b"Server Key"), message)
        proof = bytes(a ^ b for a, b in zip(key, signature))
        return without_proof + b",p=" + base64.b64encode(proof)

    def check(self, server_final):
        assert server_final == b"v=" + base64.b64encode(self.expected)
