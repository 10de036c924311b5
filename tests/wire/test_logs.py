"""What a support person finds in the log: how a session ended, and where a slow command's time went."""

import re
import time

from harness.server import message


def ends(server, protocol):
    """The fields of each stream_end of a protocol, as dictionaries."""
    server.wait_for_log(f"stream_end protocol={protocol}")
    return [dict(re.findall(r'(\w+)=("[^"]*"|\S+)', line)) for line in server.log().splitlines()
            if f"stream_end protocol={protocol}" in line]


def test_how_a_session_ended(server):
    server.start()
    account = server.add_account("alice")
    for subject in ("one", "two", "three"):
        assert not server.deliver(message(subject), account[0])
    with server.imap(account) as client:
        client.ok("SELECT INBOX")
        client.ok("FETCH 1:2 (BODY.PEEK[])")
        client.ok("COPY 1 Archive")
        client.ok("STORE 1:2 +FLAGS (\\Deleted)")
        client.ok("EXPUNGE")
        text = "Subject: four\r\n\r\n"
        client.ok(f"APPEND INBOX {{{len(text)}+}}\r\n{text}")
        client.ok("LOGOUT")
    end = ends(server, "imap")[-1]
    assert end["user"] == "alice@example.test" and end["client"] == "127.0.0.1"
    assert end["tls"].startswith('"TLSv1') and end["reason"] == "logout"
    assert (end["fetched"], end["stored"], end["expunged"]) == ("2", "2", "2")
    assert int(end["commands"]) >= 7
    assert int(end["bytes_in"]) > 100 and int(end["bytes_out"]) > 300
    assert 0 <= int(end["run_ms"]) <= int(end["duration_ms"])
    assert int(end["gate_ms"]) == int(end["peer_ms"]) == 0

    client = server.pop3(account)
    client.retr(1)
    client.dele(1)
    client.quit()
    end = ends(server, "pop3")[-1]
    assert (end["fetched"], end["stored"], end["expunged"]) == ("1", "0", "1")

    assert sum(int(end["stored"]) for end in ends(server, "lmtp")) == 3


def test_a_slow_command(server):
    """A freeze is what a change waited for, not the store."""
    server.configure(slow_command=1)
    server.start()
    account = server.add_account("alice")
    server.deliver(message("one"), account[0])
    with server.imap(account) as client:
        client.ok("SELECT INBOX")
        client.ok("FETCH 1 FLAGS")
        server.run("freeze", "--timeout", "1.5")
        client.ok("STORE 1 +FLAGS (\\Flagged)")
    server.wait_for_log("event=slow_command")
    line = next(line for line in server.log().splitlines() if "event=slow_command" in line)
    fields = dict(re.findall(r"(\w+)=(\S+)", line))
    assert fields["command"] == "STORE" and fields["user"] == "alice@example.test"
    assert int(fields["gate_ms"]) >= 900 and int(fields["run_ms"]) < 500
    assert int(fields["total_ms"]) >= 1000
    assert server.log().count("event=slow_command") == 1


def test_slow_command_can_be_off(server):
    """And a client that takes its time with a message is not the server's slowness."""
    server.configure(slow_command=0)
    server.start()
    account = server.add_account("alice")
    server.deliver(message("one"), account[0])
    with server.imap(account) as client:
        client.ok("SELECT INBOX")
        server.run("freeze", "--timeout", "1.2")
        client.ok("STORE 1 +FLAGS (\\Flagged)")
    assert "event=slow_command" not in server.log()
    server.stop()
    server.configure(slow_command=1)
    server.start()
    with server.imap(account) as client:
        client.send("a1 APPEND INBOX {4+}\r\nA: ")
        time.sleep(1.3)
        client.send("b\r\n")
        client.wait_for("a1 OK")
    assert "event=slow_command" not in server.log()
