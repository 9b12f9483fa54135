"""What was registered beforehand, and what was done beside it."""

from __future__ import annotations

from sortition.render.registration import deviation_rows, horizon_text, peeks_harm, peeks_text, run_text
from sortition.render.words import moment
from sortition.report.document import Block, Cell, Column, Facts, Paragraph, Section, Table, cell
from sortition.report.source import Source
from sortition.rpc.v1.experiment_pb2 import DecisionPolicy

__all__ = ["registration"]

_DEVIATION = ("when", "what", "by", "why", "details")


def registration(source: Source) -> Section | None:
    """Returns what was registered at the start; None for a draft that is no run of anything."""
    experiment, run = source.experiment, run_text(source.experiment)
    found = experiment.registration
    pairs: list[tuple[str, Cell]] = [("Run", cell(run))] if run else []
    blocks: list[Block] = []
    if experiment.HasField("registration"):
        pairs += [
            ("Registered on", cell(moment(found.registered_at))),
            ("Registered by", cell(found.registered_by)),
            ("Hash", cell(found.hash)),
            ("Algorithm", cell(found.algorithm)),
            ("Horizon", cell(horizon_text(experiment, _taken(source)))),
            ("Peeks", cell(peeks_text(found.peeks))),
        ]
        words = [found.stopping_rule, peeks_harm(experiment)]
        words.append(f"`sortition registration {experiment.spec.key} --verify` computes the hash again.")
        blocks = [Paragraph(text) for text in words if text]
    elif experiment.HasField("started_at"):
        blocks = [Paragraph("Nothing was registered: an older version started the experiment.")]
    if run:
        blocks.append(Paragraph("Each run has assignments and outcomes of its own: none of another run's are here."))
    if found.deviations:
        rows = deviation_rows(found.deviations)
        blocks.append(
            Table(
                "Deviations from what was registered",
                tuple(Column(title) for title in _DEVIATION),
                tuple(tuple(cell(text) for text in row) for row in rows),
            )
        )
    if pairs:
        blocks.insert(0, Facts(tuple(pairs)))
    return Section("registration", "As registered", tuple(blocks)) if blocks else None


def _taken(source: Source) -> int:
    """Returns how many of the planned looks were taken."""
    if source.spec.decision.policy == DecisionPolicy.DECISION_POLICY_FIXED_HORIZON:
        return int(source.result.units > 0 and not source.result.provisional)
    return sum(look.units > 0 for look in source.result.looks)
