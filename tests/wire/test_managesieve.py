"""ManageSieve beyond single dialogues: limits, large scripts, a freeze, and what is logged."""

import time

import pytest

from harness.managesieve import Managesieve, literal, quoted
from harness.server import message
from harness.wait import wait_until

KIB = 1024
SCRIPT_MAXIMUM = 256 * KIB


def comment(size):
    """A script of so many bytes."""
    lines = size // 80
    text = ("#" + "x" * 77 + "\r\n") * lines
    return (text + "#" + "x" * 80)[:size - 2] + "\r\n"


def read_all(client):
    data = client.pending
    try:
        while piece := client.socket.recv(65536):
            data += piece
    except ConnectionError:
        pass
    return data.decode()


def test_a_script_comes_back_as_it_was(shared_server, account):
    """Byte for byte, up to the largest there can be."""
    scripts = {"plain": "keep;", "quote": '# "é\\\r\nkeep;\r\n', "bare": "keep;\nstop;\n",
               "large": comment(SCRIPT_MAXIMUM)}
    with shared_server.managesieve(account) as client:
        for name, script in scripts.items():
            assert client.put(name, script).startswith("OK"), name
        assert client.list() == dict.fromkeys(sorted(scripts), False)
    with shared_server.managesieve(account) as client:
        for name, script in scripts.items():
            assert client.get(name) == script.encode()


def test_accounts_have_scripts_of_their_own(shared_server, account):
    other = shared_server.fresh_account()
    with shared_server.managesieve(account) as client, shared_server.managesieve(other) as second:
        client.put("mine", "keep;")
        client.ok('SETACTIVE "mine"')
        assert second.list() == {}
        assert second.put("mine", "discard;").startswith("OK")
        assert client.list() == {"mine": True} and second.list() == {"mine": False}
        assert client.get("mine") == b"keep;"


def test_scripts_have_limits(shared_server, account):
    """SCRIPT_TEXT_MAXIMUM, SCRIPTS_TEXT_MAXIMUM, SCRIPT_NAME_MAXIMUM, and what is over the line's
    own limit is passed over; after each the session goes on."""
    with shared_server.managesieve(account) as client:
        too_large = "NO (QUOTA/MAXSIZE)"
        assert client.put("a", comment(SCRIPT_MAXIMUM + 1)).startswith(too_large)
        assert client.put("a", comment(1024 * KIB + 513)).startswith(too_large)
        assert client.put("a", comment(5 * 1024 * KIB)).startswith(too_large)
        assert client.command(f'HAVESPACE "a" {SCRIPT_MAXIMUM + 1}')[0].startswith(too_large)
        assert client.command(f'HAVESPACE "a" {SCRIPT_MAXIMUM}')[0].startswith("OK")
        # RFC 5804 section 2.12: what is only checked may be larger.
        client.ok("CHECKSCRIPT", literal(comment(SCRIPT_MAXIMUM + 1)))
        name = "é" * 256
        assert client.put(name, "keep;").startswith("OK")
        assert client.put(name + "x", "keep;").startswith('NO "A script cannot have that name"')
        for number in range(3):
            assert client.put(f"large{number}", comment(SCRIPT_MAXIMUM)).startswith("OK")
        assert client.put("large3", comment(SCRIPT_MAXIMUM)).startswith(too_large)
        assert client.put("large2", comment(SCRIPT_MAXIMUM)).startswith("OK")
        assert set(client.list()) == {name, "large0", "large1", "large2"}


def test_there_are_so_many_scripts_at_most(shared_server, account):
    """SCRIPTS_MAXIMUM."""
    with shared_server.managesieve(account) as client:
        for number in range(64):
            assert client.put(f"s{number:02}", "keep;").startswith("OK")
        assert client.put("one more", "keep;").startswith("NO (QUOTA/MAXSCRIPTS)")
        assert client.command('HAVESPACE "one more" 5')[0].startswith("NO (QUOTA/MAXSCRIPTS)")
        assert client.put("s63", "discard;").startswith("OK")
        client.ok('DELETESCRIPT "s00"')
        assert client.put("one more", "keep;").startswith("OK")


