"""The application that commands are added to."""

from __future__ import annotations

import typer

from sortition.cli.exit_codes import EXIT_CODES
from sortition.cli.group import CommandGroup

__all__ = ["root"]

# The mark in front keeps the lines as they are.
_EPILOG = "\b\nExit codes:\n" + "\n".join(f"{int(code):>5}  {meaning}" for code, meaning in EXIT_CODES.items())


def root() -> typer.Typer:
    """Returns it without any command."""
    return typer.Typer(
        cls=CommandGroup,
        help="Lets AI agents run experiments on themselves.",
        epilog=_EPILOG,
        no_args_is_help=True,
        # Plain help is there in half the time, and reads the same in a terminal and in a file.
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
