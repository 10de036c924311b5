"""Many clients do anything at random to the same mailboxes at the same time, and believe nothing.

Each checks what it is told (harness/mirror.py), against what all others were told, too. Every few seconds
all of them stop, and what each believes is what a new client sees; so is what a client makes of QRESYNC's
answer (RFC 7162) that has kept an earlier state. Two mailboxes are for moving only: there nothing is lost
and nothing is doubled.

CHAPAR_STRESS_SECONDS says how long (`make stress`; short by default). CHAPAR_STRESS_SEED repeats what each
client does, as far as its answers are the same: their order is the machine's.
"""

import os
import random
import re
import time

from harness.mirror import Ledger, Mirror
from harness.server import Server, message
from harness.threads import Threads

SECONDS = float(os.environ.get("CHAPAR_STRESS_SECONDS", "16"))
SEED = int(os.environ.get("CHAPAR_STRESS_SEED", "0")) or random.randrange(1, 2 ** 31)
ROUND, CALM = 4.0, 1.0  # seconds; in the last of them no connection is lost
LOST = 0.002            # of a connection, at each line
KINDS = ("plain", "plain", "condstore", "qresync", "qresync", "qresync")
GUESTS = ("plain", "qresync")  # of another account, which has the same mailboxes as another's
FREE, KEPT = ("INBOX", "Junk"), ("Left", "Right")
FREE_MAXIMUM, KEPT_MAXIMUM, STATES_MAXIMUM = 120, 60, 6
FLAGS = (r"\Seen", r"\Flagged", r"\Answered", "$Work", "$Home")


class Actor(Mirror):
    """A client that has something to do."""

    def __init__(self, *arguments, number):
        super().__init__(*arguments)
        self.chance = random.Random(f"{SEED} {number}")
        self.kept = 0         # messages it has put into the mailboxes where nothing is lost
        self.states = []      # earlier states of mailboxes: (mailbox, modseq, picture)
        self.losses = self.deeds = self.calm = 0
        self.ended = None

    # --- parameters ---

    def some_numbers(self):
        first = self.chance.randint(1, len(self.messages))
        return f"{first}:{min(len(self.messages), first + self.chance.randint(0, 4))}"

    def some(self):
        """("", numbers) or ("UID ", UIDs) of some messages."""
        uids = [one.uid for one in self.messages if one.uid]
        if not uids or self.chance.random() < 0.5:
            return "", self.some_numbers()
        return "UID ", ",".join(str(uid) for uid in sorted(self.chance.sample(uids, min(3, len(uids)))))

    # --- deeds ---

    def do_append(self):
        mailbox = self.chance.choice(FREE)
        if self.kept < KEPT_MAXIMUM and self.chance.random() < 0.3:
            mailbox = self.chance.choice(KEPT)
            self.kept += 1
        lost, self.lost = self.lost, lambda: False  # it would not be known whether it is there
        self.append(mailbox, message(f"{self.chance.random()}"))
        self.lost = lost

    def do_store(self):
        uid, messages = self.some()
        flag = self.chance.choice(FLAGS + ((r"\Deleted",) * 3 if self.mailbox in FREE else ()))
        silent = self.chance.choice(("", ".SILENT"))
        since = ""
        if self.kind != "plain" and self.chance.random() < 0.3:
            since = f"(UNCHANGEDSINCE {self.modseq}) "
        if silent and self.kind == "plain":  # whoever is told nothing knows nothing
            for one in self.messages:
                one.flags = None
        self.ok(f"{uid}STORE {messages} {since}{self.chance.choice('+-')}FLAGS{silent} ({flag})")

    def do_fetch(self):
        uid, messages = self.some()
        items = self.chance.choice(("FLAGS", "(UID FLAGS)", "(UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])",
                                    "(UID EMAILID FLAGS)", "(BODY[TEXT]<0.1>)"))
        self.ok(f"{uid}FETCH {messages} {items}")

    def do_search(self):
        self.ok(self.chance.choice(("SEARCH DELETED", "UID SEARCH UNSEEN", "SEARCH 1:* FLAGGED",
                                    "UID SEARCH RETURN (MIN MAX COUNT) ALL")))

    def do_copy(self):
        if self.mailbox in FREE:
            uid, messages = self.some()
            self.transfer(f"{uid}COPY {messages}", self.chance.choice(FREE))

    def do_move(self):
        uid, messages = self.some()
        first, second = FREE if self.mailbox in FREE else KEPT
        self.transfer(f"{uid}MOVE {messages}", second if self.mailbox == first else first)

    def do_expunge(self):
        uids = [one.uid for one in self.messages if one.uid]
        if uids and self.chance.random() < 0.3:
            self.ok(f"UID EXPUNGE {min(uids)}:{self.chance.choice(uids)}")
        else:
            self.ok("EXPUNGE")

    def do_idle(self):
        tag = self.send("IDLE")
        assert self.hear().startswith("+"), self.problem("no continuation")
        self.client.socket.settimeout(self.chance.random() * 0.3 + 0.01)
        try:
            while True:
                self.hear()
        except TimeoutError:
            pass
        finally:
            self.client.socket.settimeout(20)
        self.client.send("DONE\r\n")
        assert self.finish(tag).startswith("OK")

    def do_noop(self):
        self.ok("NOOP")

    def do_pipeline(self):
        """The answers come in order, each within what its command permits."""
        uid = next((one.uid for one in self.messages if one.uid), 1)
        tags = [self.send(text) for text in self.chance.sample(
            ("FETCH 1 FLAGS", f"UID STORE {uid} +FLAGS ($Work)", "SEARCH SEEN", "NOOP",
             f"UID FETCH {uid} (UID FLAGS)"), 3)]
        for tag in tags:
            self.finish(tag)

    def do_select(self):
        """A mailbox, sometimes after leaving the last one in another way."""
        leave = self.chance.choice(("", "UNSELECT", "CLOSE"))
        if leave and self.mailbox:
            self.ok(leave)
            self.messages = []
        self.select(self.chance.choice(FREE + KEPT))
        self.learn()

    def learn(self):
        if self.messages and self.messages[0].uid is None and self.kind != "plain":
            self.ok("UID FETCH 1:* (UID FLAGS EMAILID MODSEQ)")
        elif self.kind == "qresync":
            self.learn_uids()

    # --- its day ---

    def again(self):
        self.connect()
        self.do_select()

    def step(self):
        if len(self.messages) > FREE_MAXIMUM and self.mailbox in FREE:
            self.ok(f"STORE 1:{FREE_MAXIMUM // 2} +FLAGS (\\Deleted)")
            self.ok("EXPUNGE")
        deeds = [self.do_append, self.do_append, self.do_noop, self.do_idle, self.do_expunge,
                 self.do_search]
        if self.messages:
            deeds += [self.do_store] * 4 + [self.do_fetch] * 2 + [self.do_copy, self.do_move, self.do_move,
                                                                self.do_pipeline]
        self.chance.choice(deeds)() if self.chance.random() > 0.03 else self.do_select()
        self.deeds += 1
        if self.kind == "qresync":
            self.learn_uids()
            picture = self.picture()
            if self.chance.random() < 0.05 and None not in picture and None not in picture.values():
                self.states = [*self.states[1 - STATES_MAXIMUM:], (self.mailbox, self.modseq, picture,
                               {one.uid: one.history for one in self.messages})]

    def work(self):
        """Until it has ended; before that comes a calm, in which no connection is lost."""
        self.lost = lambda: time.monotonic() < self.calm and self.chance.random() < LOST
        while not self.ended.is_set():
            try:
                if not self.client:
                    self.again()
                self.step()
            except ConnectionAbortedError:
                self.losses += 1
                self.client.close()
                self.client = None
        self.lost = lambda: False
        if not self.client:
            self.again()


