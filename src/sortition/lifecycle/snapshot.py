"""Compiles the stored state into the one immutable value that the hot path answers from."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from sortition.model import Dimension, ExperimentStatus, JsonObject, Metric, SubjectRef, Variant, canonical_json, merge
from sortition.rpc.v1 import common_pb2, snapshot_pb2
from sortition.store import experiments, installation, subjects
from sortition.store.records import AllocationRecord, ExperimentRecord, SubjectRecord

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["compile_snapshot", "snapshot_version"]

# Only these answer with a variant's configuration. The others keep none: it would only weigh, and a draft whose
# configuration outgrew its subject's limit meanwhile must not keep everybody else's snapshot from loading.
_ANSWERING = (ExperimentStatus.RUNNING, ExperimentStatus.PAUSED)


def snapshot_version(tx: Connection) -> int:
    """Returns the version of the snapshot of what `tx` sees; it grows with every change."""
    # A fresh installation has revision 0, and no snapshot has version 0.
    return installation.revision(tx) + 1


def compile_snapshot(tx: Connection) -> bytes:
    """Returns a serialized Snapshot of what `tx` sees; the same state gives the same bytes.

    Args:
        tx: A transaction that sees one state, so that the version is that of the content.
    """
    stored = subjects.all_current(tx)
    configs = {(subject.organization, subject.ref.kind, subject.ref.id): _current(subject) for subject in stored}
    content = snapshot_pb2.SnapshotContent(
        subjects=[_subject(subject) for subject in sorted(stored, key=_subject_order)],
        experiments=[
            _experiment(record, configs.get((record.spec.organization, *_name(record.spec.subject)), {}))
            for record in sorted(experiments.unarchived(tx), key=lambda record: record.id)
        ],
    ).SerializeToString(deterministic=True)
    return snapshot_pb2.Snapshot(
        version=snapshot_version(tx), content_hash=hashlib.sha256(content).digest(), content=content
    ).SerializeToString(deterministic=True)


def _name(ref: SubjectRef) -> tuple[str, str]:
    return ref.kind, ref.id


def _subject_order(subject: SubjectRecord) -> tuple[str, str, str]:
    return (subject.organization, *_name(subject.ref))


def _current(subject: SubjectRecord) -> JsonObject:
    return subject.current.config if subject.current is not None else {}


def _ref(ref: SubjectRef) -> common_pb2.SubjectRef:
    return common_pb2.SubjectRef(kind=ref.kind, id=ref.id)


def _subject(subject: SubjectRecord) -> snapshot_pb2.SnapshotSubject:
    return snapshot_pb2.SnapshotSubject(
        organization=subject.organization,
        ref=_ref(subject.ref),
        version=subject.current.number if subject.current is not None else 0,
        config=canonical_json(_current(subject)),
    )


def _experiment(record: ExperimentRecord, current: JsonObject) -> snapshot_pb2.SnapshotExperiment:
    spec = record.spec
    answers = record.status in _ANSWERING
    return snapshot_pb2.SnapshotExperiment(
        id=record.id,
        organization=spec.organization,
        key=spec.key,
        subject=_ref(spec.subject),
        status=f"EXPERIMENT_STATUS_{record.status.name}",
        external_assignment=spec.external_assignment,
        variants=[_variant(variant, current if answers else None) for variant in spec.variants],
        metrics=[_metric(metric) for metric in spec.metrics],
        allocations=[_allocation(allocation) for allocation in record.allocations],
        announced=_allocation(record.announced) if record.announced else None,
        dimensions=[_dimension(dimension) for dimension in spec.dimensions],
        declared=spec.to_json() if answers and spec.decision.auto_rollback else b"",
    )


def _variant(variant: Variant, current: JsonObject | None) -> snapshot_pb2.SnapshotVariant:
    config = {} if current is None else merge(current, variant.config)
    return snapshot_pb2.SnapshotVariant(name=variant.name, control=variant.control, config=canonical_json(config))


def _metric(metric: Metric) -> snapshot_pb2.SnapshotMetric:
    return snapshot_pb2.SnapshotMetric(
        name=metric.name,
        kind=f"METRIC_KIND_{metric.kind.name}",
        min=metric.min,
        max=metric.max,
        cap_min=metric.cap_min,
        cap_max=metric.cap_max,
        quantiles=bool(metric.reported_quantiles),
        covariate=bool(metric.covariate),
    )


def _dimension(dimension: Dimension) -> snapshot_pb2.SnapshotDimension:
    return snapshot_pb2.SnapshotDimension(name=dimension.name, levels=dimension.levels)


def _allocation(allocation: AllocationRecord) -> snapshot_pb2.SnapshotAllocation:
    return snapshot_pb2.SnapshotAllocation(
        generation=allocation.generation,
        ranges=[snapshot_pb2.BucketRange(end=end, variant=variant) for end, variant in allocation.ranges],
    )
