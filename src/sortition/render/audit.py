"""What was done, by whom and why."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from sortition.render.tables import quiet_table
from sortition.render.words import clean, moment
from sortition.rpc.v1.admin_pb2 import AuditEvent

__all__ = ["audit_table"]


def audit_table(events: Iterable[AuditEvent]) -> Table:
    """Returns one line for each event."""
    table = quiet_table("when", "who", "what", "to what", "why")
    for event in events:
        table.add_row(
            moment(event.at), Text(clean(event.actor)), Text(clean(event.action)), Text(clean(event.object)),
            Text(clean(event.reason)),
        )  # fmt: skip
    return table
