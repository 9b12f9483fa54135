"""The options of commands that read a sidecar's settings, and work beside it or without it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["Config", "DatabaseUrl", "StateDir"]

StateDir = Annotated[Path | None, typer.Option(metavar="DIR", help="The sidecar's state directory.")]
DatabaseUrl = Annotated[str | None, typer.Option(metavar="URL", help="The database; default: as for serve.")]
Config = Annotated[
    Path | None, typer.Option(metavar="FILE", help="A TOML file of settings; default: SORTITION_CONFIG.")
]
