"""Commands that need no sidecar: ``schema`` and ``version``."""

from __future__ import annotations

import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("schema")(schema)
    app.command("version")(version)


def schema() -> None:
    """Print the JSON schema of the experiment file."""
    from sortition.cli.output import print_document
    from sortition.model.file_schema import experiment_schema

    print_document(experiment_schema())


def version() -> None:
    """Print the version of sortition."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    from sortition.core import __version__ as core

    try:
        typer.echo(f"sortition {installed('sortition')} (core {core})")
    except PackageNotFoundError:
        # It runs from its source tree, without having been installed.
        typer.echo(f"sortition {core} (not installed)")
