"""What the tests of Roundcube share: the program is started once for a worker, a browser for each test."""

import pytest

from harness.webmail import Browser, Webmail


@pytest.fixture(scope="session")
def webmail(shared_server, tmp_path_factory):
    with Webmail(tmp_path_factory.mktemp("roundcube"), shared_server) as running:
        yield running


@pytest.fixture
def browser(webmail, tmp_path):
    """Roundcube says in its log what the server did to displease it: nothing may be there."""
    before = webmail.log()
    with Browser(tmp_path) as one:
        yield one
    assert webmail.log() == before