class Returning(Mirror):
    """A client that comes back with what it has kept: flags by UID, and a modseq."""

    def come_back(self, mailbox, modseq, kept, chance):
        self.kept = dict(kept)
        known = f" 1:{max(kept)}" if kept and chance.random() < 0.3 else ""
        if kept and chance.random() < 0.3:
            uids = sorted(kept)
            places = sorted(chance.sample(range(len(uids)), min(4, len(uids))))
            known += " ({} {})".format(",".join(str(place + 1) for place in places),
                                       ",".join(str(uids[place]) for place in places))
        validity = self.ledger.validities[mailbox]
        self.connect()
        self.select(mailbox, f" (QRESYNC ({validity} {modseq}{known}))", "EXAMINE")
        if max(kept, default=0) + 1 <= self.ledger.first.get(mailbox, 1):
            self.ok(f"UID FETCH {max(kept, default=0) + 1}:* (UID FLAGS)")
        for one in self.messages:
            if one.uid and one.flags is not None:
                self.kept[one.uid] = one.flags
        return self.kept

    def forgotten(self, uids):
        for uid in uids:
            self.kept.pop(uid, None)


# --- when all is still ---

def truth(viewer, mailbox):
    """{UID: flags} as a new client sees it, which is counted as STATUS does."""
    viewer.connect()
    viewer.select(mailbox, verb="EXAMINE")
    highest = viewer.modseq
    if viewer.messages:
        viewer.ok("UID FETCH 1:* (UID FLAGS MODSEQ EMAILID)")
    picture = viewer.picture()
    assert None not in picture and len(picture) == len(viewer.messages)
    assert highest >= max((one.modseq for one in viewer.messages), default=0)
    with viewer.server.imap(viewer.account) as other:
        (line,) = other.ok(f'STATUS "{viewer.names[mailbox]}" (MESSAGES UIDNEXT UNSEEN DELETED'
                           ' HIGHESTMODSEQ)')
    counted = dict(re.findall(r"(MESSAGES|UIDNEXT|UNSEEN|DELETED|HIGHESTMODSEQ) (\d+)", line))
    assert int(counted["MESSAGES"]) == len(picture), line
    assert int(counted["UNSEEN"]) == sum(r"\Seen" not in flags for flags in picture.values()), line
    assert int(counted["DELETED"]) == sum(r"\Deleted" in flags for flags in picture.values()), line
    assert int(counted["UIDNEXT"]) > max(picture, default=0), line
    assert int(counted["HIGHESTMODSEQ"]) == highest, line
    return picture


