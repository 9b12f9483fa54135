"""``check``: the installation checks itself; asks no sidecar."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from sortition.cli.exit_codes import ExitCode
from sortition.cli.group import say
from sortition.cli.session import Output
from sortition.cli.settings_options import Config, DatabaseUrl, StateDir

if TYPE_CHECKING:
    from rich.console import RenderableType

    from sortition.check import Finding

__all__ = ["register"]

_STYLES = {"ok": "green", "failed": "bold red", "skipped": "dim"}


class _Area(str, Enum):
    """What can be checked: `sortition.check.AREAS`, which is too heavy to import for a help text."""

    ASSIGNMENT = "assignment"
    STATISTICS = "statistics"
    RECORDING = "recording"
    STORAGE = "storage"
    CLOCK = "clock"


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("check")(check)


def check(
    only: Annotated[
        list[_Area] | None, typer.Option(metavar="AREA", help="Only this area; may be given several times.")
    ] = None,
    state_dir: StateDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
    output: Annotated[Output, typer.Option("--output", "-o", help="How to write the answer.")] = Output.TABLE,
) -> None:
    """Check that this installation draws fairly, computes rightly, and records exactly; exit with 1 when not.

    assignment: lots are even, and independent between experiments. statistics: published answers come out. recording:
    outcomes survive flushes, retries and a restart, and are analyzed exactly; in a state of its own. storage and clock:
    those of the sidecar, found as for serve. Nothing is changed, and sidecars may be running.
    """
    from sortition import settings
    from sortition.check import AREAS, State
    from sortition.check import check as look
    from sortition.cli.output import print_document, print_table

    chosen = settings.load({"state_dir": state_dir, "database_url": database_url}, config=config)
    found = list(look(chosen, [area.value for area in only] if only else AREAS))
    failed = sum(one.state is State.FAILED for one in found)
    if output is Output.JSON:
        print_document(
            {
                "ok": not failed,
                "environment": _environment(),
                "checks": [
                    {
                        "area": one.area,
                        "name": one.name,
                        "state": str(one.state),
                        "detail": one.detail,
                        "seconds": round(one.seconds, 3),
                    }
                    for one in found
                ],
            }
        )
    else:
        print_table(_table(found))
    if failed:
        say(f"error: {failed} of {len(found)} checks failed")
        raise typer.Exit(ExitCode.UNEXPECTED)


def _environment() -> dict[str, str]:
    """Returns what the answers were computed with."""
    import platform
    import sqlite3

    import numpy
    import scipy

    from sortition.core import __version__ as core

    return {
        "sortition": core,
        "python": platform.python_version(),
        "numpy": numpy.__version__,
        "scipy": scipy.__version__,
        "sqlite": sqlite3.sqlite_version,
        "machine": platform.machine(),
    }


def _table(found: list[Finding]) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    from sortition.render.tables import quiet_table
    from sortition.render.words import clean

    table = quiet_table("area", "check", "", "found")
    area = ""
    for one in found:
        state = Text(str(one.state), style=_STYLES[one.state.value])
        table.add_row(one.area if one.area != area else "", one.name, state, Text(clean(one.detail)))
        area = one.area
    made = ", ".join(f"{name} {version}" for name, version in _environment().items() if name != "machine")
    took = sum(one.seconds for one in found)
    return Group(table, Text(f"{len(found)} checks in {took:.1f} s with {made}", style="dim"))
