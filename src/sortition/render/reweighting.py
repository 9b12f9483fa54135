"""What becomes of the weights of an experiment."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from sortition.render.tables import quiet_table
from sortition.render.words import clean
from sortition.rpc.v1.admin_pb2 import ReweightExperimentResponse

__all__ = ["reweighting_view"]


def reweighting_view(answer: ReweightExperimentResponse, *, dry_run: bool = False) -> RenderableType:
    """Returns the weights before and after, what moves, and when."""
    table = quiet_table("variant", "before", "after", right=("before", "after"))
    for weight in answer.weights:
        table.add_row(clean(weight.variant), f"{clean(weight.before)} %", f"{clean(weight.after)} %")
    key = clean(answer.experiment.spec.key)
    return Group(Text(f"{key}   {_state(answer, dry_run=dry_run)}", style="bold"), table, Text(_moves(answer)))


def _state(answer: ReweightExperimentResponse, *, dry_run: bool) -> str:
    if not answer.changed:
        return "has these weights already" if answer.effective else "these weights are announced already"
    return "nothing changed: a dry run" if dry_run else "other weights are announced, and take effect within seconds"


def _moves(answer: ReweightExperimentResponse) -> str:
    share = f"{answer.moved_buckets / 100:g} % of new {clean(answer.experiment.spec.unit)}s"
    return f"{share} get another variant than before; whoever was exposed keeps theirs"
