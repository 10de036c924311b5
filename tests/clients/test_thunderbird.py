"""Thunderbird, as a person uses it; what was done is on the server, and the reverse."""

import base64
import re

import pytest

from harness.server import message
from harness.smtp import Smtp
from harness.thunderbird import SECONDS, Mail, Thunderbird
from harness.wait import wait_until

UMLAUTS = {"MIME_Version": "1.0", "Content_Type": "text/plain; charset=utf-8",
           "Content_Transfer_Encoding": "8bit"}
PAPER = b"".join(b"%06d of a long paper\n" % number for number in range(20000))


def multipart():
    """A text and an attachment that is fetched in several pieces."""
    encoded = base64.encodebytes(PAPER).decode().replace("\n", "\r\n")
    return message("An attachment", f"""--limit\r
Content-Type: text/plain; charset=utf-8\r
Content-Transfer-Encoding: quoted-printable\r
\r
See the paper, it is sch=C3=B6n.\r
--limit\r
Content-Type: text/plain\r
Content-Disposition: attachment; filename="paper.txt"\r
Content-Transfer-Encoding: base64\r
\r
{encoded}--limit--\r
""", MIME_Version="1.0", Content_Type="multipart/mixed; boundary=limit")


@pytest.fixture(scope="module")
def thunderbird(tmp_path_factory):
    """The program, started once for all; each test has an account of its own in it."""
    with Thunderbird(tmp_path_factory.mktemp("thunderbird")) as one:
        yield one


@pytest.fixture
def client(shared_server, account):
    """What the server says of the same account."""
    with shared_server.imap(account) as one:
        yield one


@pytest.fixture
def mail(thunderbird, shared_server, account):
    with Mail(thunderbird, shared_server, account) as one:
        yield one


def on_server(client, mailbox):
    """{subject: flags} of a mailbox, None when there is none."""
    status, _ = client.command(f'EXAMINE "{mailbox}"')
    if not status.startswith("OK"):
        return None
    found = [re.search(r'FLAGS \((.*?)\) ENVELOPE \("[^"]*" "(.*?)"', line)
             for line in client.ok("UID FETCH 1:* (FLAGS ENVELOPE)")]
    return {match[2]: set(match[1].split()) for match in found if match}


def wait_for(client, mailbox, expected):
    """Until the mailbox holds that, {subject: flags}."""
    wait_until(lambda: on_server(client, mailbox) == expected, SECONDS,
               otherwise=lambda: f"{mailbox}: {on_server(client, mailbox)}, not {expected}")


def wait_for_subjects(client, mailbox, *expected):
    wait_until(lambda: set(on_server(client, mailbox) or {}) == set(expected), SECONDS,
               otherwise=lambda: f"{mailbox}: {on_server(client, mailbox)}, not {expected}")


def names(client, command="LIST"):
    return {line.split(' "/" ')[1].strip('"') for line in client.ok(f'{command} "" *')}


def wait_for_names(client, condition, command="LIST"):
    wait_until(lambda: condition(names(client, command)), SECONDS,
               otherwise=lambda: f"{command}: {names(client, command)}")


def test_mailboxes_are_found_by_their_special_uses(mail, client):
    """RFC 6154, whatever they are called."""
    for name, other in (("Drafts", "Entw&APw-rfe"), ("Sent", "Gesendet"), ("Trash", "Papierkorb")):
        client.ok(f"RENAME {name} {other}")
    client.ok("CREATE Sent")  # a mailbox like any other
    client.ok("SUBSCRIBE Sent")
    mail.open("INBOX")
    mail.wait_for_folders(lambda found: found == {
        "INBOX": "Inbox", "Archive": "Archive", "Entwürfe": "Drafts", "Gesendet": "SentMail",
        "Junk": "Junk", "Papierkorb": "Trash", "Sent": ""})


