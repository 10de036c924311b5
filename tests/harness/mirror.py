"""An IMAP client that keeps a picture of a mailbox, and holds the server to what it may say and when.

It is told of messages by number, of changes with a modseq, and of what has gone. Several of these share
a Ledger: what any of them was told holds for all. What does not fit raises AssertionError with the last
lines of the connection.
"""

import re
import threading

NUMBERED = ("FETCH", "STORE", "SEARCH")  # RFC 9051 section 7.5.1: no EXPUNGE in answer to these
TRANSCRIPT, HISTORY = 60, 10


def numbers_of(text):
    """Those of a sequence set without "*"."""
    for part in text.split(","):
        first, _, last = part.partition(":")
        yield from range(int(first), int(last or first) + 1)


class Ledger:
    """What must be so whoever was told, and was told last."""

    def __init__(self):
        self.lock = threading.Lock()
        self.validities = {}   # mailbox: UIDVALIDITY
        self.identities = {}   # (mailbox, UID): EMAILID, for ever (RFC 8474 section 4)
        self.states = {}       # (user, mailbox, UID, modseq): flags
        self.assigned = set()  # (mailbox, UID) that APPENDUID and COPYUID have given
        self.floor = {}        # mailbox: a modseq that somebody has been told of
        self.first = {}        # mailbox: every message that comes now has at least this UID

    def agree(self, table, key, value):
        with self.lock:
            known = table.setdefault(key, value)
        assert known == value, f"{key} was {known}, is {value}"

    def raise_to(self, table, key, value):
        with self.lock:
            table[key] = max(table.get(key, 0), value)

    def assign(self, mailbox, uids, at_least):
        """UIDs are given once, and grow (RFC 9051 section 2.3.1.1)."""
        with self.lock:
            for uid in uids:
                assert uid >= at_least, f"{mailbox}: UID {uid} below {at_least} that was announced"
                assert (mailbox, uid) not in self.assigned, f"{mailbox}: UID {uid} given twice"
                self.assigned.add((mailbox, uid))
                self.first[mailbox] = max(self.first.get(mailbox, 1), uid + 1)


class Seen:
    """One message as it was told of; None: not told. history: the last that was said of it."""

    __slots__ = ("uid", "flags", "modseq", "history")

    def __init__(self):
        self.uid = self.flags = None
        self.modseq = 0
        self.history = []


