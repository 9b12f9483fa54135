"""``compact``: merges the rows of sidecars that are gone."""

from __future__ import annotations

from typing import Annotated

import typer

from sortition.cli.settings_options import Config, DatabaseUrl, StateDir

__all__ = ["register"]

_DAY_S = 86_400


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("compact")(compact)


def compact(
    idle_days: Annotated[
        int,
        typer.Option(min=1, max=36_500, metavar="DAYS", help="Who counted nothing for so long is merged."),
    ] = 30,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be merged.")] = False,
    state_dir: StateDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Merge what sidecars that are gone have written; no count changes.

    Works on the database itself, while sidecars use it; settings are found as for serve. Every sidecar keeps rows of
    its own, so a fleet whose members come and go leaves more and more of them behind.
    """
    import time
    from contextlib import closing

    from sortition import locations, settings
    from sortition.store import Database, compaction, sqlite_url

    chosen = settings.load({"state_dir": state_dir, "database_url": database_url}, config=config)
    url = chosen.database_url or sqlite_url(locations.database_file(chosen.state_dir))
    with closing(Database.open(url, create=False, timeout_s=chosen.database_timeout_s)) as db:
        merged = compaction.compact(db, int(time.time()) // _DAY_S - idle_days + 1, dry_run=dry_run)
    verb = "would be merged" if dry_run else "merged"
    typer.echo(f"{merged.rows} rows of {merged.writers} writers {verb}")
