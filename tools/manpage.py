#!/usr/bin/python3
"""Makes a manual page from a program's head comment: what is written there is what people read.

Usage: tools/manpage.py SOURCE SECTION > PAGE

The comment: "NAME - summary", then headings in capitals, paragraphs indented by two, and
definitions as "TERM   text" with three spaces or more between.
"""

import re
import sys


def head_comment(path):
    text = open(path).read()
    comment = re.match(r"/\*\n(.*?)\n \*/", text, re.S).group(1)
    return [re.sub(r"^ \* ?", "", line) for line in comment.splitlines()]


def troff(text):
    return text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")


def page(lines, section):
    name, summary = lines[0].split(" - ", 1)
    yield f'.TH {name} {section} "" "Chapar"'
    yield f".SH NAME\n{name} \\- {troff(summary)}"
    verbatim = False
    for line in lines[1:]:
        definition = re.match(r"  (\S.*?)   +(\S.*)$", line)
        if re.match(r"[A-Z][A-Z ]+$", line):
            verbatim = line == "SYNOPSIS"
            yield f".SH {line}"
        elif not line.strip():
            yield ".PP"
        elif verbatim:
            yield f"{troff(line.strip())}\n.br"
        elif definition:
            yield f".TP\n.B {troff(definition.group(1))}\n{troff(definition.group(2))}"
        else:
            yield troff(line.strip())


def main():
    source, section = sys.argv[1:]
    print("\n".join(page(head_comment(source), section)))


if __name__ == "__main__":
    main()