def test_lines_have_a_limit(shared_server, account):
    """MANAGESIEVE_LINE_MAXIMUM and MANAGESIEVE_SKIP_MAXIMUM, before login and after it; a literal
    that is too large for anything ends it before it has come."""
    for who in None, account:
        with shared_server.managesieve(who) as client:
            client.ok("NOOP", quoted("x" * 1024))
            assert client.command("NOOP", quoted("x" * 1025))[0] == 'NO "The tag is too long"'
            client.send("NOOP " + "x" * 4092)
            assert read_all(client) == 'BYE "The line is too long"\r\n'
        with shared_server.managesieve(who) as client:
            client.send(f"NOOP {{{16 * KIB * KIB + 1}+}}\r\n")
            assert read_all(client) == 'BYE "The string is too long"\r\n'


def test_a_response_has_a_limit(shared_server):
    """MANAGESIEVE_LOGIN_LITERALS_MAXIMUM."""
    with shared_server.managesieve() as client:
        status, _ = client.command('AUTHENTICATE "PLAIN"', literal("A" * 4097))
        assert status == 'NO "The string is too long"'
        status, _ = client.command('AUTHENTICATE "PLAIN"', literal("A" * 4096))
        assert status == 'NO "Authentication failed"'


def test_a_silent_session_ends(server):
    """idle_timeout, which RFC 5804 section 1.2 wants to be 30 minutes or more."""
    server.configure(idle_timeout=1)
    server.start()
    client = server.managesieve(server.add_account("alice"))
    client.socket.settimeout(10)
    assert read_all(client) == 'BYE "Too long without a command"\r\n'
    server.wait_for_log("stream_end .*protocol=managesieve .*reason=idle_timeout")


def test_a_shutdown_is_told(server):
    server.start()
    client = server.managesieve(server.add_account("alice"))
    server.stop()
    assert read_all(client) == 'BYE (TRYLATER) "The server is shutting down"\r\n'


def test_a_login_has_a_time_limit(server):
    server.configure(login_timeout=1)
    server.start()
    with server.managesieve(tls=False) as client:
        start = time.monotonic()
        assert read_all(client) == 'BYE "Not logged in in time"\r\n'
        assert time.monotonic() - start < 5


def test_failed_logins_have_a_limit(server):
    """login_attempts; RFC 5804 section 2.1 has the example."""
    server.configure(login_attempts=3)
    server.start()
    with server.managesieve() as client:
        for _ in range(2):
            assert client.command('AUTHENTICATE "PLAIN" "AGEAeA=="')[0].startswith("NO")
        client.send('AUTHENTICATE "PLAIN" "AGEAeA=="\r\n')
        assert read_all(client).endswith('BYE "Too many failed logins"\r\n')


def log_in(server, account):
    """None while the server still counts a connection that has just been closed."""
    try:
        return server.managesieve(account)
    except (ConnectionError, AssertionError):
        return None


def test_too_many_connections_are_told(server):
    server.configure(login_client_connections=1, account_connections=1)
    server.start()
    account = server.add_account("alice")
    with server.managesieve(tls=False), Managesieve(server.sieve_port) as second:
        assert read_all(second).startswith("BYE (TRYLATER)")
    first = wait_until(lambda: log_in(server, account))
    with pytest.raises(AssertionError, match=r'BYE \(TRYLATER\) "Too many connections"'):
        server.managesieve(account)
    first.ok("NOOP")
    first.close()


def test_plaintext_login_can_be_permitted(server):
    server.configure(plaintext_login=True)
    server.start()
    account = server.add_account("alice")
    with server.managesieve(account, tls=False) as client:
        assert client.capabilities["SASL"] == "SCRAM-SHA-256 PLAIN" and "STARTTLS" in client.capabilities
        client.put("a", "keep;")
        client.ok("CAPABILITY")
    # Without a certificate there is no STARTTLS, and where passwords are refused no mechanism.
    server.stop()
    server.configure(plaintext_login=False, tls_certificate="", tls_key="")
    with open(server.config, "a") as file:
        file.write("imaps_listen = {}\npop3s_listen = {}\nlmtp_remote_listen = {}\n")
    server.start()
    with server.managesieve(tls=False) as client:
        assert not {"SASL", "STARTTLS"} & client.capabilities.keys()


