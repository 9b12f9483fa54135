"""``new``: a commented experiment to begin with."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sortition.cli.new.kinds import ExperimentKind

if TYPE_CHECKING:
    from sortition.model import ExperimentSpec

__all__ = ["register", "template"]

_KEY = "@KEY@"
_SUBJECT = "@SUBJECT@"


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("new")(new)


def new(
    kind: Annotated[ExperimentKind, typer.Argument(metavar="prompt|workflow|config", help="What is experimented on.")],
    key: Annotated[str, typer.Argument(metavar="KEY", help="The key of the experiment.")],
    subject: Annotated[
        str, typer.Option(metavar="ID", help="The subject's id within its kind.", show_default="KEY")
    ] = "",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where to; - is stdout.", show_default="KEY.yaml"),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write a commented experiment to begin with: of prompts, of workflows or of configurations."""
    from sortition.cli.files import write_new

    text = template(kind, key, subject or key)
    write_new(output or Path(f"{key}.yaml"), text, force=force)


def template(kind: ExperimentKind, key: str, subject: str) -> str:
    """Returns the text of a commented experiment file.

    Args:
        kind: What is experimented on.
        key: The experiment's key.
        subject: The subject's id.

    Raises:
        InvalidArgument: The key or the id is none.
    """
    from sortition.model.file import parse_experiment

    _check_names(key, subject)
    text = (files(__package__) / f"{kind.value}.yaml").read_text(encoding="utf-8")
    made = text.replace(_KEY, key).replace(_SUBJECT, subject)
    # What is handed out can be started as it is.
    _: ExperimentSpec = parse_experiment(made, f"the template {kind.value}")
    return made


def _check_names(key: str, subject: str) -> None:
    from pydantic import TypeAdapter, ValidationError

    from sortition.errors import InvalidArgument, Violation
    from sortition.model.names import Key

    found = []
    for field, name in (("KEY", key), ("--subject", subject)):
        try:
            TypeAdapter(Key).validate_python(name)
        except ValidationError as error:
            found.append(Violation(field, error.errors()[0]["msg"]))
    if found:
        raise InvalidArgument.of(found)
