"""Messages that a script has put to sleep (draft-ietf-extra-sieve-snooze-07): where they lie, and that
they wake in time, once, whatever becomes of the server meanwhile."""

import datetime
import re
import time

import pytest

from harness.server import Server, message
from harness.wait import wait_until


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Two chapar-session processes: each looks for what is due."""
    server = Server(tmp_path_factory.mktemp("snooze"))
    server.configure(session_processes=2, outgoing_server="")
    server.start()
    yield server
    server.stop()
    server.check_log()


def at(seconds):
    """So many seconds from now, as a script says it; scripts run in UTC."""
    then = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return then.strftime("%H:%M:%S")


def script(server, account, text):
    server.run("sieve", "put", "--activate", account[0], "rules", "-", text=text)


def subjects(server, account, mailbox="INBOX"):
    with server.imap(account) as client:
        client.ok(f'EXAMINE "{mailbox}"')
        found = "\n".join(client.ok("UID FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT)]")) \
            if client.uids() else ""
        return re.findall(r"Subject: (\S*)", found)


def test_asleep_and_awake(pair):
    """It lies in a mailbox that LIST shows as \\Snoozed, and moves: IDLE tells of both, at once."""
    alice = pair.fresh_account()
    script(pair, alice, r'''require ["snooze", "imap4flags", "mailbox"]; addflag "\\Seen";
           snooze :mailbox "Later" :create :addflags ["\\Flagged", "$Awake"] :removeflags "\\Seen" "%s";'''
           % at(6))
    pair.deliver(message("x"), alice[0])
    assert subjects(pair, alice, "Snoozed") == ["x"] and subjects(pair, alice) == []
    with pair.imap(alice) as client, pair.imap(alice) as other:
        assert any(r"\Snoozed" in line and "Snoozed" in line.split()[-1]
                   for line in client.ok('LIST (SPECIAL-USE) "" *'))
        assert any("Snoozed" in line for line in client.ok('LSUB "" *'))
        client.ok("SELECT Snoozed")
        assert r"FLAGS (\Seen)" in "".join(client.ok("FETCH 1 FLAGS")).replace(r"\Recent ", "") \
            .replace(r" \Recent", "")
        before = "".join(client.ok("FETCH 1 INTERNALDATE"))
        other.ok("NOTIFY SET (personal (MessageNew MessageExpunge))")
        client.send(b"i IDLE\r\n")
        client.wait_for(r"\+")
        client.wait_for(r"\* 1 EXPUNGE", 20)
        woken = time.time()
        client.send(b"DONE\r\n")
        client.finish("i")
        other.wait_for(r"\* STATUS .?Later.? ", 5)
        client.ok("SELECT Later")
        lines = "".join(client.ok("FETCH 1 (FLAGS INTERNALDATE SAVEDATE)"))
    assert set(re.search(r"FLAGS \((.*?)\)", lines)[1].split()) - {r"\Recent"} == \
        {r"\Flagged", "$Awake"}
    assert re.search(r'INTERNALDATE "[^"]*"', before)[0] in lines
    saved = re.search(r'SAVEDATE "([^"]*)"', lines)[1]
    saved = datetime.datetime.strptime(saved.strip(), "%d-%b-%Y %H:%M:%S %z").timestamp()
    assert abs(saved - woken) < 5
    assert subjects(pair, alice, "Later") == ["x"] and subjects(pair, alice, "Snoozed") == []


def test_many_accounts_each_once(pair):
    """Both processes see that they are due; each message wakes once."""
    accounts = [pair.fresh_account() for _ in range(6)]
    for account in accounts:
        script(pair, account, f'require "snooze"; snooze "{at(10)}";')
        for number in range(3):
            pair.deliver(message(f"x{number}"), account[0])
    before = pair.json("status")["counters"]["snooze_woken"]
    for account in accounts:
        wait_until(lambda: len(subjects(pair, account)) == 3, seconds=40)
    assert sorted(subjects(pair, accounts[0])) == ["x0", "x1", "x2"]
    time.sleep(2)
    for account in accounts:
        assert len(subjects(pair, account)) == 3
        assert subjects(pair, account, "Snoozed") == []
    assert pair.json("status")["counters"]["snooze_woken"] - before <= 18


def test_a_mailbox_of_that_name(pair):
    """One that has the name and not the use is left alone."""
    alice = pair.fresh_account()
    with pair.imap(alice) as client:
        client.ok("CREATE Snoozed")
    script(pair, alice, f'require "snooze"; snooze "{at(4000)}";')
    pair.deliver(message("x"), alice[0])
    assert subjects(pair, alice, "Snoozed") == []
    assert subjects(pair, alice, "Snoozed 2") == ["x"]


def test_when_it_cannot_be_made(pair):
    """It is kept, and the owner is told."""
    alice = pair.fresh_account()
    script(pair, alice, f'require "snooze"; snooze "{at(4000)}";')
    pair.run("quota", "set", alice[0], "mailbox", "1")
    pair.deliver(message("x"), alice[0])
    assert "x" in subjects(pair, alice)
    pair.wait_for_log(r"the mailbox for snoozed messages cannot be made")


def test_event(pair):
    """At an IMAP event a copy sleeps (draft section 8.2)."""
    alice = pair.fresh_account()
    pair.run("sieve", "put", alice[0], "later", "-",
             text=f'require ["imapsieve", "snooze"]; snooze :mailbox "Work" "{at(4000)}"; keep;')
    with pair.imap(alice) as client:
        client.ok("CREATE Work")
        client.ok('SETMETADATA Work (/shared/imapsieve/script "later")')
        client.ok("APPEND Work {15+}\r\nSubject: x\r\n\r\ny")
    assert subjects(pair, alice, "Work") == ["x"]
    assert subjects(pair, alice, "Snoozed") == ["x"]


def test_capability(pair):
    alice = pair.fresh_account()
    with pair.managesieve(alice) as client:
        assert "snooze" in client.capabilities["SIEVE"].split()


def test_killed(server):
    """Across a kill -9 and a restart in which its time passes: asleep before, awake after, once."""
    server.configure(session_processes=2, outgoing_server="")
    server.start()
    alice = server.fresh_account()
    script(server, alice, f'require "snooze"; snooze "{at(9)}";')
    for number in range(5):
        server.deliver(message(f"x{number}"), alice[0])
    assert len(subjects(server, alice, "Snoozed")) == 5
    server.kill_all()
    time.sleep(10)
    server.start()
    wait_until(lambda: len(subjects(server, alice)) == 5, seconds=40)
    assert subjects(server, alice, "Snoozed") == []
    assert server.run("check", alice[0]).returncode == 0


def test_killed_while_waking(server):
    """Killed as they wake, again and again: each is in one of the two, and in the end awake."""
    server.configure(session_processes=2, outgoing_server="")
    server.start()
    alice = server.fresh_account()
    script(server, alice, f'require "snooze"; snooze "{at(8)}";')
    for number in range(60):
        server.deliver(message(f"x{number}"), alice[0])
    everything = sorted(f"x{number}" for number in range(60))
    for _ in range(3):
        time.sleep(2)
        server.kill_all()
        server.start()
        awake, asleep = subjects(server, alice), subjects(server, alice, "Snoozed")
        assert len(awake) + len(asleep) >= 60 and set(awake) | set(asleep) == set(everything)
    wait_until(lambda: sorted(subjects(server, alice)) == everything, seconds=60)
    assert subjects(server, alice, "Snoozed") == []
    assert server.run("check", alice[0]).returncode == 0
