"""A Cyrus IMAP of its own to measure beside, in a directory: its packages unpacked there, not installed.

Debian's cyrus-imapd and Dovecot's packages want the same names in the system, so it is fetched by
apt-get and unpacked (dpkg -x), with the libraries that are missing, and run from there: the
libraries by LD_LIBRARY_PATH, the configuration by -C. Debian's defaults, but for what the comparison
needs: Chapar's certificate, mailboxes made when they are first used, and every password accepted, by a
saslauthd of a few lines.
"""

import imaplib
import os
import pwd
import shutil
import socket
import struct
import subprocess
import threading

from peer import Peer

USER = "mail"
PASSWORD = "secret"
PACKAGES = ("cyrus-common", "cyrus-imapd", "libwrap0", "libical3", "libxapian30", "libpcre3", "libpq5",
            "libldap-2.5-0", "libsasl2-2", "libxml2")

IMAPD_CONF = """
configdirectory: {directory}/config
partition-default: {directory}/mail
defaultpartition: default
cyrus_user: {user}
servername: localhost
admins: cyrus
allowplaintext: yes
sasl_pwcheck_method: saslauthd
sasl_saslauthd_path: {directory}/saslauthd/mux
sasl_mech_list: PLAIN
virtdomains: off
unixhierarchysep: yes
altnamespace: yes
autocreate_quota: 0
autocreate_post: yes
lmtp_downcase_rcpt: yes
lmtp_fuzzy_mailbox_match: no
tls_server_cert: {directory}/tls/certificate.pem
tls_server_key: {directory}/tls/key.pem
sievedir: {directory}/sieve
proc_path: {directory}/proc
mboxname_lockpath: {directory}/lock
"""

CYRUS_CONF = """
START {{
  recover cmd="{binaries}/ctl_cyrusdb -C {directory}/imapd.conf -r"
}}
SERVICES {{
  imap cmd="{binaries}/imapd -C {directory}/imapd.conf" listen="127.0.0.1:{imap_port}" prefork=1
  imaps cmd="{binaries}/imapd -s -C {directory}/imapd.conf" listen="127.0.0.1:{imaps_port}" prefork=1
  lmtp cmd="{binaries}/lmtpd -a -C {directory}/imapd.conf" listen="127.0.0.1:{lmtp_port}" prefork=1
}}
EVENTS {{
}}
"""


class Cyrus(Peer):
    name = "Cyrus"

    def __init__(self, directory, tls):
        super().__init__(directory, tls)
        self.root = self.directory / "root"
        self.binaries = self.root / "usr" / "lib" / "cyrus" / "bin"

    @staticmethod
    def missing():
        """Why it cannot run here, or None."""
        if os.geteuid() != 0:
            return "cyrus starts as root only"
        known = subprocess.run(["apt-cache", "show", *PACKAGES], capture_output=True)
        return None if known.returncode == 0 else "cyrus-imapd is in no list of apt's"

    def environment(self):
        libraries = ":".join(str(path) for path in self.root.glob("usr/lib/*-linux-gnu*"))
        return dict(os.environ, LD_LIBRARY_PATH=libraries)

    def unpack(self):
        packages = self.directory / "packages"
        packages.mkdir()
        subprocess.run(["apt-get", "download", "-q", *PACKAGES], cwd=packages, check=True,
                       capture_output=True)
        for package in packages.glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, self.root], check=True)
        shutil.rmtree(packages)

    def configure(self):
        owner = pwd.getpwnam(USER)
        for folder in ("config", "mail", "sieve", "proc", "lock", "saslauthd"):
            (self.directory / folder).mkdir()
            os.chown(self.directory / folder, owner.pw_uid, owner.pw_gid)
        self.copy_tls(USER)
        values = {"directory": self.directory, "binaries": self.binaries, "user": USER,
                  "imap_port": self.imap_port, "imaps_port": self.imaps_port, "lmtp_port": self.lmtp_port}
        (self.directory / "imapd.conf").write_text(IMAPD_CONF.format(**values))
        (self.directory / "cyrus.conf").write_text(CYRUS_CONF.format(**values))

    def answer_passwords(self):
        """saslauthd's protocol: four strings with their sizes in front, answered by one."""
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.directory / "saslauthd" / "mux"))
        (self.directory / "saslauthd" / "mux").chmod(0o777)
        listener.listen(100)

        def serve():
            while True:
                asked, _ = listener.accept()
                with asked, asked.makefile("rb") as strings:
                    for _ in range(4):
                        strings.read(struct.unpack("!H", strings.read(2))[0])
                    asked.sendall(struct.pack("!H", 2) + b"OK")
        threading.Thread(target=serve, daemon=True).start()

    def prepare(self):
        self.unpack()
        self.configure()
        self.answer_passwords()

    def launch(self):
        with open(self.directory / "log", "ab") as log:
            self.process = subprocess.Popen(
                [self.binaries / "master", "-C", self.directory / "imapd.conf", "-M",
                 self.directory / "cyrus.conf", "-p", self.directory / "master.pid"],
                env=self.environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def add_account(self, name):
        """Every name is an account, made when it logs in: two deliveries at once would both make it."""
        with imaplib.IMAP4("127.0.0.1", self.imap_port) as client:
            client.login(name, PASSWORD)
            assert client.select()[0] == "OK", name
        return (name, PASSWORD)
