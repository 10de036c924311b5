"""Rules clicked together in Roundcube are the script on the server, and do at delivery what they say."""

import pytest

from harness.server import message
from harness.wait import wait_until
from harness.webmail import SECONDS

SECOND = "#actions > :nth-child(2)"


@pytest.fixture
def scripts(shared_server, account):
    with shared_server.managesieve(account) as client:
        yield client


def expect(scripts, text):
    """Until the only script says that."""
    def said():
        return [scripts.get(name).decode().replace("\r\n", "\n").strip() for name in scripts.list()]
    wait_until(lambda: said() == [text.strip()], SECONDS, lambda: "\n".join(said()))


def found(server, account, mailbox):
    """{subject: flags} of a mailbox."""
    with server.imap(account) as client:
        client.ok(f"EXAMINE {mailbox}")
        return {client.ok(f"FETCH {number} BODY.PEEK[HEADER.FIELDS (SUBJECT)]")[0].split("\r\n")[1]:
                client.ok(f"FETCH {number} FLAGS")[0]
                for number in range(1, len(client.uids()) + 1)}


def test_a_rule_is_made_edited_and_activated(browser, webmail, shared_server, account, scripts):
    browser.log_in(webmail, account)
    browser.click("#taskmenu a.settings")
    browser.click("#settings-menu a", "Filters")
    browser.click("a.create", "Create")
    with browser.frame("#filter-box"):
        browser.write("#_name", "Lists")
        browser.click("label[for=fenabled]")  # not yet
        browser.choose("#header0", "Subject")
        browser.write("[name='_rule_target[0][]']", '[the "list"]')
        browser.choose("#action_type0", "Move message to")
        browser.choose("#action_mailbox0", "Archive")
        browser.click("button.submit")
    expect(scripts, r"""
require ["fileinto"];
# rule:[Lists]
if false # allof (header :contains "subject" "[the \"list\"]")
{
	fileinto "Archive";
}""")
    assert list(scripts.list().values()) == [True]
    shared_server.deliver(message('[the "list"] before'), account[0])

    browser.click("#filterslist tr", "Lists")
    with browser.frame("#filter-box"):
        browser.click("label[for=fenabled]")
        browser.choose("#action_type0", "Add flags to the message")
        browser.click("#actions label", "Flagged")
        browser.click("#actionadd0")
        browser.choose(f"{SECOND} select[id^=action_type]", "Move message to")
        browser.choose(f"{SECOND} select[id^=action_mailbox]", "Archive")
        browser.click("button.submit")
    expect(scripts, r"""
require ["fileinto","imap4flags"];
# rule:[Lists]
if allof (header :contains "subject" "[the \"list\"]")
{
	addflag "\\Flagged";
	fileinto "Archive";
}""")
    shared_server.deliver(message('[the "list"] after'), account[0])
    assert list(found(shared_server, account, "INBOX")) == ['Subject: [the "list"] before']
    ((subject, flags),) = found(shared_server, account, "Archive").items()
    assert subject == 'Subject: [the "list"] after' and r"\Flagged" in flags

    # The whole set of rules, off and on again: the page has to be loaded once with a set.
    browser.click("#settings-menu a", "Filters")
    browser.find("#layout-list", "roundcube")
    for active in (False, True):
        browser.pick("a.actions", ".popover a.status")
        wait_until(lambda: list(scripts.list().values()) == [active], SECONDS, browser.page)


def test_a_vacation_is_made(browser, webmail, account, scripts):
    browser.log_in(webmail, account)
    browser.click("#taskmenu a.settings")
    browser.click("#settings-menu a", "Out of Office")
    browser.write("#vacation_subject", "Away")
    browser.write("#vacation_reason", "I am away.\nReally.")
    browser.write("#vacation_interval", "3")
    browser.choose("#vacation_status", "On")
    browser.click("button.submit")
    expect(scripts, """
require ["vacation"];
# rule:[Out of Office]
if true
{
	vacation :days 3 :subject "Away" text:
I am away.
Really.
.
;
}""")
    assert list(scripts.list().values()) == [True]

    browser.choose("#vacation_status", "Off")
    browser.click("button.submit")
    expect(scripts, """
require ["vacation"];
# rule:[Out of Office]
if false # true
{
	vacation :days 3 :subject "Away" text:
I am away.
Really.
.
;
}""")
