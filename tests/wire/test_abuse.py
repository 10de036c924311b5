"""What strangers may send: a clear error or a timeout with a name, within the memory budget.

Every limit of chapar.conf(5) that a client can reach has a test of its name here (or is named in a
dialogue: "# limit: NAME"); so has every limit of the grammar.
"""

import base64
import os
import re
import socket
import sqlite3
import threading
import time
from pathlib import Path

import pytest

from harness.imap import Imap
from harness.server import Server, message
from harness.wait import wait_until

ROOT = Path(__file__).resolve().parents[2]
MIB = 1 << 20
# chapar-auth runs two jobs at once (JOBS_RUNNING_MAXIMUM), each with a connection that is kept for
# the next: two of the database and of its log, and the log's index, which they share. SQLite closes
# no descriptor of a database while any connection to it is open, but gives it to the next one.
CREDENTIALS_FILES_MAXIMUM = 5


# --- the server, and what must hold after each test ---

def descriptors(pid):
    """The open files of a process, without those of accounts, which are kept open on purpose, as are
    those of the credentials: they have a bound of their own."""
    return [target for target in open_files(pid)
            if "/mail/" not in target and not target.startswith("/accounts") and
            "/auth/credentials.db" not in target]


def credentials_files(pid):
    return [target for target in open_files(pid) if "/auth/credentials.db" in target]


def open_files(pid):
    found = []
    for entry in os.scandir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(entry.path)
        except OSError:
            continue
        found.append(re.sub(r":\[\d+\]$", "", target))
    return sorted(found)


