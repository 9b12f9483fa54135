"""The group of all commands: the one place where an error becomes a line and an exit code."""

from __future__ import annotations

import os
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from sortition.cli.exit_codes import ExitCode, exit_code
from sortition.errors import SortitionError, Violation

__all__ = ["CommandGroup", "say"]

# More lines than this are not read; programs that want all of them ask over gRPC.
_MAX_VIOLATIONS = 50


class CommandGroup(TyperGroup):
    """Runs a command; its errors are one line each on stderr, never a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Runs the command that `ctx` names."""
        try:
            return super().invoke(ctx)
        except SortitionError as error:
            _report(error)
            raise typer.Exit(exit_code(error)) from None
        except BrokenPipeError:
            # Whoever reads has seen enough, as with `| head`. What is still buffered must not raise again at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(ExitCode.OK) from None


def say(text: str) -> None:
    """Writes one message for people to stderr."""
    typer.echo(text, err=True)


def _report(error: SortitionError) -> None:
    shown = error.violations[:_MAX_VIOLATIONS]
    # A message that ends with what is wrong would only be repeated.
    if len(error.violations) == 1 and error.message.endswith(shown[0].description):
        say(f"error: {_one_line(error.message)}")
        return
    # A message that only lists the violations would say everything twice.
    listed = "; ".join(str(violation) for violation in error.violations)
    say(
        f"error: {len(shown)} values are refused"
        if shown and error.message == listed
        else f"error: {_one_line(error.message)}"
    )
    for violation in shown:
        say(f"  {_line(violation)}")
    if len(error.violations) > len(shown):
        say(f"  and {len(error.violations) - len(shown)} more")


def _line(violation: Violation) -> str:
    return _one_line(str(violation))


def _one_line(text: str) -> str:
    """Returns `text` on one line and without anything that steers a terminal."""
    return "".join(each if each.isprintable() else " " for each in text).strip()