def test_a_message_with_an_attachment_is_read(mail, shared_server, account, client, tmp_path):
    shared_server.deliver(message("No attachment"), account[0])
    shared_server.deliver(multipart(), account[0])
    mail.open("INBOX")
    mail.wait_for_messages("No attachment", "An attachment")
    assert mail.do("messages")[0] == {"uid": 1, "subject": "No attachment", "from": "Sender <sender@example.org>",
                                      "read": False, "flagged": False, "keywords": []}
    shown = mail.select("An attachment")
    assert "See the paper, it is schön." in shown["text"] and shown["attachments"] == ["paper.txt"]
    mail.do("saveAttachment", "paper.txt", str(tmp_path / "saved"))
    assert (tmp_path / "saved").read_bytes() == PAPER
    wait_for(client, "INBOX", {"No attachment": set(), "An attachment": {r"\Seen"}})


def test_messages_are_flagged_and_tagged(mail, shared_server, account, client):
    for name in ("important", "ordinary"):
        shared_server.deliver(message(name), account[0])
    mail.open("INBOX")
    mail.wait_for_messages("important", "ordinary")
    mail.with_message("important", "cmd_markAsFlagged")
    mail.do("command", "cmd_tag1")
    wait_for(client, "INBOX", {"important": {r"\Seen", r"\Flagged", "$label1"}, "ordinary": set()})
    mail.do("command", "cmd_markAsUnread")
    mail.do("command", "cmd_tag1")
    wait_for(client, "INBOX", {"important": {r"\Flagged"}, "ordinary": set()})


def test_what_changed_meanwhile_is_seen(mail, shared_server, account, client):
    """Since it was connected for the last time: by CONDSTORE."""
    for name in ("first", "second", "third"):
        shared_server.deliver(message(name), account[0])
    mail.open("INBOX")
    mail.wait_for_messages("first", "second", "third")
    mail.open("Sent")
    mail.do("disconnect")
    before = len(mail.thunderbird.log())
    client.ok("SELECT INBOX")
    client.ok(r"STORE 3 +FLAGS (\Seen \Flagged $label2 $Work)")
    client.ok(r"STORE 1 +FLAGS (\Deleted)")
    client.ok("EXPUNGE")
    shared_server.deliver(message("fourth"), account[0])
    mail.open("INBOX")
    mail.wait(lambda: [(one["subject"], one["read"], one["flagged"], one["keywords"])
                       for one in mail.do("messages")] == [
        ("second", False, False, []), ("third", True, True, ["$label2", "$work"]),
        ("fourth", False, False, [])])
    assert "CHANGEDSINCE" in mail.thunderbird.log()[before:]


def test_messages_are_moved_copied_and_deleted(mail, shared_server, account, client):
    for name in ("moved", "copied", "put away", "for the bin", "gone at once"):
        shared_server.deliver(message(name), account[0])
    mail.open("INBOX")
    mail.wait_for_messages("moved", "copied", "put away", "for the bin", "gone at once")
    mail.wait_for_folders(lambda found: "Trash" in found)
    mail.with_message("copied", "cmd_copyMessage", "Sent")
    wait_for_subjects(client, "Sent", "copied")
    mail.with_message("moved", "cmd_markAsFlagged")
    mail.do("command", "cmd_moveMessage", "Junk")
    wait_for(client, "Junk", {"moved": {r"\Seen", r"\Flagged"}})
    mail.with_message("put away", "cmd_archive")
    wait_for_subjects(client, "Archive/2023", "put away")
    mail.with_message("for the bin", "cmd_deleteMessage")
    wait_for_subjects(client, "Trash", "for the bin")
    mail.wait_for_messages("copied", "gone at once")

    # Deleted for good: marked first, and removed when the folder is compacted.
    mail.with_message("gone at once", "cmd_shiftDeleteMessage")
    wait_until(lambda: r"\Deleted" in on_server(client, "INBOX")["gone at once"], SECONDS)
    mail.do("compact", "INBOX")
    wait_for_subjects(client, "INBOX", "copied")
    mail.wait_for_messages("copied")
    mail.open("Junk")
    mail.wait_for_messages("moved")


