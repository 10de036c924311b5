"""The mailbox bench: one connection, commands of a mail program, warm and cold.

Cold is after a restart of the server, with no page of its files in the page cache: they are flushed
and dropped (posix_fadvise), alike for all. Of one command all servers are measured before the next
one, so that a mood of the machine hits all of them.
"""

import os
import time
from pathlib import Path

from work import command_times, connect, drain, load, show, timed, wait_until_settled

SIZE, SEED, FEW = 6000, 1, 5000
EVERYTHING = "FETCH 1:* (UID FLAGS ENVELOPE INTERNALDATE RFC822.SIZE BODYSTRUCTURE)"
FIRST_TIMES, COLD_TIMES, TIMES, SLOW_TIMES = 1, 3, 5, 3
QUICK_TIMES = 1001  # what takes less than a millisecond: a few times say more of the scheduler than of the server

# A command (those of a group are sent in turn: a STORE that is sent again changes nothing), and how
# often each kind is measured. What is searched for is rare, in some messages of the seed.
COLD = ("SELECT INBOX", EVERYTHING, "FETCH 1:{few} BODY.PEEK[]")
WARM = (
    (("SELECT INBOX",), QUICK_TIMES),
    (("FETCH 1:* (UID FLAGS)",), TIMES),
    ((EVERYTHING,), TIMES),
    (("FETCH 1:{few} BODY.PEEK[]",), TIMES),
    (("FETCH 1:{few} BODY.PEEK[HEADER.FIELDS (From Subject)]",), TIMES),
    (("STORE 1:* +FLAGS (\\Seen)", "STORE 1:* -FLAGS.SILENT (\\Seen)"), TIMES),
    (("SEARCH UNSEEN",), QUICK_TIMES),
    (('SEARCH FROM "person17@"',), TIMES),
    (('SEARCH SUBJECT "kanigos"',), TIMES),
    (('SEARCH BODY "kanigos"',), SLOW_TIMES),
    (('SEARCH TEXT "kanigos"',), SLOW_TIMES),
    (("SORT (DATE) UTF-8 ALL",), TIMES),
    (("SORT (SUBJECT) UTF-8 ALL",), TIMES),
    (("THREAD REFERENCES UTF-8 ALL",), TIMES),
    (("UID FETCH {middle} (FLAGS ENVELOPE)",), QUICK_TIMES),
    (("NOOP",), QUICK_TIMES),
)


def drop_pages(directory):
    """Of all files below it, once nobody has them mapped."""
    os.sync()
    for path in Path(directory).rglob("*"):
        if path.is_file() and not path.is_symlink():
            file = os.open(path, os.O_RDONLY)
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(file)


class Reader:
    """One connection to a server that reads its mailbox."""

    def __init__(self, server, messages):
        self.server, self.messages = server, messages
        self.account = server.add_account("reader")
        self.client = None

    def fill(self):
        start = time.monotonic()
        load(self.server, 8, self.messages, SIZE, [self.account[0]], "-v", str(SEED))
        return time.monotonic() - start

    def restart_cold(self):
        if self.client:
            self.client.close()
            self.client = None
        self.server.stop()
        drop_pages(self.server.directory)
        self.server.start()

    def open(self, select=True):
        self.client = connect(self.server, self.account)
        self.client.socket.settimeout(600)
        if select:
            drain(self.client, "SELECT INBOX")

    def filled_in(self, command):
        return command.format(middle=self.messages // 2, few=min(FEW, self.messages))

    def cold(self, command, times):
        """Milliseconds, median; what is before the command (login, SELECT) is not in it."""
        def once():
            drain(self.client, self.filled_in(command))
        spent = []
        for _ in range(times):
            self.restart_cold()
            self.open(select=command != "SELECT INBOX")
            spent.append(timed(once, 1))
        return sorted(spent)[len(spent) // 2]

    def warm(self, commands, times):
        return command_times(self.server, self.account, times, map(self.filled_in, commands))


def text(milliseconds):
    return f"{milliseconds:.{3 if milliseconds < 1 else 1}f}"


def row(readers, name, how, measure):
    figures = [measure(reader) for reader in readers]
    ratios = " ".join(f"{reader.server.name}: {text(figure)} ms, {figure / figures[0]:.1f} times"
                      for reader, figure in zip(readers[1:], figures[1:]))
    show(f"{readers[0].filled_in(name)}, ms", text(figures[0]), f"{how}   {ratios}")


def measure(servers, messages):
    readers = [Reader(server, messages) for server in servers]
    for reader in readers:
        show(f"{reader.server.name}: filling a mailbox of {messages}, s", f"{reader.fill():.1f}",
             f"lmtp_load -v {SEED} PORT 8 {messages} {SIZE} BOX")
    wait_until_settled()
    row(readers, f"the first time, cold: {EVERYTHING}", "once",
        lambda reader: reader.cold(EVERYTHING, FIRST_TIMES))
    for command in COLD:
        row(readers, f"cold: {command}", f"restarted each time, median of {COLD_TIMES}",
            lambda reader, command=command: reader.cold(command, COLD_TIMES))
    for commands, times in WARM:
        row(readers, commands[0], f"median of {times}",
            lambda reader, commands=commands, times=times: reader.warm(commands, times))
    for reader in readers:
        reader.client.close()
