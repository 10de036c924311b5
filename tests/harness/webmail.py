"""Roundcube from Debian's packages, for one server of the tests, and a browser that uses it.

    with Webmail(directory, server) as webmail, Browser(directory) as browser:
        browser.log_in(webmail, account)

Roundcube runs in the web server that PHP's command line brings: with a configuration, a database and
logs of its own in the directory, whatever the system's are. The browser is Chromium without a window.
"""

import contextlib
import os
import signal
import socket
import subprocess
from pathlib import Path

from selenium.common.exceptions import WebDriverException
from selenium.webdriver import ActionChains, Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select

from .wait import wait_until

PUBLIC = "/var/lib/roundcube/public_html"
DEFAULTS = ("defaults.inc.php", "mimetypes.php")  # of /etc/roundcube: the same on every machine
WORKERS = 4
SECONDS = 40

CONFIG = """<?php
$tls = ['ssl' => ['cafile' => '{certificate}']];
$config = [
    'db_dsnw' => 'sqlite:///{directory}/roundcube.db?mode=0600',
    'log_dir' => '{directory}', 'temp_dir' => '{directory}',
    'des_key' => 'twenty-four characters..',
    'imap_host' => 'ssl://localhost:{imaps_port}', 'imap_conn_options' => $tls,
    'plugins' => ['managesieve'],
    'managesieve_host' => 'tls://localhost:{sieve_port}', 'managesieve_conn_options' => $tls,
    'managesieve_vacation' => 1,
    'language' => 'en_US',
    'enable_spellcheck' => false,
];
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Webmail:
    def __init__(self, directory, server):
        self.directory = Path(directory) / "webmail"
        self.directory.mkdir()
        for name in DEFAULTS:
            (self.directory / name).symlink_to(Path("/etc/roundcube") / name)
        (self.directory / "config.inc.php").write_text(CONFIG.format(
            certificate=server.directory / "tls/certificate.pem", directory=self.directory,
            imaps_port=server.imaps_port, sieve_port=server.sieve_port))
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}/"

    def __enter__(self):
        environment = dict(os.environ, ROUNDCUBE_CONFIG_DIR=str(self.directory),
                           PHP_CLI_SERVER_WORKERS=str(WORKERS))
        with open(self.directory / "requests", "wb") as log:
            self.process = subprocess.Popen(
                ["php", "-d", "display_errors=stderr", "-S", f"127.0.0.1:{self.port}", "-t", PUBLIC],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment,
                start_new_session=True)
        wait_until(self.answers, SECONDS, self.log)
        return self

    def __exit__(self, *_):
        os.killpg(self.process.pid, signal.SIGTERM)  # its workers, too
        self.process.wait()

    def answers(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def log(self):
        """What went wrong, in Roundcube's words."""
        return "\n".join(path.read_text() for path in self.directory.glob("*.log"))


class Browser:
    """A person's eyes and hands: what it looks for may take its time to appear.

    Elements are named by CSS, and by a text that is in them where several look alike.
    """

    def __init__(self, directory):
        options = ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu",
                         "--window-size=1500,1000", f"--user-data-dir={directory}/chromium"):
            options.add_argument(argument)
        self.driver = Chrome(options=options, service=Service("/usr/bin/chromedriver"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.driver.quit()

    # --- eyes ---

    def shown(self, css, text=""):
        """The elements that can be seen now. None of a page that is going away."""
        try:
            return [element for element in self.driver.find_elements(By.CSS_SELECTOR, css)
                    if element.is_displayed() and text in element.text]
        except WebDriverException:
            return []

    def texts(self, css):
        return [element.text for element in self.shown(css)]

    def page(self):
        return self.driver.find_element(By.TAG_NAME, "body").text

    def find(self, css, text=""):
        return wait_until(lambda: self.shown(css, text), SECONDS,
                          lambda: f"no {css} with {text!r} on the page:\n{self.page()}")[0]

    @contextlib.contextmanager
    def frame(self, css):
        """What is found and done within is in this frame of the page."""
        wait_until(lambda: self.enter(css), SECONDS, lambda: f"no frame {css}:\n{self.page()}")
        yield
        self.driver.switch_to.default_content()

    def enter(self, css):
        for element in self.shown(css):
            self.driver.switch_to.frame(element)
            return True
        return False

    def download(self, address):
        """What is there for who has logged in, as text."""
        return self.driver.execute_async_script(
            "fetch(arguments[0]).then(answer => answer.text()).then(arguments[1])", address)

    # --- hands ---

    def idle(self):
        """Roundcube takes no notice of what is clicked while it shows that it is busy."""
        return self.driver.execute_script(
            "return document.readyState == 'complete' && "
            "[window, top].every(one => !one.rcmail || !one.rcmail.busy)")

    def attempt(self, action):
        """Does it as soon as it can be done: nothing in front of it, nothing that just goes away."""
        problems = [""]

        def succeeds():
            try:
                if not self.idle():
                    return False
                action()
                return True
            except WebDriverException as problem:
                problems.append(problem)
                return False
        wait_until(succeeds, SECONDS, lambda: f"{problems[-1]}\n{self.page()}")

    def click(self, css, text="", part=None):
        """The element, or a part of it."""
        def action():
            element = self.find(css, text)
            (element.find_element(By.CSS_SELECTOR, part) if part else element).click()
        self.attempt(action)

    def pick(self, css, item):
        """Opens a menu and clicks an item in it, from the beginning as long as it has not come to that: a
        click comes to nothing, and a menu closes again, while a page sets itself up."""
        def picked():
            with contextlib.suppress(WebDriverException):
                for element in self.shown(item):
                    element.click()
                    return True
            self.click(css)
            with contextlib.suppress(AssertionError):
                wait_until(lambda: self.shown(item), 3)
            return False
        wait_until(picked, SECONDS, self.page)

    def write(self, css, text):
        """Writes it in place of what is there."""
        def action():
            self.find(css).clear()
            self.find(css).send_keys(text)
        self.attempt(action)

    def choose(self, css, text):
        self.attempt(lambda: Select(self.find(css)).select_by_visible_text(text))

    def drag(self, source, target):
        """Two of (css, text): drags one onto the other with the mouse, as slowly as a hand does."""
        self.attempt(lambda: ActionChains(self.driver).click_and_hold(self.find(*source))
                     .move_by_offset(10, 10).move_to_element(self.find(*target)).pause(0.2)
                     .release().perform())

    def log_in(self, webmail, account):
        self.driver.get(webmail.address)
        self.write("#rcmloginuser", account[0])
        self.write("#rcmloginpwd", account[1])
        self.click("#rcmloginsubmit")
        self.find("#messagelist")
