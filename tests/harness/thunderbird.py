"""Debian's Thunderbird without a window, for the servers of the tests.

    with Thunderbird(directory) as thunderbird, Mail(thunderbird, server, account) as mail:
        mail.open("INBOX")
        mail.wait_for_messages("A message")
        mail.do("command", "cmd_markAsFlagged")

It is driven by Marionette, the remote control that is built into it: JSON over a TCP connection, and
scripts that run in its main window. What these do is in thunderbird.js.
"""

import json
import os
import re
import signal
import socket
import subprocess
from pathlib import Path

from .wait import wait_until

SECONDS = 60
SCRIPT = Path(__file__).with_suffix(".js")
LINES = 60
NOISE = re.compile("Gtk-CRITICAL|glib warning")  # of GTK, which misses a screen

# Beside what Marionette sets by itself: no telemetry, no updates, no pages of the first start. And nothing
# is asked of the world outside: the proxy for what is not on this machine is a port where nobody is.
PREFERENCES = {
    "marionette.port": 0,  # a free one
    "network.proxy.type": 1,
    "network.proxy.http": "127.0.0.1", "network.proxy.http_port": 9,
    "network.proxy.ssl": "127.0.0.1", "network.proxy.ssl_port": 9,
    "network.proxy.no_proxies_on": "localhost, 127.0.0.1",
    "network.manage-offline-status": False,
    "offline.autoDetect": False,
    "mail.provider.suppress_dialog_on_startup": True,
    "mail.shell.checkDefaultClient": False,
    "mail.inappnotifications.enabled": False,
    "mailnews.start_page.enabled": False,
    "mailnews.start_page_override.mstone": "ignore",
    "app.donation.eoy.version.viewed": 999,
    "toolkit.telemetry.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "mail.biff.play_sound": False,
    "mail.biff.show_alert": False,
    "mail.server.default.use_condstore": True,
    "mail.server.default.offline_download": False,  # what is read comes from the server
    "mail.warn_on_shift_delete": False,
    "mailnews.mark_message_read.auto": True,
    "mailnews.mark_message_read.delay": False,
}


class Marionette:
    """One connection to a running Thunderbird; messages are "length:[0, number, name, parameters]"."""

    def __init__(self, port, seconds):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=seconds)
        self.pending = b""
        self.number = 0
        self.read()  # its greeting
        self.ask("WebDriver:NewSession", {"capabilities": {"alwaysMatch": {
            "timeouts": {"script": seconds * 1000}, "unhandledPromptBehavior": "ignore"}}})
        self.ask("Marionette:SetContext", {"value": "chrome"})

    def ask(self, name, parameters=None):
        self.number += 1
        message = json.dumps([0, self.number, name, parameters or {}]).encode()
        self.socket.sendall(str(len(message)).encode() + b":" + message)
        number = None
        while number != self.number:  # past what was waited for in vain
            _, number, error, result = self.read()
        assert not error, error
        return result

    def read(self):
        while b":" not in self.pending:
            self.fill()
        length, self.pending = self.pending.split(b":", 1)
        while len(self.pending) < int(length):
            self.fill()
        message, self.pending = self.pending[:int(length)], self.pending[int(length):]
        return json.loads(message)

    def fill(self):
        data = self.socket.recv(1 << 16)
        if not data:
            raise ConnectionError("closed by Thunderbird")
        self.pending += data

    def close(self):
        self.socket.close()


