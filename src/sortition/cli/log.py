"""``log``: looks at a sidecar's log of outcomes, and saves what can be saved of a damaged one; asks no sidecar."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from sortition.cli.session import Output
from sortition.errors import DataLoss, NotFound

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["register"]

_StateDir: TypeAlias = Annotated[
    Path | None, typer.Option("--state-dir", metavar="DIR", help="The state directory of the sidecar that is meant.")
]
_Format: TypeAlias = Annotated[Output, typer.Option("--output", "-o", help="How to write the answer.")]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(
        help="Look at the log of outcomes that are not in the database yet, and repair it.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    group.command("inspect")(inspect)
    group.command("verify")(verify)
    group.command("salvage")(salvage)
    group.command("adopt")(adopt)
    app.add_typer(group, name="log")


def inspect(state_dir: _StateDir = None, output: _Format = Output.TABLE) -> None:
    """Show the segments of the log; the sidecar may be running."""
    from sortition.core import log_inspect

    found = [{"log": str(path), **log_inspect(path)} for path in _logs(state_dir)]
    _write(output, {"logs": found}, lambda: _tables(found))


def verify(state_dir: _StateDir = None, output: _Format = Output.TABLE) -> None:
    """Check that a sidecar would start with the log; otherwise say why not, and end with exit code 1."""
    from sortition.core import log_inspect

    found = {str(path): log_inspect(path)["damage"] for path in _logs(state_dir)}
    damage = [text for text in found.values() if text is not None]
    document = {"logs": [{"log": path, "damage": text} for path, text in found.items()]}
    _write(output, document, lambda: "\n".join(f"{path}: {text or 'sound'}" for path, text in found.items()))
    if damage:
        raise DataLoss(damage[0])


def salvage(state_dir: _StateDir = None, output: _Format = Output.TABLE) -> None:
    """Make a damaged log one that a sidecar starts with: every whole record stays, damaged ones are lost.

    The segments are copied first. What is not damaged stays as it is. The sidecar must not be running.
    """
    from sortition.core import log_salvage

    found = [{"log": str(path), **log_salvage(path)} for path in _logs(state_dir)]

    def lines() -> str:
        return "\n".join(
            f"{each['log']}: {each['records']} records kept, {each['lost_records']} known to be lost, "
            f"{each['lost_bytes']} bytes given up"
            if each["copies"]
            else f"{each['log']}: sound, nothing changed"
            for each in found
        )

    _write(output, {"logs": found}, lines)


def adopt(state_dir: _StateDir = None) -> None:
    """Use a state directory that was copied or restored; its original must never be used again."""
    from sortition import locations
    from sortition.state import StateDirectory

    path = locations.state_dir(state_dir)
    StateDirectory.adopt(path)
    typer.echo(f"{path} is the one that counts now")


def _logs(state_dir: Path | None) -> list[Path]:
    """Returns the logs of a state directory, one for each database it was used with."""
    from sortition import locations

    path = locations.log_dir(locations.state_dir(state_dir))
    found = sorted(each for each in path.iterdir() if each.is_dir()) if path.is_dir() else []
    if not found:
        raise NotFound(f"state_dir: no log in {path}; name the state directory of a sidecar that has one")
    return found


def _write(output: Output, document: Any, text: Any) -> None:
    from sortition.cli.output import print_document, print_table

    if output is Output.JSON:
        print_document(document)
    else:
        print_table(text())


def _tables(found: list[dict[str, Any]]) -> RenderableType:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    parts: list[RenderableType] = []
    for log in found:
        table = Table(title=Text(log["log"]), title_justify="left", box=None, pad_edge=False)
        for name in ("segment", "bytes", "batch", "records", "calls", "observations", "exposures", "end"):
            table.add_column(name, justify="left" if name in ("segment", "end") else "right", no_wrap=True)
        for one in log["segments"]:
            records = one["last_lsn"] - one["first_lsn"] + 1 if one["last_lsn"] else 0
            table.add_row(
                one["name"],
                *(f"{number:,}" for number in (one["bytes"], one["batch"], records)),
                *(f"{one[name]:,}" for name in ("calls", "observations", "exposures")),
                one["end"],
            )
        parts += [table, Text(f"stored up to batch {log['committed']}; {log['damage'] or 'sound'}"), Text("")]
    return Group(*parts)
