"""What to do, and what the reader should know before all else."""

from __future__ import annotations

from sortition.render.advice import current_status, next_command
from sortition.render.known import known
from sortition.render.numbers import count, p_value, percent
from sortition.render.overview import ending_text
from sortition.render.words import duration, moment, status_word
from sortition.report.content.words import policy_text
from sortition.report.document import Cell, Facts, Tone, Verdict, cell
from sortition.report.source import Source
from sortition.rpc.v1.analysis_pb2 import EndingKind, RecommendationKind
from sortition.rpc.v1.snapshot_pb2 import ExperimentStatus

__all__ = ["SPLIT_TONES", "facts", "quality_tone", "verdict"]

_WORDS = {
    RecommendationKind.RECOMMENDATION_KIND_NEED_MORE_DATA: ("More data needed", Tone.PLAIN),
    RecommendationKind.RECOMMENDATION_KIND_NOT_SIGNIFICANT: ("No significant difference", Tone.PLAIN),
    RecommendationKind.RECOMMENDATION_KIND_SHIP: ("Ship", Tone.GOOD),
    RecommendationKind.RECOMMENDATION_KIND_BELOW_MDE: ("Smaller than worth shipping", Tone.DOUBT),
    RecommendationKind.RECOMMENDATION_KIND_REGRESSION: ("Regression: stop", Tone.BAD),
    RecommendationKind.RECOMMENDATION_KIND_INVALID: ("Not to be trusted", Tone.BAD),
}
_ENDINGS = {
    EndingKind.ENDING_KIND_SHIPPED: Tone.GOOD,
    EndingKind.ENDING_KIND_ROLLED_BACK: Tone.BAD,
    EndingKind.ENDING_KIND_EXPIRED: Tone.DOUBT,
}
SPLIT_TONES = {"ok": Tone.GOOD, "yellow": Tone.DOUBT, "red": Tone.BAD}
"""What the verdict on the split means."""
_GOOD_QUALITY, _POOR_QUALITY = 0.9, 0.7


def quality_tone(score: float) -> Tone:
    """Returns what a score of quality means; below 0.7 data are poor."""
    if score != score:
        return Tone.PLAIN
    return Tone.GOOD if score >= _GOOD_QUALITY else Tone.DOUBT if score >= _POOR_QUALITY else Tone.BAD


def verdict(source: Source) -> Verdict:
    """Returns what to do; where it is over, how it ended."""
    result, report = source.result, source.full.report
    word, tone = _WORDS.get(result.recommendation_kind, ("No advice", Tone.PLAIN))
    if result.recommendation_kind == RecommendationKind.RECOMMENDATION_KIND_SHIP and result.winner:
        word = f"Ship {result.winner}"
    remarks: list[str] = []
    if report.HasField("ending"):
        how = ending_text(report).plain
        word, tone = how[:1].upper() + how[1:], _ENDINGS.get(report.ending.kind, Tone.PLAIN)
        remarks += report.ending.reasons
    if result.provisional:
        remarks.append(
            f"Provisional: {count(result.units)} of {count(result.horizon)} {source.units_word}. "
            "This look comes before one that may decide; its figures are shown and decide nothing."
        )
    if result.HasField("reached"):
        reached = result.reached
        when = f"{moment(reached.at)}, at {count(reached.units)} {source.units_word}"
        remarks.append(f"Decided on {when}. `sortition replay {reached.id}` computes the decision again.")
    remarks += result.warnings
    # The advice often begins with the very words above it.
    text = result.recommendation.removeprefix(f"{word}: ")
    return Verdict(word, text, next_command(result, source.experiment), tone, tuple(remarks))


def facts(source: Source) -> Facts:
    """Returns where the experiment stands."""
    result, report = source.result, source.full.report
    status = current_status(result, source.experiment)
    state = status_word(status)
    if status == ExperimentStatus.EXPERIMENT_STATUS_RUNNING and report.running_seconds:
        state += f", {duration(report.running_seconds)}"
    if source.experiment.HasField("ended_at"):
        state += f", {moment(source.experiment.ended_at)}"
    ratio = result.sample_ratio
    split = ratio.verdict or "unknown"
    p = p_value(known(ratio, "p_value"))
    pairs = [
        ("Status", cell(state)),
        ("Subject", cell(f"{source.spec.subject.kind}/{source.spec.subject.id}")),
        (source.units_word.capitalize(), cell(f"{count(result.units)} of {count(result.min_samples)}")),
        ("Split (SRM)", Cell(split if p == "–" else f"{split}, p {p}", SPLIT_TONES.get(split, Tone.PLAIN))),
    ]
    if result.HasField("quality"):
        score = known(result.quality, "score")
        text = f"{score:.2f}" if score == score else "not known"
        pairs.append(("Data quality", Cell(text, quality_tone(score))))
    pairs += [
        ("Decides by", cell(policy_text(result.policy or source.spec.decision.policy))),
        ("Confidence", cell(percent(result.confidence, 0 if round(result.confidence * 100, 6) % 1 == 0 else 1))),
    ]
    return Facts(tuple(pairs))
