"""Lists of experiments, and one experiment."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from sortition.render.configs import config_text
from sortition.render.registration import registration_line, run_text
from sortition.render.tables import quiet_table
from sortition.render.words import clean, goal_arrow, kind_word, moment, role_word, status_text
from sortition.rpc.v1.experiment_pb2 import Experiment

__all__ = ["experiment_table", "experiment_title", "experiment_view"]


def experiment_table(experiments: Iterable[Experiment]) -> Table:
    """Returns one line for each experiment."""
    table = quiet_table(
        "experiment", "subject", "status", "variants", "primary metric", "created", "winner",
        right=("variants",),
    )  # fmt: skip
    for experiment in experiments:
        spec = experiment.spec
        primary = next((metric for metric in spec.metrics if role_word(metric.role) == "primary"), None)
        table.add_row(
            Text(experiment_title(experiment) + _run(experiment)),
            Text(clean(f"{spec.subject.kind}/{spec.subject.id}")), _status(experiment),
            str(len(spec.variants)), Text(f"{clean(primary.name)} {goal_arrow(primary.goal)}" if primary else "–"),
            moment(experiment.created_at) if experiment.HasField("created_at") else "–", Text(_winner(experiment)),
        )  # fmt: skip
    return table


def experiment_view(experiment: Experiment) -> RenderableType:
    """Returns what an experiment declares."""
    spec = experiment.spec
    head = Text("   ").join(
        [
            Text(experiment_title(experiment), style="bold"),
            _status(experiment),
            Text(clean(f"{spec.subject.kind}/{spec.subject.id}")),
            Text(f"by {clean(spec.unit or 'session')}"),
        ]
    )
    variants = quiet_table("variant", "weight", "config", right=("weight",))
    for variant in spec.variants:
        name = clean(variant.name) + (" ◆" if variant.control else "")
        variants.add_row(Text(name), f"{clean(variant.weight)} %", config_text(variant.config))
    metrics = quiet_table("metric", "kind", "unit", "role")
    for metric in spec.metrics:
        metrics.add_row(
            Text(f"{clean(metric.name)} {goal_arrow(metric.goal)}"), kind_word(metric.kind), Text(clean(metric.unit)),
            role_word(metric.role),
        )  # fmt: skip
    said = (spec.name, spec.description, spec.hypothesis, run_text(experiment), registration_line(experiment))
    words = [Text(clean(text)) for text in said if text]
    return Group(head, *words, variants, metrics)


def experiment_title(experiment: Experiment) -> str:
    """Names an experiment: its key, with its organization where that is not the default one."""
    spec = experiment.spec
    return clean(spec.key if spec.organization in ("", "default") else f"{spec.organization}: {spec.key}")


def _run(experiment: Experiment) -> str:
    run = experiment.run
    return f" (run {run.number} of {run.of})" if experiment.HasField("run") else ""


def _status(experiment: Experiment) -> Text:
    text = status_text(experiment.status)
    return text.append(", archived") if experiment.HasField("archived_at") else text


def _winner(experiment: Experiment) -> str:
    if not experiment.shipped_version:
        return clean(experiment.winner) or "–"
    return f"{clean(experiment.winner) or '–'}, shipped as version {experiment.shipped_version}"
