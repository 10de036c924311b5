"""A client's cache, kept by QRESYNC (RFC 7162), is what a full listing shows.

Others change the mailbox at random; the client works, loses its connection in the middle of anything,
and comes back with what it knew. It keeps HIGHESTMODSEQ as section 6 says that a client does.
"""

import random
import re

import pytest

from harness.server import message

ROUNDS, STEPS = 12, 25
LOST = 0.02  # of a connection, at each line
FLAGS = (r"\Seen", r"\Flagged", r"\Deleted", r"\Draft", "$Work", "$Home")


def uids_of(text):
    for part in text.split(","):
        first, _, last = part.partition(":")
        yield from range(int(first), int(last or first) + 1)


class Lost(Exception):
    """The connection, on purpose."""


class Cached:
    """A mailbox as a client keeps it."""

    def __init__(self, server, account, chance):
        self.server, self.account, self.chance = server, account, chance
        self.messages = {}  # UID: flags
        self.validity = self.modseq = self.code = self.told = self.exists = 0
        self.keeps_numbers, self.silent = False, None
        self.client = None

    # --- what is told ---

    def hear(self, line):
        if found := re.match(r"\* (\d+) EXISTS", line):
            self.exists = int(found[1])
        elif found := re.match(r"\* VANISHED( \(EARLIER\))? (\S+)", line):
            self.hear_vanished(list(uids_of(found[2])), earlier=bool(found[1]))
        elif found := re.match(r"\* \d+ FETCH \((.*)\)$", line):
            self.hear_fetch(found[1])
        elif found := re.search(r"\[UIDVALIDITY (\d+)\]", line):
            self.validity = int(found[1])
        assert not line.endswith("EXPUNGE"), "EXPUNGE with QRESYNC"
        if found := re.search(r"\[HIGHESTMODSEQ (\d+)\]", line):
            self.code = int(found[1])

    def hear_vanished(self, uids, earlier):
        for uid in uids:
            self.messages.pop(uid, None)
        if not earlier:
            assert not self.keeps_numbers, "VANISHED where it is not permitted"
            self.exists -= len(uids)

    def hear_fetch(self, text):
        uid, flags = re.search(r"UID (\d+)", text), re.search(r"FLAGS \(([^)]*)\)", text)
        modseq = re.search(r"MODSEQ \((\d+)\)", text)
        assert uid and modseq, f"without UID and MODSEQ: {text}"
        self.told = max(self.told, int(modseq[1]))
        if flags:
            self.messages[int(uid[1])] = frozenset(flags[1].split())
        elif self.silent and int(uid[1]) in self.messages:
            sign, flag = self.silent
            known = self.messages[int(uid[1])]
            self.messages[int(uid[1])] = known | {flag} if sign == "+" else known - {flag}

    # --- what is said ---

    def say(self, text, keeps_numbers=False):
        self.told = self.code = 0
        self.keeps_numbers = keeps_numbers
        silent = re.search(r"([+-])FLAGS.SILENT \((\S+)\)", text)
        self.silent = silent and silent.groups()  # what the client knows without being told
        self.client.tags += 1
        tag = f"q{self.client.tags}"
        self.client.send(f"{tag} {text}\r\n")
        while not (line := self.client.line()).startswith(tag + " "):
            self.hear(line)
            if self.chance.random() < LOST:
                raise Lost
        if found := re.search(r"\[HIGHESTMODSEQ (\d+)\]", line):
            self.code = int(found[1])
        self.modseq = self.code or max(self.modseq, self.told)
        return line[len(tag) + 1:]

    def connect(self):
        self.client = self.server.imap(self.account)
        self.client.ok("ENABLE QRESYNC")
        parameters = ""
        if self.validity:
            known = f" 1:{max(self.messages)}" if self.messages and self.chance.random() < 0.3 else ""
            known += self.sample() if self.chance.random() < 0.3 else ""
            parameters = f" (QRESYNC ({self.validity} {self.modseq or 1}{known}))"
        assert self.say("SELECT INBOX" + parameters).startswith("OK")
        self.fetch_new()

    def sample(self):
        """Some numbers and their UIDs, as the cache counts them."""
        uids = sorted(self.messages)
        places = sorted(self.chance.sample(range(len(uids)), min(4, len(uids))))
        if not places:
            return ""
        return " ({} {})".format(",".join(str(place + 1) for place in places),
                                 ",".join(str(uids[place]) for place in places))

    def fetch_new(self):
        if len(self.messages) < self.exists or not self.messages:
            self.say(f"UID FETCH {max(self.messages, default=0) + 1}:* (FLAGS MODSEQ)")

    def reconnect(self):
        while True:
            if self.client:
                self.client.close()
            try:
                return self.connect()
            except Lost:
                pass

    def work(self):
        """Something that a client does, in a form with numbers or with UIDs."""
        uid = self.chance.random() < 0.5
        prefix = "UID " if uid else ""
        chosen = self.chance.choice(sorted(self.messages) or [1]) if uid else 1
        flag, sign = self.chance.choice(FLAGS), self.chance.choice("+-")
        silent = self.chance.choice(("", ".SILENT"))
        since = self.chance.choice(("", f"(UNCHANGEDSINCE {self.modseq}) "))
        self.say(*self.chance.choice((
            (f"{prefix}STORE {chosen}:{chosen + 3} {since}{sign}FLAGS{silent} ({flag})", not uid),
            (f"{prefix}FETCH {chosen} (UID MODSEQ BODY[TEXT]<0.1>)", not uid),
            (f"{prefix}SEARCH 1 {flag.strip('$').strip(chr(92))}"
             if flag[0] != "$" and flag != r"\Draft" else f"{prefix}SEARCH 1 KEYWORD $Work", True),
            ("NOOP", False), ("EXPUNGE", False), (f"UID EXPUNGE 1:{chosen}", False),
            (f"UID MOVE {chosen} Trash", False))))
        self.fetch_new()


def change(other, chance):
    """What another client does."""
    uids = other.uids()
    what = chance.random()
    if what < 0.4 or not uids:
        other.append("INBOX", message(f"{chance.random()}"))
        return
    chosen = ",".join(str(uid) for uid in chance.sample(uids, min(len(uids), chance.randint(1, 3))))
    if what < 0.7:
        other.ok(f"UID STORE {chosen} {chance.choice('+-')}FLAGS ({chance.choice(FLAGS)})")
    elif what < 0.8:
        other.ok("EXPUNGE")
    else:
        other.ok(f"UID MOVE {chosen} Trash")


def truth(client):
    found = {}
    for line in client.ok("UID FETCH 1:* (FLAGS)"):
        if match := re.match(r"\* \d+ FETCH \(UID (\d+) FLAGS \(([^)]*)\)\)", line):
            found[int(match[1])] = frozenset(match[2].split())
    return found


@pytest.mark.parametrize("seed", range(4))
def test_cache_is_the_truth(shared_server, seed):
    chance = random.Random(seed)
    account = shared_server.fresh_account()
    cached = Cached(shared_server, account, chance)
    lost = 0
    with shared_server.imap(account) as other:
        other.ok("SELECT INBOX")
        for _ in range(ROUNDS):
            cached.reconnect()
            for _ in range(STEPS):
                change(other, chance)
                try:
                    if chance.random() < 0.5:
                        cached.work()
                except Lost:
                    lost += 1
                    cached.reconnect()
            cached.client.close()
            for _ in range(chance.randint(0, 3)):
                change(other, chance)
            cached.reconnect()
            other.ok("NOOP")
            assert cached.messages == truth(other)
            assert cached.exists == len(cached.messages)
            cached.client.close()
    assert lost, "no connection was lost"
