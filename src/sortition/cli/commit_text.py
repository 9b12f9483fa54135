"""What the commit of a subject's file says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sortition.cli.session import Session

if TYPE_CHECKING:
    from sortition.rpc.v1.admin_pb2 import Subject
    from sortition.rpc.v1.analysis_pb2 import AnalysisResult

__all__ = ["commit_text"]


def commit_text(session: Session, subject: Subject, path: str) -> str:
    """Returns what a commit says: what was shipped, and on what grounds."""
    from sortition.render.numbers import count, p_value, relative
    from sortition.rpc.v1.analysis_pb2 import AnalyzeRequest

    version = subject.current
    if version.origin != "shipped":
        return f"Put version {version.number} of {subject.ref.kind}/{subject.ref.id} into {path}\n"
    variant = version.note.removeprefix("variant ")
    lines = [f"Ship {variant} to {path}", "", f"Experiment: {version.experiment}", f"Variant: {variant}"]
    request = AnalyzeRequest(key=version.experiment, organization=subject.organization)
    analysis: AnalysisResult = session.call(session.analysis.Analyze, request)
    compared = next(
        (
            each
            for each in analysis.comparisons
            if (each.variant, each.metric) == (variant, analysis.primary_metric) and not each.HasField("quantile")
        ),
        None,
    )
    if compared is not None:
        bounds = compared.relative_interval
        level = f"{analysis.confidence * 100:g} % interval {relative(bounds.lower)} to {relative(bounds.upper)}"
        known = compared.HasField("relative") and compared.HasField("relative_interval")
        p = compared.p_adjusted if compared.HasField("p_adjusted") else compared.p_value
        improvement = f"{relative(compared.relative)} ({level})" if known else f"unknown: {compared.reason}"
        lines.append(f"Improvement: {analysis.primary_metric} {improvement}")
        lines.append(f"p: {p_value(p) if compared.HasField('p_value') else 'unknown'}")
    lines.append(f"n: {count(analysis.units)} units")
    if session.reason:
        lines.append(f"Reason: {' '.join(session.reason.split())}")
    return "\n".join(lines) + "\n"
