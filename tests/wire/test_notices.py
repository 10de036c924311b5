"""IDLE hears of what another process does (RFC 2177; src/kv/notice_ring.h)."""

import statistics
import time

import pytest

from harness.server import Server, message

ROUNDS = 20


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Two chapar-session processes: an account's sessions are in one, LMTP comes to either."""
    server = Server(tmp_path_factory.mktemp("notices"))
    server.configure(session_processes=2)
    server.start()
    yield server
    server.stop()
    server.check_log()


def idle(server, account):
    client = server.imap(account)
    client.ok("SELECT INBOX")
    client.send("i IDLE\r\n")
    assert client.line().startswith("+")
    return client


def test_delivery_wakes_idle_across_processes(pair):
    """Within a second, for accounts of both processes and deliveries through both."""
    accounts = [pair.add_account(f"idle{number}") for number in range(8)]
    clients = [idle(pair, account) for account in accounts]
    taken = []
    for number in range(ROUNDS):
        index = number % len(accounts)
        start = time.monotonic()
        assert not pair.deliver(message(f"number {number}"), accounts[index][0])
        delivered = time.monotonic()
        clients[index].wait_for(r"\* \d+ EXISTS", 5)
        taken.append(time.monotonic() - delivered)
        assert time.monotonic() - start < 1 + (delivered - start)
        clients[index].wait_for(r"RECENT", 5)
    for client in clients:
        client.close()
    print(f"IDLE was told {statistics.median(taken) * 1000:.2f} ms after the delivery's 250 "
          f"(median of {ROUNDS}; the slowest {max(taken) * 1000:.2f} ms)")


def test_every_idle_client_hears_of_it(pair):
    """Ten clients of one account, and none of another."""
    account, other = pair.add_account("heard"), pair.add_account("unheard")
    clients = [idle(pair, account) for _ in range(10)]
    stranger = idle(pair, other)
    pair.deliver(message(), account[0])
    for client in clients:
        client.wait_for(r"\* 1 EXISTS", 5)
        client.close()
    stranger.send("DONE\r\n")
    assert stranger.line().startswith("i OK")
    stranger.close()


def test_burst_is_heard_whole(pair):
    """A hundred deliveries at once: the last EXISTS is the hundredth."""
    account = pair.add_account("burst")
    client = idle(pair, account)
    for number in range(100):
        pair.deliver(message(f"{number}"), account[0])
    client.wait_for(r"\* 100 EXISTS", 10)
    client.close()
