"""What automatic mode has done, or would do, and why."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from sortition.render.words import clean
from sortition.rpc.v1.admin_pb2 import AutomaticAct, AutomaticStep, RunAutomaticResponse

__all__ = ["automatic_view"]

_STYLE = {"promote": "green", "rollback": "bold red", "expire": "yellow", "advance": "green"}


def automatic_view(answer: RunAutomaticResponse, *, dry_run: bool = False) -> RenderableType:
    """Returns a paragraph for each experiment: what is done, why, and what is missing."""
    if not answer.steps:
        return Text("no experiment runs or is paused")
    return Group(*(line for step in answer.steps for line in _paragraph(step, dry_run=dry_run)))


def _paragraph(step: AutomaticStep, *, dry_run: bool) -> list[Text]:
    act = AutomaticAct.Name(step.act).removeprefix("AUTOMATIC_ACT_").lower()
    head = Text(clean(step.key), style="bold")
    head.append(f"   {act}", style=_STYLE.get(act, "not bold"))
    if step.variant:
        head.append(f" {'' if act == 'promote' else 'to '}{clean(step.variant)}", style="not bold")
    head.append(f"   {clean(_state(step, act, dry_run=dry_run))}", style="not bold")
    lines = [*step.reasons, *(f"missing: {line}" for line in step.missing)]
    return [head, *(Text(f"  {clean(line)}") for line in lines)]


def _state(step: AutomaticStep, act: str, *, dry_run: bool) -> str:
    if act == "continue":
        return ""
    if step.decision_id:
        return f"done, decision {step.decision_id}"
    if step.refused:
        return f"refused: {step.refused}"
    if not step.allowed:
        field = "expire" if act == "expire" else f"auto_{act}"
        return f"not done: the policy does not say {field}: true"
    return "would be done" if dry_run else "not done"
