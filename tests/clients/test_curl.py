"""curl reads, appends and searches over IMAPS."""

import subprocess

from harness.server import message


def curl(server, account, path, *arguments):
    result = subprocess.run(
        ["curl", "--silent", "--show-error", "--cacert", server.directory / "tls/certificate.pem",
         "--user", ":".join(account), f"imaps://127.0.0.1:{server.imaps_port}/{path}", *arguments],
        capture_output=True, timeout=60)
    assert result.returncode == 0, result.stderr
    return result.stdout.decode()


def test_the_message_is_read(shared_server, account):
    shared_server.deliver(message("for curl", "The text.\r\n"), account[0])
    text = curl(shared_server, account, "INBOX;MAILINDEX=1")
    assert "Subject: for curl\r\n" in text and text.endswith("\r\n\r\nThe text.\r\n")
    assert curl(shared_server, account, "INBOX;MAILINDEX=1;SECTION=TEXT") == "The text.\r\n"


def test_mailboxes_are_listed(shared_server, account):
    listed = curl(shared_server, account, "")
    for name in ("INBOX", "Drafts", "Sent", "Junk", "Trash", "Archive"):
        assert name in listed


def test_what_is_uploaded_is_there(shared_server, account, tmp_path):
    (tmp_path / "message").write_bytes(message("uploaded"))
    curl(shared_server, account, "Sent", "--upload-file", tmp_path / "message")
    assert "Subject: uploaded" in curl(shared_server, account, "Sent;MAILINDEX=1")
    assert "SEARCH 1" in curl(shared_server, account, "Sent?SUBJECT%20uploaded")
