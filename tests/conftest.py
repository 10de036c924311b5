"""Fixtures: a server of the test's own, and fresh accounts on it."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness.server import Server  # noqa: E402


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory):
    """One server for all tests of a worker that do not break it."""
    server = Server(tmp_path_factory.mktemp("shared"))
    server.start()
    yield server
    server.stop()
    server.check_log()


@pytest.fixture
def server(tmp_path):
    """A server of this test alone: it may be killed, frozen, filled."""
    own = Server(tmp_path / "server")
    yield own
    own.stop()
    own.check_log()


@pytest.fixture
def account(shared_server):
    """A fresh account: (address, password)."""
    return shared_server.fresh_account()
