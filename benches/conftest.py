"""Collects what benches measure, prints it side by side and, when asked to, keeps it and writes the documents."""

from __future__ import annotations

import pytest

from document import lines, write
from machine import Run, this_run
from results import Results
from table import Table

# They run where their packages are, which is not here.
collect_ignore = ["gbstats_loop.py", "peers_loop.py"]

_TABLES: dict[str, Table] = {}
_PASSED: set[str] = set()
_RUNS: list[Run] = []
_KEEPING: list[bool] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--keep", action="store_true", help="merge what is measured into the results and the documents")


def pytest_collection_finish(session: pytest.Session) -> None:
    # Before anything is loaded.
    if session.items and not session.config.option.collectonly:
        _RUNS.append(this_run())
    _KEEPING.append(bool(session.config.getoption("--keep")))


@pytest.fixture
def table(request: pytest.FixtureRequest) -> Table:
    """What this bench measures."""
    return _TABLES.setdefault(f"{request.path.stem}::{request.node.name}", Table())


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" and report.passed:
        path, _, test = report.nodeid.partition("::")
        name = f"{path.rpartition('/')[2].removesuffix('.py')}::{test}"
        _PASSED.add(name)
        if any(_KEEPING) and name in _TABLES:
            # At once: what comes after it may be interrupted.
            _keep({name: _TABLES[name]})


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config) -> None:
    # What a bench measured before it failed is nothing to go by.
    tables = {name: table for name, table in _TABLES.items() if name in _PASSED and (table.rows or table.figures)}
    if not tables:
        return
    terminalreporter.section("median (min to max) over the rounds")
    for table in tables.values():
        for line in lines(table):
            terminalreporter.write_line(line)
    if config.getoption("--keep"):
        option = config.option
        chosen = option.keyword or option.markexpr or option.maxfail or config.args != ["benches"]
        # One that was interrupted has not asked everybody either.
        over = exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        for path in write(_keep(tables, whole=over and not chosen)):
            terminalreporter.write_line(f"wrote {path}")


def _keep(tables: dict[str, Table], *, whole: bool = False) -> Results:
    results = Results.load()
    results.merge(_RUNS[-1], tables, whole=whole)
    results.save()
    # What is kept is rounded, and the documents are made of what is kept.
    return Results.load()
