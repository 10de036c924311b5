"""gsasl logs in with SCRAM-SHA-256, and bound to the TLS connection, whose bindings it computes itself."""

import subprocess

import pytest


def gsasl(server, account, *arguments):
    return subprocess.run(
        ["gsasl", "--imap", "--connect", f"127.0.0.1:{server.imap_port}", "--hostname", "localhost",
         "--x509-ca-file", server.directory / "tls/certificate.pem",
         "--authentication-id", account[0], "--password", account[1], *arguments],
        input="", capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("arguments", [
    ["--mechanism", "SCRAM-SHA-256", "--no-cb"],
    ["--mechanism", "SCRAM-SHA-256-PLUS"],
    ["--mechanism", "SCRAM-SHA-256-PLUS", "--priority", "NORMAL:-VERS-TLS1.3"],
], ids=["unbound", "tls-exporter", "tls-unique"])
def test_a_login(shared_server, account, arguments):
    result = gsasl(shared_server, account, *arguments)
    assert result.returncode == 0 and "Logged in" in result.stdout, result.stdout + result.stderr
    assert f"AUTHENTICATE {arguments[1]}" in result.stdout
    wrong = gsasl(shared_server, (account[0], "wrong password"), *arguments)
    assert wrong.returncode != 0 and "AUTHENTICATIONFAILED" in wrong.stdout
