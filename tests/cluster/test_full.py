"""The cluster is full: mail is refused for now and everything else goes on, as all of it does when there is
room again, and nobody starts anything anew.
"""

import threading
import time

from harness.server import message

TIMEOUT = 2  # rados_timeout
NO_SPACE = "452 4.3.1"
LARGE = message("large", "0123456789\r\n" * 100000)  # an object of its own


def start(nodes, cluster, pool=None):
    [node] = nodes.start(cluster, 1, pool, rados_timeout=TIMEOUT)
    return node


def assert_refused(node, account):
    """At once, and for now: small ones, which are committed as they are, and large ones."""
    for text in (message("refused"), LARGE):
        begun = time.monotonic()
        refused = node.deliver(text, account[0])
        assert refused and refused[account[0]].startswith(NO_SPACE), refused
        assert time.monotonic() - begun < TIMEOUT
    with node.imap(account) as client:
        status, _ = client.append("INBOX", message("appended"))
        assert status.startswith("NO [UNAVAILABLE]"), status


def assert_all_else_goes_on(node, account, subjects):
    with node.imap(account) as client:
        assert f"* {len(subjects)} EXISTS" in client.ok("SELECT INBOX")
        lines = client.ok("UID FETCH 1:* (FLAGS ENVELOPE BODY.PEEK[])")
        assert all(any(f"Subject: {subject}" in line for line in lines) for subject in subjects)
        client.ok("UID STORE 1 +FLAGS (\\Flagged)")
        client.ok("UID STORE 1 -FLAGS (\\Flagged)")
        client.ok("CREATE Made")
        client.ok("UID COPY 1 Made")
        client.ok("DELETE Made")
        client.ok(f"UID STORE {len(subjects)} +FLAGS (\\Deleted)")
        client.ok("EXPUNGE")
    return subjects[:-1]


def test_a_full_cluster(own_cluster, nodes):
    node = start(nodes, own_cluster)
    account, children = node.add_account("alice"), node.children()
    subjects = [f"number-{number}" for number in range(5)]
    for subject in subjects:
        assert not node.deliver(message(subject), account[0])
    own_cluster.fill()
    assert_refused(node, account)
    subjects = assert_all_else_goes_on(node, account, subjects)
    result = node.run("account", "add", "bob@example.test", check=False,
                      text="a password\n")
    assert result.returncode != 0 and "disk is full" in result.stderr, result.stderr
    other = start(nodes, own_cluster, node.pool)  # one that starts now
    subjects = assert_all_else_goes_on(other, account, subjects)
    assert_refused(other, account)
    own_cluster.make_room()
    for each in (node, other):
        assert not each.deliver(message("room"), account[0])
        assert not each.deliver(LARGE, account[0])
        with each.imap(account) as client:
            assert client.append("INBOX", message("appended"))[0].startswith("OK")
            client.ok("SELECT INBOX")
    node.add_account("bob")
    assert node.children() == children
    checked = node.run("check", "--deep", check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_changes_beside_refused_mail(own_cluster, nodes):
    """What waits for the same commit as a delivery is not refused with it."""
    node = start(nodes, own_cluster)
    account = node.add_account("alice")
    assert not node.deliver(message("first"), account[0])
    own_cluster.fill()
    ended, refused = threading.Event(), []

    def deliver(number):
        while not ended.is_set():
            refused.append(node.deliver(message(f"refused {number}"), account[0])[account[0]])

    threads = [threading.Thread(target=deliver, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    try:
        with node.imap(account) as client:
            client.ok("SELECT INBOX")
            for number in range(100):
                client.ok(f"STORE 1 {'+-'[number % 2]}FLAGS (\\Flagged)")
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert len(refused) > 20 and all(reply.startswith(NO_SPACE) for reply in refused), refused[:3]
