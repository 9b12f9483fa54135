"""One tally for the whole run, printed at its end."""

from __future__ import annotations

from importlib.metadata import version

import pytest

from known_answers.recorded import sheets
from known_answers.tally import Tally

# They run where the engines are, which is not here.
collect_ignore_glob = ["engines/*.py"]

_TALLY = Tally()


@pytest.fixture(scope="session")
def tally() -> Tally:
    """Counts the cases."""
    return _TALLY


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not _TALLY.cases:
        return
    versions = {sheet.engine: sheet.version for sheet in sheets()} | {"scipy": version("scipy")}
    terminalreporter.section("known answers")
    for line in _TALLY.lines(versions):
        terminalreporter.write_line(line)
