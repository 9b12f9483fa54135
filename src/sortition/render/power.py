"""How many units an experiment needs."""

from __future__ import annotations

from rich.text import Text

from sortition.render.numbers import count, percent
from sortition.render.policy import policy_word
from sortition.render.words import clean, moment
from sortition.rpc.v1.analysis_pb2 import PowerResult
from sortition.rpc.v1.experiment_pb2 import DecisionPolicy

__all__ = ["power_table"]

_NONE = DecisionPolicy.DECISION_POLICY_UNSPECIFIED


def power_table(result: PowerResult) -> Text:
    """Returns the answer in a few lines."""
    lines = []
    if result.units_total:
        units = f"{count(result.units_per_variant)} units per variant, {count(result.units_total)} in total"
        # Whoever may stop early usually needs fewer.
        early = result.policy not in (_NONE, DecisionPolicy.DECISION_POLICY_FIXED_HORIZON)
        lines.append(f"{policy_word(result.policy)}: at most {units}" if early else units)
    if result.baseline:
        lines.append(f"baseline: {clean(result.baseline)}")
    if result.HasField("achieved_power"):
        missing = count(result.units_missing)
        lines.append(f"power so far {percent(result.achieved_power)}, {missing} units still to come")
    if result.HasField("mde"):
        lines.append(f"today's units find a change of {percent(result.mde)}")
    if result.HasField("days"):
        rate = f" at {count(round(result.units_per_day))} units per day" if result.HasField("units_per_day") else ""
        when = f", {moment(result.expected_at)}" if result.HasField("expected_at") else ""
        lines.append(f"about {result.days:,.1f} days{rate}{when}")
    if result.reason:
        lines.append(clean(result.reason))
    return Text("\n".join(lines))
