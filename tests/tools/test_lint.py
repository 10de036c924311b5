"""The checks of tools/lint.py that find something where there is something."""

import importlib.util
import subprocess

import pytest

from harness.server import ROOT


@pytest.fixture
def lint(tmp_path, monkeypatch):
    """The lint, looking at a repository of the test's own."""
    description = importlib.util.spec_from_file_location("lint", ROOT / "tools" / "lint.py")
    module = importlib.util.module_from_spec(description)
    description.loader.exec_module(module)
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    return module


def write(root, name, text):
    path = root / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    subprocess.run(["git", "-C", root, "add", name], check=True)


def test_links(lint, tmp_path):
    write(tmp_path, "LICENSE", "")
    write(tmp_path, "docs/there.md", "[up](../LICENSE)\n\n[part](there.md#part) [own](#part)\n")
    write(tmp_path, "README.md",
          "[there](docs/there.md) [folder](docs) [far](https://example.org/none)\n"
          "`[code](none)`\n\n```\n[block](none)\n```\n\n[wrong](docs/none.md) ·\n[gone](none.md#part)\n")
    assert list(lint.check_links()) == ["README.md:8: docs/none.md is not there",
                                        "README.md:9: none.md is not there"]
