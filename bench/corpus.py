#!/usr/bin/python3
"""Makes mail to measure with: the same messages for the same seed, on every machine.

Usage: bench/corpus.py DIRECTORY [--count N] [--seed N]        writes 00000.eml, 00001.eml, ...

Or, for another script: `for message in corpus.messages(count, seed)`.

What is like life: sizes are log-normal, with a median of 8 KB and at most 2 MB, so that most
messages are small and most bytes are in attachments; header fields hold what cannot be compressed
(signatures, identifiers); people answer each other and quote; newsletters repeat their tables and
number their links. Of the attachments' bytes most are compressed already (pictures, archives,
documents), the rest are tables, logs and plain documents. Nothing is copied from anybody: words are
made of syllables and used as often as Zipf's law says, and every address is in a reserved domain.
"""

import argparse
import base64
import math
import quopri
import random
import textwrap
from bisect import bisect
from datetime import datetime, timedelta, timezone
from email.header import Header
from itertools import accumulate
from pathlib import Path

MEDIAN, DEVIATION = 8 * 1024, 1.9  # of the natural logarithm
SMALLEST, LARGEST = 700, 2 * 1024 * 1024
COUNT, SEED = 2000, 1
WORDS, PEOPLE, NEWSLETTERS, OPEN_THREADS = 6000, 400, 60, 200
THREAD_SHARE = 0.45
EPOCH = datetime(2024, 1, 1, tzinfo=timezone.utc)

# A language: syllables, the charsets its mail is seen in, how often.
LANGUAGES = {
    "en": ("the an in on re con ti er al st or is ed ing ver men pro com ta le ca lo mi na".split(),
           ("us-ascii", "utf-8", "utf-8", "iso-8859-1", "windows-1252"), 60),
    "de": ("der ein ge ver un sch lich keit für über mög ßen ung auf be an er te hal ben".split(),
           ("utf-8", "utf-8", "iso-8859-1", "iso-8859-15"), 18),
    "fr": ("le la re com dé é que tion pour ment est ré à où ça eau ai ou in per sé".split(),
           ("utf-8", "iso-8859-1", "windows-1252"), 10),
    "ru": ("при ко на пре ста ние ро то не го за вы да ли мо сть ре ни те ка".split(),
           ("utf-8", "koi8-r", "windows-1251"), 7),
    "ja": ("の に を は が ます した 会 議 日 本 お 願 い 確 認 資 料 送 付".split(),
           ("utf-8", "iso-2022-jp"), 5),
}

# Attachments: name, type, how much of it is compressed already, weight.
ATTACHMENTS = (
    ("picture.jpg", "image/jpeg", 1.0, 30),
    ("screenshot.png", "image/png", 0.97, 8),
    ("report.pdf", "application/pdf", 0.7, 26),
    ("offer.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", 1.0, 8),
    ("archive.zip", "application/zip", 1.0, 4),
    ("table.csv", "text/csv", 0.0, 8),
    ("server.log", "text/plain", 0.0, 6),
    ("notes.doc", "application/msword", 0.25, 6),
    ("invite.ics", "text/calendar", 0.0, 4),
)

def choose(chance, rows, weight=-1):
    return rows[bisect(list(accumulate(row[weight] for row in rows)),
                       chance.random() * sum(row[weight] for row in rows))]

