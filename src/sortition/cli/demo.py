"""``demo``: real agents run an experiment on themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("demo")(demo)


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave the sidecar running.")] = False,
    state_dir: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A new or empty directory; default: a temporary one.")
    ] = None,
    agents: Annotated[int, typer.Option(min=1, max=16, help="How many agents run at once.")] = 4,
) -> None:
    """Watch real agents run an experiment on themselves."""
    from sortition.cli.output import console
    from sortition.demo.run import run_demo

    run_demo(keep=keep, state_dir=state_dir, agents=agents, console=console())
