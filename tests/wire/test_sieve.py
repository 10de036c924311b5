"""chapar sieve: scripts checked and tried without a server, and stored with and without one."""

import json

import pytest

from harness.server import Server

DONE, FAILED, USAGE, MISSING, EXISTS = range(5)

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


def test_run_shows_what_replace_and_enclose_make(house):
    (house[1] / "script.sieve").write_text(
        'require ["replace", "enclose", "foreverypart", "mime"];\n'
        'foreverypart {\n'
        '    if header :mime :anychild :contenttype "Content-Type" "text/html" {\n'
        '        replace "gone";\n'
        '    }\n'
        '}\n'
        'enclose :subject "Look" "out";\n')
    (house[1] / "html.eml").write_text(
        "From: a@example.com\r\nSubject: s\r\nContent-Type: text/html\r\n\r\n<b>x</b>\r\n")
    arguments = ["run", house[1] / "script.sieve", house[1] / "html.eml"]
    assert sieve(house, *arguments).stdout.splitlines() == [
        "line 3: header: true", "line 4: replace: the message", "line 7: enclose",
        "=> keep in the inbox"]
    shown = sieve(house, *arguments, "--messages").stdout
    assert "Subject: Look" in shown and "\n\ngone" in shown.replace("\r\n", "\n")


EVENT = '''require ["imapsieve", "environment", "imap4flags", "fileinto", "copy"];
if environment "imap.cause" "FLAG" {
    if environment :contains "imap.changedflags" "\\\\Flagged" { addflag "$hot"; }
} elsif environment "imap.mailbox" "Junk" {
    fileinto "learn";
}
'''


def test_run_for_events(house):
    (house[1] / "event.sieve").write_text(EVENT)
    arguments = ["run", house[1] / "event.sieve", house[1] / "hi.eml"]
    assert sieve(house, *arguments, "--imap-cause", "FLAG", "--flags", "\\Seen \\Flagged",
                 "--changed-flags", "\\Flagged").stdout.splitlines() == [
        "line 2: environment: true", "line 3: environment: true",
        'line 3: flags are "\\Seen \\Flagged $hot"',
        "=> keep as it is, with flags \\Seen \\Flagged $hot"]
    assert sieve(house, *arguments, "--imap-cause", "COPY",
                 "--imap-mailbox", "Junk").stdout.splitlines()[-2:] == [
        "=> file into learn, with flags (none)", "=> mark as \\Deleted"]
    assert sieve(house, *arguments).stdout.splitlines()[-1] == "=> keep in the inbox"


def test_run_for_events_refuses(house):
    (house[1] / "event.sieve").write_text('require "vacation"; vacation "away";')
    arguments = ["run", house[1] / "event.sieve", house[1] / "hi.eml"]
    result = sieve(house, *arguments, "--imap-cause", "APPEND")
    assert result.returncode == FAILED
    assert '"vacation" cannot be required for an IMAP event; the message is kept' in result.stdout
    assert sieve(house, *arguments, "--imap-cause", "MOVE").returncode == USAGE
    assert sieve(house, *arguments, "--flags", "\\Seen").returncode == USAGE


# --- scripts in the store ---

@pytest.fixture(scope="module", params=["running", "stopped"])
def server(request, tmp_path_factory):
    """Both ways of the command to the data."""
    server = Server(tmp_path_factory.mktemp("sieve"))
    if request.param == "running":
        server.start()
    yield server
    server.stop()
    if request.param == "running":
        server.check_log()


def put(server, *arguments, text):
    return server.run("sieve", "put", *arguments, "-", text=text, check=False)


