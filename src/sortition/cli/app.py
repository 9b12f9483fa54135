"""All commands in one application.

Nothing heavy is imported here: `sortition --help` has to be there at once, so every command imports what it needs when
it runs.
"""

from __future__ import annotations

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
from sortition.cli.root import root

__all__ = ["app"]

app = root()

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
