"""`make install`: what is installed runs as it lies there."""

import os
import subprocess

from harness.server import ROOT, Server, message


def test_what_is_installed_runs(tmp_path):
    subprocess.run(["meson", "install", "-C", ROOT / "build" / "sanitized", "--no-rebuild"],
                   env=dict(os.environ, DESTDIR=str(tmp_path / "installed")), check=True,
                   capture_output=True)
    prefix = tmp_path / "installed" / "usr" / "local"
    for page in ("man1/chapar.1", "man5/chapar.conf.5", "man8/chapard.8"):
        assert (prefix / "share" / "man" / page).stat().st_size > 1000

    # chapard finds the others beside itself, wherever it is called from.
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "chapar").symlink_to(prefix / "bin" / "chapar")
    (programs / "chapard").symlink_to(prefix / "sbin" / "chapard")
    server = Server(tmp_path / "server", binaries=programs)
    server.start()
    account = server.add_account("alice")
    assert not server.deliver(message(), account[0])
    with server.imap(account) as client:
        assert "* 1 EXISTS" in client.ok("SELECT INBOX")
    server.stop()
    server.check_log()
