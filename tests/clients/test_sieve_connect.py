"""sieve-connect puts, lists, activates, reads, checks and removes scripts."""

import subprocess

WRONG = "keep;\r\nif true { fileinto 7; }\r\n"
RIGHT = 'require "fileinto";\r\nif header :is "List-Id" "<a \\"b\\">" { fileinto "Lists"; }\r\n'


def sieve_connect(server, account, *arguments, directory=None):
    return subprocess.run(
        ["sieve-connect", "--server", "127.0.0.1", "--port", str(server.sieve_port), "--nosrv",
         "--user", account[0], "--passwordfd", "0", "--tlshostname", "localhost",
         "--tlscafile", server.directory / "tls/certificate.pem", *arguments],
        input=account[1] + "\n", capture_output=True, text=True, cwd=directory, timeout=60)


def test_a_script_is_used(shared_server, account, tmp_path):
    (tmp_path / "mine.sieve").write_text(RIGHT, newline="")
    (tmp_path / "wrong.sieve").write_text(WRONG, newline="")

    def run(*arguments, status=0):
        result = sieve_connect(shared_server, account, *arguments, directory=tmp_path)
        assert result.returncode == status, (arguments, result.stdout, result.stderr)
        return result.stdout + result.stderr

    assert run("--list") == ""
    run("--upload", "--localsieve", "mine.sieve", "--remotesieve", "mine")
    run("--activate", "--remotesieve", "mine")
    assert '"mine" ACTIVE' in run("--list")
    run("--download", "--remotesieve", "mine", "--localsieve", "back.sieve")
    assert (tmp_path / "back.sieve").read_bytes() == RIGHT.encode()
    assert "line 2, column 11" in run("--checkscript", "--localsieve", "wrong.sieve", status=1)
    run("--deactivate")
    run("--delete", "--remotesieve", "mine")
    assert "mine" not in run("--list")


def test_a_wrong_password_is_refused(shared_server, account):
    result = sieve_connect(shared_server, (account[0], "wrong"), "--list")
    assert result.returncode != 0 and "Authentication" in result.stdout + result.stderr
