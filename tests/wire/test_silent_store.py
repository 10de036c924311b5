"""What one client changes while another one stores is told to that one (RFC 9051 section 6.4.6), also when it
comes between the moments in which the server looks and stores, and the answer says nothing of flags."""

import pytest

from harness.mirror import Ledger, Mirror
from harness.server import message

ROUNDS = 500


@pytest.fixture
def pair(shared_server, account):
    """Two clients that know both messages, of which one has $Mine."""
    ledger = Ledger()
    mirrors = [Mirror(shared_server, account, ledger, {"INBOX": "INBOX"}, "condstore") for _ in range(2)]
    for _ in range(2):
        shared_server.deliver(message(), account[0])
    for mirror in mirrors:
        mirror.connect()
        mirror.select("INBOX")
        mirror.ok("STORE 2 +FLAGS.SILENT ($Mine)")
        mirror.ok("FETCH 1:2 (UID FLAGS)")
    return mirrors


@pytest.mark.parametrize("mine, others", [
    ("STORE 1 {sign}FLAGS.SILENT ($Mine)", "STORE 1 {sign}FLAGS ($Others)"),  # the same message
    ("STORE 2 +FLAGS.SILENT ($Mine)", "STORE 1 {sign}FLAGS ($Others)"),  # another, and nothing is changed
])
def test_what_others_change_is_told(pair, mine, others):
    for number in range(ROUNDS):
        sign = "+-"[number % 2]
        under_way = [(mirror, mirror.send(text.format(sign=sign)))
                     for mirror, text in zip(pair, (mine, others))]
        for mirror, tag in under_way:
            assert mirror.finish(tag).startswith("OK")
        client = pair[0]
        client.ok("NOOP")
        believed = client.picture()
        client.ok("FETCH 1:2 (UID FLAGS)")
        assert believed == client.picture(), client.problem(f"believed {believed}")
