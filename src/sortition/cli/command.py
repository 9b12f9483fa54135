"""The options that every command has, added in one place."""

from __future__ import annotations

import functools
import getpass
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from sortition.cli.session import Output, Session

__all__ = ["Command", "command"]

Command: TypeAlias = Callable[..., None]

_CONNECTION = "Connection"


def command(
    app: typer.Typer, name: str, *, changes: bool = False, formats: bool = True, timeout_s: float = 30.0
) -> Callable[[Command], Command]:
    """Registers a function as a command that talks to a sidecar.

    Its first parameter is the `Session`; the options that make one are added behind its own.

    Args:
        app: Where to register it.
        name: What it is called.
        changes: Whether it changes anything, and so takes ``--actor`` and ``--reason``.
        formats: Whether it writes tables or JSON as ``--output`` says; else it has options of its own for that.
        timeout_s: How long a call may take where ``--timeout`` says nothing.
    """

    def register(function: Command) -> Command:
        own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
        everywhere = [each.replace(default=timeout_s) if each.name == "timeout" else each for each in _COMMON]
        added = [*everywhere, *((_OUTPUT,) if formats else ()), *(_CHANGES if changes else ())]

        @functools.wraps(function)
        def run(**values: Any) -> None:
            common = {parameter.name: values.pop(parameter.name) for parameter in added}
            session = Session(
                target=common["target"],
                state_dir=common["state_dir"],
                token_file=common["token_file"],
                tls_ca=common["tls_ca"],
                organization=common["organization"],
                output=common.get("output", Output.TABLE),
                timeout_s=common["timeout"],
                actor_name=common.get("actor") or _user(),
                reason=common.get("reason") or "",
            )
            with session.open():
                function(session, **values)

        parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in [*own, *added]]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        # What it wraps has another signature.
        del run.__wrapped__
        app.command(name)(run)
        return function

    return register


def _option(name: str, default: Any, annotation: Any, option: Any) -> inspect.Parameter:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[annotation, option]
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        # This process runs as somebody without a name.
        return ""


_COMMON = (
    _option(
        "target", "", str,
        typer.Option(
            metavar="ADDRESS", rich_help_panel=_CONNECTION,
            help="The sidecar's address. Default: SORTITION_TARGET, else the one running here, else 127.0.0.1:7117.",
        ),
    ),
    _option(
        "state_dir", None, Path | None,
        typer.Option(
            metavar="DIR", rich_help_panel=_CONNECTION,
            help="The state directory of the sidecar that is meant.",
        ),
    ),
    _option(
        "token_file", None, Path | None,
        typer.Option(
            metavar="FILE", rich_help_panel=_CONNECTION,
            help="A file that holds the token. Default: SORTITION_TOKEN, else SORTITION_TOKEN_FILE.",
        ),
    ),
    _option(
        "tls_ca", None, Path | None,
        typer.Option(
            metavar="FILE", rich_help_panel=_CONNECTION,
            help="Speak TLS, with a sidecar whose certificate one of these signed. Default: SORTITION_TLS_CA.",
        ),
    ),
    _option(
        "timeout", 30.0, float,
        typer.Option(
            metavar="SECONDS", min=0.001, max=3600, rich_help_panel=_CONNECTION, help="How long a call may take.",
        ),
    ),
    _option(
        "organization", "", str,
        typer.Option(metavar="NAME", envvar="SORTITION_ORGANIZATION", help="Whose experiments and subjects are meant."),
    ),
)  # fmt: skip

_OUTPUT = _option("output", Output.TABLE, Output, typer.Option("--output", "-o", help="How to write the answer."))

_CHANGES = (
    _option(
        "actor", "", str,
        typer.Option(metavar="NAME", show_default="your user name", help="Who does this, for the audit log."),
    ),
    _option("reason", "", str, typer.Option(metavar="TEXT", help="Why, for the audit log.")),
)  # fmt: skip
