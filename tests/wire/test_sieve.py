"""chapar sieve: scripts checked and tried without a server."""

import json

import pytest

from harness.server import Server

DONE, FAILED, USAGE, MISSING = range(4)

SCRIPT = '''require ["fileinto", "imap4flags"];
if header :contains "subject" "hi" {
    fileinto :flags "\\\\Seen" "friends";
} else {
    redirect "other@example.net";
}
'''
MESSAGE = "From: alice@example.com\r\nTo: bob@example.org\r\nSubject: {}\r\n\r\nHello\r\n"


@pytest.fixture
def house(tmp_path):
    """The command, and files to try."""
    (tmp_path / "script.sieve").write_text(SCRIPT)
    (tmp_path / "hi.eml").write_text(MESSAGE.format("hi"))
    (tmp_path / "no.eml").write_text(MESSAGE.format("no"))
    return Server(tmp_path / "offline"), tmp_path


def sieve(house, *arguments):
    return house[0].run("sieve", *arguments, configured=False, check=False)


def test_check_finds_nothing(house):
    result = sieve(house, "check", house[1] / "script.sieve")
    assert result.returncode == DONE
    assert "no error found" in result.stdout


def test_check_says_where(house):
    (house[1] / "bad.sieve").write_text('keep;\n  explode;\nfileinto "a";\n')
    result = sieve(house, "check", house[1] / "bad.sieve")
    assert result.returncode == FAILED
    assert 'bad.sieve:2:3: there is no command "explode"' in result.stdout
    assert 'bad.sieve:3:1: "fileinto" needs: require "fileinto"' in result.stdout


def test_check_in_json(house):
    (house[1] / "bad.sieve").write_text("explode;\n")
    result = house[0].run("--json", "sieve", "check", house[1] / "bad.sieve", configured=False,
                          check=False)
    assert result.returncode == FAILED
    value = json.loads(result.stdout)
    assert value["valid"] is False
    assert value["problems"] == [{"warning": False, "line": 1, "column": 1,
                                  "text": 'there is no command "explode"'}]


def test_check_of_no_file(house):
    assert sieve(house, "check", house[1] / "none.sieve").returncode == MISSING
    assert sieve(house, "check").returncode == USAGE


def test_run_shows_each_step(house):
    result = sieve(house, "run", house[1] / "script.sieve", house[1] / "hi.eml")
    assert result.returncode == DONE
    assert result.stdout.splitlines() == [
        "line 2: header: true", 'line 3: fileinto "friends"',
        "=> file into friends, with flags \\Seen"]


def test_run_takes_the_other_branch(house):
    result = sieve(house, "run", house[1] / "script.sieve", house[1] / "no.eml")
    assert result.stdout.splitlines()[-1] == "=> redirect to other@example.net"


def test_run_knows_the_envelope(house):
    (house[1] / "script.sieve").write_text(
        'require "envelope"; if envelope "from" "x@y.example" { discard; }')
    arguments = ["run", house[1] / "script.sieve", house[1] / "hi.eml"]
    assert "=> keep in the inbox" in sieve(house, *arguments).stdout
    assert "=>" not in sieve(house, *arguments, "--from", "x@y.example").stdout


def test_run_includes_what_is_beside_it(house):
    (house[1] / "script.sieve").write_text('require "include"; include "more";')
    (house[1] / "more.sieve").write_text("discard;")
    result = sieve(house, "run", house[1] / "script.sieve", house[1] / "hi.eml")
    assert result.returncode == DONE
    assert 'include "more"' in result.stdout and "=>" not in result.stdout


def test_run_keeps_after_an_error(house):
    (house[1] / "script.sieve").write_text('require "include"; include "../passwd"; discard;')
    result = sieve(house, "run", house[1] / "script.sieve", house[1] / "hi.eml")
    assert result.returncode == FAILED
    assert 'there is no script "../passwd"; the message is kept' in result.stdout
    assert "=> keep in the inbox" in result.stdout


def test_run_in_json(house):
    result = house[0].run("--json", "sieve", "run", house[1] / "script.sieve",
                          house[1] / "hi.eml", configured=False, check=False)
    value = json.loads(result.stdout)
    assert value["failed"] is False
    assert value["actions"] == [{"action": "file into", "line": 3, "target": "friends", "text": "",
                                 "flags": ["\\Seen"]}]
