"""Stored decisions, and what came of computing one again."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from sortition.render.tables import quiet_table
from sortition.render.words import clean, moment
from sortition.rpc.v1.analysis_pb2 import ReplayResponse, StoredDecision

__all__ = ["decision_table", "replay_view"]


def decision_table(decisions: Iterable[StoredDecision]) -> Table:
    """Returns one line for each decision."""
    table = quiet_table("decision", "at", "kind", "winner", "ship")
    for each in decisions:
        table.add_row(
            Text(clean(each.id)), moment(each.at), Text(clean(each.kind)), Text(clean(each.winner or "–")),
            "yes" if each.should_ship else "no",
        )  # fmt: skip
    return table


def replay_view(replay: ReplayResponse) -> RenderableType:
    """Returns whether a decision came out the same, and if not, where it differs."""
    decision = replay.decision
    head = Text(f"decision {clean(decision.id)}", style="bold")
    head.append(f"   {clean(decision.kind)}   {clean(replay.experiment)}   {moment(decision.at)}", style="not bold")
    said = Text(clean(decision.analysis.recommendation))
    if replay.identical:
        return Group(
            head, said, Text("computed again from its stored inputs: identical to the last bit", style="green")
        )
    lines = [Text(f"  {clean(line)}") for line in replay.differences]
    return Group(head, said, Text("computed again from its stored inputs: NOT the same", style="bold red"), *lines)
