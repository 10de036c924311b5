"""THREAD=REFERENCES and THREAD=REFS of random mail are what RFC 5256 section 3 and
draft-ietf-morg-inthread-01 section 4 make of it, step by step as written."""

import random
import re

import pytest

MESSAGES = 120
SUBJECTS = ("apples", "pears", "Re: apples", "Re: pears", "Fwd: plums", "plums", "")


class Node:
    def __init__(self):
        self.number = self.date = self.arrival = 0
        self.subject, self.reply = "", False
        self.parent, self.children = None, []

    def is_above(self, other):
        while other:
            if other is self:
                return True
            other = other.parent
        return False

    def link(self, child):
        if not child.is_above(self):
            child.unlink()
            child.parent = self
            self.children.append(child)

    def unlink(self):
        if self.parent:
            self.parent.children.remove(self)
        self.parent = None

    def when(self):
        """By sent date, then by number; a dummy by its first child."""
        return (self.date, self.number) if self.number else min(c.when() for c in self.children)

    def latest(self):
        """When the last of its messages arrived: of equal ones the highest number's is the last."""
        return max([(self.arrival, self.number)] + [child.latest() for child in self.children])

    def thread_subject(self):
        return (self if self.number else min(self.children, key=Node.when)).subject

    def show(self):
        text, node = str(self.number or ""), self
        while len(node.children) == 1:
            node = node.children[0]
            text += f" {node.number}"
        if node.children:
            text += " " * bool(node.number) + "".join(f"({c.show()})" for c in node.children)
        return text


def base(subject):
    stripped = re.sub(r"^(re|fwd): ", "", subject, flags=re.I)
    return stripped, stripped != subject


def link_messages(mail):
    """Step 1."""
    known, messages = {}, []
    for number, (identity, date, arrival, subject, references) in enumerate(mail, 1):
        node = known.setdefault(identity, Node()) if identity else Node()
        if node.number:
            node = Node()
        node.number, node.date, node.arrival = number, date, arrival
        node.subject, node.reply = base(subject)
        messages.append(node)
        last = None
        for reference in references:
            current = known.setdefault(reference, Node())
            if last and not current.parent:
                last.link(current)
            last = current
        node.unlink()
        if last:
            last.link(node)
    return list(dict.fromkeys(messages + list(known.values())))


def prune(siblings, root):
    """Step 3."""
    kept = []
    for node in siblings:
        node.children = prune(node.children, False)
        if node.number or (root and len(node.children) > 1):
            kept.append(node)
        else:
            kept += node.children
    return kept


def gather(roots):
    """Step 5."""
    table = {}
    for node in roots:
        subject = node.thread_subject()
        other = table.setdefault(subject, node)
        if other.number and (not node.number or (other.reply and not node.reply)):
            table[subject] = node
    result = list(roots)
    for node in roots:
        subject = node.thread_subject()
        other = table[subject]
        if not subject or other is node:
            continue
        result.remove(node)
        if not other.number and not node.number:
            other.children += node.children
        elif not other.number or (node.reply and not other.reply):
            other.children.append(node)
        else:
            dummy = Node()
            dummy.children = [other, node]
            result[result.index(other)] = dummy
            table[subject] = dummy
    return result


def arrange(siblings):
    """Step 6."""
    for node in siblings:
        node.children = arrange(node.children)
    return sorted(siblings, key=Node.when)


def threads(mail, algorithm):
    nodes = link_messages(mail)
    roots = prune([node for node in nodes if not node.parent], True)
    if algorithm == "REFERENCES":
        roots = arrange(gather(sorted(roots, key=Node.when)))
    else:
        roots = sorted(arrange(roots), key=Node.latest)
    return "".join(f"({node.show()})" for node in roots)


def random_mail(chance):
    names = [f"m{number}" for number in range(MESSAGES // 2)]
    for _ in range(MESSAGES):
        references = chance.sample(names, chance.choice((0, 0, 0, 1, 1, 2, 4)))
        yield (chance.choice(names + [""]), chance.randint(1, 28), chance.randint(1, 28),
               chance.choice(SUBJECTS), references)


def written(place, identity, date, subject, references):
    lines = ["From: x@example.org", f"Date: {date} Jan 2024 10:00:00 +0000", f"Subject: {subject}"]
    if identity:
        lines.append(f"Message-ID: <{identity}@x>")
    if references:
        lines.append("References: " + " ".join(f"<{name}@x>" for name in references))
    return ("\r\n".join(lines) + f"\r\n\r\n{place:04}").encode()


@pytest.mark.parametrize("seed", range(6))
def test_threads(shared_server, seed):
    """In the mailbox's order: the store gives messages of threads that it joins new UIDs."""
    mail = list(random_mail(random.Random(seed)))
    with shared_server.imap(shared_server.fresh_account()) as client:
        for place, (identity, date, arrival, subject, references) in enumerate(mail):
            message = written(place, identity, date, subject, references)
            when = f'"{arrival:2}-Jan-2024 10:00:00 +0000"'
            assert client.append("INBOX", message, when)[0].startswith("OK")
        client.ok("SELECT INBOX")
        places = [int(re.search(r"(\d{4})\)$", line)[1])
                  for line in client.ok("FETCH 1:* BODY.PEEK[TEXT]")]
        answers = {algorithm: client.ok(f"THREAD {algorithm} UTF-8 ALL") for algorithm in ("REFERENCES", "REFS")}
    assert len(places) == MESSAGES
    for algorithm, answer in answers.items():
        assert answer == ["* THREAD " + threads([mail[place] for place in places], algorithm)], algorithm
