"""ImapFlow, a library of Node.js that is behind many mail programs and services."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from harness.server import ROOT, message

HERE = Path(__file__).parent / "imapflow"
INSTALLED = "build/imapflow/installed"
LIMIT = 10_000 * 1024
MULTIPART = """--limit\r
Content-Type: text/html; charset=utf-8\r
\r
<p>See the paper.</p>\r
--limit\r
Content-Type: text/plain; name="paper.txt"\r
Content-Disposition: attachment; filename="paper.txt"\r
Content-Transfer-Encoding: base64\r
\r
VGhlIHBhcGVyLg0K\r
--limit--\r
"""


@pytest.fixture(scope="module")
def modules():
    """Where its packages are; `make` installs what the lock file names."""
    subprocess.run(["make", "-C", ROOT, INSTALLED], check=True, capture_output=True, timeout=300)
    return (ROOT / INSTALLED).parent / "node_modules"


@pytest.fixture
def day(modules, shared_server, account):
    """It has begun its day, and idles."""
    process = subprocess.Popen(["node", HERE / "day.js"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True,
                               env=dict(os.environ, NODE_PATH=str(modules)))
    for one in (message("to be moved"), message("=?utf-8?q?=C3=84pfel?="), message("to be deleted"),
                message("with a paper", MULTIPART, MIME_Version="1.0",
                        Content_Type="multipart/mixed; boundary=limit")):
        shared_server.deliver(one, account[0])
    shared_server.run("quota", "set", account[0], "STORAGE", str(LIMIT))
    process.stdin.write(json.dumps({
        "host": "localhost", "port": shared_server.imaps_port, "user": account[0], "password": account[1],
        "ca": str(shared_server.directory / "tls/certificate.pem")}))
    process.stdin.close()
    yield process
    process.kill()
    process.wait()


def test_a_day_of_mail(day, shared_server, account):
    line = day.stdout.readline()
    assert line == "ready\n", line + day.stderr.read()
    shared_server.deliver(message("comes in"), account[0])
    with shared_server.imap(account) as client:
        client.ok("SELECT INBOX")
        client.ok(r"STORE 1 +FLAGS (\Answered)")
    output = day.stdout.read()
    assert day.wait(20) == 0, day.stderr.read()
    check_what_it_saw(json.loads(output))
    check_server(shared_server, account)


def check_what_it_saw(saw):
    assert {"CONDSTORE", "QRESYNC"} <= set(saw["enabled"]), saw["enabled"]
    assert ["Drafts", "\\Drafts"] in saw["mailboxes"] and ["INBOX", "\\Inbox"] in saw["mailboxes"]
    assert saw["exists"] == 4
    assert [one["subject"] for one in saw["messages"]] == [
        "to be moved", "Äpfel", "to be deleted", "with a paper"]
    assert saw["messages"][3]["type"] == "multipart/mixed"
    assert all(one["thread"] and one["identity"] for one in saw["messages"])
    assert saw["attachment"] == {"name": "paper.txt", "type": "text/plain", "text": "The paper.\r\n"}
    assert saw["found"] == [2] and saw["larger"] == [1, 2, 3, 4]
    assert saw["appended"]["uid"] == 1 and saw["appended"]["destination"] == "Drafts"
    assert saw["copied"]["uidMap"] == [[1, 1]] and saw["moved"]["destination"] == "Archive"
    assert saw["left"] == [2, 4]
    assert saw["status"]["messages"] == 2 and saw["status"]["unseen"] == 2
    assert saw["status"]["uidNext"] == 3
    assert 0 < saw["quota"]["storage"]["usage"] < saw["quota"]["storage"]["limit"] == LIMIT
    assert saw["came"] == 3
    assert "\\Answered" in saw["flagged"]


def check_server(server, account):
    with server.imap(account) as client:
        listed = "\n".join(client.ok('LIST "" * RETURN (SUBSCRIBED)'))
        assert '"Old projects"' in listed and "&ANw-" not in listed
        client.ok("EXAMINE Archive")
        assert len(client.uids('SUBJECT "to be moved" FLAGGED')) == 2
        client.ok("EXAMINE Drafts")
        assert client.uids("DRAFT KEYWORD $Work") == [1]
        client.ok("EXAMINE INBOX")
        assert not client.uids('SUBJECT "to be deleted"')
        assert client.uids("ANSWERED") == [2]