def test_a_freeze_delays_changes_only(server):
    server.start()
    account = server.add_account("alice")
    with server.managesieve(account) as client, server.managesieve(account) as reader:
        client.put("a", "keep;")
        server.run("freeze", "--timeout", "2s")
        start = time.monotonic()
        client.send(b'PUTSCRIPT "a" "discard;"\r\nGETSCRIPT "a"\r\n')
        reader.ok("CHECKSCRIPT", literal("keep;"))
        assert reader.get("a") == b"keep;"
        assert time.monotonic() - start < 1
        assert client.answer()[0].startswith("OK")
        assert time.monotonic() - start > 1
        assert client.answer()[1] == ['"discard;"']
        assert server.run("thaw", check=False).returncode == 1


def test_changes_are_logged(server):
    """Scripts decide where mail goes: who changed them can be found out."""
    server.start()
    account = server.add_account("alice")
    with server.managesieve(account) as client:
        client.put("a b", "keep;")
        client.ok('SETACTIVE "a b"')
        client.ok('RENAMESCRIPT "a b" "c"')
        client.ok('SETACTIVE ""')
        client.ok('DELETESCRIPT "c"')
        client.command('DELETESCRIPT "c"')
        client.ok("LOGOUT")
    server.wait_for_log("stream_end .*protocol=managesieve .*user=alice@example.test .*commands=7")
    for event, script in (("put", '"a b"'), ("active", '"a b"'), ("renamed", "c"), ("deleted", "c")):
        server.wait_for_log(f"script_{event} .*user=alice@example.test .*script={script}")
    assert server.log().count("script_deleted") == 1
    counters = server.json("status")["counters"]
    assert counters["managesieve_commands"] == 7 and counters["managesieve_errors"] == 0


def test_a_script_decides_where_mail_goes(shared_server, account):
    """The active one, as soon as it is, and none when none is."""
    def mailboxes():
        found = {}
        with shared_server.imap(account) as reader:
            for mailbox in "INBOX", "Archive":
                reader.ok(f"SELECT {mailbox}")
                found[mailbox] = len(reader.uids())
        return found

    with shared_server.managesieve(account) as client:
        assert client.put("file", 'require "fileinto"; fileinto "Archive";').startswith("OK")
        shared_server.deliver(message(), account[0])
        assert mailboxes() == {"INBOX": 1, "Archive": 0}
        client.ok('SETACTIVE "file"')
        shared_server.deliver(message(), account[0])
        assert mailboxes() == {"INBOX": 1, "Archive": 1}
        client.put("file", "keep;")
        shared_server.deliver(message(), account[0])
        assert mailboxes() == {"INBOX": 2, "Archive": 1}
        client.put("file", 'require "fileinto"; fileinto "Archive";')
        client.ok('SETACTIVE ""')
        shared_server.deliver(message(), account[0])
        assert mailboxes() == {"INBOX": 3, "Archive": 1}


def test_unauthenticate_without_tls(server):
    """RFC 5804 section 2.14.1: the plain connection itself goes back; STARTTLS may follow."""
    server.configure(plaintext_login=True, login_timeout=2)
    server.start()
    account, other = server.add_account("alice"), server.add_account("bob")
    with server.managesieve(account, tls=False) as client:
        client.put("a", "keep;")
        client.ok("UNAUTHENTICATE")
        client.starttls(server.tls_context())
        client.greet()
        assert client.capabilities["SASL"] == "SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN"
        client.login(*other)
        assert client.list() == {}
        client.ok("UNAUTHENTICATE")
        assert read_all(client) == 'BYE "Not logged in in time"\r\n'
    server.wait_for_log("stream_end .*user=alice@example.test .*reason=unauthenticated")


def test_unauthenticate_leaves_little_behind(server):
    """STREAM_BACK_INPUT_MAXIMUM: OK or BYE, whatever came behind it; no connection stays open."""
    server.start()
    account = server.add_account("alice")
    for tls in True, False:
        server.configure(plaintext_login=not tls)
    server.stop()
    server.start()
    for tls in True, False:
        with server.managesieve(account, tls=tls) as client:
            client.send("UNAUTHENTICATE\r\n" + "NOOP\r\n" * 3000)
            assert client.line() == 'OK "Logged out"'
            answers = read_all(client).splitlines()
            assert answers[-1] == "BYE (TRYLATER) \"Too many connections\"" or len(answers) == 3000
        wait_until(lambda: server.json("status")["counters"]["session_open"] == 0)
        wait_until(lambda: server.json("status")["counters"]["login_open"] == 0)
