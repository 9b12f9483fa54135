"""The command line.

Each command is in the file of its subject; what all share is in `command`, `session`, `output` and `group`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line and exits.

    Args:
        arguments: What follows the program's name; from the process when absent.

    Raises:
        SystemExit: Always, with a code of `sortition.cli.exit_codes.ExitCode`.
    """
    given = sys.argv[1:] if arguments is None else list(arguments)
    if given[:1] == ["serve"]:
        # Agents wait for a sidecar that starts, and it for no other command.
        from sortition.cli.serve import alone

        app = alone()
    else:
        from sortition.cli.app import app
    app(args=given, prog_name="sortition")