class Mirror:
    """kind: "plain", "condstore" or "qresync". names: {mailbox: what this user calls it}."""

    def __init__(self, server, account, ledger, names, kind):
        self.server, self.account, self.ledger, self.names, self.kind = server, account, ledger, names, kind
        self.user = account[0]
        self.also = "" if kind == "plain" else " MODSEQ"  # to fetch with what is kept
        self.client = None
        self.lost = lambda: False  # whether to lose the connection now, asked at each line
        self.forget()

    def forget(self):
        self.mailbox, self.messages = None, []
        self.modseq = self.told = self.code = self.first = 0
        self.silent = None

    def connect(self):
        if self.client:
            self.client.close()
        self.forget()
        self.client = self.server.imap(self.account)
        self.transcript, self.running = [], []
        if self.kind != "plain":
            self.say(f"ENABLE {self.kind.upper()}")

    # --- saying ---

    def send(self, text, literal=None):
        """Begins a command. Its answers are heard by finish(); several may be under way."""
        self.client.tags += 1
        tag = f"m{self.client.tags}"
        head = f"{tag} {text}" + (f" {{{len(literal)}+}}" if literal is not None else "")
        self.client.send(head.encode() + b"\r\n" + (literal + b"\r\n" if literal is not None else b""))
        self.note("C: " + head)
        words = text.split()
        self.running.append((tag, words[0] if words[0] != "UID" else "UID " + words[1], text))
        silent = re.search(r"([+-])FLAGS.SILENT \((\S+)\)", text)
        self.silent = silent and silent.groups()  # what the client knows without being told
        self.copyuids = []
        return tag

    def finish(self, tag):
        """Hears until that command is done; returns its status and what follows it."""
        while True:
            line = self.hear()
            if line.startswith(tag + " "):
                return line[len(tag) + 1:]

    def say(self, text, literal=None):
        return self.finish(self.send(text, literal))

    def ok(self, text, literal=None):
        """Or NO of a message that has gone, which cannot be told yet (RFC 5530, RFC 7162 section 3.1.3)."""
        status = self.say(text, literal)
        assert status.startswith(("OK", "NO [EXPUNGEISSUED]", "NO [MODIFIED ")), self.problem(f"{text}: {status}")
        return status

    # --- hearing ---

    def note(self, line):
        self.transcript = [*self.transcript[-TRANSCRIPT:], line]

    def problem(self, text):
        return "\n".join([f"{self.kind} client of {self.user} in {self.mailbox}: {text}", *self.transcript])

    def hear(self):
        line = self.client.line()
        self.note("S: " + line)
        try:
            self.understand(line)
        except AssertionError as problem:
            raise AssertionError(self.problem(problem)) from problem
        if self.lost():
            raise ConnectionAbortedError("on purpose")
        return line

    def understand(self, line):
        if found := re.match(r"\* (\d+) (EXISTS|EXPUNGE|FETCH)", line):
            number = int(found[1])
            {"EXISTS": self.hear_exists, "EXPUNGE": self.hear_expunge,
             "FETCH": self.hear_fetch}[found[2]](number, line[found.end():])
        elif found := re.match(r"\* VANISHED( \(EARLIER\))? (\S+)", line):
            assert self.kind == "qresync", "VANISHED without QRESYNC"
            self.hear_vanished(found[2], bool(found[1]))
        elif "[CLOSED]" in line:
            self.messages = []
        elif found := re.search(r"\[UIDVALIDITY (\d+)\]", line):
            self.ledger.agree(self.ledger.validities, self.mailbox, int(found[1]))
        elif found := re.search(r"\[UIDNEXT (\d+)\]", line):
            assert int(found[1]) >= self.first, f"UIDNEXT below {self.first}"
            self.ledger.raise_to(self.ledger.first, self.mailbox, int(found[1]))
        self.copyuids += re.findall(r"\[COPYUID (\d+) (\S+) (\S+)\]", line)
        if found := re.search(r"\[HIGHESTMODSEQ (\d+)\]", line):
            self.code = int(found[1])
        if not line.startswith(("*", "+")):
            self.running.pop(0)
            self.hear_end()

    def may_remove(self):
        """Whether EXPUNGE may come now (RFC 9051 section 7.5.1, RFC 7162 section 3.2.10.2)."""
        return self.running and self.running[0][1] not in NUMBERED

    def hear_exists(self, number, _):
        assert number >= len(self.messages), f"{len(self.messages)} messages without EXPUNGE are {number}"
        self.messages += [Seen() for _ in range(number - len(self.messages))]

    def hear_expunge(self, number, _):
        assert self.kind != "qresync", "EXPUNGE with QRESYNC"
        assert self.may_remove(), f"EXPUNGE while {self.running[:1]} is under way"
        assert 1 <= number <= len(self.messages), f"EXPUNGE {number} of {len(self.messages)}"
        del self.messages[number - 1]

    def hear_vanished(self, uids, earlier):
        if earlier:  # what went before this session: numbers are counted without it
            return self.forgotten(set(numbers_of(uids)))
        assert self.may_remove(), f"VANISHED while {self.running[:1]} is under way"
        for uid in numbers_of(uids):
            place = self.place(uid)
            if self.messages[place].uid is None:  # which of them it was is not known
                for message in self.messages:
                    if message.uid is None:
                        message.flags, message.modseq = None, 0
            del self.messages[place]

    def forgotten(self, uids):
        """For who has kept something of an earlier session."""

    def place(self, uid):
        """Of a message; if nobody has told its UID, the first one that may be it."""
        unknown = None
        for place, message in enumerate(self.messages):
            if message.uid == uid:
                return place
            if message.uid is None:
                unknown = place if unknown is None else unknown
            elif message.uid < uid:
                unknown = None
            else:
                break
        assert unknown is not None, f"VANISHED {uid}, which is not among the messages"
        return unknown

    def hear_fetch(self, number, text):
        assert 1 <= number <= len(self.messages), f"FETCH of {number} of {len(self.messages)}"
        message = self.messages[number - 1]
        message.history = [*message.history[-HISTORY:], f"{self.running[:1]} {number} {text}"]
        uid, modseq = (re.search(rf"[ (]{name} \(?(\d+)", text) for name in ("UID", "MODSEQ"))
        flags, identity = (re.search(rf"[ (]{name} \(([^)]*)\)", text) for name in ("FLAGS", "EMAILID"))
        if uid:
            self.hear_uid(number, message, int(uid[1]))
        if identity and message.uid:
            self.ledger.agree(self.ledger.identities, (self.mailbox, message.uid), identity[1])
        flags = flags and frozenset(flags[1].split()) - {r"\Recent"}
        if modseq:
            self.hear_modseq(message, int(modseq[1]), flags)
        else:  # RFC 7162 section 3.1: but for what was asked for
            assert self.kind == "plain" or flags is None or self.running[0][1].endswith("FETCH"), \
                "FLAGS without MODSEQ"
        if flags is not None:
            message.flags = flags
        elif self.silent and modseq and message.flags is not None and self.running[0][1].endswith("STORE"):
            sign, flag = self.silent
            message.flags = message.flags | {flag} if sign == "+" else message.flags - {flag}

    def hear_uid(self, number, message, uid):
        assert message.uid in (None, uid), f"message {number} had UID {message.uid}, has {uid}"
        message.uid = uid
        around = self.messages[number - 2].uid if number > 1 else None, \
            self.messages[number].uid if number < len(self.messages) else None
        assert (around[0] or 0) < uid < (around[1] or uid + 1), f"UID {uid} between {around}"

    def hear_modseq(self, message, modseq, flags):
        assert modseq >= message.modseq, f"UID {message.uid} had MODSEQ {message.modseq}, has {modseq}"
        message.modseq = modseq
        self.told = max(self.told, modseq)
        self.ledger.raise_to(self.ledger.floor, self.mailbox, modseq)
        if flags is not None and message.uid:
            self.ledger.agree(self.ledger.states, (self.user, self.mailbox, message.uid, modseq), flags)

    def hear_end(self):
        """RFC 7162 section 6: what a client takes for HIGHESTMODSEQ when a command is done."""
        self.modseq = self.code or max(self.modseq, self.told)
        self.told = self.code = 0

    # --- whole commands ---

    def select(self, mailbox, parameters="", verb="SELECT"):
        """What anybody was told before is in the mailbox."""
        floor = self.ledger.floor.get(mailbox, 0)
        self.mailbox, self.modseq, self.first = mailbox, 0, self.ledger.first.get(mailbox, 1)
        status = self.say(f'{verb} "{self.names[mailbox]}"{parameters}')
        assert status.startswith("OK"), self.problem(status)
        if self.kind != "plain":
            assert self.modseq >= floor, self.problem(f"HIGHESTMODSEQ below {floor}")

    def learn_uids(self):
        """Of messages that were announced only."""
        known = max((message.uid for message in self.messages if message.uid), default=0)
        if any(message.uid is None for message in self.messages):
            self.ok(f"UID FETCH {known + 1}:* (UID FLAGS EMAILID{self.also})")

    def append(self, mailbox, message):
        first = self.ledger.first.get(mailbox, 1)
        status = self.ok(f'APPEND "{self.names[mailbox]}"', message)
        found = re.match(r"OK \[APPENDUID (\d+) (\d+)\]", status)
        assert found, self.problem(status)
        self.ledger.agree(self.ledger.validities, mailbox, int(found[1]))
        self.ledger.assign(mailbox, [int(found[2])], first)

    def transfer(self, text, mailbox):
        """COPY or MOVE to the mailbox."""
        first = self.ledger.first.get(mailbox, 1)
        self.ok(f'{text} "{self.names[mailbox]}"')
        for validity, source, target in self.copyuids:
            self.ledger.agree(self.ledger.validities, mailbox, int(validity))
            targets = list(numbers_of(target))
            assert len(targets) == len(list(numbers_of(source))), self.problem("COPYUID of two sizes")
            assert targets == sorted(targets), self.problem("COPYUID does not ascend")
            self.ledger.assign(mailbox, targets, first)

    def picture(self):
        """{UID: flags}, in the order of the numbers."""
        return {message.uid: message.flags for message in self.messages}
