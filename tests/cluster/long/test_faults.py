"""Faults of a cluster with three OSDs, under load from two nodes: `make test-cluster`."""

import time

from load import Load

TIMEOUT = 2  # rados_timeout


def start(nodes, cluster):
    pair = nodes.start(cluster, 2, rados_timeout=TIMEOUT)
    return pair, pair[0].add_account("alice")


def test_one_of_three_osds_is_killed(cluster, nodes):
    pair, account = start(nodes, cluster)
    with Load(pair, account) as load:
        load.wait_for_more()
        cluster.kill_osd(1)
        load.wait_for_more(30)
        cluster.start_osd(1)
        cluster.wait_for_osds(3)
        load.wait_for_more()
    load.check(pair[1])


def test_all_osds_are_killed_and_started(cluster, nodes):
    pair, account = start(nodes, cluster)
    with Load(pair, account) as load:
        for _ in range(2):
            load.wait_for_more()
            for number in range(3):
                cluster.kill_osd(number)
            time.sleep(1)
            for number in range(3):
                cluster.start_osd(number)
            load.wait_for_more()
    load.check(pair[0])


def test_two_of_three_osds_are_killed(cluster, nodes):
    """Below min_size nothing is written until one is back."""
    pair, account = start(nodes, cluster)
    with Load(pair, account) as load:
        load.wait_for_more()
        cluster.kill_osd(0)
        cluster.kill_osd(2)
        time.sleep(3 * TIMEOUT)
        cluster.start_osd(0)
        load.wait_for_more()
        cluster.start_osd(2)
    load.check(pair[0])


def test_cluster_is_unreachable(cluster, nodes):
    """All of it hangs, as behind a network that drops everything."""
    pair, account = start(nodes, cluster)
    with Load(pair, account) as load:
        load.wait_for_more()
        for name in cluster.daemons:
            cluster.pause(name)
        time.sleep(5 * TIMEOUT)
        assert load.refused
        for name in cluster.daemons:
            cluster.resume(name)
        load.wait_for_more()
    load.check(pair[1])


def test_a_node_is_killed(cluster, nodes):
    """The other one goes on; what the first had acknowledged is there."""
    pair, account = start(nodes, cluster)
    with Load(pair[1:], account, name="other") as other:
        with Load(pair[:1], account, name="killed") as killed:
            killed.wait_for_more()
            pair[0].kill_all()
        other.wait_for_more(20)
    other.acknowledged += killed.acknowledged
    other.check(pair[1])