def processor_time(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def is_at_rest(pids):
    before = [processor_time(pid) for pid in pids]
    time.sleep(0.2)
    return sum(processor_time(pid) for pid in pids) - sum(before) <= 4


class Watch:
    """What the server's processes hold before and after."""

    def __init__(self, server):
        self.server = server
        self.account = server.fresh_account()
        self.serves()
        wait_until(self.no_streams)
        self.children = server.children()
        self.before = {pid: descriptors(pid) for pid in self.children}

    def serves(self):
        self.server.deliver(message(), self.account[0])
        with self.server.imap(self.account) as client:
            client.ok("SELECT INBOX")
            assert client.ok("FETCH * ENVELOPE")

    def no_streams(self):
        counters = self.server.json("status")["counters"]
        return counters["session_open"] == 0 and counters["login_open"] == 0

    def no_leak(self):
        return all(len(descriptors(pid)) <= len(self.before[pid]) and
                   len(credentials_files(pid)) <= CREDENTIALS_FILES_MAXIMUM for pid in self.before)

    def check(self):
        self.serves()
        wait_until(self.no_streams, otherwise=lambda: "a connection stays open")
        assert self.server.children() == self.children, "a process died"
        wait_until(self.no_leak, otherwise=lambda: {
            pid: (self.before[pid], open_files(pid)) for pid in self.before})
        wait_until(lambda: is_at_rest(self.children), otherwise=lambda: "a thread is busy with nothing")
        self.server.check_log()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """For tests whose limits are those of a new server, but for a smaller message."""
    own = Server(tmp_path_factory.mktemp("abuse"), asan_options="quarantine_size_mb=4")
    own.configure(message_size=4 * MIB, session_processes=2)
    own.start()
    yield own
    own.stop()
    own.check_log()


@pytest.fixture(autouse=True)
def unharmed(request):
    """After every test the server serves, has lost nothing and is at rest."""
    if "server" not in request.fixturenames:
        yield None
        return
    watch = Watch(request.getfixturevalue("server"))
    yield watch
    watch.check()


@pytest.fixture
def limited(tmp_path):
    """A function that starts a server with the options given; it is checked at the end."""
    started = []

    def start(**options):
        own = Server(tmp_path / "limited", asan_options="quarantine_size_mb=4")
        own.configure(**options)
        own.start()
        started.append((own, Watch(own)))
        return own
    yield start
    for own, watch in started:
        watch.check()
        own.stop()
        own.check_log()


def resident(server, role="chapar-session"):
    return max(process["resident_bytes"] for process in server.json("status")["processes"]
               if process["role"] == role)


def selected(server, account=None):
    client = server.imap(account or server.fresh_account())
    client.ok("SELECT INBOX")
    return client


def closes(client, seconds=10):
    """Reads until the server closes; returns the last line."""
    client.socket.settimeout(seconds)
    last = ""
    try:
        while True:
            last = client.line()
    except ConnectionError:
        return last


def test_every_limit_has_a_test():
    """The numbers of config.def: those that a client can reach are tested under their names."""
    not_a_clients = {
        "lmtp_socket_mode", "login_processes", "session_processes", "session_threads",
        "password_memory", "password_passes", "scram_iterations",
        "drain_time",  # tests/crash/test_processes.py
        "keep_expunged", "keep_changes",  # tests/unit/store/test_retained.c
        "minimum_free",  # tests/crash/test_disk_full.py
        "pop3_timeout",  # test_a_silent_session_ends in tests/wire/test_pop3.py
        "slow_command",  # tests/wire/test_logs.py
        "rados_timeout",  # tests/cluster/test_away.py
        "rados_cache",  # test_keeps_no_more_than_its_limit in tests/unit/kv/test_rados.c
        "outgoing_timeout", "outgoing_connections",  # tests/wire/test_send.py
        "outgoing_rate",  # test_rate in tests/unit/store/test_outgoing.c
        "message_limit", "save_limit",  # tests/wire/test_message_limit.py
        "outgoing_give_up",  # it_is_given_up_after_some_time in tests/unit/session/test_sender.c
    }
    options = set(re.findall(r"^CONFIG_NUMBER\((\w+),", (ROOT / "src/base/config.def").read_text(),
                             re.M))
    tested = {name[5:] for name in globals() if name.startswith("test_")}
    for path in (ROOT / "tests/wire").rglob("*.dialogue"):
        tested |= set(re.findall(r"^# limit: (\w+)", path.read_text(), re.M))
    assert not options - not_a_clients - tested


# --- before login ---

BEFORE_LOGIN = {
    "line of 1 MiB": b"a1 LOGIN " + b"x" * MIB + b"\r\n",
    "line of NULs": b"\0" * 5000 + b"\r\n",
    "NUL in a command": b"a1 NO\0OP\r\n",
    "NUL in a quoted string": b'a1 LOGIN "a\0b" "c"\r\n',
    "NUL in a literal": b"a1 LOGIN {3+}\r\na\0b {1+}\r\nc\r\n",
    "literal of 4 GiB": b"a1 LOGIN {4294967296}\r\n",
    "literal beyond 64 bits": b"a1 LOGIN {99999999999999999999999999}\r\n",
    "literal without number": b"a1 LOGIN {}\r\n",
    "literal with a sign": b"a1 LOGIN {-1}\r\n",
    "literal of 1 MiB without waiting": b"a1 LOGIN {1048576+}\r\n" + b"x" * MIB + b" x\r\n",
    "many literals": b"a1 ID (" + b'"a" {1+}\r\nb ' * 2000 + b"\r\n",
    "deep parentheses": b"a1 ID " + b"(" * 7000 + b"\r\n",
    "bare CR": b"a1 NOOP\ra2 NOOP\r\n",
    "eight-bit bytes": bytes(range(128, 256)) + b"\r\n",
    "HTTP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "tag without end": b"a" * 8000 + b"\r\n",
    "ID with 1000 fields": b"a1 ID (" + b" ".join([b'"a" "b"'] * 1000) + b")\r\n",
}


@pytest.mark.parametrize("text", BEFORE_LOGIN.values(), ids=BEFORE_LOGIN.keys())
def test_malformed_before_login(server, text):
    """BAD, NO or BYE; nothing else, and the process keeps its memory."""
    before = resident(server, "chapar-login")
    with server.imap() as client:
        try:
            client.send(text)
            line = client.line()
            assert re.match(r"\S+ (BAD|NO|BYE) \S", line), line
        except (BrokenPipeError, ConnectionResetError):
            pass
    assert resident(server, "chapar-login") < before + 16 * MIB


@pytest.mark.parametrize("text", [
    b"not base64 at all!", b"A", b"====", b"AAAA" * 4000, b"\0\0\0", b"AGE=",
    base64.b64encode(b"a\0b\0c\0d"), base64.b64encode(b"\0" * 100),
    base64.b64encode(b"\0\xff\xfe\0password"), b"",
], ids=["words", "one", "padding", "long", "NULs", "no password", "four parts", "only NULs",
        "not UTF-8", "empty"])
def test_wrong_base64_in_authenticate(server, text):
    with server.imap() as client:
        client.send(b"a1 AUTHENTICATE PLAIN\r\n")
        assert client.line().startswith("+")
        client.send(text + b"\r\n")
        assert re.match(r"a1 (BAD|NO) \S", client.line())
        client.send(b"a2 AUTHENTICATE PLAIN " + text + b"\r\n")
        assert re.match(r"(a2|\*) (BAD|NO|BYE) \S|\+", client.line())


MANAGESIEVE_BEFORE_LOGIN = {
    "line of 1 MiB": b'AUTHENTICATE "' + b"x" * MIB + b'"\r\n',
    "line of NULs": b"\0" * 4000 + b"\r\n",
    "NUL in a quoted string": b'NOOP "a\0b"\r\n',
    "literal of 4 GiB": b"NOOP {4294967295+}\r\n",
    "literal beyond 32 bits": b"NOOP {4294967296+}\r\n",
    "literal without number": b"NOOP {+}\r\n",
    "literal of 1 MiB": b"NOOP {1048576+}\r\n" + b"x" * MIB + b"\r\n",
    "many literals": b"NOOP" + b" {3+}\r\na\r\n" * 2000 + b"\r\n",
    "eight-bit bytes": bytes(range(128, 256)) + b"\r\n",
    "HTTP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "quotes without end": b'NOOP "' + b'\\"' * 2000 + b"\r\n",
}


@pytest.mark.parametrize("text", MANAGESIEVE_BEFORE_LOGIN.values(),
                         ids=MANAGESIEVE_BEFORE_LOGIN.keys())
def test_malformed_managesieve(server, text):
    """NO or BYE; nothing else, and the process keeps its memory."""
    before = resident(server, "chapar-login")
    with server.managesieve() as client:
        try:
            client.send(text)
            assert re.match(r"(NO|BYE) \S", client.line())
        except (BrokenPipeError, ConnectionResetError):
            pass
    assert resident(server, "chapar-login") < before + 16 * MIB


def test_not_tls(server):
    """Plaintext, nothing and garbage where TLS is expected."""
    for text in (b"a1 NOOP\r\n", b"", b"\x16\x03\x01\xff\xff" + b"\xff" * 20000, b"\0" * 100):
        with socket.create_connection(("127.0.0.1", server.imaps_port), 10) as client:
            try:
                client.sendall(text)
                client.shutdown(socket.SHUT_WR)
                while client.recv(4096):
                    pass
            except OSError:
                pass  # reset, as soon as it is clear that this is no TLS


def test_half_closed_connections(server):
    """Closed on one side at every stage: none stays behind."""
    clients = []
    for text in (b"", b"a1", b"a1 NOOP\r\n", b"a1 LOGIN {10}\r\n", b"a1 STARTTLS\r\n",
                 b"a1 STARTTLS\r\n\x16\x03\x01", b"a1 AUTHENTICATE PLAIN\r\n"):
        client = server.imap(tls=False)
        client.send(text)
        client.half_close()
        clients.append(client)
    for text in (b"", b"LHLO", b"LHLO x\r\nMAIL FROM:<a@example.org>\r\n"):
        client = Imap("127.0.0.1", server.lmtp_port)
        client.send(text)
        client.half_close()
        clients.append(client)
    for text in (b'PUTSCRIPT "a" {100+}\r\nhalf', b'PUTSCRIPT "a', b"LISTSCRIPTS\r\n" * 100):
        client = server.managesieve(server.fresh_account())
        client.send(text)
        client.half_close()
        clients.append(client)
    for client in clients:
        closes(client)
        client.close()


def test_reset_connections(server):
    """RST in the middle of everything."""
    account = server.fresh_account()
    for text in ("a1 SELECT INBOX\r\na2 IDLE\r\n", "a1 APPEND INBOX {100000}\r\n",
                 "a1 APPEND INBOX {100000+}\r\nhalf", "a1 LIST \"\" *\r\n" * 200):
        client = server.imap(account)
        client.send(text)
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()


def test_login_timeout(limited):
    """One byte a second, a literal that never comes, a handshake that never ends: all the same."""
    server = limited(login_timeout=2)
    start = time.monotonic()
    slow, literal, silent = server.imap(), server.imap(), server.imap(tls=False)
    handshake = socket.create_connection(("127.0.0.1", server.imaps_port), 10)
    handshake.sendall(b"\x16\x03\x01")
    literal.send("a1 LOGIN {10}\r\n")
    assert literal.line().startswith("+")
    for byte in b"a1 NOOP":
        try:
            slow.send(bytes([byte]))
        except OSError:
            break
        time.sleep(0.4)
    for client in (slow, literal, silent):
        assert closes(client).startswith("* BYE")
    assert handshake.recv(100) == b""
    assert 1.5 < time.monotonic() - start < 10
    assert server.json("status")["counters"]["login_timeouts"] >= 3
    server.wait_for_log("login_timeout")
    for client in (slow, literal, silent, handshake):
        client.close()


def test_login_failure_delay(limited):
    """A wrong password is answered late, a right one at once."""
    server = limited(login_failure_delay=1)
    account = server.fresh_account()
    with server.imap() as client:
        start = time.monotonic()
        status, _ = client.command(f'LOGIN "{account[0]}" wrong')
        assert status.startswith("NO") and 0.9 < time.monotonic() - start < 5
        start = time.monotonic()
        client.login(*account)
        assert time.monotonic() - start < 0.9


def can_greet(server):
    try:
        with server.imap(tls=False) as client:
            return client.greeting.startswith("* OK")
    except OSError:
        return False


def test_login_connections(limited):
    """Beyond the limit a connection is closed, with a reason where that can be said."""
    server = limited(login_connections=10)
    clients = [server.imap(tls=False) for _ in range(10)]
    with Imap("127.0.0.1", server.imap_port) as beyond:
        assert closes(beyond).startswith("* BYE [UNAVAILABLE]")
    assert server.json("status")["counters"]["login_refused"] >= 1
    clients.pop().close()
    wait_until(lambda: can_greet(server))
    for client in clients:
        client.ok("NOOP")
        client.close()


def test_login_client_connections(limited):
    """One client cannot keep others out; who has logged in counts no more."""
    server = limited(login_client_connections=3)
    account = server.fresh_account()
    clients = [server.imap(account) for _ in range(5)]
    strangers = [server.imap(tls=False) for _ in range(3)]
    with Imap("127.0.0.1", server.imap_port) as beyond:
        assert closes(beyond).startswith("* BYE [UNAVAILABLE]")
    with Imap("127.0.0.1", server.imap_port, source="127.0.0.2") as other:
        assert other.line().startswith("* OK")
    strangers.pop().close()
    wait_until(lambda: can_greet(server))
    for client in clients + strangers:
        client.ok("NOOP")
        client.close()


def test_password_cache_time(limited):
    """0: nothing is remembered; every login is checked."""
    server = limited(password_cache_time=0)
    account = server.fresh_account()
    for _ in range(3):
        server.imap(account).close()
    assert server.json("status")["counters"]["auth_remembered"] == 0


# --- after login ---

AFTER_LOGIN = {
    "line of 1 MiB": b"a1 SEARCH TEXT " + b"x" * MIB + b"\r\n",
    "NUL in a command": b"a1 FETCH 1 \0\r\n",
    "NUL in a literal": b"a1 SELECT {3+}\r\na\0b\r\n",
    "literal without number": b"a1 SELECT {x}\r\n",
    "literal of 1 GiB": b"a1 SELECT {1073741824}\r\n",
    "SEARCH of 1000 parentheses": b"a1 SEARCH " + b"(" * 1000 + b"ALL" + b")" * 1000 + b"\r\n",
    "SEARCH of 1000 NOT": b"a1 SEARCH " + b"NOT " * 1000 + b"ALL\r\n",
    "SEARCH of 1000 OR": b"a1 SEARCH " + b"OR " * 1000 + b"ALL " * 1001 + b"\r\n",
    "FETCH of 1000 parentheses": b"a1 FETCH 1 " + b"(" * 1000 + b"FLAGS" + b")" * 1000 + b"\r\n",
    "parentheses without end": b"a1 FETCH 1 (FLAGS (((\r\n",
    "section without end": b"a1 FETCH 1 BODY[HEADER.FIELDS (" + b"A " * 1000 + b"\r\n",
    "eight-bit bytes": b"a1 SELECT \xff\xfe\r\n",
    "control characters": b'a1 CREATE "a\x01\x7f"\r\n',
    "number of 1000 digits": b"a1 FETCH " + b"9" * 1000 + b" FLAGS\r\n",
    "IDLE with an argument": b"a1 IDLE now\r\n",
}


@pytest.mark.parametrize("text", AFTER_LOGIN.values(), ids=AFTER_LOGIN.keys())
def test_malformed_after_login(server, text):
    before = resident(server)
    with selected(server) as client:
        client.send(text)
        line = client.line()
        assert re.match(r"(a1|\*) (BAD|NO|BYE) \S", line), line
        if " BYE " not in line:
            client.ok("NOOP")
    assert resident(server) < before + 32 * MIB


def numbered(count, text="{}"):
    return [text.format(number) for number in range(count)]


# Limits of the grammar (src/proto/imap/reader.h): (what is just allowed, what is beyond).
GRAMMAR = {
    "IMAP_TAG_MAXIMUM": ("t" * 64 + " NOOP", "t" * 65 + " NOOP"),
    "IMAP_MAILBOX_NAME_MAXIMUM": ("a STATUS " + "x" * 1000 + " (MESSAGES)",
                                  "a STATUS " + "x" * 1001 + " (MESSAGES)"),
    "IMAP_NESTING_MAXIMUM": ("a SEARCH " + "(" * 30 + "ALL" + ")" * 30,
                             "a SEARCH " + "(" * 33 + "ALL" + ")" * 33),
    "IMAP_SEARCH_KEYS_MAXIMUM": ("a SEARCH " + "ALL " * 998 + "ALL", "a SEARCH " + "ALL " * 1001),
    "IMAP_SORT_CRITERIA_MAXIMUM": ("a SORT (" + "SIZE " * 19 + "TO) UTF-8 ALL",
                                   "a SORT (" + "SIZE " * 20 + "TO) UTF-8 ALL"),
    "IMAP_SEQUENCE_RANGES_MAXIMUM": ("a UID FETCH " + ",".join(["1"] * 20000) + " UID",
                                     "a UID FETCH " + ",".join(["1"] * 20001) + " UID"),
    "IMAP_SEARCH_TEXTS_MAXIMUM": ("a SEARCH " + "BODY x TEXT y " * 10 + "ALL",
                                  "a SEARCH " + "BODY x TEXT y " * 10 + "BODY x ALL"),
    "IMAP_FETCH_ITEMS_MAXIMUM": ("a FETCH 1 (" + "FLAGS " * 199 + "UID)",
                                 "a FETCH 1 (" + "FLAGS " * 200 + "UID)"),
    "IMAP_FETCH_FIELDS_MAXIMUM": (
        "a FETCH 1 BODY.PEEK[HEADER.FIELDS (" + " ".join(["To"] * 250) + ")]",
        "a FETCH 1 BODY.PEEK[HEADER.FIELDS (" + " ".join(["To"] * 251) + ")]"),
    "IMAP_SECTION_DEPTH_MAXIMUM": ("a FETCH 1 BODY.PEEK[" + ".".join(["1"] * 64) + "]",
                                   "a FETCH 1 BODY.PEEK[" + ".".join(["1"] * 65) + "]"),
    "IMAP_FLAGS_MAXIMUM": ("a STORE 1 FLAGS (" + " ".join(numbered(100, "k{}")) + ")",
                           "a STORE 1 FLAGS (" + " ".join(numbered(101, "k{}")) + ")"),
    "IMAP_KEYWORD_MAXIMUM": ("a STORE 1 FLAGS (" + "k" * 100 + ")",
                             "a STORE 1 FLAGS (" + "k" * 101 + ")"),
    "IMAP_OBJECT_ID_MAXIMUM": ("a SEARCH EMAILID " + "x" * 255, "a SEARCH EMAILID " + "x" * 256),
    "IMAP_LIST_PATTERNS_MAXIMUM": ('a LIST "" (' + " ".join(["x"] * 32) + ")",
                                   'a LIST "" (' + " ".join(["x"] * 33) + ")"),
    "IMAP_METADATA_ENTRIES_MAXIMUM": (
        "a GETMETADATA INBOX (" + " ".join(["/private/x"] * 64) + ")",
        "a GETMETADATA INBOX (" + " ".join(["/private/x"] * 65) + ")"),
    "IMAP_ANNOTATION_ENTRY_MAXIMUM": (
        "a FETCH 1 ANNOTATION (/" + "x" * 199 + " value)",
        "a FETCH 1 ANNOTATION (/" + "x" * 200 + " value)"),
    "IMAP_ANNOTATION_ENTRIES_MAXIMUM": (
        "a FETCH 1 ANNOTATION ((" + " ".join(["/x"] * 32) + ") value)",
        "a FETCH 1 ANNOTATION ((" + " ".join(["/x"] * 33) + ") value)"),
    "IMAP_ANNOTATIONS_MAXIMUM": (
        "a STORE 1 ANNOTATION (/x (" + " ".join(["value.priv NIL"] * 256) + "))",
        "a STORE 1 ANNOTATION (/x (" + " ".join(["value.priv NIL"] * 257) + "))"),
    "IMAP_ID_FIELDS_MAXIMUM": ("a ID (" + " ".join(['"a" "b"'] * 30) + ")",
                               "a ID (" + " ".join(['"a" "b"'] * 31) + ")"),
    "IMAP_CANCEL_MAXIMUM": ("a CANCELUPDATE" + ' "t"' * 32, "a CANCELUPDATE" + ' "t"' * 33),
    "IMAP_NOTIFY_GROUPS_MAXIMUM": ("a NOTIFY SET" + " (personal NONE)" * 32,
                                   "a NOTIFY SET" + " (personal NONE)" * 33),
    "IMAP_NOTIFY_NAMES_MAXIMUM": ("a NOTIFY SET (mailboxes (" + " ".join(["x"] * 500) + ") NONE)",
                                  "a NOTIFY SET (mailboxes (" + " ".join(["x"] * 501) + ") NONE)"),
    "IMAP_APPEND_MESSAGES_MAXIMUM": ("a APPEND INBOX" + " {1+}\r\nx" * 1000,
                                     "a APPEND INBOX" + " {1+}\r\nx" * 1001),
    "IMAP_CATENATE_PARTS_MAXIMUM": (
        "a APPEND INBOX CATENATE (" + " ".join(["TEXT {1+}\r\nx"] * 1000) + ")",
        "a APPEND INBOX CATENATE (" + " ".join(["TEXT {1+}\r\nx"] * 1001) + ")"),
    "IMAP_URLS_MAXIMUM": ("a RESETKEY INBOX" + " INTERNAL" * 100,
                          "a RESETKEY INBOX" + " INTERNAL" * 101),
    "IMAP_ENABLE_MAXIMUM": ("a ENABLE" + " X" * 32, "a ENABLE" + " X" * 33),
    "IMAP_LANGUAGES_MAXIMUM": ("a LANGUAGE" + " x" * 31 + " de", "a LANGUAGE" + " x" * 33),
    # src/session/imap/session_priv.h
    "SESSION_LINE_MAXIMUM": ("a SEARCH SUBJECT " + "x" * 65000, "a SEARCH SUBJECT " + "x" * 65536),
    "SESSION_LITERALS_MAXIMUM": ("a SEARCH SUBJECT {262144+}\r\n" + "x" * 262144,
                                 "a SEARCH SUBJECT {262145+}\r\n" + "x" * 262145),
}


def test_every_limit_of_the_grammar_has_a_test():
    header = (ROOT / "src/proto/imap/reader.h").read_text()
    named = set(re.findall(r"^    (IMAP_\w+_MAXIMUM) =", header, re.M))
    assert named - {"IMAP_DISCARD_MAXIMUM", "IMAP_BAD_TEXT_MAXIMUM"} <= set(GRAMMAR)


@pytest.mark.parametrize("limit", GRAMMAR)
def test_grammar(server, limit):
    """What is within is done, what is beyond is answered with BAD, and the session goes on."""
    allowed, beyond = GRAMMAR[limit]
    with selected(server) as client:
        client.append("INBOX", message())
        client.ok("NOOP")
        for text, status in ((allowed, "OK|NO"), (beyond, "BAD")):
            client.send(text + "\r\n")
            tag = text.split(" ")[0]
            while not re.match(rf"{re.escape(tag)} (OK|NO|BAD) |\* (OK|NO|BAD|BYE)( [^\[]| \[NON)",
                               line := client.line()):
                pass
            assert re.match(rf"\S+ ({status}) ", line), line[:200]
        client.ok("NOOP")


def test_command_never_ends(server):
    """IMAP_DISCARD_MAXIMUM: what cannot be followed any more ends with BYE."""
    with selected(server) as client:
        try:
            client.send(b"a1 NOOP " + b"x" * (3 * MIB))
        except OSError:
            pass
        assert closes(client).startswith("* BYE")


def test_ten_thousand_parts(server):
    """Delivered and fetched: ENVELOPE, BODY and BODYSTRUCTURE answer."""
    account = server.fresh_account()
    nested = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n)
                      for n in range(10000))
    flat = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 10000 + \
        b"--b--\r\n"
    messages = b"Content-Type: message/rfc822\r\n\r\n" * 10000
    for body in (nested, flat, messages):
        assert not server.deliver(b"Subject: parts\r\n" + body, account[0])
    with selected(server, account) as client:
        for line in client.ok("FETCH 1:* (ENVELOPE BODY BODYSTRUCTURE)"):
            assert '"parts"' in line and line.count("(") == line.count(")")
        assert len(client.ok("FETCH 1:* (BODY.PEEK[1.1.1.1] BODY.PEEK[1.MIME])")) == 3
        assert client.ok("SEARCH TEXT x BODY nothing-of-the-kind") == ["* SEARCH"]


