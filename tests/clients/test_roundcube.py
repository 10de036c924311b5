"""Roundcube in a browser, as a person uses it; what was clicked is on the server, and the reverse."""

import re

import pytest

from harness.server import message
from harness.wait import wait_until
from harness.webmail import SECONDS

ROWS = "#messagelist tr.message"
MULTIPART = """--limit\r
Content-Type: text/plain; charset=utf-8\r
\r
See the paper.\r
--limit\r
Content-Type: text/plain\r
Content-Disposition: attachment; filename="paper.txt"\r
Content-Transfer-Encoding: base64\r
\r
VGhlIHBhcGVyLg0K\r
--limit--\r
"""


@pytest.fixture
def client(shared_server, account):
    """What the server says of the same account."""
    with shared_server.imap(account) as one:
        yield one


def wait_for_rows(browser, *expected):
    """Until the list shows these subjects, from the top."""
    wait_until(lambda: browser.texts(f"{ROWS} .subject a") == list(expected), SECONDS, browser.page)


def on_server(client, mailbox):
    """{subject: flags} of a mailbox."""
    client.ok(f'EXAMINE "{mailbox}"')
    found = [re.search(r'FLAGS \((.*?)\) ENVELOPE \("[^"]*" "(.*?)"', line)
             for line in client.ok("UID FETCH 1:* (FLAGS ENVELOPE)")]
    return {match[2]: set(match[1].split()) for match in found if match}


def texts(client, mailbox):
    client.ok(f'EXAMINE "{mailbox}"')
    return "".join(client.ok("UID FETCH 1:* (BODY.PEEK[TEXT])"))


def wait_for(client, mailbox, expected):
    """Until the mailbox holds that, {subject: flags}."""
    wait_until(lambda: on_server(client, mailbox) == expected, SECONDS,
               otherwise=lambda: f"{mailbox}: {on_server(client, mailbox)}, not {expected}")


def test_a_message_with_an_attachment_is_read(browser, webmail, shared_server, account, client):
    shared_server.deliver(message("No attachment"), account[0])
    shared_server.deliver(message("An attachment", MULTIPART, MIME_Version="1.0",
                                  Content_Type="multipart/mixed; boundary=limit"), account[0])
    browser.log_in(webmail, account)
    browser.find("#mailboxlist li.inbox", "2")  # unread
    wait_for_rows(browser, "An attachment", "No attachment")
    browser.click(f"{ROWS} .subject", "An attachment")
    with browser.frame("#messagecontframe"):
        browser.find("#messagebody", "See the paper.")
        link = browser.find("#attachment-list a.filename", "paper.txt").get_attribute("href")
    assert browser.download(link) == "The paper.\r\n"
    browser.find("#mailboxlist li.inbox", "1")
    wait_for(client, "INBOX", {"No attachment": set(), "An attachment": {r"\Seen"}})


def test_messages_are_flagged_moved_and_deleted(browser, webmail, shared_server, account, client):
    for name in ("for the archive", "stays", "for the bin"):
        shared_server.deliver(message(name), account[0])
    browser.log_in(webmail, account)
    browser.click(ROWS, "stays", ".flags .flag")
    wait_for(client, "INBOX", {"for the archive": set(), "stays": {r"\Flagged"}, "for the bin": set()})
    browser.drag((f"{ROWS} .subject", "for the archive"), ("#mailboxlist li", "Archive"))
    wait_for(client, "Archive", {"for the archive": set()})
    browser.click(f"{ROWS} .subject", "for the bin")
    with browser.frame("#messagecontframe"):
        browser.find("#message-header .subject", "for the bin")
    browser.click("#layout-content a.delete:not(.disabled)")
    wait_for_rows(browser, "stays")
    wait_until(lambda: "for the bin" in on_server(client, "Trash"), SECONDS)
    wait_for(client, "INBOX", {"stays": {r"\Flagged", r"\Seen"}})  # the next one is shown at once

    # And what others do in the meantime is seen.
    client.ok("SELECT INBOX")
    client.ok(r"STORE 1 -FLAGS (\Flagged)")
    shared_server.deliver(message("new"), account[0])
    browser.click("a.refresh")
    wait_for_rows(browser, "new", "stays")
    wait_until(lambda: not browser.shown(f"{ROWS}.flagged"), SECONDS)


def test_mail_is_searched(browser, webmail, shared_server, account):
    shared_server.deliver(message("apples", "with pears\r\n"), account[0])
    shared_server.deliver(message("=?utf-8?q?=C3=84pfel?=", "mit Birnen\r\n"), account[0])
    shared_server.deliver(message("pears", "with apples\r\n"), account[0])
    browser.log_in(webmail, account)

    def finds(text, *expected):
        browser.write("#mailsearchform", text + "\n")
        wait_for_rows(browser, *expected)

    finds("APPLE", "apples")
    finds("pear", "pears")
    finds("äpfel", "Äpfel")
    browser.click(".searchbar a.options")
    browser.click("#searchmenu label", "Body")
    finds("pear", "pears", "apples")
    finds("orange")


def test_special_folders_are_found_and_a_draft_is_written(browser, webmail, account, client):
    """By their special uses (RFC 6154), whatever they are called."""
    for name, other in (("Drafts", "Entw&APw-rfe"), ("Sent", "Gesendet"), ("Trash", "Papierkorb")):
        client.ok(f"RENAME {name} {other}")
    client.ok("CREATE Drafts")  # a mailbox like any other
    browser.log_in(webmail, account)
    assert browser.find("#mailboxlist li.drafts > a").get_attribute("rel") == "Entw&APw-rfe"
    browser.click("#taskmenu a.compose")
    browser.write("#compose-subject", "Half a thought")
    browser.write("#composebody", "It begins")
    browser.click("a.save.draft")
    browser.find(".ui.alert", "saved to Drafts")
    wait_for(client, "Entw&APw-rfe", {"Half a thought": {r"\Seen"}})

    # It is gone on with, and replaces what was there.
    browser.write("#composebody", "It begins, and ends.")
    browser.click("a.save.draft")
    wait_until(lambda: "It begins, and ends." in texts(client, "Entw&APw-rfe"), SECONDS)
    wait_for(client, "Entw&APw-rfe", {"Half a thought": {r"\Seen"}})
    assert on_server(client, "Drafts") == {}


def test_threads_are_shown(browser, webmail, shared_server, account):
    root = "<root@example.org>"
    shared_server.deliver(message("A question", Message_ID=root), account[0])
    shared_server.deliver(message("Between"), account[0])
    shared_server.deliver(message("Re: A question", In_Reply_To=root, References=root), account[0])
    browser.log_in(webmail, account)
    browser.click("#listmenulink")
    browser.choose("select[name=mode]", "Threads")
    browser.choose("select[name=sort_col]", "Subject")
    browser.click(".ui-dialog-buttonset button", "Save")
    wait_for_rows(browser, "Between", "A question")
    browser.click(ROWS, "A question", "div.collapsed")
    wait_for_rows(browser, "Between", "A question", "Re: A question")
