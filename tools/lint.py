#!/usr/bin/python3
"""What the compiler does not check, checked: `make lint`.

Usage: tools/lint.py [CHECK ...]        all checks, or those named

Each check is a function that yields problems, one line each; the run fails when there is one.
The rules live where people read them: the folders in src/README.md, the style in docs/style.md.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SRC = ROOT / "src"
BIN = ROOT / "build" / "bin"

FUNCTION_WARNING, FUNCTION_REFUSED = 80, 120
FUNCTION_MEDIAN, FUNCTION_P90 = 16, 50
FILE_REFUSED = 1000
CONTRACT_SHARE = 0.40

# Functions banned by name that base/banned.h cannot poison, and those it does, for the folders it
# is not included in.
BANNED = re.compile(
    r"\b(strcpy|strcat|strncpy|strncat|sprintf|vsprintf|strtok|gets|atoi|atol|atoll|atof|"
    r"sscanf|system|popen|random|rand|srand|alloca|mktemp|tmpnam|gmtime|localtime|ctime|asctime)\s*\(")

# Who may act as the system: delivery, administration, the offline command. A new place is added
# here with its reason.
WHO_SYSTEM_ALLOWED = {
    "src/store/store.h": "its definition",
    "src/store/rights.c": "what it may do: everything",
    "src/store/view.c": "whose subscriptions it sees: the owner's",
    "src/store/acl.c": "reads the directory for who may administer a list, to say names",
    "src/store/intent.c": "finishes moves between accounts, whoever began them",
    "src/store/shared.c": "keeps in the directory what lists of accounts say",
    "src/store/check.c": "reads whole accounts, changes nothing",
    "src/store/check_outgoing.c": "notes in the directory what is in an account",
    "src/store/check_snooze.c": "notes in the directory what is in an account",
    "src/store/due.c": "notes in the directory what is in an account",
    "src/store/outgoing": "asks for it: only the system delivers and sends",
    "src/store/snooze.c": "asks for it: only the system puts to sleep and wakes",
    "src/store/settle.c": "moves bodies of whole accounts, changes nothing that anybody sees",
    "src/store/summaries.c": "makes derived data of whole accounts anew",
    "src/store/urlauth.c": "finds whose URL it is, whoever brings it, and reads as that account",
    "src/store/dump.c": "reads whole accounts, changes nothing",
    "src/store/purge.c": "only the system removes for good",
    "src/store/quota.c": "only the system sets limits",
    "src/store/script.c": "the owner's alone, and the system's for the owner",
    "src/store/annotation.c": "only the system sets what all users of an account see of it",
    "src/store/server_annotation.c": "only administrators set what all accounts see, in the directory",
    "src/store/directory.c": "asks for it: what changes or reads the directory is the system's",
    "src/store/directory_account.c": "fills an account nobody owns yet; only the system makes one",
    "src/store/directory_walk.c": "the groups that rights go by, for whoever is asked about",
    "src/admin/": "administration, for a peer that chapard has checked",
    "src/store/deliver.c": "asks for it: only the system delivers",
    "src/store/site_script.c": "asks for it: the administrator's scripts are the system's",
    "src/session/sieve/": "the administrator's scripts, and what the owner's do in the account",
    "src/session/lmtp/": "delivery is nobody's session",
    "src/session/outgoing/": "what was delivered is sent when nobody's session is there",
    "src/session/mta/": "the mail server asks for everybody",
    "src/cli/": "the administrator's command without a running server",
}

# Calls of the store that need no right: opening a view, closing one.
RIGHTS_NOT_NEEDED = {"store_view_open", "store_view_close", "store_view_hold", "store_view_let_go",
                     "store_now", "store_view_take_events", "store_account_changes"}

# What must not be in an executable: the linker is the fence (docs/architecture.md).
STORAGE = r"(kv|blob|cluster|rados|store|mailbox(?!_name)|collection|credentials|imap_session|sqlite3)_\w+"
FORBIDDEN_SYMBOLS = {
    "chapard": re.compile(rf"^({STORAGE}|imap_\w+|lmtp_\w+|mta_\w+|summary_\w+|mime_\w+|SSL_\w+)$"),
    "chapar-login": re.compile(rf"^({STORAGE}|lmtp_(?!(login|hello)_)\w+|mta_\w+|summary_\w+|mime_\w+|"
                               r"sieve_(?!extension_list$)\w+)$"),
    "chapar-auth": re.compile(r"^((blob|store|mailbox(?!_name)|collection|imap|lmtp|mta|summary|mime)_\w+|"
                              r"SSL_\w+)$"),
    "chapar-send": re.compile(rf"^({STORAGE}|imap_\w+|lmtp_\w+|mta_\w+|pop3_\w+|managesieve_\w+|"
                              r"sieve_\w+|summary_\w+|mime_\w+)$"),
}
FORBIDDEN_LIBRARIES = {
    "chapard": ["libsqlite3", "librados", "libssl", "libicu", "libzstd"],
    "chapar-login": ["libsqlite3", "librados", "libzstd"],
    "chapar-auth": ["libssl", "libzstd"],
    "chapar-send": ["libsqlite3", "librados", "libzstd"],
}


def relative(path):
    return str(path.relative_to(ROOT))


def sources(*folders, endings=(".c", ".h")):
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in endings and path.is_file():
                yield path


def without_comments(text):
    """The code with comments and strings blanked, lines kept."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)

    def blank(match):
        found = match.group(0)
        if found[0] in "\"'":
            return found[0] + found[0]
        return "\n" * found.count("\n")

    return pattern.sub(blank, text)


