"""One process ends: what it costs, and that the server is whole again."""

import os
import signal
import socket
import subprocess
import threading
import time

import pytest

from harness.imap import Imap
from harness.server import Server, message
from harness.wait import wait_until

# A process that is killed with SIGSEGV is to die of it, not to report it as its own mistake.
AS_IT_IS = "handle_segv=0"


@pytest.fixture
def pair(tmp_path):
    """A server with two chapar-session processes."""
    server = Server(tmp_path / "server", asan_options=AS_IT_IS)
    server.configure(session_processes=2)
    server.start()
    yield server
    server.stop()
    server.check_log()


def ends(client):
    """Whether the server has closed; otherwise the client is still served."""
    try:
        client.ok("NOOP")
        return False
    except TimeoutError:  # neither
        raise
    except (ConnectionError, OSError):
        return True


def kill(server, pids, number=signal.SIGKILL):
    """Returns when chapard knows that all of them have gone: until then they still serve, and count
    as ready."""
    for pid in pids:
        os.kill(pid, number)
    wait_until(lambda: not set(pids) & set(server.children()))


def can_log_in(server, account):
    try:
        with server.imap() as client:
            client.socket.settimeout(2)
            status, _ = client.command(f'LOGIN "{account[0]}" "{account[1]}"')
            return status.startswith("OK") and client.ok("SELECT INBOX") is not None
    except OSError:
        return False


def can_deliver(server, account):
    try:
        return not server.deliver(message(), account[0])
    except OSError:
        return False


def process(server, role, pid=None):
    return next(process for process in server.json("status")["processes"]
                if process["role"] == role and pid in (None, process["pid"]))


def all_ready(server):
    return all(process["state"] == "ready" for process in server.json("status")["processes"])


def test_session_crash_costs_only_its_own(pair):
    """SIGSEGV of one chapar-session with 50 clients connected."""
    # An account is in either process by chance: all of them in one, once in 2**24 times.
    accounts = [pair.add_account(f"account{number}") for number in range(25)]
    clients = [pair.imap(accounts[number % 25]) for number in range(50)]
    for client in clients:
        client.ok("SELECT INBOX")
    victim, other = pair.children("chapar-session")
    died = time.monotonic()
    os.kill(victim, signal.SIGSEGV)
    wait_until(lambda: not pair.is_alive(victim))  # until then it still serves
    wait_until(lambda: can_log_in(pair, accounts[0]), 5)
    back = time.monotonic() - died

    ended = [ends(client) for client in clients]
    assert 0 < sum(ended) < 50, "the sessions are spread over both processes"
    # An account's sessions share a process: all of them ended, or none.
    for number in range(25):
        assert len({ended[index] for index in range(number, 50, 25)}) == 1
    wait_until(lambda: victim not in pair.children() and all_ready(pair))
    assert all(can_log_in(pair, account) for account in accounts)
    assert can_deliver(pair, accounts[0])
    status = pair.json("status")
    crashed = [process for process in status["processes"] if process["crashes"]]
    assert [process["role"] for process in crashed] == ["chapar-session"]
    assert crashed[0]["last_crash"]["signal"] == signal.SIGSEGV
    assert crashed[0]["restarts"] == 1
    assert crashed[0]["pid"] not in (victim, 0)
    assert status["counters"]["process_crashes"] == 1
    assert os.kill(other, 0) is None and other in pair.children("chapar-session")
    pair.wait_for_log(r"signal=11|SIGSEGV|Segmentation")
    print(f"new logins served {back:.3f} s after the crash")
    assert back < 1


def test_crash_says_what_was_served(pair):
    """The crash note names the account and the command (docs/architecture.md)."""
    account = pair.add_account("noted")
    clients = [pair.imap(account) for _ in range(2)]
    clients[0].ok("SELECT INBOX")
    kill(pair, pair.children("chapar-session"), signal.SIGSEGV)
    wait_until(lambda: can_log_in(pair, account))
    wait_until(lambda: all_ready(pair))
    notes = [process["last_crash"]["serving"] for process in pair.json("status")["processes"]
             if process["last_crash"]]
    assert len(notes) == 2
    for client in clients:
        assert ends(client)
    pair.wait_for_log("crash")