def test_folders_are_made_renamed_and_deleted(mail, client):
    mail.open("INBOX")
    mail.wait_for_folders(lambda found: "Trash" in found)
    mail.do("createFolder", "", "Späte Sachen")
    mail.wait_for_folders(lambda found: "Späte Sachen" in found)
    mail.do("createFolder", "Späte Sachen", "R & D")
    mail.wait_for_folders(lambda found: "Späte Sachen/R & D" in found)
    assert {"Sp&AOQ-te Sachen", "Sp&AOQ-te Sachen/R &- D"} <= names(client) & names(client, "LSUB")
    mail.do("renameFolder", "Späte Sachen", "Frühe")
    mail.wait_for_folders(lambda found: "Frühe/R & D" in found and "Späte Sachen" not in found)
    assert {"Fr&APw-he", "Fr&APw-he/R &- D"} <= names(client) & names(client, "LSUB")

    mail.do("deleteFolder", "Frühe/R & D")
    mail.thunderbird.confirm("R & D")
    mail.wait_for_folders(lambda found: "Trash/R & D" in found and "Frühe/R & D" not in found)
    mail.do("deleteFolder", "Trash/R & D")
    mail.thunderbird.confirm("R & D")
    mail.wait_for_folders(lambda found: "Trash/R & D" not in found)
    wait_for_names(client, lambda found: "Fr&APw-he" in found and not any("R &- D" in one for one in found))


def test_folders_of_others_are_subscribed(mail, client):
    """What is made elsewhere is seen when it is subscribed."""
    mail.open("INBOX")
    mail.wait_for_folders(lambda found: "Trash" in found)
    client.ok("CREATE Lists/c")
    client.ok("CREATE Projects")
    client.ok("SUBSCRIBE Projects")
    mail.do("refreshFolders")
    mail.wait_for_folders(lambda found: "Projects" in found)
    assert "Lists/c" not in mail.do("folders")
    found = mail.do("subscriptions")
    assert found["Projects"] and not found["Lists/c"] and found["INBOX"]
    mail.do("subscribe", "Lists/c")
    mail.do("unsubscribe", "Projects")
    wait_for_names(client, lambda found: "Lists/c" in found and "Projects" not in found, "LSUB")
    mail.do("refreshFolders")
    mail.wait_for_folders(lambda found: "Lists/c" in found and "Projects" not in found)


def test_a_draft_is_written_and_sent(thunderbird, shared_server, account, client):
    smtp = Smtp()
    with Mail(thunderbird, shared_server, account, smtp_port=smtp.port) as mail:
        write_and_send(mail, client)
    smtp.close()
    (sent,) = smtp.messages
    assert sent["recipients"] == ["RCPT TO:<someone@example.org>"]
    assert "schön" in sent["data"].decode()


def write_and_send(mail, client):
    mail.open("INBOX")
    mail.wait_for_folders(lambda found: found.get("Sent") == "SentMail")
    mail.do("write", {"to": "someone@example.org", "subject": "Half a thought", "body": "It begins."})
    mail.wait(lambda: mail.do("written"))
    mail.do("writingCommand", "cmd_saveAsDraft")
    wait_for(client, "Drafts", {"Half a thought": {r"\Draft"}})
    mail.wait(lambda: mail.do("written"))
    mail.wait(lambda: mail.do("stopWriting"))

    # It is gone on with, and replaces what was there.
    mail.open("Drafts")
    mail.wait_for_messages("Half a thought")
    mail.with_message("Half a thought", "cmd_editDraftMsg")
    mail.wait(lambda: "It begins." in (mail.do("written") or ""))
    mail.do("writeMore", "This is schön. ")
    mail.do("writingCommand", "cmd_saveAsDraft")
    mail.wait(lambda: [one["uid"] for one in mail.do("messages")] == [2])
    mail.wait(lambda: mail.do("written"))
    client.ok("EXAMINE Drafts")
    assert client.uids() == [2] and "This is schön. It begins." in client.ok("FETCH 1 BODY.PEEK[TEXT]")[0]

    # A copy of what is sent is kept, and the draft is not.
    mail.do("writingCommand", "cmd_sendNow")
    wait_for(client, "Sent", {"Half a thought": {r"\Seen"}})
    wait_for(client, "Drafts", {})
    mail.wait(lambda: mail.do("stopWriting"))