def folder_of(path, folders):
    """The road map's folder a source belongs to: the longest that is its prefix."""
    name = str(path.relative_to(SRC))
    fitting = [f for f in folders if name.startswith(f + "/")]
    return max(fitting, key=len) if fitting else None


def road_map():
    rows = {}
    for line in (SRC / "README.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and len(cells) == 3 and not re.match(r"folder|-", cells[0]):
            rows[cells[0]] = {name.strip() for name in cells[2].split(",") if name.strip()}
    return rows


def check_folders():
    """Who includes whom, private headers, a road-map line for each folder, no cycles."""
    rows = road_map()
    for name in rows:
        if not (SRC / name).is_dir():
            yield f"src/README.md: {name} is no folder"
        for used in rows[name] - rows.keys():
            yield f"src/README.md: {name} may use {used}, which has no line"
    for path in sources("src"):
        folder = folder_of(path, rows)
        if not folder or str(path.parent.relative_to(SRC)) not in rows:
            yield f"{relative(path)}: its folder has no line in src/README.md"
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if match:
                yield from check_include(path, number, folder, match.group(1), rows)
    yield from check_cycles(rows)


def check_include(path, number, folder, included, rows):
    where = f"{relative(path)}:{number}"
    target = SRC / included
    if not target.is_file():
        yield f'{where}: "{included}" is not a path from src'
        return
    other = folder_of(target, rows)
    if included.endswith("_priv.h") and target.parent != path.parent and other != folder and \
            target.parent != path.parent.parent:
        yield f'{where}: "{included}" is private to its folder'
    if other not in (folder, "base") and other not in rows[folder]:
        yield f"{where}: {folder} may not use {other} (src/README.md)"
    if included == "base/log.h" and folder.split("/")[0] not in (
            "front", "agents", "session", "supervisor", "cli") and relative(path) not in LOGGING_ALLOWED:
        yield f"{where}: libraries return errors, they do not log"


# base/log.c itself; config.c knows the levels' names; service.c is the skeleton of executables.
LOGGING_ALLOWED = {"src/base/log.c", "src/base/config.c", "src/ipc/service.c"}


def check_cycles(rows):
    # A folder below another (kv/sqlite) stands behind its parent's interface; the parent names it
    # in its constructor only.
    done, stack = set(), []

    def visit(name):
        if name in stack:
            yield "cycle: " + " -> ".join(stack[stack.index(name):] + [name])
        elif name not in done:
            stack.append(name)
            for used in sorted(rows.get(name, ())):
                yield from visit(used)
            stack.pop()
            done.add(name)

    for name in rows:
        yield from visit(name)


def check_symbols():
    """The linker as a fence."""
    for program, pattern in FORBIDDEN_SYMBOLS.items():
        path = BIN / program
        if not path.is_file():
            yield f"{program} is not built: run make first"
            continue
        names = subprocess.run(["nm", "--format=posix", path], capture_output=True, text=True,
                               check=True).stdout
        for line in names.splitlines():
            name = line.split()[0].split("@")[0]
            if pattern.match(name):
                yield f"{program} contains {name}, which is none of its business"
        dynamic = subprocess.run(["readelf", "-dW", path], capture_output=True, text=True,
                                 check=True).stdout
        for library in FORBIDDEN_LIBRARIES[program]:
            if f"[{library}" in dynamic:
                yield f"{program} links {library}"


def check_hardening():
    """The flags that are asked for are in what was built."""
    for path in sorted(BIN.glob("chapa*")):
        text = subprocess.run(["readelf", "-hldW", path], capture_output=True, text=True,
                              check=True).stdout
        if "DYN (" not in text:
            yield f"{path.name} is not position independent"
        if "GNU_RELRO" not in text or "BIND_NOW" not in text:
            yield f"{path.name} has no full RELRO"
        if re.search(r"GNU_STACK.*RWE", text):
            yield f"{path.name} has an executable stack"
        yield from check_compiled_in(path, text)


def check_compiled_in(path, headers):
    """What the compiler put into the code, seen from what it calls and begins functions with."""
    names = subprocess.run(["nm", "-DP", path], capture_output=True, text=True, check=True).stdout
    if "__stack_chk_fail" not in names:
        yield f"{path.name} has no stack protector"
    if not re.search(r"^__\w+_chk@", names, re.M):
        yield f"{path.name} has no _FORTIFY_SOURCE"
    if "X86-64" in headers:
        notes = subprocess.run(["readelf", "-nW", path], capture_output=True, text=True,
                               check=True).stdout
        code = subprocess.run(["objdump", "-d", "--no-show-raw-insn", path], capture_output=True,
                              text=True, check=True).stdout
        main = re.search(r"<main>:\n\s*\w+:\s*(\w+)", code)
        if "SHSTK" not in notes or not main or main.group(1) != "endbr64":
            yield f"{path.name} has no control-flow protection"


def check_banned():
    """Banned functions, also where base/banned.h is not included."""
    for path in sources("src", "tests", "bench"):
        if path.name == "banned.h":
            continue
        for number, line in enumerate(without_comments(path.read_text()).splitlines(), 1):
            match = BANNED.search(line)
            if match and not line.lstrip().startswith("#"):
                yield f"{relative(path)}:{number}: {match.group(1)} is banned (base/banned.h)"


def functions(path):
    """(name, first line, length) of each function definition, as clang-format lays them out."""
    lines = without_comments(path.read_text()).splitlines()
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
        elif line == "}" and start:
            head = " ".join(lines[max(0, start - 6):start - 1])
            names = re.findall(r"(\w+)\s*\(", head)
            yield names[-1] if names else "?", start, number - start + 1
            start = None


def check_lengths():
    """Function and file length (docs/style.md)."""
    lengths = []
    for path in sources("src", "bench", "tests"):
        count = path.read_text().count("\n")
        if count > FILE_REFUSED:
            yield f"{relative(path)}: {count} lines; at most {FILE_REFUSED}"
        if path.suffix != ".c":
            continue
        for name, line, length in functions(path):
            if relative(path).startswith("src/"):
                lengths.append(length)
            if length > FUNCTION_REFUSED:
                yield f"{relative(path)}:{line}: {name} has {length} lines; at most {FUNCTION_REFUSED}"
            elif length > FUNCTION_WARNING:
                print(f"  warning: {relative(path)}:{line}: {name} has {length} lines")
    lengths.sort()
    if not lengths:
        return
    median, p90 = lengths[len(lengths) // 2], lengths[len(lengths) * 9 // 10]
    print(f"  {len(lengths)} functions: median {median}, p90 {p90}, longest {lengths[-1]}")
    if median > FUNCTION_MEDIAN or p90 > FUNCTION_P90:
        yield f"functions: median {median}, p90 {p90}; at most {FUNCTION_MEDIAN}, {FUNCTION_P90}"


def check_contracts():
    """Public headers say what they promise."""
    for path in sources("src", endings=(".h",)):
        if path.name.endswith("_priv.h"):
            continue
        # Inline functions are their own description; what declares is measured.
        text = re.sub(r"\n\{\n.*?\n\}\n", "\n", path.read_text(), flags=re.S)
        comments = "".join(re.findall(r"/\*.*?\*/", text, re.S))
        share = len(comments) / max(1, len(text))
        if share < CONTRACT_SHARE:
            yield f"{relative(path)}: {share:.0%} contract; at least {CONTRACT_SHARE:.0%}"


def check_who_system():
    """The places that act as the system."""
    for path in sources("src"):
        name = relative(path)
        for number, line in enumerate(without_comments(path.read_text()).splitlines(), 1):
            if re.search(r"\bWHO_(KIND_)?SYSTEM\b", line):
                if not any(name.startswith(place) for place in WHO_SYSTEM_ALLOWED):
                    yield f"{name}:{number}: WHO_SYSTEM is not for here (tools/lint.py)"


STORE_CALL = re.compile(r"\b(\w+)\(([^;{}]*?)\);", re.S)


def check_rights():
    """Every call of the store is tried by who has no right to it."""
    tried = (ROOT / "tests/unit/store/test_rights.c").read_text()
    for path in sources("src/store"):
        if path.suffix != ".h" or path.name.endswith("_priv.h"):
            continue
        for name, parameters in STORE_CALL.findall(without_comments(path.read_text())):
            asks = re.search(r"struct store_view \*\w|struct who \w", parameters)
            if asks and name not in RIGHTS_NOT_NEEDED and \
                    not re.search(rf'\{{"{name}["( ]', tried):
                yield f"{relative(path)}: {name} is missing in tests/unit/store/test_rights.c"


def check_format():
    """clang-format, as .clang-format says."""
    files = [str(path) for path in sources("src", "tests", "bench")]
    result = subprocess.run(["clang-format", "--dry-run", *files], capture_output=True, text=True)
    seen = set()
    for line in result.stderr.splitlines():
        match = re.match(r"(.*?):(\d+):\d+: warning", line)
        if match and match.group(1) not in seen:
            seen.add(match.group(1))
            yield f"{relative(Path(match.group(1)))}:{match.group(2)}: not clang-format's layout"


def check_cppcheck():
    """Static analysis."""
    command = ["cppcheck", "--quiet", "--std=c11", "--enable=warning,portability,performance",
               "--inline-suppr", "--error-exitcode=0", "-j", str(os.cpu_count() or 1),
               "--suppressions-list=tools/cppcheck-suppressions", "--template={file}:{line}: {id}: {message}",
               "-D_GNU_SOURCE", "-DCHAPAR_VERSION=\"0\"", "-I", "src", "src"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    yield from (line for line in result.stderr.splitlines() if line.strip())


def links(text):
    """(line, target) of each relative link of a Markdown text; what is in code is none."""
    text = re.sub(r"^```.*?^```|`[^`\n]*`", lambda found: "\n" * found.group(0).count("\n"), text,
                  flags=re.M | re.S)
    for found in re.finditer(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:|#", found.group(1)):
            yield text.count("\n", 0, found.start()) + 1, found.group(1).split("#")[0]


def check_links():
    """Every relative link of a document leads to a file."""
    files = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True,
                           check=True).stdout.splitlines()
    for name in files:
        for line, target in links((ROOT / name).read_text()):
            if not (ROOT / name).parent.joinpath(target).exists():
                yield f"{name}:{line}: {target} is not there"


def check_words():
    """Nothing promises more than it does, and nothing names a machine it was written on."""
    unfinished = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True,
                           check=True).stdout.splitlines()
    for name in files:
        path = ROOT / name
        if name == "tools/lint.py" or "corpus" in name or not path.is_file():
            continue
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if unfinished.search(line):
                yield f"{name}:{number}: unfinished: {line.strip()[:60]}"
            if str(ROOT.parent) + "/" in line and len(str(ROOT.parent)) > 1:
                yield f"{name}:{number}: names a path of this machine"


CHECKS = {
    "folders": check_folders,
    "symbols": check_symbols,
    "hardening": check_hardening,
    "banned": check_banned,
    "lengths": check_lengths,
    "contracts": check_contracts,
    "who-system": check_who_system,
    "rights": check_rights,
    "format": check_format,
    "cppcheck": check_cppcheck,
    "links": check_links,
    "words": check_words,
}


def main():
    wanted = sys.argv[1:] or CHECKS
    problems = 0
    for name in wanted:
        print(f"lint {name}: {CHECKS[name].__doc__}")
        for problem in CHECKS[name]():
            print(f"  {problem}")
            problems += 1
    print(f"lint: {problems} problems" if problems else "lint: clean")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
