"""What the server says to people is in the table of languages (src/format/language.def): every text of IMAP's
OK, NO and BYE, and of POP3's answers, that stands in the code."""

import re
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "src"
FILES = sorted((SOURCE / "session/imap").glob("*.c")) + sorted((SOURCE / "session/pop3").glob("*.c")) + [
    SOURCE / name for name in ("proto/imap/login.c", "proto/pop3/login.c", "proto/pop3/writer.c",
                               "proto/sasl/login.c", "front/login/connection.c", "front/login/login.c")]
# Calls whose last text is for people, and tables of such texts.
CALL = re.compile(r"\b(session_reply|session_ok|session_bye|imap_write_status|imap_write_text|write_number|"
                  r"write_highest|ok|no|pop3_write_ok|pop3_write_error|login_engine_no|login_engine_bye|"
                  r"dismiss|connection_dismiss)\(")
TABLE = re.compile(r"error_replies\[\] = \{(.*?)\n\};", re.S)
STRING = r'"((?:[^"\\]|\\.)*)"'

def call_at(source, begin):
    """The text of a call from behind its opening parenthesis on."""
    depth, at = 1, begin
    while depth:
        quoted = re.compile(STRING).match(source, at)
        if quoted:
            at = quoted.end()
            continue
        depth += {"(": 1, ")": -1}.get(source[at], 0)
        at += 1
    return source[begin:at]


def texts_of(call):
    joined = re.sub(r'"\s*\n\s*"', "", call)
    return [text for text in re.findall(STRING, joined) if re.search("[a-z]", text)]


def said():
    """{text: where}"""
    found = {}
    for path in FILES:
        source = path.read_text()
        calls = [call_at(source, match.end()) for match in CALL.finditer(source)]
        for call in calls + TABLE.findall(source):
            if '"BAD"' in call:
                continue
            for text in texts_of(call):
                found.setdefault(text, path.name)
    return found


def table():
    rows = re.findall(rf"^LANGUAGE_TEXT\({STRING}, {STRING}, {STRING}, {STRING}\)$",
                      (SOURCE / "format/language.def").read_text(), re.M)
    return {row[0]: row[1:] for row in rows}


def is_in(table, text):
    return text in table or any(re.fullmatch(re.escape(pattern).replace("%s", r"\S+"), text)
                                for pattern in table if "%s" in pattern)


def test_every_text_is_in_the_table():
    rows, texts = table(), said()
    assert len(rows) > 100 and len(texts) > 100
    missing = {text: where for text, where in texts.items() if not is_in(rows, text)}
    assert not missing


def test_every_row_is_said():
    """Nothing is in the table that the code does not say, such as a text that was changed in one place."""
    sources = "".join(re.sub(r'"\s*\n\s*"', "", path.read_text())
                      for path in list(SOURCE.rglob("*.c")) + list(SOURCE.rglob("*.h")))
    composed = {"%s completed", "Other Users/", "Shared/"}  # OTHER_USERS "/" and its like
    assert [text for text in table() if f'"{text}"' not in sources and text not in composed] == []