def test_hundred_thousand_addresses(server):
    """ENVELOPE answers within its limits (ADDRESS_LIST_MAXIMUM), the header has all of them."""
    account = server.fresh_account()

    def field(count):
        return b"To: " + b",\r\n ".join(b"a%d@example.org" % n for n in range(count)) + b"\r\n"
    many = b"".join(b"To: a%d@example.org\r\n" % n for n in range(100000))
    for head in (field(100000), field(20000), many):
        assert not server.deliver(b"Subject: many\r\n" + head + b"\r\nx\r\n", account[0])
    with selected(server, account) as client:
        lines = client.ok("FETCH 1:* (ENVELOPE)")
        assert len(lines) == 3
        for line in lines:
            assert '"many"' in line and line.endswith("))") and len(line) < MIB
        # The first one's field is longer than MIME_HEADER_BYTES_MAXIMUM: it is left out.
        for line in lines[1:]:
            assert '"a0" "example.org"' in line
        assert "a1@example.org" in client.ok("FETCH 1 BODY.PEEK[HEADER.FIELDS (To)]<0.200>")[0]


@pytest.mark.parametrize("body", [
    b"Subject: " + b"=?utf-8?Q?=C3?= " * 20000 + b"\r\n\r\nx\r\n",
    b"Content-Type: text/plain; " + b"; ".join(b"p%d*%d*=''%%41" % (n, n) for n in range(20000)) +
    b"\r\n\r\nx\r\n",
    b"From: " + b"(" * 100000 + b"\r\n\r\nx\r\n",
    b"From: " + b"<" * 100000 + b"\r\nDate: " + b"9" * 100000 + b"\r\n\r\nx\r\n",
    b"Content-Type: text/html\r\n\r\n" + b"<div>" * 200000 + b"\r\n",
    b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n" + b"=" * 500000,
    b":\r\n" * 50000 + b"\r\n", b"\r\n", b"\n", b"\0" * 1000 + b"\r\n", b"X" * 500000 + b"\r\n",
], ids=["encoded words", "parameters", "comments", "brackets", "html", "base64", "no names", "empty",
        "bare LF", "NULs", "one line"])
