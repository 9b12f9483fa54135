"""The project speaks of itself alone, and its documents name what is there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"\[[^\]]*\]\((?!https?://|#|mailto:)([^)#\s]+)[^)]*\)")
# A machine's own paths: nobody else has them.
MACHINE = re.compile(r"(?<![\w.])/(?:root|home|work)/\w")


def tracked() -> list[Path]:
    """Returns the project's files: what git tracks, or everything that is not built where there is no git."""
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode == 0 and listing.stdout:
        return [ROOT / line for line in listing.stdout.splitlines() if (ROOT / line).is_file()]
    built = {".venv", "target", "__pycache__", ".git"}
    return [path for path in ROOT.rglob("*") if path.is_file() and not built & set(path.relative_to(ROOT).parts)]


def test_no_file_names_a_path_of_a_machine() -> None:
    found, seen = [], 0
    for path in tracked():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        seen += 1
        found += [f"{path.relative_to(ROOT)}: {match.group()}" for match in MACHINE.finditer(text)]
    assert seen > 100
    assert not found


@pytest.mark.parametrize("name", ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_documents_link_to_files_that_exist(name: str) -> None:
    text = (ROOT / name).read_text()
    assert len(text) > 500
    missing = [target for target in LINK.findall(text) if not (ROOT / target).exists()]
    assert not missing


def test_the_readme_names_both_commands_at_its_top() -> None:
    top = "\n".join((ROOT / "README.md").read_text().splitlines()[:30])
    assert "make demo" in top
    assert "make test" in top
