"""kill -9 of every process at a random moment: what was acknowledged is there.

CHAPAR_CRASH_ROUNDS says how many rounds (by default few, for `make test`), CHAPAR_CRASH_SEED
repeats a run that failed.
"""

import os
import random
import re
import threading
import time

import pytest

from harness.imap import Imap
from harness.server import Server, message

ROUNDS = int(os.environ.get("CHAPAR_CRASH_ROUNDS", "5"))
SEED = int(os.environ.get("CHAPAR_CRASH_SEED", str(random.randrange(1 << 32))))
DELIVERIES = 1000
CONNECTIONS = 4


def name(account):
    return account[0].split("@")[0]


# --- reading back ---

def read_mailbox(client, mailbox):
    """[(uid, Message-ID, flags)] of a mailbox, after it was found to be consistent."""
    (status,) = client.ok(f"STATUS {mailbox} (MESSAGES UIDNEXT UNSEEN DELETED)")
    counters = dict(zip(*[iter(re.search(r"\((.*)\)", status)[1].split())] * 2))
    client.ok(f"SELECT {mailbox}")
    lines = client.ok("FETCH 1:* (UID FLAGS BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])") \
        if counters["MESSAGES"] != "0" else []
    entries = []
    for line in lines:
        uid = int(re.search(r"UID (\d+)", line)[1])
        flags = frozenset(re.search(r"FLAGS \(([^)]*)\)", line)[1].split())
        entries.append((uid, re.search(r"<([^>]+)>", line)[1], flags))
    uids = [uid for uid, _, _ in entries]
    assert uids == sorted(set(uids)), "UIDs do not ascend"
    assert client.uids() == uids
    assert len(uids) == int(counters["MESSAGES"])
    assert not uids or uids[-1] < int(counters["UIDNEXT"])
    assert sum("\\Seen" not in flags for _, _, flags in entries) == int(counters["UNSEEN"])
    assert sum("\\Deleted" in flags for _, _, flags in entries) == int(counters["DELETED"])
    return entries


def check_bodies(client):
    """Every message of the selected mailbox can be read as a whole."""
    for line in client.ok("FETCH 1:* (RFC822.SIZE BODY.PEEK[TEXT])"):
        assert "the end\r\n" in line, line[-200:]


# --- deliveries ---

class Deliveries:
    """Clients that deliver, and what they know of it."""

    def __init__(self, server, accounts, tag):
        self.server, self.accounts, self.tag = server, accounts, tag
        self.lock = threading.Lock()
        self.acknowledged = {account: [] for account in accounts}
        self.offered = {account: set() for account in accounts}
        self.count = 0
        self.next = 0
        self.problem = None

    def take(self):
        with self.lock:
            self.next += 1
            return self.next if self.next <= DELIVERIES else None

    def deliver(self, lmtp, number):
        identity = f"{self.tag}.{number}@example.org"
        # Mostly small, some beyond what is kept in the database itself.
        body = "text\r\n" * (60000 if number % 250 == 7 else number % 50) + "the end\r\n"
        recipients = self.accounts[:2] if number % 10 == 0 else \
            [self.accounts[number % len(self.accounts)]]
        with self.lock:
            for account in recipients:
                self.offered[account].add(identity)
        refused = lmtp.deliver("s@example.org", [account[0] for account in recipients],
                               message(Message_ID=f"<{identity}>", body=body))
        assert not refused
        with self.lock:
            for account in recipients:
                self.acknowledged[account].append(identity)
            self.count += 1

    def client(self):
        try:
            with self.server.lmtp() as lmtp:
                while number := self.take():
                    self.deliver(lmtp, number)
        except ConnectionError:  # the server is gone
            pass
        except Exception as problem:  # noqa: BLE001: told by run()
            self.problem = problem

    def run(self, kill_at):
        """Delivers, and kills everything once kill_at messages were answered with 250."""
        threads = [threading.Thread(target=self.client) for _ in range(CONNECTIONS)]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 60
        while self.count < kill_at and time.monotonic() < deadline:
            time.sleep(0.0005)
        self.server.kill_all()
        for thread in threads:
            thread.join()
        assert not self.problem, self.problem
        assert self.count >= kill_at


