"""mbsync pulls and pushes; a second run transfers nothing."""

import re
import subprocess

from harness.server import message


def configure(server, account, directory):
    maildir = directory / "mail"
    maildir.mkdir()
    config = directory / "mbsyncrc"
    config.write_text(f"""
IMAPAccount chapar
Host 127.0.0.1
Port {server.imaps_port}
User {account[0]}
Pass "{account[1]}"
SSLType IMAPS
CertificateFile {server.directory}/tls/certificate.pem

IMAPStore remote
Account chapar

MaildirStore local
SubFolders Verbatim
Path {maildir}/
Inbox {maildir}/INBOX

Channel all
Far :remote:
Near :local:
Patterns *
Create Both
Expunge Both
SyncState *
""")
    return config, maildir


def sync(config):
    """Runs mbsync; returns how many commands it sent that transfer something."""
    result = subprocess.run(["mbsync", "-Dn", "-c", config, "-a"], capture_output=True, text=True,
                            errors="replace", timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr
    return len(re.findall(r">>> \d+ (?:APPEND|UID STORE|UID FETCH \d+ \(.*BODY\.PEEK\[\]|"
                          r"UID EXPUNGE|CREATE)", result.stdout))


def test_both_ways_and_then_nothing(shared_server, account, tmp_path):
    for number in range(20):
        shared_server.deliver(message(f"pulled {number}"), account[0])
    config, maildir = configure(shared_server, account, tmp_path)
    assert sync(config) >= 20
    inbox = maildir / "INBOX"
    pulled = sorted([*(inbox / "new").iterdir(), *(inbox / "cur").iterdir()])
    assert len(pulled) == 20
    assert sync(config) == 0

    # A new message, a flag and a deletion on this side; a flag on the other.
    (inbox / "cur" / "1700000000.1.host:2,S").write_bytes(message("pushed").replace(b"\r\n", b"\n"))
    name = pulled[0].name.split(":")[0]
    pulled[0].rename(inbox / "cur" / f"{name}:2,FS")
    pulled[1].unlink()
    with shared_server.imap(account) as client:
        client.ok("SELECT INBOX")
        client.ok("STORE 20 +FLAGS (\\Answered)")
    assert sync(config) >= 3
    assert sync(config) == 0
    with shared_server.imap(account) as client:
        client.ok("SELECT INBOX")
        assert len(client.uids()) == 20
        assert len(client.uids('SUBJECT "pushed"')) == 1
        assert len(client.uids("FLAGGED")) == 1
    assert any("R" in path.name.split(",")[-1] for path in (inbox / "cur").iterdir())


def test_mailboxes_of_either_side_are_made(shared_server, account, tmp_path):
    config, maildir = configure(shared_server, account, tmp_path)
    with shared_server.imap(account) as client:
        client.ok("CREATE Lists/c")
        client.append("Lists/c", message("in a list"))
    (maildir / "Projects").mkdir()
    for part in ("cur", "new", "tmp"):
        (maildir / "Projects" / part).mkdir()
    sync(config)
    assert (maildir / "Lists" / "c" / "cur").is_dir()
    assert (maildir / "Drafts" / "cur").is_dir()
    with shared_server.imap(account) as client:
        assert any("Projects" in line for line in client.ok('LIST "" *'))
    assert sync(config) == 0
