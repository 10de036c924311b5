#!/usr/bin/python3
"""What the failed tests of a run printed, last: where a log is cut, its end is what is left.

    tools/failures.py BUILD
"""

import json
import sys
from pathlib import Path

LINES_MAXIMUM = 60  # of each test


def main():
    log = Path(sys.argv[1], "meson-logs", "testlog.json")
    for line in log.read_text().splitlines():
        test = json.loads(line)
        if test["result"] in ("OK", "SKIP", "EXPECTEDFAIL"):
            continue
        printed = test.get("stdout", "") + test.get("stderr", "")
        print(f"--- {test['name']}: {test['result']}")
        print("\n".join(printed.splitlines()[-LINES_MAXIMUM:]))


if __name__ == "__main__":
    main()