def test_scripts_of_an_account(server):
    alice, _ = server.fresh_account()
    assert put(server, alice, "rules", text="keep;\n").returncode == DONE
    assert put(server, alice, "holiday", "--activate", text="discard;").returncode == DONE
    assert server.json("sieve", "list", alice) == [
        {"name": "holiday", "active": True, "bytes": 8},
        {"name": "rules", "active": False, "bytes": 6}]
    assert server.run("sieve", "list", alice).stdout == "holiday  yes  8\nrules  no  6\n"
    assert server.run("sieve", "get", alice, "rules").stdout == "keep;\n"
    assert server.json("sieve", "get", alice, "holiday") == {"text": "discard;"}
    assert server.run("sieve", "activate", alice, "rules").stdout == \
        f"activated {alice}  rules\n"
    active = server.run("sieve", "delete", alice, "rules", check=False)
    assert active.returncode == FAILED and "deactivate it before" in active.stderr
    assert server.json("sieve", "deactivate", alice) == [{"of": alice}]
    server.run("sieve", "delete", alice, "rules")
    assert server.run("sieve", "get", alice, "rules", check=False).returncode == MISSING
    assert [script["name"] for script in server.json("sieve", "list", alice)] == ["holiday"]


def test_a_script_with_an_error_is_not_stored(server, tmp_path):
    alice, _ = server.fresh_account()
    path = tmp_path / "bad.sieve"
    path.write_text('keep;\n  explode;\n')
    result = server.run("sieve", "put", alice, "bad", path, check=False)
    assert result.returncode == FAILED
    assert f'{path}:2:3: there is no command "explode"' in result.stderr
    result = server.run("--json", "sieve", "put", alice, "bad", path, check=False)
    assert result.returncode == FAILED
    assert json.loads(result.stdout) == {"valid": False, "problems": [
        {"line": 2, "column": 3, "warning": False, "text": 'there is no command "explode"'}]}
    assert server.json("sieve", "list", alice) == []


def test_the_largest_script(server):
    """It does not fit into one message of the admin socket."""
    alice, _ = server.fresh_account()
    text = "# " + "x" * 80 + "\n"
    text = text * (256 * 1024 // len(text))
    text += "#" * (256 * 1024 - len(text))
    assert put(server, alice, "large", text=text).returncode == DONE
    assert server.run("sieve", "get", alice, "large").stdout == text
    assert put(server, alice, "larger", text=text + "\n").returncode == FAILED


def test_scripts_of_the_administrator(server):
    def listed(*arguments):
        return {(row["domain"], row["place"], row["name"]): row["active"]
                for row in server.json("sieve", "list", *arguments)}
    built_in = ("(all)", "before", "")
    assert listed() == {built_in: True}
    assert "X-Spam-Flag" in server.run("sieve", "get", "--global", "--before").stdout
    assert put(server, "--domain", "example.test", "--after", text="keep;").returncode == DONE
    assert put(server, "--global", "lists", text="stop;").returncode == DONE
    assert listed("--domain", "example.test") == {("example.test", "after", ""): True}
    assert listed("--global") == {built_in: True, ("(all)", "included", "lists"): True}
    server.run("sieve", "deactivate", "--domain", "example.test", "--after")
    assert listed("--domain", "example.test") == {("example.test", "after", ""): False}
    server.run("sieve", "delete", "--global", "--before")
    server.run("sieve", "delete", "--global", "lists")
    server.run("sieve", "delete", "--domain", "example.test", "--after")
    assert listed() == {}
    server.run("sieve", "activate", "--global", "--before")
    assert listed() == {built_in: True}


@pytest.mark.parametrize("arguments", [
    ["list", "a", "b"], ["get", "a"], ["get", "a", "--before"], ["get", "--global"],
    ["put", "a", "b"], ["put", "--global", "--before"], ["put", "--global", "--activate", "n", "-"],
    ["delete", "--domain"], ["activate", "a"], ["deactivate", "a", "b"], ["deactivate"],
], ids=" ".join)
def test_usage(server, arguments):
    assert server.run("sieve", *arguments, check=False).returncode == USAGE


def test_what_there_is_not(server):
    assert put(server, "nobody", "a", text="keep;").returncode == MISSING
    assert put(server, "--domain", "nowhere.test", "--before", text="keep;").returncode == MISSING
    assert server.run("sieve", "delete", "--global", "--after", check=False).returncode == MISSING
