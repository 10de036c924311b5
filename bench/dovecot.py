"""A Dovecot of its own to measure beside: sdbox, LMTP and IMAP on loopback, in a directory.

Debian's package, with Debian's defaults but for what the comparison needs: no TLS, a static
password, mail in one directory, and the three limits that would refuse the bench's connections.
Mail is flushed as it is by default (mail_fsync = optimized): before LMTP answers.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

USER = "dovenull"
PASSWORD = "secret"

CONFIGURATION = """
base_dir = {directory}/run
state_dir = {directory}/state
instance_name = {name}
log_path = {directory}/log
protocols = imap lmtp
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
mail_location = sdbox:{directory}/mail/%n
mail_plugins =
first_valid_uid = 1
default_process_limit = 1000
default_client_limit = 20000
mail_max_userip_connections = 20000
auth_verbose = no
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={user} gid={user} home={directory}/mail/%n allow_all_users=yes
}}
service imap-login {{
  inet_listener imap {{
    port = {imap_port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp_port}
  }}
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Dovecot:
    name = "Dovecot sdbox"

    def __init__(self, directory):
        self.directory = Path(directory)
        self.imap_port, self.lmtp_port = free_port(), free_port()
        self.process = None

    @staticmethod
    def missing():
        """Why it cannot run here, or None."""
        if not shutil.which("dovecot", path="/usr/sbin:/usr/bin"):
            return "dovecot is not installed"
        return None if os.geteuid() == 0 else "dovecot starts as root only"

    def start(self):
        owner = pwd.getpwnam(USER)
        for folder in ("run", "state", "mail"):
            (self.directory / folder).mkdir(parents=True)
        os.chown(self.directory / "mail", owner.pw_uid, owner.pw_gid)
        configuration = self.directory / "dovecot.conf"
        configuration.write_text(CONFIGURATION.format(
            directory=self.directory, name=f"bench-{self.lmtp_port}", password=PASSWORD, user=USER,
            imap_port=self.imap_port, lmtp_port=self.lmtp_port))
        self.process = subprocess.Popen(["/usr/sbin/dovecot", "-F", "-c", configuration])
        deadline = time.monotonic() + 20
        while not self.answers():
            assert time.monotonic() < deadline and self.process.poll() is None, self.log()
            time.sleep(0.05)
        return self

    def answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.lmtp_port), 1).close()
            return True
        except OSError:
            return False

    def log(self):
        path = self.directory / "log"
        return path.read_text(errors="replace")[-3000:] if path.exists() else "no log"

    def add_account(self, name):
        """Every name is an account."""
        return (f"{name}@example.test", PASSWORD)

    def children(self, role=None):
        """{pid: name} of its processes, those of a role alone when it is given."""
        listed = subprocess.run(["ps", "-e", "-o", "pid=,ppid=,args="], capture_output=True,
                                text=True).stdout.splitlines()
        found = {}
        for line in listed:
            pid, parent, arguments = line.split(None, 2)
            if int(parent) == self.process.pid and (role is None or role in arguments):
                found[int(pid)] = arguments
        return found

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(20)
            self.process = None
