"""Deliveries to one account that go on while the cluster fails, and what each was told."""

import collections
import re
import threading
import time

from harness.server import message


class Load:
    def __init__(self, nodes, account, threads=3, name="load"):
        self.account, self.name = account, name
        self.ended = threading.Event()
        self.acknowledged, self.refused, self.problems = [], [], []
        self.longest = 0.0
        self.threads = [threading.Thread(target=self.guard,
                                         args=(nodes[number % len(nodes)], number))
                        for number in range(threads)]

    def guard(self, node, thread):
        try:
            number = 0
            while not self.ended.is_set():
                self.deliver(node, f"{self.name}-{thread}-{number}")
                number += 1
        except Exception as problem:  # noqa: BLE001: shown at the end
            self.problems.append(repr(problem))

    def deliver(self, node, subject):
        start = time.monotonic()
        refused = node.deliver(message(subject), self.account[0])
        self.longest = max(self.longest, time.monotonic() - start)
        if refused:
            self.refused.append(refused[self.account[0]])
        else:
            self.acknowledged.append(subject)

    def wait_for_more(self, count=10, seconds=60):
        """Until so many more deliveries have succeeded."""
        wanted, deadline = len(self.acknowledged) + count, time.monotonic() + seconds
        while len(self.acknowledged) < wanted:
            assert time.monotonic() < deadline, (self.refused[-3:], self.problems)
            time.sleep(0.05)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        for thread in self.threads:
            thread.join()

    def check(self, node):
        """What was acknowledged is there once, what was refused was so for now."""
        assert not self.problems, self.problems
        assert all(reply.startswith("4") for reply in self.refused), self.refused
        with node.imap(self.account) as client:
            client.ok("SELECT INBOX")
            lines = client.ok("UID FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT)]")
        found = collections.Counter(
            re.search(r"Subject: (\S+)", line).group(1) for line in lines if "Subject" in line)
        lost = [subject for subject in self.acknowledged if found[subject] != 1]
        assert not lost, lost
        assert max(found.values()) == 1, found.most_common(3)
        result = node.run("check", "--deep", check=False)
        assert result.returncode == 0, result.stdout + result.stderr
        print(f"{len(self.acknowledged)} acknowledged, {len(self.refused)} refused for now, "
              f"the longest answer took {self.longest:.1f} s")