def check_actor(actor, there):
    """After a NOOP it knows all; what was never told may be asked for."""
    actor.ok("NOOP")
    told = actor.picture() if None not in actor.picture() else None
    known = [one.flags for one in actor.messages]
    if actor.messages:
        actor.ok(f"FETCH 1:* (UID FLAGS{actor.also})")
    assert list(actor.picture()) == list(there), actor.problem(f"there are {list(there)}")
    assert actor.picture() == there, actor.problem(f"the truth is {there}")
    assert told is None or list(told) == list(there)
    for before, one in zip(known, actor.messages):
        assert before in (None, one.flags), \
            actor.problem(f"UID {one.uid}: believed {before}, is {one.flags}: {one.history}")


def check_states(actor, truths, chance):
    returning = Returning(actor.server, actor.account, actor.ledger, actor.names, "qresync")
    for mailbox, modseq, kept, histories in actor.states:
        found, there = returning.come_back(mailbox, modseq, kept, chance), truths[mailbox]
        wrong = [(uid, found.get(uid), there.get(uid), kept.get(uid), histories.get(uid))
                 for uid in sorted({*found, *there}) if found.get(uid) != there.get(uid)]
        assert not wrong, returning.problem(f"from {modseq}, UID, what it is, should be and was: {wrong}")
    if returning.client:
        returning.client.close()


def check_all(server, actors, viewers, chance):
    truths = {}
    for user, viewer in viewers.items():
        truths[user] = {mailbox: truth(viewer, mailbox) for mailbox in FREE + KEPT}
    ledger = actors[0].ledger
    kept = [ledger.identities[mailbox, uid] for mailbox in KEPT
            for uid in truths[actors[0].user][mailbox]]
    assert len(kept) == len(set(kept)) == sum(actor.kept for actor in actors), \
        f"{sum(actor.kept for actor in actors)} messages are {len(kept)}, {len(set(kept))} of them different"
    for actor in actors:
        check_actor(actor, truths[actor.user][actor.mailbox])
        check_states(actor, truths[actor.user], chance)


def make_actors(server):
    """Six clients of an account and two of another one, to which all is given."""
    owner, guest = server.add_account("owner"), server.add_account("guest")
    ledger = Ledger()
    own = {mailbox: mailbox for mailbox in FREE + KEPT}
    others = {mailbox: f"Other Users/{owner[0]}/{mailbox}" for mailbox in FREE + KEPT}
    with server.imap(owner) as client:
        for mailbox in KEPT:
            client.ok(f"CREATE {mailbox}")
        for mailbox in FREE + KEPT:
            client.ok(f'SETACL {mailbox} "{guest[0]}" lrswipkxte')
    whose = [(owner, own, kind) for kind in KINDS] + [(guest, others, kind) for kind in GUESTS]
    actors = [Actor(server, account, ledger, names, kind, number=number)
              for number, (account, names, kind) in enumerate(whose)]
    viewers = {account[0]: Mirror(server, account, ledger, names, "condstore")
               for account, names in ((owner, own), (guest, others))}
    return actors, viewers


def test_everybody_is_told_the_truth(tmp_path):
    print(f"CHAPAR_STRESS_SEED={SEED}")
    server = Server(tmp_path / "server")
    server.configure(session_processes=2)
    server.start()
    try:
        actors, viewers = make_actors(server)
        chance, end = random.Random(SEED), time.monotonic() + SECONDS
        while time.monotonic() < end:
            threads = Threads([(Actor.work, actor) for actor in actors])
            for actor in actors:
                actor.ended, actor.calm = threads.ended, time.monotonic() + ROUND - CALM
            with threads:
                time.sleep(ROUND)
            check_all(server, actors, viewers, chance)
        print(f"{sum(actor.deeds for actor in actors)} commands, "
              f"{sum(actor.losses for actor in actors)} connections lost")
    finally:
        server.stop()
        server.check_log()
