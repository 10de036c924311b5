"""Every *.dialogue file below this folder is one test (tests/harness/dialogue.py)."""

import re
from pathlib import Path

import pytest

from harness.dialogue import Dialogue

HERE = Path(__file__).parent
FILES = sorted(HERE.rglob("*.dialogue"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(HERE))[:-9])
def test_dialogue(path, shared_server):
    Dialogue(shared_server, path.read_text().splitlines()).run()


def test_every_dialogue_says_what_it_shows():
    for path in FILES:
        first = path.read_text().splitlines()[0]
        assert re.match(r"# \S", first), f"{path.name}: the first line is no comment"


def advertised(server, account):
    """Every capability that is listed anywhere."""
    tokens = set()
    clients = [server.imap(tls=False), server.imap(), server.imap(account),
               server.imap(server.administrator())]
    for client in clients:
        (line,) = client.ok("CAPABILITY")
        # Which address that is differs with the server.
        tokens.update(re.sub(r"(?<=^IMAPSIEVE=).*", "", token) for token in line.split()[2:])
        client.close()
    return tokens


def test_every_capability_has_a_dialogue(shared_server, account):
    """RFC 9051 section 6.1.1: what is advertised works; a dialogue that says so shows it."""
    shown = {found for path in FILES
             for found in re.findall(r"^# capability: (\S+)$", path.read_text(), re.M)}
    tokens = advertised(shared_server, account)
    assert "IMAP4rev1" in tokens
    assert not tokens - shown, "advertised, but shown by no dialogue"
    assert not shown - tokens, "shown by a dialogue, but not advertised"
