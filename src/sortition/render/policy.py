"""How an experiment is decided, and what was decided before this look."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from sortition.render.numbers import count, p_value
from sortition.render.words import clean, moment
from sortition.rpc.v1.analysis_pb2 import AnalysisResult
from sortition.rpc.v1.experiment_pb2 import DecisionPolicy

__all__ = ["policy_lines", "policy_word"]

_WORDS = {
    DecisionPolicy.DECISION_POLICY_SEQUENTIAL: "sequential",
    DecisionPolicy.DECISION_POLICY_FIXED_HORIZON: "fixed horizon",
    DecisionPolicy.DECISION_POLICY_GROUP_SEQUENTIAL: "group sequential",
}


def policy_word(policy: DecisionPolicy) -> str:
    """Returns a policy as people write it: ``group sequential``; empty for none."""
    return _WORDS.get(policy, "")


def policy_lines(result: AnalysisResult) -> list[Text]:
    """Returns what a reader has to know to read the figures: when they count, and what was decided already."""
    lines = [Text(f"· {text}", style="dim") for text in _how(result)]
    if result.provisional:
        lines.append(Text("! provisional: this look decides nothing", style="yellow"))
    if result.HasField("reached"):
        reached = result.reached
        winner = f"{clean(reached.winner)} won" if reached.winner else "without a winner"
        text = (
            f"decided at {count(reached.units)} units on {moment(reached.at)}: {winner} (decision {clean(reached.id)})"
        )
        lines.append(Text(f"· {text}", style="cyan"))
    return lines


def _how(result: AnalysisResult) -> Iterator[str]:
    word = policy_word(result.policy)
    if result.policy == DecisionPolicy.DECISION_POLICY_FIXED_HORIZON:
        yield f"{word}: one look decides, at {count(result.horizon)} units"
    elif result.looks:
        yield f"{word}: {'; '.join(_looks(result))}"
    elif word:
        yield f"{word}: intervals and p-values hold at every look"


def _looks(result: AnalysisResult) -> Iterator[str]:
    for number, look in enumerate(result.looks, start=1):
        border = f"p < {p_value(look.level).removeprefix('< ')}" if look.HasField("level") else ""
        if look.units:
            yield f"look {number} at {count(look.units)} units ({border})"
        else:
            yield f"look {number} due at {count(look.planned_units)} ({border})"