@pytest.mark.parametrize("role", ["chapar-auth", "chapar-login", "chapar-session",
                                  "chapar-send"])
def test_killed_process_is_replaced(pair, role):
    """kill -9, several times: logins and deliveries work again; the delay grows, but not for ever."""
    account = pair.add_account("served")
    delivered = 0
    for _ in range(3):
        kill(pair, pair.children(role))
        wait_until(lambda: can_log_in(pair, account), 20)
        wait_until(lambda: all_ready(pair), 20)
        assert can_deliver(pair, account)
        delivered += 1
    with pair.imap(account) as client:
        assert f"* {delivered} EXISTS" in client.ok("SELECT INBOX")
    replaced = process(pair, role)
    assert replaced["crashes"] == 3 and replaced["restarts"] == 3
    assert replaced["last_crash"]["signal"] == signal.SIGKILL


def test_auth_crash_leaves_sessions(pair):
    """Sessions, deliveries and TLS go on without chapar-auth."""
    account = pair.add_account("going-on")
    with pair.imap(account) as client:
        client.ok("SELECT INBOX")
        (pid,) = pair.children("chapar-auth")
        kill(pair, [pid])
        assert can_deliver(pair, account)
        assert "* 1 EXISTS" in client.ok("NOOP")
        wait_until(lambda: can_log_in(pair, account))
        client.ok("NOOP")


def test_login_crash_leaves_plaintext_and_lmtp(pair):
    """What chapar-login does not pump goes on without it."""
    pair.configure(plaintext_login=True)
    pair.stop()
    pair.start()
    account = pair.add_account("plain")
    lmtp = Imap("127.0.0.1", pair.lmtp_port)
    assert lmtp.line().startswith("220")
    with pair.imap(account, tls=False) as client:
        client.ok("SELECT INBOX")
        (pid,) = pair.children("chapar-login")
        kill(pair, [pid])
        client.ok("NOOP")
        lmtp.send("NOOP\r\n")
        assert lmtp.line().startswith("250")
        wait_until(lambda: can_log_in(pair, account))
        client.ok("NOOP")
    lmtp.close()


def test_sigterm_drains(pair):
    """Clients hear BYE, a message under way is taken, and chapard ends with 0."""
    account = pair.add_account("drained")
    idle = pair.imap(account)
    idle.ok("SELECT INBOX")
    idling = pair.imap(account)
    idling.ok("SELECT INBOX")
    idling.send("x IDLE\r\n")
    assert idling.line().startswith("+")
    before_login = pair.imap()
    lmtp = Imap("127.0.0.1", pair.lmtp_port)
    lmtp.line()
    lmtp.send(f"LHLO x\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<{account[0]}>\r\nDATA\r\n")
    while not lmtp.line().startswith("354"):
        pass
    pair.process.send_signal(signal.SIGTERM)
    for client in (idle, idling, before_login):
        assert client.line().startswith("* BYE")
    lmtp.send("Subject: the last one\r\n\r\nx\r\n.\r\n")
    assert lmtp.line().startswith("250")
    assert lmtp.line().startswith("421")
    assert pair.process.wait(15) == 0
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", pair.imap_port), timeout=5)
    pair.process = None
    pair.start()
    with pair.imap(account) as client:
        assert "* 1 EXISTS" in client.ok("SELECT INBOX")


