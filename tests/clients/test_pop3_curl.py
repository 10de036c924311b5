"""curl reads a maildrop over POP3S and with STLS."""

import subprocess

from harness.server import message


def curl(server, account, url, *arguments):
    result = subprocess.run(
        ["curl", "--silent", "--show-error", "--cacert", server.directory / "tls/certificate.pem",
         "--user", ":".join(account), url, *arguments], capture_output=True, timeout=60)
    assert result.returncode == 0, result.stderr
    return result.stdout.decode()


def test_a_message_is_read_and_removed(shared_server, account):
    shared_server.deliver(message("for curl", "The text.\r\n.\r\n"), account[0])
    secure = f"pop3s://127.0.0.1:{shared_server.pop3s_port}/"
    started = f"pop3://127.0.0.1:{shared_server.pop3_port}/"
    assert curl(shared_server, account, secure).startswith("1 ")
    text = curl(shared_server, account, started + "1", "--ssl-reqd")
    assert "Subject: for curl\r\n" in text and text.endswith("\r\n\r\nThe text.\r\n.\r\n")
    curl(shared_server, account, secure + "1", "--request", "DELE", "--list-only")
    assert not curl(shared_server, account, secure).strip()