class Language:
    """Words by rank, drawn by Zipf's law."""

    def __init__(self, name, chance):
        syllables, self.charsets, self.weight = LANGUAGES[name]
        self.name = name
        letters = "".join(syllables)
        self.words = ["".join(chance.choices(syllables, k=chance.choice((1, 1, 2, 2, 3)))
                              + chance.choices(letters, k=chance.choice((0, 0, 1, 2))))
                      for _ in range(WORDS)]
        self.weights = list(accumulate(1 / (rank + 2.7) for rank in range(WORDS)))

    def text(self, chance, size):
        """About so many characters: sentences in paragraphs."""
        words = chance.choices(self.words, cum_weights=self.weights, k=max(4, size // 6))
        paragraphs, at = [], 0
        while at < len(words):
            sentences = []
            for _ in range(chance.randint(2, 6)):
                part = words[at:at + chance.randint(4, 18)]
                at += len(part)
                if part:
                    sentences.append(" ".join(part).capitalize() + chance.choice(".....?!"))
            paragraphs.append(" ".join(sentences))
        return "\n\n".join(part for part in paragraphs if part)

class Person:
    def __init__(self, number, chance, languages):
        self.language = chance.choices(languages, [each.weight for each in languages])[0]
        self.name = " ".join(word.capitalize() for word in chance.sample(self.language.words, 2))
        domain = chance.choice(("example.org", "example.com", "example.net", "mail.example",
                                f"office{number % 37}.example", f"shop{number % 23}.test"))
        self.address = f"person{number}@{domain}"
        self.domain = domain
        self.agent = chance.choice(("Mutt/2.2.9", "Mozilla Thunderbird", "Mailer 16.0", "Webmail/1.6"))
        self.charset = chance.choice(self.language.charsets)

    def mailbox(self):
        return f"{encoded(self.name, self.charset)} <{self.address}>"

class Newsletter(Person):
    """A sender whose mails have one template."""

    def __init__(self, number, chance, languages):
        super().__init__(number, chance, languages)
        self.address = f"news{number}@letters{number}.example"
        self.domain = f"letters{number}.example"
        self.agent = "Campaigns 4"
        colours = [f"#{chance.randrange(1 << 24):06x}" for _ in range(4)]
        font = chance.choice(("Arial,Helvetica,sans-serif", "Georgia,serif", "Verdana,sans-serif"))
        self.style = "".join(f".c{n}{{margin:0;padding:{chance.randint(2, 30)}px;color:{c};"
                             f"font-family:{font};font-size:{chance.randint(11, 22)}px}}\n"
                             for n, c in enumerate(colours * 4))
        self.row = ('<tr><td class="c{n}" style="border-collapse:collapse;padding:8px 16px;'
                    f'font-family:{font};color:{colours[0]}" align="left" valign="top" width="280">\n'
                    '<a href="https://click.' + self.domain + '/r/{link}" target="_blank" '
                    'style="text-decoration:none">{title}</a><br>\n<img src="https://img.'
                    + self.domain + '/{picture}.jpg" width="264" height="{height}" alt="{title}" '
                    'border="0" style="display:block">\n<p class="c{m}">{text}</p></td></tr>\n')

def fitting(text, charset):
    """The charset, or UTF-8 where it lacks a character, as mail programs do."""
    try:
        text.encode(charset)
        return charset
    except UnicodeEncodeError:
        return "utf-8"

def encoded(text, charset):
    """A header field's text (RFC 2047)."""
    if text.isascii():
        return text
    return Header(text, fitting(text, charset), maxlinelen=70).encode(linesep="\r\n")

def token(chance, size):
    return base64.b64encode(chance.randbytes(size)).decode()

def wrapped(text):
    return "\n".join(textwrap.fill(part, 74, break_long_words=False) for part in text.split("\n\n")
                     for part in (part, ""))

def base64_lines(data):
    return base64.encodebytes(data).replace(b"\n", b"\r\n")

def text_part(chance, text, kind, charset, allow_flowed=True):
    """(header fields, body) of a text in one of the transfer encodings it is seen in."""
    charset = fitting(text, charset)
    data = text.encode(charset)
    encoding = "7bit" if data.isascii() else chance.choice(
        ("quoted-printable", "quoted-printable", "8bit", "base64"))
    if encoding == "7bit" and kind == "html" and chance.random() < 0.5:
        encoding = "quoted-printable"
    if encoding == "quoted-printable":
        data = quopri.encodestring(data)
    data = base64_lines(data) if encoding == "base64" else data.replace(b"\n", b"\r\n")
    flowed = "; format=flowed" if allow_flowed and kind == "plain" and chance.random() < 0.2 else ""
    return (f"Content-Type: text/{kind}; charset={charset}{flowed}\r\n"
            f"Content-Transfer-Encoding: {encoding}\r\n").encode(), data

def plain_document(chance, language, kind, size):
    """Bytes of a document that is not compressed."""
    if kind == "text/csv":
        rows = (f"{n};{chance.choice(language.words)};{chance.randrange(10 ** 6)};"
                f"{chance.random() * 1000:.2f};2024-{chance.randint(1, 12):02}-15\n"
                for n in range(size // 34 + 1))
    elif kind == "text/plain":
        rows = (f"2024-03-{n % 28 + 1:02}T{n % 24:02}:{n % 60:02}:07Z host{n % 9} daemon[{n % 977}]: "
                f"{' '.join(chance.choices(language.words[:300], k=5))} "
                f"client=192.0.2.{chance.randrange(255)} time={chance.randrange(9999)}us\n"
                for n in range(size // 105 + 1))
    elif kind == "text/calendar":
        rows = (f"BEGIN:VEVENT\r\nUID:{token(chance, 12)}@example.org\r\n"
                f"DTSTART:2024{chance.randint(1, 12):02}15T{chance.randrange(24):02}0000Z\r\n"
                f"SUMMARY:{' '.join(chance.choices(language.words, k=4))}\r\nEND:VEVENT\r\n"
                for _ in range(size // 130 + 1))
    else:
        return language.text(chance, size).encode("utf-16-le")[:size]
    return "".join(rows).encode()[:size]

def attachment(chance, language, size):
    """(header fields, body) of a file of about so many encoded bytes."""
    name, kind, packed, _ = choose(chance, ATTACHMENTS)
    raw = max(64, size * 57 // 78)
    dense = chance.randbytes(int(raw * packed))
    data = plain_document(chance, language, kind, raw - len(dense)) + dense
    name = f"{chance.randrange(1000)}-{name}"
    head = (f"Content-Type: {kind}; name=\"{name}\"\r\nContent-Transfer-Encoding: base64\r\n"
            f"Content-Disposition: attachment; filename=\"{name}\"\r\n")
    return head.encode(), base64_lines(data)

def multipart(chance, kind, parts):
    boundary = f"=_{chance.randrange(1 << 96):024x}".encode()
    body = b"".join(b"--" + boundary + b"\r\n" + head + b"\r\n" + data + b"\r\n"
                    for head, data in parts)
    head = f"Content-Type: multipart/{kind};\r\n boundary=\"{boundary.decode()}\"\r\n".encode()
    return head, body + b"--" + boundary + b"--\r\n"

def html_of(text):
    paragraphs = "".join(f"<p class=\"MsoNormal\" style=\"margin:0cm 0cm 8pt\"><span "
                         f"style=\"font-size:11.0pt\">{part}</span></p>\n"
                         for part in text.split("\n\n"))
    return ("<html><head><meta http-equiv=\"Content-Type\" content=\"text/html\"></head>\n"
            f"<body lang=\"EN\" link=\"#0563C1\" vlink=\"#954F72\">\n{paragraphs}</body></html>\n")

class Corpus:
    def __init__(self, seed):
        self.chance = chance = random.Random(seed)
        languages = [Language(name, chance) for name in LANGUAGES]
        self.people = [Person(number, chance, languages) for number in range(PEOPLE)]
        self.newsletters = [Newsletter(number, chance, languages) for number in range(NEWSLETTERS)]
        self.threads = []  # of (subject, identifiers, last text)
        self.now = EPOCH

    def size(self):
        size = math.exp(math.log(MEDIAN) + DEVIATION * self.chance.gauss(0, 1))
        return int(min(max(size, SMALLEST), LARGEST))

    def trace(self, sender, receiver):
        """What servers on the way put in front."""
        chance, lines = self.chance, []
        for hop in range(chance.randint(1, 4)):
            when = (self.now + timedelta(seconds=4 - hop)).strftime("%a, %d %b %Y %H:%M:%S +0000")
            lines.append(f"Received: from mx{hop}.{sender.domain} (mx{hop}.{sender.domain} "
                         f"[198.51.100.{chance.randrange(255)}])\r\n\tby mail{hop}.{receiver.domain} "
                         f"(Postfix) with ESMTPS id {chance.randrange(1 << 40):010X}\r\n"
                         f"\tfor <{receiver.address}>; {when}\r\n")
        if chance.random() < 0.8:
            signature = "\r\n\t ".join(textwrap.wrap(token(chance, 256), 70))
            lines.insert(1, f"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d={sender.domain};"
                            f"\r\n\ts=s2024; h=from:to:subject:date:message-id;\r\n\tbh="
                            f"{token(chance, 32)};\r\n\tb={signature}\r\n")
            lines.insert(1, f"Authentication-Results: mail.{receiver.domain}; dkim=pass "
                            f"header.d={sender.domain}; spf=pass smtp.mailfrom={sender.address}\r\n")
        if chance.random() < 0.5:
            lines.append(f"X-Spam-Status: No, score={chance.randint(-40, 20) / 10} required=5.0 "
                         "tests=DKIM_SIGNED,\r\n\tDKIM_VALID,SPF_PASS autolearn=ham\r\n")
        return "".join(lines)

    def subject_and_thread(self, sender):
        """(subject, earlier identifiers, text to quote); answers go into an open thread."""
        chance = self.chance
        if self.threads and chance.random() < THREAD_SHARE:
            return chance.choice(self.threads)
        thread = [" ".join(chance.choices(sender.language.words[:2000], k=chance.randint(2, 8)))
                  .capitalize(), [], ""]
        self.threads.append(thread)
        if len(self.threads) > OPEN_THREADS:
            self.threads.pop(chance.randrange(len(self.threads)))
        return thread

    def head(self, sender, receiver, subject, references):
        chance = self.chance
        identifier = f"<{chance.randrange(1 << 80):020x}@{sender.domain}>"
        when = self.now.strftime("%a, %d %b %Y %H:%M:%S +0000")
        fields = (self.trace(sender, receiver) + f"From: {sender.mailbox()}\r\n"
                  f"To: {receiver.mailbox()}\r\nSubject: {encoded(subject, sender.charset)}\r\n"
                  f"Date: {when}\r\nMessage-ID: {identifier}\r\n")
        if references:
            fields += (f"In-Reply-To: {references[-1]}\r\nReferences: "
                       + "\r\n ".join(references[-12:]) + "\r\n")
        if isinstance(sender, Newsletter):
            fields += (f"List-Unsubscribe: <https://click.{sender.domain}/u/{token(chance, 30)}>\r\n"
                       f"List-Id: <news.{sender.domain}>\r\nPrecedence: bulk\r\n")
        return identifier, fields + f"User-Agent: {sender.agent}\r\nMIME-Version: 1.0\r\n"

    def newsletter(self, size):
        chance, sender = self.chance, self.chance.choice(self.newsletters)
        receiver = chance.choice(self.people)
        title = " ".join(chance.choices(sender.language.words, k=5)).capitalize()
        _, head = self.head(sender, receiver, title, [])
        text, rows = [], []
        for n in range(max(1, size // 1300)):
            title = " ".join(chance.choices(sender.language.words, k=4)).capitalize()
            words = sender.language.text(chance, chance.randint(80, 400)).replace("\n\n", " ")
            link = token(chance, 45).replace("/", "_").replace("+", "-")
            rows.append(sender.row.format(n=n % 16, m=(n + 3) % 16, link=link, title=title,
                                          picture=f"{chance.randrange(1 << 48):012x}",
                                          height=chance.randint(90, 300), text=words))
            text.append(f"{title}\n{words}\nhttps://click.{sender.domain}/r/{link}")
        html = ("<!DOCTYPE html>\n<html><head><style>\n" + sender.style + "</style></head>\n<body>"
                "<table width=\"600\" cellpadding=\"0\" cellspacing=\"0\" border=\"0\">\n"
                + "".join(rows) + "</table></body></html>\n")
        parts = [text_part(chance, wrapped("\n\n".join(text)), "plain", sender.charset, False),
                 text_part(chance, html, "html", sender.charset)]
        kind, body = multipart(chance, "alternative", parts)
        return head.encode() + kind + b"\r\n" + body

    def letter(self, size):
        chance, sender = self.chance, self.chance.choice(self.people)
        receiver = chance.choice(self.people)
        thread = self.subject_and_thread(sender)
        subject, references, quoted = thread
        identifier, head = self.head(sender, receiver, ("Re: " if references else "") + subject,
                                     references)
        room = max(200, size - len(head))
        attached = room > 24 * 1024 and chance.random() < 0.9
        written = chance.randint(150, 4000) if attached else room * 2 // 3
        with_html = chance.random() < 0.45
        text = sender.language.text(chance, written // 3 if with_html else written)
        answer = wrapped(text) + (f"\n\n{receiver.name} wrote:\n"
                                  + "\n".join("> " + line for line in quoted.split("\n")[:60])
                                  if quoted else "") + f"\n-- \n{sender.name}\n"
        body = text_part(chance, answer, "plain", sender.charset)
        if with_html:
            body = multipart(chance, "alternative",
                             [body, text_part(chance, html_of(text), "html", sender.charset)])
        if attached:
            parts = [body]
            left = room - len(body[1])
            while left > 1000:
                part = left if chance.random() < 0.6 else left // 2
                parts.append(attachment(chance, sender.language, part))
                left -= part
            body = multipart(chance, "mixed", parts)
        thread[1] = references + [identifier]
        thread[2] = answer[:4000]
        return head.encode() + body[0] + b"\r\n" + body[1]

    def message(self):
        self.now += timedelta(seconds=self.chance.randint(1, 5000))
        size = self.size()
        is_news = 6000 < size < 120000 and self.chance.random() < 0.4
        return self.newsletter(size) if is_news else self.letter(size)

def messages(count=COUNT, seed=SEED):
    """Yields `count` messages, each as bytes with CRLF."""
    corpus = Corpus(seed)
    for _ in range(count):
        yield corpus.message()

def write(directory, count=COUNT, seed=SEED):
    """Writes them as files; returns their bytes."""
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    total = 0
    for number, message in enumerate(messages(count, seed)):
        (directory / f"{number:05}.eml").write_bytes(message)
        total += len(message)
    return total

def main():
    parser = argparse.ArgumentParser(description="Makes mail to measure with.")
    parser.add_argument("directory")
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--seed", type=int, default=SEED)
    arguments = parser.parse_args()
    print(write(arguments.directory, arguments.count, arguments.seed), "bytes")

if __name__ == "__main__":
    main()