def test_drain_time(pair):
    """drain_time: a client that does not go is not waited for any longer."""
    pair.stop()
    pair.configure(drain_time=1)
    pair.start()
    account = pair.add_account("stays")
    lmtp = Imap("127.0.0.1", pair.lmtp_port)
    lmtp.line()
    lmtp.send(f"LHLO x\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<{account[0]}>\r\nDATA\r\n")
    while not lmtp.line().startswith("354"):
        pass
    start = time.monotonic()
    pair.process.send_signal(signal.SIGTERM)
    assert pair.process.wait(15) == 0
    assert time.monotonic() - start < 8
    pair.process = None


def test_chapard_killed(pair):
    """Without chapard the others end by themselves, and the next start works."""
    account = pair.add_account("orphan")
    children = list(pair.children())
    client = pair.imap(account)
    pair.process.kill()
    pair.process.wait()
    pair.process = None

    def gone():
        return not any(os.path.exists(f"/proc/{pid}/exe") and
                       not ended(pid) for pid in children)
    assert client.line().startswith("* BYE")
    wait_until(gone, 20)
    pair.start()
    assert can_log_in(pair, account) and can_deliver(pair, account)


def ended(pid):
    """Whether the process is gone or a zombie that nobody has waited for."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


# --- reload ---

def reload_and_wait(server, pattern, seconds=15):
    position = len(server.log())
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: pattern in server.log()[position:], seconds)
    return server.log()[position:]


def test_reload_of_a_broken_configuration(pair):
    """It is logged with file and line, and nothing else changes."""
    account = pair.add_account("kept")
    good = pair.config.read_text()
    before = pair.children()
    with pair.imap(account) as client:
        pair.configure(no_such_option=1)
        log = reload_and_wait(pair, "reload_refused")
        assert "no_such_option" in log and f"chapar.conf:{len(good.splitlines()) + 1}" in log
        client.ok("NOOP")
        pair.config.write_text(good)
        assert pair.children() == before
        assert can_log_in(pair, account) and can_deliver(pair, account)


def test_reload_of_a_listener_and_a_limit(pair):
    """New listeners and limits hold, and the sessions there are go on."""
    account = pair.add_account("reloaded")
    with pair.imap(account) as client:
        client.ok("SELECT INBOX")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        text = pair.config.read_text().replace(f"imap_listen = {{\"127.0.0.1:{pair.imap_port}\"}}",
                                               f"imap_listen = {{\"127.0.0.1:{port}\"}}")
        pair.config.write_text(text)
        pair.configure(message_size=70000)
        generation = pair.json("status")["generation"]
        reload_and_wait(pair, "reloaded")
        assert pair.json("status")["generation"] == generation + 1
        with Imap("127.0.0.1", port) as moved:
            assert moved.line().startswith("* OK")
        with pytest.raises(OSError):
            Imap("127.0.0.1", pair.imap_port).line()
        client.ok("NOOP")
        with pair.imap(account) as other:
            status, _ = other.command("APPEND INBOX {70001}")
            assert status.startswith("NO [TOOBIG]")
        assert can_deliver(pair, account)
        assert "* 1 EXISTS" in client.ok("NOOP")


def test_reload_again_and_again(pair):
    """Five reloads under load: no session is lost, no process stays behind."""
    account = pair.add_account("often")
    stop = threading.Event()
    delivered = []

    def deliver():
        while not stop.is_set():
            if can_deliver(pair, account):
                delivered.append(1)
    thread = threading.Thread(target=deliver)
    thread.start()
    with pair.imap(account) as client:
        client.ok("SELECT INBOX")
        for _ in range(5):
            reload_and_wait(pair, "reloaded")
            client.ok("NOOP")
        stop.set()
        thread.join()
        # Arrivals may be told beside it.
        (status,) = [line for line in client.ok("STATUS INBOX (MESSAGES)") if "STATUS" in line]
        assert f"MESSAGES {len(delivered)}" in status
    # Old processes end with their last stream.
    wait_until(lambda: len(pair.children()) == 5, 15)  # auth, login, two sessions, send
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pair.process.pid)],
                            capture_output=True, text=True).stdout.split()
    assert len(listed) == 5
