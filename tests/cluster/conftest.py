"""Fixtures: clusters, and servers that keep their data in one."""

import itertools

import pytest

from harness.cluster import Cluster
from harness.server import Server

pools = itertools.count(1)


@pytest.fixture(scope="session")
def shared_cluster(tmp_path_factory):
    """One OSD, for all tests of a worker that do not break it."""
    with Cluster(tmp_path_factory.mktemp("ceph")) as cluster:
        yield cluster


@pytest.fixture
def own_cluster(tmp_path):
    """One OSD of this test alone."""
    with Cluster(tmp_path / "ceph") as cluster:
        yield cluster


@pytest.fixture
def cluster(tmp_path):
    """Three OSDs of this test alone."""
    with Cluster(tmp_path / "ceph", osds=3) as cluster:
        yield cluster


class Nodes:
    """Servers on one cluster."""

    def __init__(self, directory):
        self.directory = directory
        self.servers = []

    def start(self, cluster, count, pool=None, **options):
        """So many nodes more, with a pool of their own or the one given."""
        pool = pool or cluster.new_pool(f"pool{next(pools)}")
        for _ in range(count):
            number = len(self.servers)
            node = Server(self.directory / f"node{number}", init=cluster.init_for(pool))
            node.pool = pool
            node.configure(session_processes=1, **options)
            self.servers.append(node)
            node.start()
        return self.servers[-count:]

    def stop(self):
        for node in self.servers:
            node.stop()
        for node in self.servers:
            node.check_log()


@pytest.fixture
def nodes(tmp_path):
    made = Nodes(tmp_path)
    yield made
    made.stop()
