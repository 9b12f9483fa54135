"""What was registered when an experiment was started, and whether it holds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from sortition.render.configs import plain_config
from sortition.render.numbers import count
from sortition.render.tables import quiet_table
from sortition.render.words import clean, moment, plural, status_text
from sortition.rpc.v1.admin_pb2 import GetRegistrationResponse
from sortition.rpc.v1.experiment_pb2 import DecisionPolicy, Deviation, Experiment, Peeks

__all__ = [
    "deviation_rows",
    "horizon_text",
    "peeks_harm",
    "peeks_text",
    "registration_line",
    "registration_view",
    "run_text",
]


def run_text(experiment: Experiment) -> str:
    """Says which run an experiment is: ``run 2 of 3, after search-strategy``; empty where it is the only one."""
    run = experiment.run
    if not experiment.HasField("run"):
        return ""
    after = f", after {clean(run.previous)}" if run.previous else ""
    return f"run {run.number} of {run.of}{after}"


def registration_line(experiment: Experiment) -> str:
    """Says when an experiment was registered, and with which hash; empty where nothing is registered."""
    found = experiment.registration
    if not experiment.HasField("registration"):
        return ""
    return f"registered on {moment(found.registered_at)} by {clean(found.registered_by)}, hash {clean(found.hash)}"


def horizon_text(experiment: Experiment, taken: int | None = None) -> str:
    """Says how far an experiment looks, and at which looks: ``2,000 sessions; looks planned 3, taken 1``.

    Args:
        experiment: The experiment.
        taken: The planned looks that were taken; not said when None.
    """
    found = experiment.registration
    if not found.horizon:
        return "none: every look is valid"
    units = f"{count(found.horizon)} {plural(clean(experiment.spec.unit or 'session'))}"
    said = "" if taken is None else f", taken {taken}"
    return f"{units}; looks planned {found.looks_planned}{said}"


def peeks_text(peeks: Peeks) -> str:
    """Says how often results were shown: ``12 on 3 days, from … to …``."""
    if not peeks.count:
        return "none"
    days = "1 day" if peeks.days == 1 else f"{count(peeks.days)} days"
    return f"{count(peeks.count)} on {days}, from {moment(peeks.first_at)} to {moment(peeks.last_at)}"


def peeks_harm(experiment: Experiment) -> str:
    """Says what peeks mean for the error rates, under the policy that was declared."""
    peeks = experiment.registration.peeks
    policy = experiment.spec.decision.policy
    if not peeks.count:
        return ""
    if policy in (DecisionPolicy.DECISION_POLICY_SEQUENTIAL, DecisionPolicy.DECISION_POLICY_UNSPECIFIED):
        return "Sequential: peeks are harmless, for every look is valid."
    if not peeks.early:
        return "None of them showed interim figures: all came when a decision could be taken or was."
    interim = f"{count(peeks.early)} of them showed interim figures"
    if policy == DecisionPolicy.DECISION_POLICY_FIXED_HORIZON:
        return f"Fixed horizon: {interim}, whose p-values inflate the error if anybody acted upon them."
    return f"Planned looks: {interim}, which decide nothing; acting upon them would inflate the error."


def deviation_rows(deviations: Iterable[Deviation]) -> Iterator[tuple[str, str, str, str, str]]:
    """Yields when, what, by whom, why and the details of each deviation."""
    for each in deviations:
        details = json.dumps(plain_config(each.details), ensure_ascii=False) if each.details.fields else ""
        yield moment(each.at), clean(each.kind), clean(each.actor), clean(each.reason), clean(details)


def registration_view(answer: GetRegistrationResponse) -> RenderableType:
    """Returns what was registered, whether it holds, and what was done beside it."""
    experiment = answer.experiment
    found = experiment.registration
    head = Text(clean(experiment.spec.key), style="bold")
    head = Text("   ").join(
        [part for part in (head, status_text(experiment.status), Text(run_text(experiment))) if part]
    )
    if not experiment.HasField("registration"):
        return Group(head, *(Text(f"• {clean(line)}") for line in answer.differences))
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    rows = {
        "registered": f"{moment(found.registered_at)} by {clean(found.registered_by)}",
        "why": clean(found.reason),
        "hash": clean(found.hash),
        "algorithm": clean(found.algorithm),
        "horizon": horizon_text(experiment),
        "stopping rule": clean(found.stopping_rule),
        "peeks": f"{peeks_text(found.peeks)}. {peeks_harm(experiment)}".strip(),
    }
    for name, text in rows.items():
        if text:
            table.add_row(Text(name, style="dim"), Text(text, overflow="fold"))
    parts: list[RenderableType] = [head, table]
    if found.deviations:
        beside = quiet_table("deviation", "when", "by", "why", "details")
        for when, kind, by, why, details in deviation_rows(found.deviations):
            beside.add_row(Text(kind), when, Text(by), Text(why), Text(details))
        parts.append(beside)
    if answer.verified:
        return Group(*parts, Text("what is stored says what was registered", style="green"))
    lines = [Text(f"• {clean(line)}") for line in answer.differences]
    return Group(*parts, Text("what is stored does NOT say what was registered:", style="bold red"), *lines)