def test_mail_is_searched_on_the_server(mail, shared_server, account):
    shared_server.deliver(message("apples", "with pears\r\n"), account[0])
    shared_server.deliver(message("=?utf-8?q?=C3=84pfel?=", "mit Süßkirschen\r\n", **UMLAUTS), account[0])
    mail.open("INBOX")
    mail.wait_for_messages("apples", "Äpfel")
    search_for_apples(mail)


def search_for_apples(mail):
    assert mail.do("search", "INBOX", "Body", "PEAR") == ["apples"]
    assert mail.do("search", "INBOX", "Subject", "apple") == ["apples"]
    assert mail.do("search", "INBOX", "Subject", "äpfel") == ["Äpfel"]
    assert mail.do("search", "INBOX", "Body", "süßkirschen") == ["Äpfel"]
    assert mail.do("search", "INBOX", "Body", "oranges") == []


def test_what_happens_elsewhere_shows_up(mail, shared_server, account, client):
    """Without asking: it idles."""
    shared_server.deliver(message("first"), account[0])
    shared_server.deliver(message("second"), account[0])
    mail.open("INBOX")
    mail.wait_for_messages("first", "second")
    shared_server.deliver(message("third"), account[0])
    mail.wait_for_messages("first", "second", "third")
    client.ok("SELECT INBOX")
    client.ok(r"STORE 2 +FLAGS (\Flagged \Seen)")
    mail.wait(lambda: [one["flagged"] and one["read"] for one in mail.do("messages")] == [False, True, False])
    client.ok(r"STORE 1 +FLAGS (\Deleted)")
    client.ok("EXPUNGE")
    mail.wait_for_messages("second", "third")


def test_work_goes_on_without_a_connection(thunderbird, shared_server, account, client):
    """And is done on the server when there is one again."""
    for name in ("flagged", "moved", "copied"):
        shared_server.deliver(message(name, f"To be {name}.\r\n"), account[0])
    with Mail(thunderbird, shared_server, account, offline_download=True) as mail:
        mail.open("INBOX")
        mail.wait_for_messages("flagged", "moved", "copied")
        mail.wait_for_folders(lambda found: "Trash" in found)
        mail.wait(lambda: mail.do("isDownloaded", "INBOX"))
        mail.do("goOffline")
        try:
            assert "To be flagged." in mail.select("flagged")["text"]
            mail.do("command", "cmd_markAsFlagged")
            mail.with_message("copied", "cmd_copyMessage", "Sent")
            mail.with_message("moved", "cmd_moveMessage", "Archive")
            mail.wait_for_messages("flagged", "copied")
            assert on_server(client, "INBOX") == {"flagged": set(), "moved": set(), "copied": set()}
        finally:
            mail.do("goOnline")
        expected = {"INBOX": {"flagged": {r"\Seen", r"\Flagged"}, "copied": {r"\Seen"}},
                    "Archive": {"moved": {r"\Seen"}}, "Sent": {"copied": {r"\Seen"}}}

        def there():
            """But for a keyword that it sets then, unasked."""
            return {name: {subject: flags - {"$MDNSent"} for subject, flags in on_server(client, name).items()}
                    for name in expected}
        wait_until(lambda: there() == expected, SECONDS, lambda: f"{there()}, not {expected}")


def test_with_fewer_extensions(thunderbird, shared_server, account, client):
    """STARTTLS, and nothing of what its account settings can do without: names and searches are in other
    charsets, flags are asked for in full, drafts are plain literals."""
    shared_server.deliver(message("apples", "with pears\r\n"), account[0])
    shared_server.deliver(message("=?utf-8?q?=C3=84pfel?=", "mit Süßkirschen\r\n", **UMLAUTS), account[0])
    smtp = Smtp()
    with Mail(thunderbird, shared_server, account, smtp_port=smtp.port, start_tls=True,
              use_condstore=False, use_compress_deflate=False, allow_utf8_accept=False) as mail:
        mail.open("INBOX")
        mail.wait_for_messages("apples", "Äpfel")
        search_for_apples(mail)
        mail.do("createFolder", "", "Entwürfe & mehr")
        wait_for_names(client, lambda found: "Entw&APw-rfe &- mehr" in found)
        write_and_send(mail, client)
    smtp.close()
