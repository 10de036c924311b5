"""A Dovecot of its own to measure beside: sdbox, LMTP and IMAP on loopback, in a directory.

Debian's package, with Debian's defaults but for what the comparison needs: Chapar's certificate, a
static password, mail in one directory, and the three limits that would refuse the bench's connections.
Mail is flushed as it is by default (mail_fsync = optimized): before LMTP answers.
"""

import os
import pwd
import shutil
import subprocess
from pathlib import Path

from peer import Peer

USER = "dovenull"
PASSWORD = "secret"
INOTIFY_OTHERS = 16

CONFIGURATION = """
base_dir = {directory}/run
state_dir = {directory}/state
instance_name = {name}
log_path = {directory}/log
protocols = imap lmtp
listen = 127.0.0.1
ssl = yes
ssl_cert = <{directory}/tls/certificate.pem
ssl_key = <{directory}/tls/key.pem
ssl_dh = </usr/share/dovecot/dh.pem
disable_plaintext_auth = no
mail_location = sdbox:{directory}/mail/%n
mail_plugins =
first_valid_uid = 1
default_process_limit = 6000
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
    port = {imaps_port}
    ssl = yes
  }}
}}
service imap {{
  process_limit = 6000
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


class Dovecot(Peer):
    name = "Dovecot sdbox"
    more = ""  # behind the configuration

    @staticmethod
    def missing():
        """Why it cannot run here, or None."""
        if not shutil.which("dovecot", path="/usr/sbin:/usr/bin"):
            return "dovecot is not installed"
        return None if os.geteuid() == 0 else "dovecot starts as root only"

    def prepare(self):
        owner = pwd.getpwnam(USER)
        for folder in ("run", "state", "mail"):
            (self.directory / folder).mkdir()
        self.copy_tls("root")
        os.chown(self.directory / "mail", owner.pw_uid, owner.pw_gid)
        configuration = self.directory / "dovecot.conf"
        configuration.write_text((CONFIGURATION + self.more).format(
            directory=self.directory, name=f"bench-{self.lmtp_port}", password=PASSWORD, user=USER,
            imap_port=self.imap_port, imaps_port=self.imaps_port, lmtp_port=self.lmtp_port))

    def launch(self):
        self.process = subprocess.Popen(
            ["/usr/sbin/dovecot", "-F", "-c", self.directory / "dovecot.conf"])

    def add_account(self, name):
        """Every name is an account."""
        return (f"{name}@example.test", PASSWORD)


class Pigeonhole(Dovecot):
    """The same with Sieve: every account runs the one script that put_script has put."""
    name = "Pigeonhole"
    more = """
protocol lmtp {{
  mail_plugins = sieve
}}
plugin {{
  sieve = file:{directory}/rules.sieve
}}
"""

    @staticmethod
    def missing():
        reason = Dovecot.missing()
        if not reason and not shutil.which("sievec", path="/usr/bin"):
            reason = "dovecot-sieve is not installed"
        return reason

    def put_script(self, text):
        """Compiled, as Pigeonhole wants it of scripts that its users may not write."""
        (self.directory / "rules.sieve").write_text(text)
        subprocess.run(["sievec", "-c", self.directory / "dovecot.conf",
                        self.directory / "rules.sieve"], check=True)


class KeptLogins(Dovecot):
    """The same in its high-performance mode: a login process serves many connections."""
    name = "Dovecot, logins kept"
    more = """
service imap-login {{
  service_count = 0
  process_min_avail = 2
}}
"""


class Hibernating(Dovecot):
    """And so that a connection in IDLE is kept by one process for all. Each goes on holding one of its
    user's inotify instances, of which Linux allows 128 by default: beyond them it stays where it is."""
    name = "Dovecot, hibernating"
    idle_settles = 10

    @property
    def idle_most(self):
        return int(Path("/proc/sys/fs/inotify/max_user_instances").read_text()) - INOTIFY_OTHERS

    more = KeptLogins.more + """
imap_hibernate_timeout = 3s
service imap {{
  extra_groups = $default_internal_group
  unix_listener imap-master {{
    user = $default_internal_user
  }}
}}
service imap-hibernate {{
  unix_listener imap-hibernate {{
    mode = 0660
    group = $default_internal_group
  }}
}}
"""
