"""What a report says, section by section."""

from __future__ import annotations

from sortition.render.words import moment
from sortition.report.content.comparisons import others, primary
from sortition.report.content.days import over_time
from sortition.report.content.guardrails import guardrails
from sortition.report.content.looks import looks
from sortition.report.content.power import power
from sortition.report.content.quality import quality
from sortition.report.content.registration import registration
from sortition.report.content.segments import segments
from sortition.report.content.setup import setup
from sortition.report.content.split import split
from sortition.report.content.spreads import spreads
from sortition.report.content.summary import facts, verdict
from sortition.report.document import Document
from sortition.report.source import Source
from sortition.rpc.v1.analysis_pb2 import FullReport

__all__ = ["compose"]

_PARTS = (
    *(primary, guardrails, others, over_time, spreads, segments),
    *(looks, split, quality, power, registration, setup),
)


def compose(full: FullReport) -> Document:
    """Returns everything that a report says.

    Args:
        full: The report as the sidecar sends it.
    """
    source = Source(full)
    sections = tuple(section for part in _PARTS if (section := part(source)) is not None)
    experiment, result = source.experiment, source.result
    footer = (
        f"Analyzed {moment(result.analyzed_at)}.",
        f"Specification {experiment.spec_hash or 'without a hash'}, revision {experiment.revision}.",
        "Differences are treatment minus control; relative ones are divided by the control's absolute value. "
        "Intervals are not corrected for the number of comparisons, p-values are.",
    )
    return Document(
        title=source.spec.key or result.experiment,
        subtitle=source.spec.hypothesis,
        facts=facts(source),
        verdict=verdict(source),
        sections=sections,
        footer=footer,
    )
