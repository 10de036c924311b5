"""URLs that let another read (RFC 4467): who may, and nobody else."""

import re

import pytest

from harness.server import Server

MESSAGE = b"Subject: secret\r\n\r\nSi vis pacem, para bellum.\r\n"


@pytest.fixture(scope="module")
def users(tmp_path_factory):
    """A server of which `submit` is the account that submits; sessions of it, of alice and of bob."""
    server = Server(tmp_path_factory.mktemp("urlauth") / "server")
    server.configure(submission_user="submit@example.test")
    server.start()
    clients = {name: server.imap(server.add_account(name)) for name in ("alice", "bob", "submit")}
    clients["alice"].ok("APPEND INBOX", MESSAGE)
    yield clients
    for client in clients.values():
        client.close()
    server.stop()
    server.check_log()


def sign(client, access, what="/INBOX/;uid=1/;section=TEXT"):
    (response,) = client.ok(f'GENURLAUTH "imap://alice@example.test{what};urlauth={access}" INTERNAL')
    return re.fullmatch(r'\* GENURLAUTH "(.*)"', response).group(1)


def fetch(client, url):
    (response,) = client.ok(f'URLFETCH "{url}"')
    return None if response == f'* URLFETCH "{url}" NIL' else response.split("\r\n", 1)[1]


@pytest.mark.parametrize("access, who", [
    ("anonymous", {"alice", "bob", "submit"}),
    ("authuser", {"alice", "bob", "submit"}),
    ("user+bob", {"bob"}),
    ("user+Bob%40example.test", {"bob"}),
    ("user+nobody", set()),
    ("submit+bob", {"submit"}),
])
def test_access(users, access, who):
    url = sign(users["alice"], access)
    for name, client in users.items():
        expected = "Si vis pacem, para bellum.\r\n" if name in who else None
        assert fetch(client, url) == expected, name


def test_nobody_signs_for_another(users):
    for client in (users["bob"], users["submit"]):
        status, untagged = client.command(
            'GENURLAUTH "imap://alice@example.test/INBOX/;uid=1;urlauth=anonymous" INTERNAL')
        assert status.startswith("BAD") and not untagged


def test_every_change_of_a_url_makes_it_void(users):
    url = sign(users["alice"], "anonymous")
    bob = users["bob"]
    assert fetch(bob, url)
    for wrong in (url[:-2], url[:-1] + ("0" if url[-1] != "0" else "1"), url + "00",
                  url.replace("alice", "bob"), url.replace("INBOX", "Drafts"),
                  url.replace("uid=1", "uid=2"), url.replace("/;section=TEXT", ""),
                  url.replace("section=TEXT", "section=HEADER"), url.replace("imap:", "IMAP:"),
                  url.replace("anonymous", "authuser"), url.replace("example", "Example")):
        assert wrong != url
        assert fetch(bob, wrong) is None, wrong


def test_what_is_gone_is_not_shown(users):
    alice, bob = users["alice"], users["bob"]
    alice.ok("CREATE Box")
    alice.ok("APPEND Box", MESSAGE)
    url = sign(alice, "authuser", "/Box/;uid=1")
    assert fetch(bob, url) == MESSAGE.decode()
    alice.ok("RENAME Box Other")
    assert fetch(bob, url) is None
    alice.ok("CREATE Box")
    alice.ok("APPEND Box", MESSAGE)
    assert fetch(bob, url) is None
    alice.ok("DELETE Box")
    alice.ok("RENAME Other Box")
    assert fetch(bob, url) == MESSAGE.decode()
    alice.ok("SELECT Box")
    alice.ok("STORE 1 +FLAGS (\\Deleted)")
    alice.ok("EXPUNGE")
    alice.ok("UNSELECT")
    assert fetch(bob, url) is None


def test_a_reset_is_for_all_sessions(users):
    url = sign(users["alice"], "user+bob")
    assert fetch(users["bob"], url)
    users["alice"].ok("RESETKEY")
    assert fetch(users["bob"], url) is None
