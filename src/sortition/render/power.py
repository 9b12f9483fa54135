"""How many units an experiment needs."""

from __future__ import annotations

from rich.text import Text

from sortition.render.numbers import count, percent
from sortition.render.words import clean
from sortition.rpc.v1.analysis_pb2 import PowerResult

__all__ = ["power_table"]


def power_table(result: PowerResult) -> Text:
    """Returns the answer in a few lines."""
    lines = []
    if result.units_total:
        lines.append(f"{count(result.units_per_variant)} units per variant, {count(result.units_total)} in total")
    if result.HasField("achieved_power"):
        missing = count(result.units_missing)
        lines.append(f"power so far {percent(result.achieved_power)}, {missing} units still to come")
    if result.HasField("days"):
        lines.append(f"about {result.days:,.1f} days")
    if result.reason:
        lines.append(clean(result.reason))
    return Text("\n".join(lines))
