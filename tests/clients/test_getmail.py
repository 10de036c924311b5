"""getmail fetches over IMAP and POP3: everything once, what is new later, and deletes when told to."""

import os
import subprocess

import pytest

from harness.server import message


def configure(server, account, directory, kind, delete):
    """kind: IMAP or POP3. As root it delivers into nothing but a program."""
    (directory / "mail").mkdir(exist_ok=True)
    port = server.imaps_port if kind == "IMAP" else server.pop3s_port
    config = directory / "getmailrc"
    config.write_text(f"""
[retriever]
type = Simple{kind}SSLRetriever
server = localhost
port = {port}
username = {account[0]}
password = {account[1]}
ca_certs = {server.directory}/tls/certificate.pem
{'mailboxes = ("INBOX", "Archive")' if kind == "IMAP" else ""}

[destination]
type = MDA_external
path = /bin/sh
arguments = ("-c", "cat > $(mktemp {directory}/mail/XXXXXX)")
allow_root_commands = true

[options]
read_all = false
delete = {str(delete).lower()}
verbose = 2
""")
    return config


def getmail(config):
    result = subprocess.run(["getmail", "--getmaildir", config.parent, "--rcfile", config],
                            capture_output=True, text=True, timeout=120,
                            env=dict(os.environ, HOME=str(config.parent)))
    assert result.returncode == 0 and "rror" not in result.stderr, result.stdout + result.stderr


def fetched(config):
    """The subjects of what was delivered since."""
    subjects = []
    for path in (config.parent / "mail").iterdir():
        head = path.read_text().split("\n\n", 1)[0]
        subjects += [line[9:] for line in head.splitlines() if line.startswith("Subject: ")]
        path.unlink()
    return sorted(subjects)


@pytest.mark.parametrize("kind", ["IMAP", "POP3"])
def test_new_mail_is_fetched_once(shared_server, account, tmp_path, kind):
    for number in range(3):
        shared_server.deliver(message(f"number {number}"), account[0])
    config = configure(shared_server, account, tmp_path, kind, delete=False)
    getmail(config)
    assert fetched(config) == ["number 0", "number 1", "number 2"]
    getmail(config)
    assert fetched(config) == []
    shared_server.deliver(message("later"), account[0])
    getmail(config)
    assert fetched(config) == ["later"]
    with shared_server.imap(account) as client:
        client.ok("SELECT INBOX")
        assert len(client.uids()) == 4

    configure(shared_server, account, tmp_path, kind, delete=True)
    getmail(config)
    with shared_server.imap(account) as client:
        client.ok("SELECT INBOX")
        assert client.uids() == []


def test_several_mailboxes_are_fetched(shared_server, account, tmp_path):
    shared_server.deliver(message("in the inbox"), account[0])
    with shared_server.imap(account) as client:
        client.append("Archive", message("in the archive"))
    config = configure(shared_server, account, tmp_path, "IMAP", delete=True)
    getmail(config)
    assert fetched(config) == ["in the archive", "in the inbox"]
