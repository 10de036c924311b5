"""Every *.dialogue file below this folder is one test (tests/harness/dialogue.py)."""

from pathlib import Path

import pytest

from harness.dialogue import Dialogue

HERE = Path(__file__).parent
FILES = sorted(HERE.rglob("*.dialogue"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(HERE))[:-9])
def test_dialogue(path, shared_server):
    Dialogue(shared_server, path.read_text().splitlines()).run()
