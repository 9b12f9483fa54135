"""Ships a variant: its configuration becomes part of the subject's."""

from __future__ import annotations

from sortition.analyzer.result import AnalysisResult
from sortition.errors import FailedPrecondition, InvalidArgument, ShipRefused
from sortition.lifecycle.change import Change
from sortition.lifecycle.subjects import make_current, note_for_experiments, refuse_while_active, require_subject
from sortition.model import Variant, canonical_json, merge
from sortition.model.names import CONFIG_BYTES
from sortition.store import subjects as rows
from sortition.store.records import ExperimentRecord, SubjectRecord, VersionRecord

__all__ = ["choose", "ship_variant"]


def choose(record: ExperimentRecord, analysis: AnalysisResult, name: str, *, force: bool) -> Variant:
    """Returns the variant to ship.

    Args:
        record: The experiment.
        analysis: Its analysis.
        name: The variant asked for; the winner when empty.
        force: Ship what the analysis forbids.

    Raises:
        InvalidArgument: There is no such variant.
        ShipRefused: The analysis names no winner and none was asked for, or it forbids shipping this one.
    """
    chosen = name or analysis.winner
    variant = record.spec.variant(chosen)
    if name and variant is None:
        names = ", ".join(known.name for known in record.spec.variants)
        raise InvalidArgument.of([("variant", f"is {name!r}, which the experiment has not; choose one of {names}")])
    if variant is None:
        raise ShipRefused(
            f"experiment {record.spec.key!r} has no winner to ship ({analysis.recommendation}); complete it without"
            " shipping, or name a variant and force it with a reason"
        )
    if not force and not (analysis.should_ship and analysis.winner == variant.name):
        raise ShipRefused(
            f"the analysis of experiment {record.spec.key!r} does not allow shipping {variant.name!r}"
            f" ({analysis.recommendation}); complete it without shipping, or force it with a reason"
        )
    return variant


def ship_variant(
    change: Change, record: ExperimentRecord, variant: Variant, *, force: bool
) -> tuple[SubjectRecord, VersionRecord]:
    """Merges a variant's configuration into the subject's current one, as a new current version.

    What was current stays as a version of its own, and a rollback makes it current again.

    Raises:
        FailedPrecondition: Another experiment runs or is paused on the subject, or the result is too large.
    """
    spec = record.spec
    subject = require_subject(change.tx, spec.organization, spec.subject)
    if not force:
        refuse_while_active(change.tx, spec.organization, spec.subject, besides=record.id)
    config = merge(subject.current.config if subject.current is not None else {}, variant.config)
    if (size := len(canonical_json(config))) > CONFIG_BYTES:
        raise FailedPrecondition(
            f"subject {spec.subject} with variant {variant.name!r} merged in has {size} bytes as JSON; the limit is"
            f" {CONFIG_BYTES}"
        )
    version = rows.add_version(
        change.tx,
        subject,
        config,
        origin="shipped",
        experiment=spec.key,
        note=f"variant {variant.name}",
        created_at=change.at,
    )
    after = make_current(change, subject, version.number, forced=force)
    note_for_experiments(change, "subject.ship", subject, after, besides=record.id)
    return after, version
