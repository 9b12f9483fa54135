"""What is slow to import is imported only when it is needed."""

from __future__ import annotations

import subprocess
import sys

import pytest

# Each costs from a tenth to half a second.
SLOW = {"scipy", "sqlalchemy", "alembic", "grpc", "numpy", "pydantic", "ruamel", "google.protobuf"}


@pytest.mark.parametrize(
    ("statement", "needed"),
    [
        ("import sortition", "sortition"),
        ("import sortition.errors", "sortition.errors"),
        ("import sortition.cli", "sortition.cli"),
    ],
)
def test_an_import_does_not_pull_in_what_is_slow(statement: str, needed: str) -> None:
    code = f"import sys; {statement}; print(' '.join(sys.modules))"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    )
    assert needed in loaded, "the statement imported what it names"
    assert not loaded & SLOW


def test_help_does_not_pull_in_what_is_slow() -> None:
    code = (
        "import sys; from sortition.cli import main; sys.argv = ['sortition', '--help']\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        "print('MODULES', ' '.join(sys.modules))"
    )
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    shown, _, modules = out.partition("MODULES")
    assert "serve" in shown
    assert not set(modules.split()) & SLOW