class Thunderbird:
    def __init__(self, directory):
        self.directory = Path(directory) / "thunderbird"
        self.profile = self.directory / "profile"
        self.profile.mkdir(parents=True)
        (self.profile / "user.js").write_text("".join(
            f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in PREFERENCES.items()))
        self.output = self.directory / "output"
        self.process = self.marionette = None

    # --- its life ---

    def __enter__(self):
        environment = dict(os.environ, HOME=str(self.directory), TMPDIR=str(self.directory),
                           MOZ_LOG="IMAP:4,timestamp,sync",
                           MOZ_LOG_FILE=str(self.directory / "imap"))
        with open(self.output, "wb") as output:
            self.process = subprocess.Popen(
                ["thunderbird", "--headless", "--no-remote", "--marionette", "--remote-allow-system-access",
                 "--profile", self.profile],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment,
                cwd=self.directory, start_new_session=True)
        try:
            port = wait_until(self.port, SECONDS, self.said)
            self.marionette = Marionette(port, SECONDS)
            wait_until(self.is_ready, SECONDS, self.state)
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *_):
        try:
            self.marionette.ask("Marionette:Quit", {"flags": ["eForceQuit"]})
            self.process.wait(SECONDS)
        finally:
            self.end()

    def end(self):
        """Nothing of it is left."""
        if self.marionette:
            self.marionette.close()
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()

    def port(self):
        assert self.process.poll() is None, self.said()
        path = self.profile / "MarionetteActivePort"
        return path.exists() and int(path.read_text() or 0)

    def is_ready(self):
        """The main window has shown its folders."""
        return self.run("return document.readyState == 'complete' && "
                        "!!document.getElementById('tabmail')?.currentAbout3Pane?.folderTree")

    # --- what it is told ---

    def run(self, script, *arguments):
        """Runs a script in the main window; returns what it returns, or what that promises."""
        return self.marionette.ask("WebDriver:ExecuteScript",
                                   {"script": script, "args": arguments})["value"]

    def hands(self, name, *arguments):
        """A function of thunderbird.js."""
        return self.run(f"{SCRIPT.read_text()}\nreturn hands.{name}(...arguments)", *arguments)

    def confirm(self, text):
        """Waits for a question that holds the text, and answers yes."""
        def asked():
            try:
                return text in self.marionette.ask("WebDriver:GetAlertText")["value"]
            except AssertionError:
                return False  # nothing yet
        wait_until(asked, SECONDS, self.state)
        self.marionette.ask("WebDriver:AcceptAlert")

    # --- what it says ---

    def log(self):
        """What it and the server have said to each other."""
        return "\n".join(path.read_text(errors="replace") for path in sorted(self.directory.glob("imap*")))

    def said(self):
        lines = [line for line in self.output.read_text(errors="replace").splitlines()
                 if line and not NOISE.search(line)]
        return "\n".join(lines[-LINES:] + self.log().splitlines()[-LINES:])

    def state(self):
        """Everything that helps to understand why something does not happen."""
        try:
            state = json.dumps(self.hands("state"), indent=1, ensure_ascii=False)
        except (AssertionError, OSError) as problem:
            state = f"it does not say: {problem}"
        return f"{state}\n{self.said()}"


class Mail:
    """One account in it, of its own for a test."""

    def __init__(self, thunderbird, server, account, smtp_port=9, start_tls=False, **options):
        self.thunderbird = thunderbird
        self.key = thunderbird.hands("addAccount", None, {
            "user": account[0], "password": account[1], "host": "localhost",
            "port": server.imap_port if start_tls else server.imaps_port, "startTls": start_tls,
            "certificate": (server.tls_directory / "certificate.pem").read_text(),
            "smtpPort": smtp_port, "options": options})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        print(self.thunderbird.state())  # shown with a test that fails
        self.wait(lambda: self.do("stopWriting"))
        self.do("removeAccount")

    def do(self, name, *arguments):
        """A function of thunderbird.js, in this account."""
        return self.thunderbird.hands(name, self.key, *arguments)

    def wait(self, condition):
        return wait_until(condition, SECONDS, self.thunderbird.state)

    # --- a person's eyes and hands ---

    def open(self, name):
        self.wait(lambda: self.do("openFolder", name))

    def subjects(self):
        return [one["subject"] for one in self.do("messages")]

    def wait_for_messages(self, *subjects):
        """Until the list shows these, from the top."""
        self.wait(lambda: self.subjects() == list(subjects))

    def select(self, subject):
        """Returns the message as it is shown."""
        self.wait(lambda: self.do("select", subject))

        def shown():
            message = self.do("message")
            return message["subject"] == subject and message["text"] and message
        return self.wait(shown)

    def with_message(self, subject, command, *folder):
        """Selects it and does that with it."""
        self.select(subject)
        self.do("command", command, *folder)

    def wait_for_folders(self, condition):
        """Until that holds for {name: special use}."""
        self.wait(lambda: condition(self.do("folders")))
