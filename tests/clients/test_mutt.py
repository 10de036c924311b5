"""mutt in a terminal, as a person uses it: list, read, flag, delete."""

import shutil
import subprocess
import time

import pytest

from harness.server import message

SECONDS = 20


class Terminal:
    """A program in tmux, with a server of its own."""

    def __init__(self, directory, command):
        self.base = ["tmux", "-L", f"chapar-{directory.name}-{id(self)}", "-f", "/dev/null"]
        subprocess.run([*self.base, "new-session", "-d", "-x", "100", "-y", "30", command],
                       check=True, cwd=directory)

    def screen(self):
        return subprocess.run([*self.base, "capture-pane", "-p"], capture_output=True,
                              text=True).stdout

    def keys(self, *keys):
        subprocess.run([*self.base, "send-keys", *keys], check=True)

    def wait_for(self, text):
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            screen = self.screen()
            if text in screen:
                return screen
            time.sleep(0.1)
        raise AssertionError(f"{text!r} does not appear:\n{self.screen()}")

    def close(self):
        subprocess.run([*self.base, "kill-server"], capture_output=True)


@pytest.fixture
def mutt(shared_server, account, tmp_path):
    shared_server.deliver(message("First of all", "The first text.\r\n"), account[0])
    shared_server.deliver(message("Second in line", "The second text.\r\n"), account[0])
    (tmp_path / "muttrc").write_text(f"""
set spoolfile = "imaps://127.0.0.1:{shared_server.imaps_port}/INBOX"
set folder = "imaps://127.0.0.1:{shared_server.imaps_port}/"
set imap_user = "{account[0]}"
set imap_pass = "{account[1]}"
set certificate_file = "{shared_server.directory}/tls/certificate.pem"
set ssl_verify_host = no
set ssl_force_tls = yes
set sort = mailbox-order
set delete = yes
set mark_old = no
set wait_key = no
""")
    program = shutil.which("mutt")
    terminal = Terminal(tmp_path, f"{program} -n -F {tmp_path}/muttrc")
    yield terminal
    terminal.close()


def test_a_person_reads_flags_and_deletes(mutt, shared_server, account):
    mutt.wait_for("Second in line")
    mutt.keys("1", "Enter")
    mutt.keys("Enter")
    mutt.wait_for("The first text.")
    mutt.keys("i")
    mutt.wait_for("Second in line")
    mutt.keys("F")
    time.sleep(0.5)
    mutt.keys("2", "Enter", "d", "$")
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and "Second in line" in mutt.screen():
        time.sleep(0.1)
    mutt.keys("q")
    time.sleep(1)
    with shared_server.imap(account) as client:
        client.ok("SELECT INBOX")
        assert len(client.uids()) == 1
        (line,) = client.ok("FETCH 1 (FLAGS ENVELOPE)")
        assert "First of all" in line and "\\Flagged" in line and "\\Seen" in line
