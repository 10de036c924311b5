"""swaks hands messages over, as an administrator tries out a server."""

import subprocess


def swaks(server, *arguments):
    return subprocess.run(["swaks", "--server", f"127.0.0.1:{server.lmtp_port}", "--protocol",
                           "LMTP", "--from", "sender@example.org", *arguments],
                          capture_output=True, text=True, timeout=60)


def test_a_message_is_delivered_and_read(shared_server, account):
    result = swaks(shared_server, "--to", account[0], "--header", "Subject: from swaks")
    assert result.returncode == 0, result.stdout
    with shared_server.imap(account) as client:
        client.ok("SELECT INBOX")
        (line,) = client.ok("FETCH 1 (FLAGS ENVELOPE)")
        assert '"from swaks"' in line


def test_each_recipient_has_its_own_reply(shared_server, account):
    result = swaks(shared_server, "--to", f"{account[0]},nobody@example.test")
    assert "550 5.1.1" in result.stdout
    with shared_server.imap(account) as client:
        client.ok("SELECT INBOX")
        assert client.uids() == [1]


def test_an_attachment_arrives_whole(shared_server, account, tmp_path):
    data = bytes(range(256)) * 4000
    (tmp_path / "data.bin").write_bytes(data)
    result = swaks(shared_server, "--to", account[0], "--attach", f"@{tmp_path}/data.bin")
    assert result.returncode == 0, result.stdout[-2000:]
    with shared_server.imap(account) as client:
        client.ok("SELECT INBOX")
        (line,) = client.ok("FETCH 1 BODY.PEEK[2]")
        import base64
        encoded = line.split("}\r\n", 1)[1].rsplit(")", 1)[0]
        assert base64.b64decode(encoded) == data
