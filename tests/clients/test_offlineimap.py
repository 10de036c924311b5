"""offlineimap synchronises in its own way; a second run transfers nothing."""

import os
import subprocess

from harness.server import message


def configure(server, account, directory):
    config = directory / "offlineimaprc"
    config.write_text(f"""
[general]
accounts = chapar
metadata = {directory}/metadata
ui = basic

[Account chapar]
localrepository = local
remoterepository = remote

[Repository local]
type = Maildir
localfolders = {directory}/mail

[Repository remote]
type = IMAP
remotehost = localhost
remoteport = {server.imaps_port}
remoteuser = {account[0]}
remotepass = {account[1]}
ssl = yes
sslcacertfile = {server.directory}/tls/certificate.pem
usecompression = no
""")
    return config


def sync(config):
    result = subprocess.run(["offlineimap", "-c", config, "-o"], capture_output=True, text=True,
                            timeout=180, env=dict(os.environ, HOME=str(config.parent)))
    output = result.stdout + result.stderr
    assert result.returncode == 0 and "ERROR" not in output, output
    return sum(word in line for line in output.splitlines()
               for word in ("Copy message", "Adding flags", "Deleting flags", "Deleting message"))


def test_both_ways_and_then_nothing(shared_server, account, tmp_path):
    for number in range(10):
        shared_server.deliver(message(f"pulled {number}"), account[0])
    config = configure(shared_server, account, tmp_path)
    assert sync(config) > 0
    inbox = tmp_path / "mail" / "INBOX"
    pulled = sorted([*(inbox / "new").iterdir(), *(inbox / "cur").iterdir()])
    assert len(pulled) == 10
    assert sync(config) == 0

    (inbox / "new" / "1700000000_0.1.host").write_bytes(message("pushed").replace(b"\r\n", b"\n"))
    pulled[0].unlink()
    with shared_server.imap(account) as client:
        client.ok("SELECT INBOX")
        client.ok("STORE 10 +FLAGS (\\Flagged)")
    assert sync(config) > 0
    assert sync(config) == 0
    with shared_server.imap(account) as client:
        client.ok("SELECT INBOX")
        assert len(client.uids()) == 10
        assert len(client.uids('SUBJECT "pushed"')) == 1
    assert any("F" in path.name.split(",")[-1] for path in inbox.glob("*/*"))
