"""The cluster goes away and comes back: a temporary error in bounded time, nothing acknowledged is
lost, and nobody starts anything again.
"""

import time

from load import Load

TIMEOUT = 1  # rados_timeout


def test_osd_is_killed_and_comes_back(own_cluster, nodes):
    [node] = nodes.start(own_cluster, 1, rados_timeout=TIMEOUT)
    account = node.add_account("alice")
    children = node.children()
    client = node.imap(account)
    client.ok("SELECT INBOX")
    with Load([node], account) as load:
        load.wait_for_more()
        own_cluster.kill_osd(0)
        start = time.monotonic()
        status, _ = client.command("SELECT Archive")
        assert status.startswith("NO"), status
        assert time.monotonic() - start < 5 * TIMEOUT
        own_cluster.start_osd(0)
        load.wait_for_more()
    client.ok("SELECT Archive")
    client.close()
    load.check(node)
    assert node.children() == children
