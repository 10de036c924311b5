"""The benches of many connections: how fast they log in, what they take in IDLE, how soon they hear.

The clients are C programs (login_load, idle_load), so that they are not what is measured.
"""

import os
import statistics
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from work import PROGRAMS, load, show

from harness.server import Server  # noqa: E402

# --- logins ---

LOGIN_CLIENTS, LOGIN_ACCOUNTS, LOGIN_WARM = 16, 20, 100


def logins(server, accounts, tls, count):
    """Logins a second; and one of them, median and 99th percentile, microseconds."""
    port = server.imaps_port if tls else server.imap_port
    names = [name for name, _ in accounts]
    output = subprocess.run([PROGRAMS / "login_load", *(["-t"] if tls else []), str(port),
                             str(LOGIN_CLIENTS), str(count), accounts[0][1], *names],
                            capture_output=True, text=True)
    assert output.returncode == 0, f"{server.name}: {output.stderr}"
    return list(map(int, output.stdout.split()))


def measure_logins(servers, count):
    accounts = {server: [server.add_account(f"visitor{n}") for n in range(LOGIN_ACCOUNTS)]
                for server in servers}
    for tls in (False, True):
        how = f"login_load {'-t ' if tls else ''}PORT {LOGIN_CLIENTS} {count} PASSWORD USER*{LOGIN_ACCOUNTS}"
        ours = None
        for server in servers:
            logins(server, accounts[server], tls, LOGIN_WARM)
            rate, median, p99 = logins(server, accounts[server], tls, count)
            ours = ours or rate
            beside = f"   {ours / rate:.1f} times" if server is not servers[0] else ""
            kind = "TLS" if tls else "plain"
            show(f"{server.name}: logins/s, {LOGIN_CLIENTS} at a time, {kind}", rate, how + beside)
            show("  one of them, median / p99, ms", f"{median / 1000:.1f} / {p99 / 1000:.1f}", how)

# --- idle connections ---

IDLE_ACCOUNTS, OPEN_SECONDS = 50, 1800


class Idlers:
    """An idle_load: connections in IDLE, as many as open() says."""

    def __init__(self, server, accounts, tls, options=()):
        port = server.imaps_port if tls else server.imap_port
        command = [PROGRAMS / "idle_load", *(["-t"] if tls else []), *options, str(port),
                   accounts[0][1], *[name for name, _ in accounts]]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)

    def ask(self, count):
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()

    def wait(self, count):
        line = self.process.stdout.readline()
        assert line.strip() == str(count), "idle_load has ended"

    def open(self, count):
        self.ask(count)
        self.wait(count)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def proportional_bytes(server):
    """Of all its processes: what several share counts once."""
    total = 0
    for pid in (server.process.pid, *server.children()):
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended meanwhile
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return total


def available_bytes():
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("/proc/meminfo says nothing of it")