def test_hostile_messages(server, body):
    """Appended, but for NULs in what is no literal8 (RFC 9051 section 9, CHAR8); delivered, fetched
    and searched."""
    account = server.fresh_account()
    with selected(server, account) as client:
        status, _ = client.append("INBOX", body)
        assert re.match("BAD" if b"\0" in body else "OK|NO", status)
        server.deliver(body, account[0])
        client.ok("NOOP")
        for item in ("ENVELOPE", "BODY", "BODYSTRUCTURE", "BODY.PEEK[]", "BODY.PEEK[1]",
                     "BODY.PEEK[HEADER.FIELDS (From Subject)]"):
            for line in client.ok(f"FETCH 1:* {item}"):
                assert line.endswith(")")
        client.ok("SEARCH OR TEXT nothing (FROM x SENTBEFORE 1-Jan-2020)")


def test_literal_never_sent(server):
    """A literal that is announced costs nothing; the session can be closed, and others go on."""
    before = resident(server)
    clients = []
    for _ in range(20):
        client = selected(server)
        client.send(f"a1 APPEND INBOX {{{3 * MIB}}}\r\n")
        assert client.line().startswith("+")
        clients.append(client)
    assert resident(server) < before + 16 * MIB
    for client in clients:
        client.close()


def is_turned_away(server):
    with Imap("127.0.0.1", server.lmtp_port) as client:
        client.send("LHLO x\r\n")
        return [client.line()[:9] for _ in range(2)][1] == "421 4.3.2"