@pytest.fixture
def durable(tmp_path):
    server = Server(tmp_path / "server")
    server.configure(session_processes=2)
    yield server
    server.stop()
    server.check_log()


def test_deliveries_survive_kill(durable):
    """Every message answered with 250 is there exactly once; others may be there, once."""
    chance = random.Random(SEED)
    print(f"CHAPAR_CRASH_SEED={SEED} CHAPAR_CRASH_ROUNDS={ROUNDS}")
    accounts = [durable.add_account(f"account{number}") for number in range(4)]
    expected = {account: [] for account in accounts}
    possible = {account: set() for account in accounts}
    for number in range(ROUNDS):
        durable.start()
        deliveries = Deliveries(durable, accounts, f"round{number}")
        deliveries.run(chance.randrange(1, DELIVERIES * 3 // 4))
        durable.start()
        for account in accounts:
            expected[account] += deliveries.acknowledged[account]
            possible[account] |= deliveries.offered[account]
            with durable.imap(account) as client:
                found = [identity for _, identity, _ in read_mailbox(client, "INBOX")]
                check_bodies(client)
            assert len(found) == len(set(found)), "a message is there twice"
            missing = set(expected[account]) - set(found)
            assert not missing, f"{len(missing)} acknowledged messages are lost: {missing}"
            assert set(found) <= possible[account], "a message nobody sent"
        print(f"round {number}: killed after {deliveries.count} acknowledged transactions")
        # The mailbox takes mail as before.
        durable.deliver(message(Message_ID=f"<after{number}@example.org>", body="the end\r\n"),
                        accounts[0][0])
        expected[accounts[0]].append(f"after{number}@example.org")
        possible[accounts[0]].add(f"after{number}@example.org")
        durable.stop()


# --- IMAP clients ---

class Changes:
    """A client that changes its account, and the state that the answers imply.

    state: {mailbox: {uid: (Message-ID, flags)}}. The command that was not answered when the server
    went may have been done or not: `open` is what it would have changed.
    """

    def __init__(self, server, account, chance):
        self.server, self.account, self.chance = server, account, chance
        self.state = {"INBOX": {}, "Archive": {}}
        self.open = None
        self.count = 0

    def append(self, client):
        self.count += 1
        identity = f"{name(self.account)}.{self.count}.{self.chance.randrange(1 << 30)}@example.org"
        self.open = ("append", identity)
        status, _ = client.append("INBOX", message(Message_ID=f"<{identity}>", body="the end\r\n"))
        uid = int(re.match(r"OK \[APPENDUID \d+ (\d+)\]", status)[1])
        self.state["INBOX"][uid] = (identity, frozenset())

    def store(self, client, uid):
        identity, flags = self.state["INBOX"][uid]
        flag = self.chance.choice(["\\Seen", "\\Flagged", "$Label"])
        after = flags ^ {flag}
        self.open = ("change", "INBOX", uid, (identity, after))
        client.ok(f"UID STORE {uid} {'+' if flag in after else '-'}FLAGS ({flag})")
        self.state["INBOX"][uid] = (identity, after)

    def expunge(self, client, uid):
        identity, flags = self.state["INBOX"][uid]
        self.open = ("change", "INBOX", uid, (identity, flags | {"\\Deleted"}))
        client.ok(f"UID STORE {uid} +FLAGS.SILENT (\\Deleted)")
        self.state["INBOX"][uid] = (identity, flags | {"\\Deleted"})
        self.open = ("change", "INBOX", uid, None)
        client.ok(f"UID EXPUNGE {uid}")
        del self.state["INBOX"][uid]

    def move(self, client, uid):
        self.open = ("move", uid)
        untagged = client.ok(f"UID MOVE {uid} Archive")
        new = next(re.search(r"COPYUID \d+ \d+ (\d+)", line)[1] for line in untagged
                   if "COPYUID" in line)
        self.state["Archive"][int(new)] = self.state["INBOX"].pop(uid)

    def step(self, client):
        uids = list(self.state["INBOX"])
        action = self.chance.choice([self.append, self.store, self.store, self.expunge, self.move])
        if action == self.append or not uids:
            self.append(client)
        else:
            action(client, self.chance.choice(uids))
        self.open = None

    def run(self):
        try:
            with self.server.imap(self.account) as client:
                client.ok("SELECT INBOX")
                while True:
                    self.step(client)
        except ConnectionError:  # the server is gone
            pass

    def contents(self, done):
        """What each mailbox holds, without the open command's effect or (done) with it."""
        boxes = {mailbox: dict(entries) for mailbox, entries in self.state.items()}
        if done and self.open[0] == "append":
            boxes["INBOX"][None] = (self.open[1], frozenset())
        elif done and self.open[0] == "move":
            boxes["Archive"][None] = boxes["INBOX"].pop(self.open[1])
        elif done and self.open[3] is None:
            del boxes["INBOX"][self.open[2]]
        elif done:
            boxes["INBOX"][self.open[2]] = self.open[3]
        return {mailbox: sorted((identity, sorted(flags)) for identity, flags in entries.values())
                for mailbox, entries in boxes.items()}

    def check(self):
        with self.server.imap(self.account) as client:
            found = {mailbox: read_mailbox(client, mailbox) for mailbox in self.state}
        seen = {mailbox: sorted((identity, sorted(flags)) for _, identity, flags in entries)
                for mailbox, entries in found.items()}
        permitted = [self.contents(False)] + ([self.contents(True)] if self.open else [])
        assert seen in permitted, f"open: {self.open}"
        for mailbox, entries in self.state.items():
            uids = {identity: uid for uid, identity, _ in found[mailbox]}
            for uid, (identity, _) in entries.items():
                assert uids.get(identity, uid) == uid, "a message got another UID"
        self.state = {mailbox: {uid: (identity, flags) for uid, identity, flags in entries}
                      for mailbox, entries in found.items()}
        self.open = None


def test_changes_survive_kill(durable):
    """APPEND, STORE, EXPUNGE and MOVE: all that was answered, and at most one more, whole."""
    print(f"CHAPAR_CRASH_SEED={SEED} CHAPAR_CRASH_ROUNDS={ROUNDS}")
    clients = [Changes(durable, durable.add_account(f"client{number}"),
                       random.Random(f"{SEED}.{number}")) for number in range(4)]
    chance = random.Random(SEED)
    for _ in range(ROUNDS):
        durable.start()
        threads = [threading.Thread(target=client.run) for client in clients]
        for thread in threads:
            thread.start()
        before = sum(client.count for client in clients)
        goal = before + chance.randrange(10, 150)
        deadline = time.monotonic() + 60
        while sum(client.count for client in clients) < goal and time.monotonic() < deadline:
            time.sleep(0.0005)
        durable.kill_all()
        for thread in threads:
            thread.join()
        assert sum(client.count for client in clients) >= goal
        durable.start()
        for client in clients:
            client.check()
        durable.stop()


def test_mailboxes_survive_kill(durable):
    """CREATE, RENAME, DELETE and a password: there once they were answered."""
    durable.start()
    account = durable.add_account("boxes")
    with durable.imap(account) as client:
        for number in range(20):
            client.ok(f"CREATE One/{number}")
        client.ok("RENAME One Two")
        client.ok("DELETE Two/7")
        client.ok("CREATE Sent2 (USE (\\Flagged))")
        durable.run("account", "password", account[0], text="after the change\n")
        durable.kill_all()
    durable.start()
    with durable.imap((account[0], "after the change")) as client:
        lines = client.ok('LIST "" Two/%')
        assert len(lines) == 19 and not any(line.endswith("Two/7") for line in lines)
        assert client.ok('LIST "" One*') == []
        assert "\\Flagged" in client.ok('LIST "" Sent2')[0]
    with Imap("127.0.0.1", durable.imap_port) as client:
        assert client.line().startswith("* OK")
