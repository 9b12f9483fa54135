"""Collects ratios over all benches and prints them once, side by side."""

from __future__ import annotations

import pytest

from table import Table

# It runs where gbstats is, which is not here.
collect_ignore = ["gbstats_loop.py"]

_TABLE = Table()


@pytest.fixture(scope="session")
def table() -> Table:
    """The table of ratios."""
    return _TABLE


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not _TABLE.rows:
        return
    terminalreporter.section("ratios, median (min to max) over the rounds")
    for line in _TABLE.lines():
        terminalreporter.write_line(line)