def test_lmtp_pending(limited):
    """While so many bytes of messages come in, who would begin another is sent away, for now."""
    server = limited(lmtp_pending=MIB, session_processes=1)
    account = server.fresh_account()
    begin = f"MAIL FROM:<a@example.org>\r\nRCPT TO:<{account[0]}>\r\nDATA\r\n"
    with server.lmtp() as first, server.lmtp() as second:
        first.send(begin)
        assert [first.reply()[:3] for _ in range(3)] == ["250", "250", "354"]
        first.send(b"Subject: large\r\n\r\n" + (b"x" * 70 + b"\r\n") * (2 * MIB // 72))
        wait_until(lambda: is_turned_away(server))
        second.send(begin)
        assert second.reply().startswith("421 4.3.2")
        first.send(b".\r\n")
        assert first.reply().startswith("250")
    assert not server.deliver(message(), account[0])


def test_lmtp_duplicate_time(limited):
    """A message is stored once for each recipient, told by its Message-ID, until the time is over."""
    server = limited(lmtp_duplicate_time=2)
    account, other = server.fresh_account(), server.fresh_account()
    text = message("once")
    assert not server.deliver(text, account[0])
    assert not server.deliver(text, account[0], other[0])
    with selected(server, account) as client, selected(server, other) as second:
        assert client.uids() == [1] and second.uids() == [1]
    time.sleep(3.1)
    assert not server.deliver(text, account[0])
    with selected(server, account) as client:
        assert client.uids() == [1, 2]


def test_message_size(server):
    """A message of exactly so many bytes is taken, one of one more is not: APPEND and LMTP."""
    size = 4 * MIB
    account = server.fresh_account()
    exact = message(body="")
    exact += (b"x" * 998 + b"\r\n") * ((size - len(exact)) // 1000)
    exact += b"y" * (size - len(exact) - 2) + b"\r\n"
    beyond = exact[:-2] + b"z\r\n"
    with selected(server, account) as client:
        assert client.append("INBOX", exact)[0].startswith("OK")
        assert client.append("INBOX", beyond)[0].startswith("NO [TOOBIG]")
        client.send(f"a1 APPEND INBOX {{{size + 1}}}\r\n")
        assert client.line().startswith("a1 NO [TOOBIG]")
        assert len(client.ok("FETCH 1 BODY.PEEK[]")[0]) > size
    with Imap("127.0.0.1", server.lmtp_port) as lmtp:
        lmtp.line()
        lmtp.send("LHLO x\r\n")
        while not lmtp.line().startswith("250 "):
            pass
        for body, code in ((exact, "250"), (beyond, "552 5.3.4"), (exact, "250")):
            lmtp.send(f"MAIL FROM:<a@example.org>\r\nRCPT TO:<{account[0]}>\r\nDATA\r\n")
            assert [lmtp.line()[:3] for _ in range(3)] == ["250", "250", "354"]
            lmtp.send(body + b".\r\n")
            assert lmtp.line().startswith(code)


def test_lmtp_recipients(server):
    """A thousand recipients of one transaction, each with its reply; one more is refused for now."""
    account = server.fresh_account()
    user, domain = account[0].split("@")
    with Imap("127.0.0.1", server.lmtp_port) as lmtp:
        lmtp.line()
        lmtp.send("LHLO x\r\nMAIL FROM:<a@example.org>\r\n")
        while not lmtp.line().startswith("250 2.1.0"):
            pass
        lmtp.send("".join(f"RCPT TO:<{user}+{n}@{domain}>\r\n" for n in range(1001)))
        assert {lmtp.line()[:3] for _ in range(1000)} == {"250"}
        assert lmtp.line().startswith("452 4.5.3")
        lmtp.send("DATA\r\n")
        assert lmtp.line().startswith("354")
        lmtp.send("Subject: to many\r\n\r\nx\r\n.\r\n")
        assert {lmtp.line()[:3] for _ in range(1000)} == {"250"}
    with selected(server, account) as client:
        (status,) = client.ok("STATUS INBOX (MESSAGES)")
        assert "MESSAGES 1000" in status


LMTP = {
    "line of 1 MiB": b"LHLO " + b"x" * MIB + b"\r\n",
    "NULs": b"\0" * 100 + b"\r\n",
    "NUL in an address": b"MAIL FROM:<a\0b@example.org>\r\n",
    "address of 1000 bytes": b"MAIL FROM:<" + b"a" * 1000 + b"@example.org>\r\n",
    "eight-bit bytes": b"\xff\xfe\xfd\r\n",
    "HTTP": b"POST / HTTP/1.1\r\nHost: x\r\n\r\n",
    "parameters": b"MAIL FROM:<a@example.org>" + b" X=Y" * 400 + b"\r\n",
}


@pytest.mark.parametrize("text", LMTP.values(), ids=LMTP.keys())
def test_malformed_lmtp(server, text):
    with Imap("127.0.0.1", server.lmtp_port) as lmtp:
        lmtp.line()
        lmtp.send("LHLO x\r\n")
        while not lmtp.line().startswith("250 "):
            pass
        try:
            lmtp.send(text)
            assert re.match(r"[45]\d\d[ -]\d\.\d\.\d ", lmtp.line())
        except ConnectionError:
            pass


def test_lmtp_timeout(limited):
    """A peer that stops in the middle is told so; nothing is delivered."""
    server = limited(lmtp_timeout=1)
    account = server.fresh_account()
    silent, half = (Imap("127.0.0.1", server.lmtp_port) for _ in range(2))
    half.send(f"LHLO x\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<{account[0]}>\r\nDATA\r\nSubject:")
    for client in (silent, half):
        last = closes(client)
        assert last.startswith("421 4.4.2") and "lmtp_timeout" in last
        client.close()
    with selected(server, account) as client:
        assert client.uids() == []


def test_idle_timeout(limited):
    """A session without a command ends, with the limit's name."""
    server = limited(idle_timeout=1)
    account = server.fresh_account()
    client, idling = selected(server, account), selected(server, account)
    idling.send("a1 IDLE\r\n")
    for one in (client, idling):
        last = closes(one)
        assert last.startswith("* BYE") and "idle_timeout" in last
        one.close()


def test_write_timeout(limited):
    """A client that asks for a big mailbox and never reads: bounded memory, then it is dropped."""
    server = limited(write_timeout=2, session_processes=1)
    account = server.fresh_account()
    for _ in range(16):
        server.deliver(message(body="x" * 78 + "\r\n" + ("y" * 76 + "\r\n") * 50000), account[0])
    before = resident(server)
    most = before
    with selected(server, account) as client:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.send("a1 FETCH 1:* BODY.PEEK[]\r\na2 FETCH 1:* BODY.PEEK[]\r\n")
        deadline = time.monotonic() + 15
        while server.json("status")["counters"]["session_open"] > 0:
            most = max(most, resident(server))
            assert time.monotonic() < deadline, "the client is still served"
            time.sleep(0.1)
    print(f"RSS {before >> 20} MiB before, {most >> 20} MiB at most, for 61 MiB asked for")
    assert most - before < 24 * MIB
    server.wait_for_log("write_timeout")


def test_account_connections(limited):
    """One account cannot take all streams."""
    server = limited(account_connections=3, session_processes=1)
    account = server.fresh_account()
    clients = [server.imap(account) for _ in range(3)]
    with server.imap() as beyond:
        beyond.send(f'a1 LOGIN "{account[0]}" "{account[1]}"\r\n')
        assert re.match(r"a1 NO \[(LIMIT|UNAVAILABLE|INUSE)\]|\* BYE", beyond.line())
    server.imap(server.fresh_account()).close()
    for client in clients:
        client.ok("NOOP")
    clients.pop().close()

    def room():
        try:
            with server.imap() as client:
                return client.command(f'LOGIN "{account[0]}" "{account[1]}"')[0].startswith("OK")
        except OSError:
            return False
    wait_until(room)
    for client in clients:
        client.close()


def test_session_connections(limited):
    """Beyond the limit streams are refused for now: LMTP and IMAP."""
    server = limited(session_connections=4, session_processes=1)
    account = server.fresh_account()
    clients = [server.imap(account) for _ in range(4)]
    with Imap("127.0.0.1", server.lmtp_port) as beyond:
        assert beyond.line().startswith("421 4.")
    with server.imap() as beyond:
        beyond.send(f'a1 LOGIN "{account[0]}" "{account[1]}"\r\n')
        assert re.match(r"a1 NO \[(LIMIT|UNAVAILABLE|INUSE)\]|\* BYE", beyond.line())
    for client in clients:
        client.ok("NOOP")
        client.close()
    assert server.json("status")["counters"]["session_refused"] >= 1


def test_command_memory(limited):
    """A command that wants more is answered with its error; the session goes on."""
    server = limited(command_memory=65536)
    with selected(server) as client:
        client.append("INBOX", message())
        client.send("a1 UID FETCH " + ",".join(str(n) for n in range(1, 12000)) + " UID\r\n")
        assert re.match(r"a1 (NO \[LIMIT\]|BAD) ", client.line())
        client.send("a2 SEARCH " + "SUBJECT x " * 999 + "ALL\r\n")
        assert re.match(r"a2 (NO \[LIMIT\]|BAD) ", client.line())
        client.ok("FETCH 1 ENVELOPE")


def test_open_accounts(limited):
    """More accounts than are kept open are served all the same."""
    server = limited(open_accounts=2, session_processes=1)
    accounts = [server.fresh_account() for _ in range(6)]
    for account in accounts * 2:
        server.deliver(message(), account[0])
        with selected(server, account) as client:
            assert client.uids()
    wait_until(lambda: server.json("status")["counters"]["store_open_accounts"] <= 2)


def test_keywords_maximum(server):
    """KEYWORDS_MAXIMUM: a mailbox takes 128 keywords; one more is refused."""
    with selected(server) as client:
        client.append("INBOX", message())
        client.ok("NOOP")
        for part in range(0, 128, 64):
            words = " ".join(f"k{number}" for number in range(part, part + 64))
            client.ok(f"STORE 1 +FLAGS ({words})")
        status, _ = client.command("STORE 1 +FLAGS (k128)")
        assert status.startswith("NO [LIMIT]")
        client.ok("STORE 1 +FLAGS (k1)")


def test_many_clients_at_once(server):
    """A hundred clients, each doing everything once, in ten threads."""
    account = server.fresh_account()
    problems = []

    def work():
        try:
            for _ in range(10):
                with selected(server, account) as client:
                    client.append("INBOX", message())
                    client.ok("NOOP")
                    client.ok("FETCH * (FLAGS ENVELOPE)")
                    client.ok("STORE * +FLAGS (\\Seen)")
                    client.ok("SEARCH TEXT hello")
        except Exception as problem:  # noqa: BLE001: told by the test
            problems.append(problem)
    threads = [threading.Thread(target=work) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    with selected(server, account) as client:
        assert client.uids() == list(range(1, 101))


def test_passwords_at_once(server, unharmed):
    """Two questions at once have a connection each to the credentials; both are kept, no more."""
    fresh = server.fresh_account()
    (auth,) = server.children("chapar-auth")
    file = server.directory / "data" / "auth" / "credentials.db"
    for number in range(5):
        other = sqlite3.connect(f"file:{file}?mode=rw", uri=True, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        # This one holds a connection until it may write, while logins that nobody remembers read.
        change = threading.Thread(target=server.run, args=("account", "password", fresh[0]),
                                  kwargs={"text": f"another horse battery {number}\n"})
        change.start()
        most = 0
        while most < CREDENTIALS_FILES_MAXIMUM and change.is_alive():
            with server.imap() as client:
                assert client.command(f'LOGIN "{fresh[0]}" "wrong horse"')[0].startswith("NO")
            most = len(credentials_files(auth))
        other.execute("ROLLBACK")
        other.close()
        change.join()
        assert most == CREDENTIALS_FILES_MAXIMUM, "they were not at once"
        wait_until(unharmed.no_leak)
        server.imap((fresh[0], f"another horse battery {number}")).close()


# --- the quota of a new account ---

def test_quota_messages(tmp_path):
    """One message too many is refused for now; the account is told the same by IMAP."""
    server = Server(tmp_path / "server")
    server.configure(quota_messages=1)
    server.start()
    account = server.add_account("alice")
    assert not server.deliver(message("the last"), account[0])
    refused = server.deliver(message("one too many"), account[0])
    assert refused[account[0]].startswith("452 4.2.2"), refused
    with server.imap(account) as client:
        status, _ = client.command("APPEND INBOX", literal=message("by IMAP"))
        assert status.startswith("NO [OVERQUOTA]"), status
    server.stop()
    server.check_log()


def test_quota_storage(tmp_path):
    """Bytes of messages: what fits is taken, what does not is not."""
    server = Server(tmp_path / "server")
    server.configure(quota_storage=4096)
    server.start()
    account = server.add_account("alice")
    refused = server.deliver(message("too large", body="x" * 70 + "\r\n" * 2200), account[0])
    assert refused[account[0]].startswith("452 4.2.2"), refused
    assert not server.deliver(message("small"), account[0])
    server.stop()
    server.check_log()
