#!/usr/bin/python3
"""The demonstration of `make run`: a server in run/demo, in the foreground.

The first time it is made with `chapar init` (domain example.test, account alice with a generated
password) and a welcome message is delivered to it through LMTP. Ctrl-C stops it.
"""

import os
import secrets
import signal
import smtplib
import socket
import subprocess
import sys
from email.message import EmailMessage
from email.utils import formatdate
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / "run" / "demo"
BIN = ROOT / "build" / "bin"
CONFIG = DEMO / "chapar.conf"
PASSWORD_FILE = DEMO / "password-of-alice"
WELCOMED = DEMO / "welcome-delivered"
PORTS = int(os.environ.get("CHAPAR_DEMO_PORTS", "10000"))
DOMAIN = "example.test"
START_SECONDS = 30


def make():
    """A new server with one account."""
    password = secrets.token_urlsafe(12)
    DEMO.parent.mkdir(exist_ok=True)
    result = subprocess.run(
        [BIN / "chapar", "init", DEMO, "--domain", DOMAIN, "--ports", str(PORTS), "--hostname",
         "localhost", "--listen", "127.0.0.1", "--account", "alice"],
        input=password + "\n", text=True, stdout=subprocess.DEVNULL)
    if result.returncode:
        sys.exit(result.returncode)
    descriptor = os.open(PASSWORD_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(password + "\n")


def start():
    """chapard in the foreground; returns when it says that it is ready."""
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind("")  # an abstract address of the kernel's choice
    notify.settimeout(START_SECONDS)
    address = "@" + notify.getsockname()[1:].decode()
    log = open(DEMO / "chapard.log", "ab")
    process = subprocess.Popen([BIN / "chapard", "-c", CONFIG], stderr=log,
                               env=dict(os.environ, NOTIFY_SOCKET=address))
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    signal.signal(signal.SIGINT, lambda *_: process.terminate())
    signal.signal(signal.SIGHUP, lambda *_: process.send_signal(signal.SIGHUP))
    while True:
        try:
            notify.settimeout(0.2)
            if b"READY=1" in notify.recv(4096):
                return process
        except socket.timeout:
            if process.poll() is not None:
                sys.exit(f"chapard did not start; see {DEMO}/chapard.log:\n" +
                         (DEMO / "chapard.log").read_text()[-2000:])


def welcome():
    """The first message, handed over as a mail server would."""
    message = EmailMessage()
    message["From"] = f"Chapar <postmaster@{DOMAIN}>"
    message["To"] = f"Alice <alice@{DOMAIN}>"
    message["Subject"] = "Welcome to Chapar"
    message["Date"] = formatdate()
    message["Message-ID"] = f"<welcome@{DOMAIN}>"
    message.set_content(
        "Welcome!\n\nThis message was delivered over LMTP, stored durably, and is read\n"
        "by you over IMAP, through processes that each can do one thing only.\n"
        "See what they may do:\n\n"
        "    build/bin/chapar -c run/demo/chapar.conf status\n\nHave a good ride.\n")
    with smtplib.LMTP("127.0.0.1", PORTS + 24, timeout=START_SECONDS) as lmtp:
        lmtp.send_message(message, f"postmaster@{DOMAIN}", [f"alice@{DOMAIN}"])
    WELCOMED.touch()


def explain():
    password = PASSWORD_FILE.read_text().strip()
    imaps, imap = PORTS + 993, PORTS + 143
    print(f"""
Chapar runs: a mail server for {DOMAIN}. Ctrl-C stops it.

  user      alice@{DOMAIN}
  password  {password}
  IMAPS     127.0.0.1 port {imaps}   (self-signed: run/demo/tls/certificate.pem)
  IMAP      127.0.0.1 port {imap}   (STARTTLS)
  Sieve     127.0.0.1 port {PORTS + 4190}   (ManageSieve, STARTTLS)
  LMTP      127.0.0.1 port {PORTS + 24}

  Read the welcome message:
    curl -k -u 'alice@{DOMAIN}:{password}' 'imaps://127.0.0.1:{imaps}/INBOX;MAILINDEX=1'
    mutt -f 'imaps://alice@{DOMAIN}@127.0.0.1:{imaps}/INBOX'
  Send another:
    swaks --server 127.0.0.1:{PORTS + 24} --protocol LMTP --to alice@{DOMAIN}
  See what each process may do:
    build/bin/chapar -c run/demo/chapar.conf status
  The log is in run/demo/chapard.log
""", flush=True)


def main():
    if not CONFIG.exists():
        make()
    process = start()
    try:
        if not WELCOMED.exists():
            welcome()
        explain()
    except Exception:
        process.terminate()
        raise
    return process.wait()


if __name__ == "__main__":
    sys.exit(main())
