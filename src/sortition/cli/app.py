"""All commands in one application.

Nothing heavy is imported here: `sortition --help` has to be there at once, so every command imports what it needs when
it runs.
"""

from __future__ import annotations

import typer

from sortition.cli import (
    about,
    alerts,
    analysis,
    audit,
    auto,
    check,
    compact,
    decisions,
    demo,
    execute,
    experiments,
    generate,
    health,
    imports,
    log,
    new,
    registration,
    report,
    reweight,
    serve,
    shipping,
    status,
    subjects,
    tokens,
    watch,
)
from sortition.cli.exit_codes import EXIT_CODES
from sortition.cli.group import CommandGroup

__all__ = ["app"]

# The mark in front keeps the lines as they are.
_EPILOG = "\b\nExit codes:\n" + "\n".join(f"{int(code):>5}  {meaning}" for code, meaning in EXIT_CODES.items())

app = typer.Typer(
    cls=CommandGroup,
    help="Lets AI agents run experiments on themselves.",
    epilog=_EPILOG,
    no_args_is_help=True,
    # Plain help is there in half the time, and reads the same in a terminal and in a file.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

serve.register(app)
health.register(app)
experiments.register(app)
registration.register(app)
status.register(app)
analysis.register(app)
watch.register(app)
report.register(app)
auto.register(app)
reweight.register(app)
subjects.register(app)
shipping.register(app)
decisions.register(app)
audit.register(app)
alerts.register(app)
compact.register(app)
check.register(app)
tokens.register(app)
log.register(app)
imports.register(app)
execute.register(app)
new.register(app)
generate.register(app)
demo.register(app)
about.register(app)