def idle_slope(server, accounts, tls, most):
    """KiB of one more connection, and from where to where: to `most`, or to a fifth of it when all of
    them would take more than half of the memory there is."""
    most = min(most, server.idle_most or most)
    steps, sizes = (most // 25, most // 5, most), []
    idlers = Idlers(server, accounts, tls)
    try:
        for step in steps:
            if step == most and (sizes[1] - sizes[0]) * (most / (steps[1] - steps[0])) > \
                    available_bytes() / 2:
                break
            idlers.open(step)
            time.sleep(server.idle_settles)
            sizes.append(proportional_bytes(server))
    finally:
        idlers.close()
    first, last = steps[len(sizes) - 2], steps[len(sizes) - 1]
    return (sizes[-1] - sizes[-2]) / (last - first) / 1024, first, last


def measure_idle(servers, most):
    accounts = {server: [server.add_account(f"idler{n}") for n in range(IDLE_ACCOUNTS)]
                for server in servers}
    for server in servers:
        load(server, 1, IDLE_ACCOUNTS, 2000, [name for name, _ in accounts[server]])
    for tls in (False, True):
        ours = None
        for server in servers:
            slope, first, last = idle_slope(server, accounts[server], tls, most)
            ours = ours or slope
            beside = f"   {slope / ours:.1f} times" if server is not servers[0] else ""
            show(f"{server.name}: KiB an idle connection ({'TLS' if tls else 'plain'})", f"{slope:.1f}",
                 f"PSS of all processes, slope from {first} to {last} in IDLE, {IDLE_ACCOUNTS} accounts"
                 + beside)
            time.sleep(5)

# --- how soon many connections hear of a message ---

# A process may have some 20,000 files open, and a TLS connection takes two in chapar-login.
EACH_ACCOUNT, EACH_CLIENT, EACH_LOGIN = 10, 5000, 4000
SINGLY, SINGLY_RATE, HEAR_SECONDS = 200, 10, 60


class Listeners:
    """Connections of many accounts in IDLE over TLS, of as many idle_loads as that takes."""

    def __init__(self, server, accounts, directory):
        self.accounts, self.clients = accounts, []
        share = EACH_CLIENT // EACH_ACCOUNT
        for number, first in enumerate(range(0, len(accounts), share)):
            log = directory / f"heard{number}"
            own = accounts[first:first + share]
            # Ports of one address would run out.
            options = ("-a", f"127.0.0.{number + 2}", "-l", log)
            self.clients.append((Idlers(server, own, True, options), first, len(own), log))

    def open(self):
        for client, _, count, _ in self.clients:
            client.ask(count * EACH_ACCOUNT)
        for client, _, count, _ in self.clients:
            client.wait(count * EACH_ACCOUNT)

    def heard(self):
        """[(number of the account, when)] of each EXISTS so far, microseconds."""
        found = []
        for _, first, _, log in self.clients:
            lines = log.read_text().splitlines() if log.exists() else []
            found += [(first + int(number), int(when)) for number, when in map(str.split, lines)]
        return found

    def close(self):
        for client, *_ in self.clients:
            client.close()


def hear(server, listeners, directory, connections, messages, rate=None):
    """Delivers to `messages` of the accounts; returns what each connection took to hear of its message,
    in microseconds from the delivery's beginning and from its acknowledgement, and the rate."""
    log = directory / "delivered"
    log.unlink(missing_ok=True)
    before = len(listeners.heard())
    recipients = [name for name, _ in listeners.accounts[:messages]]
    options = ["-l", log, *(["-r", str(rate)] if rate else [])]
    reached, *_ = load(server, connections, messages, 2000, recipients, *options)
    deadline = time.monotonic() + HEAR_SECONDS
    while len(listeners.heard()) < before + messages * EACH_ACCOUNT and time.monotonic() < deadline:
        time.sleep(0.2)
    delivered = {}
    for line in log.read_text().splitlines():
        identity, start, end = line.split()
        delivered[int(identity.split(".")[0])] = (int(start), int(end))
    begun = min(start for start, _ in delivered.values())
    heard = [(number, when) for number, when in listeners.heard() if when >= begun]
    assert len(heard) == messages * EACH_ACCOUNT, f"{len(heard)} have heard of {messages} messages"
    return ([when - delivered[number][0] for number, when in heard],
            [when - delivered[number][1] for number, when in heard], reached)


def show_times(name, figures, how):
    begun, acknowledged, rate = figures
    for since, times in (("beginning", begun), ("acknowledgement", acknowledged)):
        times = sorted(each / 1000 for each in times)
        p99 = times[len(times) * 99 // 100]
        show(f"{name}: from its {since}, median / p99 / longest, ms",
             f"{statistics.median(times):.1f} / {p99:.1f} / {times[-1]:.1f}", f"{how}, {rate}/s reached")


def measure_connections(directory, binaries, most):
    """Of a server of its own: the limits of one account, and its password's cost, are others."""
    server = Server(directory, binaries=binaries)
    count = max(1, most // EACH_ACCOUNT)
    logins_needed = max(1, -(-most // EACH_LOGIN))
    server.configure(account_connections=EACH_ACCOUNT * 2, login_processes=logins_needed)
    server.start()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        accounts = list(pool.map(server.add_account, [f"listener{n}" for n in range(count)]))
    listeners = Listeners(server, accounts, directory)
    try:
        start = time.monotonic()
        listeners.open()
        most = count * EACH_ACCOUNT
        show(f"{most} TLS connections in IDLE, opened in, s", f"{time.monotonic() - start:.1f}",
             f"idle_load -t -a ADDRESS PORT PASSWORD USER*{count}, login_processes = {logins_needed}")
        show("  memory of the server, MiB", f"{proportional_bytes(server) / 2**20:.0f}", "PSS of all")
        few = min(SINGLY, count)
        show_times("one delivery at a time", hear(server, listeners, directory, 1, few, SINGLY_RATE),
                   f"lmtp_load -r {SINGLY_RATE} -l FILE PORT 1 {few} 2000 BOX*{few}")
        full = hear(server, listeners, directory, 8, count)
        show_times("each account one, at once", full, f"lmtp_load -l FILE PORT 8 {count} 2000 BOX*{count}")
        half = max(1, full[2] // 2)
        show_times("at half of that rate", hear(server, listeners, directory, 8, count, half),
                   f"lmtp_load -r {half} -l FILE PORT 8 {count} 2000 BOX*{count}")
    finally:
        listeners.close()
        server.stop()
